//! `iota outputs`

use super::desk;
use crate::args::{OutputsArgs, OutputsCommand, subcommand};
use crate::environment;
use crate::exit::Exit;
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::alert::{Action, SCHEMA_VERSION, Severity, Standing};
use iota_engine::event::format_ms;
use iota_engine::store::{DeliveryAction, DeliveryId};
use iota_engine::system::SystemAlert;
use iota_engine::text::printable;
use iota_service::aws::Secrets;
use iota_service::config::Settings;
use iota_service::output::config::Surroundings;
use iota_service::output::{Message, Output, OutputError, Purpose, Sent};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

pub(crate) fn outputs(args: &OutputsArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let matches = subcommand(matches);
    match &args.command {
        OutputsCommand::List { desk } => list(&desk::settings(desk, matches)?),
        OutputsCommand::Test { name, desk } => test(&desk::settings(desk, matches)?, name.as_deref()),
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Makes all configured outputs: reads their secrets, opens no connection.
pub(super) fn build(settings: &Settings) -> anyhow::Result<BTreeMap<String, Arc<dyn Output>>> {
    let named = |(name, built): (String, Built)| Ok((name.clone(), built.with_context(|| format!("outputs.{name}"))?));
    build_each(settings, None)?.into_iter().map(named).collect()
}

type Built = Result<Arc<dyn Output>, OutputError>;

/// Each of them, or one, with what is wrong with it.
fn build_each(settings: &Settings, only: Option<&str>) -> anyhow::Result<Vec<(String, Built)>> {
    let secrets = Secrets::default();
    let around = Surroundings {
        environment: &environment::variable,
        secrets_manager: Some(&secrets),
        directory: &settings.alerts.directory,
    };
    let runtime = runtime()?;
    let files = settings.outputs.iter().filter(|(name, _)| only.is_none_or(|only| *name == only));
    Ok(files.map(|(name, file)| (name.clone(), runtime.block_on(file.build(name, &around)))).collect())
}

fn list(settings: &Settings) -> anyhow::Result<Exit> {
    let backlogs = match &settings.state.value {
        Some(_) => desk::open(settings)?.backlog()?,
        None => Vec::new(),
    };
    let mut table = desk::table(&["OUTPUT", "TYPE", "PENDING", "OLDEST PENDING", "DELIVERED", "LIMITED", "DEAD", "DROPPED"]);
    let unconfigured = backlogs.iter().map(|backlog| &backlog.output).filter(|name| !settings.outputs.contains_key(*name));
    for name in settings.outputs.keys().chain(unconfigured) {
        let backlog = backlogs.iter().find(|backlog| backlog.output == *name).cloned().unwrap_or_default();
        table.add_row([
            printable(name),
            settings.outputs.get(name).map_or("(not configured)", |file| file.kind()).to_owned(),
            backlog.pending.to_string(),
            backlog.oldest_pending_ms.map_or_else(|| "-".to_owned(), desk::shown_time),
            backlog.delivered.to_string(),
            backlog.limited.to_string(),
            backlog.dead.to_string(),
            backlog.dropped.to_string(),
        ]);
    }
    writeln!(io::stdout().lock(), "{table}")?;
    Ok(Exit::Ok)
}

/// Sends one marked alert through each output, and tells what came back. One that cannot be made keeps no other from being
/// tried.
fn test(settings: &Settings, only: Option<&str>) -> anyhow::Result<Exit> {
    let outputs = build_each(settings, only)?;
    if outputs.is_empty() {
        bail!("{}", only.map_or("no outputs are configured".to_owned(), |name| format!("there is no output `{name}`")));
    }
    let (runtime, mut failed) = (runtime()?, false);
    for (name, built) in outputs {
        let (works, said) = match built {
            Ok(output) => {
                let sent = runtime.block_on(output.send(&[message(&name)?])).into_iter().next();
                (sent == Some(Sent::Delivered), told(sent, output.is_acknowledged()))
            }
            Err(why) => (false, format!("nothing was sent: {why}")),
        };
        failed |= !works;
        // Not locked for longer: an output of type stdout writes there, too.
        writeln!(io::stdout(), "{name}: {}", printable(&said))?;
    }
    Ok(if failed { Exit::Findings } else { Exit::Ok })
}

fn told(sent: Option<Sent>, is_acknowledged: bool) -> String {
    match sent {
        Some(Sent::Delivered) if is_acknowledged => "delivered".to_owned(),
        Some(Sent::Delivered) => "sent; this kind of output does not confirm that it arrived".to_owned(),
        Some(Sent::Retry { why, .. }) => format!("failed, would be tried again: {why}"),
        Some(Sent::Refused { why }) => format!("refused: {why}"),
        Some(Sent::Closed { why }) => format!("nothing can be delivered until this is changed: {why}"),
        None => "the output did not say what became of it".to_owned(),
    }
}

fn message(output: &str) -> anyhow::Result<Message> {
    let now_ms = desk::now_ms();
    let alert = SystemAlert {
        rule: iota_engine::system::TEST,
        dedup: output.to_owned(),
        title: format!("TEST: output {output} of iota works"),
        severity: Severity::Info,
        description: "Sent by `iota outputs test`. Nothing has happened.".to_owned(),
        runbook: "Nothing is to be done.",
        context: serde_json::json!({"output": output}),
    };
    let found = alert.to_match(now_ms, Vec::new())?;
    let alert_id = iota_engine::digest::hex(&found.sighting.identity.0);
    let standing = Standing {
        schema_version: SCHEMA_VERSION,
        alert_id: alert_id.clone(),
        action: Action::Create,
        supersedes: Vec::new(),
        detected_at: format_ms(now_ms),
        count: 1,
        first_seen: format_ms(now_ms),
        last_seen: format_ms(now_ms),
        late: false,
        engine_version: env!("CARGO_PKG_VERSION"),
    };
    let id = DeliveryId { alert_id: alert_id.clone(), output: output.to_owned(), revision: 0 };
    let json = standing.to_json(&found.content)?;
    Ok(Message { id, known_as: alert_id, purpose: Purpose::Test, action: DeliveryAction::Create, json, attempt: 1 })
}
