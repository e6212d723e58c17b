//! A bucket that is listed again and again for new objects. Whole days are listed anew, and what was read is known by key and
//! etag: nothing rests on the order in which keys appear.

use super::failing::Failing;
use super::gate::Gate;
use super::reader::{Outcome, Reader, Shared};
use crate::pipeline::Clock;
use crate::source::minute_of;
use crate::source::s3::{Branch, Discovered, Listed, Range, S3Error, Source, TrailConfig, Wanted, list_ahead};
use iota_engine::digest::digest;
use iota_engine::notification::ObjectRef;
use iota_engine::object::Day;
use iota_engine::store::{Checkpoint, Unit};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Every list goes back to the start of the day that lies so far back: objects may come late, and clocks differ.
const LOOK_BACK_MS: i64 = 24 * 60 * 60 * 1_000;
/// New accounts and regions are looked for with every so many lists.
const DISCOVER: u32 = 5;
/// Objects of a list that are in work at once.
const IN_WORK: usize = 64;
/// Objects that a request lists.
const PAGE: i32 = 1_000;
/// Requests in a day above which it is said what they cost: at 0.005 USD per 1,000 (us-east-1), about a dollar.
const COSTLY: u64 = 200_000;

/// A bucket that is polled, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollConfig {
    pub trail: TrailConfig,
    /// From the start of one list to that of the next.
    pub interval: Duration,
}

#[derive(Debug)]
pub(super) struct Poll {
    config: PollConfig,
    /// Of the lists. Objects have that of their bucket.
    gate: Gate,
    reader: Arc<Reader>,
    working: JoinSet<([u8; 16], Outcome)>,
    /// What is listed and done with.
    known: HashSet<[u8; 16]>,
    branches: Vec<Branch>,
    /// There may be more of them: some folders could not be looked into.
    undiscovered: bool,
    /// When it was first started with this state, in milliseconds since 1970.
    begun_ms: Option<i64>,
    /// Start of the last list of which everything was done, the same way.
    complete_ms: Option<i64>,
    rounds: u32,
    warned: bool,
}

/// Why a round was not whole.
#[derive(Debug)]
enum Failed {
    /// Something could not be listed; the gate knows.
    List,
    /// The state of this process.
    Own(String),
}

impl Poll {
    pub(super) fn new(config: PollConfig, shared: &Arc<Shared>, from_ms: Option<i64>, begun_ms: Option<i64>) -> Self {
        let gate = Gate::new(format!("the list of {}", config.trail.shown()), Arc::clone(&shared.notices));
        let reader = Arc::new(Reader { shared: Arc::clone(shared), receipts: None, from_ms });
        let (working, known, branches) = (JoinSet::new(), HashSet::new(), Vec::new());
        Self {
            config,
            gate,
            reader,
            working,
            known,
            branches,
            undiscovered: true,
            begun_ms,
            complete_ms: None,
            rounds: 0,
            warned: false,
        }
    }

    /// Until the process is to end; then what is in work is given up.
    pub(super) async fn run(mut self) {
        let reader = Arc::clone(&self.reader);
        tokio::select! {
            () = self.rounds() => {}
            () = reader.shared.stopped() => {}
        }
        self.working.join_all().await;
    }

    /// Never returns.
    async fn rounds(&mut self) {
        tracing::info!("watching {}", self.config.trail.shown());
        let mut source = None;
        loop {
            self.gate.wait().await;
            self.reader.shared.own.wait().await;
            let started = Instant::now();
            let next = match self.round(&mut source).await {
                // Never more than half of the time.
                Ok(()) => (started + self.config.interval).max(Instant::now() + started.elapsed()),
                Err(Failed::List) => Instant::now(),
                Err(Failed::Own(why)) => {
                    self.reader.shared.own.failed(&Failing::of(why), Clock::System.now_ms()).await;
                    Instant::now()
                }
            };
            sleep_until(next).await;
        }
    }

    async fn round(&mut self, source: &mut Option<Source>) -> Result<(), Failed> {
        let started_ms = Clock::System.now_ms();
        let source = if let Some(source) = source { source } else { source.insert(self.begin().await?) };
        if self.undiscovered || self.branches.is_empty() || self.rounds.is_multiple_of(DISCOVER) {
            let found = source.discover(&Wanted::records()).await;
            self.discovered(found).await;
        }
        self.rounds = self.rounds.wrapping_add(1);
        let range = Range { from_ms: Some(self.begin_ms(started_ms)), to_ms: None };
        let mut listed = HashSet::new();
        let whole = self.list(source, range, &mut listed).await && !self.undiscovered;
        let complete = whole && listed.iter().all(|object| self.known.contains(object));
        if whole {
            // What is not listed any more is not asked for again.
            self.known.retain(|object| listed.contains(object));
            self.gate.worked();
        }
        if complete {
            self.complete_ms = Some(started_ms);
            let checkpoint = Checkpoint { key: self.key(), value: started_ms.to_string() };
            let unit = Unit { now_ms: started_ms, checkpoints: vec![checkpoint], ..Unit::default() };
            self.reader.shared.ask(move |ledger| ledger.commit(&unit)).await.map_err(Failed::Own)?;
            self.reader.shared.own.worked();
        }
        if whole { Ok(()) } else { Err(Failed::List) }
    }

    /// The bucket, and where the last process left off. Both or none: without the second the look-back would be too short.
    async fn begin(&mut self) -> Result<Source, Failed> {
        let source = match Source::connect(&self.config.trail).await {
            Ok(source) => source,
            Err(error) => {
                self.unlisted(&error).await;
                return Err(Failed::List);
            }
        };
        self.complete_ms = self.last_complete().await?;
        Ok(source)
    }

    /// What was found before is kept where it could not be looked for.
    async fn discovered(&mut self, found: Discovered) {
        let Discovered { mut branches, failed } = found;
        self.undiscovered = !failed.is_empty();
        if self.undiscovered {
            branches.append(&mut self.branches);
            branches.sort();
            branches.dedup();
        }
        self.branches = branches;
        for error in &failed {
            self.unlisted(error).await;
        }
        self.warn_of_cost();
    }

    /// Told as it happens: an outage is known long before a list of many branches has come to its end.
    async fn unlisted(&self, error: &S3Error) {
        let failing = Failing::of_bucket(&self.config.trail, "s3:ListBucket", error);
        self.gate.failed(&failing, Clock::System.now_ms()).await;
    }

    /// Lists, and has read what is not known. What was begun is brought to its end also when the list breaks off. False when
    /// not all could be listed.
    async fn list(&mut self, source: &Source, range: Range, listed: &mut HashSet<[u8; 16]>) -> bool {
        let whole = self.pages(source, range, listed).await;
        while !self.working.is_empty() {
            let done = self.working.join_next().await;
            self.done(done);
        }
        whole
    }

    /// A branch that cannot be listed holds up none behind it.
    async fn pages(&mut self, source: &Source, range: Range, listed: &mut HashSet<[u8; 16]>) -> bool {
        let mut whole = true;
        let mut ahead = list_ahead(source, self.branches.clone(), range, PAGE);
        while let Some((_, mut pages)) = ahead.recv().await {
            while let Some(page) = pages.recv().await {
                let page = match page {
                    Ok(page) => page,
                    Err(error) => {
                        self.unlisted(&error).await;
                        whole = false;
                        break;
                    }
                };
                for object in page {
                    let name = name(&object);
                    listed.insert(name);
                    if self.known.contains(&name) {
                        continue;
                    }
                    while self.working.len() >= IN_WORK {
                        let done = self.working.join_next().await;
                        self.done(done);
                    }
                    self.reader.shared.own.wait().await;
                    let (reader, object) = (Arc::clone(&self.reader), self.reference(object));
                    self.working.spawn(async move { (name, reader.read(&object, None).await) });
                    while let Some(done) = self.working.try_join_next() {
                        self.done(Some(done));
                    }
                }
            }
        }
        whole
    }

    fn done(&mut self, done: Option<Result<([u8; 16], Outcome), tokio::task::JoinError>>) {
        match done {
            Some(Ok((name, Outcome::Done | Outcome::Left))) => drop(self.known.insert(name)),
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Listed again, and read then.
            Some(Ok((_, Outcome::Later | Outcome::Outage)) | Err(_)) | None => {}
        }
    }

    fn reference(&self, object: Listed) -> ObjectRef {
        ObjectRef {
            bucket: self.config.trail.bucket.clone(),
            keys: vec![object.key],
            region: None,
            etag: Some(object.etag),
            size: Some(object.size),
        }
    }

    /// What is listed begins there.
    fn begin_ms(&self, now_ms: i64) -> i64 {
        let back = |ms: i64| Day::of_ms(ms.saturating_sub(LOOK_BACK_MS)).start_ms();
        // Names of objects have whole minutes.
        match (self.complete_ms, self.reader.from_ms.map(minute_of)) {
            (Some(complete), from) => back(complete.min(now_ms)).max(from.unwrap_or(i64::MIN)),
            (None, Some(from)) => from,
            // However long it takes until a list is complete.
            (None, None) => back(self.begun_ms.unwrap_or(now_ms).min(now_ms)),
        }
    }

    async fn last_complete(&self) -> Result<Option<i64>, Failed> {
        let key = self.key();
        let found =
            self.reader.shared.ask(move |ledger| Ok(ledger.checkpoints(&key)?.into_iter().find(|found| found.key == key)));
        Ok(found.await.map_err(Failed::Own)?.and_then(|found| found.value.parse().ok()))
    }

    fn key(&self) -> String {
        format!("poll:{}", self.config.trail.location())
    }

    fn warn_of_cost(&mut self) {
        let lists = 86_400 / self.config.interval.as_secs().max(1);
        let requests = lists.saturating_mul(self.branches.len() as u64 + self.branches.len() as u64 / u64::from(DISCOVER));
        if requests > COSTLY && !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "{}: {} accounts and regions make about {requests} list requests in a day; a longer poll interval or notifications through a queue cost less",
                self.config.trail.shown(),
                self.branches.len()
            );
        }
    }
}

/// Key and etag in few bytes.
fn name(object: &Listed) -> [u8; 16] {
    digest("iota-listed-v1", [object.key.as_bytes(), object.etag.as_bytes()])
}

#[cfg(test)]
#[path = "poll_tests.rs"]
mod tests;
