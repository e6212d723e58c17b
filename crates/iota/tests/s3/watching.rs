//! `iota watch`, under way.

use crate::harness::{Target, gzip, moto};
use iota_engine::store::{AlertFilter, Desk, StoredAlert};
use iota_service::store::Sqlite;
use serde_json::Value as Json;
use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// An alert for every record, titled with its id.
const EVERY: &str = "def rule(event):\n    return True\n\ndef title(event):\n    return event['eventID']\n\ndef dedup(event):\n    return event['eventID']\n";

pub(crate) struct Watching<'a> {
    pub(crate) child: Child,
    target: &'a Target,
    /// Its files begin with this.
    name: &'static str,
    /// How long something is waited for.
    pub(crate) patience: Duration,
}

/// A directory with the rule.
pub(crate) fn target() -> Target {
    let target = Target::new();
    fs::create_dir_all(target.path("rules")).unwrap();
    fs::write(target.path("rules/every.py"), EVERY).unwrap();
    target
}

/// A log file with records of these ids.
pub(crate) fn objects(ids: &[&str]) -> Vec<u8> {
    let record =
        |id: &&str| format!(r#"{{"eventVersion":"1.09","eventID":"{id}","eventName":"X","eventTime":"2024-07-15T09:50:00Z"}}"#);
    gzip(format!(r#"{{"Records":[{}]}}"#, ids.iter().map(record).collect::<Vec<_>>().join(",")).as_bytes())
}

impl<'a> Watching<'a> {
    pub(crate) fn start(target: &'a Target, flags: &[&str]) -> Self {
        Self::from(target, moto(), flags)
    }

    pub(crate) fn from(target: &'a Target, endpoint: &str, flags: &[&str]) -> Self {
        Self::spawn(target, "", watch(target, endpoint, "state").args(flags))
    }

    /// One of several in a directory: what it writes begins with its name, and its state is in a table.
    pub(crate) fn sharing(target: &'a Target, endpoint: &str, name: &'static str, table: &str, flags: &[&str]) -> Self {
        Self::spawn(target, name, watch(target, endpoint, table).args(flags))
    }

    /// Ends by `kill -9` when it comes to a step for the nth time, and waits for that.
    pub(crate) fn killed_at(target: &'a Target, flags: &[&str], step: &str) {
        let mut watching = Self::spawn(target, "", watch(target, moto(), "state").args(flags).env("IOTA_CRASH", step));
        let started = Instant::now();
        while watching.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "{step}: goes on: {}", watching.log());
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(watching.child.wait().unwrap().signal(), Some(9), "{step}: {}", watching.log());
    }

    pub(crate) fn with_input(target: &'a Target, flags: &[&str]) -> Self {
        Self::spawn(target, "", watch(target, moto(), "state").args(flags).stdin(Stdio::piped()))
    }

    fn spawn(target: &'a Target, name: &'static str, command: &mut Command) -> Self {
        let append =
            |file: &str| OpenOptions::new().create(true).append(true).open(target.path(&format!("{name}{file}"))).unwrap();
        command.args(["--stats", &format!("{name}stats.json")]).stdout(append("out.jsonl")).stderr(append("log"));
        Self { child: command.spawn().unwrap(), target, name, patience: PATIENCE }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.target.path(&format!("{}{file}", self.name))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Titles of what was told about records, and about iota itself.
    pub(crate) fn told(&self) -> (Vec<String>, Vec<String>) {
        titles_in(&self.path("out.jsonl"))
    }

    pub(crate) fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(started.elapsed() < self.patience && ended.is_none(), "{what}: {ended:?} {:?}\n{}", self.told(), self.log());
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Until so many records were told of.
    pub(crate) fn until_told(&mut self, count: usize) {
        self.until(&format!("{count} alerts"), |watching| watching.told().0.len() >= count);
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Gives the accounting, which adds up.
    pub(crate) fn end(mut self) -> Json {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        self.ended()
    }

    /// The same for one that ends by itself.
    pub(crate) fn ended(&mut self) -> Json {
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "does not end: {}", self.log());
            thread::sleep(Duration::from_millis(30));
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.log());
        let stats: Json = serde_json::from_slice(&fs::read(self.path("stats.json")).unwrap()).unwrap();
        add_up(&stats);
        stats
    }
}

fn watch(target: &Target, endpoint: &str, state: &str) -> Command {
    target.command(endpoint, &["watch", "--rules", "rules", "--state", state])
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sums that must always hold, at the end.
fn add_up(stats: &Json) {
    for (whole, parts) in [
        ("/sources/messages/received", &["deleted", "returned", "left", "undeleted"][..]),
        ("/sources/objects/named", &["read", "already_finished", "skipped", "returned", "left"]),
        ("/inputs/total", &["read", "unreadable", "interrupted", "already_finished"]),
        ("/records/read", &["no_candidate", "evaluated", "duplicates", "rejected", "skipped", "abandoned"]),
    ] {
        let group = whole.rsplit_once('/').unwrap().0;
        let sum: u64 = parts.iter().map(|part| count(stats, &format!("{group}/{part}"))).sum();
        assert_eq!(count(stats, whole), sum, "{whole}: {stats:#}");
    }
}

pub(crate) fn count(stats: &Json, pointer: &str) -> u64 {
    stats.pointer(pointer).map_or(0, |found| found.as_u64().unwrap_or_else(|| panic!("{pointer} in {stats:#}")))
}

/// Titles of what was told about records, and about iota itself, sorted.
pub(crate) fn titles(target: &Target) -> (Vec<String>, Vec<String>) {
    titles_in(&target.path("out.jsonl"))
}

fn titles_in(path: &Path) -> (Vec<String>, Vec<String>) {
    let (mut own, mut records) = (Vec::new(), Vec::new());
    for alert in written(path) {
        let title = alert["title"].as_str().unwrap().to_owned();
        if alert["pack"] == "iota" { own.push(title) } else { records.push(title) }
    }
    own.sort();
    records.sort();
    (records, own)
}

/// The alerts in a file, of which a process may be writing the last.
pub(crate) fn written(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the state keeps of records, by id and count.
pub(crate) fn alerts(target: &Target) -> Vec<(String, u64)> {
    let Ok(store) = Sqlite::open_beside(&target.path("state")) else { return Vec::new() };
    let found = store.alerts(&AlertFilter::default()).unwrap_or_default();
    let mut found: Vec<_> = found.into_iter().filter(|StoredAlert { pack, .. }| pack != "iota").collect();
    found.sort_by(|one, other| one.alert_id.cmp(&other.alert_id));
    found.into_iter().map(|alert| (alert.alert_id, alert.count)).collect()
}
