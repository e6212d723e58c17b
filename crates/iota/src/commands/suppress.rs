//! `iota suppress`

use super::desk::{self, shown_time};
use crate::args::{SuppressArgs, SuppressCommand, subcommand};
use crate::exit::Exit;
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::event::{Summary, parse_ms};
use iota_engine::json::Value;
use iota_engine::store::{AlertFilter, Class, ClassFilter, StoredAlert};
use iota_engine::text::printable;
use iota_engine::triage::{Accounts, InForce, Place, Seen, Suppression};
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

/// Those that stand: what one had that was taken over, the other one has, too.
fn stored(settings: &Settings, class: ClassFilter) -> anyhow::Result<Vec<StoredAlert>> {
    let mut alerts = desk::open(settings)?.alerts(&AlertFilter { class, ..AlertFilter::default() })?;
    alerts.retain(|alert| alert.superseded_by.is_none());
    Ok(alerts)
}

/// What a suppression has hidden of what is kept.
struct Hidden {
    alerts: u64,
    /// Of these alerts: others did not reach their rule's threshold, and made none.
    matches: u64,
    last_ms: i64,
}

/// All suppressions, with what each has hidden of what is kept.
fn list(settings: &Settings) -> anyhow::Result<Exit> {
    let now_ms = desk::now_ms();
    let mut hits: BTreeMap<String, Hidden> = BTreeMap::new();
    for alert in stored(settings, ClassFilter::Suppressed)? {
        if let Class::Suppressed(id) = alert.class {
            let hidden = hits.entry(id).or_insert(Hidden { alerts: 0, matches: 0, last_ms: i64::MIN });
            hidden.alerts += 1;
            hidden.matches += alert.count;
            hidden.last_ms = alert.last_ms.max(hidden.last_ms);
        }
    }
    let suppressions = settings.alerts.triage(now_ms)?.suppressions;
    let mut table = desk::table(&["ID", "IN FORCE", "EXPIRES", "OWNER", "ALERTS HIDDEN", "MATCHES IN THEM", "LAST", "REASON"]);
    let counts = |hidden: Option<&Hidden>| {
        hidden.map_or_else(
            || ["0".to_owned(), "0".to_owned(), "-".to_owned()],
            |hidden| [hidden.alerts.to_string(), hidden.matches.to_string(), shown_time(hidden.last_ms)],
        )
    };
    for suppression in &suppressions {
        let [alerts, matches, last] = counts(hits.remove(suppression.id()).as_ref());
        table.add_row([
            suppression.id().to_owned(),
            desk::word(suppression.in_force(now_ms))?,
            shown_time(suppression.expires_ms),
            printable(&suppression.stated.owner),
            alerts,
            matches,
            last,
            printable(&suppression.stated.reason),
        ]);
    }
    for (id, hidden) in hits {
        let [alerts, matches, last] = counts(Some(&hidden));
        table.add_row([id, "removed".to_owned(), "-".to_owned(), "-".to_owned(), alerts, matches, last, "-".to_owned()]);
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
    let (mut alerts, mut signals, mut suppressed) = (Counted::default(), Counted::default(), Counted::default());
    let mut hidden: Vec<StoredAlert> = Vec::new();
    for alert in stored(settings, ClassFilter::All)? {
        let of_class = match alert.class {
            Class::Signal => &mut signals,
            Class::Suppressed(_) => &mut suppressed,
            _ => &mut alerts,
        };
        of_class.all += 1;
        if would_hide(&suppressions, &accounts, &alert)? {
            of_class.hidden += 1;
            hidden.push(alert);
        }
    }
    super::alerts::list(&hidden, crate::args::ListFormat::Table)?;
    let mut out = io::stdout().lock();
    for suppression in &suppressions {
        let (id, expires) = (suppression.id(), shown_time(suppression.expires_ms));
        match suppression.in_force(now_ms) {
            InForce::Active => {}
            InForce::Expired => writeln!(out, "{id} expired at {expires}: it hides nothing any more")?,
            InForce::Pending => writeln!(out, "{id} is not in force yet")?,
        }
    }
    let of = |counted: &Counted, noun: &str| format!("{} of {}", counted.hidden, crate::printer::counted(counted.all, noun));
    writeln!(
        out,
        "would have been hidden: {}, {}; and {} that are suppressed already",
        of(&alerts, "alert"),
        of(&signals, "signal"),
        of(&suppressed, "alert")
    )?;
    Ok(Exit::Ok)
}

/// Alerts of a class, and those of them that would have been hidden.
#[derive(Default)]
struct Counted {
    hidden: usize,
    all: usize,
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
