//! The alert: what leaves iota. One JSON object; its schema is docs/alert.schema.json.
//! Knows nothing of how alerts are counted or delivered.

use crate::event::Summary;
use crate::triage::Account;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;
use std::str::FromStr;

/// Version of the alert's JSON. Within a major version fields are only added.
pub const SCHEMA_VERSION: &str = "1.0";

/// Severities, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(text: &str) -> Result<Self, UnknownSeverity> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownSeverity(text.to_owned()))
    }
}

/// A word that is no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a severity (INFO, LOW, MEDIUM, HIGH, CRITICAL)")]
pub struct UnknownSeverity(pub String);

/// Whether an alert is new or has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
}

/// Where the event of an alert came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// File path, `-` for standard input, or `s3://bucket/key`.
    pub object: String,
    /// ETag or version of the object, when it has one.
    pub version: Option<String>,
    /// Ordinal of the record in the object, from 1.
    pub record: u64,
}

/// What is frozen when an alert is created: everything that comes from its first event.
#[derive(Debug, Clone, Serialize)]
pub struct Content {
    pub rule_id: String,
    pub title: String,
    pub severity: Severity,
    pub dedup: String,
    pub event: Box<RawValue>,
    pub pack: String,
    /// SHA-256 over the rule's source, its metadata and the helper modules of its pack; first 12 hex digits.
    pub rule_version: String,
    pub event_time: String,
    /// `event_time` is the time of delivery, because the event's own was missing, unreadable or in the future.
    pub event_time_substituted: bool,
    #[serde(flatten)]
    pub summary: Summary,
    pub context: Option<Box<RawValue>>,
    pub description: Option<String>,
    pub runbook: Option<String>,
    pub reference: Option<String>,
    pub tags: Vec<String>,
    /// `TACTIC:TECHNIQUE` of MITRE ATT&CK.
    pub attack: Vec<String>,
    pub author: Option<String>,
    pub destinations: Option<Vec<String>>,
    pub origin: Origin,
    /// What accounts.yaml says of the account; left out when it does not list it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

impl Content {
    /// Its fields as JSON, without the braces around them: the part of an alert that never changes.
    pub fn to_fields(&self) -> Result<Vec<u8>, serde_json::Error> {
        let json = serde_json::to_vec(self)?;
        Ok(json.get(1..json.len() - 1).unwrap_or_default().to_vec())
    }
}

/// What changes while an alert grows.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    pub schema_version: &'static str,
    pub alert_id: String,
    pub action: Action,
    /// Alerts that this one replaces: a late match moved its start back one window.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<String>,
    pub detected_at: String,
    /// Distinct matches. Exact when written after the end of the input; before, up to max(threshold, 100) per window, above
    /// that at least so many when records came with several values.
    pub count: u64,
    pub first_seen: String,
    pub last_seen: String,
    pub late: bool,
    pub engine_version: &'static str,
}

impl Standing {
    /// The whole alert on one line; `content` comes from `Content::to_fields`.
    pub fn to_json(&self, content: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec(self)?;
        json.pop();
        json.push(b',');
        json.extend_from_slice(content);
        json.push(b'}');
        Ok(json)
    }
}
