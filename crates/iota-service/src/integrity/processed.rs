//! What was read before, as one of the ledgers has it: that of `iota ingest`, or the state of `iota run` and `iota watch`.
//! Knows no buckets and no digest files.

use super::GapsError;
use crate::ingest::{Known, State};
use crate::source::s3::{Listed, Range};
use iota_engine::digest::digest;
use iota_engine::store::{ObjectVersion, Result as StoreResult, Store};
use std::collections::HashSet;
use std::sync::Arc;

/// How much earlier than its delivery an object may seem to have been read: clocks differ.
const SKEW_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug)]
pub enum Processed<'a> {
    /// By `iota ingest`. `None`: it has read nothing yet.
    Synced(Option<&'a State>),
    /// By `iota run` or `iota watch`.
    Evaluated(Evaluated),
}

#[derive(Debug)]
pub struct Evaluated {
    store: Arc<dyn Store>,
    since_ms: i64,
}

/// Digests of the URLs of objects.
pub(super) type Names = HashSet<[u8; 16]>;

impl Evaluated {
    /// `range` is when the objects were delivered that are going to be asked for.
    pub fn new(store: Arc<dyn Store>, range: Range) -> Self {
        let since_ms = range.from_ms.map_or(0, |from| from.saturating_sub(SKEW_MS).max(0));
        Self { store, since_ms }
    }

    /// The store blocks.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, GapsError> {
        let store = Arc::clone(&self.store);
        let asked = tokio::task::spawn_blocking(move || work(&*store)).await;
        Ok(asked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?)
    }
}

impl Processed<'_> {
    /// Whether each object of a list of a bucket was read as it is there.
    pub(super) async fn are_read(&self, bucket: &str, listed: &[Listed]) -> Result<Vec<bool>, GapsError> {
        match self {
            Self::Synced(None) => Ok(vec![false; listed.len()]),
            Self::Synced(Some(state)) => {
                let is_read = |object: &Listed| Ok(state.knows(bucket, &object.key, &object.etag)? == Known::Yes);
                listed.iter().map(is_read).collect()
            }
            Self::Evaluated(evaluated) => {
                let version = |object: &Listed| ObjectVersion { object: url(bucket, &object.key), version: object.etag.clone() };
                let versions: Vec<_> = listed.iter().map(version).collect();
                evaluated.ask(move |store| store.are_finished(&versions)).await
            }
        }
    }

    /// Those of them that were read in any version. `objects` are those that were not read as they are, each as bucket and key.
    pub(super) async fn read_in_any_version(&self, objects: impl Iterator<Item = (&str, &str)>) -> Result<Names, GapsError> {
        let name_of = |(bucket, key)| name(&url(bucket, key));
        match self {
            Self::Synced(None) => Ok(Names::new()),
            Self::Synced(Some(state)) => {
                let is_known = |&(bucket, key): &(&str, &str)| Ok(state.knows(bucket, key, "")? != Known::No);
                objects.filter_map(|object| is_known(&object).map(|known| known.then(|| name_of(object))).transpose()).collect()
            }
            Self::Evaluated(evaluated) => {
                let asked: Names = objects.map(name_of).collect();
                if asked.is_empty() {
                    return Ok(asked);
                }
                let since_ms = evaluated.since_ms;
                // The state may know millions, and only in its own order: they pass by, and what was asked for is picked out.
                let pick = move |store: &dyn Store| {
                    let mut found = Names::new();
                    store.objects_since(since_ms, &mut |finished| {
                        found.extend(asked.get(&name(&finished.object.object)));
                    })?;
                    Ok(found)
                };
                evaluated.ask(pick).await
            }
        }
    }
}

/// As the state names objects.
fn url(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// The URL of an object in few bytes.
pub(super) fn name(url: &str) -> [u8; 16] {
    digest("iota-object-v1", [url.as_bytes()])
}
