//! What was read before, as one of the ledgers has it: that of `iota ingest`, or the state of `iota run` and `iota watch`.
//! Knows no buckets and no digest files.

use super::GapsError;
use crate::ingest::{Known, State};
use crate::source::s3::{Listed, Range};
use iota_engine::digest::digest;
use iota_engine::store::{ObjectVersion, Result as StoreResult, Store};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::OnceCell;

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
    /// Digests of the names of all objects that were read since then, in any version. Only asked for when one is missing.
    names: OnceCell<HashSet<[u8; 16]>>,
}

impl Evaluated {
    /// `range` is when the objects were delivered that are going to be asked for.
    pub fn new(store: Arc<dyn Store>, range: Range) -> Self {
        let since_ms = range.from_ms.map_or(0, |from| from.saturating_sub(SKEW_MS).max(0));
        Self { store, since_ms, names: OnceCell::new() }
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

    async fn knows_name(&self, url: &str) -> Result<bool, GapsError> {
        let since_ms = self.since_ms;
        let read = || async move {
            let found = self.ask(move |store| store.objects_since(since_ms)).await?;
            Ok::<_, GapsError>(found.iter().map(|finished| name(&finished.object.object)).collect())
        };
        Ok(self.names.get_or_try_init(read).await?.contains(&name(url)))
    }
}

impl Processed<'_> {
    /// What is known of each object of a list of a bucket.
    pub(super) async fn of_listed(&self, bucket: &str, listed: &[Listed]) -> Result<Vec<Known>, GapsError> {
        match self {
            Self::Synced(state) => {
                let knows = |object: &Listed| state.map_or(Ok(Known::No), |state| state.knows(bucket, &object.key, &object.etag));
                Ok(listed.iter().map(knows).collect::<Result<_, _>>()?)
            }
            Self::Evaluated(evaluated) => {
                let version = |object: &Listed| ObjectVersion { object: url(bucket, &object.key), version: object.etag.clone() };
                let versions: Vec<_> = listed.iter().map(version).collect();
                let (finished, versions) = evaluated.ask(move |store| Ok((store.are_finished(&versions)?, versions))).await?;
                let mut known = Vec::with_capacity(listed.len());
                for (finished, version) in finished.into_iter().zip(&versions) {
                    known.push(match finished {
                        true => Known::Yes,
                        false if evaluated.knows_name(&version.object).await? => Known::Changed,
                        false => Known::No,
                    });
                }
                Ok(known)
            }
        }
    }

    /// Whether an object was read in any version.
    pub(super) async fn knows(&self, bucket: &str, key: &str) -> Result<bool, GapsError> {
        match self {
            Self::Synced(state) => Ok(match state {
                Some(state) => state.knows(bucket, key, "")? != Known::No,
                None => false,
            }),
            Self::Evaluated(evaluated) => evaluated.knows_name(&url(bucket, key)).await,
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
