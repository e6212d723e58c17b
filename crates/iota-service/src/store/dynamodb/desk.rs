//! What people look at and change. Each change is in one transaction with its record in the audit log.

use super::DynamoDb;
use super::alert::{self, NewDelivery, Whole};
use super::item::{Item, Key, Read, number, text};
use super::ledger::terms;
use super::outbox::pending_again;
use super::query::{Query, listed};
use super::table::each;
use super::trouble::Work;
use super::write::{AT_ONCE, Write};
use crate::store::text::{CANARY, word};
use iota_engine::store::{
    AlertFilter, AuditEntry, AuditRecord, ClassFilter, DeadFilter, Delivery, DeliveryId, DeliveryState, Desk, FailedPair,
    Finished, Handling, LeftOut, ObjectVersion, PairFilter, Reject, RejectFilter, Result, StoredAlert,
};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Finished objects that are read at once.
const OBJECTS: usize = if cfg!(test) { 3 } else { 1_000 };

impl Desk for DynamoDb {
    fn alert(&self, alert_id: &str) -> Result<Option<StoredAlert>> {
        self.wait(async { Ok(alert::alerts(&self.table, &[alert_id.to_owned()]).await?.pop()) })
    }

    /// Reads the keys of all alerts: a table finds a partition by its whole key alone.
    fn ids_beginning(&self, with: &str, limit: usize) -> Result<Vec<String>> {
        self.wait(async {
            let mut listed = self.table.list("alert", |ik| Query::listed(ik).backward()).await?;
            listed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
            let ids = listed.iter().map(|(_, item)| Ok(item.text("pk")?.trim_start_matches("alert#").to_owned()));
            let ids = ids.collect::<Work<Vec<String>>>()?;
            Ok(ids.into_iter().filter(|id| id.starts_with(with)).take(limit).collect())
        })
    }

    fn alerts(&self, filter: &AlertFilter) -> Result<Vec<StoredAlert>> {
        self.wait(async {
            let status = filter.status.map(word).transpose()?;
            let query = |ik| of_filter(Query::listed(ik), filter, status.as_ref()).backward().limit(filter.limit);
            let mut listed = self.table.list("alert", query).await?;
            let id = |item: &Item| Ok(item.text("pk")?.trim_start_matches("alert#").to_owned());
            // Those of one instant in the order of their ids.
            listed.sort_by_cached_key(|(at, item)| (std::cmp::Reverse(*at), item.text_if_any("pk").map(str::to_owned)));
            let ids = listed.iter().map(|(_, item)| id(item)).collect::<Work<Vec<_>>>()?;
            alert::alerts(&self.table, &ids).await
        })
    }

    fn handle(&self, alert_id: &str, handling: &Handling, entry: &AuditEntry) -> Result<bool> {
        self.wait(async {
            let changes = || async {
                let whole = Whole::read(&self.table, alert_id).await?;
                let Some(alert) = &whole.alert else { return Ok(None) };
                if handling.status.is_some_and(|status| status.from != alert.status) {
                    return Ok(None);
                }
                let target = |output: &String| super::Target::of(output, &alert.pack, &alert.rule);
                self.note_targets(&handling.outputs.iter().map(target).collect()).await?;
                let mut writes = whole.handled(&self.table, alert_id, handling).await?;
                for output in &handling.outputs {
                    let revisions = whole.deliveries.iter().map(|row| &row.delivery.id).filter(|id| id.output == *output);
                    // Those of people are numbered downwards.
                    let revision = revisions.map(|id| id.revision).min().unwrap_or(0).min(0) - 1;
                    let id = DeliveryId { alert_id: alert_id.to_owned(), output: output.clone(), revision };
                    let (pack, rule, severity) = (alert.pack.as_str(), alert.rule.as_str(), alert.severity);
                    let (action, now_ms) = (handling.action, entry.at_ms);
                    writes.push(NewDelivery { id, action, pack, rule, severity, now_ms, asked: true }.write());
                }
                Ok(Some(writes))
            };
            self.with_record(entry, changes).await
        })
    }

    fn deliveries(&self, alert_id: &str) -> Result<Vec<Delivery>> {
        self.wait(async {
            let whole = Whole::read(&self.table, alert_id).await?;
            let mut rows: Vec<_> = whole.deliveries.iter().collect();
            rows.sort_by_key(|row| (row.delivery.created_ms, row.order()));
            rows.into_iter().map(|row| whole.delivery(row)).collect()
        })
    }

    fn dead(&self, filter: &DeadFilter) -> Result<Vec<Delivery>> {
        self.wait(async {
            let mut ids: BTreeSet<DeliveryId> = BTreeSet::new();
            for output in self.outputs().await?.into_iter().filter(|name| filter.output.as_ref().is_none_or(|only| only == name))
            {
                let query = Query::listed(listed::settled(DeliveryState::Dead, &output, ""));
                for item in self.table.query(&query).await? {
                    ids.insert(alert::delivery_id(&item)?);
                }
            }
            ids.retain(|id| filter.alert_id.as_ref().is_none_or(|only| *only == id.alert_id));
            let read = |id: DeliveryId| async move {
                let whole = Whole::read(&self.table, &id.alert_id).await?;
                let row = whole.find(&id).filter(|row| row.delivery.state == DeliveryState::Dead);
                row.map(|row| whole.delivery(row)).transpose()
            };
            let mut dead: Vec<Delivery> = each(ids, read).await?.into_iter().flatten().collect();
            dead.sort_by(|one, next| (one.created_ms, &one.id).cmp(&(next.created_ms, &next.id)));
            dead.truncate(filter.limit.unwrap_or(usize::MAX));
            Ok(dead)
        })
    }

    fn redrive(&self, ids: &[DeliveryId], entry: &AuditEntry) -> Result<usize> {
        self.wait(async {
            let redriven = self.change_dead(ids, entry, |id| pending_again(id, entry.at_ms)).await?;
            for id in &redriven {
                self.recent.note(id, Some(entry.at_ms));
            }
            Ok(redriven.len())
        })
    }

    fn give_up(&self, ids: &[DeliveryId], entry: &AuditEntry) -> Result<usize> {
        let give_up = |id: &DeliveryId| {
            Write::update(Key::delivery(id), "SET #state = :dropped, #settled = :now, #ik = :ik")
                .when("#state = :dead")
                .with("dropped", text("dropped"))
                .with("dead", text("dead"))
                .with("now", number(entry.at_ms))
                .with("ik", text(listed::settled(DeliveryState::Dropped, &id.output, "")))
        };
        self.wait(async { Ok(self.change_dead(ids, entry, give_up).await?.len()) })
    }

    fn rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>> {
        self.wait(self.list_rejects(filter))
    }

    fn failed_pairs(&self, filter: &PairFilter) -> Result<Vec<FailedPair>> {
        self.wait(self.list_failed_pairs(filter))
    }

    fn left_out(&self) -> Result<Vec<LeftOut>> {
        self.wait(self.count_left_out())
    }

    fn settle_pairs(&self, ids: &[i64]) -> Result<usize> {
        self.wait(self.remove_pairs(ids))
    }

    fn objects_since(&self, since_ms: i64, take: &mut dyn FnMut(Finished)) -> Result<()> {
        self.wait(async {
            let mut from_ms = since_ms;
            loop {
                let first = |ik| Query::listed(ik).between(Some(from_ms), None).limit(Some(OBJECTS));
                let page = self.table.list("object", first).await?;
                // All of an instant come at once: there may be more of the last one than the page has.
                let until_ms = page.last().filter(|_| page.len() == OBJECTS).map(|(last_ms, _)| (*last_ms).max(from_ms + 1));
                let found = self.table.list_whole("object", |ik| Query::listed(ik).between(Some(from_ms), until_ms)).await?;
                let mut finished = Vec::with_capacity(found.len());
                for item in &found {
                    let (object, version) = (self.table.text(item, "object").await?, self.table.text(item, "version").await?);
                    let object = ObjectVersion { object, version };
                    finished.push((item.number(super::item::AT)?, Finished { object, terms: terms(item)? }));
                }
                finished.sort();
                for (_, finished) in finished {
                    take(finished);
                }
                let Some(until_ms) = until_ms else { return Ok(()) };
                from_ms = until_ms;
            }
        })
    }

    fn record(&self, entry: &AuditEntry) -> Result<()> {
        self.wait(async { self.with_record(entry, || async { Ok(Some(Vec::new())) }).await.map(drop) })
    }

    fn record_after(&self, last: u64, entries: &[AuditEntry]) -> Result<bool> {
        self.wait(self.append_after(last, entries))
    }

    fn audit_log(&self, newest: Option<usize>) -> Result<Vec<AuditRecord>> {
        self.wait(self.records(newest))
    }
}

/// By what the index has of an alert.
fn of_filter(mut query: Query, filter: &AlertFilter, status: Option<&String>) -> Query {
    query = query.between(filter.since_ms, None);
    query = match filter.class {
        ClassFilter::Sent => query.and("#class IN (:alert, :late)").with("alert", text("alert")).with("late", text("late")),
        ClassFilter::Signals => query.and("#class = :class").with("class", text("signal")),
        ClassFilter::Suppressed => query.and("#class = :class").with("class", text("suppressed")),
        ClassFilter::All => query,
    };
    query = match &filter.rule {
        Some(rule) => query.and("#rule = :rule").with("rule", text(rule)),
        None => query.and("#rule <> :rule").with("rule", text(CANARY)),
    };
    if let Some(severity) = filter.severity {
        query = query.and("#severity >= :severity").with("severity", number(severity as u8));
    }
    if let Some(status) = status {
        query = query.and("#status = :status").with("status", text(status));
    }
    query
}

impl DynamoDb {
    /// Changes those of the deliveries that are dead, as many at once as a transaction takes, each time with a record: nothing
    /// is changed without one.
    async fn change_dead(
        &self,
        ids: &[DeliveryId],
        entry: &AuditEntry,
        change: impl Fn(&DeliveryId) -> Write,
    ) -> Work<Vec<DeliveryId>> {
        let ids: BTreeSet<&DeliveryId> = ids.iter().collect();
        let (ids, mut changed) = (Vec::from_iter(ids), Vec::new());
        for some in ids.chunks(AT_ONCE - 1) {
            let dead = RefCell::new(Vec::new());
            let writes_now = || async {
                let found = self.table.get_all(some.iter().map(|id| Key::delivery(id))).await?;
                let state = |id: &DeliveryId| found.get(&Key::delivery(id)).and_then(|item| item.text_if_any("state"));
                let now: Vec<DeliveryId> = some.iter().filter(|id| state(id) == Some("dead")).map(|id| (*id).clone()).collect();
                let writes: Vec<Write> = now.iter().map(&change).collect();
                dead.replace(now);
                Ok((!writes.is_empty()).then_some(writes))
            };
            if self.with_record(entry, writes_now).await? {
                changed.extend(dead.into_inner());
            }
        }
        Ok(changed)
    }
}
