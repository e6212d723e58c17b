//! Runs that keep state: what is read once, told once, and found again.

use crate::harness::{EVERY, Files, NOW, detect, run};
use iota_engine::alert::Origin;
use iota_engine::event::Identity;
use iota_engine::store::{
    AlertFilter, Class, ClassFilter, Desk, FailedPair, Ledger, ObjectVersion, PairFilter, RejectFilter, Terms, Unit,
};
use iota_service::store::Sqlite;
use std::collections::BTreeMap;
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
    assert_eq!(&pairs[0].raw[..], record(1).trim_end().as_bytes());
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

fn rerun(files: &Files, flags: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let (rules, state) = (files.path("rules"), files.path("state"));
    let ran = run(&[&["rerun", "--now", NOW, "--rules", &rules, "--state", &state][..], flags].concat());
    let ids = ran.stdout.lines().map(|line| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        alert["alert_id"].as_str().unwrap().to_owned()
    });
    (ran.code, ids.collect(), ran.stderr)
}

fn ids(files: &Files) -> Vec<String> {
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules")]);
    found.alerts.iter().map(|alert| alert["alert_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn pairs_that_failed_are_evaluated_again_once_the_rule_is_repaired() {
    let files = Files::new(&[("rules/r.py", "def rule(event):\n    return event['eventName'] == 'E1' or event['missing']\n")]);
    files.write("in/a.jsonl", (0..200).map(record).collect::<String>().as_bytes());
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    assert_eq!((found.code, found.alerts.len() - of_system(&found).len()), (Some(3), 1));
    let (code, sent, stderr) = rerun(&files, &["--errors"]);
    assert_eq!((code, sent.len()), (Some(3), 0), "who looks at it is not told besides: {stderr}");
    assert!(stderr.contains("199 failed pairs evaluated again, 0 settled"), "{stderr}");
    files.write(
        "rules/r.py",
        b"def rule(event):\n    return event['eventName'] != 'E7'\ndef dedup(event):\n    return event['eventName']\n",
    );
    let (code, sent, stderr) = rerun(&files, &["--errors", "--rule", "r"]);
    assert_eq!((code, sent.len()), (Some(0), 198), "{stderr}");
    let ids = ids(&files);
    assert!(sent.iter().all(|id| ids.contains(id)), "the ids that the first run would have given");
    let (code, sent, stderr) = rerun(&files, &["--errors"]);
    assert_eq!((code, sent.len()), (Some(0), 0), "{stderr}");
    assert!(stderr.contains("0 failed pairs evaluated again"), "{stderr}");
}

#[test]
fn a_rule_that_fails_is_told_of_once_a_day_with_its_first_error() {
    let severe = "AnalysisType: rule\nSeverity: High\n";
    let files = Files::new(&[
        ("rules/fails.py", "def rule(event):\n    return event['missing']\n"),
        ("rules/odd.py", "def rule(event):\n    return event['eventName'] == 'E1' and 1 / 0\n"),
        ("rules/odd.yml", severe),
    ]);
    files.write("in/a.jsonl", (0..60).map(record).collect::<String>().as_bytes());
    let read = |now: &str| {
        let args = ["--now", now, "--rules", &files.path("rules"), "--state", &files.path("state")];
        let ran = run(&[&["run", &files.path("in")][..], &args].concat());
        let alerts = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut alerts: Vec<_> = alerts.collect();
        alerts.sort_by_key(|alert| alert["title"].as_str().unwrap().to_owned());
        (ran.code, alerts)
    };
    let counts = || {
        let store = Sqlite::open_beside(Path::new(&files.path("state"))).unwrap();
        let mut counts: Vec<_> =
            store.alerts(&AlertFilter::default()).unwrap().iter().map(|alert| (alert.dedup.clone(), alert.count)).collect();
        counts.sort();
        counts
    };
    let of = |rule: &str, count| (format!("rules/{rule}"), count);
    let (code, alerts) = read("2026-01-01T00:00:00Z");
    let told: Vec<_> =
        alerts.iter().map(|alert| (alert["title"].as_str().unwrap(), alert["severity"].as_str().unwrap())).collect();
    let expected =
        [("Rule rules/fails fails: KeyError in rule()", "MEDIUM"), ("Rule rules/odd fails: ZeroDivisionError in rule()", "HIGH")];
    assert_eq!((code, &told[..]), (Some(3), &expected[..]));
    assert_eq!(alerts[0]["rule_id"], "iota.system.rule-error");
    let records = [&alerts[0]["context"]["record"], &alerts[1]["context"]["record"]];
    assert_eq!((records, &alerts[1]["context"]["message"]), ([&1.into(), &2.into()], &"division by zero".into()));
    assert_eq!(counts(), [of("fails", 60), of("odd", 1)]);
    files.write("in/b.jsonl", (60..90).map(record).collect::<String>().as_bytes());
    assert_eq!(read("2026-01-01T00:01:00Z"), (Some(3), vec![]), "the same day");
    assert_eq!(counts(), [of("fails", 90), of("odd", 1)]);
    files.write("in/c.jsonl", (90..92).map(record).collect::<String>().as_bytes());
    assert_eq!(read("2026-01-03T00:00:00Z").1.len(), 1);
    assert_eq!(counts(), [of("fails", 2), of("fails", 90), of("odd", 1)]);
}

/// Ends its worker on the records with these numbers.
fn dies(condition: &str) -> String {
    format!(
        "import os\ndef rule(event):\n    if {condition}: os._exit(1)\n    return True\n\
         def title(event):\n    return event['eventName']\ndef dedup(event):\n    return event['eventID']\n"
    )
}

/// Titles of alerts about iota itself, with their severity.
fn of_system(found: &crate::harness::Detected) -> Vec<String> {
    let of_system = found.alerts.iter().filter(|alert| alert["pack"] == "iota");
    of_system.map(|alert| format!("{} {}", alert["severity"].as_str().unwrap(), alert["title"].as_str().unwrap())).collect()
}

#[test]
fn calls_that_are_left_out_are_kept_told_of_and_run_later() {
    let severe = "AnalysisType: rule\nSeverity: High\n";
    let files = Files::new(&[("rules/r.py", &dies("True")), ("rules/r.yml", severe)]);
    files.write("in/a.jsonl", (0..60).map(record).collect::<String>().as_bytes());
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (20, 40), "{}", found.stderr);
    let told = of_system(&found);
    assert_eq!(
        told,
        ["CRITICAL Rule rules/r is paused: it has ended 10 workers", "CRITICAL 40 calls of rule rules/r were left out"]
    );
    let kept = || {
        let store = Sqlite::open_beside(Path::new(&files.path("state"))).unwrap();
        let pairs = store.failed_pairs(&PairFilter::default()).unwrap();
        (pairs.iter().filter(|pair| pair.failure.is_some()).count(), pairs.iter().filter(|pair| pair.failure.is_none()).count())
    };
    assert_eq!(kept(), (20, 40), "those that ended a worker, and those that were left out");
    let log = Sqlite::open_beside(Path::new(&files.path("state"))).unwrap().audit_log(None).unwrap();
    let recorded = |action: &str| log.iter().filter(|record| record.entry.action == action).collect::<Vec<_>>();
    let (pairs, pauses) = (recorded("pair.quarantine"), recorded("rule.pause"));
    assert_eq!((pairs.len(), pauses.len(), pauses[0].entry.subject.as_str()), (10, 1, "rules/r"));
    assert_eq!(pairs[0].entry.after.as_ref().unwrap()["record"], 1);
    // Run again while the rule mostly works, but ends too many workers: what comes after that is kept as well.
    files.write("rules/r.py", dies("int(event['eventID']) < 15").as_bytes());
    let (code, sent, stderr) = rerun(&files, &["--errors"]);
    assert_eq!((code, sent.len() + kept().0 + kept().1), (Some(3), 60), "nothing is lost: {stderr}");
    files.write("rules/r.py", dies("False").as_bytes());
    let (code, more, stderr) = rerun(&files, &["--errors"]);
    assert_eq!((code, sent.len() + more.len(), kept()), (Some(0), 60, (0, 0)), "{stderr}");
}

#[test]
fn records_made_to_end_a_worker_do_not_hide_the_others() {
    let files = Files::new(&[("rules/r.py", &dies("int(event['eventID']) < 15"))]);
    files.write("in/a.jsonl", (0..60).map(record).collect::<String>().as_bytes());
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (15, 0), "{}", found.stderr);
    let titles = found.titles().into_iter().filter(|title| title.starts_with('E')).count();
    assert_eq!((titles, found.count("/pairs/total")), (45, 60), "{}", found.stderr);
    // The last five are told when it has been resumed.
    let told = ["HIGH Rule rules/r is paused: it has ended 10 workers", "MEDIUM Rule rules/r fails: WorkerDied in rule()"];
    assert_eq!(of_system(&found), told);
}

/// However many they are: nobody reads their input again.
#[test]
fn every_call_that_is_left_out_is_kept() {
    // A signal, so that none of them is to be delivered.
    let signal = "AnalysisType: rule\nCreateAlert: false\n";
    let files = Files::new(&[("rules/r.py", &dies("int(event['eventID']) < 10")), ("rules/r.yml", signal)]);
    files.write("in/a.jsonl", (0..10_100).map(record).collect::<String>().as_bytes());
    let found = detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (10, 0), "{}", found.stderr);
    assert_eq!(found.count("/matches/signals"), 10_090);
}

/// A pair that failed is judged by the time at which it was read first, and so is an object.
#[test]
fn what_is_evaluated_again_is_as_late_as_it_was() {
    let files = Files::new(&[("rules/r.py", "def rule(event):\n    return event['missing']\n")]);
    let records = |ids: std::ops::Range<usize>| ids.map(record).collect::<String>();
    files.write("in/late.jsonl", records(1..2).as_bytes());
    files.write("in/withheld.jsonl", records(2..3).as_bytes());
    files.write("in/timely.jsonl", records(3..4).as_bytes());
    let terms = [
        ("late", Terms { late_before_ms: Some(i64::MAX), send_from_ms: None }),
        ("withheld", Terms { late_before_ms: None, send_from_ms: Some(i64::MAX) }),
        ("timely", Terms { late_before_ms: Some(0), send_from_ms: Some(0) }),
    ];
    let store = Sqlite::open(Path::new(&files.path("state"))).unwrap();
    for (n, (name, terms)) in (1..).zip(terms) {
        let object = files.path(&format!("in/{name}.jsonl"));
        let pair = FailedPair {
            id: 0,
            pack: "rules".to_owned(),
            rule: "r".to_owned(),
            function: "rule".to_owned(),
            record: Identity([n; 16]),
            origin: Origin { object: object.clone(), version: None, record: 1 },
            raw: record(n.into()).into_bytes().into(),
            terms,
            failure: None,
            at_ms: i64::MAX,
        };
        let finished = vec![ObjectVersion { object, version: "v".to_owned() }];
        store.commit(&Unit { now_ms: i64::MAX - 1, terms, failed_pairs: vec![pair], finished, ..Unit::default() }).unwrap();
    }
    drop(store);
    let classes = |title: &str| {
        let store = Sqlite::open_beside(Path::new(&files.path("state"))).unwrap();
        let all = store.alerts(&AlertFilter { class: ClassFilter::All, ..AlertFilter::default() }).unwrap();
        let of_title = all.into_iter().filter(|alert| alert.title.starts_with(title));
        of_title.map(|alert| (alert.title, alert.class)).collect::<BTreeMap<_, _>>()
    };
    let expected = |title: &str| {
        let withheld = Class::Suppressed("no-send-before".to_owned());
        [(1, Class::Late), (2, withheld), (3, Class::Alert)].map(|(n, class)| (format!("{title}{n}"), class)).into()
    };
    let rule = |title: &str| {
        format!(
            "def rule(event):\n    return True\ndef title(event):\n    return '{title}' + event['eventID']\ndef dedup(event):\n    return event['eventID']\n"
        )
    };
    // It fails once more first, which changes nothing.
    assert_eq!(rerun(&files, &["--errors"]).0, Some(3));
    files.write("rules/r.py", rule("pair ").as_bytes());
    let (code, sent, stderr) = rerun(&files, &["--errors"]);
    assert_eq!((code, sent.len()), (Some(0), 2), "{stderr}");
    assert_eq!(classes("pair "), expected("pair "));
    files.write("rules/new.py", rule("object ").as_bytes());
    let (code, sent, stderr) = rerun(&files, &["--rule", "new", "--since", "2000-01-01T00:00:00Z"]);
    assert_eq!((code, sent.len()), (Some(0), 2), "{stderr}");
    assert_eq!(classes("object "), expected("object "));
}

#[test]
fn a_new_rule_is_run_on_what_was_read_before() {
    let files = files();
    let read = || detect(&[&files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("state")]);
    assert_eq!(read().alerts.len(), 2);
    files.write("rules/new.py", b"def rule(event):\n    return True\n");
    assert_eq!(read().alerts.len(), 0, "the input was read");
    let (code, _, stderr) = rerun(&files, &["--rule", "new", "--since", "soon"]);
    assert!(code == Some(2) && stderr.contains("or an age such as 24h, was expected"), "{stderr}");
    let (code, sent, stderr) = rerun(&files, &["--rule", "new", "--since", "1h"]);
    assert_eq!((code, sent.len()), (Some(0), 1), "{stderr}");
    assert!(ids(&files).contains(&sent[0]));
    let (code, sent, _) = rerun(&files, &["--rule", "new", "--since", "2000-01-01T00:00:00Z"]);
    assert_eq!((code, sent.len()), (Some(0), 0), "nothing counts twice");
    let (code, _, stderr) = rerun(&files, &["--rule", "neww", "--since", "2000-01-01T00:00:00Z"]);
    assert!(code == Some(2) && stderr.contains("did you mean `new`"), "{stderr}");
    std::fs::remove_file(files.path("in/a.jsonl")).unwrap();
    let (code, _, stderr) = rerun(&files, &["--rule", "new", "--since", "2000-01-01T00:00:00Z"]);
    assert!(code == Some(2) && stderr.contains("a.jsonl does not exist"), "{stderr}");
}
