//! Suppressions, overrides and names of accounts in `iota run`, with state and without.

use crate::harness::{EVERY, Files, NOW, detect, run};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Four records of two accounts.
const RECORDS: [(&str, &str); 4] = [("A", "111122223333"), ("B", "444455556666"), ("C", "111122223333"), ("D", "444455556666")];

const CONFIG: &str = "\
version: 1
accounts: accounts.yaml
suppressions: suppressions.yaml
suppression_days: 36500
overrides:
  r:
    by_account:
      - {accounts: [shop], severity: CRITICAL}
";

const SUPPRESSIONS: &str = "\
version: 1
suppressions:
  - {id: known, account: shop, fields: {eventName: A}, owner: o, reason: tested, expires: 2100-01-01}
  - {id: idle, fields: {eventName: Z}, owner: o, reason: tested, expires: 2100-01-01}
  - {id: over, fields: {eventName: B}, owner: o, reason: tested, expires: 2025-01-01}
";

fn site(config: &str) -> Files {
    let rule = EVERY.replace("return str(event.get('eventName'))", "return event.get('eventName') + ' in {account_name}'")
        + "\ndef dedup(event):\n    return event.get('eventName')\n";
    let record = |(number, (name, account)): (usize, &(&str, &str))| {
        json!({"eventName": name, "eventID": number.to_string(), "eventTime": "2024-01-01T00:00:00Z", "recipientAccountId": account})
            .to_string()
    };
    let records: Vec<String> = RECORDS.iter().enumerate().map(record).collect();
    let files = Files::new(&[("rules/r.py", &rule), ("in.jsonl", &(records.join("\n") + "\n"))]);
    files.write("accounts.yaml", b"version: 1\naccounts:\n  111122223333: {name: shop}\n");
    files.write("suppressions.yaml", SUPPRESSIONS.as_bytes());
    files.write("iota.yaml", config.as_bytes());
    files
}

fn told(alerts: &[Json]) -> BTreeSet<[String; 3]> {
    let text = |alert: &Json, name: &str| alert[name].as_str().unwrap().to_owned();
    alerts.iter().map(|alert| ["alert_id", "severity", "title"].map(|name| text(alert, name))).collect()
}

/// However alerts are written, and whether or not state is kept, the same ones are.
#[test]
fn triage_is_the_same_with_state_and_without() {
    let files = site(CONFIG);
    let paths = [files.path("in.jsonl"), files.path("rules"), files.path("iota.yaml"), files.path("state")];
    let [input, rules, config, state] = &paths;
    let args = [input, "--rules", rules, "--config", config];
    let found = detect(&args);
    let titles: Vec<_> = told(&found.alerts).into_iter().map(|[_, severity, title]| format!("{severity} {title}")).collect();
    let titles: BTreeSet<&str> = titles.iter().map(String::as_str).collect();
    let expected = ["CRITICAL C in shop", "INFO B in 444455556666", "INFO D in 444455556666"];
    assert_eq!(titles, expected.into(), "{}", found.stderr);
    assert_eq!(found.alerts.iter().find(|alert| alert["severity"] == "CRITICAL").unwrap()["account"]["name"], "shop");
    for more in [&["--emit", "first"][..], &["--state", state]] {
        let other = detect(&[&args[..], more].concat());
        assert_eq!(told(&other.alerts), told(&found.alerts), "{more:?}: {}", other.stderr);
        for stats in [&found.stats, &other.stats] {
            assert_eq!((&stats["matches"]["total"], &stats["matches"]["suppressed"]), (&4.into(), &1.into()), "{more:?}");
        }
        assert_eq!(found.stats["suppressions"], json!({"idle": 0, "known": 1, "over": 0}));
        assert_eq!(other.stats["suppressions"]["known"], 1, "{more:?}");
    }
    // What is hidden fails nothing, and what an override makes severe does.
    let fails = |severity: &str| run(&[&["run", "--now", NOW, "--fail-on", severity], &args[..]].concat()).code;
    assert_eq!(fails("critical"), Some(1));
    files.write("suppressions.yaml", SUPPRESSIONS.replace("eventName: A", "eventName: [A, C]").as_bytes());
    assert_eq!(fails("critical"), Some(0));
}

#[test]
fn an_alert_that_an_override_sends_nowhere_is_counted_and_not_printed() {
    let files = site(&CONFIG.replace("severity: CRITICAL", "destinations: []"));
    let args = [&files.path("in.jsonl"), "--rules", &files.path("rules"), "--config", &files.path("iota.yaml")];
    for more in [&[][..], &["--emit", "first"], &["--state", &files.path("state")]] {
        let found = detect(&[&args[..], more].concat());
        assert_eq!((found.alerts.len(), found.count("/alerts/total")), (2, 3), "{more:?}: {}", found.stderr);
        assert_eq!(found.count("/deliveries/unrouted"), 1, "{more:?}");
    }
}

#[test]
fn a_mistake_in_suppressions_is_named_before_anything_is_read() {
    let files = site(CONFIG);
    files.write("suppressions.yaml", b"version: 1\nsuppressions:\n  - {id: all, owner: o, reason: r, expires: 2026-02-01}\n");
    let args = ["--rules", &files.path("rules"), "--config", &files.path("iota.yaml")];
    let ran = run(&[&["run", &files.path("in.jsonl")], &args[..]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("suppressions.yaml:3: suppression `all`: it matches everything"), "{}", ran.stderr);
}

/// A title is the dedup string of a rule that states none; alerts of different accounts are different ones, and which they are does
/// not depend on what accounts are called.
#[test]
fn a_title_with_the_account_merges_no_accounts() {
    let files = site(CONFIG);
    let rule = "def rule(event):\n    return True\ndef title(event):\n    return 'seen in {account_name}'\n";
    files.write("rules/r.py", rule.as_bytes());
    let ids = |flags: &[&str]| -> BTreeSet<(String, String)> {
        let (input, rules) = (files.path("in.jsonl"), files.path("rules"));
        let found = detect(&[&[input.as_str(), "--rules", &rules], flags].concat());
        let text = |alert: &Json, name: &str| alert[name].as_str().unwrap().to_owned();
        found.alerts.iter().map(|alert| (text(alert, "alert_id"), text(alert, "dedup"))).collect()
    };
    let accounts: BTreeSet<&str> = RECORDS.iter().map(|(_, account)| *account).collect();
    let plain = ids(&[]);
    let dedups: BTreeSet<&str> = plain.iter().map(|(_, dedup)| dedup.as_str()).collect();
    let expected: Vec<String> = accounts.iter().map(|account| format!("seen in {account}")).collect();
    assert_eq!(dedups, expected.iter().map(String::as_str).collect());
    files.write("named.yaml", b"version: 1\naccounts: accounts.yaml\n");
    assert_eq!(ids(&["--config", &files.path("named.yaml")]), plain);
    assert_eq!(ids(&["--config", &files.path("named.yaml"), "--state", &files.path("titles")]), plain);
}
