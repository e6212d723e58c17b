//! What `--stats` writes and the summary tells.

use super::sources::Sources;
use iota_engine::alert::Severity;
use iota_engine::decode::{RejectReason, Skip};
use iota_engine::rule::Failure;
use iota_python::{SandboxLevel, WorkerCounts};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

/// How many slow rules are named.
const SLOW_RULES: usize = 10;

/// Counts of one run. `docs/RULES.md` and `docs/ARCHITECTURE.md` state the identities between them.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Stats {
    pub schema_version: &'static str,
    pub engine_version: &'static str,
    /// Of queues and lists of `watch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Sources>,
    pub inputs: Inputs,
    pub records: Records,
    pub pairs: Pairs,
    pub matches: Matches,
    /// Matches that each suppression hid, by its id; also suppressions that hid none.
    pub suppressions: BTreeMap<String, u64>,
    pub alerts: Alerts,
    pub deliveries: DeliveryCounts,
    /// By `pack/rule`.
    pub rules: BTreeMap<String, RuleStats>,
    /// The rules that take most time, slowest first.
    pub slow_rules: Vec<SlowRule>,
    pub rule_errors: Vec<ErrorGroup>,
    /// Problems because of which rules do not run as written.
    pub rules_failed: u64,
    /// Not run on purpose: for other log types, or of a kind that iota does not run.
    pub rules_skipped: u64,
    pub rules_disabled: u64,
    pub python: PythonStats,
    pub seconds: Times,
}

/// Files, and standard input. total = read + unreadable + interrupted + `already_finished`
#[derive(Debug, Default, Clone, Serialize)]
pub struct Inputs {
    pub total: u64,
    /// To their end.
    pub read: u64,
    /// Of those read: without any record.
    pub empty: u64,
    /// Not to be opened, or not to be read to their end.
    pub unreadable: u64,
    /// Not read to their end because the run was interrupted.
    pub interrupted: u64,
    /// Not read again, because the state holds all that came of them.
    pub already_finished: u64,
    /// Inflated bytes.
    pub bytes: u64,
}

/// read = `no_candidate` + evaluated + duplicates + rejected + skipped + abandoned
#[derive(Debug, Default, Clone, Serialize)]
pub struct Records {
    pub read: u64,
    /// No rule could match. Duplicates among them are not told apart.
    pub no_candidate: u64,
    pub evaluated: u64,
    /// Seen before, with the same value.
    pub duplicates: u64,
    /// Of those evaluated: seen before, with another value.
    pub variants: u64,
    /// Not committed, because the run was interrupted: the next run reads them again.
    pub abandoned: u64,
    pub rejected: u64,
    pub rejected_by_reason: BTreeMap<&'static str, u64>,
    /// Not events, left out on purpose.
    pub skipped: u64,
    pub skipped_by_reason: BTreeMap<&'static str, u64>,
    /// Of those evaluated; in milliseconds since the Unix epoch.
    #[serde(skip)]
    pub newest_event_ms: Option<i64>,
}

/// (rule, record): total = skipped + returned + errored + `not_run`
#[derive(Debug, Default, Clone, Serialize)]
pub struct Pairs {
    /// Every record that is no duplicate with every rule that loaded.
    pub total: u64,
    /// Settled without Python: the rule was no candidate of the record.
    pub skipped: u64,
    pub returned: u64,
    pub errored: u64,
    /// Left out because the rule or its pack is paused, or because too many workers ended in the batch.
    pub not_run: u64,
    /// Of those returned or errored: run although they could have been skipped, to prove it (`--verify-fast-path`).
    pub verified: u64,
    /// Of those verified: they should not have been skipped.
    pub violations: u64,
}

/// total = opened + grouped + repeated + `below_threshold` + signals + suppressed
#[derive(Debug, Default, Clone, Serialize)]
pub struct Matches {
    pub total: u64,
    /// The first match of an alert.
    pub opened: u64,
    /// Further matches of alerts.
    pub grouped: u64,
    /// Variants of a record that was counted in the same group before.
    pub repeated: u64,
    pub below_threshold: u64,
    /// Of rules with `CreateAlert: false`.
    pub signals: u64,
    pub suppressed: u64,
}

#[derive(Debug, Default, Clone, Serialize)]
pub struct Alerts {
    pub total: u64,
    pub by_severity: BTreeMap<Severity, u64>,
}

/// What was added to the outbox, and what became of what is in it. Without state nothing but `unrouted`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryCounts {
    /// By commits of this run. The others count also what earlier runs, people and iota itself added.
    pub added: u64,
    /// Alerts that no output takes.
    pub unrouted: u64,
    pub delivered: u64,
    /// Held back by the storm limit.
    pub limited: u64,
    /// Given up, or refused.
    pub dead: u64,
    /// Left at the end.
    pub pending: u64,
}

impl DeliveryCounts {
    /// Takes over what became of them; what was added stays.
    pub fn became(&mut self, counts: &Self) {
        *self = Self { added: self.added, unrouted: self.unrouted, ..counts.clone() };
    }
}

#[derive(Debug, Default, Clone, Serialize)]
pub struct RuleStats {
    pub calls: u64,
    pub matches: u64,
    pub alerts: u64,
    /// By function of the contract.
    pub errors: BTreeMap<String, u64>,
    pub not_run: u64,
    pub log_lines: u64,
    /// Time in Python.
    pub seconds: f64,
}

/// A rule that takes much time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlowRule {
    pub rule: String,
    /// Time in Python, with that of calls that had to be ended.
    pub seconds: f64,
    pub calls: u64,
    /// On average.
    pub microseconds_per_call: f64,
}

/// Failures of one function of one rule, with the first as an example.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorGroup {
    pub rule: String,
    pub function: String,
    pub count: u64,
    #[serde(flatten)]
    pub first: Failure,
    pub first_object: String,
    pub first_record: u64,
}

#[derive(Debug, Default, Clone, Serialize)]
pub struct PythonStats {
    pub version: Option<String>,
    /// Pairs that were handed to Python.
    pub calls: u64,
    pub batches: u64,
    /// At most so many worker processes at once; one starts with the first pair it is given.
    pub workers: u64,
    /// Worker processes so far: that loaded their pack, that ended at work or had to be ended, that did not start.
    pub workers_started: u64,
    pub workers_died: u64,
    pub workers_failed: u64,
    /// What confines them.
    pub sandbox: SandboxLevel,
}

/// Wall-clock seconds; the stages overlap, and `decode` and `evaluate` add up all threads.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Times {
    pub load_rules: f64,
    pub decode: f64,
    pub evaluate: f64,
    pub aggregate: f64,
    /// Waiting for the store.
    pub commit: f64,
    pub total: f64,
}

impl Stats {
    pub fn new() -> Self {
        Self { schema_version: "1.0", engine_version: env!("CARGO_PKG_VERSION"), ..Self::default() }
    }

    /// Writes them as JSON. Whoever reads the file sees these or earlier ones as a whole, where the directory allows it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut ranked = self.clone();
        ranked.rank();
        let mut json = serde_json::to_vec_pretty(&ranked)?;
        json.push(b'\n');
        let plain = fs::metadata(path).map_or(true, |metadata| metadata.is_file());
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        if plain && fs::write(&new, &json).and_then(|()| fs::rename(&new, path)).is_ok() {
            return Ok(());
        }
        fs::write(path, json)
    }

    pub fn rule(&mut self, name: &str) -> &mut RuleStats {
        if !self.rules.contains_key(name) {
            self.rules.insert(name.to_owned(), RuleStats::default());
        }
        self.rules.entry(name.to_owned()).or_default()
    }

    /// Counts a match that a suppression hid.
    pub(crate) fn hidden(&mut self, suppression: &str) {
        *self.suppressions.entry(suppression.to_owned()).or_default() += 1;
    }

    /// Ranks the rules by the time they took.
    fn rank(&mut self) {
        let slow = |(rule, of_rule): (&String, &RuleStats)| {
            let (seconds, calls) = (of_rule.seconds, of_rule.calls);
            #[expect(clippy::cast_precision_loss, reason = "an average need not be exact")]
            let each = seconds * 1e6 / calls.max(1) as f64;
            SlowRule { rule: rule.clone(), seconds, calls, microseconds_per_call: each }
        };
        let mut ranked: Vec<SlowRule> = self.rules.iter().filter(|(_, of_rule)| of_rule.seconds > 0.0).map(slow).collect();
        ranked.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        ranked.truncate(SLOW_RULES);
        self.slow_rules = ranked;
    }

    /// Rules failed on records, did not load, or were not run.
    pub fn rules_in_trouble(&self) -> bool {
        self.rules_failed > 0 || !self.rule_errors.is_empty() || self.pairs.not_run > 0
    }

    /// The first identity that does not hold, if one does not.
    pub fn imbalance(&self) -> Option<String> {
        let Inputs { total: inputs, read: read_inputs, unreadable, interrupted, already_finished, .. } = &self.inputs;
        let Records { read, no_candidate, evaluated, duplicates, rejected, skipped, abandoned, .. } = &self.records;
        let Matches { total, opened, grouped, repeated, below_threshold, signals, suppressed } = &self.matches;
        if *read != no_candidate + evaluated + duplicates + rejected + skipped + abandoned {
            return Some(format!("records do not add up: {:?}", self.records));
        }
        if *inputs != read_inputs + unreadable + interrupted + already_finished {
            return Some(format!("inputs do not add up: {:?}", self.inputs));
        }
        let Pairs { total: pairs, skipped: settled, returned, errored, not_run, verified: _, violations: _ } = &self.pairs;
        if *pairs != settled + returned + errored + not_run || returned + errored != self.python.calls {
            return Some(format!("pairs do not add up: {:?}, {} calls", self.pairs, self.python.calls));
        }
        if *total != opened + grouped + repeated + below_threshold + signals + suppressed {
            return Some(format!("matches do not add up: {:?}", self.matches));
        }
        self.sources.as_ref().and_then(Sources::imbalance)
    }
}

impl Inputs {
    pub(crate) fn add(&mut self, more: &Self) {
        let Self { total, read, empty, unreadable, interrupted, already_finished, bytes } = more;
        self.total += total;
        self.read += read;
        self.empty += empty;
        self.unreadable += unreadable;
        self.interrupted += interrupted;
        self.already_finished += already_finished;
        self.bytes += bytes;
    }
}

impl Records {
    pub(crate) fn rejected(&mut self, reason: &RejectReason) {
        self.read += 1;
        self.rejected += 1;
        *self.rejected_by_reason.entry(reason.code()).or_default() += 1;
    }

    pub(crate) fn skipped(&mut self, skip: Skip) {
        self.read += 1;
        self.skipped += 1;
        *self.skipped_by_reason.entry(skip.code()).or_default() += 1;
    }

    pub(crate) fn no_candidate(&mut self) {
        self.read += 1;
        self.no_candidate += 1;
    }

    pub(crate) fn duplicate(&mut self) {
        self.read += 1;
        self.duplicates += 1;
    }

    /// Of those evaluated, so many are not committed.
    pub(crate) fn abandon(&mut self, count: u64) {
        self.evaluated -= count;
        self.abandoned += count;
    }

    /// A record of this time is to be evaluated.
    pub(crate) fn note_time(&mut self, ms: i64) {
        self.newest_event_ms = self.newest_event_ms.max(Some(ms));
    }

    pub(crate) fn evaluated(&mut self, variant: bool) {
        self.read += 1;
        self.evaluated += 1;
        self.variants += u64::from(variant);
    }

    pub(crate) fn add(&mut self, more: &Self) {
        let Self {
            read,
            no_candidate,
            evaluated,
            duplicates,
            variants,
            abandoned,
            rejected,
            rejected_by_reason,
            skipped,
            skipped_by_reason,
            newest_event_ms,
        } = more;
        self.read += read;
        self.no_candidate += no_candidate;
        self.evaluated += evaluated;
        self.duplicates += duplicates;
        self.variants += variants;
        self.abandoned += abandoned;
        self.rejected += rejected;
        self.skipped += skipped;
        self.newest_event_ms = self.newest_event_ms.max(*newest_event_ms);
        for (all, more) in [(&mut self.rejected_by_reason, rejected_by_reason), (&mut self.skipped_by_reason, skipped_by_reason)]
        {
            for (&reason, count) in more {
                *all.entry(reason).or_default() += count;
            }
        }
    }
}

impl PythonStats {
    /// All workers of the process.
    pub(crate) fn count_workers(&mut self, counts: &WorkerCounts) {
        (self.workers_started, self.workers_died, self.workers_failed) = (counts.started(), counts.died(), counts.failed());
    }
}

impl Times {
    pub(crate) fn add(slot: &mut f64, time: Duration) {
        *slot += time.as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(stats: &mut Stats) -> &mut Sources {
        stats.sources.get_or_insert_default()
    }

    #[test]
    fn a_count_that_is_off_by_one_is_noticed() {
        assert_eq!(Stats::new().imbalance(), None);
        let counts: [fn(&mut Stats) -> &mut u64; 31] = [
            |stats| &mut sources(stats).messages.received,
            |stats| &mut sources(stats).messages.deleted,
            |stats| &mut sources(stats).messages.returned,
            |stats| &mut sources(stats).messages.left,
            |stats| &mut sources(stats).messages.undeleted,
            |stats| &mut sources(stats).messages.in_work,
            |stats| &mut sources(stats).objects.named,
            |stats| &mut sources(stats).objects.read,
            |stats| &mut sources(stats).objects.already_finished,
            |stats| &mut sources(stats).objects.skipped,
            |stats| &mut sources(stats).objects.returned,
            |stats| &mut sources(stats).objects.left,
            |stats| &mut sources(stats).objects.in_work,
            |stats| &mut stats.inputs.total,
            |stats| &mut stats.inputs.read,
            |stats| &mut stats.inputs.unreadable,
            |stats| &mut stats.inputs.interrupted,
            |stats| &mut stats.inputs.already_finished,
            |stats| &mut stats.records.abandoned,
            |stats| &mut stats.records.read,
            |stats| &mut stats.records.evaluated,
            |stats| &mut stats.records.duplicates,
            |stats| &mut stats.records.rejected,
            |stats| &mut stats.records.skipped,
            |stats| &mut stats.pairs.total,
            |stats| &mut stats.pairs.skipped,
            |stats| &mut stats.pairs.returned,
            |stats| &mut stats.pairs.not_run,
            |stats| &mut stats.python.calls,
            |stats| &mut stats.matches.total,
            |stats| &mut stats.matches.grouped,
        ];
        for (number, count) in counts.into_iter().enumerate() {
            let mut stats = Stats::new();
            *count(&mut stats) += 1;
            assert!(stats.imbalance().is_some(), "count {number}");
        }
    }
}
