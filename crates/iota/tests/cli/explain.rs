//! `iota explain`

use crate::harness::{Files, Ran, iota, run};
use serde_json::Value as Json;
use std::io::Write;
use std::process::Stdio;

const STOPPED: &str = "\
NAMES = {'StopLogging', 'DeleteTrail'}


def rule(event):
    if event.get('eventName') not in NAMES:
        return False
    print('looking at', event['eventName'])
    return event.deep_get('requestParameters', 'name')[0] == 'a'


def title(event):
    return 'Trail ' + event['requestParameters']['name']


def runbook(event):
    return event['nowhere']
";
const STOPPED_YML: &str = "\
AnalysisType: rule
Filename: stopped.py
RuleID: my.stopped
aliases: [its.old.name]
Severity: HIGH
InlineFilters:
  - {Key: awsRegion, Condition: DoesNotEqual, Value: test-1}
";
const EVENTS: &str = r#"{"eventName": "StopLogging", "eventID": "1", "requestParameters": {"name": "audit"}}
{"eventName": "DescribeTrails", "eventID": "2"}
{"eventName": "StopLogging", "eventID": "3", "requestParameters": null}
{"eventName": "DeleteTrail", "eventID": "4", "requestParameters": {"name": "billing"}}
{"eventName": "DeleteTrail", "eventID": "5", "requestParameters": {"name": "audit"}, "awsRegion": "test-1"}
"#;

fn pack() -> Files {
    Files::new(&[
        ("pack.yaml", "version: 1\nname: mine\n"),
        ("stopped.py", STOPPED),
        ("stopped.yml", STOPPED_YML),
        (
            "prefix.py",
            "def rule(event):\n    name = event.get('eventName', '')\n    return name.startswith(('Stop', 'Delete')) or name.lower() == 'shutdown'\n",
        ),
        ("looked_at.py", "def rule(event):\n    return len(event.deep_get('requestParameters', 'names', default=[])) > 3\n"),
        (
            "opaque.py",
            "import hashlib\n\n\ndef rule(event):\n    return hashlib.md5(event.get('eventName').encode()).hexdigest()[0] == '0'\n",
        ),
        ("every.py", "def rule(event):\n    return True\n"),
        ("decorated.py", "import functools\n\n\n@functools.cache\ndef rule(event):\n    return event.get('eventName') == 'A'\n"),
        (
            "expressions.yml",
            "AnalysisType: rule\nRuleID: my.expressions\nDetection:\n  - {Key: eventName, Condition: Equals, Value: A}\n",
        ),
        ("broken.yml", "AnalysisType: rule\nRuleID: my.broken\nFilename: broken.py\nSevirity: LOW\n"),
        ("broken.py", "def rule(event):\n    return True\n"),
        ("missing.py", "import nowhere\ndef rule(event):\n    return event.get('eventName') == 'StopLogging'\n"),
        ("helpers/h.py", "X = 1\n"),
        ("events.jsonl", EVENTS),
    ])
}

/// The output of `explain` with the directory of the rules taken out.
fn explained(files: &Files, args: &[&str]) -> String {
    let ran = run(&[&["explain"], args].concat());
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    ran.stdout.replace(files.root(), "DIR")
}

fn with_input(args: &[&str], input: &[u8]) -> Ran {
    let mut child = iota().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn what_a_rule_needs_of_a_record_is_told_in_words() {
    let files = pack();
    let rules = ["my.stopped", "prefix", "looked_at", "opaque", "every", "decorated", "my.expressions"];
    let texts = rules.map(|rule| explained(&files, &[rule, "--rules", files.root()]));
    insta::assert_snapshot!(texts.join("\n----\n"));
}

#[test]
fn a_rule_is_named_by_id_former_id_or_file_and_needs_no_python() {
    let files = pack();
    let by_id = explained(&files, &["my.stopped", "--rules", files.root()]);
    for args in [&["its.old.name", "--rules", files.root()][..], &[&files.path("stopped.py")], &[&files.path("stopped.yml")]] {
        assert_eq!(explained(&files, args), by_id);
    }
    let args = [&files.path("stopped.py"), "--python", "/nonexistent/python"];
    assert_eq!(explained(&files, &args), by_id);
    let ran = run(&[&["explain"], &args[..], &["--event", &files.path("events.jsonl")]].concat());
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("/nonexistent/python"), "{}", ran.stderr);
}

#[test]
fn what_is_no_rule_is_refused_with_the_reason() {
    let files = pack();
    let rules = ["--rules", files.root()];
    let (helper, broken) = (files.path("helpers/h.py"), files.path("broken.py"));
    for (args, expected) in [
        (&["my.stop", rules[0], rules[1]][..], "there is no rule `my.stop`; did you mean `my.stopped`?"),
        (&["my.broken", rules[0], rules[1]], "rule `my.broken` cannot be used: "),
        (&["my.broken", rules[0], rules[1]], "unknown key `Sevirity`"),
        (&[files.root()], "is a directory; name a rule by its file, or by its id with --rules "),
        (&["my.stopped"], "there is no file `my.stopped`; to find a rule by its id, name a rule directory with --rules DIR"),
        (&[&helper], "no rule of its pack is in this file"),
        (&[&broken], "no rule of its pack is in this file"),
        (&["missing", rules[0], rules[1], "--event", &files.path("events.jsonl")], "rule `missing` does not load: "),
        (&["my.stopped", rules[0], rules[1], "--event", "nowhere.json"], "nowhere.json does not exist"),
    ] {
        let ran = run(&[&["explain"], args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stdout);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
    let derived = "AnalysisType: rule\nRuleID: my.derived\nBaseDetection: my.stopped\n";
    files.write("derived.yml", derived.as_bytes());
    let ran = run(&["explain", &files.path("stopped.py")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("is the code of 2 rules; name one of my.derived, my.stopped with --rules"), "{}", ran.stderr);
    assert!(explained(&files, &[&files.path("derived.yml")]).starts_with("my.derived "));
}

#[test]
fn records_are_told_to_be_skipped_or_what_the_functions_did() {
    let files = pack();
    let text = explained(&files, &[&files.path("stopped.py"), "--event", &files.path("events.jsonl")]);
    let (_, records) = text.split_once("\nrecord 1").unwrap();
    insta::assert_snapshot!(format!("record 1{records}"));
    let standard_input = with_input(&["explain", &files.path("stopped.py"), "--event", "-"], EVENTS.as_bytes());
    assert_eq!(standard_input.stdout.replace(files.root(), "DIR"), text);
}

#[test]
fn a_report_for_machines() {
    let files = pack();
    let json =
        |args: &[&str]| -> Json { serde_json::from_str(&explained(&files, &[args, &["--format", "json"]].concat())).unwrap() };
    let stopped = json(&[&files.path("stopped.py"), "--event", &files.path("events.jsonl")]);
    assert_eq!((&stopped["guarded"], &stopped["reach"]), (&Json::Bool(true), &Json::from("indexed")));
    assert_eq!(
        stopped["entries"],
        serde_json::json!([{"condition": "one_of", "field": ["eventName"], "values": ["DeleteTrail", "StopLogging"]}])
    );
    let records = stopped["records"].as_array().unwrap();
    let decisions: Vec<&str> = records.iter().map(|record| record["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["run", "skip", "run", "skip", "skip"]);
    assert_eq!(records[0]["result"]["alert"]["title"], "Trail audit");
    assert_eq!(records[1]["by"]["line"], 5);
    assert_eq!(records[2]["result"]["errors"]["rule"]["type"], "TypeError");
    assert_eq!(records[4]["by"]["line"], 7, "the inline filter: {}", records[4]);
    let opaque = json(&[&files.path("opaque.py")]);
    assert_eq!((&opaque["guarded"], &opaque["reach"]), (&Json::Bool(false), &Json::from("every_record")));
    assert_eq!(opaque["reasons"][0]["line"], 5);
    assert!(opaque["hint"].is_string() && opaque.get("records").is_none(), "{opaque}");
}

#[test]
fn what_a_filter_leaves_to_python_is_told() {
    let filter = "AnalysisType: rule\nFilename: r.py\nRuleID: r\nInlineFilters:\n  - {Key: sourceIPAddress, Condition: IsIPAddressPublic}\n";
    let files = Files::new(&[("r.py", "def rule(event):\n    return True\n"), ("r.yml", filter)]);
    let input = r#"{"eventName": "A", "sourceIPAddress": "10.0.0.1"} {"eventName": "A", "sourceIPAddress": "s3.amazonaws.com"}"#;
    let ran = with_input(&["explain", &files.path("r.yml"), "--event", "-"], input.as_bytes());
    for expected in [
        "r.yml:5: an address that is left to Python",
        "an inline filter stopped the record",
        "r.yml:5: with what this gives here, the rule does not match",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
}

#[test]
fn what_is_not_python_is_refused_with_its_place() {
    let files = Files::new(&[("pack.yaml", "version: 1\nname: p\n"), ("r.py", "def rule(event):\n    x = 1\n    return x +\n")]);
    for args in [&[files.path("r.py")][..], &["r".to_owned(), "--rules".to_owned(), files.root().to_owned()]] {
        let args: Vec<&str> = std::iter::once("explain").chain(args.iter().map(String::as_str)).collect();
        let ran = run(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
        assert!(ran.stderr.contains("rule `r` is not Python: ") && ran.stderr.contains("r.py:3: "), "{}", ran.stderr);
    }
}

#[test]
fn what_is_not_closed_is_shown_where_it_begins_as_python_does() {
    for (source, line) in [
        ("def rule(event:\n    return True\n", 1),
        ("def rule(event):\n    return event.get('a'\n\n\ndef title(event):\n    return 1\n", 2),
        ("def rule(event)\n    return True\n", 1),
    ] {
        let files = Files::new(&[("r.py", source)]);
        let ran = run(&["explain", &files.path("r.py")]);
        assert!(ran.stderr.contains(&format!("r.py:{line}: ")), "{source}: {}", ran.stderr);
        let check = run(&["check", &files.path("r.py")]);
        assert!(check.stdout.contains(&format!("r.py:{line}: error[syntax-error]")), "{source}: {}", check.stdout);
    }
}

#[test]
fn a_place_is_that_of_what_stops_the_analysis_and_the_hint_helps_there() {
    for (source, reason, hint) in [
        (
            "def rule(event):\n    match event.get('a'):\n        case 'A':\n            return True\n        case {'x': 1}:\n            return True\n",
            "r.py:5: a pattern of `match` that is not followed",
            "",
        ),
        ("import re\ndef rule(event):\n    return re.I == event.get('a')\n", "the name `re.I`, which is not followed", ""),
        (
            "NAMES = ['A']\nNAMES.append('B')\ndef rule(event):\n    return event.get('eventName') in NAMES\n",
            "r.py:4: a value of the module that r.py:2 may change",
            "Hint: write the value as one literal",
        ),
        (
            "import os\nNAME = os.environ.get('X')\ndef rule(event):\n    return event.get('eventName') == NAME\n",
            "a value of the module that its source does not fix: r.py:2",
            "Hint: write the value as one literal",
        ),
        (
            "rule = lambda event: event.get('eventName') == 'A'\n",
            "`rule` is not defined with `def`",
            "one `def rule(event)` at the top level of the file, without a decorator.",
        ),
    ] {
        let files = Files::new(&[("r.py", source)]);
        let text = explained(&files, &[&files.path("r.py")]);
        assert!(text.contains(reason) && text.contains(hint), "{text}");
    }
}

#[test]
fn a_match_expression_is_shown_whole() {
    let yml = "AnalysisType: rule\nRuleID: y\nDetection:\n  - Any:\n      - Key: eventName\n        Condition: Equals\n        Value: A\n      - DeepKey: [a, b]\n        Condition: IsIn\n        Values: [v, w]\n";
    let files = Files::new(&[("y.yml", yml)]);
    let ran = with_input(&["explain", &files.path("y.yml"), "--event", "-"], br#"{"eventName": "B", "a": {"b": "z"}}"#);
    assert!(
        ran.stdout.contains("y.yml:9: ") && ran.stdout.contains(r#"DeepKey: ["a","b"], Condition: IsIn, Values: ["v","w"]"#),
        "{}",
        ran.stdout
    );
}

#[test]
fn all_formats_are_read_and_many_records_are_counted() {
    let files = pack();
    let wrapped = "testdata/formats/log-file.json.gz";
    assert!(explained(&files, &["rules/aws_cloudtrail/root_activity.py", "--event", wrapped]).contains("\nrecord 1 ("));
    let text = explained(&files, &["rules/aws_cloudtrail/root_activity.py", "--event", "testdata/real-cloudtrail.jsonl"]);
    // All that are run, and a few of those that are skipped.
    assert_eq!((text.matches("\nrecord ").count(), text.matches("\n  skipped").count()), (7, 5));
    assert!(text.contains("\n1241 more records: 1241 would be skipped, 0 handed to Python"), "{text}");
    assert!(text.contains("(--limit N shows more)"), "{text}");
    let limited = ["rules/aws_cloudtrail/root_activity.py", "--event", "testdata/real-cloudtrail.jsonl", "--limit"];
    let some = explained(&files, &[&limited[..], &["3"]].concat());
    assert_eq!((some.matches("\nrecord ").count(), some.matches("\n  skipped").count()), (5, 3));
    let all = explained(&files, &[&limited[..], &["2000"]].concat());
    assert_eq!((all.matches("\nrecord ").count(), all.contains("more record")), (1248, false));
    let empty = files.write("empty.json", b"");
    assert!(explained(&files, &[&files.path("every.py"), "--event", &empty]).ends_with("\nno records\n"));
}

#[test]
fn a_rejected_record_costs_no_other_and_shows_in_the_exit_code() {
    let files = pack();
    // What serde_json would not build is handed over as it stands.
    let odd = r#"{"eventName": "StopLogging", "x": "\ud800", "n": 123456789012345678901234567890}"#;
    let deep = format!(r#"{{"eventName": "StopLogging", "x": {}{}}}"#, "[".repeat(200), "]".repeat(200));
    let input = format!("{odd}\n{{\"a\": [}}\n{deep}\n");
    let ran = with_input(&["explain", &files.path("every.py"), "--event", "-"], input.as_bytes());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("record 2 (line 2, byte "), "{}", ran.stderr);
    assert_eq!(ran.stdout.matches("  rule() matched").count(), 2, "{}", ran.stdout);
}

#[test]
fn a_rule_that_ends_its_worker_is_told() {
    let files = Files::new(&[(
        "r.py",
        "import os\ndef rule(event):\n    if event.get('eventName') == 'B': os._exit(3)\n    return True\n",
    )]);
    let input = b"{\"eventName\": \"B\"}\n{\"eventName\": \"C\"}\n";
    let ran = with_input(&["explain", &files.path("r.py"), "--event", "-"], input);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("exit code 3") && ran.stdout.contains("rule() matched"), "{}", ran.stdout);
}
