//! State of stateful helpers, kept in memory for as long as a run lasts.
//! Interprets the operations of the worker protocol; knows nothing of rules.

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
    expires_at: Json,
}

impl RuleState for MemoryState {
    fn get(&self, kind: &str, key: &str) -> Json {
        let entry = self.entries.get(&(kind.to_owned(), key.to_owned())).cloned().unwrap_or_default();
        json!({"value": entry.value, "expires_at": entry.expires_at})
    }

    fn apply(&mut self, ops: &[Json]) {
        for op in ops {
            let text = |name: &str| op.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
            let at = (text("kind"), text("key"));
            let entry = self.entries.entry(at.clone()).or_default();
            let values =
                || op.get("values").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
            match text("op").as_str() {
                "increment" => {
                    let by = op.get("by").and_then(Json::as_i64).unwrap_or(1);
                    entry.value = json!(entry.value.as_i64().unwrap_or(0).saturating_add(by));
                }
                "put" if at.0 == "string_set" => entry.value = json!(values().collect::<BTreeSet<_>>()),
                "put" => entry.value = op.get("value").cloned().unwrap_or_default(),
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
                "reset" => {
                    self.entries.remove(&at);
                    continue;
                }
                _ => {}
            }
            if let Some(expires_at) = op.get("expires_at").or_else(|| op.get("ttl")).filter(|value| !value.is_null()) {
                entry.expires_at = expires_at.clone();
            }
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
}
