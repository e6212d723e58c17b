//! Rows of the database as values of the engine, and back.

use super::Work;
use crate::store::text::{alert_json, class, from_word, severity};
use iota_engine::store::{Delivery, DeliveryAction, DeliveryId, StoredAlert, Terms};
use rusqlite::Row;

/// Columns of `alerts` that `alert` reads.
pub(super) const ALERT: &str =
    "alert_id, class, suppression, pack, rule, dedup, title, severity, account_id, status, superseded_by,
    supersedes, count, first_ms, last_ms, created_ms, detected_ms, routes, content";

pub(super) fn alert(row: &Row<'_>) -> Work<StoredAlert> {
    let mut alert = StoredAlert {
        alert_id: row.get("alert_id")?,
        class: class(row.get("class")?, row.get("suppression")?)?,
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
        detected_ms: row.get::<_, Option<i64>>("detected_ms")?.map_or_else(|| row.get("created_ms"), Ok)?,
        routes: serde_json::from_str(&row.get::<_, String>("routes")?)?,
        json: Vec::new(),
    };
    let supersedes = serde_json::from_str(&row.get::<_, String>("supersedes")?)?;
    alert.json = alert_json(&alert, DeliveryAction::Create, supersedes, &row.get::<_, Vec<u8>>("content")?)?;
    Ok(alert)
}

/// Columns of `deliveries` that `delivery` reads.
pub(super) const DELIVERY: &str =
    "alert_id, output, revision, action, state, asked, attempts, created_ms, due_ms, token, last_error, pack, rule, severity,
    coalesce(known_as, alert_id) AS known_as";

/// Without the alert.
pub(super) fn delivery(row: &Row<'_>) -> Work<Delivery> {
    Ok(Delivery {
        known_as: row.get("known_as")?,
        id: DeliveryId { alert_id: row.get("alert_id")?, output: row.get("output")?, revision: row.get("revision")? },
        action: from_word(row.get("action")?)?,
        state: from_word(row.get("state")?)?,
        pack: row.get("pack")?,
        rule: row.get("rule")?,
        severity: severity(row.get("severity")?),
        asked: row.get("asked")?,
        attempts: row.get("attempts")?,
        created_ms: row.get("created_ms")?,
        due_ms: row.get("due_ms")?,
        last_error: row.get("last_error")?,
        token: row.get("token")?,
        json: Vec::new(),
    })
}

/// The alert of a delivery.
pub(super) fn alert_of(row: &Row<'_>, of: DeliveryAction) -> Work<Vec<u8>> {
    let supersedes = serde_json::from_str(&row.get::<_, String>("supersedes")?)?;
    Ok(alert_json(&alert(row)?, of, supersedes, &row.get::<_, Vec<u8>>("content")?)?)
}

pub(super) fn terms(row: &Row<'_>) -> rusqlite::Result<Terms> {
    Ok(Terms { late_before_ms: row.get("late_before_ms")?, send_from_ms: row.get("send_from_ms")? })
}
