//! The closing end of a run: results in input order to groups, alerts and counts.

use super::bodies::{Bodies, Body};
use super::run::{Clock, index};
use super::sequence::Job;
use super::verify::verify;
use crate::rules::LoadedPack;
use crate::source::Input;
use crate::telemetry::{ErrorGroup, Stats};
use iota_engine::aggregate::{Change, Finding, Group, GroupKey, Sighting, Window};
use iota_engine::alert::{Action, Content, Origin, SCHEMA_VERSION, Severity, Standing};
use iota_engine::event::{Summary, format_ms};
use iota_engine::json::minify;
use iota_engine::rule::{Batch, Outcome, Rule, RuleError, RuleLog, RuleMatch};
use iota_engine::text::printable;
use iota_python::{KILLS, LeftOut};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Counts at which a growing alert is told again.
const UPDATE_COUNTS: [u64; 4] = [10, 100, 1_000, 10_000];
/// Lines of a rule's output that are logged; the rest is counted.
const LOGGED_LINES: u64 = 100;

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

/// What the group keeps of its earliest match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    body: Body,
    severity: Severity,
}

/// Pack, rule and dedup key.
type GroupId = (usize, u16, Arc<str>);

pub(super) struct Collector<'a> {
    pub(super) packs: &'a [LoadedPack],
    pub(super) inputs: &'a [Input],
    pub(super) emit: Emit,
    pub(super) updates: bool,
    clock: Clock,
    pub(super) sink: &'a mut dyn AlertSink,
    pub(super) stats: Stats,
    groups: BTreeMap<GroupId, Group<Held>>,
    bodies: Bodies,
    errors: BTreeMap<(String, String), ErrorGroup>,
    /// Workers killed, by pack and rule.
    kills: BTreeMap<(usize, u16), u32>,
    /// By pack: tells the runners, so that they need not try.
    left_out: Vec<Arc<LeftOut>>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        packs: &'a [LoadedPack],
        inputs: &'a [Input],
        clock: Clock,
        sink: &'a mut dyn AlertSink,
        stats: Stats,
    ) -> Self {
        Self {
            packs,
            inputs,
            emit: Emit::Final,
            updates: false,
            clock,
            sink,
            stats,
            groups: BTreeMap::new(),
            bodies: Bodies::default(),
            errors: BTreeMap::new(),
            kills: BTreeMap::new(),
            left_out: packs.iter().map(|_| Arc::default()).collect(),
        }
    }

    /// What the runners of each pack leave out.
    pub(super) fn left_out(&self) -> Vec<Arc<LeftOut>> {
        self.left_out.clone()
    }

    /// Counts the workers that rules killed. From the one too many on, a rule's pairs count as not run, whether or not a
    /// runner was ahead and has run some: so the outcome is the same however many runners there are.
    fn leave_out(&mut self, pack: usize, batch: &Batch, outcome: &mut Outcome) {
        let mut cuts: BTreeMap<u16, u32> = self
            .kills
            .iter()
            .filter(|((of, _), count)| *of == pack && **count >= KILLS)
            .map(|((_, rule), _)| (*rule, 0))
            .collect();
        for error in outcome.errors.iter().filter(|error| error.fatal) {
            if cuts.contains_key(&error.rule) {
                continue;
            }
            let count = self.kills.entry((pack, error.rule)).or_default();
            *count += 1;
            if *count == KILLS {
                let rule = name(&self.packs[pack], error.rule);
                tracing::error!("rule {rule}: killed its worker {KILLS} times; it is not run any more");
                self.left_out[pack].add(error.rule);
                cuts.insert(error.rule, error.record + 1);
            }
        }
        if cuts.is_empty() {
            return;
        }
        let kept = |record: u32, rule: u16| cuts.get(&rule).is_none_or(|cut| record < *cut);
        outcome.matches.retain(|found| kept(found.record, found.rule));
        outcome.errors.retain(|error| kept(error.record, error.rule));
        outcome.logs.retain(|log| kept(log.record, log.rule));
        outcome.not_run.retain(|pair| !cuts.contains_key(&pair.rule));
        outcome.not_run.extend(batch.pairs(index(pack)).filter(|pair| !kept(pair.record, pair.rule)));
    }

    /// Takes the results of one batch; one outcome per pack.
    pub(super) fn take(&mut self, job: &Job, outcomes: Vec<Outcome>) -> io::Result<()> {
        self.stats.inputs.add(&job.inputs);
        self.stats.records.add(&job.records);
        let mut matches = Vec::new();
        for (pack, mut outcome) in outcomes.into_iter().enumerate() {
            self.leave_out(pack, &job.batch, &mut outcome);
            self.account(pack, job, &outcome);
            self.verify(job, pack, &outcome);
            for error in outcome.errors {
                self.error(job, pack, error);
            }
            for log in &outcome.logs {
                self.log(pack, log);
            }
            matches.extend(outcome.matches.into_iter().map(|found| (found.record, pack, found)));
        }
        matches.sort_by_key(|(record, pack, found)| (*record, *pack, found.rule));
        for (_, pack, found) in matches {
            self.found(job, pack, &found)?;
        }
        Ok(())
    }

    fn account(&mut self, pack: usize, job: &Job, outcome: &Outcome) {
        let mut of_rules: BTreeMap<u16, u64> = BTreeMap::new();
        for pair in job.batch.pairs(index(pack)) {
            *of_rules.entry(pair.rule).or_default() += 1;
        }
        let given: u64 = of_rules.values().sum();
        let pack = &self.packs[pack];
        let stats = &mut self.stats;
        let all = (job.records.no_candidate + job.records.evaluated) * pack.runnable.len() as u64;
        stats.pairs.total += all;
        stats.pairs.skipped += all - given;
        let calls = given - outcome.not_run.len() as u64;
        let errored = outcome.errors.iter().filter(|error| error.function == "rule").count() as u64;
        stats.python.calls += calls;
        stats.python.batches += u64::from(calls > 0);
        stats.pairs.not_run += outcome.not_run.len() as u64;
        stats.pairs.errored += errored;
        stats.pairs.returned += calls - errored;
        for (&rule, count) in &of_rules {
            stats.rule(&name(pack, rule)).calls += count;
        }
        for pair in &outcome.not_run {
            let of_rule = stats.rule(&name(pack, pair.rule));
            of_rule.calls -= 1;
            of_rule.not_run += 1;
        }
        for (&rule, &nanos) in &outcome.nanos {
            stats.rule(&name(pack, rule)).seconds += std::time::Duration::from_nanos(nanos).as_secs_f64();
        }
        if outcome.logs_dropped > 0 {
            tracing::warn!("{}: rules printed too much: {} lines were dropped", pack.pack.name, outcome.logs_dropped);
        }
    }

    /// A pair that the fast path should not have skipped is an error of iota, and said as loudly as can be.
    fn verify(&mut self, job: &Job, pack: usize, outcome: &Outcome) {
        let verified = verify(job, pack, outcome);
        self.stats.pairs.verified += verified.pairs;
        for (record, rule, what) in verified.violations {
            self.stats.pairs.violations += 1;
            let record = &job.batch.records()[record as usize];
            let (rule, object) = (name(&self.packs[pack], rule), self.inputs[record.unit as usize].name());
            tracing::error!(
                "the fast path would have skipped rule {rule} on record {} of {object}, but {what}; \
                 please report it, and use --no-fast-path until it is fixed",
                record.number
            );
        }
    }

    fn error(&mut self, job: &Job, pack: usize, error: RuleError) {
        let rule = name(&self.packs[pack], error.rule);
        *self.stats.rule(&rule).errors.entry(error.function.clone()).or_default() += 1;
        let record = &job.batch.records()[error.record as usize];
        let object = self.inputs[record.unit as usize].name();
        let group = self.errors.entry((rule.clone(), error.function.clone())).or_insert_with(|| {
            let place = match (&error.failure.path, error.failure.line) {
                (Some(path), Some(line)) => format!(" at {path}:{line}"),
                _ => String::new(),
            };
            let (kind, message) = (&error.failure.r#type, &error.failure.message);
            tracing::warn!(
                "rule {rule}: {}() failed{place} on record {} of {object}: {kind}: {message}",
                error.function,
                record.number
            );
            let (function, first, first_record) = (error.function, error.failure, record.number);
            ErrorGroup { rule, function, count: 0, first, first_object: object, first_record }
        });
        group.count += 1;
    }

    fn log(&mut self, pack: usize, log: &RuleLog) {
        let rule = name(&self.packs[pack], log.rule);
        let of_rule = self.stats.rule(&rule);
        of_rule.log_lines += 1;
        if of_rule.log_lines <= LOGGED_LINES {
            tracing::info!(target: "iota::rule_output", "rule {rule}: {}", printable(log.text.trim_end()));
        }
        if of_rule.log_lines == LOGGED_LINES + 1 {
            tracing::info!(target: "iota::rule_output", "rule {rule}: further lines are only counted (log_lines in --stats)");
        }
    }

    fn found(&mut self, job: &Job, pack_index: usize, found: &RuleMatch) -> io::Result<()> {
        let pack = &self.packs[pack_index];
        let rule = pack.rule(found.rule);
        self.stats.matches.total += 1;
        self.stats.rule(&name(pack, found.rule)).matches += 1;
        if !rule.create_alert {
            self.stats.matches.signals += 1;
            return Ok(());
        }
        let record = &job.batch.records()[found.record as usize];
        let dedup: Arc<str> = Arc::from(found.dedup.as_str());
        let group = self.groups.entry((pack_index, found.rule, Arc::clone(&dedup))).or_insert_with(|| {
            let key = GroupKey { pack: pack.pack.name.as_str().into(), rule: rule.id.as_str().into(), dedup };
            Group::new(key, Window { ms: i64::from(rule.window_minutes) * 60_000, threshold: rule.threshold as usize })
        });
        let unique = found.unique.clone();
        let sighting = Sighting { identity: record.identity, ms: record.time.ms, unique, variant: record.variant };
        let (bodies, inputs) = (&mut self.bodies, self.inputs);
        let mut failed = None;
        let mut held = || {
            let severity = found.severity;
            let stored = content(pack, rule, found, job, inputs)
                .and_then(|content| content.to_fields())
                .map_err(io::Error::from)
                .and_then(|json| bodies.put(&json));
            let body = stored.unwrap_or_else(|error| {
                failed = Some(error);
                Body::NONE
            });
            Held { body, severity }
        };
        let change = match self.emit {
            Emit::First => group.add(&sighting, &mut held),
            Emit::Final if group.count(&sighting, &mut held) => Change::Below,
            Emit::Final => Change::Duplicate,
        };
        if let Some(error) = failed {
            return Err(error);
        }
        match change {
            Change::Duplicate => self.stats.matches.repeated += 1,
            Change::Below => {}
            Change::Alerts { created, grown } => {
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
        }
        Ok(())
    }

    fn write(&mut self, rule: &str, finding: Finding<Held>, action: Action, supersedes: Vec<String>) -> io::Result<()> {
        let severity = finding.body.severity;
        if action == Action::Create {
            self.stats.alerts.total += 1;
            *self.stats.alerts.by_severity.entry(severity).or_default() += 1;
            self.stats.rule(rule).alerts += 1;
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
        let json = standing.to_json(&self.bodies.get(finding.body.body)?)?;
        self.sink.alert(&json, severity)
    }

    /// Closes all groups; writes the alerts that were not written before.
    pub(super) fn finish(mut self) -> (Stats, io::Result<()>) {
        let mut findings = Vec::new();
        for ((pack, rule, dedup), group) in std::mem::take(&mut self.groups) {
            let (found, below) = group.finish();
            self.stats.matches.below_threshold += below;
            self.stats.matches.opened += found.len() as u64;
            self.stats.matches.grouped += found.iter().map(|finding| finding.count - 1).sum::<u64>();
            findings.extend(found.into_iter().map(|finding| (pack, rule, Arc::clone(&dedup), finding)));
        }
        let packs = self.packs;
        let id = |pack: usize, rule: u16| packs[pack].rule(rule).id.as_str();
        findings.sort_by(|a, b| (a.3.first_ms, id(a.0, a.1), &a.2).cmp(&(b.3.first_ms, id(b.0, b.1), &b.2)));
        self.stats.rule_errors = std::mem::take(&mut self.errors).into_values().collect();
        let mut result = Ok(());
        if self.emit == Emit::Final {
            result = findings.into_iter().try_for_each(|(pack, rule, _, finding)| {
                self.write(&name(&packs[pack], rule), finding, Action::Create, Vec::new())
            });
        }
        (self.stats, result)
    }
}

fn name(pack: &LoadedPack, rule: u16) -> String {
    format!("{}/{}", pack.pack.name, pack.rule(rule).id)
}

fn content(pack: &LoadedPack, rule: &Rule, found: &RuleMatch, job: &Job, inputs: &[Input]) -> Result<Content, serde_json::Error> {
    let index = found.record as usize;
    let record = &job.batch.records()[index];
    let raw = job.batch.raw(index);
    let event = String::from_utf8_lossy(&minify(raw)).into_owned();
    let own =
        |own: &Option<String>, stated: &Option<String>| own.clone().filter(|text| !text.is_empty()).or_else(|| stated.clone());
    Ok(Content {
        rule_id: rule.id.clone(),
        title: found.title.clone(),
        severity: found.severity,
        dedup: found.dedup.clone(),
        event: RawValue::from_string(event)?,
        pack: pack.pack.name.clone(),
        rule_version: rule.version.clone(),
        event_time: format_ms(record.time.ms),
        event_time_substituted: record.time.substituted,
        summary: Summary::of(raw),
        context: found.context.clone(),
        description: own(&found.description, &rule.description),
        runbook: own(&found.runbook, &rule.runbook),
        reference: own(&found.reference, &rule.reference),
        tags: rule.tags.clone(),
        attack: rule.attack.clone(),
        author: rule.author.clone(),
        destinations: found.destinations.clone(),
        origin: Origin { object: inputs[record.unit as usize].name(), version: None, record: record.number },
    })
}
