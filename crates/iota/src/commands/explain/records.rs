//! What becomes of given records: skipped natively, or run in a worker, which starts with the first record that needs it.

use super::super::find_python;
use super::find::Found;
use super::rule::write_reason;
use crate::printer::counted;
use anyhow::{Context, bail};
use iota_engine::decode::{Decoder, Item, Limits, Position, Record};
use iota_engine::event::LOG_TYPE;
use iota_engine::guard::{Decision, Guards, NOT_MET};
use iota_engine::index::Router;
use iota_engine::json::Value;
use iota_engine::rule::{Failure, Level, TestMatch, TestRequest};
use iota_engine::text::printable;
use iota_python::PackRunner;
use iota_service::config::Settings;
use iota_service::rules::{Which, load_packs};
use iota_service::source::{Input, find_inputs};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

/// Records that are explained one by one, by what becomes of them, unless it was said how many; the others are counted. Of
/// skipped ones, of which there are most and which look alike, fewer.
const MAX_RUN: usize = 20;
const MAX_SKIPPED: usize = 5;

#[derive(Debug, Default, Serialize)]
pub(super) struct ExplainedRecords {
    records: Vec<ExplainedRecord>,
    /// Further records, by what would become of them.
    more_skipped: u64,
    more_run: u64,
    /// What was no CloudTrail event.
    not_events: u64,
    pub(super) rejected: u64,
    /// Files and directories that could not be read.
    pub(super) unreadable: u64,
}

#[derive(Debug, Serialize)]
struct ExplainedRecord {
    input: String,
    number: u64,
    line: u64,
    event_name: Option<String>,
    event_id: Option<String>,
    #[serde(flatten)]
    decision: Decision,
    /// What running the rule gave; nothing when it was skipped.
    result: Option<Ran>,
}

/// What the functions of a rule did with a record.
#[derive(Debug, Default, Serialize)]
struct Ran {
    matched: bool,
    /// An inline filter stopped the record before `rule`.
    filtered: bool,
    /// How the worker ended, if it did.
    died: Option<String>,
    /// By function.
    errors: BTreeMap<String, Failure>,
    alert: Option<TestMatch>,
    logs: Vec<String>,
}

/// A rule as Python loaded it, to be tried on records.
pub(super) struct Tried<'a> {
    found: &'a Found,
    /// Its index in the pack.
    pub(super) index: u16,
    router: Router,
    runner: PackRunner,
}

impl<'a> Tried<'a> {
    pub(super) fn load(found: &'a Found, settings: &Settings) -> anyhow::Result<Self> {
        let python = find_python(settings, None)?;
        let id = &found.rule().id;
        for pack in load_packs(std::slice::from_ref(&found.directory), settings, &python, Which::All)? {
            if let Some(&index) = pack.runnable.iter().find(|index| pack.rule(**index).id == *id) {
                return Ok(Self { found, index, router: pack.router(), runner: pack.runner(&python) });
            }
            let mut errors = pack.pack.problems.iter().filter(|problem| problem.level == Level::Error);
            if let Some(problem) = errors.find(|problem| problem.rule_id.as_ref() == Some(id)) {
                let place = pack.directory.join(&problem.path);
                bail!("rule `{id}` does not load: {}:{}: {}", place.display(), problem.line.max(1), problem.message);
            }
        }
        bail!("rule `{id}` does not load; `iota check {}` says more", found.directory.display())
    }

    /// What the source of the rule says.
    pub(super) fn guards(&self) -> anyhow::Result<&Guards> {
        self.router.guards(0).context("internal error: the pack was not analysed, please report it")
    }

    pub(super) fn explain(&mut self, path: &Path, limits: Limits, most: Option<usize>) -> anyhow::Result<ExplainedRecords> {
        let mut explained = ExplainedRecords::default();
        let found = find_inputs(&[path.to_owned()])?;
        for error in &found.unreadable {
            tracing::error!("{error}");
            explained.unreadable += 1;
        }
        for input in found.inputs {
            explained.read(&input, (limits, most), self).with_context(|| input.name())?;
        }
        Ok(explained)
    }

    fn run(&mut self, record: &Record<'_>) -> anyhow::Result<Ran> {
        let log = serde_json::from_slice(record.raw).context("internal error, please report it")?;
        let request = TestRequest { rule: self.index, log_type: LOG_TYPE, log, mocks: Vec::new() };
        Ok(match self.runner.test(&request)? {
            Ok(outcome) => Ran {
                matched: outcome.matched,
                filtered: outcome.filtered,
                died: None,
                errors: outcome.errors,
                alert: outcome.r#match,
                logs: outcome.logs,
            },
            Err(death) => Ran { died: Some(death.to_string()), ..Ran::default() },
        })
    }
}

impl ExplainedRecords {
    fn read(&mut self, input: &Input, (limits, most): (Limits, Option<usize>), tried: &mut Tried<'_>) -> anyhow::Result<()> {
        let reader: Box<dyn Read> = if input.is_stdin() { Box::new(io::stdin().lock()) } else { Box::new(input.open()?) };
        let mut decoder = Decoder::new(reader, limits);
        while let Some(item) = decoder.next()? {
            match item {
                Item::Record(record) => {
                    let decision = tried.router.decide(0, tried.index, &record);
                    let is_skip = |decision: &Decision| matches!(decision, Decision::Skip { .. });
                    let shown = self.records.iter().filter(|of| is_skip(&of.decision) == is_skip(&decision)).count();
                    if shown < most.unwrap_or(if is_skip(&decision) { MAX_SKIPPED } else { MAX_RUN }) {
                        self.records.push(ExplainedRecord::new(input, &record, decision, tried)?);
                    } else if is_skip(&decision) {
                        self.more_skipped += 1;
                    } else {
                        self.more_run += 1;
                    }
                }
                Item::Rejected(reject) => {
                    self.rejected += 1;
                    let Position { number, line, offset } = reject.position;
                    tracing::warn!("{}: record {number} (line {line}, byte {offset}) rejected: {}", input.name(), reject.reason);
                }
                Item::Skipped(skip, Position { number, line, .. }) => {
                    self.not_events += 1;
                    tracing::warn!("{}: record {number} (line {line}) is not one that rules see: {skip}", input.name());
                }
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.records.iter().try_for_each(|record| record.write(out))?;
        if self.records.is_empty() {
            writeln!(out, "\nno records")?;
        }
        let (skipped, run) = (self.more_skipped, self.more_run);
        if skipped + run > 0 {
            let more = counted(skipped + run, "more record");
            writeln!(out, "\n{more}: {skipped} would be skipped, {run} handed to Python (--limit N shows more)")?;
        }
        Ok(())
    }
}

impl ExplainedRecord {
    fn new(input: &Input, record: &Record<'_>, decision: Decision, tried: &mut Tried<'_>) -> anyhow::Result<Self> {
        let value = Value::parse(record.raw);
        let text = |name: &str| value.text(&[name]).map(str::to_owned);
        let place = |reason: Option<_>| reason.map(|reason| tried.found.placed(&reason));
        let (decision, run) = match decision {
            Decision::Skip { by } => (Decision::Skip { by: place(by) }, false),
            Decision::Run { because } => (Decision::Run { because: place(because) }, true),
        };
        Ok(Self {
            input: input.name(),
            number: record.position.number,
            line: record.position.line,
            event_name: text("eventName"),
            event_id: text("eventID"),
            decision,
            result: run.then(|| tried.run(record)).transpose()?,
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let facts = [("eventName", &self.event_name), ("eventID", &self.event_id)];
        let facts = facts.into_iter().filter_map(|(name, value)| Some(format!(", {name} {}", printable(value.as_deref()?))));
        writeln!(out, "\nrecord {} (line {}{})", self.number, self.line, facts.collect::<String>())?;
        match &self.decision {
            Decision::Skip { by: Some(by) } => {
                writeln!(out, "  skipped, because this decides that it does not match:")?;
                write_reason(
                    out,
                    "    ",
                    by,
                    if by.why == NOT_MET { "with what this gives here, the rule does not match" } else { &by.why },
                )?;
            }
            Decision::Skip { by: None } => writeln!(out, "  skipped: the rule is certain not to match")?,
            Decision::Run { because: Some(because) } => {
                writeln!(out, "  run, because this is left to Python:")?;
                write_reason(out, "    ", because, &because.why)?;
            }
            Decision::Run { because: None } => writeln!(out, "  run: nothing says that it does not match")?,
        }
        self.result.as_ref().map_or(Ok(()), |result| result.write(out))
    }
}

impl Ran {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let decided = self.died.is_none() && !self.errors.contains_key("rule");
        match () {
            () if self.filtered => writeln!(out, "  an inline filter stopped the record: rule() was not called")?,
            () if decided && self.matched => writeln!(out, "  rule() matched")?,
            () if decided => writeln!(out, "  rule() did not match")?,
            () => {}
        }
        if let Some(death) = &self.died {
            writeln!(out, "  {}", printable(death))?;
        }
        // On what does not match, a run calls nothing but `rule`.
        for (name, failure) in self.errors.iter().filter(|(name, _)| self.matched || *name == "rule") {
            let text = format!("{name}() raised {}", failure.describe());
            text.lines().try_for_each(|line| writeln!(out, "  {}", printable(line)))?;
        }
        if let Some(alert) = &self.alert {
            write_alert(out, alert)?;
        }
        self.logs.iter().flat_map(|log| log.lines()).try_for_each(|line| writeln!(out, "  | {}", printable(line)))
    }
}

fn write_alert(out: &mut impl Write, alert: &TestMatch) -> io::Result<()> {
    let destinations = alert.destinations.as_ref().map(|names| names.join(", "));
    let fields = [
        ("title", Some(alert.title.as_str())),
        ("severity", alert.severity.map(iota_engine::alert::Severity::as_str)),
        ("dedup", Some(&alert.dedup)),
        ("description", alert.description.as_deref()),
        ("reference", alert.reference.as_deref()),
        ("runbook", alert.runbook.as_deref()),
        ("destinations", destinations.as_deref()),
        ("context", alert.context.as_ref().map(|context| context.get())),
        ("unique", alert.unique.as_deref()),
    ];
    let mut given = fields.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    given.try_for_each(|(name, value)| writeln!(out, "    {name}: {}", printable(value)))
}
