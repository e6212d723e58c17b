//! What the pipeline asks for and commits. One transaction per unit.

use super::{Sqlite, Work};
use crate::crash_point;
use iota_engine::alert::Origin;
use iota_engine::dedup::Seen;
use iota_engine::digest::digest;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::store::{Checkpoint, Committed, FailedPair, Ledger, ObjectVersion, Reject, Result, Terms, Unit};
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::HashSet;

impl Ledger for Sqlite {
    fn seen(&self, records: &[(Identity, Fingerprint)]) -> Result<Vec<Seen>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT fingerprint FROM seen WHERE identity = ?1")?;
            let mut seen = Vec::with_capacity(records.len());
            for (identity, fingerprint) in records {
                let known: Option<[u8; 4]> = statement.query_row([&identity.0], |row| row.get(0)).optional()?;
                seen.push(match known {
                    None => Seen::First,
                    Some(known) if known == fingerprint.0 => Seen::Duplicate,
                    Some(_) => Seen::Variant,
                });
            }
            Ok(seen)
        })
    }

    fn is_finished(&self, object: &ObjectVersion) -> Result<bool> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM objects WHERE object = ?1 AND version = ?2")?;
            Ok(statement.exists([&object.object, &object.version])?)
        })
    }

    fn checkpoints(&self, prefix: &str) -> Result<Vec<Checkpoint>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT key, value FROM checkpoints WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key")?;
            let found = statement.query_map([prefix], |row| Ok(Checkpoint { key: row.get(0)?, value: row.get(1)? }))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn commit(&self, unit: &Unit) -> Result<Committed> {
        self.write(|transaction| {
            let known = insert_seen(transaction, unit)?;
            crash_point("commit.seen");
            let committed = super::alerts::insert(transaction, unit, &known)?;
            crash_point("commit.alerts");
            super::rule_state::apply(transaction, unit)?;
            crash_point("commit.state");
            insert_rejects(transaction, &unit.rejects)?;
            insert_failed_pairs(transaction, &unit.failed_pairs)?;
            insert_finished(transaction, unit)?;
            insert_checkpoints(transaction, unit)?;
            crash_point("commit.finished");
            Ok(committed)
        })
    }

    fn rule_state(&self, pack: &str, kind: &str, key: &str) -> Result<serde_json::Value> {
        self.read(|connection| super::rule_state::get(connection, pack, kind, key))
    }

    fn retain(&self, now_ms: i64) -> Result<()> {
        self.write(|transaction| super::retain::retain(transaction, now_ms))
    }
}

/// Returns the records that were committed before with the same value: what they matched was counted then, also where
/// a full cell does not know them any more.
fn insert_seen(transaction: &Transaction<'_>, unit: &Unit) -> Work<HashSet<Identity>> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO seen (identity, fingerprint, at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (identity) DO UPDATE SET fingerprint = ?2, at_ms = ?3 WHERE fingerprint <> ?2",
    )?;
    let mut known = HashSet::new();
    for (identity, fingerprint) in &unit.seen {
        if insert.execute(params![identity.0, fingerprint.0, unit.now_ms])? == 0 {
            known.insert(*identity);
        }
    }
    Ok(known)
}

fn insert_rejects(transaction: &Transaction<'_>, rejects: &[Reject]) -> Work<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO rejects (object, version, record, reason, line, offset, bytes, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for Reject { origin, reason, line, offset, bytes, at_ms } in rejects {
        let version = origin.version.as_deref().unwrap_or_default();
        let numbers = (integer(origin.record), integer(*line), integer(*offset));
        insert.execute(params![origin.object, version, numbers.0, reason, numbers.1, numbers.2, bytes, at_ms])?;
    }
    Ok(())
}

/// What the functions of a pair are called with stays as it was the first time, and that it is not run takes no failure away.
fn insert_failed_pairs(transaction: &Transaction<'_>, pairs: &[FailedPair]) -> Work<()> {
    let mut update = transaction.prepare_cached(
        "UPDATE failed_pairs SET failure = coalesce(?5, failure) WHERE pack = ?1 AND rule = ?2 AND function = ?3 AND record = ?4",
    )?;
    let mut insert_raw =
        transaction.prepare_cached("INSERT INTO failed_records (digest, raw) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING")?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO failed_pairs
             (pack, rule, function, record, failure, at_ms, object, version, number, late_before_ms, send_from_ms, raw_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, (SELECT id FROM failed_records WHERE digest = ?12))",
    )?;
    for FailedPair { id: _, pack, rule, function, record, origin, raw, terms, failure, at_ms } in pairs {
        let failure = failure.as_ref().map(serde_json::to_string).transpose()?;
        if update.execute(params![pack, rule, function, record.0, failure])? > 0 {
            continue;
        }
        let digest = digest("iota-failed-record-v1", [&raw[..]]);
        insert_raw.execute(params![digest, &raw[..]])?;
        let (Origin { object, version, record: number }, Terms { late_before_ms, send_from_ms }) = (origin, terms);
        insert.execute(params![
            pack,
            rule,
            function,
            record.0,
            failure,
            at_ms,
            object,
            version,
            integer(*number),
            late_before_ms,
            send_from_ms,
            digest
        ])?;
    }
    Ok(())
}

fn insert_finished(transaction: &Transaction<'_>, unit: &Unit) -> Work<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO objects (object, version, finished_ms, late_before_ms, send_from_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (object, version) DO UPDATE SET finished_ms = ?3, late_before_ms = ?4, send_from_ms = ?5",
    )?;
    for ObjectVersion { object, version } in &unit.finished {
        let Terms { late_before_ms, send_from_ms } = unit.terms;
        insert.execute(params![object, version, unit.now_ms, late_before_ms, send_from_ms])?;
    }
    Ok(())
}

fn insert_checkpoints(transaction: &Transaction<'_>, unit: &Unit) -> Work<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO checkpoints (key, value, changed_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET value = ?2, changed_ms = ?3",
    )?;
    for Checkpoint { key, value } in &unit.checkpoints {
        insert.execute(params![key, value, unit.now_ms])?;
    }
    Ok(())
}

/// SQLite's integers are signed; no count gets that far.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
