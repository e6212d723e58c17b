//! Several threads read and evaluate: nothing of what comes out shows how many.

use crate::harness::{EVERY, Files, NOW, gzip, run};
use serde_json::Value as Json;
use std::fs;

/// Alerts, accounting and log of a run, without times.
fn outcome(files: &Files, workers: &str) -> (String, Json, Vec<String>) {
    let stats = files.path("stats.json");
    let (input, rules) = (files.path("in"), files.path("rules"));
    let ran = run(&["run", &input, "--rules", &rules, "--now", NOW, "--stats", &stats, "--workers", workers]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let mut stats: Json = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
    stats["seconds"].take();
    stats["slow_rules"].take();
    stats["python"]["workers"].take();
    stats["rules"].as_object_mut().unwrap().values_mut().for_each(|rule| drop(rule["seconds"].take()));
    let message = |line: &str| serde_json::from_str::<Json>(line).unwrap()["message"].as_str().unwrap().to_owned();
    let mut log: Vec<String> = ran.stderr.lines().map(message).collect();
    log.pop();
    (ran.stdout, stats, log)
}

#[track_caller]
fn same_with_any_number_of_workers(files: &Files) -> (Json, Vec<String>) {
    let (alerts, stats, log) = outcome(files, "1");
    for workers in ["2", "5"] {
        let more = outcome(files, workers);
        assert!(more.0 == alerts, "{workers} workers: other alerts");
        assert_eq!((more.1, more.2), (stats.clone(), log.clone()), "{workers} workers");
    }
    (stats, log)
}

#[test]
fn many_inputs() {
    let files = Files::new(&[("rules/every.py", EVERY)]);
    for n in 0..40 {
        // Every record is in two files, some of them with another value.
        let record = |id: usize| format!("{{\"eventName\":\"E{id}\",\"eventID\":\"{id}\",\"n\":{}}}\n", n * (id % 2));
        let mut text: String = (n * 5..n * 5 + 10).map(record).collect();
        match n % 4 {
            0 => text.push_str("{\"eventName\":\n{\"a\":NaN}\n"),
            1 => text = format!("{{\"Records\":[{}]}}", text.trim_end().replace('\n', ",")),
            2 => text.insert_str(0, &format!("{{\"eventName\":\"large\",\"x\":\"{}\"}}\n{{}}\n", "y".repeat(n * 10_000))),
            _ => {}
        }
        match n % 3 {
            0 => drop(files.write(&format!("in/{n:02}.json.gz"), &gzip(text.as_bytes()))),
            1 => drop(files.write(&format!("in/{n:02}.json"), text.as_bytes())),
            _ => drop(files.write(&format!("in/{n:02}.gz"), &gzip(text.as_bytes())[..40 + n])),
        }
    }
    let (stats, log) = same_with_any_number_of_workers(&files);
    assert!(stats["records"]["variants"].as_u64() > Some(0) && stats["records"]["duplicates"].as_u64() > Some(0), "{stats:#}");
    assert!(log.len() > 20, "{log:?}");
}

/// Large enough to be read in pieces.
fn large(more: impl Fn(usize) -> Option<&'static str>) -> Files {
    let files = Files::new(&[("rules/every.py", EVERY)]);
    let mut text = String::new();
    for n in 0..300 {
        let filler = "y".repeat(60_000 + n * 100);
        text += &format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"x\":\"{filler}\"}}\n");
        text += more(n).unwrap_or_default();
    }
    files.write("in/large.jsonl", text.as_bytes());
    files
}

#[test]
fn a_large_file_in_pieces() {
    let (stats, log) = same_with_any_number_of_workers(&large(|n| (n % 30 == 3).then_some("{\"a\":NaN}\n\n{}\ntext\n")));
    assert_eq!((&stats["records"]["evaluated"], &stats["inputs"]["read"]), (&300.into(), &1.into()));
    let rejects: Vec<_> = log.iter().filter(|line| line.contains("rejected")).collect();
    assert_eq!(rejects.len(), 20, "{log:?}");
    assert!(rejects[19].contains("record 304 (line 314, byte "), "{}", rejects[19]);
}

#[test]
fn a_large_file_that_only_begins_like_lines() {
    // From some place on everything is one list.
    let files = large(|n| (n == 60).then_some("{\"Records\":[\n{\"eventName\":\"A\"}"));
    let (stats, log) = same_with_any_number_of_workers(&files);
    assert_eq!(stats["records"]["evaluated"], 301, "{stats:#} {log:?}");
}
