//! State of stateful helpers during a run that keeps it: what was committed before, under what this run has changed.
//! Grows with the number of keys that rules use in one run; what a run has left is forgotten by the next.

use super::durable::Durable;
use super::persist::persist;
use iota_engine::rule::{MemoryState, RuleState};
use iota_engine::store::{Ledger, StoreError};
use iota_python::Stop;
use serde_json::Value as Json;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The rules of a pack are evaluated ahead of the commit, so they must see what is not committed yet.
#[derive(Debug)]
pub(super) struct CommittedState {
    ledger: Arc<dyn Ledger>,
    pack: String,
    stop: Arc<Stop>,
    read: RefCell<Read>,
    /// Number of the run that is under way. All of those before it was committed.
    runs: Arc<AtomicU64>,
    /// Set when state could not be read: what was evaluated since must not be committed.
    failure: Arc<OnceLock<StoreError>>,
}

#[derive(Debug, Default)]
struct Read {
    state: MemoryState,
    /// Kinds and keys that were read from the store; `state` is ahead of it from then on.
    known: BTreeSet<(String, String)>,
    /// Number of the run that this is of.
    run: u64,
}

impl CommittedState {
    pub(super) fn new(durable: &Durable, pack: String, stop: Arc<Stop>) -> Self {
        let Durable { ledger, runs, failure, .. } = durable.clone();
        Self { ledger, pack, stop, read: RefCell::default(), runs, failure }
    }

    fn load(&self, kind: &str, key: &str) {
        let slot = (kind.to_owned(), key.to_owned());
        let mut read = self.read.borrow_mut();
        let run = self.runs.load(Ordering::Acquire);
        if read.run != run {
            *read = Read { run, ..Read::default() };
        }
        if read.known.contains(&slot) {
            return;
        }
        match persist(&self.stop, || self.ledger.rule_state(&self.pack, kind, key)) {
            Ok(kept) => {
                read.state.put(kind, key, &kept);
                read.known.insert(slot);
            }
            Err(error) => {
                let _ = self.failure.set(error);
            }
        }
    }
}

impl RuleState for CommittedState {
    fn get(&self, kind: &str, key: &str) -> Json {
        self.load(kind, key);
        self.read.borrow().state.get(kind, key)
    }

    fn apply(&mut self, ops: &[Json]) {
        for op in ops {
            let text = |name: &str| op.get(name).and_then(Json::as_str).unwrap_or_default();
            self.load(text("kind"), text("key"));
        }
        self.read.get_mut().state.apply(ops);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;
    use iota_engine::event::Identity;
    use iota_engine::store::{RuleStateUpdate, Unit};
    use serde_json::json;

    #[test]
    fn what_was_committed_is_seen_under_what_was_not() {
        let increment = |by: i64| json!({"op": "increment", "kind": "counter", "key": "k", "by": by});
        let update = |n: u8, by: i64| {
            let ops = vec![increment(by)];
            RuleStateUpdate { pack: "p".to_owned(), rule: "r".to_owned(), record: Identity([n; 16]), ops }
        };
        let store = Arc::new(Sqlite::memory().unwrap());
        store.commit(&Unit { rule_state: vec![update(1, 5)], ..Unit::default() }).unwrap();
        let ledger: Arc<dyn Ledger> = Arc::<Sqlite>::clone(&store);
        let durable = Durable::new(ledger, Arc::default(), None);
        let mut state = CommittedState::new(&durable, "p".to_owned(), Arc::default());
        assert_eq!(state.get("counter", "k")["value"], 5);
        state.apply(&[increment(2)]);
        assert_eq!(state.get("counter", "k")["value"], 7);
        let unit = Unit { rule_state: vec![update(2, 2)], ..Unit::default() };
        store.commit(&unit).unwrap();
        store.commit(&unit).unwrap();
        assert_eq!(store.rule_state("p", "counter", "k").unwrap()["value"], 7, "applied once");
        assert_eq!(state.get("counter", "k")["value"], 7);
        durable.runs.fetch_add(1, Ordering::Release);
        assert_eq!(state.get("counter", "other")["value"], Json::Null);
        assert_eq!(state.read.borrow().known.len(), 1, "what an earlier run has read is forgotten");
        assert_eq!(state.get("counter", "k")["value"], 7);
        assert_eq!(store.rule_state("q", "counter", "k").unwrap()["value"], Json::Null, "packs do not share state");
    }
}
