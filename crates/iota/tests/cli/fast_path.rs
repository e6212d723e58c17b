//! Skipping rules without running them changes nothing: with and without it, and with what is skipped run all the same.

use crate::harness::{NOW, root, run};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;
use std::process::Command;

const RECORDS: [&str; 3] = ["testdata/guards/edge.jsonl", "testdata/guards/traps_values.jsonl", "testdata/real-cloudtrail.jsonl"];

/// Alerts as printed, and the accounting, of a run of packs over all records.
fn detected(packs: &[String], flags: &[&str]) -> (String, Json) {
    let directory = tempfile::tempdir().unwrap();
    let stats = directory.path().join("stats.json");
    // One worker: some traps count records, or leave something behind for the next record or for another rule.
    let mut args = vec!["run", "--workers", "1", "--now", NOW, "--log", "error", "--stats", stats.to_str().unwrap()];
    args.extend(flags);
    for pack in packs {
        args.extend(["--rules", pack]);
    }
    args.extend(RECORDS);
    let ran = run(&args);
    let stats = fs::read(&stats).unwrap_or_else(|_| panic!("{packs:?} {:?}: {}", ran.code, ran.stderr));
    let stats: Json = serde_json::from_slice(&stats).unwrap_or_else(|_| panic!("{packs:?} {:?}: {}", ran.code, ran.stderr));
    if flags == ["--verify-fast-path"] {
        assert_eq!(stats["pairs"]["violations"], 0, "{}", ran.stderr);
    }
    (ran.stdout, stats)
}

/// Shows that packs do the same with and without the fast path, and that what is skipped could be. Gives the pairs that
/// were skipped, and all.
fn proved(packs: &[String]) -> (u64, u64) {
    let (alerts, stats) = detected(packs, &[]);
    let (all_alerts, all_stats) = detected(packs, &["--no-fast-path"]);
    assert!(alerts == all_alerts, "{packs:?}: other alerts without the fast path");
    assert_eq!(stats["rule_errors"], all_stats["rule_errors"], "{packs:?}");
    assert_eq!(stats["matches"], all_stats["matches"], "{packs:?}");
    let count = |stats: &Json, name: &str| stats["pairs"][name].as_u64().expect("a count");
    let (skipped, total) = (count(&stats, "skipped"), count(&stats, "total"));
    if skipped > 0 {
        let (_, verified) = detected(packs, &["--verify-fast-path"]);
        assert_eq!(count(&verified, "verified"), skipped, "{packs:?}");
    }
    (skipped, total)
}

fn proved_one(pack: &str) -> (u64, u64) {
    proved(&[pack.to_owned()])
}

#[track_caller]
fn skips_at_least(percent: u64, (skipped, total): (u64, u64)) {
    assert!(skipped * 100 >= total * percent, "{skipped} of {total}");
}

#[test]
fn the_shipped_rules_are_mostly_skipped_and_answer_the_same() {
    let shipped = proved_one("rules/aws_cloudtrail");
    skips_at_least(97, shipped);
    assert!(shipped.0 > 100_000, "{shipped:?}");
}

#[test]
fn rules_in_every_idiom_are_mostly_skipped_and_answer_the_same() {
    let (plain, panther) = (proved_one("testdata/guards/idioms_plain"), proved_one("testdata/guards/idioms_panther"));
    skips_at_least(90, plain);
    skips_at_least(88, panther);
    assert!(plain.0 + panther.0 > 100_000, "{plain:?} {panther:?}");
}

#[test]
fn the_example_packs_answer_the_same() {
    proved(&["testdata/panther_pack".to_owned(), "testdata/rules".to_owned()]);
}

#[test]
fn traps_are_not_skipped() {
    proved(&["testdata/guards/traps_panther".to_owned(), "testdata/guards/traps_values".to_owned()]);
}

/// A time that has no moment in UTC is as good as none: no rule raises for it, and none loses its match.
#[test]
fn records_of_impossible_times_are_evaluated_like_others() {
    let directory = tempfile::tempdir().unwrap();
    let pack = directory.path().join("pack");
    fs::create_dir(&pack).unwrap();
    fs::write(pack.join("named.py"), "def rule(event):\n    return event.get('eventName') == 'A'\n").unwrap();
    fs::write(pack.join("timed.py"), "def rule(event):\n    return event.event_time_epoch() is not None\n").unwrap();
    let records = directory.path().join("records.jsonl");
    let times = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01T00:00:00Z"];
    let lines = times.map(|time| format!(r#"{{"eventName":"A","eventSource":"x","eventTime":"{time}","eventID":"{time}"}}"#));
    fs::write(&records, lines.join("\n")).unwrap();
    let (pack, records) = (pack.to_str().unwrap(), records.to_str().unwrap());
    let ran = |flags: &[&str]| {
        let stats = directory.path().join("stats.json");
        let args = ["run", records, "--rules", pack, "--now", NOW, "--log", "error", "--stats", stats.to_str().unwrap()];
        let ran = run(&[&args, flags].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let stats: Json = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
        // What cannot be read as a time is the time of the run.
        assert_eq!((&stats["pairs"]["errored"], &stats["matches"]["total"]), (&Json::from(0), &Json::from(6)), "{stats}");
        ran.stdout
    };
    assert_eq!(ran(&[]), ran(&["--no-fast-path"]));
}

/// Files that cannot be analysed turn the analysis of their pack off; so without them once more.
#[test]
fn plain_traps_are_not_skipped() {
    let plain = root().join("testdata/guards/traps_plain");
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("traps_plain_readable");
    assert!(Command::new("cp").arg("-r").args([&plain, &copy]).status().unwrap().success());
    for name in ["trap_form_feed", "trap_source_encoding", "trap_source_encoding_lies"] {
        fs::remove_file(copy.join(format!("{name}.py"))).unwrap();
    }
    let (skipped, _) = proved(&[copy.to_str().unwrap().to_owned()]);
    assert!(skipped > 0);
    proved_one(plain.to_str().unwrap());
}

#[test]
fn traps_for_whole_packs_are_not_skipped() {
    let mut packs: Vec<String> = fs::read_dir(root().join("testdata/guards/traps_wide"))
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    packs.sort();
    assert!(packs.len() > 40);
    // Every pack has a process of its own.
    packs.chunks(10).for_each(|packs| _ = proved(packs));
}

/// `tools/soundness.py`, in small.
#[test]
fn generated_rules_and_mutated_records_show_no_violation() {
    let soundness = |args: &[&str]| {
        let binary = Path::new(env!("CARGO_BIN_EXE_iota"));
        let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soundness-violations");
        let mut command = Command::new("python3");
        command.arg(root().join("tools/soundness.py")).args(args).arg("--binary").arg(binary).arg("--keep").arg(keep);
        let output = command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr));
    };
    soundness(&["--generated", "400", "--least-share", "0.1"]);
    soundness(&["--pairs", "100000", "testdata/guards/idioms_plain", "testdata/guards/idioms_panther"]);
}
