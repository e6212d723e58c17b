//! Objects as inputs of one run: listed before it begins, and fetched a little ahead of whoever reads them, in order.

use super::{
    Bucket, Buckets, Fetched, Listed, Location, LocationError, ObjectList, Range, S3Error, Source, Spool, Wanted, list_ahead,
};
use crate::source::{Data, Input};
use iota_engine::object::{Object, Root};
use iota_engine::store::{Finished, Terms};
use iota_python::Stop;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Objects that are fetched ahead. The first 4 MiB of each are in memory.
const AHEAD: usize = 16;
/// Objects in a row that fail for a reason that is not their own, until it is taken for an outage.
const OUTAGE: u32 = 10;
/// How soon a request to stop is seen.
const TICK: Duration = Duration::from_millis(100);
const PAGE: i32 = 1_000;
/// Pages of a list that wait.
const PAGES: usize = 2;

/// An object to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchObject {
    /// As it is named in the state, `s3://BUCKET/KEY`.
    pub url: String,
    /// Only in this version.
    pub etag: Option<String>,
    /// In bytes, where it is known.
    pub size: u64,
    /// It was read before: its events are judged as they were then.
    pub terms: Option<Terms>,
}

impl BatchObject {
    /// One that was read before, if it is from a bucket.
    pub fn of_finished(Finished { object, terms }: &Finished) -> Option<Self> {
        object.object.parse::<Location>().ok()?;
        Some(Self { url: object.object.clone(), etag: Some(object.version.clone()), size: 0, terms: Some(*terms) })
    }

    fn of_listed(bucket: &Bucket, object: Listed) -> Self {
        let etag = Some(object.etag).filter(|etag| !etag.is_empty());
        Self { url: bucket.url(&object.key), etag, size: object.size, terms: None }
    }
}

/// A connection to buckets for one run.
#[derive(Debug)]
pub struct Batch {
    runtime: Runtime,
    buckets: Arc<Buckets>,
    stop: Arc<Stop>,
}

/// The objects of a batch, in the order in which they are going to be read.
#[derive(Debug)]
pub struct Objects(Arc<Ahead>);

/// What the inputs of a batch share.
struct Ahead {
    batch: Batch,
    objects: ObjectList,
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

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead").field("objects", &self.objects.len()).finish_non_exhaustive()
    }
}

impl Batch {
    pub fn open(buckets: Buckets, stop: Arc<Stop>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("s3").enable_all().build()?;
        Ok(Self { runtime, buckets: Arc::new(buckets), stop })
    }

    /// CloudTrail's files with records below a place, page by page, in order of account, kind, region and key; where there are
    /// none, all objects below it that are no other service's. An error is the last item.
    pub fn list(&self, place: &Location) -> impl Iterator<Item = Result<Vec<BatchObject>, S3Error>> {
        let (sender, mut receiver) = mpsc::channel(PAGES);
        let (buckets, place) = (Arc::clone(&self.buckets), place.clone());
        self.runtime.spawn(async move {
            if let Err(error) = list(&buckets, &place, &sender).await {
                // Nobody wants to know.
                let _ = sender.send(Err(error)).await;
            }
        });
        std::iter::from_fn(move || receiver.blocking_recv())
    }

    pub fn objects(self, objects: ObjectList) -> Objects {
        Objects(Arc::new(Ahead { batch: self, objects, slots: Mutex::default(), failed_in_a_row: AtomicU32::new(0) }))
    }
}

impl Objects {
    pub fn len(&self) -> usize {
        self.0.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.objects.is_empty()
    }

    /// Size of all of them, as far as it is known.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.objects.bytes()
    }

    /// Made anew each time it is asked for.
    pub(crate) fn input(&self, index: usize) -> Option<Input> {
        let BatchObject { url, etag, size, terms } = self.0.objects.get(index)?;
        let data = Data::Remote(Remote { ahead: Arc::clone(&self.0), index });
        Some(Input { terms, ..Input::new(Path::new(&url).into(), size, etag.map(Into::into), data) })
    }
}

type Pages = mpsc::Sender<Result<Vec<BatchObject>, S3Error>>;

/// Ends early when nobody wants more.
async fn list(buckets: &Buckets, place: &Location, to: &Pages) -> Result<(), S3Error> {
    // One connection for all places of a bucket: there may be thousands, each a single object.
    let bucket = buckets.get(&place.bucket, None).await?;
    let source = Source { name: place.to_string(), bucket, root: Root::of_prefix(&place.prefix) };
    let branches = super::discover(&source.bucket, &source.root, &Wanted::records()).await.whole()?;
    if branches.is_empty() {
        return plain(&source.bucket, &place.prefix, to).await;
    }
    let mut ahead = list_ahead(&source, branches.into_iter().map(|branch| (branch, Range::default())), PAGE);
    while let Some((_, mut pages)) = ahead.recv().await {
        while let Some(page) = pages.recv().await {
            let page = page?.into_iter().map(|object| BatchObject::of_listed(&source.bucket, object)).collect();
            if to.send(Ok(page)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Without the layout of CloudTrail: what somebody has copied there.
async fn plain(bucket: &Bucket, prefix: &str, to: &Pages) -> Result<(), S3Error> {
    let mut pages = bucket.list(prefix, None, PAGE);
    while let Some(page) = pages.next().await? {
        let is_ours = |object: &Listed| match Object::of(&object.key) {
            Object::Log(log) => log.kind.has_records(),
            Object::Unknown => true,
            Object::Other(_) | Object::Folder => false,
        };
        let page = page.into_iter().filter(is_ours).map(|object| BatchObject::of_listed(bucket, object)).collect();
        if to.send(Ok(page)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
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
        let object = self.objects.get(index);
        let buckets = Arc::clone(&self.batch.buckets);
        self.batch.runtime.spawn(async move {
            let BatchObject { url, etag, .. } = object.ok_or_else(|| S3Error::Missing(format!("object {index}")))?;
            let Location { bucket, prefix: key } = location(&url)?;
            buckets.get(&bucket, None).await?.fetch(&key, etag.as_deref(), Spool::default()).await
        })
    }
}

fn location(url: &str) -> Result<Location, S3Error> {
    url.parse().map_err(|why| S3Error::Local { what: url.to_owned(), why: io::Error::other::<LocationError>(why) })
}
