//! `iota test`

use crate::harness::{Files, run};
use serde_json::Value as Json;

const YML: &str = "\
AnalysisType: rule
Filename: r.py
RuleID: my.rule
Severity: HIGH
Tests:
  - Name: matches
    ExpectedResult: true
    Log: {eventName: A}
  - Name: wrongly expected
    ExpectedResult: true
    Log: {eventName: B}
  - Name: raises
    ExpectedResult: false
    Log: {}
  - Name: mocked
    ExpectedResult: true
    Log: {eventName: C}
    Mocks:
      - {objectName: trusted, returnValue: true}
      - {objectName: NAMES, returnValue: [C]}
";
const RULE: &str = "\
NAMES = ['A']
def trusted():
    return False
def rule(event):
    print('looking at', event['eventName'])
    return event['eventName'] == 'A' or trusted()
def title(event):
    return 'title'
";

fn pack() -> Files {
    Files::new(&[("r.py", RULE), ("r.yml", YML)])
}

#[test]
fn shipped_packs_pass_their_tests() {
    for pack in ["rules/aws_cloudtrail", "testdata/panther_pack", "testdata/rules"] {
        let ran = run(&["test", pack]);
        assert_eq!(ran.code, Some(0), "{pack}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(" passed, 0 failed"), "{}", ran.stdout);
    }
}

#[test]
fn a_failing_test_shows_why() {
    let files = pack();
    let ran = run(&["test", files.root()]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let text = ran.stdout.replace(files.root(), "DIR");
    let (report, total) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(total.starts_with("2 passed, 2 failed"), "{total}");
    insta::assert_snapshot!(report);
}

#[test]
fn tests_are_selected_by_rule_name_and_path() {
    let files = pack();
    let root = files.root();
    let total = |args: &[&str]| run(&[&["test"], args].concat()).stdout.lines().last().unwrap_or_default().to_owned();
    assert!(total(&[root, "--name", "matches"]).starts_with("1 passed, 0 failed"));
    assert!(total(&[root, "--rule", "my.rule", "--name", "raises"]).starts_with("0 passed, 1 failed"));
    assert!(total(&[&files.path("r.yml"), "--name", "mocked"]).starts_with("1 passed"));
    assert!(total(&[&files.path("r.py"), "--name", "mocked"]).starts_with("1 passed"));
    files.write("r.yml", YML.replace("RuleID: my.rule", "RuleID: my.rule\naliases: [its.old.name]").as_bytes());
    assert!(total(&[root, "--rule", "its.old.name", "--name", "matches"]).starts_with("1 passed"));
    let one = total(&["rules/aws_cloudtrail/root_activity.yml"]);
    assert!(!one.starts_with("0 passed") && one.contains("0 failed"), "{one}");
    let several = total(&["rules", "--rule", "aws.sts.attack-tool"]);
    assert!(!several.starts_with("0 passed") && several.contains("0 failed"), "packs below a directory are found: {several}");
    let ran = run(&["test", root, "--rule", "my.rul"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("there is no rule `my.rul`; did you mean `my.rule`?"), "{}", ran.stderr);
    assert_eq!(run(&["test", root, "--name", "none of them"]).code, Some(2));
}

#[test]
fn reports_for_machines() {
    let files = pack();
    let json: Vec<Json> = serde_json::from_str(&run(&["test", files.root(), "--format", "json"]).stdout).unwrap();
    let passed: Vec<bool> = json.iter().map(|test| test["passed"].as_bool().unwrap()).collect();
    assert_eq!(passed, [true, false, false, true]);
    assert_eq!(json[1]["line"], 9, "the line of the test");
    let junit = run(&["test", files.root(), "--format", "junit"]).stdout;
    assert!(junit.starts_with("<?xml") && junit.contains("tests=\"4\"") && junit.contains("failures=\"2\""), "{junit}");
}

#[test]
fn a_rule_that_does_not_load_fails() {
    let files = Files::new(&[("r.py", "import nowhere\ndef rule(event): return True\n"), ("r.yml", YML)]);
    let ran = run(&["test", files.root()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("FAIL my.rule: loads") && ran.stdout.contains("No module named 'nowhere'"), "{}", ran.stdout);
}

#[test]
fn a_rule_with_broken_metadata_is_found_by_its_id() {
    let files = Files::new(&[("r.py", RULE), ("r.yml", &YML.replace("Severity: HIGH", "Serverity: HIGH"))]);
    let ran = run(&["test", files.root(), "--rule", "my.rule"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("FAIL my.rule: loads") && ran.stdout.contains("unknown key `Serverity`"), "{}", ran.stdout);
}

#[test]
fn a_rule_that_kills_the_worker_fails_alone() {
    let rule = "import os\ndef rule(event):\n    if event['eventName'] == 'B': os._exit(3)\n    return event['eventName'] in ('A', 'C')\n";
    let files = Files::new(&[("r.py", rule), ("r.yml", YML)]);
    let ran = run(&["test", files.root()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("exit code 3"), "{}", ran.stdout);
    assert!(ran.stdout.contains("FAIL my.rule: wrongly expected"), "{}", ran.stdout);
}

#[test]
fn a_mock_that_replaces_nothing_fails() {
    let files = Files::new(&[("r.py", RULE), ("r.yml", &YML.replace("objectName: trusted", "objectName: trustd"))]);
    let ran = run(&["test", files.root(), "--name", "mocked"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("the mock `trustd` replaces nothing: r.py has no such name"), "{}", ran.stdout);
}
