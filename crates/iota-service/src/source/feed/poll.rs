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
use std::collections::{BTreeMap, HashSet};
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
    /// Of those that fail where others do not.
    some: Gate,
    reader: Arc<Reader>,
    working: JoinSet<(String, Name, Outcome)>,
    branches: Vec<Branch>,
    /// By the prefix of their branch.
    folders: BTreeMap<String, Folder>,
    /// There may be more of them: some folders could not be looked into.
    undiscovered: bool,
    /// When it was first started with this state, in milliseconds since 1970.
    begun_ms: Option<i64>,
    /// Start of the last list of all branches of which everything was done, the same way.
    complete_ms: Option<i64>,
    rounds: u32,
    warned: bool,
}

/// Key and etag of an object, in few bytes.
type Name = [u8; 16];

/// What is known of a branch.
#[derive(Debug, Default)]
struct Folder {
    /// What is listed and done with.
    known: HashSet<Name>,
    /// Start of the last list of which everything was done, in milliseconds since 1970, where this process made it.
    complete_ms: Option<i64>,
}

/// What a list has found.
#[derive(Debug, Default)]
struct Found {
    /// Branches that were listed to their end, with all that is in them.
    whole: BTreeMap<String, HashSet<Name>>,
    /// Why others were not.
    failed: Vec<S3Error>,
}

/// Why a round came to nothing.
#[derive(Debug)]
enum Failed {
    /// Nothing could be listed; the gate knows.
    List,
    /// The state of this process.
    Own(String),
}

impl Poll {
    pub(super) fn new(config: PollConfig, shared: &Arc<Shared>, from_ms: Option<i64>, begun_ms: Option<i64>) -> Self {
        let gate = Gate::new(format!("the list of {}", config.trail.shown()), Arc::clone(&shared.notices));
        let reader = Arc::new(Reader { shared: Arc::clone(shared), receipts: None, from_ms });
        let some = Gate::new(format!("some of the folders of {}", config.trail.shown()), Arc::clone(&shared.notices));
        Self {
            config,
            gate,
            some,
            reader,
            working: JoinSet::new(),
            branches: Vec::new(),
            folders: BTreeMap::new(),
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
        let Found { whole, failed } = self.list(source, started_ms).await;
        if whole.is_empty() && (self.undiscovered || !failed.is_empty()) {
            return Err(Failed::List);
        }
        self.gate.worked();
        for error in &failed {
            self.some_unlisted(error).await;
        }
        if failed.is_empty() && !self.undiscovered {
            self.some.worked();
        }
        if self.settle(&whole, started_ms) && !self.undiscovered {
            self.complete_ms = Some(started_ms);
            let checkpoint = Checkpoint { key: self.key(), value: started_ms.to_string() };
            let unit = Unit { now_ms: started_ms, checkpoints: vec![checkpoint], ..Unit::default() };
            self.reader.shared.ask(move |ledger| ledger.commit(&unit)).await.map_err(Failed::Own)?;
            self.reader.shared.own.worked();
        }
        Ok(())
    }

    /// Takes note of what was listed. True when everything of every branch is done.
    fn settle(&mut self, whole: &BTreeMap<String, HashSet<Name>>, started_ms: i64) -> bool {
        for (prefix, listed) in whole {
            let folder = self.folders.entry(prefix.clone()).or_default();
            // What is not listed any more is not asked for again.
            folder.known.retain(|object| listed.contains(object));
            if folder.known.len() == listed.len() {
                folder.complete_ms = Some(started_ms);
            }
        }
        let is_complete =
            |branch: &Branch| self.folders.get(&branch.prefix).is_some_and(|folder| folder.complete_ms == Some(started_ms));
        self.branches.iter().all(is_complete)
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
        let there: HashSet<&str> = self.branches.iter().map(|branch| branch.prefix.as_str()).collect();
        self.folders.retain(|prefix, _| there.contains(prefix.as_str()));
        for error in &failed {
            if self.branches.is_empty() {
                self.unlisted(error).await;
            } else {
                self.some_unlisted(error).await;
            }
        }
        self.warn_of_cost();
    }

    async fn unlisted(&self, error: &S3Error) {
        self.gate.failed(&self.failing(error), Clock::System.now_ms()).await;
    }

    /// Where others are listed: those go on, and this is tried again with the next list.
    async fn some_unlisted(&self, error: &S3Error) {
        self.some.failed(&self.failing(error), Clock::System.now_ms()).await;
    }

    fn failing(&self, error: &S3Error) -> Failing {
        Failing::of_bucket(&self.config.trail, "s3:ListBucket", error)
    }

    /// Lists, and has read what is not known. What was begun is brought to its end also when the list breaks off.
    async fn list(&mut self, source: &Source, now_ms: i64) -> Found {
        let found = self.pages(source, now_ms).await;
        while !self.working.is_empty() {
            let done = self.working.join_next().await;
            self.done(done);
        }
        found
    }

    /// A branch that cannot be listed holds up none behind it.
    async fn pages(&mut self, source: &Source, now_ms: i64) -> Found {
        let mut found = Found::default();
        let branches: Vec<_> = self.branches.iter().map(|branch| (branch.clone(), self.range(branch, now_ms))).collect();
        let mut ahead = list_ahead(source, branches.into_iter(), PAGE);
        while let Some((branch, mut pages)) = ahead.recv().await {
            let (mut listed, mut failed) = (HashSet::new(), None);
            while let Some(page) = pages.recv().await {
                match page {
                    Ok(page) => self.page(&branch.prefix, page, &mut listed).await,
                    Err(error) => failed = Some(error),
                }
            }
            match failed {
                None => drop(found.whole.insert(branch.prefix, listed)),
                Some(error) => {
                    // Told as it happens: an outage is known long before a list of many branches has come to its end.
                    if found.whole.is_empty() {
                        self.unlisted(&error).await;
                    }
                    found.failed.push(error);
                }
            }
        }
        found
    }

    async fn page(&mut self, prefix: &str, page: Vec<Listed>, listed: &mut HashSet<Name>) {
        for object in page {
            let name = name(&object);
            listed.insert(name);
            if self.folders.get(prefix).is_some_and(|folder| folder.known.contains(&name)) {
                continue;
            }
            while self.working.len() >= IN_WORK {
                let done = self.working.join_next().await;
                self.done(done);
            }
            self.reader.shared.own.wait().await;
            let (reader, prefix, object) = (Arc::clone(&self.reader), prefix.to_owned(), self.reference(object));
            self.working.spawn(async move { (prefix, name, reader.read(&object, None).await) });
            while let Some(done) = self.working.try_join_next() {
                self.done(Some(done));
            }
        }
    }

    fn done(&mut self, done: Option<Result<(String, Name, Outcome), tokio::task::JoinError>>) {
        match done {
            Some(Ok((prefix, name, Outcome::Done | Outcome::Left))) => {
                self.folders.entry(prefix).or_default().known.insert(name);
            }
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Listed again, and read then.
            Some(Ok((_, _, Outcome::Later | Outcome::Outage)) | Err(_)) | None => {}
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

    /// What is listed of a branch.
    fn range(&self, branch: &Branch, now_ms: i64) -> Range {
        let complete_ms = self.folders.get(&branch.prefix).and_then(|folder| folder.complete_ms).or(self.complete_ms);
        Range { from_ms: Some(self.begin_ms(complete_ms, now_ms)), to_ms: None }
    }

    /// It begins there, after a list of which everything was done.
    fn begin_ms(&self, complete_ms: Option<i64>, now_ms: i64) -> i64 {
        let back = |ms: i64| Day::of_ms(ms.saturating_sub(LOOK_BACK_MS)).start_ms();
        // Names of objects have whole minutes.
        match (complete_ms, self.reader.from_ms.map(minute_of)) {
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

fn name(object: &Listed) -> Name {
    digest("iota-listed-v1", [object.key.as_bytes(), object.etag.as_bytes()])
}

#[cfg(test)]
#[path = "poll_tests.rs"]
mod tests;
