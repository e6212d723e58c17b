//! Packs that cannot run: they are paused as a whole, told of, and run later, and the other packs do not wait for them.

use crate::harness::{Detected, EVERY, Files, NOW, Ran, detect, iota, run};
use crate::watch::Watching;
use serde_json::Value as Json;
use std::fs;
use std::process::{Command, Stdio};

/// Of `count` records, each with a name of its own.
fn records(count: usize) -> String {
    (0..count)
        .map(|n| format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T00:00:00Z\"}}\n"))
        .collect()
}

/// Loads once, to say what its rules are. A further worker is told what the first one said: it ends while it imports the rule.
fn never_again() -> String {
    let told = "any(isinstance(known, dict) and {'protocol', 'prepared'} <= known.keys() for known in gc.get_objects())";
    format!("import gc, os\nif {told}:\n    os._exit(7)\n{EVERY}{EACH}")
}

/// An alert for each record.
const EACH: &str = "def dedup(event):\n    return event['eventID']\n";
const SEVERE: &str = "AnalysisType: rule\nSeverity: High\n";

/// A pack `off` beside a pack `on`, and so many records.
fn files(off: &str, count: usize) -> Files {
    Files::new(&[
        ("off/r.py", off),
        ("off/r.yml", SEVERE),
        ("on/every.py", &format!("{EVERY}{EACH}")),
        ("in/a.jsonl", &records(count)),
    ])
}

fn of_pack<'a>(alerts: &'a [Json], pack: &str) -> Vec<&'a str> {
    let of_pack = alerts.iter().filter(|alert| alert["pack"] == pack);
    of_pack.map(|alert| alert["title"].as_str().unwrap()).collect()
}

fn times(found: &Detected, text: &str) -> usize {
    found.stderr.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn a_pack_without_a_worker_is_tried_once_and_once_more_at_the_end() {
    let files = files(&never_again(), 500);
    for workers in ["1", "3"] {
        let flags = ["--rules", &files.path("off"), "--rules", &files.path("on"), "--workers", workers];
        let found = detect(&[&[files.path("in").as_str()], &flags[..]].concat());
        assert_eq!((found.code, of_pack(&found.alerts, "on").len(), found.alerts.len()), (Some(3), 500, 500), "{}", found.stderr);
        assert_eq!((found.count("/pairs/not_run"), found.count("/pairs/total")), (500, 1000), "{}", found.stderr);
        let reason = "pack off is paused, and calls that are left out are run later: no worker can be started";
        assert_eq!(times(&found, reason), 2, "{}", found.stderr);
        assert!(found.stderr.contains("exit code 7"), "{}", found.stderr);
        if workers == "1" {
            // Each time three workers are started; of the last of them the pause tells.
            assert_eq!(times(&found, "\"pack off: the worker died while loading"), 4, "{}", found.stderr);
        }
    }
}

#[test]
fn what_a_pack_without_a_worker_misses_is_kept_told_of_and_run_once_it_is_mended() {
    let files = files(&never_again(), 100);
    let (state, input) = (files.path("state"), files.path("in"));
    let flags = ["--rules", &files.path("off"), "--rules", &files.path("on"), "--state", &state, "--workers", "1"];
    let found = detect(&[&[input.as_str()], &flags[..]].concat());
    assert_eq!((found.code, found.count("/pairs/not_run"), of_pack(&found.alerts, "on").len()), (Some(3), 100, 100));
    let of_system: Vec<&Json> = found.alerts.iter().filter(|alert| alert["pack"] == "iota").collect();
    let titles = of_pack(&found.alerts, "iota");
    assert_eq!(titles, ["Pack off is paused: 64 calls are left out so far", "100 calls of pack off were left out"]);
    for alert in of_system {
        assert_eq!((&alert["severity"], &alert["rule_id"]), (&"CRITICAL".into(), &"iota.system.quarantine".into()));
        assert_eq!(alert["context"]["pack"], "off");
    }
    files.write("off/r.py", format!("{EVERY}{EACH}").as_bytes());
    let ran = run(&[&["rerun", "--errors", "--now", NOW][..], &flags].concat());
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 100), "{}", ran.stderr);
}

/// What rules there are is known from before, so that the first worker is the first to find out.
#[test]
fn an_interpreter_that_does_not_start_any_more_ends_no_run() {
    let files = files(&format!("{EVERY}{EACH}"), 100);
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let real = String::from_utf8(asked.stdout).unwrap().trim().to_owned();
    let link = |to: &str| {
        let _ = fs::remove_file(files.path("python"));
        std::os::unix::fs::symlink(to, files.path("python")).unwrap();
    };
    let flags = ["--rules", &files.path("on"), "--python", &files.path("python"), "--workers", "1"].map(str::to_owned);
    let run = |args: &[&str]| -> Ran {
        let mut command = iota();
        command.args(args).args(&flags).env("XDG_CACHE_HOME", files.path("cache")).stdin(Stdio::null());
        command.output().unwrap().into()
    };
    let (input, state) = (files.path("in"), files.path("state"));
    link(&real);
    assert_eq!(run(&["run", &input]).code, Some(0));
    // A load report is known by the path, size and time of the interpreter.
    let broken = files.write("broken", b"no program");
    let same = fs::metadata(&real).unwrap();
    let file = fs::File::options().write(true).open(&broken).unwrap();
    file.set_len(same.len()).unwrap();
    file.set_modified(same.modified().unwrap()).unwrap();
    file.set_permissions(same.permissions()).unwrap();
    link(&broken);
    // Nobody can execute what somebody writes.
    let ran = run(&["run", &input, "--state", &state]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(3), 2), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be started") && ran.stderr.contains("100 omitted calls"), "{}", ran.stderr);
    drop(file);
    link(&real);
    let ran = run(&["rerun", "--errors", "--state", &state]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 100), "{}", ran.stderr);
}

/// Each rule ends ten workers before it is paused; a hundred of them would end a thousand.
#[test]
fn a_pack_of_rules_that_end_their_workers_is_paused_as_a_whole() {
    let dies = "import os\ndef rule(event):\n    os._exit(1)\n";
    let files = Files::new(&[("on/every.py", &format!("{EVERY}{EACH}")), ("in/a.jsonl", &records(130))]);
    for n in 0..100 {
        files.write(&format!("off/r{n}.py"), dies.as_bytes());
    }
    let flags = ["--rules", &files.path("off"), "--rules", &files.path("on"), "--workers", "2"];
    let found = detect(&[&[files.path("in").as_str()], &flags[..]].concat());
    assert_eq!((found.code, of_pack(&found.alerts, "on").len()), (Some(3), 130), "{}", found.stderr);
    assert_eq!(times(&found, "pack off is paused"), 2, "{}", found.stderr);
    assert!(found.stderr.contains("its rules have ended 50 workers"), "{}", found.stderr);
    // Fifty at first, and fifty when it is tried once more at the end.
    assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (100, 130 * 100 - 100), "{}", found.stderr);
}

#[test]
fn watch_goes_on_with_other_packs_and_runs_the_rest_when_the_pack_is_mended() {
    let files = Files::new(&[("rules/every.py", &format!("{EVERY}{EACH}")), ("off/r.py", &never_again()), ("off/r.yml", SEVERE)]);
    files.write("in/a.jsonl", records(10).as_bytes());
    let watching = Watching::start(&files, &["--rules", &files.path("off"), "--workers", "1"], &[]);
    let told = |text: &str| watching.titles().iter().filter(|title| title.contains(text)).count();
    watching.until("the pack is paused", |_| told("Pack off is paused: ") == 1 && told("E") == 10);
    files.write("in/b.jsonl", records(20).split_inclusive('\n').skip(10).collect::<String>().as_bytes());
    watching.until("the other pack goes on", |_| told("E") == 20);
    assert_eq!(watching.log().matches("pack off is paused").count(), 1, "{}", watching.log());
    // Which has the rules read again.
    files.write("off/r.py", format!("{EVERY}{EACH}").as_bytes());
    watching.signal("-HUP");
    watching.until("what was left out is run", |_| told("E") == 40);
    watching.end();
}
