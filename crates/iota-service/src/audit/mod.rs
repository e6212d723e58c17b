//! What iota itself adds to the audit log: what came into force, what was read again, what was hidden, and what was paused.
//! Its times are those of the wall clock, whatever the run takes for the present. Knows stores by their trait only.

mod hit;
mod in_force;
mod reload;

pub(crate) use hit::day;
pub use hit::record_hit;
pub use in_force::{InForce, record_in_force};
pub use reload::{Reloaded, record_reload};

use iota_engine::store::{Actor, AuditEntry};
use jiff::Timestamp;

/// Who did it, which may be asked of AWS, and is only asked where something is recorded.
pub type Who<'a> = &'a dyn Fn() -> Actor;

/// Without a reason, and without what was before and after.
pub fn entry(actor: Actor, action: &str, subject: &str) -> AuditEntry {
    let (at_ms, action, subject) = (Timestamp::now().as_millisecond(), action.to_owned(), subject.to_owned());
    AuditEntry { at_ms, actor, action, subject, why: None, before: None, after: None }
}
