//! Stateful helpers: what is kept, for how long, and for whom.

use crate::harness::{Files, detect, run};

/// Records that are `seconds` apart, from the first second of 2020 on.
fn records(count: usize, seconds: usize) -> String {
    (0..count)
        .map(|n| {
            let (minute, second) = (n * seconds / 60, n * seconds % 60);
            format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T00:{minute:02}:{second:02}Z\"}}\n")
        })
        .collect()
}

fn titles(files: &Files, workers: &str) -> Vec<String> {
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--workers", workers]);
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    let mut titles: Vec<String> = found.titles().into_iter().map(str::to_owned).collect();
    titles.sort_unstable();
    titles
}

const REST: &str =
    "def rule(event):\n    return helpers.increment_counter('k') % 100 == 0\ndef title(event):\n    return event['eventName']\n";

#[test]
fn counters_are_kept_however_the_helpers_are_imported() {
    let by_name = "import importlib\nhelpers = importlib.import_module('.'.join(['panther_detection_helpers', 'caching']))\n";
    let of_helper = "import importlib\nhelpers = importlib.import_module('counting').helpers\n";
    let when_called = "import importlib\nclass Late:\n    def __getattr__(self, name):\n        return getattr(importlib.import_module('panther_detection_helpers.caching'), name)\nhelpers = Late()\n";
    for import in [by_name, of_helper, when_called] {
        let files = Files::new(&[
            ("rules/counts.py", &format!("{import}{REST}")),
            ("rules/helpers/counting.py", "from panther_detection_helpers import caching as helpers\n"),
            ("in.jsonl", &records(300, 1)),
        ]);
        assert_eq!(titles(&files, "4"), ["E199", "E299", "E99"], "{import}");
    }
}

#[test]
fn lifetimes_count_in_the_time_of_the_records() {
    let rule = "from panther_detection_helpers.caching import evaluate_threshold\ndef rule(event):\n    return evaluate_threshold('k', threshold=3, expiry_seconds=60)\ndef title(event):\n    return event['eventName']\n";
    let files = Files::new(&[("rules/r.py", rule), ("in.jsonl", &records(9, 20))]);
    assert_eq!(titles(&files, "1"), ["E2", "E5", "E8"], "three within a minute");
    files.write("in.jsonl", records(9, 40).as_bytes());
    assert!(titles(&files, "1").is_empty(), "never three within a minute");
}

const NESTED: &str =
    "def nested(event):\n    value = 'x'\n    for _ in range(event['depth']): value = [value]\n    return {'a': value}\n";

#[test]
fn a_dictionary_nested_too_deep_is_an_error_of_its_rule_alone() {
    let rule = format!(
        "from panther_detection_helpers.caching import put_dictionary, get_dictionary\n{NESTED}def rule(event):\n    put_dictionary('k', nested(event))\n    return get_dictionary('k') == nested(event)\n"
    );
    let depths = [1, 99, 100, 127, 200, 5_000, 2];
    let input: String = depths.iter().map(|depth| format!("{{\"eventID\":\"{depth}\",\"depth\":{depth}}}\n")).collect();
    let files = Files::new(&[("rules/r.py", &rule), ("in.jsonl", &input)]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.count("/matches/total")), (Some(3), 3), "{}", found.stderr);
    assert_eq!(found.rule_errors(), [("rules/r".to_owned(), "rule".to_owned(), "ValueError".to_owned())]);
    assert!(found.stderr.contains("put_dictionary: the value is nested more than 100 levels deep"), "{}", found.stderr);
}

#[test]
fn a_context_may_be_nested_like_a_record_and_not_without_end() {
    let rule = format!(
        "{NESTED}def rule(event):\n    return True\ndef title(event):\n    return str(event['depth'])\ndef alert_context(event):\n    return nested(event)\n"
    );
    let input = "{\"eventID\":\"1\",\"depth\":200}\n{\"eventID\":\"2\",\"depth\":5000}\n";
    let tests: String = [1, 126, 127, 200, 5_000]
        .iter()
        .map(|depth| format!("  - {{Name: d{depth}, ExpectedResult: true, Log: {{depth: {depth}}}}}\n"))
        .collect();
    let yml = format!("AnalysisType: rule\nFilename: r.py\nTests:\n{tests}");
    let files = Files::new(&[("rules/r.py", &rule), ("rules/r.yml", &yml), ("in.jsonl", input)]);
    let ran = run(&["run", &files.path("in.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("alert_context is nested more than 300 levels deep"), "{}", ran.stderr);
    assert!(ran.stdout.contains(&"[".repeat(200)) && ran.stdout.contains("_error"), "{}", ran.stdout);
    let ran = run(&["test", &files.path("rules")]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("4 passed, 1 failed"), "{}", ran.stdout);
    assert!(ran.stdout.contains("alert_context() raised ValueError: alert_context is nested more than 300"), "{}", ran.stdout);
}
