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
use iota_engine::object::{DigestFile, Kind, LogFile, Object};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
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

/// Bucket and key. In a copy in a directory, whose files are found by their keys alone, the bucket is empty.
type Place = (String, String);

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
        // Backfilled ones are signed when they are made.
        keys.load(&chain.1, expected.from_ms, expected.now_ms.max(expected.to_ms)).await?;
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
        let bucket = self.store.bucket().unwrap_or_default().to_owned();
        // With the file that names it, where it was not listed.
        let mut waiting: VecDeque<(Place, Option<Place>)> = files.into_iter().map(|key| ((bucket.clone(), key), None)).collect();
        let mut known: BTreeSet<Place> = waiting.iter().map(|(place, _)| place.clone()).collect();
        let mut checked = BTreeMap::new();
        while let Some((place, named_by)) = waiting.pop_front() {
            let Some(mut digest) = self.digest(keys, chain, &place, named_by.as_ref()).await? else { continue };
            if digest.valid {
                self.logs(chain, std::mem::take(&mut digest.file.log_files)).await?;
                // It may lead out of the list: the trail delivered to another bucket or below another prefix before.
                let previous = self.previous(&digest.file).filter(|_| digest.file.start_ms > self.expected.from_ms);
                if let Some(previous) = previous.filter(|previous| known.insert(previous.clone())) {
                    waiting.push_back((previous, Some(place.clone())));
                }
            }
            checked.insert(place, digest);
        }
        self.links(chain, &checked);
        self.hours(chain, &checked);
        Ok(())
    }

    fn url(&self, (bucket, key): &Place) -> String {
        self.store.url(bucket, key)
    }

    /// The file that this one follows.
    fn previous(&self, file: &DigestFile) -> Option<Place> {
        let (bucket, key) = (file.previous_digest_s3_bucket.as_ref()?, file.previous_digest_s3_object.as_ref()?);
        Some((self.store.bucket().map_or_else(String::new, |_| bucket.clone()), key.clone()))
    }

    async fn digest(
        &mut self,
        keys: &PublicKeys,
        chain: &Chain,
        place: &Place,
        named_by: Option<&Place>,
    ) -> Result<Option<Checked>, ValidateError> {
        let before = self.report.findings.len();
        let checked = match self.store.digest(&place.0, &place.1).await {
            Err(StoreError::Elsewhere(error)) => {
                let after = named_by.map_or_else(|| "another one".to_owned(), |after| self.url(after));
                let why = format!("is what {after} follows, and what was delivered there is not known: {error}");
                self.find(chain, Code::DigestNotVerifiable, Some(self.url(place)), why);
                None
            }
            Err(error) => return Err(error.into()),
            Ok(None) => {
                let why = match named_by {
                    Some(after) => format!("is what {} follows, and is not there", self.url(after)),
                    None => "was listed and is gone".to_owned(),
                };
                self.find(chain, Code::DigestMissing, Some(self.url(place)), why);
                None
            }
            Ok(Some((content, metadata))) => {
                let parse =
                    |content: Vec<u8>| DigestFile::parse(&content).map(|file| (file, content)).map_err(|why| why.to_string());
                match content.map_err(|why| why.to_string()).and_then(parse) {
                    Err(why) => {
                        self.find(chain, Code::DigestUnreadable, Some(self.url(place)), why);
                        None
                    }
                    Ok((file, content)) => {
                        self.signature(keys, chain, place, (&file, &content), &metadata);
                        let signature = metadata.get("signature").cloned().unwrap_or_default();
                        let valid = self.report.findings.len() == before;
                        Some(Checked { file, signature, content_hash: hex(&Sha256::digest(&content)), valid })
                    }
                }
            }
        };
        match &checked {
            Some(checked) if checked.valid => self.report.digests_valid += 1,
            _ => self.report.digests_invalid += 1,
        }
        Ok(checked)
    }

    /// Whether a file stands where it says, and is signed with one of the keys.
    fn signature(
        &mut self,
        keys: &PublicKeys,
        chain: &Chain,
        place: &Place,
        (file, content): (&DigestFile, &[u8]),
        metadata: &HashMap<String, String>,
    ) {
        let url = self.url(place);
        let (bucket, key) = place;
        if file.digest_s3_object != *key || (!bucket.is_empty() && file.digest_s3_bucket != *bucket) {
            let recorded = format!("s3://{}/{}", file.digest_s3_bucket, file.digest_s3_object);
            self.find(chain, Code::DigestMoved, Some(url.clone()), format!("was delivered as {recorded}"));
        }
        let signature = metadata.get("signature").map_or("", String::as_str);
        let algorithm = metadata.get("signature-algorithm").map_or("none", String::as_str);
        if algorithm != "SHA256withRSA" || signature.is_empty() {
            let message = format!("no signature of the kind SHA256withRSA is with it (algorithm: {algorithm})");
            self.find(chain, Code::DigestUnsigned, Some(url), message);
            return;
        }
        let fingerprint = &file.digest_public_key_fingerprint;
        match unhex(signature).map(|bytes| keys.verify(fingerprint, &file.signed_text(content), &bytes)) {
            Some(Some(true)) => {}
            Some(None) => {
                let message = format!("no public key of {} has the fingerprint {fingerprint}", chain.1);
                self.find(chain, Code::DigestUnknownKey, Some(url), message);
            }
            None | Some(Some(false)) => {
                self.find(chain, Code::DigestBadSignature, Some(url), "the signature is not one of this file");
            }
        }
    }

    /// Every file names the one before it, with its signature and content.
    fn links(&mut self, chain: &Chain, checked: &BTreeMap<Place, Checked>) {
        for (place, digest) in checked.iter().filter(|(_, digest)| digest.valid) {
            let Some(previous) = self.previous(&digest.file) else { continue };
            // What is not there was told, and what is from before the time asked for is not wanted.
            let Some(before) = checked.get(&previous) else { continue };
            let signature = digest.file.previous_digest_signature.as_deref();
            let hash = digest.file.previous_digest_hash_value.as_deref();
            if signature.is_some_and(|signature| signature != before.signature)
                || hash.is_some_and(|hash| hash != before.content_hash)
            {
                let message = format!("is not the one that {} follows", self.url(place));
                self.find(chain, Code::DigestChain, Some(self.url(&previous)), message);
            }
        }
    }

    fn hours(&mut self, chain: &Chain, checked: &BTreeMap<Place, Checked>) {
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

    async fn logs(&mut self, chain: &Chain, files: Vec<LogFile>) -> Result<(), ValidateError> {
        let mut waiting = files.into_iter();
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
            let wrong = match hash {
                Err(StoreError::Elsewhere(error)) => Some((Code::LogNotVerifiable, error.to_string())),
                Err(error) => return Err(error.into()),
                Ok(None) => Some((Code::LogMissing, "is listed in a digest file, and is not there".to_owned())),
                Ok(Some(Err(why))) => Some((Code::LogUnreadable, why.to_string())),
                Ok(Some(Ok(_))) if algorithm != "SHA-256" => {
                    Some((Code::LogUnreadable, format!("its hash is of an unknown kind, {algorithm}")))
                }
                Ok(Some(Ok(hash))) if !hex(&hash).eq_ignore_ascii_case(&log.hash) => {
                    Some((Code::LogChanged, "its content is not what was delivered".to_owned()))
                }
                Ok(Some(Ok(_))) => None,
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
