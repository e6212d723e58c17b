//! What the commands share that look at state and change it: opening it beside a run, who does it, and how times are shown.

use crate::args::DeskArgs;
use crate::environment;
use anyhow::{Context, bail};
use clap::ArgMatches;
use comfy_table::{Table, presets};
use iota_engine::event::{format_ms, parse_ms};
use iota_engine::store::{Actor, AuditEntry, Desk, Store, StoredAlert};
use iota_service::audit;
use iota_service::aws::caller_arn;
use iota_service::config::Settings;
use iota_service::pipeline::Clock;
use iota_service::store::Place;
use serde_json::Value as Json;
use std::sync::{Arc, LazyLock};

pub(super) fn settings(args: &DeskArgs, matches: &ArgMatches) -> anyhow::Result<Settings> {
    Ok(Settings::resolve(args.given(matches))?)
}

/// What is said where state is needed.
pub(super) const NO_STATE: &str =
    "no state given; name its directory with --state DIR, or a DynamoDB table with --state dynamodb:TABLE";

/// The state, also while a run has it.
pub(super) fn open(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let Some(place) = &settings.state.value else { bail!("{NO_STATE}") };
    Ok(place.open_beside()?)
}

pub(super) fn now_ms() -> i64 {
    Clock::System.now_ms()
}

/// Who does it: the user of the operating system, and where state is in AWS whose credentials these are.
pub(super) fn actor(state: &Place) -> Actor {
    let user = environment::user_name();
    match state {
        Place::Table(_) => match CALLER.clone() {
            Some(arn) => Actor::Caller { arn, user },
            None => Actor::User(user),
        },
        Place::Directory(_) => Actor::User(user),
    }
}

/// Asked once, however much there is to record; also where there is no answer, which takes long.
static CALLER: LazyLock<Option<String>> = LazyLock::new(|| {
    let without = |why: &String| {
        let user = environment::user_name();
        tracing::warn!("the audit log names {user} alone, because AWS does not say whose credentials these are: {why}");
    };
    caller_arn().inspect_err(without).ok()
});

/// What somebody does with the state that the settings name.
pub(super) fn entry(settings: &Settings, action: &str, subject: &str, why: Option<&String>) -> anyhow::Result<AuditEntry> {
    let Some(place) = &settings.state.value else { bail!("{NO_STATE}") };
    Ok(AuditEntry { why: why.cloned(), ..audit::entry(actor(place), action, subject) })
}

/// Characters of an id that are enough when no other alert's begins with them: a slip of the finger is not to mean an alert.
const LEAST_OF_ID: usize = 6;
/// Ids that are listed where several are meant.
const MOST_IDS: usize = 5;

/// The id of the alert that an id, or the beginning of one, means.
pub(super) fn alert_id(store: &dyn Desk, given: &str) -> anyhow::Result<String> {
    if store.alert(given)?.is_some() {
        return Ok(given.to_owned());
    }
    if given.len() < LEAST_OF_ID {
        bail!("there is no alert {given}; the first {LEAST_OF_ID} characters of an id, or more, do if no other begins with them");
    }
    let mut found = store.ids_beginning(given, MOST_IDS + 1)?;
    match found.as_slice() {
        [] => bail!("there is no alert {given}"),
        [one] => Ok(one.clone()),
        [..] => {
            let more = if found.len() > MOST_IDS { ", ..." } else { "" };
            found.truncate(MOST_IDS);
            bail!("the ids of several alerts begin with {given}: {}{more}; give more of the one that is meant", found.join(", "))
        }
    }
}

/// A point in time, or how long ago it is: 2026-01-31, 2026-01-31T12:00:00Z, 24h.
pub(super) fn since(text: Option<&String>, now_ms: i64) -> anyhow::Result<Option<i64>> {
    let Some(text) = text else { return Ok(None) };
    let ago = || text.parse::<jiff::SignedDuration>().ok().map(|ago| now_ms - i64::try_from(ago.as_millis()).unwrap_or(0));
    let at = parse_ms(text).or_else(ago);
    at.map(Some)
        .with_context(|| format!("--since {text:?}: a time such as 2026-01-31T12:00:00Z, or an age such as 24h, was expected"))
}

/// As tables show times.
pub(super) fn shown_time(ms: i64) -> String {
    format_ms(ms).get(..19).unwrap_or_default().to_owned()
}

pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    table
}

/// An enum of plain words, as it is in JSON.
pub(super) fn word(value: impl serde::Serialize) -> anyhow::Result<String> {
    match serde_json::to_value(value)? {
        Json::String(word) => Ok(word),
        other => Ok(other.to_string()),
    }
}

/// The alert's JSON with what is known beyond it.
pub(super) fn alert_json(alert: &StoredAlert) -> anyhow::Result<Json> {
    let mut json: Json = serde_json::from_slice(&alert.json)?;
    if let Json::Object(members) = &mut json {
        members.insert("class".to_owned(), serde_json::to_value(&alert.class)?);
        members.insert("status".to_owned(), serde_json::to_value(alert.status)?);
        members.insert("routes".to_owned(), serde_json::to_value(&alert.routes)?);
        members.insert("superseded_by".to_owned(), serde_json::to_value(&alert.superseded_by)?);
    }
    Ok(json)
}
