//! Alerts on real records: what is found, in which form, and that it is always the same.

use crate::harness::{Detected, EVERY, Files, NOW, detect, root, run};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fmt::Write;

const REAL: &str = "testdata/real-cloudtrail.jsonl";

fn listed(found: &Detected) -> String {
    found.alerts.iter().fold(String::new(), |mut text, alert| {
        let field = |name: &str| alert[name].as_str().unwrap_or("-").to_owned();
        let (id, rule, title) = (field("alert_id"), field("rule_id"), field("title"));
        writeln!(
            text,
            "{} {:8} x{:<3} {} {rule}: {title}",
            &field("first_seen")[..19],
            field("severity"),
            alert["count"],
            &id[..8]
        )
        .unwrap();
        text
    })
}

#[test]
fn the_original_command_line_works() {
    let args = ["--jsonl", REAL, "--rules", "testdata/rules", "--python", "python3", "--engine", "engines/iota/engine.py"];
    let ran = run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let alerts: Vec<Json> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let severities: BTreeSet<&str> = alerts.iter().map(|alert| alert["severity"].as_str().unwrap()).collect();
    assert!(alerts.len() > 10 && severities.len() >= 3, "{severities:?}");
    assert!(
        alerts.iter().all(|alert| ["rule_id", "title", "severity", "dedup", "event"].iter().all(|name| !alert[name].is_null()))
    );
    let pack =
        run(&["--jsonl", REAL, "--rules", "rules/aws_cloudtrail", "--python", "python3", "--engine", "engines/iota/engine.py"]);
    assert_eq!(pack.code, Some(0), "{}", pack.stderr);
    assert!(pack.stdout.lines().count() > 10);
}

#[test]
fn the_starter_pack_finds_the_same_alerts_on_real_records() {
    let found = detect(&[REAL, "--rules", "rules/aws_cloudtrail"]);
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    insta::assert_snapshot!(listed(&found));
}

#[test]
fn the_example_rules_find_the_same_alerts_on_real_records() {
    let found = detect(&[REAL, "--rules", "testdata/rules"]);
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    insta::assert_snapshot!(listed(&found));
}

#[test]
fn output_does_not_depend_on_the_number_of_workers_or_the_worker_used() {
    let with = |more: &[&str]| {
        let ran =
            run(&[&["run", REAL, "--rules", "rules/aws_cloudtrail", "--rules", "testdata/rules", "--now", NOW], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let one = with(&["--workers", "1"]);
    assert!(one.lines().count() > 50);
    assert_eq!(one, with(&["--workers", "4"]));
    assert_eq!(one, with(&["--engine", "engines/iota/engine.py"]));
}

#[test]
fn every_alert_fits_the_published_schema() {
    let mut schema: Json = serde_json::from_slice(&std::fs::read(root().join("docs/alert.schema.json")).unwrap()).unwrap();
    // The published schema leaves room for the fields that later versions add; here every field must be in it.
    schema["additionalProperties"] = false.into();
    schema["properties"]["origin"]["additionalProperties"] = false.into();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut seen = 0;
    for rules in ["rules/aws_cloudtrail", "testdata/rules", "testdata/panther_pack"] {
        for emit in [&["--emit", "first", "--updates"][..], &["--emit", "final"]] {
            let found = detect(&[&[REAL, "testdata/formats", "--rules", rules], emit].concat());
            for alert in &found.alerts {
                let errors: Vec<String> =
                    validator.iter_errors(alert).map(|error| format!("{error} at {}", error.instance_path())).collect();
                assert!(errors.is_empty(), "{errors:?} in {alert:#}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100);
    assert!(!validator.is_valid(&serde_json::json!({"rule_id": "x"})), "the schema asks for more than that");
}

#[test]
fn the_event_keeps_its_tokens() {
    let record =
        r#"{ "eventName" : "X", "eventID":"1", "big": 12345678901234567890123, "f": 1.10, "u": "\u00e9\ud800", "d": 1, "d": 2 }"#;
    let files = Files::new(&[("rules/every.py", EVERY), ("in.json", record)]);
    let ran = run(&["run", &files.path("in.json"), "--rules", &files.path("rules"), "--now", NOW]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected =
        r#""event":{"eventName":"X","eventID":"1","big":12345678901234567890123,"f":1.10,"u":"\u00e9\ud800","d":1,"d":2}"#;
    assert!(ran.stdout.contains(expected), "{}", ran.stdout);
}

#[test]
fn alerts_carry_who_where_and_from_what() {
    let found = detect(&[REAL, "--rules", "rules/aws_cloudtrail"]);
    let alert =
        found.alerts.iter().find(|alert| alert["rule_id"] == "aws.ec2.snapshot-or-image-shared").expect("a snapshot was shared");
    assert_eq!(alert["schema_version"], "1.0");
    assert_eq!(alert["action"], "create");
    assert_eq!(alert["pack"], "aws_cloudtrail");
    assert_eq!(alert["partition"], "aws");
    assert_eq!(alert["origin"]["object"], REAL);
    for field in [
        "event_id",
        "event_time",
        "account_id",
        "region",
        "actor",
        "source_ip",
        "description",
        "runbook",
        "reference",
        "rule_version",
    ] {
        assert!(alert[field].is_string(), "{field} in {alert:#}");
    }
    assert!(alert["attack"][0].as_str().is_some_and(|technique| technique.starts_with("TA")));
    let line = std::fs::read_to_string(root().join(REAL)).unwrap();
    let record: Json = line
        .lines()
        .nth(alert["origin"]["record"].as_u64().unwrap() as usize - 1)
        .map(|line| serde_json::from_str(line).unwrap())
        .unwrap();
    assert_eq!(record["eventID"], alert["event_id"], "the origin names the record");
}

#[test]
fn a_record_that_comes_twice_counts_once_and_a_variant_never_twice() {
    let record = |name: &str| {
        format!(r#"{{"eventID":"1","recipientAccountId":"1","eventName":"{name}","eventTime":"2024-07-15T00:00:00Z"}}"#)
    };
    let same = format!("{}\n{}\n{}\n", record("A"), record("A"), record("A").replace(r#""eventID""#, r#" "eventID""#));
    let rule = "def rule(event):\n    return True\n\ndef title(event):\n    return 'x'\n";
    let files = Files::new(&[("rules/r.py", rule), ("same.jsonl", &same), ("variant.jsonl", &(record("A") + &record("B")))]);
    let found = detect(&[&files.path("same.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!((found.count("/records/evaluated"), found.count("/records/duplicates")), (1, 2));
    let found = detect(&[&files.path("variant.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!(
        (found.count("/records/evaluated"), found.count("/records/variants"), found.count("/matches/repeated")),
        (2, 1, 1)
    );
    assert_eq!(found.alerts[0]["count"], 1);
}

#[test]
fn which_value_of_a_record_counts_does_not_depend_on_which_came_first() {
    let record = |id: &str, name: &str, time: &str| {
        format!(r#"{{"eventID":"{id}","recipientAccountId":"1","eventName":"{name}","eventTime":"2024-07-15T{time}:00Z"}}"#)
    };
    let rule = "def rule(event):\n    return True\n\ndef title(event):\n    return event['eventName']\n\ndef dedup(event):\n    return 'd'\n";
    let records = [record("1", "Early", "00:10"), record("1", "Late", "09:10"), record("2", "Other", "05:00")];
    let found = |order: [usize; 3]| {
        let input = order.map(|n| records[n].as_str()).join("\n");
        let files = Files::new(&[("rules/r.py", rule), ("in.jsonl", &input)]);
        let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules")]);
        let alert = |alert: &Json| [&alert["alert_id"], &alert["title"], &alert["count"], &alert["first_seen"]].map(Json::clone);
        (found.alerts.iter().map(alert).collect::<Vec<_>>(), found.count("/matches/repeated"))
    };
    let expected = found([0, 1, 2]);
    assert_eq!((expected.0.len(), expected.1), (2, 1), "the later value makes no alert of its own");
    for order in [[1, 0, 2], [2, 1, 0], [1, 2, 0]] {
        assert_eq!(found(order), expected, "{order:?}");
    }
}

#[test]
fn thresholds_windows_and_signals_are_kept() {
    let at = |n: u32, minute: u32| {
        format!(
            "{{\"eventID\":\"{n}\",\"eventName\":\"A\",\"eventTime\":\"2024-07-15T{:02}:{:02}:00Z\"}}\n",
            minute / 60,
            minute % 60
        )
    };
    let yml = |more: &str| format!("AnalysisType: rule\nFilename: a.py\nRuleID: a\nSeverity: LOW\nThreshold: 3\n{more}");
    let rules =
        Files::new(&[("a.py", "def rule(event):\n    return True\n\ndef title(event):\n    return 't'\n"), ("a.yml", &yml(""))]);
    let near: String = [0, 40, 61, 62].into_iter().zip(1..).map(|(minute, n)| at(n, minute)).collect();
    let far: String = [0, 59, 119].into_iter().zip(1..).map(|(minute, n)| at(n, minute)).collect();
    let files = Files::new(&[("near.jsonl", &near), ("far.jsonl", &far)]);
    let found = detect(&[&files.path("near.jsonl"), "--rules", rules.root()]);
    assert_eq!(found.titles(), ["t"], "40, 61 and 62 lie within 60 minutes");
    let found = detect(&[&files.path("far.jsonl"), "--rules", rules.root()]);
    assert_eq!((found.alerts.len(), found.count("/matches/below_threshold")), (0, 3));
    rules.write("a.yml", yml("CreateAlert: false\n").as_bytes());
    let found = detect(&[&files.path("near.jsonl"), "--rules", rules.root()]);
    assert_eq!((found.alerts.len(), found.count("/matches/signals")), (0, 4));
}

#[test]
fn the_exit_code_follows_the_worst_severity_asked_for() {
    let code = |limit: &str| run(&["run", REAL, "--rules", "testdata/rules", "--fail-on", limit, "--now", NOW]).code;
    assert_eq!(code("critical"), Some(1));
    let no_critical = Files::new(&[("every.py", EVERY)]);
    assert_eq!(run(&["run", REAL, "--rules", no_critical.root(), "--fail-on", "LOW"]).code, Some(0), "INFO only");
    assert_eq!(run(&["run", REAL, "--rules", no_critical.root(), "--fail-on", "bad"]).code, Some(2));
}

#[test]
fn other_forms_of_output() {
    let json = run(&["run", REAL, "--rules", "testdata/rules", "--format", "json", "--now", NOW]);
    let alerts: Vec<Json> = serde_json::from_str(&json.stdout).unwrap();
    let lines = run(&["run", REAL, "--rules", "testdata/rules", "--now", NOW]);
    let expected: Vec<Json> = lines.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(alerts, expected);
    let table = run(&["run", REAL, "--rules", "testdata/rules", "--format", "table", "--now", NOW]);
    assert_eq!(table.stdout.lines().count(), expected.len() + 1, "a header and one row each");
    let none = Files::new(&[("in.jsonl", "{\"eventName\":\"X\"}\n")]);
    assert_eq!(run(&["run", &none.path("in.jsonl"), "--rules", "testdata/rules", "--format", "json"]).stdout.trim(), "[]");
}

#[test]
fn every_count_adds_up() {
    for args in [
        &[REAL, "testdata/formats", "--rules", "rules/aws_cloudtrail", "--rules", "testdata/rules"][..],
        &[REAL, REAL, "--rules", "testdata/panther_pack", "--emit", "first"],
    ] {
        let found = detect(args);
        let sum = |pointers: &[&str]| pointers.iter().map(|pointer| found.count(pointer)).sum::<u64>();
        let parts =
            ["/records/no_candidate", "/records/evaluated", "/records/duplicates", "/records/rejected", "/records/skipped"];
        assert_eq!(found.count("/records/read"), sum(&parts));
        assert_eq!(found.count("/inputs/total"), sum(&["/inputs/read", "/inputs/unreadable", "/inputs/interrupted"]));
        assert_eq!(found.count("/python/calls"), sum(&["/pairs/returned", "/pairs/errored"]));
        assert_eq!(found.count("/pairs/total"), sum(&["/pairs/skipped", "/pairs/returned", "/pairs/errored", "/pairs/not_run"]));
        let parts =
            ["opened", "grouped", "repeated", "below_threshold", "signals", "suppressed"].map(|name| format!("/matches/{name}"));
        assert_eq!(found.count("/matches/total"), parts.iter().map(|pointer| found.count(pointer)).sum::<u64>());
        assert_eq!(found.count("/alerts/total"), found.alerts.len() as u64);
        let matches: u64 = found.alerts.iter().map(|alert| alert["count"].as_u64().unwrap()).sum();
        if !args.contains(&"first") {
            assert_eq!(found.count("/alerts/total"), found.count("/matches/opened"));
            assert_eq!(matches, sum(&["/matches/opened", "/matches/grouped"]));
        }
    }
}
