//! `iota explain`

mod find;
mod records;
mod rule;

use crate::args::{ExplainArgs, ExplainFormat};
use crate::exit::Exit;
use crate::printer::write_json;
use clap::ArgMatches;
use find::find;
use iota_engine::guard::Guards;
use iota_service::config::Settings;
use records::{ExplainedRecords, Tried};
use rule::ExplainedRule;
use serde::Serialize;
use std::io;

#[derive(Debug, Serialize)]
struct Explained {
    #[serde(flatten)]
    rule: ExplainedRule,
    /// Only with `--event`.
    #[serde(flatten)]
    records: Option<ExplainedRecords>,
}

pub(crate) fn explain(args: &ExplainArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let settings = Settings::resolve(args.rules.given(matches))?;
    let found = find(&args.rule, &settings)?;
    let explained = match &args.event {
        None => {
            let guards = Guards::analyse(&found.pack, &[found.index]);
            Explained { rule: ExplainedRule::new(&found, found.index, &guards)?, records: None }
        }
        Some(path) => {
            // What Python loaded may be another function than the one that was read.
            let mut tried = Tried::load(&found, &settings)?;
            let rule = ExplainedRule::new(&found, tried.index, tried.guards()?)?;
            Explained { rule, records: Some(tried.explain(path, settings.limits(), args.limit)?) }
        }
    };
    let count = |of: fn(&ExplainedRecords) -> u64| explained.records.as_ref().map_or(0, of);
    let (rejected, unreadable) = (count(|records| records.rejected), count(|records| records.unreadable));
    let mut out = io::stdout().lock();
    match args.format {
        ExplainFormat::Json => write_json(&mut out, &explained, true)?,
        ExplainFormat::Text => {
            explained.rule.write(&mut out)?;
            explained.records.map_or(Ok(()), |records| records.write(&mut out))?;
        }
    }
    Ok(match (unreadable, rejected) {
        (1.., _) => Exit::Usage,
        (0, 1..) => Exit::Partial,
        (0, 0) => Exit::Ok,
    })
}
