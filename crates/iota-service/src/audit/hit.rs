//! That a suppression hides something goes to the log once a day.

use super::{entry, number};
use iota_engine::store::{Actor, AuditEntry, Desk, Result};
use serde_json::json;

pub(crate) const HIT: &str = "suppression.hit";
/// As many records are looked at first: the log is never cut, and a day has few.
const NEWEST: usize = 256;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `title` is one that it hid.
pub fn record_hit(desk: &dyn Desk, suppression: &str, title: &str) -> Result<()> {
    let hit = AuditEntry { after: Some(json!({"title": title})), ..entry(Actor::Iota, HIT, suppression) };
    let today = day(hit.at_ms);
    let same = |entry: &AuditEntry| entry.action == HIT && entry.subject == suppression && day(entry.at_ms) == today;
    let mut newest = NEWEST;
    loop {
        let log = desk.audit_log(Some(newest))?;
        if log.iter().any(|record| same(&record.entry)) {
            return Ok(());
        }
        // The newest come last; those of another day need no look.
        if log.len() < newest || log.first().is_none_or(|record| day(record.entry.at_ms) < today) {
            if desk.record_after(number(&log), std::slice::from_ref(&hit))? {
                return Ok(());
            }
        } else {
            newest *= 4;
        }
    }
}

/// Days since 1970, in UTC.
pub(crate) fn day(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}
