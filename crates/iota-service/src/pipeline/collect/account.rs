//! What came back from the workers, counted and told: calls, errors, lines of output, contradictions to the fast path.

use super::{Collector, name};
use crate::pipeline::run::Keep;
use crate::pipeline::sequence::Job;
use crate::pipeline::verify::verify;
use crate::telemetry::ErrorGroup;
use iota_engine::rule::{Outcome, Pair, RuleError, RuleLog};
use iota_engine::text::printable;
use serde_json::json;
use std::collections::BTreeMap;

/// Lines of a rule's output that are logged; the rest is counted.
const LOGGED_LINES: u64 = 100;

impl Collector<'_> {
    /// Counts pairs by what they were given and what came back, not by what should have been.
    pub(super) fn account(&mut self, job: &Job, pack: usize, given: &[Pair], outcome: &Outcome) {
        let (pack, records) = (&self.packs[pack], &job.records);
        let stats = &mut self.stats;
        let mut by_rule: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        for pair in given {
            by_rule.entry(pair.rule).or_default().0 += 1;
        }
        for pair in &outcome.not_run {
            by_rule.entry(pair.rule).or_default().1 += 1;
        }
        let mut calls = 0;
        for (rule, (given, not_run)) in by_rule {
            let rule = name(pack, rule);
            let of_rule = stats.rule(&rule);
            if job.again {
                // They were counted as left out, unless that was in an earlier run.
                let counted = of_rule.not_run.min(given);
                of_rule.not_run -= counted;
                stats.pairs.not_run -= counted;
                stats.pairs.total += given - counted;
            }
            let of_rule = stats.rule(&rule);
            let called = given.checked_sub(not_run).unwrap_or_else(|| {
                self.broken.get_or_insert_with(|| format!("rule {rule}: {not_run} calls were left out of {given}"));
                0
            });
            of_rule.calls += called;
            of_rule.not_run += not_run;
            calls += called;
        }
        let errored = outcome.errors.iter().filter(|error| error.function == "rule").count() as u64;
        let returned = calls.checked_sub(errored).unwrap_or_else(|| {
            self.broken.get_or_insert_with(|| format!("pack {}: {errored} of {calls} calls failed", pack.pack.name));
            0
        });
        stats.python.calls += calls;
        stats.python.batches += u64::from(calls > 0);
        let all = (records.no_candidate + records.evaluated) * pack.runnable.len() as u64;
        stats.pairs.total += all;
        stats.pairs.skipped += all.saturating_sub(given.len() as u64);
        stats.pairs.not_run += outcome.not_run.len() as u64;
        stats.pairs.errored += errored;
        stats.pairs.returned += returned;
        for (&rule, &nanos) in &outcome.nanos {
            stats.rule(&name(pack, rule)).seconds += std::time::Duration::from_nanos(nanos).as_secs_f64();
        }
        if outcome.logs_dropped > 0 {
            tracing::warn!("{}: rules printed too much: {} lines were dropped", pack.pack.name, outcome.logs_dropped);
        }
    }

    /// A pair that the fast path should not have skipped is an error of iota, and said as loudly as can be.
    pub(super) fn verify(&mut self, job: &Job, pack: usize, outcome: &Outcome) {
        let verified = verify(job, pack, outcome);
        self.stats.pairs.verified += verified.pairs;
        for (record, rule, what) in verified.violations {
            self.stats.pairs.violations += 1;
            let record = &job.batch.records()[record as usize];
            let (rule, object) = (name(&self.packs[pack], rule), self.inputs.of(record.unit).name());
            tracing::error!(
                "the fast path would have skipped rule {rule} on record {} of {object}, but {what}; \
                 please report it, and use --no-fast-path until it is fixed",
                record.number
            );
        }
    }

    pub(super) fn error(&mut self, job: &Job, pack: usize, error: RuleError) {
        let rule = name(&self.packs[pack], error.rule);
        *self.stats.rule(&rule).errors.entry(error.function.clone()).or_default() += 1;
        let record = &job.batch.records()[error.record as usize];
        let object = self.inputs.of(record.unit).name();
        if error.fatal && matches!(self.keep, Keep::State(_)) {
            let (kind, message) = (&error.failure.r#type, &error.failure.message);
            let pair = json!({"object": object, "record": record.number, "error": kind, "message": message});
            self.memory.journal.quarantined(rule.clone(), pair);
        }
        let group = self.memory.errors.entry((rule.clone(), error.function.clone())).or_insert_with(|| {
            let place = match (&error.failure.path, error.failure.line) {
                (Some(path), Some(line)) => format!(" at {}:{line}", printable(path)),
                _ => String::new(),
            };
            let (kind, message) = (printable(&error.failure.r#type), printable(&error.failure.message));
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

    pub(super) fn log(&mut self, pack: usize, log: &RuleLog) {
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
}
