//! Text that an attacker chooses (user agents, session names, parameters) wherever iota shows it: it stays text.

use crate::harness::{Files, NOW, run};
use serde_json::{Value as Json, json};
use std::process::{Command, Stdio};

/// Steers terminals, forges log lines, ends strings and elements, and is no XML.
const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{1b}[31m\u{9b}2J<!channel> </testcase> ]]> \" ' =1+1 \r\n ERROR forged\n{\"level\":\"ERROR\"}\u{0}\u{7f}\u{202e}\u{2066}";

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
    let file = format!("evil\u{1b}[31m\n{HOSTILE}").replace(['/', '\0'], "");
    let files = Files::new(&[("rules/says.py", RULE)]);
    files.write(&format!("in/{file}.jsonl"), format!("{record}\nno record \u{1b}[31m\n").as_bytes());
    files
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
        (character.is_control() && *character != '\n') || matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
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
