//! `iota audit`: who changed what, when and why.

use super::desk::{self, shown_time};
use crate::args::{AuditArgs, AuditCommand, ListFormat, subcommand};
use crate::exit::Exit;
use crate::printer::write_json;
use clap::ArgMatches;
use iota_engine::store::{Actor, AuditRecord, verify_audit_log};
use iota_engine::text::printable;
use std::io::{self, Write};

pub(crate) fn audit(args: &AuditArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let matches = subcommand(matches);
    let (AuditCommand::List { desk, .. } | AuditCommand::Verify { desk }) = &args.command;
    let store = desk::open(&desk::settings(desk, matches)?)?;
    let mut out = io::stdout().lock();
    match &args.command {
        AuditCommand::List { limit, format, .. } => list(&store.audit_log(*limit)?, *format, &mut out)?,
        AuditCommand::Verify { .. } => {
            let records = store.audit_log(None)?;
            if let Err(tampered) = verify_audit_log(&records) {
                writeln!(out, "{tampered}")?;
                return Ok(Exit::Findings);
            }
            let last = records.last().map_or("none", |record| record.hash.as_str());
            writeln!(out, "{} records, unchanged; last hash: {last}", records.len())?;
        }
    }
    Ok(Exit::Ok)
}

fn list(records: &[AuditRecord], format: ListFormat, out: &mut impl Write) -> anyhow::Result<()> {
    if format == ListFormat::Jsonl {
        for record in records {
            write_json(out, record, false)?;
        }
        return Ok(());
    }
    let mut table = desk::table(&["NUMBER", "AT", "WHO", "ACTION", "SUBJECT", "WHY"]);
    for AuditRecord { number, entry, .. } in records {
        let who = match &entry.actor {
            Actor::Iota => "iota".to_owned(),
            Actor::User(name) => name.clone(),
            Actor::Caller { arn, user } => format!("{arn} ({user})"),
        };
        table.add_row([
            number.to_string(),
            shown_time(entry.at_ms),
            printable(&who),
            entry.action.clone(),
            printable(&entry.subject),
            printable(entry.why.as_deref().unwrap_or("-")),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
