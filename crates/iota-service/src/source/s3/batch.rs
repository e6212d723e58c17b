//! Objects as inputs of one run: listed before it begins, and fetched a little ahead of whoever reads them, in order.

use super::{Bucket, Buckets, Fetched, Listed, Location, LocationError, Range, S3Error, Source, Spool, Wanted, list_ahead};
use crate::source::{Data, Input};
use iota_engine::object::{Object, Root};
use iota_engine::store::{Finished, Terms};
use iota_python::Stop;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Objects that are fetched ahead. The first 4 MiB of each are in memory.
const AHEAD: usize = 16;
/// Objects in a row that fail for a reason that is not their own, until it is taken for an outage.
const OUTAGE: u32 = 10;
/// How soon a request to stop is seen.
const TICK: Duration = Duration::from_millis(100);
const PAGE: i32 = 1_000;

/// An object to read. There may be millions: what it is called is shared with its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchObject {
    /// As it is named in the state, `s3://BUCKET/KEY`.
    pub url: Arc<Path>,
    /// Only in this version.
    pub etag: Option<Arc<str>>,
    /// In bytes, where it is known.
    pub size: u64,
    /// It was read before: its events are judged as they were then.
    pub terms: Option<Terms>,
}

impl BatchObject {
    /// One that was read before, if it is from a bucket.
    pub fn of_finished(Finished { object, terms }: &Finished) -> Option<Self> {
        object.object.parse::<Location>().ok()?;
        let (url, etag) = (Path::new(&object.object).into(), Some(object.version.as_str().into()));
        Some(Self { url, etag, size: 0, terms: Some(*terms) })
    }

    fn of_listed(bucket: &Bucket, object: Listed) -> Self {
        let etag = Some(object.etag).filter(|etag| !etag.is_empty());
        let url = PathBuf::from(bucket.url(&object.key)).into();
        Self { url, etag: etag.map(Into::into), size: object.size, terms: None }
    }
}

/// A connection to buckets for one run.
#[derive(Debug)]
pub struct Batch {
    runtime: Runtime,
    buckets: Arc<Buckets>,
    stop: Arc<Stop>,
}

/// What the inputs of a batch share.
struct Ahead {
    batch: Batch,
    objects: Vec<BatchObject>,
    slots: Mutex<Slots>,
    failed_in_a_row: AtomicU32,
}

#[derive(Default)]
struct Slots {
    /// The first object that is not being fetched yet.
    next: usize,
    fetching: HashMap<usize, JoinHandle<Result<Fetched, S3Error>>>,
    /// Told again to whoever asks again.
    failed: HashMap<usize, String>,
}

/// One of them.
#[derive(Clone)]
pub struct Remote {
    ahead: Arc<Ahead>,
    index: usize,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.ahead.objects.get(self.index)).finish()
    }
}

impl Batch {
    pub fn open(buckets: Buckets, stop: Arc<Stop>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("s3").enable_all().build()?;
        Ok(Self { runtime, buckets: Arc::new(buckets), stop })
    }

    /// CloudTrail's files with records below a place, in order of account, kind, region and key; where there are none, all
    /// objects below it that are no other service's.
    pub fn list(&self, place: &Location) -> Result<Vec<BatchObject>, S3Error> {
        self.runtime.block_on(async {
            // One connection for all places of a bucket: there may be thousands, each a single object.
            let bucket = self.buckets.get(&place.bucket, None).await?;
            let source = Source { name: place.to_string(), bucket, root: Root::of_prefix(&place.prefix) };
            let branches = super::branches(&source.bucket, &source.root, &Wanted::records()).await?;
            if branches.is_empty() {
                return plain(&source.bucket, &place.prefix).await;
            }
            let mut listed = Vec::new();
            let mut ahead = list_ahead(&source, branches, Range::default(), PAGE);
            while let Some((_, mut pages)) = ahead.recv().await {
                while let Some(page) = pages.recv().await {
                    listed.extend(page?.into_iter().map(|object| BatchObject::of_listed(&source.bucket, object)));
                }
            }
            Ok(listed)
        })
    }

    /// In the order in which they are going to be read.
    pub fn inputs(self, objects: Vec<BatchObject>) -> Vec<Input> {
        let count = objects.len();
        let ahead = Arc::new(Ahead { batch: self, objects, slots: Mutex::default(), failed_in_a_row: AtomicU32::new(0) });
        let input = |index: usize| {
            let BatchObject { url, etag, size, terms } = ahead.objects[index].clone();
            let data = Data::Remote(Remote { ahead: Arc::clone(&ahead), index });
            Input { terms, ..Input::new(url, size, etag, data) }
        };
        (0..count).map(input).collect()
    }
}

/// Without the layout of CloudTrail: what somebody has copied there.
async fn plain(bucket: &Bucket, prefix: &str) -> Result<Vec<BatchObject>, S3Error> {
    let (mut listed, mut pages) = (Vec::new(), bucket.list(prefix, None, PAGE));
    while let Some(page) = pages.next().await? {
        let is_ours = |object: &Listed| match Object::of(&object.key) {
            Object::Log(log) => log.kind.has_records(),
            Object::Unknown => true,
            Object::Other(_) | Object::Folder => false,
        };
        listed.extend(page.into_iter().filter(is_ours).map(|object| BatchObject::of_listed(bucket, object)));
    }
    Ok(listed)
}

impl Remote {
    /// Waits until it is there.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.ahead.fetched(self.index).map(|fetched| Box::new(fetched.body) as Box<dyn Read + Send>)
    }
}

impl Ahead {
    fn fetched(&self, index: usize) -> io::Result<Fetched> {
        let mut fetching = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(why) = slots.failed.get(&index) {
                return Err(io::Error::other(why.clone()));
            }
            if self.failed_in_a_row.load(Ordering::Relaxed) >= OUTAGE {
                return Err(io::Error::other(format!("not tried: {OUTAGE} objects in a row could not be read")));
            }
            while slots.next < self.objects.len().min(index + 1 + AHEAD) {
                let next = slots.next;
                slots.next += 1;
                slots.fetching.insert(next, self.fetch(next));
            }
            slots.fetching.remove(&index).unwrap_or_else(|| self.fetch(index))
        };
        let done = loop {
            let wait = async { tokio::time::timeout(TICK, &mut fetching).await };
            match self.batch.runtime.block_on(wait) {
                Ok(Ok(done)) => break done,
                Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Ok(Err(error)) => return Err(io::Error::other(error.to_string())),
                Err(_) if self.batch.stop.is_requested() => {
                    fetching.abort();
                    return Err(io::Error::other("interrupted"));
                }
                Err(_) => {}
            }
        };
        done.inspect(|_| self.failed_in_a_row.store(0, Ordering::Relaxed)).map_err(|error| {
            if error.is_general() {
                self.failed_in_a_row.fetch_add(1, Ordering::Relaxed);
            }
            let why = error.to_string();
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.failed.insert(index, why.clone());
            io::Error::other(why)
        })
    }

    fn fetch(&self, index: usize) -> JoinHandle<Result<Fetched, S3Error>> {
        let BatchObject { url, etag, .. } = self.objects[index].clone();
        let buckets = Arc::clone(&self.batch.buckets);
        self.batch.runtime.spawn(async move {
            let Location { bucket, prefix: key } = location(&url)?;
            buckets.get(&bucket, None).await?.fetch(&key, etag.as_deref(), Spool::default()).await
        })
    }
}

fn location(url: &Path) -> Result<Location, S3Error> {
    let url = url.to_string_lossy();
    url.parse().map_err(|why| S3Error::Local { what: url.into_owned(), why: io::Error::other::<LocationError>(why) })
}
