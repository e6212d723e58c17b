//! Accounting in Prometheus' text format. Names are part of what iota promises: docs/OPERATING.md lists them.

use super::{Deliveries, Snapshot};
use crate::telemetry::{QueueDepth, Sources, Stats};
use iota_engine::alert::Severity;
use iota_engine::store::Backlog;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet, prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;

/// Nothing of `snapshot` before the first round.
pub(super) fn encode(snapshot: Option<&Snapshot>, at: Timestamp, deliveries: Deliveries) -> String {
    let mut registry = Registry::with_prefix("iota");
    let known = Known { snapshot: snapshot.cloned(), at, deliveries };
    registry.register_collector(Box::new(known));
    let mut text = String::new();
    // Writing to text fails only where a part of it does.
    if let Err(error) = prometheus_text::encode(&mut text, &registry) {
        tracing::error!("metrics: {error}");
    }
    text
}

#[derive(Debug)]
struct Known {
    snapshot: Option<Snapshot>,
    at: Timestamp,
    deliveries: Deliveries,
}

impl Collector for Known {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Families(encoder);
        to.info("build", "The version of iota.", &[("version", env!("CARGO_PKG_VERSION"))])?;
        self.deliveries(&mut to)?;
        let Some(Snapshot { stats, rules, rules_read_at, paused, rounds }) = &self.snapshot else { return Ok(()) };
        to.counter("rounds", "Rounds of reading that have ended.", *rounds)?;
        to.gauge("last_round_timestamp_seconds", "When the loop last came by.", seconds(self.at))?;
        input(stats, &mut to)?;
        rules_and_matches(stats, &mut to)?;
        to.gauge("rules", "Rules that run.", *rules)?;
        let help = "When the rules that run were read; a change that is refused leaves it as it was.";
        to.gauge("rules_read_timestamp_seconds", help, seconds(*rules_read_at))?;
        let rows = paused.iter().map(|paused| ([("kind", paused.kind), ("name", paused.name.as_str())], 1_u64));
        to.gauges("paused", "Rules (pack/rule) and packs that are not run for now; nothing when all are.", rows)?;
        python(stats, &mut to)?;
        stats.sources.as_ref().map_or(Ok(()), |of_sources| sources(of_sources, &mut to))
    }
}

impl Known {
    fn deliveries(&self, to: &mut Families<'_>) -> fmt::Result {
        let up = u64::from(self.deliveries.reachable);
        to.gauge("state_reachable", "Whether the state has answered when it was last asked.", up)?;
        let Some((at, backlog)) = &self.deliveries.known else { return Ok(()) };
        to.gauge("deliveries_timestamp_seconds", "When the state said what follows of deliveries.", seconds(*at))?;
        let of_output = |of: &Backlog| {
            let counts = [
                ("pending", of.pending),
                ("delivered", of.delivered),
                ("limited", of.limited),
                ("dead", of.dead),
                ("dropped", of.dropped),
            ];
            counts.map(|(state, count)| ([("output", of.output.clone()), ("state", state.to_owned())], count))
        };
        let help = "Deliveries that the state holds, by what became of them; those that are over are forgotten some day.";
        to.gauges("deliveries", help, backlog.iter().flat_map(of_output))?;
        let now_ms = Timestamp::now().as_millisecond();
        let age = |of: &Backlog| {
            let since = of.oldest_pending_ms.map_or(0, |since| now_ms.saturating_sub(since).max(0));
            ([("output", of.output.clone())], SignedDuration::from_millis(since).as_secs_f64())
        };
        let help = "Age of the oldest delivery that is pending; 0 when none is.";
        to.gauges("deliveries_oldest_pending_age_seconds", help, backlog.iter().map(age))
    }
}

fn input(stats: &Stats, to: &mut Families<'_>) -> fmt::Result {
    let inputs = &stats.inputs;
    to.counters(
        "inputs",
        "Inputs (files, parts of files, objects), by how they ended.",
        "end",
        [
            ("read", inputs.read),
            ("unreadable", inputs.unreadable),
            ("interrupted", inputs.interrupted),
            ("already_finished", inputs.already_finished),
        ],
    )?;
    to.counter("input_bytes", "Inflated bytes that were read.", inputs.bytes)?;
    let records = &stats.records;
    to.counters(
        "records",
        "Records, by how they ended.",
        "end",
        [
            ("no_candidate", records.no_candidate),
            ("evaluated", records.evaluated),
            ("duplicate", records.duplicates),
            ("rejected", records.rejected),
            ("skipped", records.skipped),
            ("abandoned", records.abandoned),
        ],
    )?;
    to.counters("records_rejected", "Records that are none or cannot be read.", "reason", by(&records.rejected_by_reason))?;
    to.counters("records_skipped", "Records that are no events.", "reason", by(&records.skipped_by_reason))?;
    let help = "Time of the newest event that a rule could match, the present at most.";
    let newest =
        records.newest_event_ms.and_then(|ms| Some(seconds(Timestamp::from_millisecond(ms.max(0)).ok()?.min(Timestamp::now()))));
    newest.map_or(Ok(()), |newest| to.gauge("newest_event_timestamp_seconds", help, newest))
}

fn rules_and_matches(stats: &Stats, to: &mut Families<'_>) -> fmt::Result {
    let pairs = &stats.pairs;
    to.counters(
        "pairs",
        "Pairs of record and rule, by how they ended.",
        "end",
        [("skipped", pairs.skipped), ("returned", pairs.returned), ("errored", pairs.errored)],
    )?;
    to.gauge("pairs_not_run", "Pairs that were left out and not run since.", pairs.not_run)?;
    let matches = &stats.matches;
    to.counters(
        "matches",
        "Matches, by what became of them.",
        "end",
        [
            ("opened", matches.opened),
            ("grouped", matches.grouped),
            ("repeated", matches.repeated),
            ("below_threshold", matches.below_threshold),
            ("signal", matches.signals),
            ("suppressed", matches.suppressed),
        ],
    )?;
    let alerts = Severity::ALL.map(|severity| (severity.as_str(), stats.alerts.by_severity.get(&severity).copied().unwrap_or(0)));
    to.counters("alerts", "Alerts.", "severity", alerts)?;
    to.counter("alerts_unrouted", "Alerts that no output takes.", stats.deliveries.unrouted)?;
    to.counter("deliveries_added", "Deliveries that commits have added.", stats.deliveries.added)?;
    let rules = || stats.rules.iter();
    to.counters("rule_calls", "Calls of a rule.", "rule", rules().map(|(name, of)| (name.as_str(), of.calls)))?;
    to.counters("rule_matches", "Matches of a rule.", "rule", rules().map(|(name, of)| (name.as_str(), of.matches)))?;
    to.counters("rule_alerts", "Alerts of a rule.", "rule", rules().map(|(name, of)| (name.as_str(), of.alerts)))?;
    let errors = rules().map(|(name, of)| (name.as_str(), of.errors.values().sum::<u64>()));
    to.counters("rule_errors", "Errors of a rule, of all its functions.", "rule", errors)?;
    let time = rules().map(|(name, of)| (name.as_str(), of.seconds));
    to.counters("rule_seconds", "Time in a rule, with that of calls that had to be ended.", "rule", time)?;
    let failed = "Problems because of which rules do not run as written.";
    to.gauge("rules_failed", failed, stats.rules_failed)
}

fn python(stats: &Stats, to: &mut Families<'_>) -> fmt::Result {
    let python = &stats.python;
    to.counter("workers_started", "Worker processes that have started.", python.workers_started)?;
    to.counter("workers_died", "Worker processes that have died at work, or had to be ended.", python.workers_died)?;
    to.counter("worker_start_failures", "Worker processes that did not start, or not load their pack.", python.workers_failed)?;
    let level = &python.sandbox;
    let abi = level.landlock_abi.map_or_else(|| "none".to_owned(), |abi| abi.to_string());
    let (mode, seccomp) = (level.mode.to_string(), level.seccomp.to_string());
    let labels = [("mode", mode.as_str()), ("seccomp", seccomp.as_str()), ("landlock_abi", abi.as_str())];
    to.info("sandbox", "What confines the rules.", &labels)
}

fn sources(sources: &Sources, to: &mut Families<'_>) -> fmt::Result {
    let (messages, objects) = (&sources.messages, &sources.objects);
    to.counters(
        "messages",
        "Messages of queues, by what became of them.",
        "end",
        [
            ("deleted", messages.deleted),
            ("returned", messages.returned),
            ("left", messages.left),
            ("undeleted", messages.undeleted),
        ],
    )?;
    to.gauge("messages_in_work", "Messages received that are not done with.", messages.in_work)?;
    to.counter("receive_errors", "Requests for messages that failed.", messages.receive_errors)?;
    to.counters(
        "objects",
        "Objects that messages and lists named, by what became of them.",
        "end",
        [
            ("read", objects.read),
            ("already_finished", objects.already_finished),
            ("skipped", objects.skipped),
            ("returned", objects.returned),
            ("left", objects.left),
        ],
    )?;
    to.gauge("objects_in_work", "Objects named that are not done with.", objects.in_work)?;
    let depth = |(url, depth): (&String, &QueueDepth)| {
        [("visible", depth.visible), ("in_flight", depth.in_flight)]
            .map(|(state, count)| ([("queue", url.clone()), ("state", state.to_owned())], count))
    };
    let help = "Messages in a queue, about, as it said at most a minute before.";
    to.gauges("queue_messages", help, sources.queues.iter().flat_map(depth))
}

fn by(counts: &BTreeMap<&'static str, u64>) -> impl Iterator<Item = (&'static str, u64)> {
    counts.iter().map(|(reason, count)| (*reason, *count))
}

/// Since the Unix epoch.
fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

/// Writes one family of metrics after another.
struct Families<'e>(DescriptorEncoder<'e>);

impl Families<'_> {
    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&labels)
    }

    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue + Copy) -> fmt::Result {
        count(&mut self.0.encode_descriptor(name, help, None, MetricType::Counter)?, &value)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue + Copy) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// One for each value of a label.
    fn counters<'v, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        rows: impl IntoIterator<Item = (&'v str, V)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        rows.into_iter().try_for_each(|(of, value)| count(&mut family.encode_family(&[(label, of)])?, &value))
    }

    fn gauges<V: EncodeGaugeValue, L: AsRef<str>, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = ([(&'static str, L); N], V)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        rows.into_iter().try_for_each(|(labels, value)| {
            let labels = labels.each_ref().map(|(name, of)| (*name, of.as_ref()));
            family.encode_family(&labels)?.encode_gauge(&value)
        })
    }
}

fn count(to: &mut MetricEncoder<'_>, value: &impl EncodeCounterValue) -> fmt::Result {
    to.encode_counter::<NoLabelSet, _, f64>(value, None)
}
