//! What outputs show of an alert, read back from its JSON.
//! Tolerant: an alert that was written by an older or newer iota is still sent.

use iota_engine::alert::Severity;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Fields of docs/alert.schema.json. What is missing is empty.
#[derive(Debug, Deserialize)]
pub(super) struct View<'a> {
    pub(super) alert_id: String,
    pub(super) rule_id: String,
    pub(super) severity: Severity,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) pack: String,
    #[serde(default)]
    pub(super) dedup: String,
    #[serde(default)]
    pub(super) count: u64,
    /// Of the alert's creation; RFC 3339, UTC, milliseconds, as are the others.
    #[serde(default)]
    pub(super) detected_at: String,
    #[serde(default)]
    pub(super) first_seen: String,
    #[serde(default)]
    pub(super) last_seen: String,
    #[serde(default)]
    pub(super) event_time: String,
    pub(super) event_id: Option<String>,
    pub(super) account_id: Option<String>,
    #[serde(default)]
    pub(super) partition: String,
    pub(super) region: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) source_ip: Option<String>,
    pub(super) description: Option<String>,
    pub(super) runbook: Option<String>,
    pub(super) reference: Option<String>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// `TACTIC:TECHNIQUE`.
    #[serde(default)]
    pub(super) attack: Vec<String>,
    #[serde(borrow)]
    pub(super) event: Option<&'a RawValue>,
}

impl<'a> View<'a> {
    /// The error says what is wrong with the JSON.
    pub(super) fn of(json: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|why| format!("the alert cannot be read: {why}"))
    }
}

/// The first `limit` characters; three dots stand for the rest.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(3)).collect();
    short.push_str("...");
    short
}
