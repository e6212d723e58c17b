//! `iota explain`

mod find;
mod records;
mod rule;

use crate::args::{ExplainArgs, ExplainFormat};
use crate::exit::Exit;
use clap::ArgMatches;
use find::find;
use iota_engine::guard::Guards;
use iota_service::config::Settings;
use records::{ExplainedRecords, explain_records};
use rule::ExplainedRule;
use serde::Serialize;
use std::io::{self, Write};

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
    let guards = Guards::analyse(&found.pack, &[found.index]);
    let rule = ExplainedRule::new(&found, &guards)?;
    let records = args.event.as_deref().map(|path| explain_records(&found, &guards, &settings, path)).transpose()?;
    let rejected = records.as_ref().is_some_and(|records| records.rejected > 0);
    let explained = Explained { rule, records };
    let mut out = io::stdout().lock();
    match args.format {
        ExplainFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&explained)?)?,
        ExplainFormat::Text => {
            explained.rule.write(&mut out)?;
            explained.records.map_or(Ok(()), |records| records.write(&mut out))?;
        }
    }
    Ok(if rejected { Exit::Partial } else { Exit::Ok })
}
