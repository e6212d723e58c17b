//! Runs that keep state: what is read once, told once, and found again.

use crate::harness::{EVERY, Files, NOW, detect, run};
use iota_engine::store::{Desk, PairFilter, RejectFilter};
use iota_service::store::Sqlite;
use std::path::Path;

fn record(n: usize) -> String {
    format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T00:00:{:02}Z\"}}\n", n % 60)
}

fn files() -> Files {
    Files::new(&[("rules/every.py", EVERY), ("in/a.jsonl", &(record(1) + &record(2) + &record(1)))])
}

#[test]
fn what_was_read_is_not_read_again_and_told_once() {
    let files = files();
    let again = || detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    let first = again();
    assert_eq!((first.code, first.titles().len(), first.count("/deliveries/added")), (Some(0), 2, 2), "{}", first.stderr);
    assert_eq!(first.count("/records/duplicates"), 1);
    let second = again();
    assert_eq!((second.code, second.titles().len(), second.count("/inputs/already_finished")), (Some(0), 0, 1));
    files.write("in/a.jsonl", (record(1) + &record(3)).as_bytes());
    files.write("in/b.jsonl", record(2).as_bytes());
    let third = again();
    assert_eq!((third.titles(), third.count("/records/duplicates")), (vec!["E3"], 2), "a file that changed is read again");
    // The same alerts as without state: only the record that differs is another one.
    let plain = detect(&[&files.path("in"), "--rules", &files.path("rules")]);
    assert!(plain.alerts.iter().any(|alert| alert["alert_id"] == first.alerts[1]["alert_id"]));
}

#[test]
fn rejects_and_failed_pairs_are_kept_with_their_bytes() {
    let files = files();
    files.write("rules/fails.py", b"def rule(event):\n    return event['nothing']\n");
    files.write("in/b.jsonl", b"no record\n{\"eventID\":\"9\"\n");
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    assert_eq!(found.code, Some(3));
    let store = Sqlite::open_beside(Path::new(&files.path("state"))).unwrap();
    let rejects = store.rejects(&RejectFilter::default()).unwrap();
    let bytes: Vec<String> = rejects.iter().map(|reject| String::from_utf8(reject.bytes.clone()).unwrap()).collect();
    assert_eq!(bytes.iter().map(|text| text.trim_end()).collect::<Vec<_>>(), ["no record", "{\"eventID\":\"9\""]);
    let pairs = store.failed_pairs(&PairFilter::default()).unwrap();
    assert_eq!(pairs.iter().map(|pair| pair.rule.as_str()).collect::<Vec<_>>(), ["fails", "fails"]);
    assert_eq!(pairs[0].raw, record(1).trim_end().as_bytes());
    assert_eq!(pairs[0].failure.as_ref().map(|failure| failure.r#type.as_str()), Some("KeyError"));
}

#[test]
fn state_that_is_in_use_or_damaged_is_an_error_that_says_so() {
    let files = files();
    let state = files.path("state");
    let refused = || run(&["run", &files.path("in"), "--rules", &files.path("rules"), "--state", &state, "--now", NOW]);
    let held = Sqlite::open(Path::new(&state)).unwrap();
    let ran = refused();
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains(&format!("is in use by another process (pid {})", std::process::id())), "{}", ran.stderr);
    drop(held);
    files.write("state/iota.db", b"something else");
    let ran = refused();
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("this is no SQLite database; it was left as it is"), "{}", ran.stderr);
}

#[test]
fn flags_that_do_not_go_with_state_are_refused() {
    let files = files();
    let base = ["run", &files.path("in"), "--rules", &files.path("rules")];
    let state = ["--state", &files.path("state")];
    for (flags, expected) in [
        (&["--emit", "final"][..], "--emit final does not go with --state"),
        (&["--format", "table"], "--format does not go with --state"),
        (&["--now", "2999-01-01T00:00:00Z"], "--now in the future does not go with --state"),
    ] {
        let ran = run(&[&base[..], &state[..], flags].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{}", ran.stderr);
    }
    let ran = run(&[&base[..], &["--deliver"]].concat());
    assert!(ran.code == Some(2) && ran.stderr.contains("--deliver needs `--state DIR`"), "{}", ran.stderr);
}

#[test]
fn counters_go_on_where_the_last_run_ended() {
    let counts = "from panther_detection_helpers.caching import increment_counter\ndef rule(event):\n    return increment_counter('k') == 5\ndef title(event):\n    return event['eventName']\n";
    let files = Files::new(&[("rules/counts.py", counts)]);
    for (name, records) in [("a", 0..3), ("b", 3..6)] {
        files.write(&format!("in/{name}.jsonl"), records.map(record).collect::<String>().as_bytes());
        let found = detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
        assert_eq!(found.titles(), if name == "a" { vec![] } else { vec!["E4"] }, "{}", found.stderr);
    }
}
