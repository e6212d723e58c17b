//! Group and deduplication id of FIFO topics and queues.
//! Both are at most 128 characters, letters, digits and punctuation (SQS and SNS API references).

use super::Message;
use super::format::Alert;
use iota_engine::digest::{digest, hex};

/// Topics and queues whose order is kept end in this.
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

/// One group for each rule: alerts of one rule stay in order, and one rule does not hold up another.
pub(super) fn group_id(alert: &Alert<'_>) -> String {
    hex(&digest("iota-fifo-group-v1", [alert.text("pack").as_bytes(), alert.text("rule_id").as_bytes()]))
}

/// The same for every attempt of a delivery, so that the service drops what it took before.
pub(super) fn deduplication_id(message: &Message) -> String {
    let id = &message.id;
    let revision = id.revision.to_string();
    hex(&digest("iota-delivery-v1", [id.alert_id.as_bytes(), id.output.as_bytes(), revision.as_bytes()]))
}
