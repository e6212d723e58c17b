//! The alerts that tests of outputs send; unit tests use them, too.

use super::{DeliveryAction, DeliveryId, Message, Purpose};
use serde_json::{Value, json};

const ALERT: &str = include_str!("alert.json");

/// Text that tries to break out of whatever it stands in.
pub(crate) const HOSTILE: &str = include!("../../../../testdata/hostile.rs");

/// A real alert of the shipped rules.
pub(crate) fn message() -> Message {
    with(&json!({}))
}

/// The same with other values for some fields.
pub(crate) fn with(fields: &Value) -> Message {
    let mut alert: Value = serde_json::from_str(ALERT).expect("JSON");
    for (name, value) in fields.as_object().expect("an object") {
        alert[name] = value.clone();
    }
    let alert_id = alert["alert_id"].as_str().expect("text").to_owned();
    Message {
        known_as: alert_id.clone(),
        id: DeliveryId { alert_id, output: "out".to_owned(), revision: 0 },
        purpose: Purpose::Alert,
        action: DeliveryAction::Create,
        json: serde_json::to_vec(&alert).expect("JSON"),
        attempt: 1,
    }
}

/// The same with hostile text wherever an attacker may put some.
pub(crate) fn hostile() -> Message {
    let mut alert: Value = serde_json::from_str(ALERT).expect("JSON");
    for field in ["title", "actor", "source_ip", "region", "dedup", "description", "runbook", "account_id", "event_id"] {
        alert[field] = HOSTILE.into();
    }
    for field in ["userAgent", "eventName", "eventSource", "errorCode"] {
        alert["event"][field] = HOSTILE.into();
    }
    alert["event"][HOSTILE] = HOSTILE.into();
    alert["context"][HOSTILE] = HOSTILE.into();
    // A lone surrogate stands in the record as it is in CloudTrail: as an escape.
    Message { json: alert.to_string().replace("stratus", "\\ud800").into_bytes(), ..message() }
}
