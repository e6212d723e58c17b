//! What iota itself writes to the audit log, and who it names.

use crate::harness::{EVERY, Files, NOW, iota};
use crate::watch::Watching;
use iota_engine::store::{Actor, AuditEntry, Desk};
use iota_service::store::Sqlite;
use std::path::Path;
use std::process::Command;

/// Who runs the tests, as the operating system says.
pub(crate) fn user() -> String {
    let named = Command::new("id").args(["-r", "-u", "-n"]).output().unwrap();
    String::from_utf8(named.stdout).unwrap().trim().to_owned()
}

fn log(files: &Files) -> Vec<AuditEntry> {
    let store = Sqlite::open_beside(Path::new(&files.path("state"))).unwrap();
    store.audit_log(None).unwrap().into_iter().map(|record| record.entry).collect()
}

fn actions(files: &Files) -> Vec<String> {
    log(files).into_iter().map(|entry| entry.action).collect()
}

fn suppressing(name: &str) -> String {
    format!(
        "version: 1\nsuppressions:\n  - {{id: known, fields: {{eventName: {name}}}, owner: o, reason: tested, expires: 2100-01-01}}\n"
    )
}

fn site() -> Files {
    let files = Files::new(&[("rules/r.py", &format!("{EVERY}def dedup(event):\n    return event['eventID']\n"))]);
    files.write("iota.yaml", b"version: 1\nsuppressions: suppressions.yaml\nsuppression_days: 36500\n");
    files
}

fn record(name: &str) -> String {
    format!("{{\"eventName\":\"{name}\",\"eventID\":\"{name}\",\"eventTime\":\"2024-01-01T00:00:00Z\"}}\n")
}

#[test]
fn who_and_when_are_not_what_the_environment_and_flags_say() {
    let files = site();
    files.write("suppressions.yaml", suppressing("E1").as_bytes());
    files.write("in.jsonl", record("E1").as_bytes());
    let before = jiff::Timestamp::now().as_millisecond();
    let mut command = iota();
    command.args(["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    command.args(["--config", &files.path("iota.yaml"), "--now", NOW, "--sandbox", "off"]);
    let ran = command.envs([("USER", "mallory"), ("LOGNAME", "mallory"), ("USERNAME", "mallory")]).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let log = log(&files);
    let told: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.actor.clone())).collect();
    let user = Actor::User(user());
    let expected = [("suppression.add", user.clone()), ("sandbox.off", user), ("suppression.hit", Actor::Iota)];
    assert_eq!(told, expected);
    assert!(log.iter().all(|entry| before <= entry.at_ms), "{log:?}");
    assert_eq!(log[1].after.as_ref().unwrap()["confined"], false);
}

#[test]
fn a_reload_takes_suppressions_too_or_nothing_and_is_recorded() {
    let files = site();
    files.write("suppressions.yaml", suppressing("E1").as_bytes());
    files.write("in/1.jsonl", (record("E1") + &record("T1")).as_bytes());
    let watching = Watching::start(&files, &["--config", &files.path("iota.yaml")], &[]);
    watching.told(&["T1"]);
    assert_eq!(actions(&files), ["suppression.add", "suppression.hit"]);
    // One that is wrong changes nothing, neither of rules that are right.
    files.write("suppressions.yaml", b"version: 1\nsuppressions:\n  - {id: known}\n");
    watching.signal("-HUP");
    watching.until("refused", |watching| watching.log().contains("those that ran before go on"));
    files.write("in/2.jsonl", (record("T2") + &record("E1").replace("\"eventID\":\"E1\"", "\"eventID\":\"E1b\"")).as_bytes());
    watching.told(&["A change of the rules was not taken", "T1", "T2"]);
    let refused: Vec<AuditEntry> = log(&files).split_off(2);
    assert!(!refused.is_empty() && refused.iter().all(|entry| entry.action == "rules.refused"), "{refused:?}");
    assert!(refused[0].after.as_ref().unwrap()["refused"].as_str().unwrap().contains("suppressions.yaml"), "{refused:?}");
    // By itself, when only this file has changed.
    files.write("suppressions.yaml", suppressing("E3").as_bytes());
    watching.until("taken", |watching| watching.log().contains("the rules were read again; 1 run now"));
    files.write("in/3.jsonl", (record("E3") + &record("T3")).as_bytes());
    watching.told(&["A change of the rules was not taken", "T1", "T2", "T3"]);
    files.write("rules/more.py", b"def rule(event):\n    return False\n");
    watching.until("taken again", |watching| watching.log().contains("the rules were read again; 2 run now"));
    watching.end();
    let mut log = log(&files);
    log.retain(|entry| entry.action != "rules.refused");
    let told: Vec<_> = log[2..].iter().map(|entry| (entry.action.as_str(), &entry.actor)).collect();
    let iota = &Actor::Iota;
    assert_eq!(told, [("rules.reload", iota), ("suppression.change", iota), ("rules.reload", iota)]);
    let (first, second) = (&log[2], &log[4]);
    assert_eq!(first.before, first.after, "the rules were the same");
    let [before, after] = [&second.before, &second.after].map(|side| &side.as_ref().unwrap()["rules"]);
    assert_ne!(before["snapshot"], after["snapshot"]);
    assert!(before["rules"].get("more").is_none() && after["rules"]["more"].is_string(), "{before} {after}");
    assert_eq!(second.why.as_deref(), Some("files changed"));
}

#[test]
fn where_alerts_go_and_what_accounts_are_called_is_recorded() {
    let files = site();
    let account = |name: &str| format!("version: 1\naccounts:\n  \"111122223333\": {{name: {name}}}\n");
    let config = |more: &str| {
        let path = files.path("alerts.jsonl");
        format!("version: 1\naccounts: accounts.yaml\noutputs:\n  local: {{type: file, path: {path}}}\n{more}")
    };
    let watch = |flags: &[&str]| {
        let watching = Watching::start(&files, &[&["--config", &files.path("iota.yaml")], flags].concat(), &[]);
        let starts = watching.log().matches("watching").count();
        watching.until("started", |watching| watching.log().matches("watching").count() > starts);
        watching
    };
    files.write("iota.yaml", config("").as_bytes());
    files.write("accounts.yaml", account("a").as_bytes());
    let first = watch(&["--no-send-before", "2020-01-01"]);
    files.write("accounts.yaml", account("b").as_bytes());
    first.until("taken", |watching| watching.log().contains("the rules were read again"));
    first.end();
    files.write("iota.yaml", config("routes:\n  - {outputs: [local], severity: HIGH}\n").as_bytes());
    watch(&[]).end();
    let (user, iota) = (Actor::User(user()), Actor::Iota);
    let log = log(&files);
    let told: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), &entry.actor)).collect();
    let expected = [
        ("output.add", &user),
        ("accounts.change", &user),
        ("no_send_before.change", &user),
        ("rules.reload", &iota),
        ("accounts.change", &iota),
        ("routes.change", &user),
        ("no_send_before.change", &user),
    ];
    assert_eq!(told, expected);
    let [before, after] = [&log[4].before, &log[4].after].map(|side| side.as_ref().unwrap()["111122223333"]["name"].clone());
    assert_eq!((before.as_str(), after.as_str()), (Some("a"), Some("b")));
    assert_eq!(log[2].after.as_ref().unwrap(), "2020-01-01T00:00:00.000Z");
    assert_eq!(log[5].after.as_ref().unwrap()[0]["severity"], "HIGH");
}

/// What it is told of is neither taken away nor added again by a command that was not told of it.
#[test]
fn a_run_that_is_not_told_of_the_configuration_changes_nothing_of_it() {
    let files = site();
    let config = "version: 1\nsuppressions: suppressions.yaml\nsuppression_days: 36500\naccounts: accounts.yaml\n\
                  overrides: {r: {severity: LOW}}\noutputs:\n  local: {type: file, path: alerts.jsonl}\n\
                  routes:\n  - {outputs: [local], severity: LOW}\n";
    files.write("iota.yaml", config.as_bytes());
    files.write("suppressions.yaml", suppressing("E1").as_bytes());
    files.write("accounts.yaml", b"version: 1\naccounts:\n  \"111122223333\": {name: a}\n");
    files.write("in.jsonl", record("T1").as_bytes());
    let run = |flags: &[&str]| {
        let mut command = iota();
        command.args(["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
        let ran = command.args(flags).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    let config = files.path("iota.yaml");
    // The log knows nothing that would be in force.
    run(&[]);
    assert!(actions(&files).is_empty(), "{:?}", actions(&files));
    run(&["--config", &config, "--deliver"]);
    let added = ["suppression.add", "override.add", "output.add", "accounts.change", "routes.change"];
    assert_eq!(actions(&files), added);
    for flags in [&[][..], &[], &["--config", &config], &["--config", &config, "--deliver"], &[]] {
        run(flags);
    }
    assert_eq!(actions(&files)[added.len()..], ["run.without_configuration"]);
    files.write("suppressions.yaml", b"version: 1\nsuppressions: []\n");
    run(&["--config", &config]);
    run(&[]);
    assert_eq!(actions(&files)[added.len() + 1..], ["suppression.remove", "run.without_configuration"]);
}
