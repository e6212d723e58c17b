//! What of a run goes to the audit log. It is written before the unit that it came of is committed: a process that is killed
//! in between does both again, and nothing is hidden or left out without a record.

use super::persist::persist;
use crate::audit::{HIT, day, entry, now_ms, record_hit};
use iota_engine::store::{Actor, AuditEntry, Desk, StoreError};
use iota_python::{KILLS, Stop};
use serde_json::Value as Json;
use std::collections::{BTreeMap, VecDeque};

/// A rule keeps ending its worker, and is left out for now.
const RULE_PAUSE: &str = "rule.pause";
/// No rule of a pack is run for now.
const PACK_PAUSE: &str = "pack.pause";
/// A rule ended its worker on a record; this pair is not run again by itself.
const PAIR_QUARANTINE: &str = "pair.quarantine";

/// Lives as long as the workers do. The number of records does not depend on how many records somebody makes a rule fail on.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pending: VecDeque<AuditEntry>,
    /// Suppressions that hid something, with a title.
    hits: BTreeMap<String, String>,
    /// How often each (action, subject) was recorded on a day, in days since 1970.
    recorded: BTreeMap<(&'static str, String), u32>,
    day: i64,
}

impl Journal {
    pub(super) fn paused(&mut self, rule: String, context: Json) {
        self.note(RULE_PAUSE, rule, 1, context);
    }

    pub(super) fn pack_paused(&mut self, pack: String, context: Json) {
        self.note(PACK_PAUSE, pack, 1, context);
    }

    /// As many pairs of a rule in a day as it takes to have it paused.
    pub(super) fn quarantined(&mut self, rule: String, context: Json) {
        self.note(PAIR_QUARANTINE, rule, KILLS, context);
    }

    fn note(&mut self, action: &'static str, subject: String, most: u32, after: Json) {
        let entry = AuditEntry { after: Some(after), ..entry(Actor::Iota, action, &subject) };
        if self.is_new(action, subject, most, entry.at_ms) {
            self.pending.push_back(entry);
        }
    }

    fn is_new(&mut self, action: &'static str, subject: String, most: u32, at_ms: i64) -> bool {
        if std::mem::replace(&mut self.day, day(at_ms)) != self.day {
            self.recorded.clear();
        }
        let count = self.recorded.entry((action, subject)).or_default();
        *count += 1;
        *count <= most
    }

    /// By the id of the suppression, a title that it hid.
    pub(super) fn hidden(&mut self, hits: BTreeMap<String, String>) {
        for (id, title) in hits {
            if self.is_new(HIT, id.clone(), 1, now_ms()) {
                self.hits.insert(id, title);
            }
        }
    }

    pub(super) fn write(&mut self, desk: &dyn Desk, stop: &Stop) -> Result<(), StoreError> {
        while let Some(entry) = self.pending.front() {
            persist(stop, || desk.record(entry))?;
            self.pending.pop_front();
        }
        while let Some((id, title)) = self.hits.first_key_value() {
            persist(stop, || record_hit(desk, id, title))?;
            self.hits.pop_first();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;
    use serde_json::json;

    #[test]
    fn whoever_makes_a_rule_fail_does_not_fill_the_log() {
        let (store, mut journal) = (Sqlite::memory().unwrap(), Journal::default());
        for record in 0..1000 {
            journal.quarantined("p/r".to_owned(), json!({"record": record}));
            journal.paused("p/r".to_owned(), json!({}));
            journal.pack_paused("p".to_owned(), json!({}));
            journal.hidden([("known".to_owned(), format!("title {record}"))].into());
        }
        journal.write(&store, &Stop::default()).unwrap();
        // The same once more, as after a new start.
        journal.hits.insert("known".to_owned(), "later".to_owned());
        journal.write(&store, &Stop::default()).unwrap();
        let log = store.audit_log(None).unwrap();
        let count = |action: &str| log.iter().filter(|record| record.entry.action == action).count();
        let counts = ["pair.quarantine", "rule.pause", "pack.pause", "suppression.hit"].map(count);
        assert_eq!((counts, log.len()), ([KILLS as usize, 1, 1, 1], KILLS as usize + 3));
        assert_eq!(log.last().unwrap().entry.after, Some(json!({"title": "title 0"})));
    }
}
