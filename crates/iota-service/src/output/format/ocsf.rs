//! OCSF 1.5.0, class Detection Finding (2004) with the profile `cloud`.
//! Tested against the schema that schema.ocsf.io exports for this version (testdata/schemas).

use super::Alert;
use super::json::{of_document, to_string};
use super::text::cut_bytes;
use iota_engine::alert::Severity;
use iota_engine::store::DeliveryAction;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// Most bytes of one text, once a finding had to be made smaller, and smaller again. Ids have 32.
pub(super) const SHORTER: [usize; 3] = [256, 64, 32];

/// The finding, of at most `limit` bytes: too large a one loses `raw_data`, then the ends of its texts.
pub(super) fn render(alert: &Alert<'_>, limit: usize) -> Vec<u8> {
    let mut finding = finding(alert);
    let mut bytes = of_document(&finding);
    if bytes.len() > limit {
        if let Some(finding) = finding.as_object_mut() {
            finding.remove("raw_data");
            finding.remove("raw_data_size");
            finding.insert("status_detail".to_owned(), json!("raw_data was left out: the finding was too large"));
        }
        bytes = of_document(&finding);
    }
    for most in SHORTER {
        if bytes.len() <= limit {
            break;
        }
        shorten(&mut finding, most);
        bytes = of_document(&finding);
    }
    bytes
}

/// Cuts every text to so many bytes, and lists to ten items.
pub(super) fn shorten(value: &mut Value, most: usize) {
    match value {
        Value::String(text) => *text = cut_bytes(text, most),
        Value::Array(items) => {
            items.truncate(10);
            for item in items {
                shorten(item, most);
            }
        }
        Value::Object(members) => members.values_mut().for_each(|value| shorten(value, most)),
        _ => {}
    }
}

fn finding(alert: &Alert<'_>) -> Value {
    let text = |field: &str| Some(alert.text(field).into_owned()).filter(|text| !text.is_empty());
    let activity = match alert.action {
        DeliveryAction::Create => 1,
        DeliveryAction::Update | DeliveryAction::Acknowledge => 2,
        DeliveryAction::Resolve => 3,
    };
    let (status_id, status) = match alert.action {
        DeliveryAction::Create | DeliveryAction::Update => (1, "New"),
        DeliveryAction::Acknowledge => (2, "In Progress"),
        DeliveryAction::Resolve => (4, "Resolved"),
    };
    let (severity_id, severity) = match alert.severity() {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    let labels: Vec<String> = alert.list("tags").iter().map(ToString::to_string).chain(purpose_label(alert)).collect();
    let raw = alert.event().map(to_string);
    let attacks: Vec<Value> = alert.list("attack").iter().filter_map(|entry| attack(entry)).collect();
    without_nulls(json!({
        "activity_id": activity,
        "activity_name": match activity { 1 => "Create", 2 => "Update", _ => "Close" },
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": true,
        "time": alert.time_ms("detected_at").or(alert.time_ms("first_seen")).unwrap_or_default(),
        "start_time": alert.time_ms("first_seen"),
        "end_time": alert.time_ms("last_seen"),
        "count": alert.count(),
        "message": alert.title(),
        "metadata": {
            "version": "1.5.0",
            "profiles": ["cloud"],
            "product": {"name": "iota", "vendor_name": "iota", "version": text("engine_version")},
            "uid": text("alert_id"),
            "event_code": text("rule_id"),
            "log_name": "AWS CloudTrail",
            "log_provider": "AWS",
            "original_time": alert.event_text(&["eventTime"]),
            "labels": labels,
        },
        "finding_info": {
            "uid": alert.known_as,
            "title": alert.title(),
            "desc": text("description"),
            "src_url": text("reference").filter(|url| url.starts_with("https://") || url.starts_with("http://")),
            "created_time": alert.time_ms("detected_at"),
            "first_seen_time": alert.time_ms("first_seen"),
            "last_seen_time": alert.time_ms("last_seen"),
            "related_events_count": alert.count(),
            "analytic": {
                "type_id": 1,
                "type": "Rule",
                "uid": text("rule_id"),
                "name": text("rule_id"),
                "version": text("rule_version"),
                "category": text("pack"),
            },
            "attacks": attacks,
        },
        "remediation": text("runbook").map(|runbook| json!({"desc": runbook})),
        "cloud": {
            "provider": "AWS",
            "account": text("account_id").map(|id| json!({"uid": id, "type_id": 10, "type": "AWS Account"})),
            "region": text("region"),
            "cloud_partition": text("partition"),
        },
        "evidences": [evidence(alert)],
        "resources": resources(alert),
        "raw_data_size": raw.as_ref().map(String::len),
        "raw_data": raw,
        "unmapped": unmapped(alert),
    }))
}

pub(super) fn purpose_label(alert: &Alert<'_>) -> Option<String> {
    match alert.mark().trim() {
        "" => None,
        mark => Some(format!("iota:{}", mark.trim_matches(['[', ']']).to_lowercase())),
    }
}

/// `TA0001:T1078.004`: tactic, technique and sub-technique.
fn attack(entry: &str) -> Option<Value> {
    let (tactic, technique) = entry.split_once(':').unwrap_or((entry, ""));
    let parent = technique.split('.').next().filter(|parent| !parent.is_empty());
    let attack = without_nulls(json!({
        "tactic": Some(tactic).filter(|id| !id.is_empty()).map(|id| json!({"uid": id})),
        "technique": parent.map(|id| json!({"uid": id})),
        "sub_technique": technique.contains('.').then(|| json!({"uid": technique})),
    }));
    attack.as_object().is_some_and(|members| !members.is_empty()).then_some(attack)
}

fn evidence(alert: &Alert<'_>) -> Value {
    let event = |path: &[&str]| alert.event_text(path);
    let source = alert.text("source_ip").into_owned();
    let endpoint = match source.parse::<IpAddr>() {
        Ok(ip) => Some(json!({"ip": ip.to_string()})),
        Err(_) if source.is_empty() => None,
        Err(_) => Some(json!({"name": source})),
    };
    let user = without_nulls(json!({
        "uid": event(&["userIdentity", "principalId"]),
        "uid_alt": event(&["userIdentity", "arn"]),
        "name": Some(alert.text("actor")).filter(|actor| !actor.is_empty()),
        "credential_uid": event(&["userIdentity", "accessKeyId"]),
        "type": event(&["userIdentity", "type"]),
        "type_id": 99,
        "account": event(&["userIdentity", "accountId"]).map(|id| json!({"uid": id})),
    }));
    let named = ["uid", "name", "account"].iter().any(|key| user.get(key).is_some());
    json!({
        "actor": named.then(|| json!({"user": user, "invoked_by": event(&["userIdentity", "invokedBy"])})),
        "api": event(&["eventName"]).map(|operation| json!({
            "operation": operation,
            "service": event(&["eventSource"]).map(|name| json!({"name": name})),
            "request": event(&["requestID"]).map(|uid| json!({"uid": uid})),
            "response": event(&["errorCode"]).map(|error| json!({"error": error, "error_message": event(&["errorMessage"])})),
            "version": event(&["apiVersion"]),
        })),
        "src_endpoint": endpoint,
        "http_request": event(&["userAgent"]).map(|agent| json!({"user_agent": agent})),
        "uid": Some(alert.text("event_id")).filter(|id| !id.is_empty()),
        // Something that evidence must have, should the record have nothing of the above.
        "data": {"rule_id": alert.text("rule_id"), "dedup": alert.text("dedup")},
    })
}

/// The resources that the record lists.
fn resources(alert: &Alert<'_>) -> Option<Vec<Value>> {
    let iota_engine::json::Value::Array(items) = alert.event()?.get("resources")? else { return None };
    let of = |item: &iota_engine::json::Value<'_>| {
        let uid = item.text(&["ARN"])?.to_owned();
        Some(json!({"uid": uid, "type": item.text(&["type"])}))
    };
    Some(items.iter().filter_map(of).collect::<Vec<_>>()).filter(|items| !items.is_empty())
}

/// What OCSF has no place for.
fn unmapped(alert: &Alert<'_>) -> Value {
    json!({
        "iota": {
            "pack": alert.text("pack"),
            "dedup": alert.text("dedup"),
            "context": alert.shown(&["context"]),
            "origin": alert.shown(&["origin"]),
            "late": alert.text("late") == "true",
        }
    })
}

/// Without members that are null or empty objects or lists.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept: Map<String, Value> = members
                .into_iter()
                .map(|(name, value)| (name, without_nulls(value)))
                .filter(|(_, value)| match value {
                    Value::Null => false,
                    Value::Object(members) => !members.is_empty(),
                    Value::Array(items) => !items.is_empty(),
                    _ => true,
                })
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
