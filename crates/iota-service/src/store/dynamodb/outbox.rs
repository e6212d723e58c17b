//! Deliveries: leased, settled, counted.
//!
//! A pending delivery is in the index under its output, at the time from which it may be tried. A lease moves that time,
//! and changes the token; whoever settles has to have the token.

use super::DynamoDb;
use super::alert::{Row, WAITING, Whole, delivery_id, listed_in, pending, state_word};
use super::item::{AT, Item, Key, Read, number, rule_name, short, text};
use super::query::{Query, listed};
use super::table::{Table, each};
use super::trouble::{Trouble, Work};
use super::write::Write;
use aws_sdk_dynamodb::types::AttributeValue;
use iota_engine::store::{Backlog, Delivery, DeliveryId, DeliveryState, Limited, Outbox, Result, Settled};
use std::collections::{BTreeMap, BTreeSet};

/// Least deliveries that are looked at in one part of the index.
const PAGE: usize = 25;
/// Deliveries that are made due at once: each is a write that is paid for, and what is due later comes in its time.
const HASTENED: usize = 100;

impl Outbox for DynamoDb {
    fn lease(&self, output: &str, now_ms: i64, until_ms: i64, limit: usize) -> Result<Vec<Delivery>> {
        self.wait(self.lease_some(output, (now_ms, until_ms), limit, &BTreeSet::new()))
    }

    fn lease_of_another(
        &self,
        output: &str,
        now_ms: i64,
        until_ms: i64,
        than: &BTreeSet<(String, String)>,
    ) -> Result<Option<Delivery>> {
        let leased = self.wait(self.lease_some(output, (now_ms, until_ms), 1, than))?;
        Ok(leased.into_iter().next())
    }

    fn settle(&self, delivery: &Delivery, settled: &Settled, now_ms: i64) -> Result<bool> {
        self.wait(self.settle_one(delivery, settled, now_ms))
    }

    fn next_due(&self, output: &str) -> Result<Option<i64>> {
        self.wait(async {
            let query = |ik| Query::listed(ik).limit(Some(PAGE));
            let listed = pending_ids(self.table.list(&listed::pending(output), query).await?)?;
            Ok(self.recent.correct(output, listed, i64::MAX).first().map(|(at_ms, _)| *at_ms))
        })
    }

    fn backlog(&self) -> Result<Vec<Backlog>> {
        self.wait(async {
            let mut backlogs: BTreeMap<String, Backlog> = BTreeMap::new();
            for target in self.targets().await? {
                let output = target.output;
                let backlog =
                    backlogs.entry(output.clone()).or_insert_with(|| Backlog { output: output.clone(), ..Backlog::default() });
                let rule = rule_name(&target.pack, &target.rule);
                let delivered = Query::listed(listed::settled(DeliveryState::Delivered, &output, &rule));
                backlog.delivered += self.table.count(&delivered).await?;
            }
            for (output, backlog) in &mut backlogs {
                let count = async |state| self.table.count(&Query::listed(listed::settled(state, output, "again"))).await;
                backlog.delivered += count(DeliveryState::Delivered).await?;
                backlog.limited = count(DeliveryState::Limited).await?;
                backlog.dead = count(DeliveryState::Dead).await?;
                backlog.dropped = count(DeliveryState::Dropped).await?;
                let listed = self.table.list(&listed::pending(output), Query::listed).await?;
                let created = listed.iter().map(|(_, item)| item.number("created")).collect::<Work<Vec<_>>>()?;
                let pending = self.recent.correct(output, pending_ids(listed)?, i64::MAX);
                backlog.pending = pending.len() as u64;
                // What the index does not have yet is the newest.
                let newest = pending.first().map(|(at_ms, _)| *at_ms);
                backlog.oldest_pending_ms = newest.map(|newest| created.into_iter().min().unwrap_or(newest));
            }
            Ok(backlogs.into_values().collect())
        })
    }

    fn delivered_since(&self, output: &str, pack: &str, rule: &str, since_ms: i64) -> Result<u64> {
        let ik = listed::settled(DeliveryState::Delivered, output, &rule_name(pack, rule));
        self.wait(self.table.count(&Query::listed(ik).between(Some(since_ms), None)))
    }

    fn limited_between(&self, from_ms: i64, until_ms: i64) -> Result<Vec<Limited>> {
        self.wait(async {
            let mut all = Vec::new();
            for output in self.outputs().await? {
                all.extend(self.limited(&output, Some(from_ms), Some(until_ms)).await?);
            }
            Ok(all)
        })
    }

    fn hasten(&self, output: &str, now_ms: i64, attempts: u32) -> Result<()> {
        self.wait(async {
            let later = |ik| Query::listed(ik).between(Some(now_ms.saturating_add(1)), None).limit(Some(HASTENED));
            let waiting = pending_ids(self.table.list(&listed::pending(output), later).await?)?;
            // At the time it was created, so that what has waited longest comes first.
            let hasten = |(_, id): (i64, DeliveryId)| async move {
                let change = "SET #due = #created, #at = #created";
                let condition = "#state = :pending AND #leased <= :now AND #created <= :now AND #attempts <= :attempts";
                let write = Write::update(Key::delivery(&id), change).when(condition).with("now", number(now_ms));
                let write = write.with("attempts", number(i64::from(attempts)));
                self.changed(&id, write.with("pending", text("pending"))).await
            };
            each(waiting, hasten).await.map(drop)
        })
    }

    fn release(&self) -> Result<()> {
        self.wait(async {
            for output in self.outputs().await? {
                let waiting = pending_ids(self.table.list(&listed::pending(&output), Query::listed).await?)?;
                let release = |(_, id): (i64, DeliveryId)| async move {
                    let change = "SET #leased = :none, #at = #due ADD #token :one";
                    let write = Write::update(Key::delivery(&id), change).when("#state = :pending AND #leased > :none");
                    let write = write.with("none", number(0)).with("one", number(1));
                    self.changed(&id, write.with("pending", text("pending"))).await
                };
                each(waiting, release).await?;
            }
            Ok(())
        })
    }
}

impl DynamoDb {
    /// Changes a delivery that is pending, if it still is.
    async fn changed(&self, id: &DeliveryId, write: Write) -> Work<bool> {
        match self.table.update(&write).await {
            Ok(item) => {
                self.recent.note(id, item.number_if_any(AT)?);
                Ok(true)
            }
            Err(Trouble::Changed) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Of other rules than these.
    async fn lease_some(
        &self,
        output: &str,
        (now_ms, until_ms): (i64, i64),
        limit: usize,
        than: &BTreeSet<(String, String)>,
    ) -> Work<Vec<Delivery>> {
        let mut leased: Vec<Delivery> = Vec::new();
        let mut pages = Pages::new(output, now_ms, limit);
        let quiet = self.recent.is_quiet(output);
        if quiet {
            pages.skip();
        }
        while leased.len() < limit {
            let Some(mut listed) = pages.next(&self.table).await? else { break };
            if !quiet && pages.is_at_end() && listed.is_empty() && than.is_empty() {
                self.recent.found_nothing(output);
            }
            if !than.is_empty() {
                // Reading an alert to find that out costs more.
                let is_of = |item: &Item| Ok::<_, Trouble>(than.contains(&(item.text("pack")?, item.text("rule")?)));
                listed.retain(|(_, item)| !is_of(item).unwrap_or(false));
            }
            let listed = self.recent.correct(output, pending_ids(listed)?, now_ms);
            let mut left = listed.into_iter();
            while leased.len() < limit {
                let some: Vec<_> = left.by_ref().take(limit - leased.len()).collect();
                if some.is_empty() {
                    break;
                }
                let lease = |(_, id): (i64, DeliveryId)| async move { self.lease_one(&id, (now_ms, until_ms), than).await };
                leased.extend(each(some, lease).await?.into_iter().flatten());
            }
        }
        leased.sort_by(|one, next| (one.created_ms, &one.id).cmp(&(next.created_ms, &next.id)));
        Ok(leased)
    }

    /// Leases a delivery, if it still may be tried and is not behind an earlier one of the same alert to the same output,
    /// which would tell of an update or a resolution before the alert.
    async fn lease_one(
        &self,
        id: &DeliveryId,
        (now_ms, until_ms): (i64, i64),
        than: &BTreeSet<(String, String)>,
    ) -> Work<Option<Delivery>> {
        let whole = Whole::read(&self.table, &id.alert_id).await?;
        let row = whole.find(id);
        self.recent.note(id, row.filter(|row| row.is_pending()).map(|row| row.at_ms));
        let is_due = |row: &&Row| row.is_pending() && row.at_ms <= now_ms;
        let is_of_another = |row: &&Row| !than.contains(&(row.delivery.pack.clone(), row.delivery.rule.clone()));
        let Some(row) = row.filter(is_due).filter(is_of_another) else { return Ok(None) };
        if let Some(earlier) = self.earlier(&whole, row).await? {
            if earlier.at_ms > now_ms {
                self.put_behind(id, &earlier).await?;
            }
            return Ok(None);
        }
        let lease = Write::update(Key::delivery(id), "SET #leased = :until, #at = :until ADD #token :one")
            .when("#state = :pending AND #token = :token AND #at = :at")
            .with("until", number(until_ms))
            .with("one", number(1))
            .with("pending", text("pending"))
            .with("token", number(row.delivery.token))
            .with("at", number(row.at_ms));
        if !self.changed(id, lease).await? {
            return Ok(None);
        }
        Ok(Some(Delivery { token: row.delivery.token + 1, ..whole.delivery(row)? }))
    }

    /// A pending delivery to the same output that goes before this one: of the same alert, or of one that outputs know by the same id,
    /// because it took over the other or the other took it over.
    async fn earlier(&self, of: &Whole, row: &Row) -> Work<Option<Row>> {
        let alert_id = row.delivery.id.alert_id.as_str();
        let is_pending = |other: &&Row| other.is_pending() && other.delivery.id.output == row.delivery.id.output;
        if let Some(own) = of.deliveries.iter().filter(is_pending).find(|other| other.order() < row.order()) {
            return Ok(Some(own.clone()));
        }
        let known_as = of.known_as(alert_id);
        // Counts of two alerts say nothing of their order. Of what was added at once, that of the alert that was taken over goes first.
        for (is_before, last_ms) in [(true, row.added_ms), (false, row.added_ms - 1)] {
            let beside = |of: &Whole| if is_before { of.supersedes.first().cloned() } else { of.successor.clone() };
            let mut next = beside(of);
            while let Some(alert_id) = next {
                let whole = Whole::read(&self.table, &alert_id).await?;
                if whole.known_as(&alert_id) != known_as {
                    break;
                }
                if let Some(other) = whole.deliveries.iter().filter(is_pending).find(|other| other.added_ms <= last_ms) {
                    return Ok(Some(other.clone()));
                }
                next = beside(&whole);
            }
        }
        Ok(None)
    }

    /// A delivery that has to wait for an earlier one is not looked at before that can be tried. When the earlier one is
    /// done sooner, whoever settles it sees to the later one.
    async fn put_behind(&self, id: &DeliveryId, earlier: &Row) -> Work<()> {
        let blocks = Write::update(Key::delivery(&earlier.delivery.id), format!("ADD #{WAITING} :alert"))
            .when("#state = :pending AND #at = :at")
            .with("alert", AttributeValue::Ss(vec![id.alert_id.clone()]))
            .with("pending", text("pending"))
            .with("at", number(earlier.at_ms));
        match self.table.write(&blocks).await {
            Ok(()) => {}
            Err(Trouble::Changed) => return Ok(()),
            Err(error) => return Err(error),
        }
        let wait = Write::update(Key::delivery(id), "SET #at = :at").when("#state = :pending AND #at < :at AND #leased < :at");
        let wait = wait.with("at", number(earlier.at_ms)).with("pending", text("pending"));
        self.changed(id, wait).await.map(drop)
    }

    async fn settle_one(&self, delivery: &Delivery, settled: &Settled, now_ms: i64) -> Work<bool> {
        let (state, id) = (settled.state(), &delivery.id);
        let mut change =
            "SET #state = :state, #attempts = #attempts + :attempts, #leased = :none, #ik = :ik, #at = :at".to_owned();
        let mut values = vec![
            ("state", text(state_word(state)?)),
            ("attempts", number(i64::from(settled.counts()))),
            ("none", number(0)),
            ("ik", text(listed_in(state, delivery))),
            ("at", number(listed_at(settled, delivery, now_ms))),
            ("pending", text("pending")),
            ("token", number(delivery.token)),
        ];
        if let Settled::Retry { due_ms, .. } = settled {
            change.push_str(", #due = :due");
            values.push(("due", number(*due_ms)));
        } else {
            change.push_str(", #settled = :settled");
            values.push(("settled", number(now_ms)));
        }
        match settled.why() {
            Some(why) => {
                change.push_str(", #last_error = :why");
                values.push(("why", text(short(why))));
            }
            None => change.push_str(" REMOVE #last_error"),
        }
        let write = Write::update(Key::delivery(id), change).when("#state = :pending AND #token = :token AND #leased > :none");
        let write = values.into_iter().fold(write, |write, (name, value)| write.with(name, value));
        let after = match self.table.update(&write).await {
            Ok(after) => after,
            Err(Trouble::Changed) => match self.settled_before(delivery, state).await? {
                Some(after) => after,
                None => return Ok(false),
            },
            Err(error) => return Err(error),
        };
        let at_ms = if state == DeliveryState::Pending { after.number_if_any(AT)? } else { None };
        self.recent.note(id, at_ms);
        for alert_id in Row::waiting(&after) {
            self.move_later(id, &alert_id, at_ms).await?;
        }
        Ok(true)
    }

    /// The delivery, if it was settled so with this token: by an attempt whose answer was lost.
    async fn settled_before(&self, delivery: &Delivery, state: DeliveryState) -> Work<Option<Item>> {
        let Some(item) = self.table.get(&Key::delivery(&delivery.id)).await? else { return Ok(None) };
        let is = Row::of(&item)?;
        let same = is.delivery.token == delivery.token && is.delivery.state == state && is.leased_ms == 0;
        Ok(same.then_some(item))
    }

    /// Deliveries of an alert that wait for this one: until then, or, when it is done, until they are due.
    async fn move_later(&self, id: &DeliveryId, alert_id: &str, until_ms: Option<i64>) -> Work<()> {
        let whole = Whole::read(&self.table, alert_id).await?;
        let done = whole.find(id);
        let is_later = |row: &Row| done.is_none_or(|done| row.order() > done.order());
        let waits = |row: &&Row| row.is_pending() && row.delivery.id.output == id.output && is_later(row);
        for row in whole.deliveries.iter().filter(waits) {
            let at_ms = row.delivery.due_ms.max(until_ms.unwrap_or(i64::MIN));
            // Not one that is leased: it is listed at the end of the lease.
            let write = Write::update(Key::delivery(&row.delivery.id), "SET #at = :then")
                .when("#state = :pending AND #at = :at AND #leased < :at")
                .with("then", number(at_ms))
                .with("pending", text("pending"))
                .with("at", number(row.at_ms));
            self.changed(&row.delivery.id, write).await?;
        }
        Ok(())
    }

    async fn limited(&self, output: &str, from: Option<i64>, until: Option<i64>) -> Work<Vec<Limited>> {
        let query = Query::listed(listed::settled(DeliveryState::Limited, output, "")).between(from, until);
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for item in self.table.query(&query).await? {
            *counts.entry((item.text("pack")?, item.text("rule")?)).or_default() += 1;
        }
        let limited = |((pack, rule), count)| Limited { output: output.to_owned(), pack, rule, count };
        Ok(counts.into_iter().map(limited).collect())
    }
}

fn pending_ids(listed: Vec<(i64, Item)>) -> Work<Vec<(i64, DeliveryId)>> {
    listed.into_iter().map(|(at_ms, item)| Ok((at_ms, delivery_id(&item)?))).collect()
}

/// The time that a delivery is listed at.
fn listed_at(settled: &Settled, delivery: &Delivery, now_ms: i64) -> i64 {
    match settled {
        Settled::Retry { due_ms, .. } => *due_ms,
        Settled::Delivered | Settled::Limited => now_ms,
        Settled::Dead { .. } => delivery.created_ms,
    }
}

/// Pending deliveries that are due, some of each part of the index at a time.
struct Pages {
    /// With where each goes on; `None` at its end.
    parts: Vec<(Query, Option<Item>)>,
    first: bool,
}

impl Pages {
    fn new(output: &str, now_ms: i64, limit: usize) -> Self {
        let query = |ik| Query::listed(ik).between(None, Some(now_ms.saturating_add(1))).limit(Some(limit.max(PAGE)));
        Self { parts: listed::shards(&listed::pending(output)).map(|ik| (query(ik), None)).collect(), first: true }
    }

    /// Asks nothing: there is one page, which is empty.
    fn skip(&mut self) {
        self.parts.clear();
    }

    fn is_at_end(&self) -> bool {
        !self.first && self.parts.iter().all(|(_, from)| from.is_none())
    }

    /// Oldest first. `None` when there are no more.
    async fn next(&mut self, table: &Table) -> Work<Option<Vec<(i64, Item)>>> {
        if self.is_at_end() {
            return Ok(None);
        }
        let first = std::mem::take(&mut self.first);
        let asked = std::mem::take(&mut self.parts).into_iter().filter(|(_, from)| first || from.is_some());
        let page = |(query, from): (Query, Option<Item>)| async move {
            let (items, next) = table.page(&query, from).await?;
            Ok((items, (query, next)))
        };
        let mut found = Vec::new();
        for (items, part) in each(asked, page).await? {
            found.extend(items.into_iter().map(|item| Ok((item.number(AT)?, item))).collect::<Work<Vec<_>>>()?);
            self.parts.push(part);
        }
        found.sort_by_key(|(at_ms, _)| *at_ms);
        Ok(Some(found))
    }
}

/// Where a delivery is listed that is pending again.
pub(super) fn pending_again(id: &DeliveryId, now_ms: i64) -> Write {
    // A new chance: attempts and age count from now.
    let change = "SET #state = :pending, #asked = :yes, #attempts = :none, #leased = :none, #created = :now, #due = :now, #ik = :ik, #at = :now \
                  REMOVE #settled, #waiting";
    Write::update(Key::delivery(id), change)
        .when("#state = :dead")
        .with("pending", text("pending"))
        .with("dead", text("dead"))
        .with("none", number(0))
        .with("yes", number(1))
        .with("now", number(now_ms))
        .with("ik", text(pending(id)))
}
