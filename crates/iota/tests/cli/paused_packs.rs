//! Packs that cannot run: they are paused as a whole, told of, and run later, and the other packs do not wait for them.

use crate::harness::{Detected, EVERY, Files, NOW, Ran, detect, iota, run};
use crate::watch::Watching;
use iota_engine::store::Desk;
use iota_service::store::Sqlite;
use serde_json::Value as Json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Of `count` records, each with a name of its own.
fn records(count: usize) -> String {
    (0..count)
        .map(|n| format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T00:00:00Z\"}}\n"))
        .collect()
}

/// Loads once, to say what its rules are. A further worker is told what the first one said: it ends while it imports the rule.
pub(crate) fn never_again() -> String {
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
    assert_eq!(titles, ["Pack off is paused, with all of its rules", "100 calls of pack off were left out"]);
    for alert in of_system {
        assert_eq!((&alert["severity"], &alert["rule_id"]), (&"CRITICAL".into(), &"iota.system.quarantine".into()));
        assert_eq!(alert["context"]["pack"], "off");
    }
    let log = Sqlite::open_beside(Path::new(&state)).unwrap().audit_log(None).unwrap();
    let pauses: Vec<_> = log.iter().filter(|record| record.entry.action == "pack.pause").collect();
    assert_eq!((pauses.len(), pauses[0].entry.subject.as_str()), (1, "off"), "{log:?}");
    assert_eq!(pauses[0].entry.after.as_ref().unwrap()["rules"], 1);
    files.write("off/r.py", format!("{EVERY}{EACH}").as_bytes());
    let ran = run(&[&["rerun", "--errors", "--now", NOW][..], &flags].concat());
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 100), "{}", ran.stderr);
}

/// Whatever hangs in one pack, the alerts of the other come. That a batch was waited for to its end would be told as a pause.
#[test]
fn a_pack_that_hangs_does_not_hold_up_another() {
    let at_load = never_again().replace("os._exit(7)", "__import__('time').sleep(3600)");
    let in_calls = "import time\ndef rule(event):\n    time.sleep(3600)\n";
    for off in [at_load.as_str(), in_calls] {
        let files = files(off, 10);
        let flags = ["--rules", &files.path("off"), "--workers", "1", "--rule-timeout", "500ms"];
        fs::rename(files.path("on"), files.path("rules")).unwrap();
        let watching = Watching::start(&files, &flags, &[]);
        let of_other = || watching.titles().iter().filter(|title| title.starts_with('E')).count();
        watching.until("the other pack goes on", |_| of_other() == 10);
        assert!(!watching.log().contains("is paused"), "{}", watching.log());
        files.write("in/b.jsonl", records(20).split_inclusive('\n').skip(10).collect::<String>().as_bytes());
        watching.until("it goes on again", |_| of_other() == 20);
        watching.end();
    }
}

/// Where what is left out of a batch is as slow the next time, it would never be done.
#[test]
fn a_pack_that_is_slow_gets_on_in_parts() {
    let slow = "    __import__('time').sleep(0.5 if int(event['eventID']) % 3 == 0 else 0)\n";
    let slow = EVERY.replacen("def rule(event):\n", &format!("def rule(event):\n{slow}"), 1);
    let files = files(&format!("{slow}{EACH}"), 64);
    let flags = ["--rules", &files.path("off"), "--workers", "1", "--rule-timeout", "2s"];
    fs::rename(files.path("on"), files.path("rules")).unwrap();
    let watching = Watching::start(&files, &flags, &[]);
    let done = || watching.titles().iter().filter(|title| title.starts_with('E')).count();
    watching.until("the calls of both are done", |_| done() == 128);
    assert!(watching.log().contains("are cut short"), "{}", watching.log());
    watching.end();
}

/// One that is ended after each wait would never be there.
#[test]
fn a_worker_that_takes_long_to_start_is_not_started_anew() {
    let files = files(&never_again().replace("os._exit(7)", "__import__('time').sleep(7)"), 10);
    let flags = ["--rules", &files.path("off"), "--workers", "1", "--rule-timeout", "500ms"];
    fs::rename(files.path("on"), files.path("rules")).unwrap();
    let watching = Watching::start(&files, &flags, &[]);
    let done = || watching.titles().iter().filter(|title| title.starts_with('E')).count();
    watching.until("the calls of both are done", |_| done() == 20);
    let log = watching.log();
    assert!(!log.contains("is paused") && !log.contains("are cut short"), "{log}");
    watching.end();
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

/// Each rule ends ten workers before it is paused; twenty of them would end two hundred.
#[test]
fn a_pack_of_rules_that_end_their_workers_is_paused_as_a_whole() {
    let dies = "import os\ndef rule(event):\n    os._exit(1)\n";
    let files = Files::new(&[("on/every.py", &format!("{EVERY}{EACH}")), ("in/a.jsonl", &records(130))]);
    for n in 0..20 {
        files.write(&format!("off/r{n}.py"), dies.as_bytes());
    }
    let flags = ["--rules", &files.path("off"), "--rules", &files.path("on"), "--workers", "2"];
    let found = detect(&[&[files.path("in").as_str()], &flags[..]].concat());
    assert_eq!((found.code, of_pack(&found.alerts, "on").len()), (Some(3), 130), "{}", found.stderr);
    assert_eq!(times(&found, "pack off is paused"), 2, "{}", found.stderr);
    assert!(found.stderr.contains("its rules have ended 50 workers or more"), "{}", found.stderr);
    let (errored, not_run) = (found.count("/pairs/errored"), found.count("/pairs/not_run"));
    assert_eq!(errored + not_run, 130 * 20, "{}", found.stderr);
    // Fifty that count at first, and when it is tried once more at the end; ten of a record count.
    assert!((100..=200).contains(&errored), "{errored}: {}", found.stderr);
}

/// With and without state: what happens to 12 records in a pack of one good rule behind others.
fn beside(rule: &str, count: usize, each: impl Fn(&Detected)) {
    let files = Files::new(&[("rules/z.py", &format!("{EVERY}{EACH}")), ("in/a.jsonl", &records(12))]);
    for n in 0..count {
        files.write(&format!("rules/r{n}.py"), rule.as_bytes());
    }
    let (input, rules, state) = (files.path("in"), files.path("rules"), files.path("state"));
    let flags = [input.as_str(), "--rules", &rules, "--workers", "1", "--state", &state];
    for flags in [&flags[..], &flags[..5]] {
        let found = detect(flags);
        assert!(!found.stderr.contains("pack rules is paused"), "{}", found.stderr);
        assert_eq!((found.code, of_pack(&found.alerts, "rules").len()), (Some(3), 12), "{}", found.stderr);
        each(&found);
    }
}

/// As when they share a helper, and somebody makes a record that it does not survive.
#[test]
fn a_record_that_ends_the_workers_of_all_rules_pauses_none() {
    let dies = "import os\ndef rule(event):\n    if event['eventID'] == '3':\n        os._exit(1)\n    return False\n";
    beside(dies, 52, |found| {
        assert!(!found.stderr.contains("is paused"), "{}", found.stderr);
        assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (52, 0), "{}", found.stderr);
        // Of each rule one with others at work, and one that had nothing else to do; also when calls were made up for.
        assert!(found.count("/python/workers_died") > 101, "{:#}", found.stats["python"]);
    });
}

#[test]
fn five_rules_that_always_end_workers_leave_the_others_on() {
    beside("import os\ndef rule(event):\n    os._exit(1)\n", 5, |found| {
        assert_eq!(found.stderr.matches("it is paused").count(), 5, "{}", found.stderr);
        assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (60, 0), "{}", found.stderr);
    });
}

#[test]
fn watch_goes_on_with_other_packs_and_runs_the_rest_when_the_pack_is_mended() {
    let files = Files::new(&[("rules/every.py", &format!("{EVERY}{EACH}")), ("off/r.py", &never_again()), ("off/r.yml", SEVERE)]);
    files.write("in/a.jsonl", records(10).as_bytes());
    let watching = Watching::start(&files, &["--rules", &files.path("off"), "--workers", "1"], &[]);
    let told = |text: &str| watching.titles().iter().filter(|title| title.contains(text)).count();
    watching.until("the pack is paused", |_| told("Pack off is paused") == 1 && told("E") == 10);
    files.write("in/b.jsonl", records(20).split_inclusive('\n').skip(10).collect::<String>().as_bytes());
    watching.until("the other pack goes on", |_| told("E") == 20);
    assert_eq!(watching.log().matches("pack off is paused").count(), 1, "{}", watching.log());
    // Which has the rules read again.
    files.write("off/r.py", format!("{EVERY}{EACH}").as_bytes());
    watching.signal("-HUP");
    watching.until("what was left out is run", |_| told("E") == 40);
    watching.end();
}
