//! The packs of an evaluating thread. Each has a worker of its own, and a thread for it where there is more than one pack: none
//! waits for what another does.

use super::sequence::Job;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use iota_engine::rule::{Batch, Outcome, Pair, RuleRunner};
use iota_python::{Cancel, LeftOut, PackRunner};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a batch may take beyond the deadlines of two calls, before its other packs go on: several times the start of a worker.
const STARTS: Duration = Duration::from_secs(3);

/// After so long the next pack begins, too. As a rule one is done by then: those that run at once slow one another down.
const ALONE: Duration = Duration::from_millis(250);

/// How long a batch waits for a pack, where what is left out is kept. Within it a call that hangs is found: it runs into its
/// deadline once among others, and once alone.
pub(super) fn patience(call_time: Duration) -> Duration {
    call_time * 2 + STARTS
}

/// One pack's part of a thread: its worker, and the rules it runs there.
pub(super) struct Lane {
    pub(super) pack: u16,
    pub(super) runner: PackRunner,
    pub(super) rules: BTreeSet<u16>,
}

/// What was asked of one pack, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What was handed to the runner: counted on its own, so that a pair that gets lost on the way is noticed.
    pub(super) given: Vec<Pair>,
    pub(super) outcome: Outcome,
}

impl Done {
    /// Adds another part of the same batch.
    pub(super) fn append(&mut self, mut other: Self) {
        self.given.append(&mut other.given);
        self.outcome.append(other.outcome);
    }

    fn not_run(given: Vec<Pair>) -> Self {
        Self { outcome: Outcome { not_run: given.clone(), ..Outcome::default() }, given }
    }
}

pub(super) enum Lanes {
    /// Nobody else waits: it runs on the evaluating thread.
    Alone(Box<Lane>),
    SideBySide(Vec<Beside>),
}

impl Lanes {
    pub(super) fn start(mut lanes: Vec<Lane>) -> io::Result<Self> {
        match lanes.pop() {
            Some(lane) if lanes.is_empty() => Ok(Self::Alone(Box::new(lane))),
            last => Ok(Self::SideBySide(lanes.into_iter().chain(last).map(Beside::start).collect::<io::Result<_>>()?)),
        }
    }

    /// What the packs make of a batch, in their order, and one after another. With `patience` none waits for one that is slow, and
    /// one that takes longer is left out of the batch.
    pub(super) fn evaluate(&mut self, job: &Arc<Job>, patience: Option<Duration>) -> Vec<Done> {
        match self {
            Self::Alone(lane) => {
                let given = pairs(&job.batch, lane.pack, &lane.rules);
                // Without a candidate the worker is left alone, and not even started.
                let outcome = if given.is_empty() { Outcome::default() } else { lane.runner.evaluate(&job.batch, &given) };
                vec![Done { given, outcome }]
            }
            Self::SideBySide(lanes) => {
                let asked: Vec<Asked> = lanes.iter_mut().map(|lane| lane.ask(job, patience)).collect();
                // Who is asked alone keeps nobody waiting.
                let patience = patience.filter(|_| asked.iter().filter(|asked| asked.waiting.is_some()).count() > 1);
                lanes.iter_mut().zip(asked).map(|(lane, asked)| lane.answer(asked, patience)).collect()
            }
        }
    }
}

fn pairs(batch: &Batch, pack: u16, rules: &BTreeSet<u16>) -> Vec<Pair> {
    batch.pairs(pack).filter(|pair| rules.contains(&pair.rule)).collect()
}

/// A pack whose worker has a thread of its own, which must live as long as the worker.
pub(super) struct Beside {
    pack: u16,
    rules: BTreeSet<u16>,
    left_out: Arc<LeftOut>,
    work: Option<Sender<Work>>,
    /// `None`: what was started is over.
    answers: Receiver<Option<Answer>>,
    /// It starts a worker, because nobody waited for that any longer.
    is_starting: bool,
    /// Of that start.
    end: Arc<Cancel>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    job: Arc<Job>,
    given: Vec<Pair>,
    cancel: Arc<Cancel>,
    is_begun: Arc<OnceLock<bool>>,
}

struct Answer {
    outcome: Outcome,
    time: Duration,
    /// A worker is started now.
    is_starting: bool,
}

/// What a pack is to make of a batch.
struct Asked {
    given: Vec<Pair>,
    /// `None`: it is not asked.
    waiting: Option<Waiting>,
}

struct Waiting {
    cancel: Arc<Cancel>,
    /// Decided by whoever is first: true, it has a worker and begins; false, that takes its time and nobody waits for it.
    is_begun: Arc<OnceLock<bool>>,
    until: Option<Instant>,
    /// It was quick.
    answer: Option<Answer>,
}

impl Beside {
    fn start(Lane { pack, mut runner, rules }: Lane) -> io::Result<Self> {
        let (work, given) = bounded::<Work>(1);
        let (sender, answers) = bounded(1);
        let (left_out, end) = (runner.left_out(), Arc::<Cancel>::default());
        let until = Arc::clone(&end);
        let run = move || {
            for Work { job, given, cancel, is_begun } in given {
                let started = Instant::now();
                runner.until(Arc::clone(&until));
                runner.start_for(&given);
                if !is_begun.get_or_init(|| true) {
                    let _ = sender.send(None);
                    continue;
                }
                runner.until(Arc::clone(&cancel));
                let outcome = runner.evaluate(&job.batch, &given);
                drop(job);
                let is_starting = cancel.is_cancelled() && !runner.has_worker();
                let _ = sender.send(Some(Answer { outcome, time: started.elapsed(), is_starting }));
                if is_starting {
                    runner.until(Arc::clone(&until));
                    runner.start_for(&given);
                    let _ = sender.send(None);
                }
            }
        };
        let thread = Some(thread::Builder::new().name("pack".to_owned()).spawn(run)?);
        Ok(Self { pack, rules, left_out, work: Some(work), answers, is_starting: false, end, thread })
    }

    /// Waits for the answer as long as nobody else is to begin.
    fn ask(&mut self, job: &Arc<Job>, patience: Option<Duration>) -> Asked {
        let given = pairs(&job.batch, self.pack, &self.rules);
        if given.is_empty() {
            return Asked { given, waiting: None };
        }
        if self.is_starting {
            // A thread that has panicked is found out below.
            let of_start = if patience.is_some() {
                self.answers.try_recv()
            } else {
                self.answers.recv().map_err(|_| TryRecvError::Disconnected)
            };
            self.is_starting = matches!(of_start, Err(TryRecvError::Empty));
        }
        if self.is_starting {
            return Asked { given, waiting: None };
        }
        let (cancel, is_begun) = (Arc::<Cancel>::default(), Arc::<OnceLock<bool>>::default());
        let (job, given_to) = (Arc::clone(job), given.clone());
        let work = Work { job, given: given_to, cancel: Arc::clone(&cancel), is_begun: Arc::clone(&is_begun) };
        // A thread that has panicked does not answer, which is noticed.
        let _ = self.work.as_ref().map(|sender| sender.send(work));
        let until = patience.map(|patience| Instant::now() + patience);
        let answer = if until.is_some() { self.answers.recv_timeout(ALONE).ok() } else { self.answers.recv().ok() };
        Asked { given, waiting: Some(Waiting { cancel, is_begun, until, answer: answer.flatten() }) }
    }

    /// With `patience` others wait for it.
    fn answer(&mut self, Asked { given, waiting }: Asked, patience: Option<Duration>) -> Done {
        let Some(Waiting { cancel, is_begun, until, answer }) = waiting else { return Done::not_run(given) };
        let in_time = answer.or_else(|| self.answers.recv_deadline(until?).ok().flatten());
        let lives = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if in_time.is_none() && until.is_some() && lives && !is_begun.get_or_init(|| false) {
            self.is_starting = true;
            let mut done = Done::not_run(given);
            done.outcome.pause = patience.and_then(|patience| self.left_out.waited_for(patience, Instant::now()));
            return done;
        }
        let answer = in_time.or_else(|| {
            // It answers at once, with what it has run.
            cancel.cancel();
            self.answers.recv().ok().flatten()
        });
        let Answer { mut outcome, time, is_starting } = answer.expect("the thread of a pack answers, unless it has panicked");
        self.is_starting = is_starting;
        if let Some(patience) = patience {
            let too_much = self.left_out.waited_for(time.min(patience), Instant::now());
            outcome.pause = outcome.pause.or(too_much);
        }
        Done { given, outcome }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.end.cancel();
        self.work = None;
        // It has said why, if it panicked.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
