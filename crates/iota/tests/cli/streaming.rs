//! Standard input, pipes that close, and signals.

use crate::harness::{EVERY, Files, iota};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn piped(rules: &str, more: &[&str]) -> Child {
    iota()
        .args(["run", "-", "--rules", rules])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A child that hangs must not hang the test.
fn kill_later(child: &Child) {
    let id = child.id().to_string();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(30));
        Command::new("kill").args(["-KILL", &id]).status().unwrap();
    });
}

#[test]
fn an_alert_from_standard_input_is_written_while_more_may_come() {
    let files = Files::new(&[("every.py", EVERY)]);
    let mut child = piped(files.root(), &[]);
    kill_later(&child);
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for name in ["first", "second"] {
        writeln!(input, "{{\"eventName\":\"{name}\"}}").unwrap();
        input.flush().unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.contains(name), "the alert comes before the input ends: {line}");
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn growing_alerts_are_told_again_when_asked() {
    let rule = "def rule(event):\n    return True\n\ndef title(event):\n    return 't'\n";
    let files = Files::new(&[("r.py", rule)]);
    for (more, expected) in
        [(&[][..], vec![("create", 1)]), (&["--updates"], vec![("create", 1), ("update", 10), ("update", 100)])]
    {
        let mut child = piped(files.root(), more);
        let mut input = child.stdin.take().unwrap();
        for n in 0..150 {
            writeln!(input, "{{\"eventID\":\"{n}\",\"eventTime\":\"2024-07-15T00:00:00Z\"}}").unwrap();
        }
        drop(input);
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let alerts: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let found: Vec<(&str, u64)> =
            alerts.iter().map(|alert| (alert["action"].as_str().unwrap(), alert["count"].as_u64().unwrap())).collect();
        assert_eq!(found, expected);
        child.wait().unwrap();
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let rules = Files::new(&[("every.py", EVERY)]);
    for emit in ["first", "final"] {
        let mut child = iota()
            .args(["run", "testdata/real-cloudtrail.jsonl", "--rules", rules.root(), "--emit", emit])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{errors}");
        assert!(!errors.contains("ERROR"), "{errors}");
    }
}

#[test]
fn a_signal_ends_the_run_with_what_was_found() {
    let files = Files::new(&[("rules/every.py", EVERY)]);
    let stats = files.path("stats.json");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = piped(&files.path("rules"), &["--emit", "final", "-v", "--stats", &stats]);
        kill_later(&child);
        let mut input = child.stdin.take().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        writeln!(input, "{{\"eventName\":\"seen\"}}").unwrap();
        input.flush().unwrap();
        let mut line = String::new();
        while !line.contains("rules loaded") {
            line.clear();
            assert!(errors.read_line(&mut line).unwrap() > 0, "rules are loaded");
        }
        // The record is read soon after that.
        std::thread::sleep(Duration::from_millis(700));
        Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        errors.read_to_string(&mut line).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("seen"), "what was read is written: {text}");
        let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
        assert_eq!((&stats["inputs"]["interrupted"], &stats["inputs"]["read"]), (&1.into(), &0.into()), "{}", stats["inputs"]);
        drop(input);
    }
}

#[test]
fn a_signal_does_not_wait_for_a_rule_that_loops() {
    let loops = "def rule(event):\n    while True: pass\n";
    let import = "while True: pass\ndef rule(event):\n    return True\n";
    let files = Files::new(&[
        ("call/every.py", EVERY),
        ("call/loops.py", loops),
        ("import/loops.py", import),
        ("in.jsonl", "{\"eventID\":\"1\"}\n{\"eventID\":\"2\"}\n"),
        ("stats.json", ""),
    ]);
    for (rules, records) in [("call", 2), ("import", 0)] {
        let stats = files.path("stats.json");
        let more = ["--rule-timeout", "60s", "--workers", "1", "--stats", &stats];
        let (input, rules) = (files.path("in.jsonl"), files.path(rules));
        let mut child = iota()
            .args(["run", &input, "--rules", &rules])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        kill_later(&child);
        std::thread::sleep(Duration::from_secs(2));
        let asked = Instant::now();
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{errors}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}: {errors}", asked.elapsed());
        assert!(errors.contains("interrupted"), "{errors}");
        let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
        assert_eq!(stats["records"]["read"], records, "{errors}");
        assert_eq!(stats["pairs"]["not_run"], records * 2, "what was not run is counted: {stats:#}");
        assert_eq!(stats["pairs"]["errored"], 0, "an interrupted rule is not to blame");
    }
}
