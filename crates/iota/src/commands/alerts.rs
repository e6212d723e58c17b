//! `iota alerts`

use super::desk::{self, alert_json, shown_time, word};
use crate::args::{AlertsArgs, AlertsCommand, CloseAs, DeskArgs, ListFormat, subcommand};
use crate::exit::Exit;
use crate::printer::{counted, write_json};
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::store::{
    AlertFilter, Class, ClassFilter, DeliveryAction, DeliveryState, Desk, Handling, Status, StatusChange, Store, StoredAlert,
};
use iota_engine::text::printable;
use iota_service::config::Settings;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

pub(crate) fn alerts(args: &AlertsArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let matches = subcommand(matches);
    let opened = |args: &DeskArgs| -> anyhow::Result<(Settings, Arc<dyn Store>)> {
        let settings = desk::settings(args, matches)?;
        let store = desk::open(&settings)?;
        Ok((settings, store))
    };
    match &args.command {
        AlertsCommand::List { signals, suppressed, rule, severity, status, since, limit, format, desk } => {
            let class = match (signals, suppressed) {
                (true, _) => ClassFilter::Signals,
                (_, true) => ClassFilter::Suppressed,
                _ => ClassFilter::Sent,
            };
            let filter = AlertFilter {
                class,
                rule: rule.clone(),
                severity: *severity,
                status: status.map(Into::into),
                since_ms: desk::since(since.as_ref(), desk::now_ms())?,
                limit: Some(*limit),
            };
            list(&opened(desk)?.1.alerts(&filter)?, *format)
        }
        AlertsCommand::Show { id, desk } => show(&*opened(desk)?.1, id),
        AlertsCommand::Resend { id, output, why, desk } => {
            let (settings, store) = opened(desk)?;
            resend(&settings, &*store, id, output.as_ref(), why.as_ref())
        }
        AlertsCommand::Ack { id, why, desk } => set(&opened(desk)?, id, Status::Acknowledged, "alert.ack", why.as_ref()),
        AlertsCommand::Resolve { id, why, desk } => set(&opened(desk)?, id, Status::Resolved, "alert.resolve", why.as_ref()),
        AlertsCommand::Close { id, verdict, why, desk } => {
            let status = match verdict {
                CloseAs::TruePositive => Status::ClosedTruePositive,
                CloseAs::FalsePositive => Status::ClosedFalsePositive,
            };
            set(&opened(desk)?, id, status, "alert.close", why.as_ref())
        }
    }
}

/// By its id, or the beginning of that.
fn find(store: &dyn Desk, given: &str) -> anyhow::Result<StoredAlert> {
    store.alert(&desk::alert_id(store, given)?)?.with_context(|| format!("there is no alert {given}"))
}

pub(super) fn list(alerts: &[StoredAlert], format: ListFormat) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    if format == ListFormat::Jsonl {
        for alert in alerts {
            write_json(&mut out, &alert_json(alert)?, false)?;
        }
        return Ok(Exit::Ok);
    }
    if alerts.is_empty() {
        writeln!(out, "no alerts")?;
        return Ok(Exit::Ok);
    }
    let mut table = desk::table(&["ID", "CREATED", "SEVERITY", "RULE", "TITLE", "ACCOUNT", "COUNT", "STATUS"]);
    for alert in alerts {
        let status = match (&alert.class, &alert.superseded_by) {
            (_, Some(_)) => "superseded".to_owned(),
            (Class::Suppressed(by), None) => format!("suppressed by {by}"),
            (_, None) => word(alert.status)?,
        };
        table.add_row([
            alert.alert_id.clone(),
            shown_time(alert.created_ms),
            alert.severity.to_string(),
            printable(&alert.rule),
            printable(&alert.title),
            printable(alert.account_id.as_deref().unwrap_or("-")),
            alert.count.to_string(),
            status,
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(Exit::Ok)
}

/// The alert, and what became of each of its deliveries.
fn show(store: &dyn Desk, id: &str) -> anyhow::Result<Exit> {
    let alert = find(store, id)?;
    let deliveries = store.deliveries(&alert.alert_id)?.into_iter().map(|delivery| {
        Ok(json!({
            "output": delivery.id.output,
            "revision": delivery.id.revision,
            "action": delivery.action,
            "state": delivery.state,
            "attempts": delivery.attempts,
            "due": iota_engine::event::format_ms(delivery.due_ms),
            "last_error": delivery.last_error,
        }))
    });
    let deliveries = deliveries.collect::<anyhow::Result<Vec<_>>>()?;
    let mut json = alert_json(&alert)?;
    json["deliveries"] = deliveries.into();
    write_json(&mut io::stdout().lock(), &json, true)?;
    Ok(Exit::Ok)
}

/// To one output, or to all that the alert went to.
fn resend(
    settings: &Settings,
    store: &dyn Desk,
    id: &str,
    output: Option<&String>,
    why: Option<&String>,
) -> anyhow::Result<Exit> {
    let alert = find(store, id)?;
    let id = alert.alert_id.as_str();
    // Without outputs in the configuration the next run prints it.
    let is_there = |output: &String| settings.outputs.is_empty() || settings.outputs.contains_key(output);
    let outputs: BTreeSet<String> = match output {
        Some(output) if !is_there(output) => bail!("there is no output `{output}` in the configuration"),
        Some(output) => [output.clone()].into(),
        None => alert.routes.iter().map(|route| route.output.clone()).collect(),
    };
    let (outputs, gone): (BTreeSet<String>, BTreeSet<String>) = outputs.into_iter().partition(is_there);
    if outputs.is_empty() {
        let went = gone.into_iter().collect::<Vec<_>>().join(", ");
        let went = if went.is_empty() { "no output".to_owned() } else { format!("{went}, which is not in the configuration") };
        bail!("alert {id} went to {went}; name another one with --output NAME");
    }
    let mut entry = desk::entry(settings, "alert.resend", id, why)?;
    entry.after = Some(json!({"outputs": outputs}));
    let count = outputs.len();
    if !store.handle(id, &Handling { status: None, outputs, action: DeliveryAction::Create }, &entry)? {
        bail!("there is no alert {id}");
    }
    writeln!(io::stdout().lock(), "{id}: {} added", counted(count, "delivery"))?;
    Ok(Exit::Ok)
}

/// An alert that was taken over is no longer worked on: its matches, and what outputs know, belong to the one that did.
fn check_standing(store: &dyn Desk, alert: &StoredAlert) -> anyhow::Result<()> {
    let Some(mut by) = alert.superseded_by.clone() else { return Ok(()) };
    while let Some(next) = store.alert(&by)?.and_then(|alert| alert.superseded_by) {
        by = next;
    }
    let id = &alert.alert_id;
    bail!("alert {id} was taken over by alert {by}, when a match that came late moved its start back; give {by} instead")
}

/// Outputs for which an alert is resolved, or will be: the last of what they got, or will get, says so.
fn resolved(store: &dyn Desk, id: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut resolved = BTreeSet::new();
    for delivery in store.deliveries(id)? {
        if !matches!(delivery.state, DeliveryState::Pending | DeliveryState::Delivered) {
            continue;
        }
        if delivery.action == DeliveryAction::Resolve {
            resolved.insert(delivery.id.output);
        } else {
            resolved.remove(&delivery.id.output);
        }
    }
    Ok(resolved)
}

/// Changes the status; outputs that take it are told, but for those that know it already.
fn set(
    (settings, store): &(Settings, Arc<dyn Store>),
    id: &str,
    status: Status,
    action: &str,
    why: Option<&String>,
) -> anyhow::Result<Exit> {
    let alert = find(&**store, id)?;
    check_standing(&**store, &alert)?;
    let id = alert.alert_id.as_str();
    if alert.status == status {
        bail!("alert {id} is {} already", word(status)?);
    }
    if status == Status::Acknowledged && alert.status != Status::Open {
        bail!("alert {id} is {}; only an open alert can be acknowledged", word(alert.status)?);
    }
    // Before anything is changed: nobody would be told of it without them.
    let outputs = super::outputs::build(settings)?;
    let told = if status == Status::Acknowledged { DeliveryAction::Acknowledge } else { DeliveryAction::Resolve };
    let resolved = if told == DeliveryAction::Resolve { resolved(&**store, id)? } else { BTreeSet::new() };
    let takes = |name: &String| outputs.get(name).is_some_and(|output| output.takes(told)) && !resolved.contains(name);
    let outputs: BTreeSet<String> = alert.routes.iter().map(|route| &route.output).filter(|name| takes(name)).cloned().collect();
    let mut entry = desk::entry(settings, action, id, why)?;
    entry.before = Some(json!({"status": alert.status}));
    entry.after = Some(json!({"status": status, "outputs": outputs}));
    let change = StatusChange { from: alert.status, to: status };
    if !store.handle(id, &Handling { status: Some(change), outputs, action: told }, &entry)? {
        bail!("alert {id} was changed by somebody else meanwhile; `iota alerts show {id}` says what it is now");
    }
    writeln!(io::stdout().lock(), "{id}: {}", word(status)?)?;
    Ok(Exit::Ok)
}
