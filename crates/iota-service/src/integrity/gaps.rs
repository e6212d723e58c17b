//! Objects that were delivered and never read: those in the bucket and those that digest files list, minus the ledger.

use super::processed::{Names, Processed, name};
use super::store::{LogStore, StoreError};
use crate::ingest::{Job, StateError};
use crate::source::s3::{Range, S3Error, Source, TrailConfig, Wanted};
use iota_engine::object::{DigestFile, Kind, Object};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// In the bucket.
    NotRead,
    /// In the bucket, with another etag than when it was read.
    Changed,
    /// In a digest file only.
    NotInBucket,
    /// A digest file whose list could not be read.
    UnreadableDigest,
}

#[derive(Debug, Error)]
pub enum GapsError {
    #[error(transparent)]
    S3(#[from] S3Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] iota_engine::store::StoreError),
}

/// What one trail delivered in a range and was not read, by URL; with what to read where it can be read.
pub async fn gaps(
    trail: &TrailConfig,
    processed: &Processed<'_>,
    wanted: &Wanted,
    range: Range,
) -> Result<BTreeMap<String, (Gap, Option<Job>)>, GapsError> {
    let source = Source::connect(trail).await?;
    let store = LogStore::s3(trail).await?;
    let mut found = BTreeMap::new();
    let mut digests = Vec::new();
    let kinds = [Wanted::records().kinds, vec![Kind::Digest]].concat();
    // Digests of URLs: there may be millions.
    let mut in_bucket = Names::new();
    let mut unread = Vec::new();
    for branch in source.branches(&Wanted { kinds, ..wanted.clone() }).await? {
        // A digest file lists what was delivered in the hour before it, and may come late.
        let digest = branch.kind == Kind::Digest;
        let to_ms = range.to_ms.map(|to| if digest { to.saturating_add(86_400_000) } else { to });
        let mut files = source.files(&branch, Range { to_ms, ..range }, 1000);
        while let Some(page) = files.next().await? {
            if digest {
                digests.extend(page.into_iter().map(|object| object.key));
                continue;
            }
            let read = processed.are_read(&source.bucket.name, &page).await?;
            in_bucket.extend(page.iter().map(|object| name(&source.bucket.url(&object.key))));
            unread.extend(page.into_iter().zip(read).filter(|(_, read)| !read).map(|(object, _)| object));
        }
    }
    let mut gone = BTreeSet::new();
    for key in digests {
        let parsed = match store.digest(&source.bucket.name, &key).await? {
            None => continue,
            Some((content, _)) => content.ok().and_then(|content| DigestFile::parse(&content).ok()),
        };
        let Some(file) = parsed else {
            found.insert(source.bucket.url(&key), (Gap::UnreadableDigest, None));
            continue;
        };
        for log in file.log_files {
            let url = format!("s3://{}/{}", log.bucket, log.key);
            let wanted = match Object::of(&log.key) {
                Object::Log(key) => key.kind.has_records() && range.admits(key.day, key.delivered_ms),
                _ => true,
            };
            if wanted && !in_bucket.contains(&name(&url)) {
                gone.insert((log.bucket, log.key));
            }
        }
    }
    drop(in_bucket);
    let asked = unread.iter().map(|object| (source.bucket.name.as_str(), object.key.as_str()));
    let gone_too = gone.iter().map(|(bucket, key)| (bucket.as_str(), key.as_str()));
    let before = processed.read_in_any_version(asked.chain(gone_too)).await?;
    for object in unread {
        let url = source.bucket.url(&object.key);
        let gap = if before.contains(&name(&url)) { Gap::Changed } else { Gap::NotRead };
        found.insert(url, (gap, Some(Job { source: source.clone(), object })));
    }
    // Read, and then removed by a rule of the bucket, is no gap.
    for url in gone.iter().map(|(bucket, key)| format!("s3://{bucket}/{key}")).filter(|url| !before.contains(&name(url))) {
        found.insert(url, (Gap::NotInBucket, None));
    }
    Ok(found)
}
