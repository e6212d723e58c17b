//! Objects that cannot be decoded: how often the same was wrong with the same bytes, counted in the store. How often a queue
//! has handed out a message says nothing of that: an outage makes it high for every message.

use super::notices::Notices;
use iota_engine::alert::Severity;
use iota_engine::store::{Checkpoint, Ledger, ObjectVersion, StoreError, Unit};
use iota_engine::system::{DAMAGED_OBJECT, SystemAlert};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

/// After so many times it is not read any more.
const GIVE_UP: u32 = 3;
const PREFIX: &str = "damaged:";
/// Objects that are remembered. What is forgotten is read once more, and then the store is asked.
const REMEMBERED: usize = 10_000;

/// As it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    version: String,
    reason: String,
    times: u32,
}

#[derive(Debug)]
pub(super) struct Damaged {
    ledger: Arc<dyn Ledger>,
    notices: Arc<Notices>,
    /// By object.
    counts: Mutex<HashMap<String, Count>>,
}

impl Damaged {
    pub(super) fn open(ledger: Arc<dyn Ledger>, notices: Arc<Notices>) -> Result<Self, StoreError> {
        let counts = counts(&*ledger, PREFIX)?.into_iter().take(REMEMBERED).collect();
        Ok(Self { ledger, notices, counts: Mutex::new(counts) })
    }

    /// It is not to be read again.
    pub(super) fn is_given_up(&self, object: &ObjectVersion) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&object.object).is_some_and(|count| count.version == object.version && count.times >= GIVE_UP)
    }

    /// The same object was read and could not be decoded. True when it is given up.
    pub(super) async fn count(&self, object: &ObjectVersion, reason: &str) -> Result<bool, String> {
        let key = format!("{PREFIX}{}", object.object);
        let (ledger, asked) = (Arc::clone(&self.ledger), key.clone());
        // Another process may have counted, too.
        let known = spawn_blocking(move || counts(&*ledger, &asked)).await.map_err(|error| error.to_string())?;
        let known = known.map_err(|error| error.to_string())?.remove(&object.object);
        let same = known.filter(|count| count.version == object.version && count.reason == reason);
        let times = same.map_or(0, |count| count.times).saturating_add(1);
        let count = Count { version: object.version.clone(), reason: reason.to_owned(), times };
        let value = serde_json::to_string(&count).map_err(|error| error.to_string())?;
        let unit = Unit { checkpoints: vec![Checkpoint { key, value }], ..Unit::default() };
        if times == GIVE_UP {
            self.notices.tell_with(alert(object, reason), unit).await?;
        } else {
            let ledger = Arc::clone(&self.ledger);
            let committed =
                spawn_blocking(move || ledger.commit(&Unit { now_ms: crate::pipeline::Clock::System.now_ms(), ..unit }));
            committed.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= REMEMBERED {
            counts.clear();
        }
        counts.insert(object.object.clone(), count);
        Ok(times >= GIVE_UP)
    }
}

fn counts(ledger: &dyn Ledger, prefix: &str) -> Result<HashMap<String, Count>, StoreError> {
    let read = |Checkpoint { key, value }| Some((key.strip_prefix(PREFIX)?.to_owned(), serde_json::from_str(&value).ok()?));
    Ok(ledger.checkpoints(prefix)?.into_iter().filter_map(read).collect())
}

fn alert(object: &ObjectVersion, reason: &str) -> SystemAlert {
    SystemAlert {
        rule: DAMAGED_OBJECT,
        dedup: object.object.clone(),
        title: format!("{} cannot be decoded: {reason}", object.object),
        severity: Severity::High,
        description: format!(
            "It was read {GIVE_UP} times with the same outcome. What could be read of it was evaluated, the rest is kept \
             among the rejects. It is not read again; a message that names it stays in its queue, for the dead-letter queue."
        ),
        runbook: "Fetch the object and look at it. If a copy that is whole exists, put it under the same key: its etag differs, so it is read. Then redrive the dead-letter queue.",
        context: json!({"object": object.object, "etag": object.version, "reason": reason}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Durable;
    use crate::store::Sqlite;
    use iota_engine::store::{AlertFilter, Desk};

    fn damaged(store: &Arc<Sqlite>) -> Damaged {
        let ledger: Arc<dyn Ledger> = Arc::<Sqlite>::clone(store);
        let durable = Durable::new(Arc::clone(&ledger), Arc::default(), None);
        Damaged::open(ledger, Arc::new(Notices::new(Arc::new(durable)))).unwrap()
    }

    #[tokio::test]
    async fn the_same_damage_of_the_same_bytes_counts_over_restarts() {
        let store = Arc::new(Sqlite::memory().unwrap());
        let object = |version: &str| ObjectVersion { object: "s3://b/k".to_owned(), version: version.to_owned() };
        assert_eq!(damaged(&store).count(&object("v1"), "corrupt_gzip").await, Ok(false));
        assert_eq!(damaged(&store).count(&object("v1"), "truncated_gzip").await, Ok(false), "something else");
        assert_eq!(damaged(&store).count(&object("v2"), "truncated_gzip").await, Ok(false), "other bytes");
        assert_eq!(damaged(&store).count(&object("v2"), "truncated_gzip").await, Ok(false));
        assert!(!damaged(&store).is_given_up(&object("v2")));
        assert!(store.alerts(&AlertFilter::default()).unwrap().is_empty());
        let last = damaged(&store);
        assert_eq!(last.count(&object("v2"), "truncated_gzip").await, Ok(true));
        for damaged in [last, damaged(&store)] {
            assert!(damaged.is_given_up(&object("v2")) && !damaged.is_given_up(&object("v1")));
        }
        let alerts = store.alerts(&AlertFilter::default()).unwrap();
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0].rule, DAMAGED_OBJECT);
    }

    #[tokio::test]
    async fn what_was_forgotten_is_read_once_more_and_then_left_as_before() {
        let store = Arc::new(Sqlite::memory().unwrap());
        let damaged = damaged(&store);
        let object = |object: &str| ObjectVersion { object: object.to_owned(), version: "v".to_owned() };
        for time in 1..=GIVE_UP {
            assert_eq!(damaged.count(&object("k"), "truncated_gzip").await, Ok(time == GIVE_UP));
        }
        let others = (1..REMEMBERED).map(|number| {
            let count = Count { version: "v".to_owned(), reason: "corrupt_gzip".to_owned(), times: 1 };
            (number.to_string(), count)
        });
        damaged.counts.lock().unwrap().extend(others);
        assert_eq!(damaged.count(&object("one more"), "corrupt_gzip").await, Ok(false));
        assert_eq!(damaged.counts.lock().unwrap().len(), 1);
        assert!(!damaged.is_given_up(&object("k")));
        assert_eq!(damaged.count(&object("k"), "truncated_gzip").await, Ok(true));
        assert!(damaged.is_given_up(&object("k")));
        assert_eq!(store.alerts(&AlertFilter::default()).unwrap().len(), 1, "it was told before");
    }
}
