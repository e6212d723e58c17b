//! `iota check`

use super::select::Selection;
use crate::args::{CheckArgs, CheckFormat};
use crate::exit::Exit;
use crate::printer::counted;
use clap::ArgMatches;
use iota_engine::rule::{Level, Problem};
use iota_engine::text::printable;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::io::{self, Write};

pub(crate) fn check(args: &CheckArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let mut selection = Selection::load(&args.paths, &args.python, matches)?;
    let mut problems = Vec::new();
    let mut rules = 0;
    for pack in &mut selection.packs {
        pack.pack.lint();
    }
    for pack in &selection.packs {
        rules += pack.pack.rules.iter().filter(|rule| selection.wants(pack, &[rule.path(), rule.declaration()])).count();
        for problem in pack.pack.problems.iter().filter(|problem| selection.wants(pack, &[&problem.path])) {
            let path = pack.directory.join(&problem.path).display().to_string();
            problems.push(Problem { path, ..problem.clone() });
        }
    }
    problems.sort_by(|a, b| (&a.path, a.line, a.code).cmp(&(&b.path, b.line, b.code)));
    let errors = problems.iter().filter(|problem| problem.level == Level::Error).count();
    let warnings = problems.iter().filter(|problem| problem.level == Level::Warning).count();
    match args.format {
        CheckFormat::Text => text(&problems, rules, errors, warnings)?,
        CheckFormat::Json => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&problems)?)?,
        CheckFormat::Sarif => writeln!(io::stdout(), "{:#}", sarif(&problems))?,
    }
    Ok(if errors > 0 || (args.strict && warnings > 0) { Exit::Findings } else { Exit::Ok })
}

fn text(problems: &[Problem], rules: usize, errors: usize, warnings: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for problem in problems {
        writeln!(out, "{}", printable(&problem.to_string()))?;
    }
    writeln!(out, "{} checked: {}, {}", counted(rules, "rule"), counted(errors, "error"), counted(warnings, "warning"))
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
