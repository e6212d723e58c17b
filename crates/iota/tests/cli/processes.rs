//! Worker processes: none outlives the engine, however that ends.

use crate::harness::{Files, iota};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A rule that never returns.
const LOOPS: &str = "def rule(event):\n    while True: pass\n";
/// Its test.
const TESTED: &str =
    "AnalysisType: rule\nRuleID: L\nFilename: loops.py\nTests:\n  - Name: t\n    ExpectedResult: true\n    Log: {eventName: x}\n";

/// A process of this host, from /proc.
#[derive(Debug)]
struct Seen {
    id: u32,
    parent: u32,
    /// Processor time in hundredths of a second.
    busy: u64,
}

fn processes() -> Vec<Seen> {
    let stat = |entry: fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold anything.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let number = |at: usize| fields[at].parse::<u64>().ok();
        let running = fields[0] != "Z";
        running.then_some(Seen { id, parent: u32::try_from(number(1)?).ok()?, busy: number(11)? + number(12)? })
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(stat).collect()
}

#[track_caller]
fn eventually(what: &str, limit: Duration, mut check: impl FnMut() -> bool) {
    let started = Instant::now();
    while !check() {
        assert!(started.elapsed() < limit, "not after {limit:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Starts iota, waits until a worker of it is caught in the loop, ends iota with a signal: the worker goes with it.
#[track_caller]
fn takes_its_workers_along(signal: &str, args: &[&str]) {
    let silent = Stdio::null;
    let mut child: Child = iota().args(args).stdin(silent()).stdout(silent()).stderr(silent()).spawn().unwrap();
    let mut looping = Vec::new();
    eventually("a worker loops", Duration::from_secs(20), || {
        let busy = processes().into_iter().filter(|process| process.parent == child.id() && process.busy > 50);
        looping = busy.map(|process| process.id).collect();
        !looping.is_empty()
    });
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    eventually(&format!("the worker has ended ({signal} {args:?})"), Duration::from_secs(1), || {
        processes().iter().all(|process| !looping.contains(&process.id))
    });
}

#[test]
fn a_looping_rule_does_not_outlive_an_engine_that_was_killed() {
    let files = Files::new(&[("rules/loops.py", LOOPS), ("in.jsonl", "{\"eventName\":\"x\"}\n")]);
    takes_its_workers_along("-KILL", &["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--rule-timeout", "30s"]);
}

#[test]
fn interrupted_tests_and_checks_take_their_workers_along() {
    let files = Files::new(&[
        ("rules/loops.py", LOOPS),
        ("rules/loops.yml", TESTED),
        ("import/loops.py", "while True: pass\ndef rule(event):\n    return True\n"),
    ]);
    for signal in ["-INT", "-TERM"] {
        takes_its_workers_along(signal, &["test", &files.path("rules"), "--rule-timeout", "30s"]);
        takes_its_workers_along(signal, &["check", &files.path("import")]);
    }
}
