//! Buckets that are no invention of whoever may send to a queue: those of the configuration, and those that gave an object
//! once, also to an earlier process.

use crate::pipeline::Clock;
use iota_engine::store::{Checkpoint, Ledger, StoreError, Unit};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

const PREFIX: &str = "bucket:";
/// So many at most, beside those of the configuration: anybody may own some. Those that came first stay.
const MOST: usize = 1_000;

#[derive(Debug)]
pub(super) struct Known {
    ledger: Arc<dyn Ledger>,
    most: usize,
    names: Mutex<HashSet<String>>,
}

impl Known {
    pub(super) fn open(ledger: Arc<dyn Ledger>, configured: HashSet<String>) -> Result<Self, StoreError> {
        let most = configured.len() + MOST;
        let found = ledger.checkpoints(PREFIX)?.into_iter();
        let found = found.filter_map(|found| found.key.strip_prefix(PREFIX).map(str::to_owned));
        let mut names = configured;
        names.extend(found.take(MOST));
        Ok(Self { ledger, most, names: Mutex::new(names) })
    }

    pub(super) fn has(&self, bucket: &str) -> bool {
        self.lock().contains(bucket)
    }

    /// It has given an object. False when no more fit.
    pub(super) async fn add(&self, bucket: &str) -> Result<bool, String> {
        {
            let names = self.lock();
            if names.contains(bucket) || names.len() >= self.most {
                return Ok(names.contains(bucket));
            }
        }
        let (ledger, now_ms) = (Arc::clone(&self.ledger), Clock::System.now_ms());
        let checkpoints = vec![Checkpoint { key: format!("{PREFIX}{bucket}"), value: now_ms.to_string() }];
        let committed = spawn_blocking(move || ledger.commit(&Unit { now_ms, checkpoints, ..Unit::default() }));
        committed.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.lock().insert(bucket.to_owned());
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;

    #[tokio::test]
    async fn a_bucket_that_gave_an_object_is_known_after_a_restart() {
        let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::memory().unwrap());
        let open = |configured: &[&str]| {
            let configured = configured.iter().map(|&name| name.to_owned()).collect();
            Known::open(Arc::clone(&ledger), configured).unwrap()
        };
        let known = open(&["mine"]);
        assert!(known.has("mine") && !known.has("gave"));
        assert_eq!(known.add("gave").await, Ok(true));
        assert!(known.has("gave"));
        let known = open(&[]);
        assert!(known.has("gave") && !known.has("mine"));
    }

    #[tokio::test]
    async fn buckets_of_others_do_not_fill_the_memory() {
        let known = Known { most: 2, ..Known::open(Arc::new(Sqlite::memory().unwrap()), HashSet::new()).unwrap() };
        for bucket in ["a", "b"] {
            assert_eq!(known.add(bucket).await, Ok(true));
        }
        assert_eq!((known.add("c").await, known.add("a").await), (Ok(false), Ok(true)));
        assert!(known.has("a") && !known.has("c"));
    }
}
