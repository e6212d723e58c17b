//! Runs the pipeline for as long as the process lives, in rounds: what is ready is taken, run and committed, and only then
//! counts as read. The workers of the rules live across rounds.

mod loader;
mod not_taken;
mod pauses;
mod reload;
mod rule_set;
mod share;
mod wakes;

use loader::Loader;
pub use not_taken::NotTaken;
use pauses::{Pauses, Trying};
pub use reload::RuleFiles;
pub use rule_set::RuleSet;
use share::Share;
pub use wakes::{Wake, Waker, Wakes, wakes};

use crate::audit::{InForce, Reloaded, Sending, record_in_force, record_refused, record_reload};
use crate::metrics::{Metrics, PausedName, Snapshot};
use crate::pipeline::{
    AlertSink, Clock, Durable, Emit, Ended, Engine, FastPath, Keep, Paused, Progress, Rerun, RerunResult, Run, RunFailure, State,
    Stop, persist,
};
use crate::rules::Python;
use crate::source::feed::{Ending, Feed, Offer};
use crate::source::{Directory, Input};
use crate::telemetry::Stats;
use iota_engine::alert::Severity;
use iota_engine::store::{Actor, Desk, StoreError, Unit};
use iota_engine::system::PACK;
use notify::{EventKind, RecursiveMode, Watcher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often what need not be kept any longer is forgotten: the state would grow for ever.
const RETAIN: Duration = Duration::from_secs(60 * 60);
/// How often the accounting is written.
const REPORT: Duration = Duration::from_secs(10);
/// How long sources may take to give back what is in work, at the end.
const END: Duration = Duration::from_secs(5);
/// A rescan waits at least so many times as long as the last one took, so that it never takes more of a core than 1/50.
const RESCAN_SHARE: u32 = 50;

/// What is paused; `None` stands for calls that were left out for another reason.
fn left_out(engine: &mut Engine) -> Vec<Option<Paused>> {
    let other = engine.has_left_out().then_some(None);
    engine.paused().into_iter().map(Some).chain(other).collect()
}

/// Reads the rules, and what decides about their alerts, again, until it is asked to stop.
pub type Load<'a> = dyn FnMut(&Arc<Stop>) -> Result<RuleSet, NotTaken> + Send + 'a;

#[derive(Debug)]
pub struct Watch<'a> {
    pub python: &'a Python,
    pub workers: usize,
    /// Its triage is that of the rules that run.
    pub durable: Durable,
    /// Of the same state.
    pub desk: &'a dyn Desk,
    /// Where alerts go, whatever is read again.
    pub sending: &'a Sending,
    pub directories: Vec<Directory>,
    /// How often directories are looked through for what nobody told.
    pub rescan: Duration,
    /// False where nothing tells of changes, or it is not to be relied on.
    pub inotify: bool,
    /// Sources beside directories.
    pub feed: Option<Feed>,
    pub rule_files: RuleFiles,
    /// Where the accounting is written, as JSON.
    pub stats_file: Option<PathBuf>,
    /// Who is told of it after every round.
    pub metrics: Option<Arc<Metrics>>,
}

/// Where an input came from, and is to be told to.
enum From {
    /// By number.
    Directory(usize),
    Feed(Offer),
}

/// What the loop does after it has waited.
enum Next {
    Round,
    Reload,
    End,
}

/// Alerts leave through the outbox.
struct Nowhere;

impl AlertSink for Nowhere {
    fn alert(&mut self, _: &[u8], _: Severity) -> io::Result<()> {
        Err(io::Error::other("internal error, please report it: an alert passed the outbox by"))
    }
}

#[derive(Debug)]
pub struct Watched {
    pub stats: Stats,
    pub failure: Option<RunFailure>,
    pub imbalance: Option<String>,
    /// Why a source could not be read to its end, if one could not.
    pub broken: Option<String>,
}

impl Watch<'_> {
    /// Until somebody asks for an end, all sources have ended, or nothing works any more.
    pub fn run(
        &mut self,
        rules: RuleSet,
        load: &mut Load<'_>,
        wakes: (Waker, &Wakes),
        progress: &Progress,
        stats: Stats,
    ) -> Watched {
        let mut watched = thread::scope(|scope| {
            let loader = Loader::start(scope, load, wakes.0.clone());
            self.rounds(rules, loader, wakes, progress, stats)
        });
        if let Some(feed) = self.feed.take() {
            watched.broken = feed.broken();
            watched.stats.sources = Some(feed.end(END));
            watched.imbalance = watched.imbalance.take().or_else(|| watched.stats.imbalance());
        }
        watched
    }

    fn rounds(
        &mut self,
        mut rules: RuleSet,
        mut loader: Loader,
        (waker, woken): (Waker, &Wakes),
        progress: &Progress,
        stats: Stats,
    ) -> Watched {
        let mut watched = Watched { stats, failure: None, imbalance: None, broken: None };
        let mut engine = Engine::new(&self.of_round(&rules, &[]));
        // Held as long as the loop goes.
        let _notifier = (self.inotify && !self.directories.is_empty()).then(|| self.notifier(&waker));
        let mut next_scan = Instant::now();
        let mut pauses = Pauses::new(next_scan);
        let mut rounds = 0;
        // It was done when the state was opened.
        let mut next_retain = Instant::now() + RETAIN;
        // At once: whoever looks finds it, and not an empty file.
        let mut next_report = Instant::now();
        let mut asked = false;
        loop {
            if progress.stop.is_requested() {
                return watched;
            }
            let now = Instant::now();
            if now >= next_scan {
                for directory in &mut self.directories {
                    directory.rescan(now);
                }
                next_scan = Instant::now() + self.rescan.max(now.elapsed() * RESCAN_SHARE);
            }
            if now >= next_retain {
                if let Err(error) = self.durable.ledger.retain(Clock::System.now_ms()) {
                    tracing::warn!("forgetting what is no longer needed, tried again in an hour: {error}");
                }
                next_retain = now + RETAIN;
            }
            if now >= next_report {
                self.report(&mut watched.stats);
                next_report = Instant::now() + REPORT;
            }
            let why = if std::mem::take(&mut asked) {
                Some("SIGHUP")
            } else {
                self.rule_files.have_changed().then_some("files changed")
            };
            if let Some(why) = why {
                self.rule_files.note();
                loader.ask(why);
            }
            if let Some(loaded) = loader.take()
                && let Err(error) = self.take_rules(&mut rules, (&mut engine, &mut pauses), loaded, &progress.stop)
            {
                return Watched { failure: Some(error.into()), ..watched };
            }
            if let Err(failure) = self.make_up(&rules, (&mut engine, &mut pauses), progress, &mut watched.stats) {
                return Watched { failure: Some(failure), ..watched };
            }
            // What has come while calls were made up goes before the next of them.
            while let Some(wake) = woken.now() {
                match self.hear(wake) {
                    Some(Next::End) => return watched,
                    Some(Next::Reload) => asked = true,
                    Some(Next::Round) | None => {}
                }
            }
            let (inputs, from) = self.take();
            if !inputs.is_empty() {
                let result = self.of_round(&rules, &inputs).execute_on(
                    &mut engine,
                    progress,
                    &mut Nowhere,
                    std::mem::take(&mut watched.stats),
                );
                watched.stats = result.stats;
                let failed = result.failure.is_some() || result.imbalance.is_some();
                if let Some(feed) = self.feed.as_ref().filter(|_| failed || progress.stop.is_requested()) {
                    // Before they learn that nothing became of their inputs.
                    feed.stop(if failed { Ending::Failed } else { Ending::Asked });
                }
                if failed {
                    return Watched { failure: result.failure, imbalance: result.imbalance, ..watched };
                }
                rounds += 1;
                self.settle(&inputs, from, result.ended);
                pauses.note(left_out(&mut engine), Instant::now());
            }
            let over = self.feed.as_ref().is_some_and(Feed::is_over) && self.directories.is_empty();
            self.publish(&mut watched.stats, &rules, &engine, rounds);
            let reports = self.stats_file.is_some() || self.metrics.is_some();
            let until = if reports { next_scan.min(next_report) } else { next_scan };
            let next = if over { Next::End } else { self.wait(woken, until, progress, &pauses) };
            match next {
                Next::Round => {}
                Next::Reload => asked = true,
                Next::End => return watched,
            }
        }
    }

    fn take(&mut self) -> (Vec<Input>, Vec<From>) {
        let (now, now_ms) = (Instant::now(), Clock::System.now_ms());
        let (mut inputs, mut from, mut share) = (Vec::new(), Vec::new(), Share::new(self.waiting(now)));
        if let Some(feed) = self.feed.as_ref().filter(|feed| feed.has_more()) {
            let (count, bytes) = share.next();
            for offer in feed.take(count, bytes) {
                share.used(offer.input.size);
                inputs.push(offer.input.clone());
                from.push(From::Feed(offer));
            }
        }
        for (number, directory) in self.directories.iter_mut().enumerate().filter(|(_, directory)| directory.is_due(now)) {
            let (count, bytes) = share.next();
            let taken = directory.take(count, bytes, now, now_ms);
            for input in taken {
                share.used(input.size);
                inputs.push(input);
                from.push(From::Directory(number));
            }
        }
        (inputs, from)
    }

    /// Sources that may have something to take.
    fn waiting(&self, now: Instant) -> usize {
        let feed = self.feed.iter().filter(|feed| feed.has_more()).count();
        feed + self.directories.iter().filter(|directory| directory.is_due(now)).count()
    }

    /// Tells each source what became of its inputs.
    fn settle(&mut self, inputs: &[Input], from: Vec<From>, ended: Vec<Ended>) {
        let mut ended = ended.into_iter();
        for (input, from) in inputs.iter().zip(from) {
            let ended = ended.next().unwrap_or(Ended::Interrupted);
            match from {
                From::Directory(number) => self.directories[number].settle(input, &ended, Instant::now()),
                From::Feed(offer) => offer.settle(ended),
            }
        }
    }

    /// Writes the accounting as it is now.
    fn report(&self, stats: &mut Stats) {
        let Some(path) = &self.stats_file else { return };
        stats.sources = self.feed.as_ref().map(Feed::sources);
        if let Err(error) = stats.write(path) {
            tracing::warn!("--stats {}: {error}", path.display());
        }
    }

    /// Tells the metrics of what is known now.
    fn publish(&self, stats: &mut Stats, rules: &RuleSet, engine: &Engine, rounds: u64) {
        let Some(metrics) = &self.metrics else { return };
        stats.sources = self.feed.as_ref().map(Feed::sources);
        let paused = engine.paused().into_iter().map(|paused| rules.name(paused)).collect();
        let (mut stats, count) = (stats.clone(), rules.count() as u64);
        // Series of rules that are gone would stay for ever.
        let ids = rules.ids();
        stats.rules.retain(|name, _| name.split_once('/').is_some_and(|name| name.0 == PACK || ids.contains(&name)));
        metrics.publish(Snapshot { stats, rules: count, rules_read_at: rules.read_at, paused, rounds });
    }

    /// For the next thing to do.
    fn wait(&mut self, wakes: &Wakes, until: Instant, progress: &Progress, pauses: &Pauses) -> Next {
        let mut until = until.min(self.rule_files.next_look());
        until = pauses.next_due().map_or(until, |due| until.min(due));
        for directory in &self.directories {
            until = directory.next_due().map_or(until, |due| until.min(due));
        }
        let mut more = self.directories.iter().any(Directory::has_more) || self.feed.as_ref().is_some_and(Feed::has_more);
        loop {
            match if more { wakes.now() } else { wakes.until(until) } {
                Some(wake) => {
                    if let Some(next) = self.hear(wake) {
                        return next;
                    }
                }
                None if progress.stop.is_requested() => return Next::End,
                None => return Next::Round,
            }
            // What else has come goes into the same round.
            more = true;
        }
    }

    /// Takes note of what was told; gives what it asks for, if that is not a round.
    fn hear(&mut self, wake: Wake) -> Option<Next> {
        match wake {
            Wake::Changed(paths) => {
                for directory in &mut self.directories {
                    let root = directory.root().to_owned();
                    directory.changed(paths.iter().filter(|path| path.starts_with(&root)).cloned());
                }
            }
            Wake::Rescan => {
                for directory in &mut self.directories {
                    directory.rescan(Instant::now());
                }
            }
            Wake::Ready | Wake::Loaded => {}
            Wake::Reload => return Some(Next::Reload),
            Wake::Stop => return Some(Next::End),
        }
        None
    }

    fn of_round<'r>(&'r self, rules: &'r RuleSet, inputs: &'r [Input]) -> Run<'r> {
        Run {
            packs: &rules.packs,
            python: self.python,
            inputs: inputs.into(),
            clock: Clock::System,
            limits: rules.limits,
            workers: self.workers,
            emit: Emit::First,
            updates: false,
            fast_path: FastPath::On { verify: 0.0 },
            keep: Keep::State(State { durable: &self.durable, desk: self.desk }),
        }
    }

    /// Runs a part of what was left out of rules and packs whose pause is over. The next one follows after a round of input.
    fn make_up(
        &self,
        rules: &RuleSet,
        (engine, pauses): (&mut Engine, &mut Pauses),
        progress: &Progress,
        stats: &mut Stats,
    ) -> Result<(), RunFailure> {
        if pauses.trying.is_none() {
            let due = pauses.due(Instant::now());
            if due.is_empty() {
                return Ok(());
            }
            for paused in due.iter().flatten() {
                let PausedName { kind, name } = rules.name(*paused);
                tracing::info!("{kind} {name}: its pause is over; it is tried again");
                engine.resume(*paused);
            }
            pauses.trying = Some(Trying { paused: due, after: 0 });
        }
        let after = pauses.trying.as_ref().map_or(0, |trying| trying.after);
        let durable = self.durable.again();
        let (python, limits, clock) = (self.python, rules.limits, Clock::System);
        let again = Rerun { packs: &rules.packs, python, clock, limits, durable: &durable, desk: self.desk };
        let result = again.part_of_left_out(after, engine, progress, std::mem::take(stats));
        let RerunResult { stats: counted, failure, pairs, rest, .. } = result;
        *stats = counted;
        if pairs > 0 {
            tracing::info!("{pairs} calls that had been left out were made");
        }
        let now = Instant::now();
        pauses.note(left_out(engine), now);
        match (rest, &mut pauses.trying) {
            (Some(rest), Some(trying)) => trying.after = rest,
            (_, trying) => {
                let works = trying.take().map(|trying| trying.paused);
                works.into_iter().flatten().for_each(|paused| pauses.tried(paused, true, now));
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// All of the new rules and of what decides about their alerts, or nothing of it.
    fn take_rules(
        &mut self,
        rules: &mut RuleSet,
        (engine, pauses): (&mut Engine, &mut Pauses),
        (why, loaded): (&str, Result<RuleSet, NotTaken>),
        stop: &Stop,
    ) -> Result<(), StoreError> {
        let new = match loaded {
            Ok(new) => new,
            Err(NotTaken { why: refused, alerts, files }) => {
                tracing::error!("the rules have changed, and are not taken: {refused}; those that ran before go on");
                persist(stop, || record_refused(self.desk, (why, &refused), &|| Actor::Iota))?;
                for alert in alerts {
                    persist(stop, || self.durable.raise(&alert, Unit::default(), Clock::System.now_ms()))?;
                }
                // A pack that is new among them may be mended.
                if let Some(files) = files {
                    self.rule_files.follow(&files);
                }
                return Ok(());
            }
        };
        let reloaded = Reloaded { before: &rules.packs, after: &new.packs, why };
        let sandbox = &self.python.program.sandbox.level();
        let in_force = InForce { triage: &new.triage, sending: self.sending, sandbox };
        persist(stop, || record_reload(self.desk, reloaded, &|| Actor::Iota))?;
        persist(stop, || record_in_force(self.desk, in_force, &|| Actor::Iota))?;
        *rules = new;
        self.durable.triage = Arc::clone(&rules.triage);
        self.rule_files.follow(&rules.files);
        *engine = Engine::new(&self.of_round(rules, &[]));
        // Nothing of them is paused, and what was left out is due.
        *pauses = Pauses::new(Instant::now());
        tracing::info!("the rules were read again; {} run now", rules.count());
        Ok(())
    }

    /// Tells the loop of changes. Where that does not work, the rescan finds them.
    fn notifier(&self, waker: &Waker) -> Option<notify::RecommendedWatcher> {
        let (waker, told) = (waker.clone(), Arc::new(AtomicBool::new(false)));
        let tell = move |event: notify::Result<notify::Event>| match event {
            // Reading is no change; and it would be told of without end.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
            Ok(event) if event.need_rescan() => waker.wake(Wake::Rescan),
            Ok(event) => waker.wake(Wake::Changed(event.paths)),
            Err(error) => {
                if !told.swap(true, Ordering::Relaxed) {
                    tracing::warn!("not all changes are told of ({error}); the rescan finds the others");
                }
                waker.wake(Wake::Rescan);
            }
        };
        let mut watcher = match notify::recommended_watcher(tell) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!("changes are not told of ({error}); the rescan finds them");
                return None;
            }
        };
        for directory in &self.directories {
            if let Err(error) = watcher.watch(directory.root(), RecursiveMode::Recursive) {
                tracing::warn!("{}: changes are not told of ({error}); the rescan finds them", directory.root().display());
            }
        }
        Some(watcher)
    }
}
