//! What the databases keep as text, and the alert as it leaves them.

use iota_engine::alert::{Action, SCHEMA_VERSION, Severity, Standing};
use iota_engine::event::format_ms;
use iota_engine::store::{Class, DeliveryAction, StoredAlert};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Result, Value as Json};

/// Left out of lists that ask for no rule: it says nothing of what happened.
pub(super) const CANARY: &str = iota_engine::system::CANARY;

/// An enum of plain words as it is kept: the word that it is in JSON.
pub(super) fn word<T: Serialize>(value: T) -> Result<String> {
    match serde_json::to_value(value)? {
        Json::String(word) => Ok(word),
        other => Ok(other.to_string()),
    }
}

pub(super) fn from_word<T: DeserializeOwned>(word: String) -> Result<T> {
    serde_json::from_value(Json::String(word))
}

/// Kept as a number, so that it can be compared.
pub(super) fn severity(number: u8) -> Severity {
    Severity::ALL.get(usize::from(number)).copied().unwrap_or(Severity::Critical)
}

/// The class as it is kept: its name, and which suppression it was.
pub(super) fn class(name: String, suppression: Option<String>) -> Result<Class> {
    suppression.map_or_else(|| from_word(name), |by| Ok(Class::Suppressed(by)))
}

/// What an alert supersedes that takes over `before`, which itself superseded these: that one and, where there is another, the
/// first of those that took over from one another, which is the one that was told as new. It is the last.
pub(super) fn taken_over(before: &str, its: Vec<String>) -> Vec<String> {
    std::iter::once(before.to_owned()).chain(its.into_iter().next_back()).collect()
}

/// The id that outputs know an alert by.
pub(super) fn known_as<'a>(alert_id: &'a str, supersedes: &'a [String]) -> &'a str {
    supersedes.last().map_or(alert_id, String::as_str)
}

/// The alert as it stands, with the action of a delivery. What people did to an alert is an update of it.
pub(super) fn alert_json(alert: &StoredAlert, of: DeliveryAction, supersedes: Vec<String>, content: &[u8]) -> Result<Vec<u8>> {
    let standing = Standing {
        schema_version: SCHEMA_VERSION,
        alert_id: alert.alert_id.clone(),
        action: if of == DeliveryAction::Create { Action::Create } else { Action::Update },
        supersedes,
        detected_at: format_ms(alert.detected_ms),
        count: alert.count,
        first_seen: format_ms(alert.first_ms),
        last_seen: format_ms(alert.last_ms),
        late: alert.class == Class::Late,
        engine_version: env!("CARGO_PKG_VERSION"),
    };
    standing.to_json(content)
}
