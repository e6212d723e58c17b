//! Who changed what, when and why. Append-only; each record holds the hash of the one before.

use serde::{Deserialize, Serialize};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// iota itself.
    #[serde(rename = "iota")]
    Iota,
    /// Name of the operating system's user.
    #[serde(rename = "user")]
    User(String),
    /// ARN that STS gives for the caller.
    #[serde(rename = "arn")]
    Arn(String),
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub actor: Actor,
    /// `alert.ack`, `alert.resend`, `alert.resolve`, `alert.close`, `dlq.redrive`, `dlq.drop`, `suppression.add`,
    /// `suppression.change`, `suppression.remove`, `suppression.hit`, `override.change`, `rules.reload`,
    /// `pair.quarantine`, `sandbox.off`, `rerun`.
    pub action: String,
    /// What was changed: an alert id, a suppression's id, a rule id ...
    pub subject: String,
    pub why: Option<String>,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

/// What was recorded. `hash` is the hex SHA-256 over `previous` and the entry's JSON, each behind its length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRecord {
    /// From 1, without gaps.
    pub number: u64,
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// Hash of the record before; empty for the first.
    pub previous: String,
    pub hash: String,
}
