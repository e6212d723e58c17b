//! `iota check`

use super::reach::Reach;
use super::select::Selection;
use crate::args::{CheckArgs, CheckFormat};
use crate::exit::Exit;
use crate::printer::counted;
use clap::ArgMatches;
use iota_engine::guard::Guard;
use iota_engine::rule::{Level, Problem, Rule};
use iota_engine::text::printable;
use iota_service::rules::LoadedPack;
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
        counts.rules += pack.pack.rules.iter().filter(|rule| selection.wants(pack, &[rule.path(), rule.declaration()])).count();
        for problem in pack.pack.problems.iter().filter(|problem| selection.wants(pack, &[&problem.path])) {
            let path = pack.directory.join(&problem.path).display().to_string();
            problems.push(Problem { path, ..problem.clone() });
        }
        counts.expressions += unguarded(pack, &selection, &mut problems);
    }
    problems.sort_by(|a, b| (&a.path, a.line, a.code).cmp(&(&b.path, b.line, b.code)));
    let of_level = |level| problems.iter().filter(|problem| problem.level == level).count();
    (counts.errors, counts.warnings) = (of_level(Level::Error), of_level(Level::Warning));
    match args.format {
        CheckFormat::Text => text(&problems, &counts)?,
        CheckFormat::Json => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&problems)?)?,
        CheckFormat::Sarif => writeln!(io::stdout(), "{:#}", sarif(&problems))?,
    }
    let unguarded = problems.iter().filter(|problem| problem.code == UNGUARDED).count();
    let too_many = args.max_unguarded.filter(|most| unguarded > *most);
    if let Some(most) = too_many {
        tracing::error!("{} unguarded, and --max-unguarded allows {most}", counted(unguarded, "rule"));
    }
    let failed = counts.errors > 0 || (args.strict && counts.warnings > 0) || too_many.is_some();
    Ok(if failed { Exit::Findings } else { Exit::Ok })
}

const UNGUARDED: &str = "unguarded";

#[derive(Debug, Default)]
struct Counts {
    rules: usize,
    errors: usize,
    warnings: usize,
    /// Rules made of match expressions.
    expressions: usize,
}

/// Adds a warning for each rule whose Python is run on every record. Returns how many rules are made of expressions: they
/// are evaluated on every record, too, but their authors cannot do anything about it.
fn unguarded(pack: &LoadedPack, selection: &Selection, problems: &mut Vec<Problem>) -> usize {
    let guards = pack.guards();
    let mut expressions = 0;
    for &index in &pack.runnable {
        let rule = pack.rule(index);
        // What is disabled costs nothing.
        if !rule.enabled || !selection.wants(pack, &[rule.path(), rule.declaration()]) {
            continue;
        }
        let Some(guard) = guards.guard(index) else { continue };
        match Reach::of(rule, guard) {
            Reach::EveryRecord => problems.push(every_record(pack, rule, guard)),
            Reach::Expressions => expressions += 1,
            Reach::NoRecord | Reach::Indexed | Reach::LookedAt => {}
        }
    }
    expressions
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
    Problem {
        level: Level::Warning,
        code: UNGUARDED,
        pack: pack.pack.name.clone(),
        path: pack.directory.join(path).display().to_string(),
        line: line.into(),
        rule_id: Some(id.clone()),
        message,
    }
}

fn text(problems: &[Problem], counts: &Counts) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for problem in problems {
        writeln!(out, "{}", printable(&problem.to_string()))?;
    }
    let Counts { rules, errors, warnings, expressions } = *counts;
    let expressions = if expressions > 0 { format!(" ({expressions} made of match expressions)") } else { String::new() };
    let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
    writeln!(out, "{} checked{expressions}: {errors}, {warnings}", counted(rules, "rule"))
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
                "message": {"text": problem.message},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": problem.path},
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
