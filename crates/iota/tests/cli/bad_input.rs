//! Input that cannot be read as records: named, counted, exit code 3, and everything else processed.

use crate::harness::{EVERY, Files, detect, gzip, run};

/// Good records around a bad one: all good ones are evaluated, the bad one is counted under its reason.
#[track_caller]
fn rejected(name: &str, bytes: &[u8], good: &[&str], reason: &str) {
    let files = Files::new(&[("rules/every.py", EVERY)]);
    let path = files.write(name, bytes);
    let found = detect(&[&path, "--rules", &files.path("rules")]);
    assert_eq!(found.code, Some(3), "{name}: {}", found.stderr);
    assert_eq!(found.titles(), good, "{name}: {}", found.stderr);
    assert_eq!(found.count(&format!("/records/rejected_by_reason/{reason}")), 1, "{name}");
    assert_eq!(found.count("/records/rejected"), 1, "{name}");
    assert!(found.stderr.contains(&path) && found.stderr.contains("record "), "origin and position are named: {}", found.stderr);
}

fn lines(bad: &[u8]) -> Vec<u8> {
    [b"{\"eventName\":\"A\"}\n", bad, b"\n{\"eventName\":\"B\"}\n"].concat()
}

#[test]
fn what_is_rejected() {
    for (name, bad, reason) in [
        ("nan.jsonl", &br#"{"eventName":"X","n":NaN}"#[..], "not_finite"),
        ("infinity.jsonl", br#"{"eventName":"X","n":-Infinity}"#, "not_finite"),
        ("overflow.jsonl", br#"{"eventName":"X","n":1e999}"#, "number_overflow"),
        ("utf8.jsonl", b"{\"eventName\":\"\xff\xfe\"}", "invalid_utf8"),
        ("number.jsonl", b"42", "not_an_object"),
        ("text.jsonl", b"hello", "not_json"),
        ("broken.jsonl", br#"{"eventName":"X""#, "invalid_json"),
        ("records-null.jsonl", br#"{"Records":null}"#, "not_an_array"),
        ("records-of-numbers.jsonl", br#"{"Records":[1]}"#, "not_an_object"),
    ] {
        rejected(name, &lines(bad), &["A", "B"], reason);
    }
    let digits = format!(r#"{{"eventName":"X","n":{}}}"#, "1".repeat(4301));
    rejected("digits.jsonl", &lines(digits.as_bytes()), &["A", "B"], "integer_too_long");
    let deep = format!(r#"{{"eventName":"X","n":{}{}}}"#, "[".repeat(256), "]".repeat(256));
    rejected("deep.jsonl", &lines(deep.as_bytes()), &["A", "B"], "too_deep");
    let large = format!(r#"{{"eventName":"X","n":"{}"}}"#, "x".repeat(16 << 20));
    rejected("large.jsonl", &lines(large.as_bytes()), &["A", "B"], "record_too_large");
}

#[test]
fn a_cut_gzip_file_gives_the_records_before_the_cut() {
    let records: String = (0..2000).map(|n| format!("{{\"eventName\":\"E{n}\",\"pad\":\"{:x}\"}}\n", n * 7919)).collect();
    let whole = gzip(records.as_bytes());
    let files = Files::new(&[("rules/every.py", EVERY)]);
    let path = files.write("cut.jsonl.gz", &whole[..whole.len() / 2]);
    let found = detect(&[&path, "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.count("/records/rejected_by_reason/truncated_gzip")), (Some(3), 1));
    assert!(found.alerts.len() > 500, "{} records came before the cut", found.alerts.len());
}

#[test]
fn a_bomb_is_stopped_at_its_limit() {
    let files = Files::new(&[("rules/every.py", EVERY)]);
    let bomb = files.write("bomb.gz", &gzip(&[b"{\"eventName\":\"A\"}\n".to_vec(), vec![b' '; 8 << 20]].concat()));
    let found = detect(&[&bomb, "--rules", &files.path("rules"), "--max-inflated", "1MiB"]);
    assert_eq!((found.code, found.count("/records/rejected_by_reason/inflated_too_large")), (Some(3), 1));
    assert_eq!(found.titles(), ["A"]);
    let found = detect(&[&bomb, "--rules", &files.path("rules")]);
    assert_eq!(found.code, Some(0), "within the default");
}

#[test]
fn what_is_odd_but_valid_is_evaluated_unchanged() {
    let long = format!(r#"{{"eventName":"long","eventID":"1","x":"{}"}}"#, "y".repeat(300_000));
    let odd = [
        &long,
        r#"{"eventName":"lost","eventID":"2","eventName":"last wins"}"#,
        r#"{"eventName":"9007199254740993","eventID":"3","n":9007199254740993}"#,
        r#"{"eventSource":"no name, no id, no time"}"#,
    ]
    .join("\n");
    let rule = "def rule(event):\n    return event.get('n', 9007199254740993) == 9007199254740993\n\ndef title(event):\n    return str(event.get('eventName'))\n";
    let files = Files::new(&[("rules/r.py", rule), ("odd.jsonl", &odd)]);
    let found = detect(&[&files.path("odd.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.count("/records/evaluated")), (Some(0), 4), "{}", found.stderr);
    let mut titles = found.titles();
    titles.sort_unstable();
    assert_eq!(titles, ["9007199254740993", "None", "last wins", "long"]);
}

#[test]
fn a_lone_surrogate_stays_in_the_event_and_nowhere_else() {
    let files = Files::new(&[("rules/every.py", EVERY), ("in.json", r#"{"eventName":"x\ud800","eventID":"4"}"#)]);
    let ran = run(&["run", &files.path("in.json"), "--rules", &files.path("rules")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(r#""eventName":"x\ud800""#) && ran.stdout.contains("\"title\":\"x\u{fffd}\""), "{}", ran.stdout);
}

#[test]
fn a_line_that_is_cut_off_is_named_as_such() {
    let files = Files::new(&[
        ("rules/r.py", EVERY),
        ("in.jsonl", "{\"eventName\":\"A\",\"eventID\":\"1\n{\"eventName\":\"B\",\"eventID\":\"2\"}\n"),
    ]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.titles()), (Some(3), vec!["B"]));
    assert!(found.stderr.contains("a string that does not end on its line: the line may have been cut off"), "{}", found.stderr);
}

#[test]
fn a_rate_without_its_sign_is_told_how_it_is_given() {
    let files = Files::new(&[("rules/r.py", EVERY), ("in.jsonl", "")]);
    let ran = run(&["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--verify-fast-path", "0.1"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("0.1 does not exist; ") && ran.stderr.contains("--verify-fast-path=0.1"), "{}", ran.stderr);
}

#[test]
fn what_is_no_event_is_skipped_and_counted() {
    let digest = r#"{"awsAccountId":"1","digestStartTime":"2024-07-15T00:00:00Z","logFiles":[{"s3Bucket":"b"}]}"#;
    let insight = r#"{"eventCategory":"Insight","eventType":"AwsCloudTrailInsight","eventVersion":"1.07"}"#;
    let config = r#"{"fileVersion":"1.0","configSnapshotId":"x","configurationItems":[{"a":1},{"b":2}]}"#;
    let aggregated = r#"{"eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","eventVersion":"1.0"}"#;
    let lines = [digest, insight, config, aggregated, "{}", r#"{"eventName":"A"}"#].join("\n");
    let files = Files::new(&[("rules/every.py", EVERY), ("in/mixed.jsonl", &lines), ("in/empty.json", "")]);
    files.write("in/flow.log", b"version account-id interface-id srcaddr\n2 123456789012 eni-1 1.2.3.4\n");
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.titles()), (Some(0), vec!["A"]), "{}", found.stderr);
    for (reason, count) in [("digest", 1), ("insight", 1), ("aggregated", 1), ("empty", 1), ("other_service", 2)] {
        assert_eq!(found.count(&format!("/records/skipped_by_reason/{reason}")), count, "{reason}");
    }
    assert_eq!((found.count("/inputs/read"), found.count("/inputs/empty")), (3, 1));
}

#[test]
fn a_file_without_records_is_an_empty_input_and_no_record() {
    let files =
        Files::new(&[("rules/every.py", EVERY), ("in/a.json", ""), ("in/b.json", " \n"), ("in/c.json", "{\"Records\":[]}")]);
    files.write("in/d.json.gz", &gzip(b""));
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules")]);
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    assert_eq!((found.count("/inputs/total"), found.count("/inputs/read"), found.count("/inputs/empty")), (4, 4, 4));
    assert_eq!(found.count("/records/read"), 0);
}

#[test]
fn input_that_cannot_be_opened_is_a_usage_error() {
    let ran = run(&["run", "nowhere.json", "--rules", "testdata/rules"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("nowhere.json does not exist"), "{}", ran.stderr);
}

#[test]
fn a_link_to_nowhere_does_not_keep_the_rest_from_being_read() {
    let files = Files::new(&[("rules/every.py", EVERY), ("in/a.json", r#"{"eventName":"A"}"#)]);
    std::os::unix::fs::symlink("/nonexistent", files.path("in/dangling.json")).unwrap();
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.titles(), found.count("/inputs/unreadable")), (Some(2), vec!["A"], 1), "{}", found.stderr);
    assert!(found.stderr.contains("dangling.json: No such file"), "{}", found.stderr);
}
