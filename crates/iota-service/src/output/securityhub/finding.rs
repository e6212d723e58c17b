//! An alert as a finding in the AWS Security Finding Format.
//! Lengths are those of the API reference (AwsSecurityFinding, schema version 2018-10-08).

use crate::output::view::{View, shorten};
use crate::output::{Message, Purpose};
use iota_engine::alert::Severity;
use iota_engine::store::DeliveryAction;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Bytes of a finding (240 KB, API reference).
const FINDING: usize = 240_000;
const TITLE: usize = 256;
const DESCRIPTION: usize = 1024;
const RECOMMENDATION: usize = 512;
/// Characters of the key and the value of a product field; at most 50 of them.
const FIELD: (usize, usize) = (128, 2048);
/// Finding types at most.
const TYPES: usize = 50;

/// As what and where findings are imported.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) arn: String,
    pub(super) account_id: String,
    pub(super) region: String,
}

pub(super) fn partition_of(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

pub(super) fn default_product(region: &str, account: &str) -> String {
    format!("arn:{}:securityhub:{region}:{account}:product/{account}/default", partition_of(region))
}

impl Product {
    /// The account is the one that imports, as the default product demands; the account that the alert is about is in
    /// `Resources` and `ProductFields`.
    pub(super) fn finding(&self, view: &View<'_>, message: &Message, now: Timestamp) -> Vec<u8> {
        let severity = json!({ "Label": label(view.severity), "Original": view.severity.as_str() });
        let types = types(&view.attack);
        let mut finding = json!({
            "SchemaVersion": "2018-10-08",
            "Id": view.alert_id,
            "ProductArn": self.arn,
            "ProductName": "iota",
            "CompanyName": "iota",
            "Region": self.region,
            "GeneratorId": shorten(&format!("{}/{}", view.pack, view.rule_id), 512),
            "AwsAccountId": self.account_id,
            "Types": types,
            "CreatedAt": view.detected_at,
            "UpdatedAt": updated(view, message, now),
            "Severity": severity,
            "FindingProviderFields": { "Severity": severity, "Types": types },
            "Title": shorten(&title(view, message.purpose), TITLE),
            "Description": shorten(description(view), DESCRIPTION),
            "ProductFields": product_fields(view),
            "Resources": [resource(view)],
            "RecordState": if message.action == DeliveryAction::Resolve { "ARCHIVED" } else { "ACTIVE" },
        });
        for (name, time) in [("FirstObservedAt", &view.first_seen), ("LastObservedAt", &view.last_seen)] {
            if !time.is_empty() {
                finding[name] = json!(time);
            }
        }
        if let Some(recommendation) = recommendation(view) {
            finding["Remediation"] = json!({ "Recommendation": recommendation });
        }
        if let Some(action) = action(view) {
            finding["Action"] = action;
        }
        let small = finding.to_string();
        if small.len() <= FINDING {
            return small.into_bytes();
        }
        // Everything above has a limit of its own, so this is far away: 50 fields of four-byte characters.
        finding["ProductFields"] = json!({ "iota/alert_id": view.alert_id });
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

/// Security Hub takes an update only with a later time than the one it has.
fn updated(view: &View<'_>, message: &Message, now: Timestamp) -> String {
    match message.action {
        DeliveryAction::Create => view.detected_at.clone(),
        _ => now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    }
}

fn title(view: &View<'_>, purpose: Purpose) -> String {
    let title = if view.title.trim().is_empty() { &view.rule_id } else { &view.title };
    match purpose {
        Purpose::Alert => title.clone(),
        Purpose::Test => format!("[TEST] {title}"),
        Purpose::Canary => format!("[CANARY] {title}"),
    }
}

fn description<'a>(view: &'a View<'_>) -> &'a str {
    let stated = view.description.as_deref().filter(|text| !text.trim().is_empty());
    stated.or(Some(&view.title)).filter(|text| !text.trim().is_empty()).unwrap_or(&view.rule_id)
}

/// `TTPs/TACTIC/TECHNIQUE`, in the taxonomy of finding types.
fn types(attack: &[String]) -> Vec<String> {
    let mut found: Vec<_> = attack
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
fn product_fields(view: &View<'_>) -> Map<String, Value> {
    let count = view.count.to_string();
    let tags = view.tags.join(", ");
    let facts = [
        ("alert_id", Some(view.alert_id.as_str())),
        ("rule", Some(&view.rule_id)),
        ("pack", Some(&view.pack)),
        ("dedup", Some(&view.dedup)),
        ("count", Some(&count)),
        ("account", view.account_id.as_deref()),
        ("region", view.region.as_deref()),
        ("actor", view.actor.as_deref()),
        ("source_ip", view.source_ip.as_deref()),
        ("event_id", view.event_id.as_deref()),
        ("event_time", Some(&view.event_time)),
        ("tags", Some(&tags)),
    ];
    facts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.filter(|text| !text.trim().is_empty())?)))
        .map(|(name, text)| (shorten(&format!("iota/{name}"), FIELD.0), shorten(text, FIELD.1).into()))
        .collect()
}

/// The account that the alert is about.
fn resource(view: &View<'_>) -> Value {
    let id = view.account_id.as_deref().filter(|id| !id.trim().is_empty());
    let mut resource = match id {
        Some(id) => json!({ "Type": "AwsAccount", "Id": shorten(&format!("AWS::::Account:{id}"), 512) }),
        None => json!({ "Type": "Other", "Id": shorten(&format!("iota:{}", view.alert_id), 512) }),
    };
    // An enumeration; whatever else a record said would be refused.
    if ["aws", "aws-cn", "aws-us-gov"].contains(&view.partition.as_str()) {
        resource["Partition"] = json!(view.partition);
    }
    if let Some(region) = view.region.as_deref().filter(|region| !region.trim().is_empty()) {
        resource["Region"] = json!(shorten(region, 64));
    }
    resource
}

fn recommendation(view: &View<'_>) -> Option<Value> {
    let mut found = Map::new();
    if let Some(text) = view.runbook.as_deref().filter(|text| !text.trim().is_empty()) {
        found.insert("Text".to_owned(), shorten(text, RECOMMENDATION).into());
    }
    if let Some(url) = view.reference.as_deref().filter(|url| url.starts_with("https://") || url.starts_with("http://")) {
        found.insert("Url".to_owned(), url.into());
    }
    (!found.is_empty()).then_some(Value::Object(found))
}

/// The call that the record is of.
fn action(view: &View<'_>) -> Option<Value> {
    let event: Map<String, Value> = serde_json::from_str(view.event?.get()).ok()?;
    let text = |name: &str| event.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let mut call = json!({ "Api": shorten(text("eventName")?, 128) });
    if let Some(service) = text("eventSource") {
        call["ServiceName"] = json!(shorten(service, 128));
    }
    match view.source_ip.as_deref().filter(|from| !from.trim().is_empty()) {
        Some(from) if from.parse::<std::net::Ipv4Addr>().is_ok() => {
            call["CallerType"] = json!("remoteIp");
            call["RemoteIpDetails"] = json!({ "IpAddressV4": from });
        }
        // The name of a service; for an IPv6 address there is no field.
        Some(from) if from.contains('.') => {
            call["CallerType"] = json!("domain");
            call["DomainDetails"] = json!({ "Domain": shorten(from, 128) });
        }
        _ => {}
    }
    Some(json!({ "ActionType": "AWS_API_CALL", "AwsApiCallAction": call }))
}
