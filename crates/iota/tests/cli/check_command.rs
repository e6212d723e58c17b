//! `iota check`

use crate::harness::{Files, run};
use serde_json::Value as Json;

fn suspicious() -> Files {
    let rule = "def rule(event):\n    return True\n";
    let tested = "Tests:\n  - {Name: t, ExpectedResult: true, Log: {}}\n";
    let yml = |id: &str, more: &str| format!("AnalysisType: rule\nRuleID: {id}\nFilename: {id}.py\n{more}");
    Files::new(&[
        ("good.py", rule),
        ("good.yml", &yml("good", tested)),
        ("no_rule.py", "def match(event):\n    return True\n"),
        ("no_rule.yml", &yml("no_rule", tested)),
        ("arity.py", "def rule(event):\n    return True\n\ndef title(event, more):\n    return ''\n"),
        ("arity.yml", &yml("arity", tested)),
        ("key.py", rule),
        ("key.yml", &yml("key", "Sevirity: LOW\n")),
        ("severity.py", rule),
        ("severity.yml", &yml("severity", "Severity: EXTREME\n")),
        ("twin.py", rule),
        ("twin.yml", &yml("good", tested).replace("good.py", "twin.py")),
        ("expectation.py", rule),
        ("expectation.yml", &yml("expectation", "Tests:\n  - Name: t\n    Log: {}\n")),
        ("untested.py", rule),
        ("untested.yml", &yml("untested", "Severity: LOW\n")),
        ("broken.py", "def rule(event):\n    return (\n"),
        ("broken.yml", &yml("broken", tested)),
        ("global_state.py", "SEEN = []\ndef rule(event):\n    SEEN.append(1)\n    return len(SEEN) > 3\n"),
        ("global_state.yml", &yml("global_state", tested)),
    ])
}

#[test]
fn shipped_packs_are_clean() {
    let ran = run(&["check", "rules/aws_cloudtrail", "testdata/panther_pack", "--strict"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn every_kind_of_problem_is_found_with_file_and_line() {
    let files = suspicious();
    let ran = run(&["check", files.root()]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout.replace(files.root(), "DIR"));
}

#[test]
fn a_path_without_rules_is_refused() {
    let files = Files::new(&[("pack/helpers/h.py", "X = 1\n"), ("pack/r.py", "def rule(event):\n    return True\n")]);
    std::fs::create_dir(files.path("empty")).unwrap();
    for path in ["empty", "pack/helpers"] {
        let ran = run(&["check", &files.path(path)]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), "0 rules checked: 0 errors, 0 warnings\n"), "{path}");
        assert!(ran.stderr.contains(&format!("{}: there are no rules", files.path(path))), "{}", ran.stderr);
    }
    assert_eq!(run(&["check", &files.path("pack/r.py")]).code, Some(0));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let key = "RuleID: f.c\nAnalysisType: rule\nDetection:\n";
    let files = Files::new(&[
        (
            "a.yml",
            "AnalysisType: rule\nRuleID: a\nFilename: a.py\nSeverity: Hihg\nTreshold: 3\nDedupPeriodMinutes: 0\nTags: none\n",
        ),
        ("a.py", "import nowhere\n\n\ndef rule(event):\n    return True\n"),
        (
            "c.yml",
            &format!(
                "{key}  - {{Key: eventName, Condition: Equal, Value: A}}\n  - {{Key: eventName, Condition: IsIn}}\nInlineFilters:\n  - {{Key: a}}\n"
            ),
        ),
        ("d.yml", &format!("{key}  - {{Condition: Never}}\n")),
        ("pack.yaml", "version: 1\nname: p\n"),
    ]);
    let ran = run(&["check", files.root()]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout.replace(files.root(), "DIR"));
    // None of it runs.
    assert_eq!(crate::harness::detect(&["testdata/real-cloudtrail.jsonl", "--rules", files.root()]).alerts.len(), 0);
}

#[test]
fn reports_for_machines() {
    let files = suspicious();
    let json: Vec<Json> = serde_json::from_str(&run(&["check", files.root(), "--format", "json"]).stdout).unwrap();
    assert!(json.iter().any(|problem| problem["code"] == "unknown-key" && problem["line"] == 4), "{json:?}");
    let sarif: Json = serde_json::from_str(&run(&["check", files.root(), "--format", "sarif"]).stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!((sarif["version"].as_str(), results.len()), (Some("2.1.0"), json.len()));
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert!(place["artifactLocation"]["uri"].is_string() && place["region"]["startLine"].as_u64() > Some(0));
}

#[test]
fn warnings_fail_only_when_asked_to() {
    let files = Files::new(&[("a.py", "def rule(event):\n    return True\n")]);
    assert_eq!(run(&["check", files.root()]).code, Some(0));
    assert_eq!(run(&["check", files.root(), "--strict"]).code, Some(1));
    assert_eq!(run(&["check", "nowhere"]).code, Some(2));
}

#[test]
fn rules_that_are_handed_every_record_are_warned_of() {
    let tests = "Tests:\n  - {Name: t, ExpectedResult: false, Log: {}}\n";
    let yml = |id: &str, code: &str| format!("AnalysisType: rule\nRuleID: {id}\n{code}\n{tests}");
    let opaque = "import hashlib\nfrom h import first\n\n\ndef rule(event):\n    return first(event) == '0'\n";
    let helper =
        "import hashlib\n\n\ndef first(event):\n    return hashlib.md5(event.get('eventName').encode()).hexdigest()[0]\n";
    let files = Files::new(&[
        ("guarded.py", "def rule(event):\n    return event.get('eventName') == 'A'\n"),
        ("guarded.yml", &yml("guarded", "Filename: guarded.py")),
        ("opaque.py", opaque),
        ("opaque.yml", &yml("opaque", "Filename: opaque.py")),
        ("helpers/h.py", helper),
        ("every.py", "def rule(event):\n    return True\n"),
        ("every.yml", &yml("every", "Filename: every.py")),
        ("disabled.py", "def rule(event):\n    return True\n"),
        ("disabled.yml", &yml("disabled", "Enabled: false\nFilename: disabled.py")),
        ("expressions.yml", &yml("expressions", "Detection:\n  - {Key: a, Condition: IsNotNull}")),
    ]);
    let ran = run(&["check", files.root()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    insta::assert_snapshot!(ran.stdout.replace(files.root(), "DIR"));
    assert_eq!(run(&["check", files.root(), "--strict"]).code, Some(1));
    assert_eq!(run(&["check", files.root(), "--max-unguarded", "2"]).code, Some(0));
    let ran = run(&["check", files.root(), "--max-unguarded", "1"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("2 rules unguarded, and --max-unguarded allows 1"), "{}", ran.stderr);
    let one = run(&["check", &files.path("opaque.py"), "--max-unguarded", "0", "--format", "json"]);
    let problems: Vec<Json> = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!((one.code, problems.len()), (Some(1), 1), "also where the place is in another file: {problems:?}");
    assert_eq!(run(&["check", &files.path("guarded.py"), "--strict", "--max-unguarded", "0"]).code, Some(0));
}

#[test]
fn what_ends_the_analysis_of_a_pack_is_one_warning() {
    let tests = "Tests:\n  - {Name: t, ExpectedResult: false, Log: {}}\n";
    let yml = |id: &str, more: &str| format!("AnalysisType: rule\nRuleID: {id}\n{more}\n{tests}");
    let rule = "def rule(event):\n    return event.get('eventName') == 'A'\n";
    let files = Files::new(&[
        ("pack.yaml", "version: 1\nname: p\n"),
        ("helpers/h.py", "class Config:\n    pass\n\n\nsetattr(Config, 'limit', 3)\n"),
        ("a.py", rule),
        ("a.yml", &yml("a", "Filename: a.py")),
        ("b.py", rule),
        ("b.yml", &yml("b", "Filename: b.py")),
        ("filtered.py", rule),
        (
            "filtered.yml",
            &yml("filtered", "Filename: filtered.py\nInlineFilters: [{Key: eventName, Condition: Equals, Value: A}]"),
        ),
        ("expressions.yml", &yml("expressions", "Detection: [{Key: eventName, Condition: Equals, Value: A}]")),
    ]);
    let ran = run(&["check", files.root()]);
    let text = ran.stdout.replace(files.root(), "DIR");
    let expected = "DIR/helpers/h.py:5: warning[unguarded]: 2 rules of the pack are handed every record, because the analysis of all its \
                    Python stops at `setattr(Config, 'limit', 3)`: the pack uses `setattr`; write it in another way, or move it to a \
                    pack of its own\n4 rules checked: 0 errors, 1 warning\n";
    assert_eq!(text, expected);
    assert_eq!(run(&["check", files.root(), "--max-unguarded", "2"]).code, Some(0));
    assert_eq!(run(&["check", files.root(), "--max-unguarded", "1"]).code, Some(1));
}

#[test]
fn a_wrong_expression_is_shown_where_it_is_written() {
    let base = "AnalysisType: rule\nFilename: r.py\nRuleID: base\nInlineFilters:\n  - Key: a\n    Condition: IsNull\n  - Any:\n      - Key: b\n        Condition: IsNull\n      - Key: b\n        Condition: Eqals\n";
    let derived = "AnalysisType: rule\nRuleID: derived\nBaseDetection: base\nDynamicSeverities:\n  - ChangeTo: HIHG\n    Conditions: [{Key: a, Condition: IsNull}]\n";
    let alone = "AnalysisType: rule\nRuleID: alone\nBaseDetection: base\n";
    let files = Files::new(&[
        ("r.py", "def rule(event):\n    return True\n"),
        ("base.yml", base),
        ("derived.yml", derived),
        ("alone.yml", alone),
    ]);
    let ran = run(&["check", files.root()]);
    let text = ran.stdout.replace(files.root(), "DIR");
    for expected in [
        "DIR/base.yml:10: error[bad-expression]: InlineFilters[1].Any[1]: unknown condition 'Eqals'",
        "DIR/derived.yml:5: error[bad-expression]: DynamicSeverities[0]: unknown severity 'HIHG'",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(text.matches("DIR/base.yml:10: error").count(), 3, "also what the derived rules take from it: {text}");
}
