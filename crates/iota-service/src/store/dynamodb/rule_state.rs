//! State of stateful helpers: what was committed, and the operations of a unit.
//!
//! The operations of one (record, rule) pair are applied in one transaction with a mark that they were, some pairs at a
//! time. Very many operations of one pair are applied in parts, each with a mark.

use super::alert::if_new;
use super::item::{Item, Key, Read, TTL, item, number, short, text};
use super::table::{Table, is_live, pause, wall_ms};
use super::trouble::{Trouble, Work};
use super::write::Write;
use iota_engine::rule::{MemoryState, RuleState};
use iota_engine::store::{KEEP_ALERTS_MS, Unit};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Operations of one transaction: each changes at most one key, and each part has a mark.
const OPERATIONS: usize = 45;
/// Attempts while others change the same state.
const TRIES: u32 = 12;

fn nothing() -> Json {
    json!({"value": null, "expires_at": null})
}

/// In the JSON of the worker protocol.
pub(super) async fn get(table: &Table, pack: &str, kind: &str, key: &str) -> Work<Json> {
    match table.get(&Key::state(pack, kind, key)).await? {
        Some(item) => value(table, &item).await,
        None => Ok(nothing()),
    }
}

async fn value(table: &Table, item: &Item) -> Work<Json> {
    let value: Json = serde_json::from_slice(&table.body(item, "value").await?)?;
    Ok(json!({"value": value, "expires_at": item.number_if_any("expires_at")?}))
}

/// Operations that are applied together or not at all.
struct Part<'a> {
    pack: &'a str,
    mark: Key,
    operations: &'a [Json],
}

/// Applies what was not applied before, in its order.
pub(super) async fn apply(table: &Table, unit: &Unit) -> Work<()> {
    let parts = unit.rule_state.iter().flat_map(|update| {
        update.ops.chunks(OPERATIONS).enumerate().map(|(part, operations)| Part {
            pack: &update.pack,
            mark: Key::applied(&update.pack, &update.rule, &update.record, part),
            operations,
        })
    });
    let (mut some, mut operations): (Vec<Part<'_>>, usize) = (Vec::new(), 0);
    for part in parts {
        if operations + part.operations.len() > OPERATIONS {
            apply_some(table, &some).await?;
            (some, operations) = (Vec::new(), 0);
        }
        operations += part.operations.len();
        some.push(part);
    }
    apply_some(table, &some).await
}

async fn apply_some(table: &Table, parts: &[Part<'_>]) -> Work<()> {
    for failures in 0..TRIES {
        let marks: BTreeSet<Key> = parts.iter().map(|part| part.mark.clone()).collect();
        let applied = table.get_all(marks).await?;
        let mut now: BTreeMap<&Key, &Part<'_>> = BTreeMap::new();
        // In their order; a pair that is there twice counts once.
        let parts: Vec<&Part<'_>> =
            parts.iter().filter(|part| !applied.contains_key(&part.mark) && now.insert(&part.mark, part).is_none()).collect();
        if parts.is_empty() {
            return Ok(());
        }
        let writes = writes(table, &parts).await?;
        match table.transact(&writes).await {
            Ok(()) => return Ok(()),
            Err(Trouble::Changed) => pause(failures).await,
            Err(error) => return Err(error),
        }
    }
    Err(Trouble::Changed)
}

/// The state under one key.
struct Slot {
    revision: Option<i64>,
    state: MemoryState,
}

async fn writes(table: &Table, parts: &[&Part<'_>]) -> Work<Vec<Write>> {
    let word = |operation: &Json, name: &str| operation.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let slot_of = |part: &Part<'_>, operation: &Json| (part.pack.to_owned(), word(operation, "kind"), word(operation, "key"));
    let operations = || parts.iter().flat_map(|part| part.operations.iter().map(move |operation| (*part, operation)));
    let wanted: BTreeSet<_> = operations().map(|(part, operation)| slot_of(part, operation)).collect();
    let found = table.get_all_with_old(wanted.iter().map(|(pack, kind, key)| Key::state(pack, kind, key))).await?;
    let mut slots: BTreeMap<(String, String, String), Slot> = BTreeMap::new();
    for name in wanted {
        let (pack, kind, key) = &name;
        let (mut state, item) = (MemoryState::default(), found.get(&Key::state(pack, kind, key)));
        if let Some(item) = item.filter(|item| is_live(item)) {
            state.put(kind, key, &value(table, item).await?);
        }
        let revision = item.map(|item| item.number("revision")).transpose()?;
        slots.insert(name, Slot { revision, state });
    }
    for (part, operation) in operations() {
        if let Some(slot) = slots.get_mut(&slot_of(part, operation)) {
            slot.state.apply(std::slice::from_ref(operation));
        }
    }
    let ttl = |ms: i64| (TTL.to_owned(), number((ms + KEEP_ALERTS_MS) / 1000));
    let mut writes: Vec<Write> = Vec::new();
    for part in parts {
        writes.push(if_new(Write::put(part.mark.clone(), Item::from([ttl(wall_ms())]))));
    }
    for ((pack, kind, key), Slot { revision, state }) in slots {
        let (after, name) = (state.get(&kind, &key), Key::state(&pack, &kind, &key));
        let write = if after["value"].is_null() {
            // Left as an item, so that its revision goes on; it is past its time at once.
            let gone = item([("revision", number(revision.unwrap_or(0) + 1)), (TTL, number(wall_ms() / 1000))]);
            Write::put(name, gone)
        } else {
            let expires_at = after["expires_at"].as_i64();
            let until = expires_at.map(|expires_at| ttl(expires_at.saturating_mul(1000).max(wall_ms())));
            let bytes = serde_json::to_vec(&after["value"])?;
            let body_ttl = until.as_ref().and_then(|(_, ttl)| ttl.as_n().ok()?.parse().ok());
            let mut state = item([
                ("pack", text(pack)),
                ("kind", text(kind)),
                ("key", text(short(&key))),
                ("revision", number(revision.unwrap_or(0) + 1)),
                ("value", table.keep(&name, &bytes, body_ttl).await?),
            ]);
            state.extend(expires_at.map(|expires_at| ("expires_at".to_owned(), number(expires_at))));
            state.extend(until);
            Write::put(name, state)
        };
        writes.push(match revision {
            None => write.when_new(),
            Some(revision) => write.when("#revision = :revision").with("revision", number(revision)),
        });
    }
    Ok(writes)
}
