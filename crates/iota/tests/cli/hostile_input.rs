//! Text that an attacker chooses (user agents, session names, parameters) wherever iota shows it: it stays text.

use crate::delivery::receiver;
use crate::harness::{Files, NOW, run};
use serde_json::{Value as Json, json};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU16;

const HOSTILE: &str = include!("../../../../testdata/hostile.rs");

/// Says it everywhere a rule can say something.
const RULE: &str = "def rule(event):\n    print(event['userAgent'])\n    return True\n\
                    def title(event):\n    return event['userAgent']\n\
                    def dedup(event):\n    return event['userAgent']\n\
                    def description(event):\n    raise type(event['eventName'], (Exception,), {})(event['userAgent'])\n\
                    def alert_context(event):\n    return {event['userAgent']: event['userAgent']}\n";

fn files() -> Files {
    let record = json!({
        "eventName": HOSTILE, "eventSource": HOSTILE, "userAgent": HOSTILE, "awsRegion": HOSTILE, "sourceIPAddress": HOSTILE,
        "eventTime": "2020-01-01T00:00:00Z", "recipientAccountId": HOSTILE, "eventID": HOSTILE,
        "userIdentity": {"type": "AssumedRole", "arn": HOSTILE, "principalId": HOSTILE, "userName": HOSTILE},
    });
    let file = file_name();
    let files = Files::new(&[("rules/says.py", RULE)]);
    files.write(&format!("in/{file}.jsonl"), format!("{record}\nno record \u{1b}[31m\n").as_bytes());
    files
}

/// As much of it as a name of a file can have.
fn file_name() -> String {
    let (head, forged) = HOSTILE.split_at(HOSTILE.find("\r\n ERROR forged").unwrap());
    let short = head.chars().take(60).chain(forged.chars().take(60)).filter(|character| !matches!(character, '/' | '\0'));
    short.collect()
}

/// As YAML and Python write it, with escapes alone.
fn quoted() -> String {
    let escaped = |character: char| match character {
        ' '..='~' if !matches!(character, '"' | '\\') => character.to_string(),
        _ => format!("\\u{:04x}", u32::from(character)),
    };
    format!("\"{}\"", HOSTILE.chars().map(escaped).collect::<String>())
}

/// Nothing but line ends and what is printed.
#[track_caller]
fn is_tame(text: &str) {
    let wild = |character: &char| {
        (character.is_control() && *character != '\n')
            || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    assert_eq!(text.chars().find(wild), None, "{text:?}");
}

#[test]
fn alerts_stay_one_object_each() {
    let files = files();
    for emit in ["first", "final"] {
        let ran = run(&["run", &files.path("in"), "--rules", &files.path("rules"), "--now", NOW, "--emit", emit]);
        let alerts: Vec<Json> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((ran.code, alerts.len()), (Some(3), 1), "{}", ran.stderr);
        assert_eq!(alerts[0]["title"], HOSTILE);
        assert_eq!(alerts[0]["context"][HOSTILE], HOSTILE);
        for line in ran.stderr.lines() {
            let logged: Json = serde_json::from_str(line).unwrap();
            assert_ne!(logged["message"], "forged");
        }
    }
    let ran = run(&["run", &files.path("in"), "--rules", &files.path("rules"), "--now", NOW, "--format", "json"]);
    assert_eq!(serde_json::from_str::<Vec<Json>>(&ran.stdout).unwrap().len(), 1);
}

#[test]
fn what_people_read_steers_nothing_and_forges_no_line() {
    let (files, state) = (files(), "state");
    let (input, rules, state) = (files.path("in"), files.path("rules"), files.path(state));
    let human = ["--log-format", "human", "-v"];
    let base = ["run", &input, "--rules", &rules, "--now", NOW];
    let ran = run(&[&base[..], &human, &["--format", "table"]].concat());
    is_tame(&ran.stdout);
    assert!(
        ran.stdout.contains("FIRST SEEN") && ran.stdout.lines().all(|line| !line.trim_start().starts_with("ERROR")),
        "{}",
        ran.stdout
    );
    let kept = run(&[&base[..], &human, &["--state", &state]].concat());
    for log in [ran.stderr, kept.stderr] {
        is_tame(&log);
        let levels = ["ERROR ", " WARN ", " INFO ", "DEBUG "];
        let begins = |line: &&str| levels.iter().any(|level| line.starts_with(level));
        assert!(log.lines().all(|line| begins(&line) || line.starts_with("      ")), "{log}");
        assert!(!log.lines().any(|line| line.starts_with("ERROR forged") || line.starts_with(" ERROR forged")), "{log}");
        assert!(log.contains("forged"), "it is shown all the same: {log}");
    }
    for arguments in [&["alerts", "list"][..], &["audit", "list"], &["outputs", "list"], &["dlq", "list"]] {
        let ran = run(&[arguments, &["--state", &state], &human].concat());
        is_tame(&ran.stdout);
        is_tame(&ran.stderr);
    }
    let event = files.path(&format!("in/{}.jsonl", file_name()));
    let ran = run(&["explain", "says", "--rules", &rules, "--event", &event, "--log-format", "human"]);
    assert!(ran.stdout.contains("rule() matched") && ran.stdout.contains("forged"), "{}{}", ran.stdout, ran.stderr);
    is_tame(&ran.stdout);
    is_tame(&ran.stderr);
}

/// A dead letter, with an answer that the receiver chose.
#[test]
fn what_became_of_alerts_is_shown_without_steering_anything() {
    let (files, state) = (files(), "state");
    let (input, rules, state) = (files.path("in"), files.path("rules"), files.path(state));
    let url = receiver(&Arc::new(AtomicU16::new(400)), &Arc::default(), HOSTILE);
    let yaml = format!("version: 1\noutputs:\n  hook: {{type: webhook, url: '{url}'}}\nsuppressions: suppressions.yaml\n");
    let config = files.write("iota.yaml", yaml.as_bytes());
    let suppressed =
        format!("{{id: s, rule: none, expires: '2026-06-01T00:00:00Z', owner: {text}, reason: {text}}}", text = quoted());
    files.write("suppressions.yaml", format!("version: 1\nsuppressions:\n  - {suppressed}\n").as_bytes());
    let base = ["--state", &state, "--config", &config, "--log-format", "human"];
    let ran = run(&[&["run", &input, "--rules", &rules, "--deliver", "--now", NOW][..], &base].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    is_tame(&ran.stderr);
    let listed = run(&[&["alerts", "list", "--rule", "says", "--format", "jsonl"][..], &base].concat());
    let id = serde_json::from_str::<Json>(&listed.stdout).unwrap()["alert_id"].as_str().unwrap().to_owned();
    let (show, text) = (["alerts", "show", &id], HOSTILE.replace('\0', ""));
    let acknowledged = run(&[&["alerts", "ack", &id, "--why", &text][..], &base].concat());
    assert_eq!(acknowledged.code, Some(0), "{}", acknowledged.stderr);
    for arguments in [
        &show[..],
        &["alerts", "list"],
        &["alerts", "list", "--format", "jsonl"],
        &["audit", "list"],
        &["audit", "list", "--format", "jsonl"],
        &["suppress", "list"],
        &["dlq", "list"],
        &["dlq", "list", "--format", "jsonl"],
        &["dlq", "show", &id],
    ] {
        let ran = run(&[arguments, &base].concat());
        assert!(ran.code == Some(0) && ran.stdout.contains("evil.example"), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        is_tame(&ran.stdout);
        is_tame(&ran.stderr);
    }
}

/// Files of a pack have names that somebody chose, too.
#[test]
fn names_of_files_in_packs_steer_nothing() {
    let name = file_name();
    let text = "AnalysisType: rule\nSeverity: Low\nFilename: says.py\nTests:\n  - {Name: x, ExpectedResult: false, Log: {eventName: x}}\n";
    let files = Files::new(&[("rules/says.py", "def rule(event):\n    return True\n")]);
    files.write(&format!("rules/{name}.yml"), text.as_bytes());
    files.write(&format!("rules/{name}.py"), b"def rule(event:\n");
    let rules = files.path("rules");
    for arguments in [
        &["test", &rules][..],
        &["test", &rules, "--format", "json"],
        &["check", &rules],
        &["check", &rules, "--format", "json"],
        &["check", &rules, "--format", "sarif"],
    ] {
        let ran = run(&[arguments, &["--log-format", "human"]].concat());
        assert!(ran.stdout.contains("forged"), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        is_tame(&ran.stdout);
        is_tame(&ran.stderr);
    }
    let sarif: Json = serde_json::from_str(&run(&["check", &rules, "--format", "sarif"]).stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        let is_of_uri = |letter: char| letter.is_ascii_alphanumeric() || "-._~/%:".contains(letter);
        assert!(uri.chars().all(is_of_uri), "{uri}");
        // No link of the message's own.
        assert!(!result["message"]["text"].as_str().unwrap().contains("[link]("), "{result}");
    }
}

#[test]
fn reports_for_machines_can_be_read() {
    let text = quoted();
    let says = format!("Tests:\n  - {{Name: {text}, ExpectedResult: false, Log: {{userAgent: {text}, eventName: x}}}}\n");
    let files = Files::new(&[("rules/says.py", RULE), ("rules/says.yml", &format!("AnalysisType: rule\nSeverity: Low\n{says}"))]);
    let rules = files.path("rules");
    let text = run(&["test", &rules]);
    assert_eq!(text.code, Some(1), "{}{}", text.stdout, text.stderr);
    is_tame(&text.stdout);
    let report = run(&["test", &rules, "--format", "junit"]);
    let path = files.write("report.xml", report.stdout.as_bytes());
    let parse = "import sys, xml.etree.ElementTree as e; print(len(e.parse(sys.argv[1]).findall('.//testcase')))";
    let parsed = Command::new("python3").args(["-c", parse, &path]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&parsed.stdout), "1\n", "{}{}", report.stdout, String::from_utf8_lossy(&parsed.stderr));
    let json = run(&["test", &rules, "--format", "json"]);
    assert_eq!(serde_json::from_str::<Vec<Json>>(&json.stdout).unwrap()[0]["test"], HOSTILE, "{}", json.stdout);
    let broken = format!("raise ValueError({})\ndef rule(event):\n    return True\n", quoted());
    files.write("rules/broken.py", broken.as_bytes());
    for format in ["json", "sarif"] {
        let ran = run(&["check", &rules, "--format", format]);
        let report: Json = serde_json::from_str(&ran.stdout).unwrap();
        assert!(report.to_string().contains("forged"), "{report}");
    }
    let ran = run(&["check", &rules]);
    is_tame(&ran.stdout);
    assert!(ran.stdout.lines().all(|line| !line.starts_with(" ERROR forged")), "{}", ran.stdout);
}
