//! Elastic Common Schema 8.11. What it has no field for is under `iota`.

use super::Alert;
use super::json::{of_document, to_string};
use super::ocsf::{SHORTER, purpose_label, shorten, without_nulls};
use iota_engine::alert::Severity;
use serde_json::{Value, json};
use std::net::IpAddr;

/// The document, of at most `limit` bytes: too large a one loses `event.original`, then the ends of its texts.
pub(super) fn render(alert: &Alert<'_>, limit: usize) -> Vec<u8> {
    let mut document = document(alert);
    let mut bytes = of_document(&document);
    if bytes.len() > limit {
        if let Some(event) = document.get_mut("event").and_then(Value::as_object_mut) {
            event.remove("original");
        }
        bytes = of_document(&document);
    }
    for most in SHORTER {
        if bytes.len() <= limit {
            break;
        }
        shorten(&mut document, most);
        bytes = of_document(&document);
    }
    bytes
}

fn document(alert: &Alert<'_>) -> Value {
    let text = |field: &str| Some(alert.text(field).into_owned()).filter(|text| !text.is_empty());
    let event = |path: &[&str]| alert.event_text(path);
    let address = text("source_ip");
    let attack: Vec<(String, String)> = alert
        .list("attack")
        .iter()
        .map(|entry| entry.split_once(':').map_or((entry.to_string(), String::new()), |(a, b)| (a.to_owned(), b.to_owned())))
        .collect();
    let technique = |with_sub: bool| -> Vec<String> {
        let of_kind = attack.iter().filter(|(_, id)| !id.is_empty() && id.contains('.') == with_sub);
        of_kind.map(|(_, id)| id.clone()).collect()
    };
    let parents: Vec<String> =
        attack.iter().filter_map(|(_, id)| id.split('.').next().filter(|id| !id.is_empty()).map(str::to_owned)).collect();
    let tags: Vec<String> = alert.list("tags").iter().map(ToString::to_string).chain(purpose_label(alert)).collect();
    without_nulls(json!({
        "@timestamp": text("event_time"),
        "ecs": {"version": "8.11.0"},
        "message": alert.title(),
        "tags": tags,
        "event": {
            "kind": "alert",
            "category": ["intrusion_detection"],
            "type": ["info"],
            "id": alert.known_as,
            "module": "iota",
            "dataset": "iota.alert",
            "severity": match alert.severity() {
                Severity::Info => 0,
                Severity::Low => 21,
                Severity::Medium => 47,
                Severity::High => 73,
                Severity::Critical => 99,
            },
            "action": event(&["eventName"]),
            "provider": event(&["eventSource"]),
            "outcome": if event(&["errorCode"]).is_some() { "failure" } else { "success" },
            "code": event(&["errorCode"]),
            "created": text("detected_at"),
            "start": text("first_seen"),
            "end": text("last_seen"),
            "reference": text("reference"),
            "original": alert.event().map(to_string),
        },
        "rule": {
            "id": text("rule_id"),
            "name": text("rule_id"),
            "version": text("rule_version"),
            "ruleset": text("pack"),
            "description": text("description"),
            "reference": text("reference"),
            "author": text("author").map(|author| vec![author]),
        },
        "threat": (!attack.is_empty()).then(|| json!({
            "framework": "MITRE ATT&CK",
            "tactic": {"id": attack.iter().map(|(tactic, _)| tactic).collect::<Vec<_>>()},
            "technique": {"id": parents, "subtechnique": {"id": technique(true)}},
        })),
        "cloud": {
            "provider": "aws",
            "account": {"id": text("account_id")},
            "region": text("region"),
            "service": {"name": event(&["eventSource"])},
        },
        "user": {"name": text("actor"), "id": event(&["userIdentity", "principalId"])},
        "source": {
            "address": address,
            "ip": address.as_deref().and_then(|address| address.parse::<IpAddr>().ok()).map(|ip| ip.to_string()),
        },
        "user_agent": {"original": event(&["userAgent"])},
        "aws": {"cloudtrail": {
            "event_version": event(&["eventVersion"]),
            "event_type": event(&["eventType"]),
            "request_id": event(&["requestID"]),
            "error_code": event(&["errorCode"]),
            "error_message": event(&["errorMessage"]),
            "user_identity": {
                "type": event(&["userIdentity", "type"]),
                "arn": event(&["userIdentity", "arn"]),
                "access_key_id": event(&["userIdentity", "accessKeyId"]),
            },
        }},
        "iota": {
            "alert_id": text("alert_id"),
            "severity": text("severity"),
            "action": text("action"),
            "event_id": text("event_id"),
            "dedup": text("dedup"),
            "count": alert.count(),
            "late": alert.text("late") == "true",
            "context": alert.shown(&["context"]),
            "runbook": text("runbook"),
            "origin": alert.shown(&["origin"]),
        },
    }))
}
