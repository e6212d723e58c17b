//! One round: list, download, decode, drop what was read before, commit. Downloads and decoding run side by side; results
//! are taken in the order of the list, so that what comes out does not depend on who was faster.

use super::IngestConfig;
use super::decode::{Chunk, decode};
use super::state::{DoneObject, Known, State, StateError};
use super::unit::{OutputError, Unit, recover};
use crate::source::s3::{Fetched, Listed, Range, S3Error, Source, Spool, Wanted, list_ahead};
use iota_engine::decode::Limits;
use iota_engine::object::{Kind, Object};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A unit is committed when it has so many objects, bytes of lines, or is so old, whichever comes first.
const UNIT_OBJECTS: usize = 500;
const UNIT_BYTES: u64 = 128 << 20;
const UNIT_AGE: Duration = Duration::from_secs(10);
/// Objects in a row that fail for a reason that is not their own, until it is taken for an outage.
const OUTAGE: u32 = 10;
/// How often it is asked whether to stop while nothing comes.
const STOP: Duration = Duration::from_millis(200);
const PROGRESS: Duration = Duration::from_secs(10);

#[derive(Debug, Error)]
pub enum SyncError {
    #[error(transparent)]
    S3(#[from] S3Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("{why}; so did {OUTAGE} objects in a row, and the rest was not tried")]
    Outage { why: S3Error },
    #[error("{what}: {why}")]
    Read { what: String, why: std::io::Error },
}

/// What came of the objects and records. `records_read` = written + duplicates + rejected + skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub objects_listed: u64,
    /// Read before.
    pub objects_known: u64,
    pub objects_read: u64,
    /// Read again, because the object was replaced.
    pub objects_changed: u64,
    /// Could not be read; the next round tries again.
    pub objects_failed: u64,
    pub bytes_read: u64,
    pub records_read: u64,
    pub records_written: u64,
    pub records_duplicate: u64,
    pub records_rejected: u64,
    /// What is no event, by kind.
    pub records_skipped: BTreeMap<&'static str, u64>,
    pub files_written: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.objects_listed += other.objects_listed;
        self.objects_known += other.objects_known;
        self.objects_read += other.objects_read;
        self.objects_changed += other.objects_changed;
        self.objects_failed += other.objects_failed;
        self.bytes_read += other.bytes_read;
        self.records_read += other.records_read;
        self.records_written += other.records_written;
        self.records_duplicate += other.records_duplicate;
        self.records_rejected += other.records_rejected;
        for (&kind, count) in &other.records_skipped {
            *self.records_skipped.entry(kind).or_default() += count;
        }
        self.files_written += other.files_written;
    }
}

/// An object to read.
#[derive(Debug, Clone)]
pub struct Job {
    pub source: Source,
    pub object: Listed,
}

/// A sync with its open state.
#[derive(Debug)]
pub struct Sync<'a> {
    pub config: &'a IngestConfig,
    pub state: State,
    pub stop: Arc<AtomicBool>,
    /// Of what is durable.
    pub counts: Counts,
    /// Of what is not committed yet.
    uncommitted: Counts,
    started: Instant,
    told: Instant,
    failed_in_a_row: u32,
}

type Decoding = (Job, Result<mpsc::Receiver<Result<Chunk, std::io::Error>>, S3Error>, Option<Body>);
/// Given back by the decoder, to be kept if something in it was rejected.
type Body = JoinHandle<Fetched>;

impl<'a> Sync<'a> {
    /// Takes the state's lock, and finishes what a crash left unfinished.
    pub fn open(config: &'a IngestConfig, stop: Arc<AtomicBool>) -> Result<Self, SyncError> {
        let mut state = State::open(&config.state_db)?;
        recover(&config.events_dir, &mut state)?;
        let (started, told, counts) = (Instant::now(), Instant::now(), Counts::default());
        Ok(Self { config, state, stop, counts: counts.clone(), uncommitted: counts, started, told, failed_in_a_row: 0 })
    }

    /// Reads what was delivered in a range and is not known. Stops early, with everything committed, when asked to.
    pub async fn round(&mut self, sources: &[Source], range: Range) -> Result<(), SyncError> {
        let wanted = Wanted {
            accounts: self.config.accounts.clone(),
            regions: self.config.regions.clone(),
            kinds: Kind::ALL.into_iter().filter(|kind| kind.has_records()).collect(),
        };
        let (sender, receiver) = mpsc::channel(self.config.download_workers * 2);
        let reader = State::reader(&self.config.state_db)?;
        let (sources, page, stop) = (sources.to_vec(), self.config.list_batch_size, Arc::clone(&self.stop));
        // Of what is known nothing is handed on, so the list would not see that nobody takes any more.
        let (taking, mut over) = oneshot::channel::<()>();
        let listing = tokio::spawn(async move {
            let mut tally = Counts::default();
            for source in &sources {
                let branches = source.branches(&wanted).await?;
                tracing::debug!("{}: {} accounts and regions", source.name, branches.len());
                let mut ahead = list_ahead(source, branches.into_iter().map(move |branch| (branch, range)), page);
                while let Some((_, mut pages)) = ahead.recv().await {
                    loop {
                        let page = tokio::select! {
                            page = pages.recv() => page,
                            _ = &mut over => return Ok(tally),
                        };
                        let Some(page) = page else { break };
                        if stop.load(Ordering::Relaxed) {
                            return Ok(tally);
                        }
                        for object in page? {
                            tally.objects_listed += 1;
                            let known = match &reader {
                                Some(state) => state.knows(&source.bucket.name, &object.key, &object.etag)?,
                                None => Known::No,
                            };
                            match known {
                                Known::Yes => {
                                    tally.objects_known += 1;
                                    continue;
                                }
                                Known::Changed => {
                                    tally.objects_changed += 1;
                                    tracing::warn!(
                                        "{}: was replaced since it was read; it is read again",
                                        source.bucket.url(&object.key)
                                    );
                                }
                                Known::No => {}
                            }
                            if stop.load(Ordering::Relaxed) || sender.send(Job { source: source.clone(), object }).await.is_err()
                            {
                                return Ok(tally);
                            }
                        }
                    }
                }
            }
            Ok::<_, SyncError>(tally)
        });
        let taken = self.take(receiver).await;
        drop(taking);
        let listed = join(listing).await;
        if let Ok(tally) = &listed {
            self.counts.add(tally);
        }
        taken.and(listed.map(|_| ()))
    }

    /// Reads given objects.
    pub async fn fetch(&mut self, jobs: Vec<Job>) -> Result<(), SyncError> {
        let (sender, receiver) = mpsc::channel(self.config.download_workers * 2);
        self.counts.objects_listed += jobs.len() as u64;
        let sending = tokio::spawn(async move {
            for job in jobs {
                if sender.send(job).await.is_err() {
                    break;
                }
            }
        });
        let taken = self.take(receiver).await;
        join(sending).await;
        taken
    }

    async fn take(&mut self, jobs: mpsc::Receiver<Job>) -> Result<(), SyncError> {
        let mut decoding = self.download_and_decode(jobs);
        let config = self.config;
        let new_unit = || Unit::new(&config.events_dir, config.events_per_file);
        let (mut unit, mut since) = (new_unit(), Instant::now());
        let is_due = |unit: &Unit<'_>, since: Instant| {
            unit.objects.len() >= UNIT_OBJECTS || unit.bytes >= UNIT_BYTES || since.elapsed() >= UNIT_AGE
        };
        loop {
            if is_due(&unit, since) {
                self.commit(std::mem::replace(&mut unit, new_unit()))?;
                since = Instant::now();
            }
            // Looked at also while nothing comes: a slow server must not keep a stop waiting.
            let decoded = tokio::select! {
                decoded = decoding.recv() => decoded,
                () = tokio::time::sleep(STOP) => {
                    if self.stop.load(Ordering::Relaxed) { break }
                    continue
                }
            };
            let Some((job, chunks, body)) = decoded else { break };
            match chunks {
                Ok(chunks) => {
                    self.failed_in_a_row = 0;
                    self.object(&mut unit, &job, chunks, body).await?;
                }
                Err(error) => {
                    self.counts.objects_failed += 1;
                    tracing::error!("{error}");
                    self.failed_in_a_row = if error.is_general() { self.failed_in_a_row + 1 } else { 0 };
                    if self.failed_in_a_row >= OUTAGE {
                        self.commit(unit)?;
                        return Err(SyncError::Outage { why: error });
                    }
                }
            }
            self.progress();
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        self.commit(unit)
    }

    fn commit(&mut self, unit: Unit<'_>) -> Result<(), SyncError> {
        if !unit.is_empty() {
            self.uncommitted.files_written += unit.commit(&mut self.state)? as u64;
        }
        self.counts.add(&std::mem::take(&mut self.uncommitted));
        Ok(())
    }

    async fn object(
        &mut self,
        unit: &mut Unit<'_>,
        job: &Job,
        mut chunks: mpsc::Receiver<Result<Chunk, std::io::Error>>,
        body: Option<Body>,
    ) -> Result<(), SyncError> {
        let url = job.source.bucket.url(&job.object.key);
        let (account, region, file) = match Object::of(&job.object.key) {
            Object::Log(log) => (log.account, log.region, log.file),
            _ => ("unknown", "unknown", "object"),
        };
        let (mut written, mut duplicates, mut rejected, mut skipped) = (0, 0, 0, 0);
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk.map_err(|why| SyncError::Read { what: url.clone(), why })?;
            for (line, id) in chunk.lines() {
                if unit.is_new(&self.state, id)? {
                    unit.line(&format!("{account}/{region}/{}", hour_path(id.0)), line)?;
                    written += 1;
                } else {
                    duplicates += 1;
                }
            }
            for reject in &chunk.rejects {
                rejected += 1;
                tracing::error!("{url}: record {}, line {}, byte {}: {}", reject.number, reject.line, reject.offset, reject.why);
                let line = serde_json::json!({
                    "object": url, "etag": job.object.etag, "record": reject.number, "line": reject.line, "offset": reject.offset,
                    "code": reject.code, "why": reject.why,
                });
                unit.reject(line.to_string().as_bytes())?;
            }
            for (code, count) in &chunk.skipped {
                skipped += count;
                *self.uncommitted.records_skipped.entry(code).or_default() += count;
            }
        }
        if let Some(body) = body {
            let mut fetched = join(body).await;
            if rejected > 0 {
                fetched.rewind().map_err(|why| SyncError::Read { what: url, why })?;
                unit.keep(file, &mut fetched.body)?;
            }
            self.uncommitted.bytes_read += fetched.size;
        }
        let records = written + duplicates + rejected + skipped;
        self.uncommitted.objects_read += 1;
        self.uncommitted.records_read += records;
        self.uncommitted.records_written += written;
        self.uncommitted.records_duplicate += duplicates;
        self.uncommitted.records_rejected += rejected;
        let Listed { key, etag, .. } = job.object.clone();
        unit.objects.push(DoneObject {
            bucket: job.source.bucket.name.clone(),
            key,
            etag,
            records,
            written,
            duplicates,
            rejected,
        });
        Ok(())
    }

    /// Both steps are bounded, in order, and the first in order is always the one that goes on: nobody waits in a circle.
    fn download_and_decode(&self, mut jobs: mpsc::Receiver<Job>) -> mpsc::Receiver<Decoding> {
        let (download_sender, mut downloads) =
            mpsc::channel::<(Job, JoinHandle<Result<Fetched, S3Error>>)>(self.config.download_workers);
        let scratch = self.config.state_db.parent().map(std::path::Path::to_owned);
        tokio::spawn(async move {
            while let Some(job) = jobs.recv().await {
                let (source, object, scratch) = (job.source.clone(), job.object.clone(), scratch.clone());
                let etag = Some(object.etag).filter(|etag| !etag.is_empty());
                let scratch = scratch.filter(|path| !path.as_os_str().is_empty());
                let handle = tokio::spawn(async move {
                    source.bucket.fetch(&object.key, etag.as_deref(), Spool::below(scratch.as_deref())).await
                });
                if let Err(unsent) = download_sender.send((job, handle)).await {
                    unsent.0.1.abort();
                    return;
                }
            }
        });
        let (sender, receiver) = mpsc::channel(self.config.process_workers);
        tokio::spawn(async move {
            while let Some((job, handle)) = downloads.recv().await {
                let decoding = match join(handle).await {
                    Err(error) => (job, Err(error), None),
                    Ok(fetched) => {
                        let (chunks, body) = start_decoding(&job, fetched);
                        (job, Ok(chunks), Some(body))
                    }
                };
                if sender.send(decoding).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn progress(&mut self) {
        if self.told.elapsed() < PROGRESS {
            return;
        }
        self.told = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = |count: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let count = count as f64;
            count / seconds
        };
        let Counts { objects_read, records_written, bytes_read, .. } = self.counts;
        tracing::info!(
            "{objects_read} objects read ({:.0}/s, {:.1} MB/s), {records_written} records written ({:.0}/s)",
            rate(objects_read),
            rate(bytes_read) / 1e6,
            rate(records_written)
        );
    }
}

fn start_decoding(job: &Job, mut fetched: Fetched) -> (mpsc::Receiver<Result<Chunk, std::io::Error>>, Body) {
    let (sender, receiver) = mpsc::channel(4);
    let delivered_ms = match Object::of(&job.object.key) {
        Object::Log(log) => log.delivered_ms.unwrap_or_else(|| log.day.after().start_ms()),
        _ => 0,
    };
    let body = tokio::task::spawn_blocking(move || {
        let decoded = decode(&mut fetched.body, Limits::default(), delivered_ms, |chunk| sender.blocking_send(Ok(chunk)).is_ok());
        if let Err(error) = decoded {
            let _ = sender.blocking_send(Err(error));
        }
        fetched
    });
    (receiver, body)
}

/// `YYYY/MM/DD/HH`.
fn hour_path(hour: i64) -> String {
    let time = Timestamp::from_second(hour.saturating_mul(3600)).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y/%m/%d/%H").to_string()
}

/// A panic of a task is one of ours.
async fn join<T>(handle: JoinHandle<T>) -> T {
    match handle.await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
