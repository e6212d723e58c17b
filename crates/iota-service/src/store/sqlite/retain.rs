//! Forgets what is older than it has to be kept.

use super::Work;
use iota_engine::store::{Checkpoint, KEEP_ALERTS_MS, KEEP_OBJECTS_MS};
use rusqlite::{Transaction, params};

/// By wall clock: event times of a run over the past are all old. What is still to be delivered, or waits for somebody in
/// the dead letters, stays, and so does its alert.
pub(super) fn retain(transaction: &Transaction<'_>, now_ms: i64) -> Work<()> {
    let kept = now_ms - KEEP_ALERTS_MS;
    transaction.execute("DELETE FROM cells WHERE expires_ms <= ?1", [now_ms])?;
    for statement in [
        "DELETE FROM seen WHERE at_ms < ?1",
        "DELETE FROM rejects WHERE at_ms < ?1",
        "DELETE FROM failed_pairs WHERE at_ms < ?1",
        "DELETE FROM rule_state_applied WHERE at_ms < ?1",
        "DELETE FROM rule_state WHERE changed_ms < ?1 AND expires_at < ?1 / 1000",
        "DELETE FROM alerts WHERE created_ms < ?1 AND NOT EXISTS (SELECT 1 FROM deliveries
             WHERE deliveries.alert_id = alerts.alert_id
             AND (state IN ('pending', 'dead') OR deliveries.created_ms >= ?1))",
        "DELETE FROM deliveries WHERE created_ms < ?1 AND state NOT IN ('pending', 'dead')
             AND NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.alert_id = deliveries.alert_id)",
    ] {
        transaction.execute(statement, [kept])?;
    }
    let kept = now_ms - KEEP_OBJECTS_MS;
    transaction.execute("DELETE FROM objects WHERE finished_ms < ?1", [kept])?;
    transaction.execute(
        "DELETE FROM checkpoints WHERE changed_ms < ?1 AND substr(key, 1, length(?2)) <> ?2",
        params![kept, Checkpoint::BEGIN],
    )?;
    Ok(())
}
