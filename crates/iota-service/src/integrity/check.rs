//! The checks. A chain is what one trail delivered for one account and region. Whether hours are missing is decided by the
//! hours that must be there, not by following the chain: two digest files that were deleted one after the other leave no
//! trace in those that remain.

use super::keys::{KeyError, PublicKeys, unhex};
use super::report::{Code, Finding, Report};
use super::store::{LogStore, StoreError};
use crate::source::s3::Range;
use crate::source::s3::Wanted;
use iota_engine::digest::hex;
use iota_engine::event::format_ms;
use iota_engine::object::{DigestFile, Kind, Object};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thiserror::Error;
use tokio::task::JoinSet;

/// What must be there. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub from_ms: i64,
    pub to_ms: i64,
    pub now_ms: i64,
}

const HOUR_MS: i64 = 3_600_000;
/// The digest file of an hour is delivered up to about an hour later; with as much again to spare.
const DELIVERY_MS: i64 = 2 * HOUR_MS;
/// Times are in seconds.
const SECOND_MS: i64 = 1000;
/// Log files that are hashed at once.
const PARALLEL: usize = 16;

#[derive(Debug, Error)]
pub enum ValidateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Account, region, trail, home region.
type Chain = (String, String, String, String);

/// A digest file that could be read.
struct Checked {
    file: DigestFile,
    signature: String,
    content_hash: String,
    valid: bool,
}

struct Validation<'a> {
    store: &'a Arc<LogStore>,
    expected: Expected,
    report: Report,
}

/// Checks everything that was delivered in the expected time. An error is one of reading: nothing is known then.
pub async fn validate(
    store: LogStore,
    keys: &mut PublicKeys,
    wanted: &Wanted,
    expected: Expected,
) -> Result<Report, ValidateError> {
    let store = Arc::new(store);
    let digests = Wanted { kinds: vec![Kind::Digest], ..wanted.clone() };
    // The last hour's file is delivered in the hour behind it.
    let range = Range { from_ms: Some(expected.from_ms), to_ms: Some(expected.to_ms.saturating_add(HOUR_MS)) };
    let mut chains: BTreeMap<Chain, Vec<String>> = BTreeMap::new();
    let mut accounts = BTreeSet::new();
    for ((account, region), files) in store.files(&digests, range).await? {
        for key in files {
            let Object::Log(log) = Object::of(&key) else { continue };
            let Some(name) = log.digest() else { continue };
            accounts.insert((account.clone(), region.clone()));
            let chain = (account.clone(), region.clone(), name.trail.to_owned(), name.home_region.to_owned());
            chains.entry(chain).or_default().push(key);
        }
    }
    let mut validation = Validation { store: &store, expected, report: Report::default() };
    for (chain, files) in chains {
        keys.load(&chain.1, expected.from_ms, expected.to_ms).await?;
        validation.chain(keys, &chain, files).await?;
    }
    // Logs of an account and region in which there is no digest file at all.
    let logs = Wanted { kinds: Wanted::records().kinds, ..wanted.clone() };
    let range = Range { from_ms: Some(expected.from_ms), to_ms: Some(expected.to_ms) };
    for ((account, region), files) in store.files(&logs, range).await? {
        if !files.is_empty() && !accounts.contains(&(account.clone(), region.clone())) {
            let chain = (account, region, String::new(), String::new());
            validation.missing_hours(
                &chain,
                expected.from_ms,
                validation.last_expected(),
                "there are log files, and no digest file",
            );
        }
    }
    validation.report.findings.sort();
    Ok(validation.report)
}

impl Validation<'_> {
    fn find(&mut self, chain: &Chain, code: Code, object: Option<String>, message: impl Into<String>) {
        let (account, region, trail, _) = chain.clone();
        let trail = Some(trail).filter(|trail| !trail.is_empty());
        self.report.findings.push(Finding { code, account, region, trail, object, message: message.into() });
    }

    fn last_expected(&self) -> i64 {
        self.expected.to_ms.min(self.expected.now_ms - DELIVERY_MS)
    }

    async fn chain(&mut self, keys: &PublicKeys, chain: &Chain, files: Vec<String>) -> Result<(), ValidateError> {
        let mut checked = BTreeMap::new();
        for key in files {
            if let Some(digest) = self.digest(keys, chain, &key).await? {
                checked.insert(key, digest);
            }
        }
        self.links(chain, &checked).await?;
        self.hours(chain, &checked);
        for digest in checked.into_values().filter(|digest| digest.valid) {
            self.logs(chain, digest.file).await?;
        }
        Ok(())
    }

    async fn digest(&mut self, keys: &PublicKeys, chain: &Chain, key: &str) -> Result<Option<Checked>, ValidateError> {
        let bucket = self.store.bucket().unwrap_or_default().to_owned();
        let url = self.store.url(&bucket, key);
        let before = self.report.findings.len();
        let checked = match self.store.digest(&bucket, key).await? {
            None => {
                self.find(chain, Code::DigestMissing, Some(url), "was listed and is gone");
                None
            }
            Some((Err(why), _)) => {
                self.find(chain, Code::DigestUnreadable, Some(url), why.to_string());
                None
            }
            Some((Ok(content), metadata)) => match DigestFile::parse(&content) {
                Err(why) => {
                    self.find(chain, Code::DigestUnreadable, Some(url), why.to_string());
                    None
                }
                Ok(file) => {
                    let signature = metadata.get("signature").cloned().unwrap_or_default();
                    if file.digest_s3_object != key || (!bucket.is_empty() && file.digest_s3_bucket != bucket) {
                        let recorded = format!("s3://{}/{}", file.digest_s3_bucket, file.digest_s3_object);
                        self.find(chain, Code::DigestMoved, Some(url.clone()), format!("was delivered as {recorded}"));
                    }
                    let algorithm = metadata.get("signature-algorithm").map_or("none", String::as_str);
                    if algorithm != "SHA256withRSA" || signature.is_empty() {
                        let message = format!("no signature of the kind SHA256withRSA is with it (algorithm: {algorithm})");
                        self.find(chain, Code::DigestUnsigned, Some(url), message);
                    } else {
                        let text = file.signed_text(&content);
                        let verified =
                            unhex(&signature).map(|bytes| keys.verify(&file.digest_public_key_fingerprint, &text, &bytes));
                        match verified {
                            Some(Some(true)) => {}
                            Some(None) => {
                                let message = format!("no public key has the fingerprint {}", file.digest_public_key_fingerprint);
                                self.find(chain, Code::DigestUnknownKey, Some(url), message);
                            }
                            None | Some(Some(false)) => {
                                self.find(chain, Code::DigestBadSignature, Some(url), "the signature is not one of this file");
                            }
                        }
                    }
                    let valid = self.report.findings.len() == before;
                    Some(Checked { file, signature, content_hash: hex(&Sha256::digest(&content)), valid })
                }
            },
        };
        match &checked {
            Some(checked) if checked.valid => self.report.digests_valid += 1,
            _ => self.report.digests_invalid += 1,
        }
        Ok(checked)
    }

    /// Every file names the one before it.
    async fn links(&mut self, chain: &Chain, checked: &BTreeMap<String, Checked>) -> Result<(), ValidateError> {
        for (key, digest) in checked.iter().filter(|(_, digest)| digest.valid) {
            let (Some(bucket), Some(previous)) = (&digest.file.previous_digest_s3_bucket, &digest.file.previous_digest_s3_object)
            else {
                continue;
            };
            let url = self.store.url(bucket, previous);
            let after = self.store.url(bucket, key);
            if let Some(before) = checked.get(previous) {
                let signature = digest.file.previous_digest_signature.as_deref();
                let hash = digest.file.previous_digest_hash_value.as_deref();
                if signature.is_some_and(|signature| signature != before.signature)
                    || hash.is_some_and(|hash| hash != before.content_hash)
                {
                    self.find(chain, Code::DigestChain, Some(url), format!("is not the one that {after} follows"));
                }
            } else {
                // Unreadable ones were found already, and those from before the time asked for are not wanted.
                let delivered = match Object::of(previous) {
                    Object::Log(log) => log.delivered_ms,
                    _ => None,
                };
                let wanted = delivered.is_none_or(|ms| ms >= self.expected.from_ms);
                if wanted && self.store.digest(bucket, previous).await?.is_none() {
                    self.find(chain, Code::DigestMissing, Some(url), format!("is what {after} follows, and is not there"));
                }
            }
        }
        Ok(())
    }

    fn hours(&mut self, chain: &Chain, checked: &BTreeMap<String, Checked>) {
        let mut covered: Vec<_> = checked
            .values()
            .filter(|digest| digest.valid)
            .map(|digest| (digest.file.start_ms, digest.file.end_ms, digest))
            .collect();
        covered.sort_by_key(|&(start, end, _)| (start, end));
        let last = self.last_expected();
        // Before the very first one nothing was promised.
        let mut at = match covered.first() {
            Some((start, _, digest)) if digest.file.is_starting() => (*start).max(self.expected.from_ms),
            _ => self.expected.from_ms,
        };
        for (start, end, digest) in covered {
            if start.min(last) > at + SECOND_MS {
                let why = if digest.file.is_starting() {
                    "no digest file covers this time; validation or logging was turned off, as the one after it begins a new chain"
                } else {
                    "no valid digest file covers this time"
                };
                self.missing_hours(chain, at, start.min(last), why);
            }
            at = at.max(end);
        }
        if last > at + SECOND_MS {
            self.missing_hours(chain, at, last, "no valid digest file covers this time");
        }
    }

    fn missing_hours(&mut self, chain: &Chain, from_ms: i64, to_ms: i64, why: &str) {
        let hours = u64::try_from(to_ms - from_ms).unwrap_or_default().div_ceil(HOUR_MS.unsigned_abs());
        if hours > 0 {
            self.report.hours_missing += hours;
            let message = format!("{why}: {} to {}, {hours} h", format_ms(from_ms), format_ms(to_ms));
            self.find(chain, Code::HoursMissing, None, message);
        }
    }

    async fn logs(&mut self, chain: &Chain, file: DigestFile) -> Result<(), ValidateError> {
        let mut waiting = file.log_files.into_iter();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < PARALLEL
                && let Some(log) = waiting.next()
            {
                let store = Arc::clone(self.store);
                tasks.spawn(async move {
                    let hash = store.hash(&log.bucket, &log.key).await;
                    (log, hash)
                });
            }
            let Some(done) = tasks.join_next().await else { return Ok(()) };
            let (log, hash) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            let url = self.store.url(&log.bucket, &log.key);
            let algorithm = log.hash_algorithm.as_deref().unwrap_or("SHA-256");
            let wrong = match hash? {
                None => Some((Code::LogMissing, "is listed in a digest file, and is not there".to_owned())),
                Some(Err(why)) => Some((Code::LogUnreadable, why.to_string())),
                Some(Ok(_)) if algorithm != "SHA-256" => {
                    Some((Code::LogUnreadable, format!("its hash is of an unknown kind, {algorithm}")))
                }
                Some(Ok(hash)) if !hex(&hash).eq_ignore_ascii_case(&log.hash) => {
                    Some((Code::LogChanged, "its content is not what was delivered".to_owned()))
                }
                Some(Ok(_)) => None,
            };
            match wrong {
                Some((code, message)) => {
                    self.report.logs_invalid += 1;
                    self.find(chain, code, Some(url), message);
                }
                None => self.report.logs_valid += 1,
            }
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
