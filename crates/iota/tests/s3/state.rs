//! State in a DynamoDB table, through the binary.

use crate::harness::{Target, moto, root};
use crate::proxy::{Answer, recording};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// A table as docs/OPERATING.md has it made; as `--state` names it.
pub(crate) fn table(name: &str) -> String {
    let script = "import boto3, json, sys
client = boto3.client('dynamodb', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='test', aws_secret_access_key='test')
client.create_table(TableName=sys.argv[2], **json.load(open('deploy/dynamodb-table.json')))
client.update_time_to_live(TableName=sys.argv[2], TimeToLiveSpecification={'Enabled': True, 'AttributeName': 'ttl'})";
    let python = root().join(".venv/bin/python");
    let made = Command::new(python).current_dir(root()).args(["-c", script, moto(), name]).status().unwrap();
    assert!(made.success());
    format!("dynamodb:{name}")
}

fn record(n: usize) -> String {
    format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"eventTime\":\"2026-01-01T00:00:{n:02}Z\"}}\n")
}

fn target() -> Target {
    let target = Target::new();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(target.path(name).parent().unwrap()).unwrap();
        fs::write(target.path(name), text).unwrap();
    };
    write("rules/every.py", "def rule(event):\n    return True\ndef title(event):\n    return event['eventName']\n");
    write("rules/fails.py", "def rule(event):\n    return event['nothing']\n");
    write("in/a.jsonl", &(record(1) + &record(2)));
    write("iota.yaml", "version: 1\nstate: dynamodb:from-file\n");
    target
}

/// But for those about iota itself: one tells that a rule fails.
fn lines(text: &str) -> Vec<Json> {
    let alerts = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    alerts.filter(|alert| alert["pack"] != "iota").collect()
}

#[test]
fn what_a_run_keeps_in_a_table_the_other_commands_find() {
    table("iota-run");
    let target = target();
    let iota = |args: &[&str]| target.run(moto(), &[args, &["--state", "dynamodb:iota-run"]].concat());
    let run = || iota(&["run", "in", "--rules", "rules"]);
    let first = run();
    assert_eq!(first.code, Some(3), "a rule fails: {}", first.stderr);
    // Those of one commit come in any order.
    let titles =
        |text: &str| lines(text).iter().map(|alert| alert["title"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    let set = |titles: &[&str]| titles.iter().map(|title| (*title).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!((lines(&first.stdout).len(), titles(&first.stdout)), (2, set(&["E1", "E2"])));
    let second = run();
    assert_eq!((second.code, second.stdout.as_str()), (Some(0), ""), "read once, told once: {}", second.stderr);
    fs::write(target.path("in/b.jsonl"), record(2) + &record(3)).unwrap();
    assert_eq!(titles(&run().stdout), set(&["E3"]));
    fs::write(target.path("rules/fails.py"), "def rule(event):\n    return True\ndef title(event):\n    return 'mended'\n")
        .unwrap();
    let rerun = iota(&["rerun", "--errors", "--rules", "rules"]);
    assert_eq!((rerun.code, titles(&rerun.stdout).len()), (Some(0), 1), "{}", rerun.stderr);

    let listed = iota(&["alerts", "list", "--format", "jsonl"]);
    assert_eq!(titles(&listed.stdout), set(&["mended", "E3", "E2", "E1"]), "{}", listed.stderr);
    let newest = &lines(&listed.stdout)[..2];
    assert_eq!(newest.iter().map(|alert| alert["title"].as_str().unwrap()).collect::<Vec<_>>(), ["mended", "E3"]);
    let id = newest[1]["alert_id"].as_str().unwrap().to_owned();
    let acknowledged = iota(&["alerts", "ack", &id, "--why", "seen"]);
    assert_eq!((acknowledged.code, acknowledged.stdout), (Some(0), format!("{id}: acknowledged\n")), "{}", acknowledged.stderr);
    let shown: Json = serde_json::from_str(&iota(&["alerts", "show", &id]).stdout).unwrap();
    assert_eq!((&shown["status"], &shown["deliveries"][0]["state"]), (&"acknowledged".into(), &"delivered".into()));
    let verified = iota(&["audit", "verify"]);
    assert_eq!((verified.code, verified.stdout.starts_with("3 records, unchanged")), (Some(0), true), "{}", verified.stderr);
    let audit = lines(&iota(&["audit", "list", "--format", "jsonl"]).stdout);
    assert_eq!(
        audit.iter().map(|record| record["action"].as_str().unwrap()).collect::<Vec<_>>(),
        ["rerun", "rerun.end", "alert.ack"]
    );
    let caller = &audit[2]["actor"]["caller"];
    assert!(caller["arn"].as_str().unwrap().starts_with("arn:aws:sts::"), "{caller}");
    assert!(!caller["user"].as_str().unwrap().is_empty(), "{caller}");
    for args in [&["dlq", "list"][..], &["suppress", "list"], &["outputs", "list"]] {
        let ran = iota(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn whose_credentials_these_are_is_asked_once_however_much_is_recorded() {
    table("iota-caller");
    let target = target();
    fs::remove_file(target.path("rules/fails.py")).unwrap();
    fs::write(target.path("rules/other.py"), "def rule(event):\n    return False\n").unwrap();
    fs::write(target.path("iota.yaml"), "version: 1\noverrides: {every: {severity: LOW}, other: {severity: LOW}}\n").unwrap();
    let (url, requests) = recording(|_, _| Answer::Pass);
    let iota = |args: &[&str]| target.run(&url, &[args, &["--state", "dynamodb:iota-caller"]].concat());
    let ran = iota(&["run", "in", "--rules", "rules", "--config", "iota.yaml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let asked = requests.lock().unwrap().iter().filter(|request| request.contains("Action=GetCallerIdentity")).count();
    let audit = lines(&iota(&["audit", "list", "--format", "jsonl"]).stdout);
    let told: Vec<_> = audit.iter().map(|record| (&record["action"], record["actor"]["caller"]["arn"].is_string())).collect();
    assert_eq!((told, asked), (vec![(&"override.add".into(), true); 2], 1));
}

/// More than one page of pairs, and than one answer of `DynamoDB` holds.
#[test]
fn whatever_failed_is_evaluated_again_until_it_does_not_fail() {
    const RECORDS: u64 = 1_100;
    table("iota-rerun");
    let target = target();
    let iota = |args: &[&str]| target.run(moto(), &[args, &["--state", "dynamodb:iota-rerun"]].concat());
    let rule = |decides: &str| {
        let text = format!("def rule(event):\n    return {decides}\ndef dedup(event):\n    return str(event['n'] // 50)\n");
        fs::write(target.path("rules/fails.py"), text).unwrap();
    };
    let counted = || -> u64 {
        let listed = lines(&iota(&["alerts", "list", "--format", "jsonl"]).stdout);
        listed.iter().map(|alert| alert["count"].as_u64().unwrap()).sum()
    };
    let rerun = || iota(&["rerun", "--errors", "--rules", "rules"]);
    let records: Vec<String> = (0..RECORDS)
        .map(|n| {
            let (minute, second) = (n / 60, n % 60);
            format!(
                "{{\"n\":{n},\"eventName\":\"E\",\"eventID\":\"{n}\",\"eventTime\":\"2026-01-01T00:{minute:02}:{second:02}Z\"}}\n"
            )
        })
        .collect();
    fs::write(target.path("in/a.jsonl"), records.concat()).unwrap();
    fs::remove_file(target.path("rules/every.py")).unwrap();
    rule("event['nothing']");
    let ran = iota(&["run", "in", "--rules", "rules"]);
    assert_eq!((ran.code, counted()), (Some(3), 0), "{}", ran.stderr);
    // What fails again, on every page, stays and holds up nothing behind it.
    rule("event['n'] % 3 > 0 or event['nothing']");
    let half = rerun();
    assert_eq!((half.code, counted()), (Some(3), RECORDS - RECORDS.div_ceil(3)), "{}", half.stderr);
    rule("event['n'] >= 0");
    let whole = rerun();
    assert_eq!((whole.code, counted()), (Some(0), RECORDS), "{}", whole.stderr);
    let none = rerun();
    assert_eq!((none.code, none.stdout.as_str(), counted()), (Some(0), "", RECORDS), "{}", none.stderr);
}

/// Killed at a step of its commit, and started again.
#[test]
fn whatever_step_a_run_is_killed_at_the_next_one_finds_the_same() {
    let target = target();
    fs::remove_file(target.path("rules/fails.py")).unwrap();
    let three = "def rule(event):\n    return event['n'] % 2 == 0\ndef dedup(event):\n    return 'x'\n";
    fs::write(target.path("rules/three.py"), three).unwrap();
    let meta = "AnalysisType: rule\nRuleID: three\nFilename: three.py\nEnabled: true\nLogTypes: [AWS.CloudTrail]\nSeverity: HIGH\nThreshold: 3\n";
    fs::write(target.path("rules/three.yml"), meta).unwrap();
    let record = |n: u32| {
        format!(
            "{{\"n\":{n},\"eventName\":\"E{}\",\"eventID\":\"{n}\",\"eventTime\":\"2026-01-01T0{}:{:02}:00Z\"}}\n",
            n % 3,
            n / 60,
            n % 60
        )
    };
    fs::write(target.path("in/a.jsonl"), (0..90).map(record).collect::<String>()).unwrap();
    let run = |table: &str, crash: Option<&str>| {
        let mut run = target.command(moto(), &["run", "in", "--rules", "rules", "--state", table]);
        run.envs(crash.map(|crash| ("IOTA_CRASH", crash))).output().unwrap().status
    };
    let alerts = |table: &str| {
        let listed = target.run(moto(), &["alerts", "list", "--format", "jsonl", "--state", table]);
        let alert =
            |alert: &Json| (alert["alert_id"].to_string(), alert["count"].to_string(), alert["superseded_by"].to_string());
        lines(&listed.stdout).iter().map(alert).collect::<BTreeSet<_>>()
    };
    table("iota-whole");
    assert_eq!(run("dynamodb:iota-whole", None).code(), Some(0));
    let whole = alerts("dynamodb:iota-whole");
    assert!(whole.len() > 5, "{whole:?}");
    for (number, point) in ["commit.cells:2", "commit.alerts:1", "commit.state:1", "commit.seen:1"].into_iter().enumerate() {
        let name = format!("iota-killed-{number}");
        let state = table(&name);
        assert_eq!(run(&state, Some(point)).signal(), Some(9), "{point}");
        // 3: what the killed process had leased waits for the end of the lease.
        let code = run(&state, None).code();
        assert!(matches!(code, Some(0 | 3)), "{point}: {code:?}");
        assert_eq!(alerts(&state), whole, "{point}");
    }
}

#[test]
fn two_runs_at_once_share_a_table() {
    table("iota-two");
    let target = target();
    fs::write(target.path("in/a.jsonl"), (0..60).map(record).collect::<String>()).unwrap();
    fs::remove_file(target.path("rules/fails.py")).unwrap();
    let args = ["run", "in", "--rules", "rules", "--state", "dynamodb://iota-two"];
    let start = || target.command(moto(), &args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let outputs = [start(), start()].map(|run| run.wait_with_output().unwrap());
    let mut titles: Vec<String> = Vec::new();
    for output in outputs {
        let text = String::from_utf8(output.stdout).unwrap();
        titles.extend(lines(&text).iter().map(|alert| alert["title"].as_str().unwrap().to_owned()));
    }
    titles.sort();
    let mut expected: Vec<String> = (0..60).map(|n| format!("E{n}")).collect();
    expected.sort();
    assert_eq!(titles, expected, "each alert is told once, by one of them");
}

#[test]
fn a_table_that_cannot_be_used_is_an_error_that_says_why() {
    let target = target();
    let said = |args: &[&str]| {
        let ran = target.run(moto(), args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        ran.stderr
    };
    let run = |state: &str| said(&["run", "in", "--rules", "rules", "--state", state]);
    let missing = run("dynamodb:iota-missing");
    assert!(missing.contains("DynamoDB table iota-missing: there is no such table in this region and account"), "{missing}");
    let name = run("dynamodb:a/b");
    assert!(name.contains("(from --state): the name of a DynamoDB table has 3 to 255"), "{name}");
    table("from-file");
    let file = said(&["alerts", "list", "--config", "iota.yaml"]);
    assert!(file.contains("DynamoDB table from-file: there is no state in it; `iota run --state` makes it"), "{file}");
}
