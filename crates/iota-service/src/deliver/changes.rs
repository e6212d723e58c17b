//! Suppressions and overrides as the audit log knows them: what changed between two runs is recorded.

use iota_engine::store::{Actor, AuditEntry, AuditRecord, Desk, Result};
use iota_engine::triage::Triage;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Compares with what the log says was in force last, and adds what was added, changed and removed since.
pub fn record_changes(desk: &dyn Desk, triage: &Triage, now_ms: i64) -> Result<()> {
    let log = desk.audit_log(None)?;
    let suppressions = triage.suppressions.iter().map(|suppression| (suppression.id().to_owned(), json(suppression))).collect();
    let overrides = triage.adjustments.iter().map(|(rule, adjustment)| (rule.clone(), json(adjustment))).collect();
    record_kind(desk, "suppression", &log, &suppressions, now_ms)?;
    record_kind(desk, "override", &log, &overrides, now_ms)
}

fn json<T: Serialize>(value: &T) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

fn record_kind(desk: &dyn Desk, kind: &str, log: &[AuditRecord], now: &BTreeMap<String, Json>, now_ms: i64) -> Result<()> {
    let before = last_known(kind, log);
    let subjects: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for subject in subjects {
        let (before, after) = (before.get(subject), now.get(subject));
        let what = match (before, after) {
            (None, Some(_)) => "add",
            (Some(_), None) => "remove",
            (before, after) if before != after => "change",
            _ => continue,
        };
        desk.record(&AuditEntry {
            at_ms: now_ms,
            actor: Actor::Iota,
            action: format!("{kind}.{what}"),
            subject: subject.clone(),
            why: after.and_then(|after| after.get("reason")).and_then(Json::as_str).map(str::to_owned),
            before: before.cloned(),
            after: after.cloned(),
        })?;
    }
    Ok(())
}

/// What was in force after the last record of each subject.
fn last_known(kind: &str, log: &[AuditRecord]) -> BTreeMap<String, Json> {
    let mut known = BTreeMap::new();
    for AuditRecord { entry, .. } in log {
        match (entry.action.strip_prefix(kind), &entry.after) {
            (Some(".add" | ".change"), Some(after)) => {
                known.insert(entry.subject.clone(), after.clone());
            }
            (Some(".remove"), _) => {
                known.remove(&entry.subject);
            }
            _ => {}
        }
    }
    known
}

/// Adds the suppressions that hid something to the log: each once a day. `hits` are their ids, with a title they hid.
pub fn record_hits(desk: &dyn Desk, hits: &BTreeMap<String, String>, now_ms: i64) -> Result<()> {
    if hits.is_empty() {
        return Ok(());
    }
    let day = |ms: i64| ms.div_euclid(24 * 60 * 60 * 1000);
    let log = desk.audit_log(None)?;
    for (id, title) in hits {
        let is_hit = |entry: &AuditEntry| entry.action == HIT && entry.subject == *id && day(entry.at_ms) == day(now_ms);
        if log.iter().any(|record| is_hit(&record.entry)) {
            continue;
        }
        let (action, subject) = (HIT.to_owned(), id.clone());
        let after = Some(serde_json::json!({"title": title}));
        desk.record(&AuditEntry { at_ms: now_ms, actor: Actor::Iota, action, subject, why: None, before: None, after })?;
    }
    Ok(())
}

const HIT: &str = "suppression.hit";
