//! The commit stage: what was found, in units, in the order of the input, to a store.
//! Knows nothing of how groups are counted or alerts delivered.

use super::describe::{Described, Judged};
use super::durable::Durable;
use super::failures::KeptFailures;
use super::groups::{Groupings, RuleIndex};
use super::persist::persist;
use super::run::Clock;
use super::sequence::Job;
use super::system::failing;
use crate::crash_point;
use crate::rules::LoadedPack;
use crate::source::{Input, Inputs};
use crate::telemetry::Stats;
use iota_engine::alert::Origin;
use iota_engine::rule::{BatchRecord, Outcome};
use iota_engine::store::{Class, Committed, FailedPair, Headline, Match, RuleStateUpdate, StoreError, Terms, Unit};
use iota_engine::system::SystemAlert;
use iota_engine::triage::WITHHELD;
use iota_python::Stop;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Records after which a unit is committed. A commit costs one synchronous write, about as long as 100 records take.
const UNIT_RECORDS: usize = 1_000;
/// Bytes of records and alerts after which it is, so that a unit stays small whatever it holds.
const UNIT_BYTES: usize = 8 << 20;
/// How long anything waits for its commit, at most.
const UNIT_TIME: Duration = Duration::from_millis(500);

/// How much of each was in the unit before the batch that is under way.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    rule_state: usize,
    failed_pairs: usize,
    matches: usize,
    seen: usize,
}

impl Before {
    fn all(unit: &Unit) -> Self {
        let Unit { rule_state, failed_pairs, matches, seen, .. } = unit;
        Self { rule_state: rule_state.len(), failed_pairs: failed_pairs.len(), matches: matches.len(), seen: seen.len() }
    }
}

pub(super) struct Committer<'a> {
    durable: &'a Durable,
    rules: Arc<Groupings>,
    clock: Clock,
    stop: &'a Stop,
    unit: Unit,
    records: usize,
    /// Bytes in the unit that vary in size.
    bytes: usize,
    /// Records of the batch under way of which pairs are kept, by their place in it: they may be large, and fail in many rules.
    raws: BTreeMap<u32, Arc<[u8]>>,
    /// When the first of the unit came.
    since: Option<Instant>,
    failures: KeptFailures,
    /// Suppressions that hid matches of the unit, with a title.
    hits: BTreeMap<String, String>,
    before: Before,
    /// Pairs were left out because the run is to stop: nothing from there on is committed, and it is read again.
    abandoned: bool,
}

impl<'a> Committer<'a> {
    pub(super) fn new(durable: &'a Durable, rules: Arc<Groupings>, clock: Clock, stop: &'a Stop) -> Self {
        Self {
            durable,
            rules,
            clock,
            stop,
            unit: Unit::default(),
            records: 0,
            bytes: 0,
            raws: BTreeMap::new(),
            since: None,
            failures: KeptFailures::default(),
            hits: BTreeMap::new(),
            before: Before::default(),
            abandoned: false,
        }
    }

    /// What follows is of this batch.
    pub(super) fn begin(&mut self, job: &Job) {
        self.begin_unit();
        self.before = Before::all(&self.unit);
        self.raws.clear();
        self.bytes += job.rejects.iter().map(|reject| reject.bytes.len()).sum::<usize>();
    }

    /// Something is in the unit from now on.
    fn begin_unit(&mut self) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            self.unit.terms = self.durable.terms(self.clock.now_ms());
        }
    }

    /// By which events of this input are judged.
    fn terms_of(&self, input: &Input) -> Terms {
        input.terms.unwrap_or(self.unit.terms)
    }

    /// A rule that still runs was not run on some record of this batch.
    pub(super) fn not_run(&mut self) {
        self.abandoned |= self.stop.is_requested();
    }

    /// That was all of the batch.
    pub(super) fn end(&mut self, job: &Job, stats: &mut Stats) {
        if self.abandoned {
            // Nor what rules of other packs have said of it.
            self.unit.rule_state.truncate(self.before.rule_state);
            self.unit.failed_pairs.truncate(self.before.failed_pairs);
            self.unit.seen.truncate(self.before.seen);
            stats.matches.total -= self.unit.matches.drain(self.before.matches..).count() as u64;
            stats.records.abandon(job.batch.records().len() as u64);
            stats.inputs.read -= job.inputs.read;
            stats.inputs.interrupted += job.inputs.read;
            return;
        }
        self.records += job.batch.records().len();
        if self.durable.again {
            return;
        }
        self.unit.seen.extend(job.batch.records().iter().map(|record| (record.identity, record.fingerprint)));
        self.unit.rejects.extend(job.rejects.iter().cloned());
        self.unit.finished.extend(job.finished.iter().cloned());
        self.unit.checkpoints.extend(job.checkpoints.iter().cloned());
    }

    /// Changes of rule state, and pairs that failed or were not run. `told` says of which rules failures are told.
    pub(super) fn keep(
        &mut self,
        job: &Job,
        pack: &LoadedPack,
        inputs: Inputs<'_>,
        (outcome, told): (&mut Outcome, &dyn Fn(u16) -> bool),
        stats: &mut Stats,
    ) -> io::Result<()> {
        if self.abandoned {
            return Ok(());
        }
        let name = &pack.pack.name;
        for update in outcome.state.drain(..) {
            let record = job.batch.records()[update.record as usize].identity;
            let (pack_name, rule) = (name.clone(), pack.rule(update.rule).id.clone());
            self.unit.rule_state.push(RuleStateUpdate { pack: pack_name, rule, record, ops: update.ops });
        }
        let errors = outcome.errors.iter().map(|error| (error.record, error.rule, error.function.as_str(), Some(&error.failure)));
        let not_run = outcome.not_run.iter().map(|pair| (pair.record, pair.rule, "rule", None));
        for (index, number, function, failure) in errors.chain(not_run) {
            let rule = &pack.rule(number).id;
            if failure.is_some() && !self.failures.may_keep(name, rule) {
                continue;
            }
            let record = &job.batch.records()[index as usize];
            let raw = self.raws.entry(index).or_insert_with(|| {
                let raw = job.batch.raw(index as usize);
                self.bytes += raw.len();
                raw.into()
            });
            let raw = Arc::clone(raw);
            // There may be many pairs of small records.
            let said = failure.map_or(0, |failure| failure.message.len() + failure.traceback.len());
            self.bytes += size_of::<FailedPair>() + said;
            let input = inputs.of(record.unit);
            let origin =
                Origin { object: input.name(), version: input.version.as_deref().map(str::to_owned), record: record.number };
            if let Some(failure) = failure.filter(|_| told(number)) {
                let alert = failing(pack, number, function, failure, &origin);
                let routes = alert.routes(&self.durable.triage.routes);
                let occurrence = [&record.identity.0[..], function.as_bytes()].concat();
                let found = alert.to_counted_match(self.clock.now_ms(), routes, &occurrence).map_err(io::Error::other)?;
                self.tell_of_failure(found, record, stats);
            }
            self.unit.failed_pairs.push(FailedPair {
                id: 0,
                pack: name.clone(),
                rule: rule.clone(),
                function: function.to_owned(),
                record: record.identity,
                origin,
                raw,
                terms: self.terms_of(&input),
                failure: failure.cloned(),
                at_ms: wall_ms(),
            });
        }
        Ok(())
    }

    /// A failure is in the ledger, as a record is: a group that holds more matches than it remembers asks there which of them
    /// it has counted.
    fn tell_of_failure(&mut self, mut found: Match, record: &BatchRecord, stats: &mut Stats) {
        found.sighting.fingerprint = record.fingerprint;
        stats.matches.total += 1;
        self.bytes += found.content.len();
        self.unit.seen.push((found.sighting.identity, found.sighting.fingerprint));
        self.unit.matches.push(found);
    }

    pub(super) fn matched(&mut self, index: RuleIndex, described: &Described<'_>, stats: &mut Stats) -> io::Result<()> {
        if self.abandoned {
            return Ok(());
        }
        stats.matches.total += 1;
        let Described { rule, found, .. } = *described;
        let (record, now_ms) = (described.record(), self.clock.now_ms());
        let terms = self.terms_of(&described.inputs.of(record.unit));
        let class = match (rule.create_alert, terms.is_late(record.time.ms)) {
            (false, _) => Class::Signal,
            (true, true) => Class::Late,
            (true, false) => Class::Alert,
        };
        let Judged { class, routes, content } = described.judged(&self.durable.triage, &class, now_ms)?;
        // A class of its own: what comes later, in the same group, is sent.
        let withheld = class.is_sent() && terms.is_withheld(record.time.ms);
        let (class, routes) = if withheld { (Class::Suppressed(WITHHELD.to_owned()), Vec::new()) } else { (class, routes) };
        let (title, account_id) = (content.title.clone(), content.summary.account_id.clone());
        if let Class::Suppressed(id) = &class {
            stats.hidden(id);
            self.hits.entry(id.clone()).or_insert_with(|| content.title.clone());
        }
        let headline = Headline { title, severity: content.severity, account_id };
        let content: Arc<[u8]> = content.to_fields()?.into();
        let mut sighting = super::collect::sighting(record, found);
        // Where it is not certain that the match is new, because more were counted than are remembered, it is not counted.
        sighting.variant |= self.durable.again;
        self.bytes += content.len();
        self.unit.matches.push(Match {
            group: self.rules.key(index, &described.dedup()),
            class,
            window: self.rules.get(index).window,
            sighting,
            routes,
            headline,
            content,
        });
        Ok(())
    }

    /// An alert about iota itself, as part of the unit.
    pub(super) fn add_alert(&mut self, alert: &SystemAlert, stats: &mut Stats) -> io::Result<()> {
        if !self.abandoned {
            stats.matches.total += 1;
            let routes = alert.routes(&self.durable.triage.routes);
            self.begin_unit();
            self.unit.matches.push(alert.to_match(self.clock.now_ms(), routes).map_err(io::Error::other)?);
        }
        Ok(())
    }

    /// The suppressions that have hidden something since they were asked for, each with a title.
    pub(super) fn take_hits(&mut self) -> BTreeMap<String, String> {
        let mut hits = std::mem::take(&mut self.hits);
        hits.remove(WITHHELD);
        hits
    }

    /// Some of the input is left for the next run.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// When the unit is to be committed at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + UNIT_TIME)
    }

    pub(super) fn is_due(&self) -> bool {
        let full = self.records >= UNIT_RECORDS || self.bytes >= UNIT_BYTES;
        full || self.due().is_some_and(|due| Instant::now() >= due)
    }

    /// Makes the unit durable. Waits while the store cannot; when the run is to stop meanwhile, the unit is given up, and
    /// read again by the next run.
    pub(super) fn commit(&mut self, stats: &mut Stats) -> Result<(), StoreError> {
        if let Some(failure) = self.durable.failure.get() {
            return Err(failure.clone());
        }
        if self.since.take().is_none() {
            return Ok(());
        }
        let (now_ms, detected_ms) = (wall_ms(), self.clock.stated_ms());
        let unit = Unit { now_ms, detected_ms, ..std::mem::take(&mut self.unit) };
        let records = std::mem::take(&mut self.records);
        self.bytes = 0;
        let started = Instant::now();
        crash_point("unit.full");
        let committed = persist(self.stop, || self.durable.commit(&unit))?;
        tracing::debug!("committed {records} records, {} matches", unit.matches.len());
        crash_point("unit.committed");
        count(&committed, stats);
        crate::telemetry::Times::add(&mut stats.seconds.commit, started.elapsed());
        Ok(())
    }
}

/// Commits alerts about iota itself, and counts what became of them.
pub(super) fn raise_counted(
    alerts: &[SystemAlert],
    durable: &Durable,
    clock: Clock,
    stop: &Stop,
    stats: &mut Stats,
) -> Result<(), StoreError> {
    if alerts.is_empty() {
        return Ok(());
    }
    let now_ms = clock.now_ms();
    let to_match = |alert: &SystemAlert| alert.to_match(now_ms, alert.routes(&durable.triage.routes));
    let matches = alerts.iter().map(to_match).collect::<Result<Vec<Match>, _>>()?;
    stats.matches.total += matches.len() as u64;
    let unit = Unit { now_ms: wall_ms(), detected_ms: clock.stated_ms(), matches, ..Unit::default() };
    let committed = persist(stop, || durable.commit(&unit))?;
    count(&committed, stats);
    Ok(())
}

/// What is kept, and when it is sent, goes by the wall clock, whatever time the rules are told.
fn wall_ms() -> i64 {
    Clock::System.now_ms()
}

fn count(committed: &Committed, stats: &mut Stats) {
    let matches = &mut stats.matches;
    matches.opened += committed.opened;
    matches.grouped += committed.grouped;
    matches.repeated += committed.repeated;
    matches.below_threshold += committed.below_threshold;
    matches.signals += committed.signals;
    matches.suppressed += committed.suppressed;
    stats.deliveries.added += committed.deliveries;
    stats.deliveries.unrouted += committed.unrouted;
    for alert in committed.created.iter().filter(|alert| alert.class.is_sent() && !alert.superseding) {
        stats.alerts.total += 1;
        *stats.alerts.by_severity.entry(alert.severity).or_default() += 1;
        stats.rule(&format!("{}/{}", alert.pack, alert.rule)).alerts += 1;
    }
}

#[cfg(test)]
mod tests;
