//! Outputs against strict fakes on loopback and against real syslog servers.

mod classify;
mod config;
mod fake;
mod formats;
mod forward;
mod local;
mod payloads;
mod proxy;
mod syslog;
mod wiz;

use iota_engine::store::{DeliveryAction, DeliveryId};
use iota_service::output::{Message, Output, Purpose, Surroundings, config as output_config};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

const ALERT: &str = include_str!("alert.json");

/// The sample alert with other values for some fields.
fn message(fields: &Value) -> Message {
    let mut alert: serde_json::Map<String, Value> = serde_json::from_str(ALERT).expect("JSON");
    for (name, value) in fields.as_object().expect("an object") {
        alert.insert(name.clone(), value.clone());
    }
    Message {
        id: DeliveryId { alert_id: alert["alert_id"].as_str().expect("text").to_owned(), output: "out".to_owned(), revision: 0 },
        purpose: Purpose::Alert,
        action: DeliveryAction::Create,
        json: serde_json::to_vec(&alert).expect("JSON"),
        attempt: 1,
    }
}

/// Strings that try to break out of whatever they stand in.
const HOSTILE: &str = "\u{1b}[31m<!channel> *bold* <https://evil.example|click> [link](https://evil.example) <b>x</b> `code` a|b\\c=d\n]\"e\r\u{0}\u{202e}";

/// The sample alert with hostile text wherever an attacker may put some.
fn hostile() -> Message {
    let mut alert: Value = serde_json::from_str(ALERT).expect("JSON");
    for field in ["title", "actor", "source_ip", "region", "dedup", "description", "runbook"] {
        alert[field] = HOSTILE.into();
    }
    alert["event"]["userAgent"] = HOSTILE.into();
    alert["event"]["eventName"] = HOSTILE.into();
    let mut message = message(&serde_json::json!({}));
    // A lone surrogate stands in the record as it is in CloudTrail: as an escape.
    message.json = alert.to_string().replace("stratus", "\\ud800").into_bytes();
    message
}

/// The output `out` of a configuration, with its secrets in a directory.
async fn output(keys: &str, directory: &Path) -> Arc<dyn Output> {
    let yaml = format!("outputs:\n  out: {{{keys}}}\n");
    let outputs = output_config::read(yaml.as_bytes()).unwrap_or_else(|error| panic!("{yaml}: {error:?}"));
    let environment = |_: &str| None;
    let around = Surroundings { environment: &environment, secrets_manager: None, directory };
    outputs["out"].build("out", &around).await.unwrap_or_else(|error| panic!("{yaml}: {error}"))
}
