//! `iota watch` over directories: what comes in whatever way is read once, and ends of the process lose nothing.

use crate::harness::{EVERY, Files, gzip, iota, run};
use iota_engine::store::{AlertFilter, ClassFilter, Desk};
use iota_service::store::Sqlite;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const RECORD: &str = "{\"eventName\":\"E1\",\"eventID\":\"1\",\"eventTime\":\"2024-01-01T00:00:00Z\"}\n";
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Watching {
    child: Child,
    output: String,
    log: String,
}

impl Watching {
    /// Over `in`, with `rules` and `state`.
    pub(crate) fn start(files: &Files, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        fs::create_dir_all(files.path("in")).unwrap();
        let mut command = iota();
        command.args(["watch", "--events-dir", &files.path("in"), "--rules", &files.path("rules")]);
        if !flags.contains(&"--state") {
            command.args(["--state", &files.path("state")]);
        }
        command.args(flags);
        Self::spawn(files, command, environment)
    }

    /// Output and log go where `start` has them.
    fn spawn(files: &Files, mut command: Command, environment: &[(&str, &str)]) -> Self {
        let (output, log) = (files.path("out.jsonl"), files.path("log"));
        let append = |path: &str| OpenOptions::new().create(true).append(true).open(path).unwrap();
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(append(&output)).stderr(append(&log));
        Self { child: command.spawn().unwrap(), output, log }
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        titles(&self.output)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is(self) {
            assert!(started.elapsed() < PATIENCE, "{what}: {:?}\n{}", self.titles(), self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until these events, and no others, have been told of.
    pub(crate) fn told(&self, expected: &[&str]) {
        self.until(&format!("{expected:?}"), |watching| watching.titles().len() >= expected.len());
        let mut titles = self.titles();
        titles.sort_unstable();
        assert_eq!(titles, expected, "{}", self.log());
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(crate) fn end(mut self) {
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn titles(output: &str) -> Vec<String> {
    let text = fs::read_to_string(output).unwrap();
    let alerts = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    alerts.map(|alert| alert["title"].as_str().unwrap().to_owned()).collect()
}

fn record(n: usize) -> String {
    format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T00:00:{:02}Z\"}}\n", n % 60)
}

/// A rule that makes an alert of every record.
fn files() -> Files {
    Files::new(&[("rules/every.py", &format!("{EVERY}def dedup(event):\n    return event['eventID']\n"))])
}

fn append(path: &str, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Whatever way events come, with and without inotify.
#[test]
fn events_are_found_however_they_come() {
    for flags in [&["--rescan-interval", "1h"][..], &["--no-inotify", "--rescan-interval", "100ms"]] {
        let files = files();
        files.write("in/old.jsonl", record(1).as_bytes());
        let watching = Watching::start(&files, flags, &[]);
        watching.told(&["E1"]);
        // Appended; the last line is cut and completed later.
        append(&files.path("in/old.jsonl"), &format!("{}{{\"eventName\":\"E3\",", record(2)));
        watching.told(&["E1", "E2"]);
        append(&files.path("in/old.jsonl"), "\"eventID\":\"3\"}\n");
        watching.told(&["E1", "E2", "E3"]);
        // Directories made later, at some depth; hidden files are nobody's.
        files.write("in/a/b/c/.part.jsonl", record(90).as_bytes());
        files.write("in/.stage/x.jsonl", record(91).as_bytes());
        // A named pipe that nobody writes to holds nobody up.
        assert!(Command::new("mkfifo").arg(files.path("in/pipe")).status().unwrap().success());
        files.write("in/a/b/c/new.jsonl", record(4).as_bytes());
        watching.told(&["E1", "E2", "E3", "E4"]);
        // Rotated: the old one under a new name, a new one under the old name.
        fs::rename(files.path("in/old.jsonl"), files.path("in/old.jsonl.1")).unwrap();
        append(&files.path("in/old.jsonl"), &record(5));
        watching.told(&["E1", "E2", "E3", "E4", "E5"]);
        append(&files.path("in/old.jsonl.1"), &record(6));
        watching.told(&["E1", "E2", "E3", "E4", "E5", "E6"]);
        // Truncated, and replaced by another file.
        File::create(files.path("in/old.jsonl")).unwrap().write_all(record(7).as_bytes()).unwrap();
        watching.told(&["E1", "E2", "E3", "E4", "E5", "E6", "E7"]);
        files.write("other.jsonl", format!("{}{}", record(8), record(7)).as_bytes());
        fs::rename(files.path("other.jsonl"), files.path("in/old.jsonl")).unwrap();
        watching.told(&["E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8"]);
        watching.end();
    }
}

/// Files that are taken when they have not changed for a while.
#[test]
fn documents_and_last_lines_without_an_end_are_taken_at_rest() {
    let files = files();
    let watching = Watching::start(&files, &[], &[]);
    files.write("in/1.json.gz", &gzip(record(1).as_bytes()));
    files.write("in/2.json", format!("{{\n \"Records\": [\n{}\n]}}\n", record(2)).as_bytes());
    files.write("in/3.json", format!("{{\"Records\":[{}]}}", record(3).trim_end()).as_bytes());
    files.write("in/4.jsonl", record(4).trim_end().as_bytes());
    watching.told(&["E1", "E2", "E3", "E4"]);
    // gzip that grows by members.
    OpenOptions::new().append(true).open(files.path("in/1.json.gz")).unwrap().write_all(&gzip(record(5).as_bytes())).unwrap();
    watching.told(&["E1", "E2", "E3", "E4", "E5"]);
    // One that cannot be read to its end is read when it is whole.
    let whole = gzip((record(6) + &record(7)).as_bytes());
    files.write("in/6.gz", &whole[..whole.len() - 9]);
    watching.until("said to be damaged", |watching| watching.log().contains("the gzip data ends early"));
    files.write("in/6.gz", &whole);
    watching.until("E7", |watching| watching.titles().contains(&"E7".to_owned()));
    watching.end();
}

#[test]
fn a_new_start_goes_on_where_the_last_one_ended() {
    let files = files();
    files.write("in/a.jsonl", record(1).as_bytes());
    files.write("in/b.gz", &gzip(record(2).as_bytes()));
    let watching = Watching::start(&files, &[], &[]);
    watching.told(&["E1", "E2"]);
    watching.end();
    append(&files.path("in/a.jsonl"), &record(3));
    let watching = Watching::start(&files, &[], &[]);
    watching.told(&["E1", "E2", "E3"]);
    watching.end();
    let log = fs::read_to_string(files.path("log")).unwrap();
    assert!(log.contains("1 record from 1 input"), "only what is new is read: {log}");
}

/// Lines of files that grow, as files that were read whole.
#[test]
fn a_new_rule_has_the_lines_that_were_read_and_says_which_are_gone() {
    let files = files();
    let watching = Watching::start(&files, &[], &[]);
    append(&files.path("in/a.jsonl"), &record(1));
    watching.told(&["E1"]);
    append(&files.path("in/a.jsonl"), &record(2));
    append(&files.path("in/b.jsonl"), &record(3));
    watching.told(&["E1", "E2", "E3"]);
    watching.end();
    // Nobody has read this line.
    append(&files.path("in/a.jsonl"), &record(4));
    files.write("rules/new.py", b"def rule(event):\n    return True\ndef dedup(event):\n    return event['eventID']\n");
    let rerun = |since: &str| {
        let (rules, state) = (files.path("rules"), files.path("state"));
        let ran = run(&["rerun", "--rule", "new", "--since", since, "--rules", &rules, "--state", &state]);
        let alerts = ran.stdout.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let names: BTreeSet<String> = alerts.map(|alert| alert["event"]["eventName"].as_str().unwrap().to_owned()).collect();
        (ran.code, names, ran.stderr)
    };
    let (code, found, log) = rerun("2999-01-01T00:00:00Z");
    assert_eq!((code, found.len()), (Some(0), 0), "only what was read since: {log}");
    // Of the two files one is still there.
    files.write("in/b.jsonl", (record(5) + &record(6)).as_bytes());
    let (code, found, log) = rerun("1h");
    assert_eq!((code, found), (Some(2), ["E1", "E2"].map(str::to_owned).into()), "{log}");
    assert!(log.contains("b.jsonl: could not be read to its end: what was read of it before, bytes 0 to"), "{log}");
    assert!(log.contains("events that came in messages of a queue themselves"), "{log}");
}

#[test]
fn a_cold_start_may_leave_the_past_alone() {
    let files = files();
    files.write("in/a.jsonl", record(1).as_bytes());
    let watching = Watching::start(&files, &["--from", "now"], &[]);
    watching.until("watching", |watching| watching.log().contains("watching"));
    append(&files.path("in/a.jsonl"), &record(2));
    watching.told(&["E2"]);
    watching.end();
    // What came while nothing was running is new, whenever it is started again.
    files.write("in/b.jsonl", record(3).as_bytes());
    let watching = Watching::start(&files, &["--from", "now", "--no-send-before", "2999-01-01T00:00:00Z"], &[]);
    let store = Sqlite::open_beside(Path::new(&files.path("state"))).unwrap();
    let all = AlertFilter { class: ClassFilter::All, ..AlertFilter::default() };
    watching.until("E3 is kept", |_| store.alerts(&all).unwrap().len() == 2);
    assert_eq!(watching.titles(), ["E2"]);
    watching.end();
    let log = fs::read_to_string(files.path("log")).unwrap();
    assert!(log.contains("1 record from 1 input, 1 match, 0 alerts"), "{log}");
}

#[test]
fn rules_are_read_again_all_of_them_or_none() {
    let files = files();
    let watching = Watching::start(&files, &[], &[]);
    watching.until("watching", |watching| watching.log().contains("watching"));
    files.write("in/a.jsonl", record(1).as_bytes());
    watching.told(&["E1"]);
    files.write("rules/every.py", b"def rule(event)\n");
    watching.signal("-HUP");
    watching.until("refused", |watching| watching.log().contains("those that ran before go on"));
    files.write("in/b.jsonl", record(2).as_bytes());
    watching.told(&["A change of the rules was not taken", "E1", "E2"]);
    // Without a signal.
    files
        .write("rules/every.py", b"def rule(event):\n    return True\ndef title(event):\n    return 'new ' + event['eventID']\n");
    watching.until("taken", |watching| watching.log().contains("the rules were read again; 1 run now"));
    files.write("in/c.jsonl", record(3).as_bytes());
    watching.told(&["A change of the rules was not taken", "E1", "E2", "new 3"]);
    watching.end();
}

/// A pack whose import takes its time, as one that means no good may: the rules that run go on, what is newer goes before it, and
/// an end does not wait for it.
#[test]
fn input_is_read_while_rules_are_loaded() {
    let files = files();
    let watching = Watching::start(&files, &[], &[]);
    watching.until("watching", |watching| watching.log().contains("watching"));
    let endless = "while True:\n    pass\ndef rule(event):\n    return True\n";
    let begun = |times: usize| {
        watching.until("begun", |watching| watching.log().matches("reading the rules again").count() == times);
    };
    files.write("rules/every.py", endless.as_bytes());
    begun(1);
    files.write("in/a.jsonl", record(1).as_bytes());
    watching.told(&["E1"]);
    files.write("rules/every.py", b"def rule(event):\n    return True\ndef title(event):\n    return 'new'\n");
    watching.until("taken", |watching| watching.log().contains("the rules were read again; 1 run now"));
    files.write("in/b.jsonl", record(2).as_bytes());
    watching.told(&["E1", "new"]);
    files.write("rules/every.py", endless.as_bytes());
    begun(3);
    let log = watching.log();
    assert!(!log.contains("not taken"), "the load was given up: {log}");
    watching.end();
}

/// What is named by a change that is refused is looked at all the same: nobody has to say that it was mended.
#[test]
fn a_pack_that_is_new_in_a_refused_change_is_taken_once_it_is_mended() {
    let files = files();
    let config = |packs: &str| files.write("iota.yaml", format!("version: 1\nrules: [{packs}]\n").as_bytes());
    let (rules, new) = (files.path("rules"), files.path("new"));
    let config_path = config(&rules);
    let mut command = iota();
    command.args(["watch", "--events-dir", &files.path("in"), "--config", &config_path, "--state", &files.path("state")]);
    std::fs::create_dir_all(files.path("in")).unwrap();
    let watching = Watching::spawn(&files, command, &[]);
    watching.until("watching", |watching| watching.log().contains("watching"));
    files.write("new/n.py", b"def rule(event)\n");
    config(&format!("{rules}, {new}"));
    watching.told(&["A change of the rules was not taken"]);
    files.write("new/n.py", b"def rule(event):\n    return False\n");
    watching.until("taken", |watching| watching.log().contains("the rules were read again; 2 run now"));
    watching.end();
}

/// Killed in its first round: what is watched is accounted for by then.
#[test]
fn the_accounting_is_there_from_the_start() {
    let files = files();
    files.write("in/a.jsonl", record(1).as_bytes());
    let flags = ["--stats", &files.path("stats.json")];
    let mut watching = Watching::start(&files, &flags, &[("IOTA_CRASH", "unit.committed:1")]);
    assert_eq!(watching.child.wait().unwrap().signal(), Some(9), "{}", watching.log());
    let stats: Json = serde_json::from_slice(&fs::read(files.path("stats.json")).unwrap()).unwrap();
    assert_eq!(stats["records"]["read"], 0, "{stats:#}");
}

#[test]
fn a_rejected_record_is_named_by_its_place_in_the_file_and_not_in_what_was_added() {
    let files = files();
    files.write("in/a.jsonl", record(1).as_bytes());
    let watching = Watching::start(&files, &[], &[]);
    watching.told(&["E1"]);
    append(&files.path("in/a.jsonl"), &format!("{{broken\n{}", record(2)));
    watching.told(&["E1", "E2"]);
    let place = format!("byte {}) rejected", record(1).len());
    watching.until(&place, |watching| watching.log().contains(&place));
    watching.end();
}

/// They may be millions, and each may take long.
#[test]
fn input_is_read_while_what_was_left_out_is_run() {
    let files = Files::new(&[("rules/r.py", "import os\ndef rule(event):\n    os._exit(1)\n")]);
    files.write("in/a.jsonl", (0..180).map(record).collect::<String>().as_bytes());
    let watching = Watching::start(&files, &["--workers", "1"], &[]);
    watching.until("paused", |watching| watching.titles() == ["Rule rules/r is paused: it has ended 10 workers"]);
    let slow = "import time\ndef rule(event):\n    time.sleep(0.1)\n    return True\ndef title(event):\n    \
                return event['eventName']\ndef dedup(event):\n    return event['eventID']\n";
    files.write("rules/r.py", slow.as_bytes());
    // While the first of three parts is run: it is read before the second.
    watching.until("read again", |watching| watching.log().contains("the rules were read again"));
    files.write("in/b.jsonl", record(500).as_bytes());
    watching.until("all are run", |watching| watching.titles().len() == 172);
    let titles = watching.titles();
    let new = titles.iter().position(|title| title == "E500").unwrap();
    assert!(new < titles.len() - 1, "it waited for all that was left out: {titles:?}");
    watching.end();
}

#[test]
fn what_a_paused_rule_has_missed_is_run_once_it_is_mended() {
    let files = Files::new(&[("rules/r.py", "import os\ndef rule(event):\n    os._exit(1)\n")]);
    files.write("in/a.jsonl", (10..40).map(record).collect::<String>().as_bytes());
    let watching = Watching::start(&files, &[], &[]);
    watching.until("paused", |watching| watching.titles() == ["Rule rules/r is paused: it has ended 10 workers"]);
    // It is not run on what comes now.
    files.write("in/b.jsonl", (40..50).map(record).collect::<String>().as_bytes());
    let mended = "def rule(event):\n    return True\ndef title(event):\n    return event['eventName']\n\
                  def dedup(event):\n    return event['eventID']\n";
    files.write("rules/r.py", mended.as_bytes());
    watching.until("run", |watching| watching.titles().len() >= 31);
    let mut titles = watching.titles();
    titles.retain(|title| title.starts_with('E'));
    titles.sort_unstable();
    // Records 10 to 19 have ended a worker: those are for `iota rerun --errors`.
    assert_eq!(titles, (20..50).map(|n| format!("E{n}")).collect::<Vec<_>>(), "{}", watching.log());
    watching.end();
    let log = fs::read_to_string(files.path("log")).unwrap();
    assert!(log.contains("calls that had been left out were made"), "{log}");
}

/// The rules are read again, and the rule is no better.
#[test]
fn how_much_a_paused_rule_misses_is_told_when_it_was_tried_again() {
    let files = Files::new(&[("rules/r.py", "import os\ndef rule(event):\n    os._exit(1)\n")]);
    files.write("in/a.jsonl", (10..40).map(record).collect::<String>().as_bytes());
    let watching = Watching::start(&files, &[], &[]);
    watching.until("paused", |watching| watching.titles() == ["Rule rules/r is paused: it has ended 10 workers"]);
    files.write("rules/r.py", b"import os\ndef rule(event):\n    os._exit(2)\n");
    let told = "10 calls of rule rules/r were left out";
    watching.until("told", |watching| watching.titles().iter().any(|title| title == told));
    watching.end();
}

/// A worker takes longer to start than most rounds take.
#[test]
fn a_worker_serves_many_rounds() {
    let rule = "import os\ndef rule(event):\n    return True\ndef title(event):\n    return str(os.getpid())\ndef dedup(event):\n    return event['eventID']\n";
    let files = Files::new(&[("rules/r.py", rule)]);
    let watching = Watching::start(&files, &["--workers", "1"], &[]);
    for n in 1..=3 {
        files.write(&format!("in/{n}.jsonl"), record(n).as_bytes());
        watching.until(&format!("{n} alerts"), |watching| watching.titles().len() == n);
    }
    let workers: BTreeSet<String> = watching.titles().into_iter().collect();
    assert_eq!(workers.len(), 1, "{workers:?}");
    watching.end();
}

/// Killed again and again in a backlog, and started until it is through: the same alerts and counts as of one start.
#[test]
fn a_backlog_survives_kills() {
    let rule = "def rule(event):\n    return True\ndef dedup(event):\n    return str(int(event['eventID']) % 97)\n";
    let make = || {
        let files = Files::new(&[("rules/r.py", rule)]);
        for object in 0..300 {
            let records: String = (object * 8..object * 8 + 12).map(record).collect();
            if object % 3 == 0 {
                files.write(&format!("in/{}/{object}.json.gz", object % 7), &gzip(records.as_bytes()));
            } else {
                files.write(&format!("in/{}/{object}.jsonl", object % 7), records.as_bytes());
            }
        }
        files
    };
    let until_drained = |files: &Files| {
        let starts = |text: &str| text.matches("watching ").count();
        let before = fs::read_to_string(files.path("log")).map_or(0, |text| starts(&text));
        let watching = Watching::start(files, &[], &[]);
        // Before that a signal ends it like any process.
        watching.until("started", |watching| starts(&watching.log()) > before);
        let counted = |_: &Watching| alerts(files).values().sum::<u64>() >= 299 * 8 + 12;
        watching.until("drained", counted);
        watching.end();
        alerts(files)
    };
    let (clean, killed) = (make(), make());
    let expected = until_drained(&clean);
    assert!(expected.len() >= 97 && expected.values().sum::<u64>() == 299 * 8 + 12, "{expected:?}");
    for kill in 0..6 {
        let mut watching = Watching::start(&killed, &[], &[]);
        thread::sleep(Duration::from_millis(400 + kill * 150));
        watching.child.kill().unwrap();
        watching.child.wait().unwrap();
    }
    assert_eq!(until_drained(&killed), expected);
    let ids = |files: &Files| -> BTreeSet<String> {
        let text = fs::read_to_string(files.path("out.jsonl")).unwrap();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.filter_map(|line| Some(serde_json::from_str::<Json>(line).ok()?["alert_id"].as_str()?.to_owned())).collect()
    };
    assert_eq!(ids(&killed), ids(&clean), "every alert was told");
}

/// Ids and counts of what is kept.
fn alerts(files: &Files) -> BTreeMap<String, u64> {
    use iota_engine::store::{AlertFilter, Desk};
    let Ok(store) = iota_service::store::Sqlite::open_beside(std::path::Path::new(&files.path("state"))) else {
        return BTreeMap::new();
    };
    let alerts = store.alerts(&AlertFilter::default()).unwrap_or_default();
    alerts.into_iter().map(|alert| (alert.alert_id, alert.count)).collect()
}

#[test]
fn mistakes_are_named() {
    let files = files();
    let base = ["watch", "--events-dir", &files.path("in"), "--rules", &files.path("rules")];
    let said = |flags: &[&str], expected: &str| {
        let ran = run(&[&base[..], flags].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{:?} {}", ran.code, ran.stderr);
    };
    said(&["--state", &files.path("state")], "No such file or directory");
    said(&["--from", "yesterday"], "a time such as 2024-07-15T10:00:00Z was expected");
    said(&["--rescan-interval", "0s"], "a time such as 30s was expected");
    files.write("in/a.jsonl", b"");
    let mut command = iota();
    command.args(base).env("STATE_DIRECTORY", files.path("rules/every.py"));
    let ran: crate::harness::Ran = command.output().unwrap().into();
    assert!(ran.code == Some(2) && ran.stderr.contains("name another one with --state DIR"), "{}", ran.stderr);
}

/// State below what is watched is not read: it would grow by reading itself.
#[test]
fn its_own_state_is_no_input() {
    let files = Files::new(&[("rules/r.py", EVERY)]);
    files.write("in/a.jsonl", RECORD.as_bytes());
    let state = files.path("in/state");
    let counted = files.path("stats.json");
    let watching = Watching::start(&files, &["--state", &state, "--rescan-interval", "100ms", "--stats", &counted], &[]);
    watching.told(&["E1"]);
    // Both by what is told of changes and by a look at all of it.
    files.write("in/b.jsonl", RECORD.replace("E1", "E2").replace("\"1\"", "\"2\"").as_bytes());
    watching.told(&["E1", "E2"]);
    watching.end();
    let counts: Json = serde_json::from_str(&fs::read_to_string(counted).unwrap()).unwrap();
    assert_eq!((&counts["records"]["read"], &counts["records"]["rejected"]), (&2.into(), &0.into()), "{counts:#}");
    let refused =
        run(&["watch", "--events-dir", &files.path("in"), "--rules", &files.path("rules"), "--state", &files.path("in")]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("state is kept in this very directory"), "{}", refused.stderr);
}
