//! The alert that tests of outputs send.

use super::{Message, Purpose};
use iota_engine::store::{DeliveryAction, DeliveryId};

const ALERT: &str = include_str!("../../tests/outputs/alert.json");

/// A real alert of the shipped rules.
pub(crate) fn message() -> Message {
    with(&[])
}

/// The same with other values, given as JSON, for some fields.
pub(crate) fn with(fields: &[(&str, String)]) -> Message {
    let mut alert: serde_json::Map<String, serde_json::Value> = serde_json::from_str(ALERT).expect("JSON");
    for (name, value) in fields {
        alert.insert((*name).to_owned(), serde_json::from_str(value).expect("JSON"));
    }
    Message {
        id: DeliveryId {
            alert_id: alert["alert_id"].as_str().unwrap_or_default().to_owned(),
            output: "out".to_owned(),
            revision: 0,
        },
        purpose: Purpose::Alert,
        action: DeliveryAction::Create,
        json: serde_json::to_vec(&alert).expect("JSON"),
        attempt: 1,
    }
}
