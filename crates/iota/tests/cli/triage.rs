//! Suppressions, overrides and names of accounts in `iota run`, with state and without.

use crate::harness::{EVERY, Files, NOW, detect, run};
use iota_engine::aggregate::{Cut, GroupKey, Window};
use iota_engine::event::format_ms;
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

/// Rules may come later, so none of this is refused.
#[test]
fn names_that_nothing_has_are_warned_of_with_file_line_and_what_was_meant() {
    let files = site(&format!(
        "{CONFIG}      - {{environments: [prod], severity: LOW}}\noutputs: {{o: {{type: file, path: o.jsonl}}}}\nroutes:\n  \
         - {{outputs: [o], rules: [r, iota.*], accounts: '111122223333'}}\n  - {{outputs: [o], packs: ruls, accounts: [shpo]}}\n"
    ));
    files.write("suppressions.yaml", SUPPRESSIONS.replace("id: idle,", "id: idle, rule: aws.*,").as_bytes());
    let expected = [
        "iota.yaml:9: overrides.r.by_account[1].environments: there is no environment `prod`",
        "iota.yaml:13: routes[1].accounts: there is no account `shpo`; did you mean `shop`?",
        "iota.yaml:13: routes[1].packs: there is no pack `ruls`; did you mean `rules`?",
        "suppressions.yaml:4: suppressions[1].rule: there is no rule `aws.*`",
    ];
    let (rules, config, input) = (files.path("rules"), files.path("iota.yaml"), files.path("in.jsonl"));
    let checked = run(&["check", &rules, "--config", &config]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let lines: Vec<&str> = checked.stdout.lines().filter(|line| line.contains("unknown-name")).collect();
    assert_eq!(lines.len(), expected.len(), "{}", checked.stdout);
    for (line, expected) in lines.into_iter().zip(expected) {
        assert!(line.ends_with(&expected.replacen(": ", ": warning[unknown-name]: ", 1)), "{line}");
    }
    assert_eq!(run(&["check", &rules, "--config", &config, "--strict"]).code, Some(1));
    let ran = run(&["run", &input, "--rules", &rules, "--config", &config]);
    let doctor = run(&["doctor", "--rules", &rules, "--config", &config, "--state", &files.path("state")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for expected in expected {
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(doctor.stdout.contains(expected), "{}", doctor.stdout);
    }
    assert!(!ran.stderr.contains("111122223333") && !ran.stderr.contains("iota.*"), "{}", ran.stderr);
}

/// An alert that was taken over has its matches in the one that did.
#[test]
fn what_a_suppression_has_hidden_is_counted_once() {
    let files = site(&CONFIG.replace("suppressions.yaml", "all.yaml"));
    files
        .write("all.yaml", b"version: 1\nsuppressions:\n  - {id: all, rule: r, owner: o, reason: tested, expires: 2100-01-01}\n");
    files.write("rules/r.yml", b"AnalysisType: rule\nRuleID: r\nFilename: r.py\nThreshold: 3\nDedupPeriodMinutes: 60\n");
    files.write("rules/r.py", b"def rule(event):\n    return True\n\ndef dedup(event):\n    return event.get('eventName')\n");
    let key = GroupKey { pack: "rules".into(), rule: "r".into(), dedup: "A".into() };
    let cut = Cut::new(key.digest(), Window { ms: 3_600_000, threshold: 3 });
    let at = |minute: i64| 1_700_000_000_000 + minute * 60_000;
    let edge = (0..60).find(|&minute| cut.cell(at(minute)) != cut.cell(at(minute + 1))).unwrap();
    let record = |id: i64, minute: i64, name: &str| {
        let time = format_ms(at(minute));
        format!("{{\"eventName\":\"{name}\",\"eventID\":\"{id}\",\"eventTime\":\"{}Z\"}}\n", &time[..19])
    };
    let state = files.path("state");
    let run_over = |text: String| {
        files.write("in.jsonl", text.as_bytes());
        detect(&[
            &files.path("in.jsonl"),
            "--rules",
            &files.path("rules"),
            "--config",
            &files.path("iota.yaml"),
            "--state",
            &state,
        ])
    };
    run_over((1..=3).map(|id| record(id, edge + id, "A")).collect());
    // One that moves the start back, and one of another group, which does not reach the threshold.
    let late = run_over(record(9, edge, "A") + &record(10, edge, "B"));
    assert_eq!(late.count("/matches/suppressed"), 2, "{}", late.stderr);
    let listed = run(&["suppress", "list", "--config", &files.path("iota.yaml"), "--state", &state]).stdout;
    let row: Vec<&str> = listed.lines().last().unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[1], row[4], row[5]), ("all", "active", "1", "4"), "{listed}");
}
