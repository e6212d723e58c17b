//! What iota itself adds to the audit log: what came into force, what was read again, what was hidden, and what was paused.
//! Its times are those of the wall clock, whatever the run takes for the present. Knows stores by their trait only.

mod hit;
mod in_force;
mod reload;
mod sending;

pub use hit::record_hit;
pub(crate) use hit::{HIT, day};
pub use in_force::{InForce, record_in_force};
pub use reload::{Reloaded, record_refused, record_reload};
pub use sending::Sending;

use iota_engine::store::{Actor, AuditEntry, AuditRecord};
use jiff::Timestamp;

/// Who did it, which may be asked of AWS, and is only asked where something is recorded.
pub type Who<'a> = &'a dyn Fn() -> Actor;

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Without a reason, and without what was before and after.
pub fn entry(actor: Actor, action: &str, subject: &str) -> AuditEntry {
    let (at_ms, action, subject) = (now_ms(), action.to_owned(), subject.to_owned());
    AuditEntry { at_ms, actor, action, subject, why: None, before: None, after: None }
}

/// Of the last record; 0 of an empty log.
fn number(log: &[AuditRecord]) -> u64 {
    log.last().map_or(0, |record| record.number)
}
