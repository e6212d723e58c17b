//! The closing end of a run: results in input order to groups, alerts and counts.

mod account;

use super::bodies::Bodies;
use super::commit::Committer;
use super::deferred::Deferred;
use super::describe::{Described, Judged};
use super::evaluate::Done;
use super::gather::{Gather, Room};
use super::groups::{Groupings, Held, RuleIndex};
use super::journal::Journal;
use super::live::Live;
use super::run::{Clock, Keep, index};
use super::sequence::Job;
use super::system::{pack_paused, paused};
use super::trouble::{Pause, Reason, RuleOfPack, Trouble};
use crate::rules::LoadedPack;
use crate::source::Inputs;
use crate::telemetry::{ErrorGroup, Stats};
use iota_engine::aggregate::{Change, Finding, Sighting};
use iota_engine::alert::{Action, Origin, SCHEMA_VERSION, Severity, Standing};
use iota_engine::event::format_ms;
use iota_engine::index::Candidate;
use iota_engine::rule::{BatchRecord, Outcome, Pair, RuleMatch};
use iota_engine::store::{Class, StoreError, UPDATE_COUNTS};
use iota_python::{KILLS, PACK_KILLS, Stop};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// When alerts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// When they are created.
    First,
    /// When the input has ended, with their final counts.
    Final,
}

/// Takes alerts, in order.
pub trait AlertSink {
    /// `json` is the whole alert on one line, without the line end.
    fn alert(&mut self, json: &[u8], severity: Severity) -> io::Result<()>;
}

/// How matches become alerts.
enum Groups<'a> {
    First(Live),
    Final(Gather),
    /// In a store; alerts leave through its outbox.
    Stored(Box<Committer<'a>>),
}

pub(super) struct Collector<'a> {
    pub(super) packs: &'a [LoadedPack],
    pub(super) inputs: Inputs<'a>,
    updates: bool,
    clock: Clock,
    pub(super) sink: &'a mut dyn AlertSink,
    pub(super) stats: Stats,
    groups: Groups<'a>,
    keep: Keep<'a>,
    stop: &'a Stop,
    bodies: Bodies,
    /// Only where no state keeps them.
    deferred: Deferred,
    /// The first contradiction in what came back.
    broken: Option<String>,
    memory: &'a mut Memory,
}

/// Pairs of a batch that were not run: the place of the record, and the rule.
pub(super) type NotRun = Vec<(u32, RuleOfPack)>;

/// What is kept of rules from one run to the next.
#[derive(Debug)]
pub(super) struct Memory {
    errors: BTreeMap<(String, String), ErrorGroup>,
    journal: Journal,
    pub(super) trouble: Trouble,
    /// Calls were left out although their rule is not paused: no worker could be started, or too many ended in a batch.
    pub(super) no_worker: bool,
}

impl Memory {
    pub(super) fn new(packs: usize) -> Self {
        let (errors, journal) = (BTreeMap::new(), Journal::default());
        Self { errors, journal, trouble: Trouble::new(packs), no_worker: false }
    }
}

/// What is read with which rules, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) packs: &'a [LoadedPack],
    pub(super) inputs: Inputs<'a>,
    pub(super) clock: Clock,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        At { packs, inputs, clock }: At<'a>,
        (emit, updates): (Emit, bool),
        sink: &'a mut dyn AlertSink,
        stats: Stats,
        (keep, stop): (Keep<'a>, &'a Stop),
        memory: &'a mut Memory,
    ) -> Self {
        let rules = Arc::new(Groupings::of(packs));
        let groups = match (keep.durable(), emit) {
            (Some(durable), _) => Groups::Stored(Box::new(Committer::new(durable, rules, clock, stop))),
            (None, Emit::First) => Groups::First(Live::new(rules)),
            (None, Emit::Final) => Groups::Final(Gather::new(rules, Room::default())),
        };
        let (bodies, deferred) = (Bodies::default(), Deferred::default());
        Self { packs, inputs, updates, clock, sink, stats, groups, keep, stop, bodies, deferred, broken: None, memory }
    }

    /// Some of the input is left for the next run.
    pub(super) fn is_abandoned(&self) -> bool {
        matches!(&self.groups, Groups::Stored(committer) if committer.is_abandoned())
    }

    /// Pauses rules that keep ending their workers, and packs as a whole, and tells of it.
    fn judge(&mut self, job: &Job, pack: usize, given: &[Pair], outcome: &mut Outcome) -> io::Result<()> {
        for pause in self.memory.trouble.judge(pack, given, outcome) {
            let pair = match pause {
                Pause::Rule(pair) => pair,
                Pause::Pack(reason) => {
                    self.pack_paused(pack, &reason)?;
                    continue;
                }
            };
            let (of_pack, record) = (&self.packs[pack], &job.batch.records()[pair.record as usize]);
            let rule = name(of_pack, pair.rule);
            tracing::error!(
                "rule {rule}: killed its worker {KILLS} times; it is paused, and calls that are left out are run later"
            );
            if let Groups::Stored(committer) = &mut self.groups {
                let failure =
                    outcome.errors.iter().find(|error| error.fatal && error.rule == pair.rule).map(|error| &error.failure);
                let object = self.inputs.of(record.unit).name();
                let alert = paused(of_pack, pair.rule, failure, &Origin { object, version: None, record: record.number });
                self.memory.journal.paused(rule, alert.context.clone());
                committer.add_alert(&alert, &mut self.stats)?;
            }
        }
        Ok(())
    }

    fn pack_paused(&mut self, pack: usize, reason: &Reason) -> io::Result<()> {
        let pack = &self.packs[pack];
        let why = match reason {
            Reason::NoWorker(why) => format!("no worker can be started, its rules are not run: {why}"),
            Reason::Killed => format!("its rules have ended {PACK_KILLS} workers or more, with fewer calls that did not"),
        };
        tracing::error!("pack {} is paused, and calls that are left out are run later: {why}", pack.pack.name);
        if let Groups::Stored(committer) = &mut self.groups {
            let alert = pack_paused(pack, &why);
            self.memory.journal.pack_paused(pack.pack.name.clone(), alert.context.clone());
            committer.add_alert(&alert, &mut self.stats)?;
        }
        Ok(())
    }

    pub(super) fn is_paused(&self, rule: RuleOfPack) -> bool {
        self.memory.trouble.is_paused(rule)
    }

    /// Takes the results of one batch, by pack.
    /// Returns the pairs that were not run.
    pub(super) fn take(&mut self, job: &Job, done: Vec<Done>) -> io::Result<NotRun> {
        self.stats.inputs.add(&job.inputs);
        self.stats.records.add(&job.records);
        job.batch.records().iter().for_each(|record| self.stats.records.note_time(record.time.ms));
        if let Groups::Stored(committer) = &mut self.groups {
            committer.begin(job);
        }
        let (mut matches, mut not_run) = (Vec::new(), NotRun::new());
        for (pack, Done { given, mut outcome }) in done.into_iter().enumerate() {
            let candidates = job.batch.pairs(index(pack)).count();
            if candidates != given.len() {
                let pack = &self.packs[pack].pack.name;
                let lost = || format!("pack {pack}: of {candidates} candidates {} were evaluated", given.len());
                self.broken.get_or_insert_with(lost);
            }
            self.judge(job, pack, &given, &mut outcome)?;
            self.account(job, pack, &given, &outcome);
            self.verify(job, pack, &outcome);
            self.keep(job, pack, &mut outcome)?;
            for error in outcome.errors {
                self.error(job, pack, error);
            }
            for log in &outcome.logs {
                self.log(pack, log);
            }
            matches.extend(outcome.matches.into_iter().map(|found| (found.record, pack, found)));
            not_run.extend(outcome.not_run.iter().map(|pair| (pair.record, (pack, pair.rule))));
        }
        matches.sort_by_key(|(record, pack, found)| (*record, *pack, found.rule));
        for (_, pack, found) in matches {
            self.found(job, pack, &found)?;
        }
        if let Groups::Stored(committer) = &mut self.groups {
            committer.end(job, &mut self.stats);
        } else {
            self.deferred.add(job, not_run.clone());
        }
        Ok(not_run)
    }

    /// Calls that were left out and are to be run now, as far as that is of any use; their rules and packs are resumed.
    pub(super) fn deferred(&mut self) -> Vec<Job> {
        if self.deferred.is_empty() {
            return Vec::new();
        }
        let (packs, trouble) = (self.packs, &mut self.memory.trouble);
        for paused in trouble.hopeful() {
            trouble.resume(paused);
        }
        let rule_of = |candidate: &Candidate| (usize::from(candidate.pack), candidate.rule);
        let keeps_state = |candidate: &Candidate| packs[usize::from(candidate.pack)].uses_state(candidate.rule);
        self.deferred.take(|candidate| !trouble.is_paused(rule_of(candidate)), keeps_state)
    }

    /// Hands on what is kept besides matches: changes of state, and pairs that failed or were not run.
    fn keep(&mut self, job: &Job, pack: usize, outcome: &mut Outcome) -> io::Result<()> {
        let (Groups::Stored(committer), Keep::State(state)) = (&mut self.groups, self.keep) else { return Ok(()) };
        let trouble = &self.memory.trouble;
        if outcome.not_run.iter().any(|pair| !trouble.is_paused((pack, pair.rule))) {
            committer.not_run();
            self.memory.no_worker = true;
        }
        // Whoever has pairs evaluated again sees what comes of it; and of rules that are paused something else is told.
        let told = |rule| (job.again || !state.durable.again) && !trouble.is_paused((pack, rule));
        committer.keep(job, &self.packs[pack], self.inputs, (outcome, &told), &mut self.stats)
    }

    /// When what was taken is to be committed at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.groups {
            Groups::Stored(committer) => committer.due(),
            Groups::First(_) | Groups::Final(_) => None,
        }
    }

    /// Commits what was taken, if it is due or `all` of it is to be.
    pub(super) fn commit(&mut self, all: bool) -> Result<(), StoreError> {
        let (Groups::Stored(committer), Keep::State(state)) = (&mut self.groups, self.keep) else { return Ok(()) };
        if !all && !committer.is_due() {
            return Ok(());
        }
        self.memory.journal.hidden(committer.take_hits());
        self.memory.journal.write(state.desk, self.stop)?;
        committer.commit(&mut self.stats)
    }

    fn found(&mut self, job: &Job, pack_index: usize, found: &RuleMatch) -> io::Result<()> {
        let pack = &self.packs[pack_index];
        let rule = pack.rule(found.rule);
        self.stats.rule(&name(pack, found.rule)).matches += 1;
        let index = RuleIndex { pack: u32::try_from(pack_index).unwrap_or(u32::MAX), rule: found.rule };
        let described = Described { pack, rule, found, job, inputs: self.inputs };
        if let Groups::Stored(committer) = &mut self.groups {
            return committer.matched(index, &described, &mut self.stats);
        }
        self.stats.matches.total += 1;
        let (triage, now_ms) = (self.keep.triage(), self.clock.now_ms());
        let judge = || described.judged(triage, &Class::Alert, now_ms);
        // What an alert says is only made where it is needed; suppressions need it.
        let judged = if triage.suppressions.is_empty() { None } else { Some(judge()?) };
        if let Some(Judged { class: Class::Suppressed(id), .. }) = &judged {
            self.stats.matches.suppressed += 1;
            self.stats.hidden(id);
            return Ok(());
        }
        if !rule.create_alert {
            self.stats.matches.signals += 1;
            return Ok(());
        }
        let sighting = sighting(&job.batch.records()[found.record as usize], found);
        let bodies = &mut self.bodies;
        let held = || {
            let Judged { content, routes, .. } = judged.map_or_else(judge, Ok)?;
            let body = bodies.put(&content.to_fields()?)?;
            Ok(Held { body, severity: content.severity, goes: !routes.is_empty() })
        };
        let change = match &mut self.groups {
            Groups::Final(gather) => return gather.add(index, &described.dedup(), &sighting, held),
            Groups::First(live) => live.add(index, &described.dedup(), &sighting, held)?,
            Groups::Stored(_) => return Ok(()),
        };
        if let Change::Alerts { created, grown } = change {
            let rule = name(pack, found.rule);
            for (finding, supersedes) in created {
                let action = if supersedes.is_empty() { Action::Create } else { Action::Update };
                if action == Action::Create || self.updates {
                    self.write(&rule, finding, action, supersedes)?;
                }
            }
            if let Some(finding) = grown.filter(|finding| self.updates && UPDATE_COUNTS.contains(&finding.count)) {
                self.write(&rule, finding, Action::Update, Vec::new())?;
            }
        }
        Ok(())
    }

    fn write(&mut self, rule: &str, finding: Finding<Held>, action: Action, supersedes: Vec<String>) -> io::Result<()> {
        let held = Held::of(&finding)?;
        let severity = held.severity;
        if action == Action::Create {
            self.stats.alerts.total += 1;
            *self.stats.alerts.by_severity.entry(severity).or_default() += 1;
            self.stats.rule(rule).alerts += 1;
            self.stats.deliveries.unrouted += u64::from(!held.goes);
        }
        if !held.goes {
            return Ok(());
        }
        let standing = Standing {
            schema_version: SCHEMA_VERSION,
            alert_id: finding.alert_id,
            action,
            supersedes,
            detected_at: format_ms(self.clock.now_ms()),
            count: finding.count,
            first_seen: format_ms(finding.first_ms),
            last_seen: format_ms(finding.last_ms),
            // Lateness is about live input; a batch run reads the past on purpose.
            late: false,
            engine_version: env!("CARGO_PKG_VERSION"),
        };
        let json = standing.to_json(&self.bodies.get(held.body)?)?;
        self.sink.alert(&json, severity)
    }

    /// The first sum that does not come out, once all groups are closed.
    pub(super) fn imbalance(&self) -> Option<String> {
        let (alerts, opened) = (self.stats.alerts.total, self.stats.matches.opened);
        let unwritten = matches!(self.groups, Groups::Final(_)) && alerts != opened;
        let unwritten = unwritten.then(|| format!("{opened} alerts were opened, {alerts} were written"));
        self.broken.clone().or_else(|| self.stats.imbalance()).or(unwritten)
    }

    pub(super) fn into_stats(mut self) -> Stats {
        self.stats.rule_errors = self.memory.errors.values().cloned().collect();
        self.stats
    }

    /// Closes all groups; writes the alerts that were not written before.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let (tally, findings) = match &mut self.groups {
            Groups::Stored(_) => (None, None),
            Groups::First(live) => (Some(live.finish()), None),
            Groups::Final(gather) => {
                let (tally, findings) = gather.finish()?;
                (Some(tally), Some(findings))
            }
        };
        // Also rules that were never called: --stats names every rule that loaded.
        for pack in self.packs {
            for &rule in &pack.runnable {
                self.stats.rule(&name(pack, rule));
            }
        }
        for suppression in &self.keep.triage().suppressions {
            self.stats.suppressions.entry(suppression.id().to_owned()).or_default();
        }
        if let Some(tally) = tally {
            let matches = &mut self.stats.matches;
            (matches.opened, matches.grouped, matches.repeated) = (tally.opened, tally.grouped, tally.repeated);
            matches.below_threshold = tally.below;
        }
        let Some(mut findings) = findings else { return Ok(()) };
        while let Some((index, finding)) = findings.next()? {
            let rule = name(&self.packs[index.pack as usize], index.rule);
            self.write(&rule, finding, Action::Create, Vec::new())?;
        }
        Ok(())
    }
}

/// What counting needs to know of a match.
pub(super) fn sighting(record: &BatchRecord, found: &RuleMatch) -> Sighting {
    Sighting {
        identity: record.identity,
        ms: record.time.ms,
        fingerprint: record.fingerprint,
        unique: found.unique.clone(),
        variant: record.variant,
    }
}

fn name(pack: &LoadedPack, rule: u16) -> String {
    format!("{}/{}", pack.pack.name, pack.rule(rule).id)
}
