//! State of stateful helpers, kept in memory for as long as a run lasts.
//! Interprets the operations of the worker protocol; knows nothing of rules, nor of time: what has expired the worker
//! decides, by the time of the record that asks.

use super::runner::RuleState;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub struct MemoryState {
    entries: BTreeMap<(String, String), Entry>,
}

#[derive(Debug, Default, Clone)]
struct Entry {
    value: Json,
    /// Seconds since the Unix epoch; `None` is never.
    expires_at: Option<i64>,
}

impl MemoryState {
    /// Takes over what is kept elsewhere under a key, as `get` gives it.
    pub fn put(&mut self, kind: &str, key: &str, kept: &Json) {
        let value = kept.get("value").cloned().unwrap_or_default();
        if !value.is_null() {
            let expires_at = kept.get("expires_at").and_then(Json::as_i64);
            self.entries.insert((kind.to_owned(), key.to_owned()), Entry { value, expires_at });
        }
    }
}

impl RuleState for MemoryState {
    fn get(&self, kind: &str, key: &str) -> Json {
        let entry = self.entries.get(&(kind.to_owned(), key.to_owned())).cloned().unwrap_or_default();
        json!({"value": entry.value, "expires_at": entry.expires_at})
    }

    fn apply(&mut self, ops: &[Json]) {
        for op in ops {
            let text = |name: &str| op.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
            let slot = (text("kind"), text("key"));
            let known = self.entries.contains_key(&slot);
            let mut entry = self.entries.get(&slot).cloned().unwrap_or_default();
            let values =
                || op.get("values").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
            match text("op").as_str() {
                "increment" => {
                    let by = op.get("by").and_then(Json::as_i64).unwrap_or(1);
                    entry.value = json!(entry.value.as_i64().unwrap_or(0).saturating_add(by));
                }
                "put" if slot.0 == "string_set" => {
                    entry = Entry { value: json!(values().collect::<BTreeSet<_>>()), expires_at: None }
                }
                "put" => entry = Entry { value: op.get("value").cloned().unwrap_or_default(), expires_at: None },
                "add" => {
                    let mut set = string_set(&entry.value);
                    set.extend(values());
                    entry.value = json!(set);
                }
                "remove" => {
                    let mut set = string_set(&entry.value);
                    for value in values() {
                        set.remove(&value);
                    }
                    entry.value = json!(set);
                }
                "set_ttl" if known => entry.expires_at = op.get("expires_at").and_then(Json::as_i64),
                "reset" => {
                    self.entries.remove(&slot);
                    continue;
                }
                // A lifetime for what is not there, or an operation of another version: nothing that is kept may change.
                _ => continue,
            }
            self.entries.insert(slot, entry);
        }
    }
}

fn string_set(value: &Json) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_operations_in_order() {
        let mut state = MemoryState::default();
        state.apply(&[
            json!({"op": "increment", "kind": "counter", "key": "k", "by": 2}),
            json!({"op": "increment", "kind": "counter", "key": "k", "by": 1}),
            json!({"op": "set_ttl", "kind": "counter", "key": "k", "expires_at": 99}),
            json!({"op": "add", "kind": "string_set", "key": "k", "values": ["b", "a"]}),
            json!({"op": "remove", "kind": "string_set", "key": "k", "values": ["b"]}),
            json!({"op": "put", "kind": "dictionary", "key": "d", "value": {"x": 1}}),
            json!({"op": "reset", "kind": "dictionary", "key": "d"}),
        ]);
        assert_eq!(state.get("counter", "k"), json!({"value": 3, "expires_at": 99}));
        assert_eq!(state.get("string_set", "k"), json!({"value": ["a"], "expires_at": null}));
        assert_eq!(state.get("dictionary", "d"), json!({"value": null, "expires_at": null}));
    }

    #[test]
    fn ends_are_kept_until_they_are_set_anew() {
        let mut state = MemoryState::default();
        let counter = |op: Json| {
            let mut op = op;
            op["kind"] = json!("counter");
            op["key"] = json!("k");
            op
        };
        state.apply(&[counter(json!({"op": "increment", "by": 64})), counter(json!({"op": "set_ttl", "expires_at": 999}))]);
        state.apply(&[counter(json!({"op": "increment", "by": 1}))]);
        assert_eq!(state.get("counter", "k"), json!({"value": 65, "expires_at": 999}));
        state.apply(&[counter(json!({"op": "reset"})), counter(json!({"op": "increment", "by": 1}))]);
        assert_eq!(state.get("counter", "k"), json!({"value": 1, "expires_at": null}));
        state.apply(&[
            counter(json!({"op": "set_ttl", "expires_at": 2000})),
            counter(json!({"op": "set_ttl", "expires_at": null})),
        ]);
        assert_eq!(state.get("counter", "k")["expires_at"], Json::Null, "null is for ever");
        state.apply(&[json!({"op": "set_ttl", "kind": "counter", "key": "other", "expires_at": 2000})]);
        assert_eq!(state.get("counter", "other")["value"], Json::Null);
    }
}
