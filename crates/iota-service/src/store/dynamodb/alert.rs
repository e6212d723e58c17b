//! Alerts and deliveries as items, and back. All that belongs to an alert is under one partition key.

use super::item::{AT, IK, Item, Key, Read, TTL, item, number, rule_name, short, text};
use super::query::listed;
use super::table::{Table, each, wall_ms};
use super::trouble::Work;
use super::write::Write;
use crate::store::text::{alert_json, class, from_word, severity, word};
use aws_sdk_dynamodb::types::AttributeValue;
use iota_engine::alert::Severity;
use iota_engine::store::{
    Body, Class, Delivery, DeliveryAction, DeliveryId, DeliveryState, Extent, Handling, KEEP_ALERTS_MS, Match, StatusChange,
    StoredAlert,
};

/// An alert that is to be made.
#[derive(Debug)]
pub(super) struct NewAlert<'a> {
    pub(super) alert_id: &'a str,
    /// A match of the group.
    pub(super) of: &'a Match,
    pub(super) body: &'a Body,
    pub(super) extent: Extent,
    pub(super) supersedes: &'a [String],
    pub(super) superseded_by: Option<&'a str>,
    pub(super) now_ms: i64,
    pub(super) detected_ms: Option<i64>,
}

impl NewAlert<'_> {
    /// The alert, and its content in an item of its own: what grows stays small.
    pub(super) async fn writes(&self, table: &Table) -> Work<[Write; 2]> {
        let (Match { group, class, .. }, headline) = (self.of, &self.body.headline);
        // Where nothing is to be delivered, the alert goes by its age alone; else `retain` looks first.
        let ttl = self.body.routes.is_empty().then(|| (wall_ms() + KEEP_ALERTS_MS) / 1000);
        let mut alert = item([
            ("alert_id", text(self.alert_id)),
            ("class", text(class.name())),
            ("pack", text(&*group.pack)),
            ("rule", text(&*group.rule)),
            ("dedup", text(short(&group.dedup))),
            ("title", text(short(&headline.title))),
            ("severity", number(headline.severity as u8)),
            ("status", text("open")),
            ("supersedes", text(serde_json::to_string(self.supersedes)?)),
            ("count", number(self.extent.count)),
            ("first", number(self.extent.first_ms)),
            ("last", number(self.extent.last_ms)),
            ("created", number(self.now_ms)),
            ("routes", text(serde_json::to_string(&self.body.routes)?)),
            (IK, text(listed::shard("alert", self.alert_id.as_bytes()))),
            (AT, number(self.now_ms)),
        ]);
        if let Class::Suppressed(by) = class {
            alert.insert("suppression".to_owned(), text(by));
        }
        if let Some(account) = &headline.account_id {
            alert.insert("account_id".to_owned(), text(short(account)));
        }
        if let Some(detected_ms) = self.detected_ms {
            alert.insert("detected".to_owned(), number(detected_ms));
        }
        if let Some(by) = self.superseded_by {
            alert.insert("superseded_by".to_owned(), text(by));
            alert.insert("successor".to_owned(), text(by));
        }
        let (key, of_content) = (Key::alert(self.alert_id), Key::content(self.alert_id));
        let mut content = item([("content", table.keep(&of_content, &self.body.content, ttl).await?)]);
        for attributes in [&mut alert, &mut content] {
            attributes.extend(ttl.map(|ttl| (TTL.to_owned(), number(ttl))));
        }
        Ok([if_new(Write::put(key, alert)), Write::put(of_content, content)])
    }
}

/// Also in the place of an item that is past its time and not yet deleted.
pub(super) fn if_new(write: Write) -> Write {
    write.when("attribute_not_exists(#pk) OR #ttl <= :now").with("now", number(wall_ms() / 1000))
}

/// What an item says of an alert, without its JSON.
pub(super) fn alert(item: &Item) -> Work<StoredAlert> {
    Ok(StoredAlert {
        alert_id: item.text("alert_id")?,
        class: class(item.text("class")?, item.text_if_any("suppression").map(str::to_owned))?,
        pack: item.text("pack")?,
        rule: item.text("rule")?,
        dedup: item.text("dedup")?,
        title: item.text("title")?,
        severity: severity_of(item)?,
        account_id: item.text_if_any("account_id").map(str::to_owned),
        status: from_word(item.text("status")?)?,
        superseded_by: item.text_if_any("superseded_by").map(str::to_owned),
        count: item.number("count")?.cast_unsigned(),
        first_ms: item.number("first")?,
        last_ms: item.number("last")?,
        created_ms: item.number("created")?,
        detected_ms: item.number_if_any("detected")?.map_or_else(|| item.number("created"), Ok)?,
        routes: serde_json::from_str(&item.text("routes")?)?,
        json: Vec::new(),
    })
}

/// What an alert had when its cells were forgotten, if they were: it has at least that much.
pub(super) fn forgotten(item: &Item) -> Work<Option<Extent>> {
    let Some(count) = item.number_if_any("forgotten_count")? else { return Ok(None) };
    let (first_ms, last_ms) = (item.number("forgotten_first")?, item.number("forgotten_last")?);
    Ok(Some(Extent { count: count.cast_unsigned(), first_ms, last_ms }))
}

pub(super) fn supersedes(item: &Item) -> Work<Vec<String>> {
    Ok(serde_json::from_str(&item.text("supersedes")?)?)
}

fn severity_of(item: &Item) -> Work<Severity> {
    Ok(severity(u8::try_from(item.number("severity")?).unwrap_or(u8::MAX)))
}

/// A delivery that is to be made: one alert to one output.
#[derive(Debug)]
pub(super) struct NewDelivery<'a> {
    pub(super) id: DeliveryId,
    pub(super) action: DeliveryAction,
    pub(super) pack: &'a str,
    pub(super) rule: &'a str,
    pub(super) severity: Severity,
    pub(super) now_ms: i64,
    /// Somebody asked for it.
    pub(super) asked: bool,
}

impl NewDelivery<'_> {
    pub(super) fn write(&self) -> Write {
        let attributes = item([
            ("alert_id", text(&self.id.alert_id)),
            ("output", text(&self.id.output)),
            ("revision", number(self.id.revision)),
            ("action", text(self.action.name())),
            ("state", text("pending")),
            ("asked", number(i64::from(self.asked))),
            ("attempts", number(0)),
            // When it was added; `created` begins anew with a redrive.
            ("added", number(self.now_ms)),
            ("created", number(self.now_ms)),
            ("due", number(self.now_ms)),
            ("leased", number(0)),
            ("token", number(0)),
            ("pack", text(self.pack)),
            ("rule", text(self.rule)),
            ("severity", number(self.severity as u8)),
            (IK, text(pending(&self.id))),
            (AT, number(self.now_ms)),
        ]);
        Write::put(Key::delivery(&self.id), attributes).when_new()
    }
}

pub(super) fn pending(id: &DeliveryId) -> String {
    listed::shard(&listed::pending(&id.output), id.alert_id.as_bytes())
}

/// Where a delivery in this state is listed.
pub(super) fn listed_in(state: DeliveryState, delivery: &Delivery) -> String {
    match state {
        DeliveryState::Pending => pending(&delivery.id),
        // What people ask for does not count for the storm limit.
        _ if delivery.asked && state == DeliveryState::Delivered => listed::settled(state, &delivery.id.output, "again"),
        _ => listed::settled(state, &delivery.id.output, &rule_name(&delivery.pack, &delivery.rule)),
    }
}

/// Attribute of a delivery: ids of the alerts in which deliveries wait for it.
pub(super) const WAITING: &str = "waiting";

/// A delivery with what only the store needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Without the alert, and as if that had taken over from none.
    pub(super) delivery: Delivery,
    /// Not to be tried before.
    pub(super) at_ms: i64,
    pub(super) leased_ms: i64,
    pub(super) added_ms: i64,
}

impl Row {
    pub(super) fn of(item: &Item) -> Work<Self> {
        let id = delivery_id(item)?;
        let delivery = Delivery {
            known_as: id.alert_id.clone(),
            // Those of people are numbered downwards; items of earlier versions say no more.
            asked: item.number_if_any("asked")?.map_or(id.revision < 0, |asked| asked != 0),
            id,
            action: from_word(item.text("action")?)?,
            state: from_word(item.text("state")?)?,
            pack: item.text("pack")?,
            rule: item.text("rule")?,
            severity: severity_of(item)?,
            attempts: u32::try_from(item.number("attempts")?).unwrap_or(u32::MAX),
            created_ms: item.number("created")?,
            due_ms: item.number("due")?,
            last_error: item.text_if_any("last_error").map(str::to_owned),
            token: item.number("token")?,
            json: Vec::new(),
        };
        let (at_ms, leased_ms) = (item.number_if_any(AT)?.unwrap_or(i64::MAX), item.number("leased")?);
        Ok(Self { delivery, at_ms, leased_ms, added_ms: item.number("added")? })
    }

    /// Deliveries of one alert to one output go in this order: those of the engine by count, then those of people.
    pub(super) fn order(&self) -> (i64, bool, u64) {
        let revision = self.delivery.id.revision;
        (self.added_ms, revision < 0, revision.unsigned_abs())
    }

    /// The alerts in which deliveries wait for this one.
    pub(super) fn waiting(item: &Item) -> Vec<String> {
        match item.get(WAITING) {
            Some(AttributeValue::Ss(ids)) => ids.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        self.delivery.state == DeliveryState::Pending
    }
}

/// Also of an item of the index.
pub(super) fn delivery_id(item: &Item) -> Work<DeliveryId> {
    let alert_id = item.text("pk")?.trim_start_matches("alert#").to_owned();
    Ok(DeliveryId { alert_id, output: item.text("output")?, revision: item.number("revision")? })
}

/// An alert with its content and its deliveries, as they are now.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) alert: Option<StoredAlert>,
    /// As `taken_over` says.
    pub(super) supersedes: Vec<String>,
    /// The only alert that can take it over, if it ever did. It stays when this one stands again.
    pub(super) successor: Option<String>,
    content: Vec<u8>,
    /// Oldest first.
    pub(super) deliveries: Vec<Row>,
    /// Every item of it.
    pub(super) keys: Vec<Key>,
    /// The alert goes by its age alone.
    expires: bool,
}

impl Whole {
    pub(super) async fn read(table: &Table, alert_id: &str) -> Work<Self> {
        let items = table.query(&super::query::Query::under(&Key::alert(alert_id).pk, "")).await?;
        let mut whole = Self::default();
        for item in items {
            let key = Key::of(&item)?;
            match key.sk.as_str() {
                "alert" => {
                    (whole.alert, whole.supersedes) = (Some(alert(&item)?), supersedes(&item)?);
                    whole.successor = item.text_if_any("successor").map(str::to_owned);
                    whole.expires = item.contains_key(TTL);
                }
                "content" => {
                    whole.content = table.body(&item, "content").await?;
                    whole.keys.extend(super::body::parts_of(&item));
                }
                _ => whole.deliveries.push(Row::of(&item)?),
            }
            whole.keys.push(key);
        }
        whole.deliveries.sort_by_key(Row::order);
        Ok(whole)
    }

    /// Changes the status of the alert, if it is to be changed, and with something to deliver keeps the alert from going by
    /// its age alone.
    pub(super) async fn handled(&self, table: &Table, alert_id: &str, handling: &Handling) -> Work<Vec<Write>> {
        let (alert, content) = (Key::alert(alert_id), Key::content(alert_id));
        let stays = self.expires && !handling.outputs.is_empty();
        let change = [handling.status.map(|_| "SET #status = :to"), stays.then_some("REMOVE #ttl")];
        let change = change.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let write = if change.is_empty() { Write::check(alert) } else { Write::update(alert, change) };
        let mut writes = vec![match handling.status {
            Some(StatusChange { from, to }) => {
                write.when("#status = :from").with("from", text(word(from)?)).with("to", text(word(to)?))
            }
            None => write.when_there(),
        }];
        if stays {
            let kept = table.keep(&content, &self.content, None).await?;
            let content = Write::update(content, "SET #content = :content REMOVE #ttl").with("content", kept);
            writes.push(content.when_there());
        }
        Ok(writes)
    }

    pub(super) fn find(&self, id: &DeliveryId) -> Option<&Row> {
        self.deliveries.iter().find(|row| row.delivery.id == *id)
    }

    /// The id that outputs know the alert by.
    pub(super) fn known_as<'a>(&'a self, alert_id: &'a str) -> &'a str {
        crate::store::text::known_as(alert_id, &self.supersedes)
    }

    /// With the alert as it stands.
    pub(super) fn delivery(&self, row: &Row) -> Work<Delivery> {
        let json = match &self.alert {
            Some(alert) => alert_json(alert, row.delivery.action, self.supersedes.clone(), &self.content)?,
            None => Vec::new(),
        };
        let known_as = self.known_as(&row.delivery.id.alert_id).to_owned();
        Ok(Delivery { json, known_as, ..row.delivery.clone() })
    }
}

/// Alerts with their JSON, in the order asked; without those that there are not.
pub(super) async fn alerts<'a>(table: &Table, ids: &'a [String]) -> Work<Vec<StoredAlert>> {
    let keys = ids.iter().flat_map(|id| [Key::alert(id), Key::content(id)]);
    let found = table.get_all(keys).await?;
    let found = &found;
    let read = |id: &'a String| async move {
        let (Some(item), Some(content)) = (found.get(&Key::alert(id)), found.get(&Key::content(id))) else { return Ok(None) };
        let (mut alert, content) = (alert(item)?, table.body(content, "content").await?);
        alert.json = alert_json(&alert, DeliveryAction::Create, supersedes(item)?, &content)?;
        Ok(Some(alert))
    };
    Ok(each(ids, read).await?.into_iter().flatten().collect())
}

/// The word that a state is kept as.
pub(super) fn state_word(state: DeliveryState) -> Work<String> {
    Ok(word(state)?)
}
