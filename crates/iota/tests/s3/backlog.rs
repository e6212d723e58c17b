//! A queue with many objects: worked off by processes that are killed, and by two that share a table.

use crate::aws::{Queue, name};
use crate::harness::{Target, key, moto};
use crate::proxy::{Answer, Requests, recording};
use crate::queue::s3;
use crate::shelf::shelf;
use crate::state::table;
use crate::watching::{Watching, alerts, objects, target, written};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const ACCOUNT: &str = "111122223333";

struct Backlog {
    bucket: String,
    /// Where it is served.
    endpoint: String,
    /// Objects.
    size: usize,
    /// Of many records each, so that what is counted twice or not at all shows in the counts.
    groups: usize,
}

/// In a table each group costs moto a copy of all that is in it.
const SMALL: (usize, usize) = (40, 13);
/// Messages of a queue: for each that is sent moto goes through all that are there, three times. With many queues more messages
/// are in work, and it hears of little else than how long they are to stay hidden.
const QUEUE: usize = 2_000;

impl Backlog {
    fn new((size, groups): (usize, usize)) -> Self {
        let bucket = name("backlog");
        let objects = move |path: &str| {
            let object: usize = path.strip_suffix(".json.gz")?.rsplit('_').next()?.parse().ok()?;
            // The last records of each are the first of the next.
            let ids: Vec<String> = (object * 4..object * 4 + 6).map(|id| id.to_string()).collect();
            Some(objects(&ids.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        Self { bucket, endpoint: shelf(objects), size, groups }
    }

    fn name(object: usize) -> String {
        key(ACCOUNT, "us-east-1", &format!("{object:05}"))
    }

    /// Distinct ones.
    fn records(&self) -> u64 {
        ((self.size - 1) * 4 + 6) as u64
    }

    /// A message for each object.
    fn messages(&self) -> Vec<String> {
        // Some messages name several, and some objects are named twice.
        let body = |object: usize| match object % 5 {
            0 => s3(&self.bucket, &[&Self::name(object), &Self::name((object + 1) % self.size)]),
            _ => s3(&self.bucket, &[&Self::name(object)]),
        };
        (0..self.size).map(|object| body(object).to_string()).collect()
    }

    /// Queues with all messages.
    fn queues(&self) -> Vec<Queue> {
        let queue = |messages: &[String]| {
            let queue = Queue::new(1_000);
            queue.send(messages);
            queue
        };
        self.messages().chunks(QUEUE).map(queue).collect()
    }

    /// Two that share a table, each behind a door that is shut.
    fn pair<'a>(target: &'a Target, table: &str) -> [(Watching<'a>, Door); 2] {
        let mut pair = ["one-", "two-"].map(|name| {
            let (door, endpoint) = Door::shut();
            (Watching::sharing(target, &endpoint, name, table, &["--config", "iota.yaml"]), door)
        });
        for (watching, door) in &mut pair {
            watching.until("started", |_| door.asked("ReceiveMessage") > 0);
        }
        pair
    }

    /// The messages come one by one: however fast one of two is, it does not get them all.
    fn trickle(queue: &Queue, message: String) {
        queue.send(&[message]);
        thread::sleep(Duration::from_millis(25));
    }

    /// A directory with rules and a configuration. Messages are hidden for so long.
    fn target(&self, queues: &[Queue], visibility: &str, outputs: &Json) -> Target {
        let mut target = target();
        target.1 = Some(self.endpoint.clone());
        let dedup = format!("str(int(event['eventID']) % {})", self.groups);
        let rule = format!("def rule(event):\n    return True\ndef dedup(event):\n    return {dedup}\n");
        fs::write(target.path("rules/every.py"), rule).unwrap();
        let queue = |queue: &Queue| json!({"url": queue.url, "visibility_timeout": visibility});
        let queues: Vec<_> = queues.iter().map(queue).collect();
        let sources = json!({"queues": queues, "buckets": [{"bucket": self.bucket}]});
        let config = json!({"version": 1, "sources": sources, "outputs": outputs});
        fs::write(target.path("iota.yaml"), config.to_string()).unwrap();
        target
    }

    /// A process that works on it, and for which is waited as long as it takes on a busy machine.
    fn watch<'a>(&self, target: &'a Target) -> Watching<'a> {
        let mut watching = Watching::start(target, &["--config", "iota.yaml"]);
        watching.patience += Duration::from_millis(200 * self.size as u64);
        watching
    }

    /// Works until nothing is left, and gives the alerts with their counts.
    fn drain(&self, target: &Target, queues: &[Queue]) -> Vec<(String, u64)> {
        let starts = |text: &str| text.matches("watching http").count();
        let before = fs::read_to_string(target.path("log")).map_or(0, |text| starts(&text));
        let mut watching = self.watch(target);
        // Before it has started a signal ends it like any process.
        watching.until("all records", |watching| starts(&watching.log()) > before && counted(target) >= self.records());
        // To count messages moto goes through all of them, and does nothing else meanwhile.
        watching.until("empty queues", |_| queues.iter().all(Queue::is_empty));
        watching.end();
        alerts(target)
    }

    /// How long messages are hidden: as long as work on them may take where there are many.
    fn visibility(&self) -> &'static str {
        if self.size < 1_000 { "3s" } else { "1m" }
    }

    /// Alerts with their counts as one process finds them that nobody disturbs, and the ids that it told of.
    fn undisturbed(&self) -> (Vec<(String, u64)>, BTreeSet<String>) {
        let queues = self.queues();
        let target = self.target(&queues, self.visibility(), &json!({}));
        let found = self.drain(&target, &queues);
        assert_eq!(found.iter().map(|(_, count)| count).sum::<u64>(), self.records());
        (found, told(&target.path("out.jsonl")).into_keys().collect())
    }
}

/// What stands between a process and the queue: messages are received while it is open.
struct Door {
    open: Arc<AtomicBool>,
    requests: Requests,
}

impl Door {
    fn shut() -> (Self, String) {
        let open = Arc::new(AtomicBool::new(false));
        let held = Arc::clone(&open);
        let (endpoint, requests) = recording(move |asked, _| {
            while asked == "ReceiveMessage" && !held.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(10));
            }
            Answer::Pass
        });
        (Self { open, requests }, endpoint)
    }

    fn set(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// How often something was asked for.
    fn asked(&self, operation: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| request.contains(&format!("AmazonSQS.{operation}\r"))).count()
    }
}

/// Records that the state has alerts of.
fn counted(target: &Target) -> u64 {
    alerts(target).iter().map(|(_, count)| count).sum()
}

/// Ids of alerts in a file, with how often each stands there.
fn told(path: &Path) -> BTreeMap<String, u64> {
    let mut told = BTreeMap::new();
    for alert in written(path) {
        *told.entry(alert["alert_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    told
}

/// What a table keeps of records, as `alerts` gives it.
fn in_table(target: &Target, table: &str) -> Vec<(String, u64)> {
    let listed = target.run(moto(), &["alerts", "list", "--limit", "100000", "--format", "jsonl", "--state", table]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let alerts = listed.stdout.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let of = |alert: Json| (alert["alert_id"].as_str().unwrap().to_owned(), alert["count"].as_u64().unwrap());
    let mut found: Vec<_> = alerts.filter(|alert| alert["pack"] != "iota").map(of).collect();
    found.sort();
    found
}

/// Killed again and again, and started until it is through: the same alerts and counts as of one start.
/// `IOTA_QUEUE_OBJECTS` says how many objects there are; the long form is 5,000.
#[test]
fn a_backlog_survives_kills() {
    #[expect(clippy::disallowed_methods, reason = "no setting of iota")]
    let size: usize = std::env::var("IOTA_QUEUE_OBJECTS").map_or(400, |size| size.parse().unwrap());
    let backlog = Backlog::new((size, 97));
    let (expected, expected_told) = backlog.undisturbed();
    let queues = backlog.queues();
    let target = backlog.target(&queues, backlog.visibility(), &json!({}));
    for kill in 0..4 {
        let mut watching = backlog.watch(&target);
        // Somewhere in the middle of the work.
        let before = counted(&target);
        watching.until("some of it", |_| {
            let now = counted(&target);
            now > before + backlog.records() / 10 || now == backlog.records()
        });
        thread::sleep(Duration::from_millis(kill * 7));
        watching.kill();
    }
    assert_eq!(backlog.drain(&target, &queues), expected);
    assert_eq!(queues.iter().map(Queue::dead).sum::<u64>(), 0);
    assert_eq!(told(&target.path("out.jsonl")).into_keys().collect::<BTreeSet<_>>(), expected_told, "every alert was told");
}

/// Two that share a queue, a table and the file that alerts go to.
#[test]
fn two_processes_on_one_queue_find_and_tell_what_one_does() {
    let backlog = Backlog::new(SMALL);
    let (expected, expected_told) = backlog.undisturbed();
    let queue = Queue::new(1_000);
    let state = table("iota-pair");
    let target = backlog.target(std::slice::from_ref(&queue), "1m", &json!({"file": {"type": "file", "path": "told.jsonl"}}));
    let mut pair = Backlog::pair(&target, &state);
    let mut messages = backlog.messages().into_iter();
    // Each alone until it has worked: of two messages in a row one has an object that the other process has not read.
    for (watching, door) in &mut pair {
        door.set(true);
        while door.asked("DeleteMessageBatch") < 2 {
            queue.send(&[messages.next().expect("messages for both")]);
            watching.until("a message less", |_| queue.is_empty());
        }
        door.set(false);
    }
    let [(one, first), (two, second)] = pair;
    first.set(true);
    second.set(true);
    for message in messages {
        Backlog::trickle(&queue, message);
    }
    let mut pair = [one, two];
    pair[0].until("an empty queue", |_| queue.is_empty());
    let told_all = |_: &Watching<'_>| told(&target.path("told.jsonl")).into_keys().collect::<BTreeSet<_>>() == expected_told;
    pair[0].until("every alert in the file", told_all);
    for stats in &pair.map(Watching::end) {
        assert!(stats["records"]["evaluated"].as_u64().unwrap() > 0, "both worked: {stats:#}");
    }
    assert_eq!(in_table(&target, &state), expected);
    let told = told(&target.path("told.jsonl"));
    assert!(told.values().all(|&times| times == 1), "nothing was told twice: {told:?}");
    assert_eq!((told.into_keys().collect::<BTreeSet<_>>(), queue.dead()), (expected_told, 0));
}

/// One of the two is killed in the middle: the other works off what it had in hand, and tells what it was going to tell.
#[test]
fn of_two_processes_one_is_killed_and_the_other_goes_on() {
    let backlog = Backlog::new(SMALL);
    let (expected, expected_told) = backlog.undisturbed();
    let queue = Queue::new(1_000);
    let state = table("iota-survivor");
    let target = backlog.target(std::slice::from_ref(&queue), "3s", &json!({}));
    let [(mut killed, first), (mut survivor, second)] = Backlog::pair(&target, &state);
    let mut messages = backlog.messages();
    let (last, middle) = (messages.split_off(backlog.size - 10), messages.split_off(5));
    first.set(true);
    queue.send(&messages);
    killed.until("some of it", |_| !told(&target.path("one-out.jsonl")).is_empty());
    second.set(true);
    for message in middle {
        Backlog::trickle(&queue, message);
    }
    killed.kill();
    for message in last {
        Backlog::trickle(&queue, message);
    }
    survivor.until("an empty queue", |_| queue.is_empty());
    let both = || {
        let mut all = told(&target.path("one-out.jsonl"));
        for (id, times) in told(&target.path("two-out.jsonl")) {
            *all.entry(id).or_default() += times;
        }
        all
    };
    // What the other had leased is told once the lease has run out.
    survivor.until("every alert", |_| both().len() >= expected_told.len());
    survivor.end();
    assert_eq!(in_table(&target, &state), expected);
    // Twice only what it may not have come to note as told.
    let before = told(&target.path("one-out.jsonl"));
    let all = both();
    for (id, times) in &all {
        assert!(*times == 1 || (*times == 2 && before.contains_key(id)), "{id}: told {times} times");
    }
    assert_eq!((all.into_keys().collect::<BTreeSet<_>>(), queue.dead()), (expected_told, 0));
}
