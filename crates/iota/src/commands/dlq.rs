//! `iota dlq`: deliveries that were given up.

use super::desk::{self, shown_time};
use crate::args::{ChangeArgs, DlqArgs, DlqCommand, ListFormat, subcommand};
use crate::exit::Exit;
use crate::printer::write_json;
use anyhow::bail;
use clap::ArgMatches;
use iota_engine::event::format_ms;
use iota_engine::store::{DeadFilter, Delivery};
use iota_engine::text::printable;
use iota_service::config::Settings;
use serde_json::{Value as Json, json};
use std::io::{self, Write};

pub(crate) fn dlq(args: &DlqArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let matches = subcommand(matches);
    let (DlqCommand::List { dead, .. }
    | DlqCommand::Show { dead }
    | DlqCommand::Redrive(ChangeArgs { dead, .. })
    | DlqCommand::Drop(ChangeArgs { dead, .. })) = &args.command;
    let settings = desk::settings(&dead.desk, matches)?;
    let store = desk::open(&settings)?;
    let alert_id = dead.id.as_ref().map(|id| desk::alert_id(&*store, id)).transpose()?;
    let filter = DeadFilter { output: dead.output.clone(), alert_id, limit: None };
    let found = store.dead(&filter)?;
    let mut out = io::stdout().lock();
    match &args.command {
        DlqCommand::List { format, .. } => list(&found, *format, &mut out)?,
        DlqCommand::Show { .. } => {
            if found.is_empty() {
                bail!("{NONE}");
            }
            for delivery in &found {
                let mut json = row(delivery);
                // Of an alert that is gone there is nothing more to show.
                json["alert"] = if delivery.json.is_empty() { Json::Null } else { serde_json::from_slice(&delivery.json)? };
                write_json(&mut out, &json, true)?;
            }
        }
        DlqCommand::Redrive(ChangeArgs { all, why, .. }) => {
            let entry = change(&settings, (&filter, *all), &found, "dlq.redrive", why.as_ref())?;
            let ids: Vec<_> = found.into_iter().map(|delivery| delivery.id).collect();
            writeln!(out, "{} due again", store.redrive(&ids, &entry)?)?;
        }
        DlqCommand::Drop(ChangeArgs { all, why, .. }) => {
            let entry = change(&settings, (&filter, *all), &found, "dlq.drop", why.as_ref())?;
            let ids: Vec<_> = found.into_iter().map(|delivery| delivery.id).collect();
            writeln!(out, "{} dropped", store.give_up(&ids, &entry)?)?;
        }
    }
    Ok(Exit::Ok)
}

const NONE: &str = "there are no such dead letters; `iota dlq list` lists those that there are";

/// What the audit log says of it. All of them are only meant when that is said.
fn change(
    settings: &Settings,
    (named, all): (&DeadFilter, bool),
    found: &[Delivery],
    action: &str,
    why: Option<&String>,
) -> anyhow::Result<iota_engine::store::AuditEntry> {
    if named.alert_id.is_none() && named.output.is_none() && !all {
        bail!("name an alert, or an output with --output NAME, or say --all");
    }
    if found.is_empty() && (named.alert_id.is_some() || named.output.is_some()) {
        bail!("{NONE}");
    }
    let subject = named.alert_id.as_deref().or(named.output.as_deref()).unwrap_or("all");
    let mut entry = desk::entry(settings, action, subject, why)?;
    entry.before = Some(found.iter().map(row).collect::<Vec<_>>().into());
    Ok(entry)
}

fn list(found: &[Delivery], format: ListFormat, out: &mut impl Write) -> anyhow::Result<()> {
    if format == ListFormat::Jsonl {
        for delivery in found {
            write_json(out, &row(delivery), false)?;
        }
        return Ok(());
    }
    if found.is_empty() {
        writeln!(out, "no dead letters")?;
        return Ok(());
    }
    let mut table = desk::table(&["ALERT", "OUTPUT", "CREATED", "ATTEMPTS", "RULE", "WHY"]);
    for delivery in found {
        table.add_row([
            delivery.id.alert_id.clone(),
            delivery.id.output.clone(),
            shown_time(delivery.created_ms),
            delivery.attempts.to_string(),
            printable(&delivery.rule),
            printable(delivery.last_error.as_deref().unwrap_or("-")),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn row(delivery: &Delivery) -> Json {
    json!({
        "alert_id": delivery.id.alert_id,
        "output": delivery.id.output,
        "revision": delivery.id.revision,
        "action": delivery.action,
        "rule": delivery.rule,
        "severity": delivery.severity,
        "attempts": delivery.attempts,
        "created": format_ms(delivery.created_ms),
        "why": delivery.last_error,
    })
}
