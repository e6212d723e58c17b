//! What decides about alerts, and the sandbox, as the audit log knows them: what changed since it was looked at last is recorded.

use super::sending::Sending;
use super::{Who, entry, number};
use iota_engine::store::{AuditEntry, AuditRecord, Desk, Result};
use iota_engine::triage::Triage;
use iota_python::SandboxLevel;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

const ACCOUNTS: &str = "accounts.change";
const ROUTES: &str = "routes.change";
const NO_SEND_BEFORE: &str = "no_send_before.change";
const WITHOUT_CONFIGURATION: &str = "run.without_configuration";
/// What there is any number of, each with an id or name.
const KINDS: [&str; 3] = ["suppression", "override", "output"];
const SANDBOX: &str = "sandbox";
const SANDBOX_OFF: &str = "sandbox.off";
const SANDBOX_ON: &str = "sandbox.on";

/// What decides about alerts, and what confines the rules.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    pub triage: &'a Triage,
    pub sending: &'a Sending,
    pub sandbox: &'a SandboxLevel,
}

/// Compares with what the log says was in force last, and adds what was added, changed and removed since. Processes that start
/// together record a change once.
pub fn record_in_force(desk: &dyn Desk, in_force: InForce<'_>, who: Who<'_>) -> Result<()> {
    loop {
        let log = desk.audit_log(None)?;
        let entries = changes(&log, in_force, who);
        if entries.is_empty() || desk.record_after(number(&log), &entries)? {
            return Ok(());
        }
    }
}

fn changes(log: &[AuditRecord], InForce { triage, sending, sandbox }: InForce<'_>, who: Who<'_>) -> Vec<AuditEntry> {
    let no_send_before = sending.no_send_before.as_ref();
    let no_send_before = no_send_before.and_then(|before| of_value(NO_SEND_BEFORE, "--no-send-before", log, before, who));
    let switched = no_send_before.into_iter().chain(of_sandbox(log, sandbox, who));
    if sending.unconfigured {
        return without_configuration(log, who).into_iter().chain(switched).collect();
    }
    let suppressions = triage.suppressions.iter().map(|suppression| (suppression.id().to_owned(), json(suppression))).collect();
    let overrides = triage.adjustments.iter().map(|(rule, adjustment)| (rule.clone(), json(adjustment))).collect();
    let mut entries = of_kind("suppression", log, &suppressions, who);
    entries.extend(of_kind("override", log, &overrides, who));
    entries.extend(sending.outputs.iter().flat_map(|outputs| of_kind("output", log, outputs, who)));
    entries.extend(of_accounts(log, &json(&triage.accounts), who));
    entries.extend(sending.routes.as_ref().and_then(|routes| of_value(ROUTES, "routes", log, routes, who)));
    entries.extend(switched);
    entries
}

/// Who has no configuration file changed nothing in one, but goes by nothing of what the log knows to be in force. It is recorded
/// once until something of that changes.
fn without_configuration(log: &[AuditRecord], who: Who<'_>) -> Option<AuditEntry> {
    let is_of = |kind: &str, action: &str| matches!(action.strip_prefix(kind), Some(".add" | ".change" | ".remove"));
    let is_change = |action| [ACCOUNTS, ROUTES].contains(&action) || KINDS.iter().any(|kind| is_of(kind, action));
    let mut actions = log.iter().rev().map(|record| record.entry.action.as_str());
    let last = actions.find(|action| *action == WITHOUT_CONFIGURATION || is_change(action))?;
    let is_known = || KINDS.iter().any(|kind| !last_known(kind, log).is_empty()) || !known_accounts(log).is_empty();
    (last != WITHOUT_CONFIGURATION && is_known()).then(|| entry(who(), WITHOUT_CONFIGURATION, "configuration"))
}

fn json<T: Serialize>(value: &T) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

fn of_kind(kind: &str, log: &[AuditRecord], now: &BTreeMap<String, Json>, who: Who<'_>) -> Vec<AuditEntry> {
    let before = last_known(kind, log);
    let subjects: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let change = |subject: &String| {
        let (before, after) = (before.get(subject), now.get(subject));
        let what = match (before, after) {
            (None, Some(_)) => "add",
            (Some(_), None) => "remove",
            (before, after) if before != after => "change",
            _ => return None,
        };
        let why = after.and_then(|after| after.get("reason")).and_then(Json::as_str).map(str::to_owned);
        let (before, after) = (before.cloned(), after.cloned());
        Some(AuditEntry { why, before, after, ..entry(who(), &format!("{kind}.{what}"), subject) })
    };
    subjects.into_iter().filter_map(change).collect()
}

/// What was in force after the last record of each subject.
fn last_known(kind: &str, log: &[AuditRecord]) -> BTreeMap<String, Json> {
    let mut known = BTreeMap::new();
    for AuditRecord { entry, .. } in log {
        match (entry.action.strip_prefix(kind), &entry.after) {
            (Some(".add" | ".change"), Some(after)) => {
                known.insert(entry.subject.clone(), after.clone());
            }
            (Some(".remove"), _) => {
                known.remove(&entry.subject);
            }
            _ => {}
        }
    }
    known
}

/// As the last records have them.
fn known_accounts(log: &[AuditRecord]) -> Map<String, Json> {
    let mut known = Map::new();
    for AuditRecord { entry, .. } in log.iter().filter(|record| record.entry.action == ACCOUNTS) {
        let ids = |side: &Option<Json>| side.as_ref().and_then(Json::as_object).cloned().unwrap_or_default();
        ids(&entry.before).keys().for_each(|id| drop(known.remove(id)));
        known.extend(ids(&entry.after));
    }
    known
}

/// Of the accounts those that differ: there may be thousands.
fn of_accounts(log: &[AuditRecord], now: &Json, who: Who<'_>) -> Option<AuditEntry> {
    let known = known_accounts(log);
    let now = now.as_object().cloned().unwrap_or_default();
    let differing = |these: &Map<String, Json>, others: &Map<String, Json>| {
        let differ = these.iter().filter(|(id, account)| others.get(*id) != Some(*account));
        Json::Object(differ.map(|(id, account)| (id.clone(), account.clone())).collect())
    };
    (known != now).then(|| {
        let (before, after) = (Some(differing(&known, &now)), Some(differing(&now, &known)));
        AuditEntry { before, after, ..entry(who(), ACCOUNTS, "accounts") }
    })
}

/// What is one thing, and nothing (`null`) at first.
fn of_value(action: &str, subject: &str, log: &[AuditRecord], now: &Json, who: Who<'_>) -> Option<AuditEntry> {
    let last = log.iter().rev().find(|record| record.entry.action == action);
    let (before, after) = (last.and_then(|record| record.entry.after.clone()), Some(now).filter(|now| !now.is_null()).cloned());
    (before != after).then(|| AuditEntry { before, after, ..entry(who(), action, subject) })
}

/// That rules run without confinement is recorded of everybody who has them do so, once until they are confined again.
fn of_sandbox(log: &[AuditRecord], level: &SandboxLevel, who: Who<'_>) -> Option<AuditEntry> {
    let mut last = log.iter().rev().filter(|record| record.entry.action.starts_with("sandbox."));
    let was_off = |record: &AuditRecord| record.entry.action == SANDBOX_OFF;
    let (action, actor) = if level.seccomp {
        last.next().filter(|record| was_off(record))?;
        (SANDBOX_ON, who())
    } else {
        let actor = who();
        if last.take_while(|record| was_off(record)).any(|record| record.entry.actor == actor) {
            return None;
        }
        (SANDBOX_OFF, actor)
    };
    let before = Some(json!({"confined": !level.seccomp}));
    let after = Some(json!({"confined": level.seccomp, "mode": level.mode}));
    Some(AuditEntry { before, after, ..entry(actor, action, SANDBOX) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;
    use iota_engine::store::Actor;
    use iota_engine::triage::{Accounts, Adjustment, parse_suppressions};

    fn recorded(store: &Sqlite) -> Vec<(String, String)> {
        let log = store.audit_log(None).unwrap();
        let who = |actor| if let Actor::User(name) = actor { name } else { "iota".to_owned() };
        log.into_iter().map(|record| (record.entry.action, who(record.entry.actor))).collect()
    }

    #[test]
    fn what_changed_is_recorded_once() {
        let store = Sqlite::memory().unwrap();
        let confined = SandboxLevel { seccomp: true, ..SandboxLevel::default() };
        let record = |triage: &Triage, user: &str| {
            let who = || Actor::User(user.to_owned());
            record_in_force(&store, InForce { triage, sending: &Sending::default(), sandbox: &confined }, &who).unwrap();
        };
        let written = b"version: 1\nsuppressions:\n- {id: known, rule: r, owner: o, reason: because, expires: 2026-01-01}\n";
        let adjustment = Adjustment { severity: Some(iota_engine::alert::Severity::Low), ..Adjustment::default() };
        let triage = Triage {
            suppressions: parse_suppressions(written, 0, u32::MAX).unwrap(),
            adjustments: [("r".to_owned(), adjustment)].into(),
            ..Triage::default()
        };
        record(&triage, "alice");
        record(&triage, "bob");
        record(&Triage::default(), "bob");
        let by = |action: &str, who: &str| (action.to_owned(), who.to_owned());
        let expected = [
            by("suppression.add", "alice"),
            by("override.add", "alice"),
            by("suppression.remove", "bob"),
            by("override.remove", "bob"),
        ];
        assert_eq!(recorded(&store), expected);
        let log = store.audit_log(None).unwrap();
        assert_eq!(log[0].entry.why.as_deref(), Some("because"));
        assert_eq!(log[3].entry.before, Some(json(&triage.adjustments["r"])));
    }

    #[test]
    fn who_switches_the_sandbox_off_is_recorded_until_it_is_on_again() {
        let store = Sqlite::memory().unwrap();
        for (seccomp, user) in
            [(true, "a"), (false, "a"), (false, "a"), (false, "b"), (false, "a"), (true, "c"), (true, "c"), (false, "a")]
        {
            let (triage, sandbox) = (Triage::default(), SandboxLevel { seccomp, ..SandboxLevel::default() });
            let who = || Actor::User(user.to_owned());
            let in_force = InForce { triage: &triage, sending: &Sending::default(), sandbox: &sandbox };
            record_in_force(&store, in_force, &who).unwrap();
        }
        let told: Vec<String> = recorded(&store).into_iter().map(|(action, who)| format!("{action} {who}")).collect();
        assert_eq!(told, ["sandbox.off a", "sandbox.off b", "sandbox.on c", "sandbox.off a"]);
    }

    #[test]
    fn accounts_routes_outputs_and_what_is_not_sent_are_recorded_when_they_change() {
        let store = Sqlite::memory().unwrap();
        let accounts = |text: &str| Accounts::parse(format!("version: 1\naccounts:\n{text}").as_bytes()).unwrap();
        let (one, two) = ("  \"111122223333\": {name: a}\n", "  \"444455556666\": {name: b}\n");
        let output = |digest: &str| BTreeMap::from([("pager".to_owned(), json!({"type": "slack", "settings": digest}))]);
        let routed = json!([{"outputs": ["pager"]}]);
        let sending = |routes: &Json, outputs: BTreeMap<String, Json>, no_send_before: Option<Json>| Sending {
            routes: Some(routes.clone()),
            outputs: Some(outputs),
            no_send_before,
            unconfigured: false,
        };
        let none = || sending(&Json::Null, BTreeMap::new(), Some(Json::Null));
        let steps = [
            (accounts(one), Sending::default()),
            (accounts(&[one, two].concat()), none()),
            (accounts(two), sending(&routed, output("1"), Some(json!("2026")))),
            // One that has no such flag says nothing of it.
            (accounts(two), sending(&routed, output("2"), None)),
            // Nor does one that delivers nothing.
            (accounts(two), Sending::default()),
            (Accounts::default(), Sending { unconfigured: true, ..Sending::default() }),
            (Accounts::default(), none()),
            (Accounts::default(), Sending { unconfigured: true, ..Sending::default() }),
        ];
        for (accounts, sending) in steps {
            let triage = Triage { accounts, ..Triage::default() };
            for _ in 0..2 {
                let in_force = InForce {
                    triage: &triage,
                    sending: &sending,
                    sandbox: &SandboxLevel { seccomp: true, ..SandboxLevel::default() },
                };
                record_in_force(&store, in_force, &|| Actor::Iota).unwrap();
            }
        }
        let log = store.audit_log(None).unwrap();
        let told: Vec<_> =
            log.iter().map(|AuditRecord { entry, .. }| (entry.action.as_str(), &entry.before, &entry.after)).collect();
        let (a, b) = (
            json!({"111122223333": {"name": "a", "environment": null, "owner": null}}),
            json!({"444455556666": {"name": "b", "environment": null, "owner": null}}),
        );
        let (first, second) = (Some(output("1")["pager"].clone()), Some(output("2")["pager"].clone()));
        let (none, year, routed) = (Some(json!({})), Some(json!("2026")), Some(routed));
        let (a, b) = (Some(a), Some(b));
        let expected = [
            (ACCOUNTS, &none, &a),
            (ACCOUNTS, &none, &b),
            ("output.add", &None, &first),
            (ACCOUNTS, &a, &none),
            (ROUTES, &None, &routed),
            (NO_SEND_BEFORE, &None, &year),
            ("output.change", &first, &second),
            (WITHOUT_CONFIGURATION, &None, &None),
            ("output.remove", &second, &None),
            (ACCOUNTS, &b, &none),
            (ROUTES, &routed, &None),
            (NO_SEND_BEFORE, &year, &None),
        ];
        assert_eq!(told, expected);
    }
}
