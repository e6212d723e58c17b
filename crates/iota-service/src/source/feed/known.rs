//! Buckets that are no invention of whoever may send to a queue: those of the configuration, and those that gave an object
//! once, also to an earlier process. The state forgets those that give none for as long as it keeps checkpoints.

use crate::pipeline::Clock;
use iota_engine::store::{Checkpoint, KEEP_OBJECTS_MS, Ledger, StoreError, Unit};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

const PREFIX: &str = "bucket:";
/// So many at most, beside those of the configuration: anybody may own some. Those that came first stay.
const MOST: usize = 1_000;
/// A bucket in use is noted again after this long, many times before the state would forget it.
const RENEW_MS: i64 = KEEP_OBJECTS_MS / 20;

#[derive(Debug)]
pub(super) struct Known {
    ledger: Arc<dyn Ledger>,
    most: usize,
    /// With when it was noted, in milliseconds since 1970. Those that only the configuration names are not.
    buckets: Mutex<HashMap<String, Option<i64>>>,
}

impl Known {
    pub(super) fn open(ledger: Arc<dyn Ledger>, configured: HashSet<String>) -> Result<Self, StoreError> {
        let most = configured.len() + MOST;
        let found = ledger.checkpoints(PREFIX)?.into_iter();
        let noted =
            |found: Checkpoint| Some((found.key.strip_prefix(PREFIX)?.to_owned(), Some(found.value.parse().unwrap_or(0))));
        let mut buckets: HashMap<_, _> = configured.into_iter().map(|bucket| (bucket, None)).collect();
        buckets.extend(found.filter_map(noted).take(MOST));
        Ok(Self { ledger, most, buckets: Mutex::new(buckets) })
    }

    pub(super) fn has(&self, bucket: &str) -> bool {
        self.lock().contains_key(bucket)
    }

    /// It has given an object. False when no more fit.
    pub(super) async fn has_given(&self, bucket: &str) -> Result<bool, String> {
        let now_ms = Clock::System.now_ms();
        {
            let buckets = self.lock();
            match buckets.get(bucket) {
                Some(noted_ms) if noted_ms.is_none_or(|noted| now_ms.saturating_sub(noted) < RENEW_MS) => return Ok(true),
                None if buckets.len() >= self.most => return Ok(false),
                _ => {}
            }
        }
        let ledger = Arc::clone(&self.ledger);
        let checkpoints = vec![Checkpoint { key: format!("{PREFIX}{bucket}"), value: now_ms.to_string() }];
        let committed = spawn_blocking(move || ledger.commit(&Unit { now_ms, checkpoints, ..Unit::default() }));
        committed.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.lock().insert(bucket.to_owned(), Some(now_ms));
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<i64>>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(known.has_given("gave").await, Ok(true));
        assert!(known.has("gave"));
        let known = open(&[]);
        assert!(known.has("gave") && !known.has("mine"));
    }

    #[tokio::test]
    async fn buckets_of_others_do_not_fill_the_memory() {
        let known = Known { most: 2, ..Known::open(Arc::new(Sqlite::memory().unwrap()), HashSet::new()).unwrap() };
        for bucket in ["a", "b"] {
            assert_eq!(known.has_given(bucket).await, Ok(true));
        }
        assert_eq!((known.has_given("c").await, known.has_given("a").await), (Ok(false), Ok(true)));
        assert!(known.has("a") && !known.has("c"));
    }
}
