//! `iota test`

use super::select::Selection;
use crate::args::{TestArgs, TestFormat};
use crate::exit::Exit;
use crate::printer::write_json;
use anyhow::bail;
use clap::ArgMatches;
use iota_engine::decode::{Decoder, Item, Limits};
use iota_engine::event::LOG_TYPE;
use iota_engine::guard::Decision;
use iota_engine::index::Router;
use iota_engine::rule::{Level, RuleTest, TestRequest};
use iota_engine::text::{did_you_mean, printable};
use iota_python::PackRunner;
use iota_service::rules::{LoadedPack, Python};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

#[derive(Debug, Serialize)]
struct Tested {
    pack: String,
    rule: String,
    path: String,
    line: u64,
    test: String,
    passed: bool,
    /// Why it failed.
    reasons: Vec<String>,
    /// What the rule printed.
    logs: Vec<String>,
    seconds: f64,
}

pub(crate) fn test(args: &TestArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let selection = Selection::load(&args.paths, &args.python, matches)?;
    let known = || selection.packs.iter().flat_map(|pack| pack.pack.known_ids());
    if let Some(unknown) = args.rule.iter().find(|id| known().all(|known| known != **id)) {
        bail!("there is no rule `{unknown}`{}", did_you_mean(unknown, known()));
    }
    let ids = meant(&args.rule, &selection.packs);
    let started = Instant::now();
    let mut tested = Vec::new();
    for pack in &selection.packs {
        test_pack(args, &ids, &selection, pack, &mut tested)?;
    }
    let failed = tested.iter().filter(|test| !test.passed).count();
    if tested.is_empty() {
        bail!("no tests found");
    }
    match args.format {
        TestFormat::Text => text(&tested, failed, started.elapsed())?,
        TestFormat::Json => write_json(&mut io::stdout(), &tested, true)?,
        TestFormat::Junit => junit(&tested, started.elapsed())?,
    }
    Ok(if failed > 0 { Exit::Findings } else { Exit::Ok })
}

/// The ids of the rules that were named, also of those that were named as they were called before.
fn meant(named: &[String], packs: &[LoadedPack]) -> BTreeSet<String> {
    let rules = || packs.iter().flat_map(|pack| &pack.pack.rules);
    let mut ids: BTreeSet<String> = named.iter().cloned().collect();
    for id in named.iter().filter(|id| rules().all(|rule| rule.id != **id)) {
        ids.extend(rules().filter(|rule| rule.is_called(id)).map(|rule| rule.id.clone()));
    }
    ids
}

fn test_pack(
    args: &TestArgs,
    ids: &BTreeSet<String>,
    selection: &Selection,
    pack: &LoadedPack,
    tested: &mut Vec<Tested>,
) -> anyhow::Result<()> {
    let mut runner = pack.test_runner(&selection.python);
    for problem in pack.pack.problems.iter().filter(|problem| problem.level == Level::Error) {
        let wanted = ids.is_empty() || problem.rule_id.as_ref().is_some_and(|id| ids.contains(id));
        if wanted && selection.wants(pack, &[&problem.path]) {
            tested.push(Tested {
                pack: pack.pack.name.clone(),
                rule: problem.rule_id.clone().unwrap_or_else(|| problem.path.clone()),
                path: pack.directory.join(&problem.path).display().to_string(),
                line: problem.line.max(1),
                test: "loads".to_owned(),
                passed: false,
                reasons: vec![problem.message.clone()],
                logs: Vec::new(),
                seconds: 0.0,
            });
        }
    }
    let router = pack.router();
    for &index in &pack.runnable {
        let rule = pack.rule(index);
        let files: Vec<&str> = [Some(rule.path()), rule.metadata.as_deref()].into_iter().flatten().collect();
        if !(ids.is_empty() || ids.contains(&rule.id)) || !selection.wants(pack, &files) {
            continue;
        }
        for test in rule.tests.iter().filter(|test| args.name.as_ref().is_none_or(|name| test.name.contains(name.as_str()))) {
            tested.push(run_test(&mut runner, pack, &router, index, test)?);
        }
    }
    Ok(())
}

/// Runs every test of a pack: how many there are, and what failed.
pub(super) fn all_of(pack: &LoadedPack, python: &Python) -> anyhow::Result<(usize, Vec<String>)> {
    let (mut runner, router) = (pack.test_runner(python), pack.router());
    let mut tested = Vec::new();
    for &index in &pack.runnable {
        for test in &pack.rule(index).tests {
            tested.push(run_test(&mut runner, pack, &router, index, test)?);
        }
    }
    let failed = tested.iter().filter(|test| !test.passed);
    let said = failed.map(|test| format!("{}: {}: {}", test.rule, test.test, test.reasons.join("; ")));
    Ok((tested.len(), said.collect()))
}

fn run_test(runner: &mut PackRunner, pack: &LoadedPack, router: &Router, index: u16, test: &RuleTest) -> anyhow::Result<Tested> {
    let rule = pack.rule(index);
    let mocks = test.mocks.iter().map(|mock| json!({"name": mock.object_name, "value": mock.return_value})).collect();
    let log_type = test.log_type.as_deref().unwrap_or(LOG_TYPE);
    let log = to_raw_value(&test.log)?;
    let request = TestRequest { rule: index, log_type, log: &log, mocks };
    let started = Instant::now();
    let (reasons, logs) = match runner.test(&request)? {
        Ok(outcome) => {
            let mut reasons = test.reasons(&outcome);
            // The fast path knows nothing of mocks, and speaks of CloudTrail records only.
            if test.mocks.is_empty() && log_type == LOG_TYPE {
                reasons.extend(decide(router, index, &log).and_then(|decision| outcome.skipped_wrongly(&decision)));
            }
            (reasons, outcome.logs)
        }
        Err(death) => (vec![death.to_string()], Vec::new()),
    };
    Ok(Tested {
        pack: pack.pack.name.clone(),
        rule: rule.id.clone(),
        path: pack.directory.join(rule.declaration()).display().to_string(),
        line: test.line,
        test: test.name.clone(),
        passed: reasons.is_empty(),
        reasons,
        logs,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// What the fast path makes of a log. `None` where it is not one record, such as `{}` or an envelope.
fn decide(router: &Router, rule: u16, log: &RawValue) -> Option<Decision> {
    let text = log.get().as_bytes();
    let mut decoder = Decoder::new(text, Limits::default());
    match decoder.next().ok()?? {
        Item::Record(record) if record.raw == text => Some(router.decide(0, rule, &record)),
        _ => None,
    }
}

fn text(tested: &[Tested], failed: usize, elapsed: Duration) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for test in tested.iter().filter(|test| !test.passed) {
        writeln!(out, "FAIL {}: {}", printable(&test.rule), printable(&test.test))?;
        writeln!(out, "  {}:{}", printable(&test.path), test.line)?;
        for line in test.reasons.iter().flat_map(|reason| reason.lines()) {
            writeln!(out, "  {}", printable(line))?;
        }
        for line in test.logs.iter().flat_map(|log| log.lines()) {
            writeln!(out, "  | {}", printable(line))?;
        }
    }
    writeln!(out, "{} passed, {failed} failed in {:.2} s", tested.len() - failed, elapsed.as_secs_f64())
}

/// The two characters that XML cannot hold and that the report would keep are shown as escapes.
fn of_xml(text: &str) -> String {
    text.replace('\u{FFFE}', "\\u{fffe}").replace('\u{FFFF}', "\\u{ffff}")
}

fn junit(tested: &[Tested], elapsed: Duration) -> anyhow::Result<()> {
    let mut report = Report::new("iota test");
    report.set_time(elapsed);
    for of_rule in tested.chunk_by(|a, b| a.rule == b.rule) {
        let mut suite = TestSuite::new(of_xml(&of_rule[0].rule));
        for test in of_rule {
            let status = if test.passed {
                TestCaseStatus::success()
            } else {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(of_xml(test.reasons.first().and_then(|reason| reason.lines().next()).unwrap_or_default()));
                status.set_description(of_xml(&format!("{}:{}\n{}", test.path, test.line, test.reasons.join("\n"))));
                status
            };
            let mut case = TestCase::new(of_xml(&test.test), status);
            case.set_classname(of_xml(&test.rule));
            case.set_time(Duration::from_secs_f64(test.seconds));
            if !test.logs.is_empty() {
                case.set_system_out(of_xml(&test.logs.join("\n")));
            }
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.serialize(io::stdout())?;
    Ok(())
}
