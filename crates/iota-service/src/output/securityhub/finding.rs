//! An alert as a finding in the AWS Security Finding Format.
//! Lengths are those of the API reference (AwsSecurityFinding, schema version 2018-10-08).

use crate::output::format::text::{cut_chars, lines, one_line};
use crate::output::format::{Alert, headline};
use iota_engine::alert::Severity;
use iota_engine::region::partition_of;
use iota_engine::store::DeliveryAction;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Bytes of a finding (240 KB, API reference).
const FINDING: usize = 240_000;
const TITLE: usize = 256;
const DESCRIPTION: usize = 1024;
const RECOMMENDATION: usize = 512;
/// Characters of the value of a product field; at most 50 of them, with keys of 128.
const FIELD: usize = 2048;
/// Finding types at most.
const TYPES: usize = 50;

/// As what and where findings are imported.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) arn: String,
    pub(super) account_id: String,
    pub(super) region: String,
}

pub(super) fn default_product(region: &str, account: &str) -> String {
    format!("arn:{}:securityhub:{region}:{account}:product/{account}/default", partition_of(region))
}

impl Product {
    /// The account is the one that imports, as the default product demands; the account that the alert is about is in
    /// `Resources` and `ProductFields`.
    pub(super) fn finding(&self, alert: &Alert<'_>, now: Timestamp) -> Vec<u8> {
        let severity = json!({ "Label": label(alert.severity()), "Original": alert.severity().as_str() });
        let types = types(alert);
        let mut finding = json!({
            "SchemaVersion": "2018-10-08",
            "Id": alert.known_as,
            "ProductArn": self.arn,
            "ProductName": "iota",
            "CompanyName": "iota",
            "Region": self.region,
            "GeneratorId": cut_chars(&format!("{}/{}", alert.text("pack"), alert.text("rule_id")), 512),
            "AwsAccountId": self.account_id,
            "Types": types,
            "CreatedAt": alert.text("detected_at"),
            "UpdatedAt": updated(alert, now),
            "Severity": severity,
            "FindingProviderFields": { "Severity": severity, "Types": types },
            "Title": cut_chars(&title(alert), TITLE),
            "Description": cut_chars(&lines(&description(alert)), DESCRIPTION),
            "ProductFields": product_fields(alert),
            "Resources": [resource(alert)],
            "RecordState": if alert.action == DeliveryAction::Resolve { "ARCHIVED" } else { "ACTIVE" },
        });
        for (name, field) in [("FirstObservedAt", "first_seen"), ("LastObservedAt", "last_seen")] {
            if let Some(time) = stated(alert, field) {
                finding[name] = json!(time);
            }
        }
        if let Some(recommendation) = recommendation(alert) {
            finding["Remediation"] = json!({ "Recommendation": recommendation });
        }
        if let Some(action) = action(alert) {
            finding["Action"] = action;
        }
        let small = finding.to_string();
        if small.len() <= FINDING {
            return small.into_bytes();
        }
        // Everything above has a limit of its own, so this is far away: 50 fields of four-byte characters.
        finding["ProductFields"] = json!({ "iota/alert_id": alert.text("alert_id") });
        finding.to_string().into_bytes()
    }
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// A field that says something.
fn stated<'v>(alert: &'v Alert<'_>, field: &str) -> Option<Cow<'v, str>> {
    Some(alert.text(field)).filter(|text| !text.trim().is_empty())
}

/// Security Hub takes an update only with a later time than the one it has.
fn updated(alert: &Alert<'_>, now: Timestamp) -> String {
    match alert.action {
        DeliveryAction::Create => alert.text("detected_at").into_owned(),
        _ => now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    }
}

fn title(alert: &Alert<'_>) -> String {
    match stated(alert, "title") {
        Some(_) => headline(alert),
        None => format!("{}{}", alert.mark(), alert.text("rule_id")),
    }
}

fn description<'v>(alert: &'v Alert<'_>) -> Cow<'v, str> {
    let said = ["description", "title"].into_iter().find_map(|field| stated(alert, field));
    said.unwrap_or_else(|| alert.text("rule_id"))
}

/// `TTPs/TACTIC/TECHNIQUE`, in the taxonomy of finding types.
fn types(alert: &Alert<'_>) -> Vec<String> {
    let mut found: Vec<_> = alert
        .list("attack")
        .iter()
        .filter_map(|entry| {
            let (tactic, technique) = entry.split_once(':')?;
            Some(format!("TTPs/{}/{technique}", tactic_name(tactic)?))
        })
        .take(TYPES)
        .collect();
    if found.is_empty() {
        found.push("TTPs".to_owned());
    }
    found
}

/// Tactics of MITRE ATT&CK for Enterprise.
fn tactic_name(id: &str) -> Option<&'static str> {
    Some(match id {
        "TA0043" => "Reconnaissance",
        "TA0042" => "Resource Development",
        "TA0001" => "Initial Access",
        "TA0002" => "Execution",
        "TA0003" => "Persistence",
        "TA0004" => "Privilege Escalation",
        "TA0005" => "Defense Evasion",
        "TA0006" => "Credential Access",
        "TA0007" => "Discovery",
        "TA0008" => "Lateral Movement",
        "TA0009" => "Collection",
        "TA0011" => "Command and Control",
        "TA0010" => "Exfiltration",
        "TA0040" => "Impact",
        _ => return None,
    })
}

/// Facts to search by. The record itself is not sent: `requestParameters` can hold secrets, and Security Hub keeps them.
fn product_fields(alert: &Alert<'_>) -> Map<String, Value> {
    let tags = alert.list("tags").join(", ");
    let fact = |name: &'static str| (name, alert.text(name));
    let facts = [
        fact("alert_id"),
        ("rule", alert.text("rule_id")),
        fact("pack"),
        fact("dedup"),
        fact("count"),
        ("account", alert.text("account_id")),
        fact("region"),
        fact("actor"),
        fact("source_ip"),
        fact("event_id"),
        fact("event_time"),
        ("tags", tags.into()),
    ];
    let facts = facts.into_iter().filter(|(_, text)| !text.trim().is_empty());
    facts.map(|(name, text)| (format!("iota/{name}"), cut_chars(&one_line(&text), FIELD).into())).collect()
}

/// The account that the alert is about.
fn resource(alert: &Alert<'_>) -> Value {
    let mut resource = match stated(alert, "account_id") {
        Some(id) => json!({ "Type": "AwsAccount", "Id": cut_chars(&format!("AWS::::Account:{}", one_line(&id)), 512) }),
        None => json!({ "Type": "Other", "Id": cut_chars(&format!("iota:{}", alert.text("alert_id")), 512) }),
    };
    // An enumeration; whatever else a record said would be refused.
    let partition = alert.text("partition");
    if ["aws", "aws-cn", "aws-us-gov"].contains(&partition.as_ref()) {
        resource["Partition"] = json!(partition);
    }
    let region = alert.text("region");
    let is_region = (1..=16).contains(&region.len()) && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_region {
        resource["Region"] = json!(region);
    }
    resource
}

fn recommendation(alert: &Alert<'_>) -> Option<Value> {
    let mut found = Map::new();
    if let Some(text) = stated(alert, "runbook") {
        found.insert("Text".to_owned(), cut_chars(&lines(&text), RECOMMENDATION).into());
    }
    let reference = alert.text("reference");
    if reference.starts_with("https://") || reference.starts_with("http://") {
        found.insert("Url".to_owned(), reference.into());
    }
    (!found.is_empty()).then_some(Value::Object(found))
}

/// The call that the record is of.
fn action(alert: &Alert<'_>) -> Option<Value> {
    let text = |name: &str| alert.event_text(&[name]).filter(|text| !text.trim().is_empty());
    let mut call = json!({ "Api": cut_chars(&one_line(&text("eventName")?), 128) });
    if let Some(service) = text("eventSource") {
        call["ServiceName"] = json!(cut_chars(&one_line(&service), 128));
    }
    match stated(alert, "source_ip") {
        Some(from) if from.parse::<std::net::Ipv4Addr>().is_ok() => {
            call["CallerType"] = json!("remoteIp");
            call["RemoteIpDetails"] = json!({ "IpAddressV4": from });
        }
        // The name of a service; for an IPv6 address there is no field.
        Some(from) if from.contains('.') => {
            call["CallerType"] = json!("domain");
            call["DomainDetails"] = json!({ "Domain": cut_chars(&one_line(&from), 128) });
        }
        _ => {}
    }
    Some(json!({ "ActionType": "AWS_API_CALL", "AwsApiCallAction": call }))
}
