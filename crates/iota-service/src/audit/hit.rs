//! That a suppression hides something goes to the log once a day.

use super::entry;
use iota_engine::store::{Actor, AuditEntry, Desk, Result};
use serde_json::json;

const HIT: &str = "suppression.hit";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `title` is one that it hid.
pub fn record_hit(desk: &dyn Desk, suppression: &str, title: &str) -> Result<()> {
    let hit = AuditEntry { after: Some(json!({"title": title})), ..entry(Actor::Iota, HIT, suppression) };
    let today = day(hit.at_ms);
    let same = |entry: &AuditEntry| entry.action == HIT && entry.subject == suppression && day(entry.at_ms) == today;
    // The newest come last; those of another day need no look.
    let log = desk.audit_log(None)?;
    let of_today = log.iter().rev().take_while(|record| day(record.entry.at_ms) >= today);
    if of_today.into_iter().any(|record| same(&record.entry)) { Ok(()) } else { desk.record(&hit) }
}

/// Days since 1970, in UTC.
pub(crate) fn day(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}
