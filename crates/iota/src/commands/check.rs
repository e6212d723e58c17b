//! `iota check`

use super::desk;
use super::reach::Reach;
use super::select::Selection;
use crate::args::{CheckArgs, CheckFormat};
use crate::exit::Exit;
use crate::printer::{counted, write_json};
use anyhow::bail;
use clap::ArgMatches;
use iota_engine::guard::{Guard, Reason};
use iota_engine::rule::{Level, Problem, Rule};
use iota_engine::text::printable;
use iota_service::rules::{LoadedPack, UnknownName, unknown_names};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::io::{self, Write};

pub(crate) fn check(args: &CheckArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let mut selection = Selection::load(&args.paths, &args.python, matches)?;
    let mut problems = Vec::new();
    let mut counts = Counts::default();
    for pack in &mut selection.packs {
        pack.pack.lint();
    }
    for pack in &selection.packs {
        counts.rules += rules_in(pack, &selection);
        for problem in pack.pack.problems.iter().filter(|problem| selection.wants(pack, &[&problem.path])) {
            let path = pack.directory.join(&problem.path).display().to_string();
            problems.push(Problem { path, ..problem.clone() });
        }
        unknown_outputs(pack, &selection, &mut problems);
        counts.unguarded += unguarded(pack, &selection, &mut problems);
    }
    for UnknownName { path, line, message } in unknown_names(&selection.packs, &selection.settings, desk::now_ms())? {
        let (level, code, path) = (Level::Warning, "unknown-name", path.display().to_string());
        problems.push(Problem { level, code, pack: String::new(), path, line, rule_id: None, message });
    }
    problems.sort_by(|a, b| (&a.path, a.line, a.code).cmp(&(&b.path, b.line, b.code)));
    let of_level = |level| problems.iter().filter(|problem| problem.level == level).count();
    (counts.errors, counts.warnings) = (of_level(Level::Error), of_level(Level::Warning));
    match args.format {
        CheckFormat::Text => text(&problems, &counts)?,
        CheckFormat::Json => write_json(&mut io::stdout(), &problems, true)?,
        CheckFormat::Sarif => write_json(&mut io::stdout(), &sarif(&problems), true)?,
    }
    // A mistyped path must not look like a clean one. What is there and not run is told above.
    if counts.rules == 0 && problems.is_empty() {
        let paths: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
        bail!("{}: there are no rules", paths.join(", "));
    }
    let too_many = args.max_unguarded.filter(|most| counts.unguarded > *most);
    if let Some(most) = too_many {
        tracing::error!("{} unguarded, and --max-unguarded allows {most}", counted(counts.unguarded, "rule"));
    }
    let failed = counts.errors > 0 || (args.strict && counts.warnings > 0) || too_many.is_some();
    Ok(if failed { Exit::Findings } else { Exit::Ok })
}

/// How many rules of a pack were asked for, with those of which nothing is known but that they do not run.
fn rules_in(pack: &LoadedPack, selection: &Selection) -> usize {
    let rules = pack.pack.rules.iter().chain(&pack.pack.unusable);
    let wanted = rules.filter(|rule| selection.wants(pack, &[rule.path(), rule.declaration()])).map(Rule::declaration);
    let skipped: BTreeSet<&str> = pack.pack.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    let declared = pack.pack.declarations.iter().map(String::as_str);
    let declared = declared.filter(|path| !skipped.contains(path) && selection.wants(pack, &[path]));
    wanted.chain(declared).collect::<BTreeSet<&str>>().len()
}

const UNGUARDED: &str = "unguarded";

#[derive(Debug, Default)]
struct Counts {
    rules: usize,
    errors: usize,
    warnings: usize,
    /// Rules that are called on every record.
    unguarded: usize,
}

/// Adds a warning for each rule that is called on every record, and one for all that are because of something else in
/// their pack. Returns how many rules that are.
fn unguarded(pack: &LoadedPack, selection: &Selection, problems: &mut Vec<Problem>) -> usize {
    let guards = pack.guards();
    let mut of_pack: Option<(&Reason, usize)> = None;
    let mut found = 0;
    for &index in &pack.runnable {
        let rule = pack.rule(index);
        // What is disabled costs nothing.
        if !rule.enabled || !selection.wants(pack, &[rule.path(), rule.declaration()]) {
            continue;
        }
        let Some(guard) = guards.guard(index).filter(|guard| Reach::of(guard) == Reach::EveryRecord) else { continue };
        found += 1;
        match guard.reasons.first().filter(|_| guard.is_gap_of_pack) {
            Some(reason) => of_pack.get_or_insert((reason, 0)).1 += 1,
            None => problems.push(every_record(pack, rule, guard)),
        }
    }
    problems.extend(of_pack.map(|(reason, rules)| no_analysis(pack, reason, rules)));
    found
}

/// Adds a warning for each rule whose `OutputIds` are not all names of outputs; a note where no outputs are configured.
fn unknown_outputs(pack: &LoadedPack, selection: &Selection, problems: &mut Vec<Problem>) {
    for rule in pack.pack.rules.iter().filter(|rule| selection.wants(pack, &[rule.path(), rule.declaration()])) {
        let (known, unknown): (Vec<_>, Vec<_>) =
            rule.output_ids.iter().partition(|name| selection.settings.outputs.contains_key(*name));
        if unknown.is_empty() {
            continue;
        }
        let names = unknown.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let instead = if known.is_empty() { "alerts go where the routes say" } else { "alerts go to the others" };
        let (level, message) = if selection.settings.outputs.is_empty() {
            (Level::Note, format!("OutputIds {names}: no outputs are configured here"))
        } else {
            (Level::Warning, format!("OutputIds: there is no output {names}, so {instead}; name outputs of iota.yaml"))
        };
        let problem = problem(pack, rule.declaration(), 0, Some(rule.id.clone()), format!("rule `{}`: {message}", rule.id));
        problems.push(Problem { level, code: "unknown-output", line: rule.line, ..problem });
    }
}

fn no_analysis(pack: &LoadedPack, Reason { path, line, source, why }: &Reason, rules: usize) -> Problem {
    let at = if source.is_empty() { String::new() } else { format!(" at `{source}`") };
    let (rules, is) = (counted(rules, "rule"), if rules == 1 { "is" } else { "are" });
    let message = format!(
        "{rules} of the pack {is} handed every record, because the analysis of all its Python stops{at}: {why}; \
         write it in another way, or move it to a pack of its own"
    );
    problem(pack, path, *line, None, message)
}

fn every_record(pack: &LoadedPack, rule: &Rule, guard: &Guard) -> Problem {
    let (path, line, why) = match guard.reasons.first() {
        Some(reason) => {
            let at = if reason.source.is_empty() { String::new() } else { format!(" at `{}`", reason.source) };
            (reason.path.as_str(), reason.line, format!("the analysis stops{at}: {}", reason.why))
        }
        None => (rule.path(), 0, "it asks nothing of the record".to_owned()),
    };
    let (id, file) = (&rule.id, pack.directory.join(rule.declaration()));
    let message = format!("rule `{id}`: every record is handed to Python, because {why}; see `iota explain {}`", file.display());
    problem(pack, path, line, Some(id.clone()), message)
}

fn problem(pack: &LoadedPack, path: &str, line: u32, rule_id: Option<String>, message: String) -> Problem {
    let path = pack.directory.join(path).display().to_string();
    Problem { level: Level::Warning, code: UNGUARDED, pack: pack.pack.name.clone(), path, line: line.into(), rule_id, message }
}

fn text(problems: &[Problem], counts: &Counts) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for problem in problems {
        writeln!(out, "{}", printable(&problem.to_string()))?;
    }
    let Counts { rules, errors, warnings, .. } = *counts;
    let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
    writeln!(out, "{} checked: {errors}, {warnings}", counted(rules, "rule"))
}

/// A path as SARIF has it.
fn uri(path: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(encoded).collect()
}

/// Messages of SARIF may hold links, `[text](target)`; those of a pack are text.
fn without_links(message: &str) -> String {
    message.replace("](", "\\](")
}

/// SARIF 2.1.0, as code scanning services read it.
fn sarif(problems: &[Problem]) -> Json {
    let codes: BTreeSet<&str> = problems.iter().map(|problem| problem.code).collect();
    let results: Vec<Json> = problems
        .iter()
        .map(|problem| {
            json!({
                "ruleId": problem.code,
                "level": problem.level,
                "message": {"text": without_links(&problem.message)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri(&problem.path)},
                    "region": {"startLine": problem.line.max(1)},
                }}],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "iota check",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| json!({"id": code})).collect::<Vec<_>>(),
            }},
            "results": results,
        }],
    })
}
