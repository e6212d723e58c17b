//! One object, from its name to its commit: whether it is to be read at all, its bytes, and what became of it.
//! Knows nothing of who named it.

use super::Ending;
use super::damaged::Damaged;
use super::downloads::Downloads;
use super::failing::Failing;
use super::gate::{Entry, Gate, Gates};
use super::notices::Notices;
use super::offer::{Offers, Room};
use super::queue::Receipts;
use super::tally::Tally;
use crate::crash_point;
use crate::pipeline::{Clock, Ended};
use crate::source::minute_of;
use crate::source::s3::{Buckets, Fetched, S3Error, Spool};
use iota_engine::alert::Severity;
use iota_engine::notification::ObjectRef;
use iota_engine::object::{Kind, Object};
use iota_engine::store::{Ledger, ObjectVersion, StoreError};
use iota_engine::system::{FOREIGN_BUCKET, MISSING_OBJECT, SystemAlert};
use iota_engine::text::printable;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// Bytes of an object that are kept in memory at most; what is larger is in a temporary file.
const IN_MEMORY: u64 = 4 << 20;
/// What an object is taken to have of which nobody said how large it is; CloudTrail's are smaller, nearly all of them.
const UNKNOWN: u64 = 1 << 20;
/// What is larger, in bytes, is no log file, and is not to fill the disk.
const LARGEST: u64 = 1 << 30;

/// What is left to do about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// Nothing: all that came of it is committed, or it is none of ours to read.
    Done,
    /// Somebody has to look at it; reading it again does not help.
    Left,
    /// It is to be read again.
    Later,
    /// The same, and nothing of the kind could be read: that says nothing of the object.
    Outage,
}

/// What all readers of a process share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) buckets: Buckets,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) offers: Offers,
    pub(super) downloads: Downloads,
    /// Of what belongs to this process: its state, its disk.
    pub(super) own: Gate,
    pub(super) gates: Gates,
    pub(super) damaged: Damaged,
    pub(super) notices: Arc<Notices>,
    pub(super) tally: Arc<Tally>,
    pub(super) stop: watch::Receiver<Ending>,
    pub(super) scratch: Option<PathBuf>,
}

impl Shared {
    /// Works on the store, which blocks.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, String> {
        let ledger = Arc::clone(&self.ledger);
        let done = spawn_blocking(move || work(&*ledger)).await.map_err(|error| error.to_string())?;
        done.map_err(|error| error.to_string())
    }

    /// Returns when the process is to end.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // Whoever could say so is gone: that is an end, too.
        let _ = stop.wait_for(|stop| *stop != Ending::No).await;
    }

    pub(super) fn ending(&self) -> Ending {
        *self.stop.borrow()
    }
}

/// Reads the objects that one source names.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    /// Of the queue whose messages name them. Where there is none, they wait here for a bucket that does not work.
    pub(super) receipts: Option<Arc<Receipts>>,
    /// What was delivered before is left out; milliseconds since 1970.
    pub(super) from_ms: Option<i64>,
}

/// Why there are no bytes.
enum Failed {
    Stopped,
    /// The bucket has turned out not to work while the object waited for its turn.
    Closed,
    S3(S3Error),
}

/// An object that is in work. Whoever gives it up gives it back.
struct InWork<'a> {
    tally: &'a Tally,
    ended: Result<Counted, &'static str>,
}

impl<'a> InWork<'a> {
    fn new(tally: &'a Tally) -> Self {
        tally.objects(|objects| {
            objects.named += 1;
            objects.in_work += 1;
        });
        Self { tally, ended: Ok(Counted::Returned) }
    }
}

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        self.tally.objects(|objects| {
            objects.in_work -= 1;
            match self.ended {
                Ok(what) => *what.of(objects) += 1,
                Err(skipped) => {
                    objects.skipped += 1;
                    *objects.skipped_by_reason.entry(skipped).or_default() += 1;
                }
            }
        });
    }
}

impl Reader {
    /// `named_ms` is when it was named, in milliseconds since 1970.
    pub(super) async fn read(&self, object: &ObjectRef, named_ms: Option<i64>) -> Outcome {
        let mut in_work = InWork::new(&self.shared.tally);
        in_work.ended = self.outcome(object, named_ms).await;
        match in_work.ended {
            Ok(Counted::Read | Counted::AlreadyFinished) | Err(_) => Outcome::Done,
            Ok(Counted::Returned) => Outcome::Later,
            Ok(Counted::Outage) => Outcome::Outage,
            Ok(Counted::Left) => Outcome::Left,
        }
    }

    /// An error is the reason for which it is not read on purpose.
    async fn outcome(&self, object: &ObjectRef, named_ms: Option<i64>) -> Result<Counted, &'static str> {
        let shared = &*self.shared;
        if !shared.buckets.admits(&object.bucket) {
            shared.notices.tell_of_a_name(foreign(object)).await;
            return Ok(Counted::Left);
        }
        self.skips(object, named_ms)?;
        for version in object.keys.iter().filter_map(|key| version(object, key, object.etag.as_ref()?)) {
            if shared.damaged.is_given_up(&version) {
                return Ok(Counted::Left);
            }
            match shared.ask(move |ledger| ledger.is_finished(&version)).await {
                Ok(true) => {
                    shared.own.worked();
                    return Ok(Counted::AlreadyFinished);
                }
                Ok(false) => {}
                Err(why) => return Ok(self.own_fault(why).await),
            }
        }
        let gate = shared.gates.of(&object.bucket);
        let Some(entry) = self.enter(&gate).await else { return Ok(Counted::Outage) };
        let fetched = self.fetch(object, &gate, &entry).await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(Failed::Stopped) => return Ok(Counted::Returned),
            Err(Failed::Closed) => return Ok(Counted::Outage),
            Err(Failed::S3(error)) => return Ok(self.unread(object, &gate, &error).await),
        };
        gate.worked();
        drop(entry);
        if let Err(why) = shared.gates.has_given(&object.bucket, &gate).await {
            return Ok(self.own_fault(why).await);
        }
        let (fetched, room, url) = fetched;
        tracing::debug!("{url}: fetched");
        crash_point("object.fetched");
        Ok(self.evaluate(fetched, room, &url).await)
    }

    /// `None`: not now.
    async fn enter<'g>(&self, gate: &'g Gate) -> Option<Entry<'g>> {
        if self.receipts.is_some() {
            return gate.enter();
        }
        tokio::select! {
            entry = gate.entered() => Some(entry),
            () = self.shared.stopped() => None,
        }
    }

    /// Of what could not be fetched: whose fault that is.
    async fn unread(&self, object: &ObjectRef, gate: &Gate, error: &S3Error) -> Counted {
        let shared = &*self.shared;
        if matches!(error, S3Error::Local { .. }) {
            return self.own_fault(error.to_string()).await;
        }
        if is_general(error) {
            let trail = shared.buckets.trail(&object.bucket, "");
            let meanwhile = self.receipts.as_ref().map(|receipts| receipts.meanwhile()).unwrap_or_default();
            let failing = Failing { meanwhile, ..Failing::of_bucket(&trail, "s3:GetObject", error) };
            if gate.failed(&failing, Clock::System.now_ms()).await && !error.may_pass() {
                gate.tell(self.missing(object, error)).await;
            }
            return Counted::Outage;
        }
        // It was asked, and it has answered.
        gate.worked();
        let left = match error {
            S3Error::Archived(_) => archived(object, error),
            S3Error::TooLarge { .. } => too_large(object, error),
            _ => {
                gate.tell(self.missing(object, error)).await;
                return Counted::Returned;
            }
        };
        tracing::warn!("{}; it is left out", printable(&error.to_string()));
        gate.tell(left).await;
        Counted::Left
    }

    async fn evaluate(&self, fetched: Fetched, room: Room, url: &str) -> Counted {
        let version = ObjectVersion { object: url.to_owned(), version: fetched.etag.clone() };
        if self.shared.damaged.is_given_up(&version) {
            return Counted::Left;
        }
        let mut input = fetched.into_input(url);
        input.whole_only = true;
        let counted = match self.shared.offers.offer(input, room).await {
            Ended::Interrupted => return Counted::Returned,
            Ended::Read => Counted::Read,
            Ended::Unreadable(why) => return self.own_fault(why).await,
            Ended::Damaged(reason) => match self.shared.damaged.count(&version, &reason).await {
                Ok(true) => Counted::Left,
                Ok(false) => Counted::Returned,
                Err(why) => return self.own_fault(why).await,
            },
        };
        self.shared.own.worked();
        counted
    }

    /// Neither the object nor its bucket failed, but this process's state or disk.
    async fn own_fault(&self, why: String) -> Counted {
        self.shared.own.failed(&Failing::of(why), Clock::System.now_ms()).await;
        Counted::Outage
    }

    /// What is left alone by its name or time.
    fn skips(&self, object: &ObjectRef, named_ms: Option<i64>) -> Result<(), &'static str> {
        let key = object.keys.first().map(String::as_str).unwrap_or_default();
        if self.shared.buckets.leaves_out(&object.bucket, &object.keys) {
            return Err("other_prefix");
        }
        let mut delivered_ms = named_ms;
        match Object::of(key) {
            Object::Log(log) => {
                delivered_ms = log.delivered_ms.or(named_ms);
                match log.kind {
                    Kind::Events | Kind::NetworkActivity => {}
                    Kind::Digest => return Err("digest"),
                    Kind::Insight => return Err("insight"),
                    Kind::Aggregated => return Err("aggregated"),
                }
            }
            // Somebody's own layout, or one of CloudTrail's that is not known yet: what it holds the decoder says.
            Object::Unknown => {}
            Object::Other(folder) if [Kind::Events, Kind::NetworkActivity].iter().any(|kind| kind.folder() == folder) => {}
            Object::Other(_) => return Err("other_service"),
            Object::Folder => return Err("folder"),
        }
        match (self.from_ms, delivered_ms) {
            (Some(from), Some(delivered)) if delivered < minute_of(from) => Err("before_from"),
            _ => Ok(()),
        }
    }

    fn missing(&self, object: &ObjectRef, error: &S3Error) -> SystemAlert {
        let until = match self.receipts {
            Some(_) => "Its message is tried again, and is left to the dead-letter queue.",
            None => "It is tried again with every list.",
        };
        SystemAlert {
            rule: MISSING_OBJECT,
            dedup: object.bucket.clone(),
            title: format!("An object cannot be had: {error}"),
            severity: Severity::Medium,
            description: format!("{until} Further objects of this bucket are counted (`objects.returned`), not told one by one."),
            runbook: "Look whether a lifecycle rule removes or archives objects before they are read, whether the bucket's notifications name keys that do not exist, and whether some objects are denied where others are not: another owner, another key of KMS.",
            context: json!({"bucket": object.bucket, "keys": object.keys, "why": error.to_string()}),
        }
    }

    /// The first of the keys that there is an object under.
    async fn fetch(&self, object: &ObjectRef, gate: &Gate, entry: &Entry<'_>) -> Result<(Fetched, Room, String), Failed> {
        let shared = &*self.shared;
        let work = async {
            let memory = object.size.unwrap_or(UNKNOWN).min(IN_MEMORY);
            let _turn = shared.downloads.turn(&object.bucket, memory).await;
            if !gate.still_admits(entry) {
                return Err(Failed::Closed);
            }
            let mut room = shared.offers.room(memory).await;
            // No more than that, whatever a message says of its size.
            let spool = Spool { directory: shared.scratch.as_deref(), memory: room.bytes(), most: LARGEST };
            let bucket = shared.buckets.get(&object.bucket, object.region.as_deref()).await.map_err(Failed::S3)?;
            let mut failure = None;
            for key in &object.keys {
                match bucket.fetch(key, None, spool).await {
                    Ok(fetched) => {
                        room.shrink(fetched.size);
                        return Ok((fetched, room, bucket.url(key)));
                    }
                    Err(error) if matches!(error, S3Error::Missing(_)) || error.is_denied() => {
                        // Denied says more: with it the object may be there.
                        if failure.is_none() || error.is_denied() {
                            failure = Some(error);
                        }
                    }
                    Err(error) => return Err(Failed::S3(error)),
                }
            }
            Err(Failed::S3(failure.unwrap_or_else(|| S3Error::Missing(bucket.url("")))))
        };
        tokio::select! {
            fetched = work => fetched,
            () = shared.stopped() => Err(Failed::Stopped),
        }
    }
}

/// Under which count of `telemetry::Objects` it comes.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Read,
    AlreadyFinished,
    Returned,
    /// Returned, and not for a reason of its own.
    Outage,
    Left,
}

impl Counted {
    fn of(self, objects: &mut crate::telemetry::Objects) -> &mut u64 {
        match self {
            Self::Read => &mut objects.read,
            Self::AlreadyFinished => &mut objects.already_finished,
            Self::Returned | Self::Outage => &mut objects.returned,
            Self::Left => &mut objects.left,
        }
    }
}

/// As the ledger names it.
fn version(object: &ObjectRef, key: &str, etag: &str) -> Option<ObjectVersion> {
    let version = etag.trim_matches('"').to_owned();
    (!version.is_empty()).then(|| ObjectVersion { object: format!("s3://{}/{key}", object.bucket), version })
}

/// The same would happen to every object of the bucket.
fn is_general(error: &S3Error) -> bool {
    let of_one = matches!(error, S3Error::Failed { fault, .. }
        if matches!(fault.code.as_deref(), Some("InvalidBucketName" | "NoSuchKey" | "KeyTooLongError")));
    error.is_general() && !of_one
}

fn foreign(object: &ObjectRef) -> SystemAlert {
    SystemAlert {
        rule: FOREIGN_BUCKET,
        dedup: object.bucket.clone(),
        title: format!("A message names bucket {}, which is not to be read", object.bucket),
        severity: Severity::Medium,
        description: "Only buckets of the configuration, or of --bucket, are read. The message is not deleted.".to_owned(),
        runbook: "If the bucket is one of yours, add it to sources.buckets or --bucket. If not, find out who may send to the queue: its policy should admit the bucket or topic alone.",
        context: json!({"bucket": object.bucket, "key": object.keys.first()}),
    }
}

fn archived(object: &ObjectRef, error: &S3Error) -> SystemAlert {
    SystemAlert {
        rule: MISSING_OBJECT,
        dedup: format!("{}: archived", object.bucket),
        title: format!("An object cannot be had: {error}"),
        severity: Severity::Medium,
        description: "It is left out, and nothing waits for it. Further objects of this bucket are counted (`objects.left`) and logged, not told one by one.".to_owned(),
        runbook: "Let lifecycle rules keep objects out of the archive classes for longer than iota may be behind. To read those that are there, restore them (`aws s3api restore-object`), then `iota run` with the same --state and their s3:// URLs.",
        context: json!({"bucket": object.bucket, "keys": object.keys, "why": error.to_string()}),
    }
}

fn too_large(object: &ObjectRef, error: &S3Error) -> SystemAlert {
    SystemAlert {
        dedup: format!("{}: too large", object.bucket),
        title: format!("An object is not read: {error}"),
        runbook: "CloudTrail delivers nothing of this size: look who else may write to the bucket, or send to the queue. If it is one of yours, read it with `iota run`, the same --state and its s3:// URL.",
        ..archived(object, error)
    }
}
