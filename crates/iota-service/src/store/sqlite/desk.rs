//! What people look at and change. Each change is in one transaction with its record in the audit log.

use super::outbox::{line_up, with_alert};
use super::row::{ALERT, DELIVERY, alert, delivery, terms};
use super::{Sqlite, Work};
use crate::crash_point;
use crate::store::text::{CANARY, word};
use iota_engine::alert::Origin;
use iota_engine::event::Identity;
use iota_engine::store::{
    AlertFilter, AuditEntry, AuditRecord, ClassFilter, DeadFilter, Delivery, DeliveryAction, DeliveryId, Desk, FailedPair,
    Finished, Handling, LeftOut, ObjectVersion, PairFilter, Reject, RejectFilter, Result, StoredAlert,
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction, params};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

impl Desk for Sqlite {
    fn alert(&self, alert_id: &str) -> Result<Option<StoredAlert>> {
        self.read(|connection| {
            let found = select(connection, &format!("SELECT {ALERT} FROM alerts WHERE alert_id = ?1"), &[&alert_id], alert)?;
            Ok(found.into_iter().next())
        })
    }

    fn ids_beginning(&self, with: &str, limit: usize) -> Result<Vec<String>> {
        self.read(|connection| {
            let sql = "SELECT alert_id FROM alerts WHERE alert_id >= ?1 AND alert_id < ?1 || char(1114111)
                 ORDER BY created_ms DESC, rowid DESC LIMIT ?2";
            select(connection, sql, &[&with, &i64::try_from(limit).unwrap_or(i64::MAX)], |row| Ok(row.get("alert_id")?))
        })
    }

    fn alerts(&self, filter: &AlertFilter) -> Result<Vec<StoredAlert>> {
        let class = match filter.class {
            ClassFilter::Sent => "class IN ('alert', 'late')",
            ClassFilter::Signals => "class = 'signal'",
            ClassFilter::Suppressed => "class = 'suppressed'",
            ClassFilter::All => "true",
        };
        self.read(|connection| {
            let status = filter.status.map(word).transpose()?;
            let severity = filter.severity.map(|severity| severity as u8);
            let sql = format!(
                "SELECT {ALERT} FROM alerts WHERE {class} AND (?1 IS NULL OR rule = ?1) AND (?1 IS NOT NULL OR rule <> '{CANARY}')
                 AND (?2 IS NULL OR severity >= ?2) AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR created_ms >= ?4)
                 ORDER BY created_ms DESC, rowid DESC LIMIT ?5"
            );
            select(connection, &sql, &[&filter.rule, &severity, &status, &filter.since_ms, &limit(filter.limit)], alert)
        })
    }

    fn handle(&self, alert_id: &str, handling: &Handling, entry: &AuditEntry) -> Result<bool> {
        let Handling { status, outputs, action } = handling;
        self.write(|transaction| {
            let (from, to) = (status.map(|status| word(status.from)), status.map(|status| word(status.to)));
            let changed = transaction.execute(
                "UPDATE alerts SET status = coalesce(?3, status) WHERE alert_id = ?1 AND (?2 IS NULL OR status = ?2)",
                params![alert_id, from.transpose()?, to.transpose()?],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            for output in outputs {
                enqueue(transaction, alert_id, output, *action, entry.at_ms)?;
            }
            crash_point("desk.changed");
            append(transaction, entry)?;
            Ok(true)
        })
    }

    fn deliveries(&self, alert_id: &str) -> Result<Vec<Delivery>> {
        self.read(|connection| {
            let sql = format!("SELECT {DELIVERY} FROM deliveries WHERE alert_id = ?1 ORDER BY created_ms, rowid");
            let found = select(connection, &sql, &[&alert_id], delivery)?;
            found.into_iter().map(|delivery| with_alert(connection, delivery)).collect()
        })
    }

    fn dead(&self, filter: &DeadFilter) -> Result<Vec<Delivery>> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {DELIVERY} FROM deliveries WHERE state = 'dead' AND (?1 IS NULL OR output = ?1)
                 AND (?2 IS NULL OR alert_id = ?2) ORDER BY created_ms, rowid LIMIT ?3"
            );
            let found = select(connection, &sql, &[&filter.output, &filter.alert_id, &limit(filter.limit)], delivery)?;
            found.into_iter().map(|delivery| with_alert(connection, delivery)).collect()
        })
    }

    fn redrive(&self, ids: &[DeliveryId], entry: &AuditEntry) -> Result<usize> {
        // A new chance: attempts and age count from now.
        let sql =
            "UPDATE deliveries SET state = 'pending', asked = 1, attempts = 0, created_ms = ?4, due_ms = ?4, settled_ms = NULL
             WHERE alert_id = ?1 AND output = ?2 AND revision = ?3 AND state = 'dead'";
        self.write(|transaction| change_dead(transaction, sql, ids, entry))
    }

    fn give_up(&self, ids: &[DeliveryId], entry: &AuditEntry) -> Result<usize> {
        let sql = "UPDATE deliveries SET state = 'dropped', settled_ms = ?4
             WHERE alert_id = ?1 AND output = ?2 AND revision = ?3 AND state = 'dead'";
        self.write(|transaction| change_dead(transaction, sql, ids, entry))
    }

    fn rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>> {
        self.read(|connection| {
            let sql = "SELECT * FROM rejects WHERE ?1 IS NULL OR at_ms >= ?1 ORDER BY at_ms, rowid LIMIT ?2";
            select(connection, sql, &[&filter.since_ms, &limit(filter.limit)], reject)
        })
    }

    fn failed_pairs(&self, filter: &PairFilter) -> Result<Vec<FailedPair>> {
        self.read(|connection| {
            let sql = "SELECT failed_pairs.*, raw FROM failed_pairs JOIN failed_records ON failed_records.id = raw_id
                 WHERE (?1 IS NULL OR rule = ?1) AND (?2 IS NULL OR at_ms >= ?2) AND failed_pairs.id > ?4
                 AND (?5 IS NULL OR failure IS NULL AND pack NOT IN (SELECT value FROM json_each(?5))
                     AND NOT EXISTS (SELECT 1 FROM json_each(?6) WHERE value ->> 0 = pack AND value ->> 1 = rule))
                 ORDER BY failed_pairs.id LIMIT ?3";
            let except = filter.left_out.as_ref();
            let packs = except.map(|except| serde_json::to_string(&except.packs)).transpose()?;
            let rules = except.map(|except| serde_json::to_string(&except.rules)).transpose()?;
            let (page, mut raws) = (limit(filter.limit), BTreeMap::new());
            select(connection, sql, &[&filter.rule, &filter.since_ms, &page, &filter.after, &packs, &rules], |row| {
                failed_pair(row, &mut raws)
            })
        })
    }

    fn left_out(&self) -> Result<Vec<LeftOut>> {
        self.read(|connection| {
            let sql =
                "SELECT pack, rule, count(*) FROM failed_pairs WHERE failure IS NULL GROUP BY pack, rule ORDER BY pack, rule";
            select(connection, sql, &[], |row| {
                Ok(LeftOut { pack: row.get(0)?, rule: row.get(1)?, calls: row.get::<_, i64>(2)?.cast_unsigned() })
            })
        })
    }

    fn settle_pairs(&self, ids: &[i64]) -> Result<usize> {
        self.write(|transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM failed_pairs WHERE id = ?1")?;
            ids.iter().try_fold(0, |count, id| Ok(count + delete.execute([id])?))
        })
    }

    fn objects_since(&self, since_ms: i64, take: &mut dyn FnMut(Finished)) -> Result<()> {
        self.read(|connection| {
            // The index on the time holds object and version as well, so nothing is sorted.
            let sql = "SELECT object, version, late_before_ms, send_from_ms FROM objects WHERE finished_ms >= ?1
                 ORDER BY finished_ms, object, version";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([since_ms])?;
            while let Some(row) = rows.next()? {
                take(Finished { object: ObjectVersion { object: row.get(0)?, version: row.get(1)? }, terms: terms(row)? });
            }
            Ok(())
        })
    }

    fn record(&self, entry: &AuditEntry) -> Result<()> {
        self.write(|transaction| append(transaction, entry))
    }

    fn record_after(&self, last: u64, entries: &[AuditEntry]) -> Result<bool> {
        self.write(|transaction| {
            let is_last = last_record(transaction)?.0 == last;
            if is_last {
                entries.iter().try_for_each(|entry| append(transaction, entry))?;
            }
            Ok(is_last)
        })
    }

    fn audit_log(&self, newest: Option<usize>) -> Result<Vec<AuditRecord>> {
        self.read(|connection| {
            let sql =
                "SELECT * FROM (SELECT number, entry, previous, hash FROM audit ORDER BY number DESC LIMIT ?1) ORDER BY number";
            select(connection, sql, &[&limit(newest)], audit_record)
        })
    }
}

/// SQLite takes a negative limit for none.
fn limit(limit: Option<usize>) -> i64 {
    limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1)
}

fn select<T>(
    connection: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
    mut read: impl FnMut(&Row<'_>) -> Work<T>,
) -> Work<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn change_dead(transaction: &Transaction<'_>, sql: &str, ids: &[DeliveryId], entry: &AuditEntry) -> Work<usize> {
    let mut change = transaction.prepare_cached(&format!("{sql} RETURNING coalesce(known_as, alert_id)"))?;
    let mut changed = 0;
    for id in ids {
        let key = params![id.alert_id, id.output, id.revision, entry.at_ms];
        if let Some(known_as) = change.query_row(key, |row| row.get::<_, String>(0)).optional()? {
            line_up(transaction, &known_as, &id.output)?;
            changed += 1;
        }
    }
    if changed > 0 {
        append(transaction, entry)?;
    }
    Ok(changed)
}

/// Those of people are numbered downwards.
fn enqueue(transaction: &Transaction<'_>, alert_id: &str, output: &str, action: DeliveryAction, now_ms: i64) -> Work<()> {
    transaction.execute(
        "INSERT INTO deliveries
             (alert_id, output, revision, action, state, created_ms, due_ms, pack, rule, severity, asked, known_as)
         SELECT alert_id, ?2,
             (SELECT min(coalesce(min(revision), 0), 0) - 1 FROM deliveries WHERE alert_id = ?1 AND output = ?2),
             ?3, 'pending', ?4, ?4, pack, rule, severity, 1, supersedes ->> '$[#-1]'
         FROM alerts WHERE alert_id = ?1",
        params![alert_id, output, action.name(), now_ms],
    )?;
    let mut get =
        transaction.prepare_cached("SELECT coalesce(supersedes ->> '$[#-1]', alert_id) FROM alerts WHERE alert_id = ?1")?;
    let known_as: String = get.query_row([alert_id], |row| row.get(0))?;
    line_up(transaction, &known_as, output)
}

/// Number and hash of the last record; 0 and nothing in an empty log.
fn last_record(connection: &Connection) -> Work<(u64, String)> {
    let mut get = connection.prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")?;
    let last = get.query_row([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))).optional()?;
    Ok(last.unwrap_or_default())
}

fn append(transaction: &Transaction<'_>, entry: &AuditEntry) -> Work<()> {
    let (number, hash) = last_record(transaction)?;
    let record = AuditRecord::after((number, &hash), entry.clone());
    let mut insert = transaction.prepare_cached("INSERT INTO audit (number, entry, previous, hash) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![record.number.cast_signed(), record.entry.to_json(), record.previous, record.hash])?;
    Ok(())
}

fn audit_record(row: &Row<'_>) -> Work<AuditRecord> {
    Ok(AuditRecord {
        number: row.get::<_, i64>("number")?.cast_unsigned(),
        entry: serde_json::from_str(&row.get::<_, String>("entry")?)?,
        previous: row.get("previous")?,
        hash: row.get("hash")?,
    })
}

fn reject(row: &Row<'_>) -> Work<Reject> {
    let version = Some(row.get("version")?).filter(|version: &String| !version.is_empty());
    let number = |name: &str| Ok::<_, rusqlite::Error>(row.get::<_, i64>(name)?.cast_unsigned());
    Ok(Reject {
        origin: Origin { object: row.get("object")?, version, record: number("record")? },
        reason: row.get("reason")?,
        line: number("line")?,
        offset: number("offset")?,
        bytes: row.get("bytes")?,
        at_ms: row.get("at_ms")?,
    })
}

/// `raws`: bytes of records that were read, by their id. Many pairs may be of one record.
fn failed_pair(row: &Row<'_>, raws: &mut BTreeMap<i64, Arc<[u8]>>) -> Work<FailedPair> {
    let raw = match raws.entry(row.get("raw_id")?) {
        Entry::Occupied(read) => Arc::clone(read.get()),
        Entry::Vacant(slot) => Arc::clone(slot.insert(row.get("raw")?)),
    };
    let failure: Option<String> = row.get("failure")?;
    let number = row.get::<_, i64>("number")?.cast_unsigned();
    Ok(FailedPair {
        id: row.get("id")?,
        pack: row.get("pack")?,
        rule: row.get("rule")?,
        function: row.get("function")?,
        record: Identity(row.get("record")?),
        origin: Origin { object: row.get("object")?, version: row.get("version")?, record: number },
        raw,
        terms: terms(row)?,
        failure: failure.as_deref().map(serde_json::from_str).transpose()?,
        at_ms: row.get("at_ms")?,
    })
}
