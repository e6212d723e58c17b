//! `iota suppress`

use super::desk::{self, shown_time};
use crate::args::{SuppressArgs, SuppressCommand, subcommand};
use crate::exit::Exit;
use crate::printer::counted;
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::event::{Summary, parse_ms};
use iota_engine::json::Value;
use iota_engine::store::{AlertFilter, Class, ClassFilter, StoredAlert};
use iota_engine::text::printable;
use iota_engine::triage::{Accounts, Place, Seen, Suppression};
use iota_service::config::Settings;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

pub(crate) fn suppress(args: &SuppressArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let matches = subcommand(matches);
    let (SuppressCommand::List { desk } | SuppressCommand::Preview { desk, .. }) = &args.command;
    let settings = desk::settings(desk, matches)?;
    match &args.command {
        SuppressCommand::List { .. } => list(&settings),
        SuppressCommand::Preview { what, .. } => preview(&settings, what),
    }
}

fn stored(settings: &Settings, class: ClassFilter) -> anyhow::Result<Vec<StoredAlert>> {
    Ok(desk::open(settings)?.alerts(&AlertFilter { class, ..AlertFilter::default() })?)
}

/// All suppressions, with what each has hidden of what is kept.
fn list(settings: &Settings) -> anyhow::Result<Exit> {
    let now_ms = desk::now_ms();
    let mut hits: BTreeMap<String, (u64, i64)> = BTreeMap::new();
    for alert in stored(settings, ClassFilter::Suppressed)? {
        if let Class::Suppressed(id) = alert.class {
            let (count, last_ms) = hits.entry(id).or_insert((0, i64::MIN));
            *count += alert.count;
            *last_ms = alert.last_ms.max(*last_ms);
        }
    }
    let suppressions = settings.alerts.triage(now_ms)?.suppressions;
    let mut table = desk::table(&["ID", "IN FORCE", "EXPIRES", "OWNER", "MATCHES HIDDEN", "LAST", "REASON"]);
    for suppression in &suppressions {
        let hit = hits.remove(suppression.id());
        table.add_row([
            suppression.id().to_owned(),
            desk::word(suppression.in_force(now_ms))?,
            shown_time(suppression.expires_ms),
            printable(&suppression.stated.owner),
            hit.map_or(0, |hit| hit.0).to_string(),
            hit.map_or_else(|| "-".to_owned(), |hit| shown_time(hit.1)),
            printable(&suppression.stated.reason),
        ]);
    }
    for (id, (count, last_ms)) in hits {
        let gone = "removed".to_owned();
        table.add_row([id, gone, "-".to_owned(), "-".to_owned(), count.to_string(), shown_time(last_ms), "-".to_owned()]);
    }
    writeln!(io::stdout().lock(), "{table}")?;
    Ok(Exit::Ok)
}

/// What an alert is made of, as far as suppressions look at it.
#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    event_time: String,
}

/// Which of the alerts and signals that are kept a suppression would have hidden. Only the event of each alert is known, not
/// those of its other matches.
fn preview(settings: &Settings, what: &str) -> anyhow::Result<Exit> {
    let now_ms = desk::now_ms();
    let suppressions = chosen(settings, what, now_ms)?;
    let accounts = settings.alerts.triage(now_ms)?.accounts;
    let mut alerts = stored(settings, ClassFilter::All)?;
    let looked_at = alerts.len();
    let mut hidden: Vec<StoredAlert> = Vec::new();
    for alert in alerts.drain(..) {
        if would_hide(&suppressions, &accounts, &alert)? {
            hidden.push(alert);
        }
    }
    let count = hidden.len();
    super::alerts::list(&hidden, crate::args::ListFormat::Table)?;
    writeln!(io::stdout().lock(), "{count} of {} would have been hidden", counted(looked_at, "alert"))?;
    Ok(Exit::Ok)
}

/// Those of a file, or the one with an id of the configured file.
fn chosen(settings: &Settings, what: &str, now_ms: i64) -> anyhow::Result<Vec<Suppression>> {
    if Path::new(what).is_file() {
        return Ok(settings.alerts.suppressions_of(Path::new(what), now_ms)?);
    }
    let mut all = settings.alerts.triage(now_ms)?.suppressions;
    all.retain(|suppression| suppression.id() == what);
    if all.is_empty() {
        bail!("{what} is neither a file nor the id of a suppression in the configuration");
    }
    Ok(all)
}

fn would_hide(suppressions: &[Suppression], accounts: &Accounts, alert: &StoredAlert) -> anyhow::Result<bool> {
    let shown: Shown<'_> = serde_json::from_slice(&alert.json).with_context(|| format!("alert {}", alert.alert_id))?;
    let event = shown.event.get().as_bytes();
    let (record, summary) = (Value::parse(event), Summary::of(event));
    let id = summary.account_id.as_deref();
    let place = Place { id, account: accounts.get(id) };
    let event_ms = parse_ms(&shown.event_time).unwrap_or(alert.first_ms);
    let seen = Seen { rule: &alert.rule, aliases: &[], record: &record, summary: &summary, place, event_ms };
    Ok(suppressions.iter().any(|suppression| suppression.fits(&seen)))
}
