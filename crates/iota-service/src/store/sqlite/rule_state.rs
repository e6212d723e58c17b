//! State of stateful helpers: what was committed, and the operations of a unit.

use super::Work;
use iota_engine::rule::{MemoryState, RuleState};
use iota_engine::store::{RuleStateUpdate, Unit};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Value as Json, json};

/// In the JSON of the worker protocol.
pub(super) fn get(connection: &Connection, pack: &str, kind: &str, key: &str) -> Work<Json> {
    let mut get =
        connection.prepare_cached("SELECT value, expires_at FROM rule_state WHERE pack = ?1 AND kind = ?2 AND key = ?3")?;
    let row = get.query_row([pack, kind, key], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?))).optional()?;
    let Some((value, expires_at)) = row else { return Ok(json!({"value": null, "expires_at": null})) };
    Ok(json!({"value": serde_json::from_str::<Json>(&value)?, "expires_at": expires_at}))
}

/// Applies what was not applied before.
pub(super) fn apply(transaction: &Transaction<'_>, unit: &Unit) -> Work<()> {
    let mut first = transaction
        .prepare_cached("INSERT OR IGNORE INTO rule_state_applied (pack, rule, record, at_ms) VALUES (?1, ?2, ?3, ?4)")?;
    for RuleStateUpdate { pack, rule, record, ops } in &unit.rule_state {
        if first.execute(params![pack, rule, record.0, unit.now_ms])? == 0 {
            continue;
        }
        for op in ops {
            apply_one(transaction, unit.now_ms, pack, op)?;
        }
    }
    Ok(())
}

fn apply_one(transaction: &Transaction<'_>, now_ms: i64, pack: &str, op: &Json) -> Work<()> {
    let text = |name: &str| op.get(name).and_then(Json::as_str).unwrap_or_default();
    let (kind, key) = (text("kind"), text("key"));
    let mut state = MemoryState::default();
    state.put(kind, key, &get(transaction, pack, kind, key)?);
    state.apply(std::slice::from_ref(op));
    let after = state.get(kind, key);
    if after["value"].is_null() {
        let mut delete = transaction.prepare_cached("DELETE FROM rule_state WHERE pack = ?1 AND kind = ?2 AND key = ?3")?;
        delete.execute([pack, kind, key])?;
        return Ok(());
    }
    let mut put = transaction.prepare_cached(
        "INSERT INTO rule_state (pack, kind, key, value, expires_at, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (pack, kind, key) DO UPDATE SET value = ?4, expires_at = ?5, changed_ms = ?6",
    )?;
    put.execute(params![pack, kind, key, after["value"].to_string(), after["expires_at"].as_i64(), now_ms])?;
    Ok(())
}
