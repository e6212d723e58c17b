//! Rows of the database as values of the engine, and back.

use super::Work;
use iota_engine::alert::{Action, SCHEMA_VERSION, Severity, Standing};
use iota_engine::event::format_ms;
use iota_engine::store::{Class, Delivery, DeliveryAction, DeliveryId, StoredAlert};
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// An enum of plain words as it is kept: the word that it is in JSON.
pub(super) fn word<T: Serialize>(value: T) -> Work<String> {
    match serde_json::to_value(value)? {
        Json::String(word) => Ok(word),
        other => Ok(other.to_string()),
    }
}

pub(super) fn from_word<T: DeserializeOwned>(word: String) -> Work<T> {
    Ok(serde_json::from_value(Json::String(word))?)
}

fn severity(number: u8) -> Severity {
    Severity::ALL.get(usize::from(number)).copied().unwrap_or(Severity::Critical)
}

/// Columns of `alerts` that `alert` reads.
pub(super) const ALERT: &str =
    "alert_id, class, suppression, pack, rule, dedup, title, severity, account_id, status, superseded_by,
    supersedes, count, first_ms, last_ms, created_ms, routes, content";

pub(super) fn alert(row: &Row<'_>) -> Work<StoredAlert> {
    let class = match row.get::<_, Option<String>>("suppression")? {
        Some(by) => Class::Suppressed(by),
        None => from_word(row.get("class")?)?,
    };
    let mut alert = StoredAlert {
        alert_id: row.get("alert_id")?,
        class,
        pack: row.get("pack")?,
        rule: row.get("rule")?,
        dedup: row.get("dedup")?,
        title: row.get("title")?,
        severity: severity(row.get("severity")?),
        account_id: row.get("account_id")?,
        status: from_word(row.get("status")?)?,
        superseded_by: row.get("superseded_by")?,
        count: row.get::<_, i64>("count")?.cast_unsigned(),
        first_ms: row.get("first_ms")?,
        last_ms: row.get("last_ms")?,
        created_ms: row.get("created_ms")?,
        routes: serde_json::from_str(&row.get::<_, String>("routes")?)?,
        json: Vec::new(),
    };
    let supersedes = serde_json::from_str(&row.get::<_, String>("supersedes")?)?;
    alert.json = json(&alert, Action::Create, supersedes, &row.get::<_, Vec<u8>>("content")?)?;
    Ok(alert)
}

/// An alert as it stands.
fn json(alert: &StoredAlert, action: Action, supersedes: Vec<String>, content: &[u8]) -> Work<Vec<u8>> {
    let standing = Standing {
        schema_version: SCHEMA_VERSION,
        alert_id: alert.alert_id.clone(),
        action,
        supersedes,
        detected_at: format_ms(alert.created_ms),
        count: alert.count,
        first_seen: format_ms(alert.first_ms),
        last_seen: format_ms(alert.last_ms),
        late: alert.class == Class::Late,
        engine_version: env!("CARGO_PKG_VERSION"),
    };
    Ok(standing.to_json(content)?)
}

/// Columns of `deliveries` that `delivery` reads.
pub(super) const DELIVERY: &str =
    "alert_id, output, revision, action, state, attempts, created_ms, due_ms, token, last_error, pack, rule, severity";

/// Without the alert.
pub(super) fn delivery(row: &Row<'_>) -> Work<Delivery> {
    Ok(Delivery {
        id: DeliveryId { alert_id: row.get("alert_id")?, output: row.get("output")?, revision: row.get("revision")? },
        action: from_word(row.get("action")?)?,
        state: from_word(row.get("state")?)?,
        pack: row.get("pack")?,
        rule: row.get("rule")?,
        severity: severity(row.get("severity")?),
        attempts: row.get("attempts")?,
        created_ms: row.get("created_ms")?,
        due_ms: row.get("due_ms")?,
        last_error: row.get("last_error")?,
        token: row.get("token")?,
        json: Vec::new(),
    })
}

/// The alert of a delivery, with the delivery's action. What people did to an alert is an update of it.
pub(super) fn alert_json(row: &Row<'_>, of: DeliveryAction) -> Work<Vec<u8>> {
    let action = if of == DeliveryAction::Create { Action::Create } else { Action::Update };
    let stored = alert(row)?;
    let supersedes = serde_json::from_str(&row.get::<_, String>("supersedes")?)?;
    json(&stored, action, supersedes, &row.get::<_, Vec<u8>>("content")?)
}
