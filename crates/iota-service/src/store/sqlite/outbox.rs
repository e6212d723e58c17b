//! Deliveries: leased, settled, counted.

use super::row::{ALERT, DELIVERY, alert_of, delivery};
use super::{Sqlite, Work};
use crate::store::text::{from_word, word};
use iota_engine::store::{Backlog, Delivery, DeliveryState, Limited, Outbox, Result, Settled};
use rusqlite::{Connection, OptionalExtension, Params, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};

/// When the first of an output's deliveries may be tried.
pub(super) const NEXT_DUE: &str =
    "SELECT next_ms FROM deliveries WHERE output = ?1 AND state = 'pending' AND waits = 0 ORDER BY next_ms LIMIT 1";
/// Those of an output that may be tried by a time, in the order in which they are.
pub(super) const DUE: &str =
    "SELECT rowid FROM deliveries WHERE output = ?1 AND state = 'pending' AND waits = 0 AND next_ms <= ?2
    ORDER BY next_ms, created_ms, rowid LIMIT ?4";
/// The first of an output's that may be tried by a time and are of none of these rules.
pub(super) const OF_ANOTHER: &str =
    "SELECT rowid FROM deliveries WHERE output = ?1 AND state = 'pending' AND waits = 0 AND next_ms <= ?2
    AND pack || '/' || rule NOT IN (SELECT value FROM json_each(?3)) ORDER BY next_ms, created_ms, rowid LIMIT 1";
/// That one, where nobody has it by now.
const STILL_DUE: &str = "SELECT rowid FROM deliveries WHERE rowid = ?1 AND state = 'pending' AND waits = 0 AND next_ms <= ?2";
/// Those of an output that have failed, and not too often to come back at once.
const HASTENED: &str =
    "SELECT rowid FROM deliveries WHERE output = ?1 AND state = 'pending' AND due_ms > min(created_ms, ?2) AND attempts <= ?3";
/// Rows that are changed at once: whoever else writes waits for that long.
const AT_ONCE: usize = 500;
/// How many deliveries of which output are in which state, and since when the oldest of those that are pending waits.
pub(super) const BACKLOG: &str =
    "SELECT output, state, count, CASE WHEN state = 'pending' THEN (SELECT min(created_ms) FROM deliveries
        WHERE deliveries.output = delivery_counts.output AND state = 'pending') END
    FROM delivery_counts WHERE count > 0";
/// Which deliveries that an output knows by one id are behind another one, after one of them has begun or ended to be pending: all
/// but the first. With `OR` SQLite would go through all that are pending for the output instead.
pub(super) const LINE_UP: &str =
    "WITH one AS (SELECT rowid FROM deliveries WHERE alert_id = ?1 AND output = ?2 AND known_as IS NULL
        UNION ALL SELECT rowid FROM deliveries WHERE known_as = ?1 AND output = ?2)
    UPDATE deliveries SET waits = rowid > (SELECT min(rowid) FROM deliveries WHERE rowid IN one AND state = 'pending')
    WHERE rowid IN one AND state = 'pending'";

impl Outbox for Sqlite {
    fn lease(&self, output: &str, now_ms: i64, until_ms: i64, limit: usize) -> Result<Vec<Delivery>> {
        // Mostly there is nothing; that must not take the lock for writing.
        if self.next_due(output)?.is_none_or(|due_ms| due_ms > now_ms) {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write(|transaction| lease(transaction, DUE, params![output, now_ms, until_ms, limit]))
    }

    fn lease_of_another(
        &self,
        output: &str,
        now_ms: i64,
        until_ms: i64,
        than: &BTreeSet<(String, String)>,
    ) -> Result<Option<Delivery>> {
        let than = serde_json::to_string(&than.iter().map(|(pack, rule)| format!("{pack}/{rule}")).collect::<Vec<_>>())
            .expect("a list of texts");
        // It may be behind a million of others; that must not take the lock for writing.
        let found: Option<i64> = self.read(|connection| {
            let mut find = connection.prepare_cached(OF_ANOTHER)?;
            Ok(find.query_row(params![output, now_ms, than], |row| row.get(0)).optional()?)
        })?;
        let Some(rowid) = found else { return Ok(None) };
        let leased = self.write(|transaction| lease(transaction, STILL_DUE, params![rowid, now_ms, until_ms]))?;
        Ok(leased.into_iter().next())
    }

    fn settle(&self, delivery: &Delivery, settled: &Settled, now_ms: i64) -> Result<bool> {
        let state = settled.state();
        let due_ms = if let Settled::Retry { due_ms, .. } = settled { *due_ms } else { delivery.due_ms };
        let settled_ms = (state != DeliveryState::Pending).then_some(now_ms);
        let id = &delivery.id;
        self.write(|transaction| {
            let mut set = transaction.prepare_cached(
                "UPDATE deliveries SET state = ?5, due_ms = ?6, last_error = ?7, attempts = attempts + ?8, settled_ms = ?9, leased_ms = 0
                 WHERE alert_id = ?1 AND output = ?2 AND revision = ?3 AND token = ?4 AND state = 'pending'",
            )?;
            let key = (&id.alert_id, &id.output, id.revision, delivery.token);
            let changed = set.execute(params![
                key.0,
                key.1,
                key.2,
                key.3,
                word(state)?,
                due_ms,
                settled.why(),
                settled.counts(),
                settled_ms
            ])?;
            if changed == 1 && state != DeliveryState::Pending {
                line_up(transaction, &delivery.known_as, &id.output)?;
            }
            Ok(changed == 1)
        })
    }

    fn next_due(&self, output: &str) -> Result<Option<i64>> {
        self.read(|connection| {
            let mut get = connection.prepare_cached(NEXT_DUE)?;
            Ok(get.query_row([output], |row| row.get(0)).optional()?)
        })
    }

    fn backlog(&self) -> Result<Vec<Backlog>> {
        self.read(|connection| {
            let mut get = connection.prepare_cached(BACKLOG)?;
            let mut rows = get.query([])?;
            let mut backlogs: BTreeMap<String, Backlog> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let output: String = row.get(0)?;
                let backlog = backlogs.entry(output.clone()).or_insert_with(|| Backlog { output, ..Backlog::default() });
                let count = row.get::<_, i64>(2)?.cast_unsigned();
                match from_word(row.get(1)?)? {
                    DeliveryState::Pending => {
                        backlog.pending = count;
                        backlog.oldest_pending_ms = row.get(3)?;
                    }
                    DeliveryState::Delivered => backlog.delivered = count,
                    DeliveryState::Limited => backlog.limited = count,
                    DeliveryState::Dead => backlog.dead = count,
                    DeliveryState::Dropped => backlog.dropped = count,
                }
            }
            Ok(backlogs.into_values().collect())
        })
    }

    fn delivered_since(&self, output: &str, pack: &str, rule: &str, since_ms: i64) -> Result<u64> {
        self.read(|connection| {
            let mut get = connection.prepare_cached(
                "SELECT count(*) FROM deliveries WHERE output = ?1 AND pack = ?2 AND rule = ?3 AND state = 'delivered'
                 AND settled_ms >= ?4 AND asked = 0",
            )?;
            Ok(get.query_row(params![output, pack, rule, since_ms], |row| row.get::<_, i64>(0))?.cast_unsigned())
        })
    }

    fn limited_between(&self, from_ms: i64, until_ms: i64) -> Result<Vec<Limited>> {
        self.read(|connection| {
            let mut get = connection.prepare_cached(
                "SELECT output, pack, rule, count(*) FROM deliveries WHERE state = 'limited' AND settled_ms >= ?1 AND settled_ms < ?2
                 GROUP BY output, pack, rule",
            )?;
            let rows = get.query_map([from_ms, until_ms], |row| {
                let count = row.get::<_, i64>(3)?.cast_unsigned();
                Ok(Limited { output: row.get(0)?, pack: row.get(1)?, rule: row.get(2)?, count })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn hasten(&self, output: &str, now_ms: i64, attempts: u32) -> Result<()> {
        let rows: Vec<i64> = self.read(|connection| {
            let mut find = connection.prepare_cached(HASTENED)?;
            let rows = find.query_map(params![output, now_ms, attempts], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        for rows in rows.chunks(AT_ONCE) {
            self.write(|transaction| {
                let mut set = transaction.prepare_cached(
                    "UPDATE deliveries SET due_ms = min(created_ms, ?2) WHERE rowid = ?1 AND state = 'pending'",
                )?;
                rows.iter().try_for_each(|row| set.execute((row, now_ms)).map(drop))?;
                Ok(())
            })?;
        }
        Ok(())
    }

    fn release(&self) -> Result<()> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE deliveries SET leased_ms = 0, token = token + 1 WHERE state = 'pending' AND leased_ms > 0",
                [],
            )?;
            Ok(())
        })
    }
}

/// Leases the deliveries whose rows `which` finds, for as long as its third parameter says.
fn lease(transaction: &Transaction<'_>, which: &str, parameters: impl Params) -> Work<Vec<Delivery>> {
    let mut lease = transaction.prepare_cached(&format!(
        "UPDATE deliveries SET leased_ms = ?3, token = token + 1 WHERE rowid IN ({which}) RETURNING rowid, {DELIVERY}"
    ))?;
    let mut rows = lease.query(parameters)?;
    let mut leased = Vec::new();
    while let Some(row) = rows.next()? {
        leased.push((row.get::<_, i64>("rowid")?, delivery(row)?));
    }
    leased.sort_by_key(|(rowid, delivery)| (delivery.created_ms, *rowid));
    leased.into_iter().map(|(_, delivery)| with_alert(transaction, delivery)).collect()
}

/// Says which of the deliveries that an output knows by one id wait for which.
pub(super) fn line_up(transaction: &Transaction<'_>, known_as: &str, output: &str) -> Work<()> {
    transaction.prepare_cached(LINE_UP)?.execute([known_as, output])?;
    Ok(())
}

/// Adds the alert to a delivery.
pub(super) fn with_alert(connection: &Connection, mut delivery: Delivery) -> Work<Delivery> {
    let mut get = connection.prepare_cached(&format!("SELECT {ALERT} FROM alerts WHERE alert_id = ?1"))?;
    let mut rows = get.query([&delivery.id.alert_id])?;
    if let Some(row) = rows.next()? {
        delivery.json = alert_of(row, delivery.action)?;
    }
    Ok(delivery)
}
