//! The loop against a clock that jumps: an hour of waiting takes milliseconds.

use super::*;
use crate::output::{Message, Purpose, Sent};
use crate::store::Sqlite;
use async_trait::async_trait;
use iota_engine::aggregate::{GroupKey, Sighting, Window};
use iota_engine::alert::Severity;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::store::{Actor, AlertFilter, AuditEntry, Class, DeadFilter, Desk, Headline, Ledger, Match, Outbox, Route, Unit};
use iota_engine::system::{CANARY, CANARY_ABSENT, OUTPUT_FAILING, STORM};
use std::sync::Mutex;
use tokio::time::Instant;

/// 2026-01-01, in milliseconds.
const START: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The runtime's clock, which jumps to the next timer when nothing is to be done.
#[derive(Debug, Clone, Copy)]
struct Jumping(Instant);

impl Clock for Jumping {
    fn now_ms(&self) -> i64 {
        START + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

type Behaviour = dyn Fn(&Message, i64) -> Sent + Send + Sync;

/// Notes what it is sent, and answers as told.
struct Fake {
    clock: Jumping,
    behaviour: Box<Behaviour>,
    /// Title, time after the start, purpose and answer.
    sent: Mutex<Vec<(String, i64, Purpose, Sent)>>,
    takes_ms: u64,
    at_once: usize,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

#[async_trait]
impl Output for Fake {
    fn concurrency(&self) -> usize {
        self.at_once
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        sleep(Duration::from_millis(self.takes_ms)).await;
        let at = self.clock.now_ms() - START;
        let answer = |message: &Message| {
            let sent = (self.behaviour)(message, at);
            let title = serde_json::from_slice::<serde_json::Value>(&message.json).unwrap()["title"].as_str().unwrap().to_owned();
            self.sent.lock().unwrap().push((title, at, message.purpose, sent.clone()));
            sent
        };
        messages.iter().map(answer).collect()
    }
}

impl Fake {
    /// Titles of what got through, in order.
    fn delivered(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|sent| sent.3 == Sent::Delivered).map(|sent| sent.0.clone()).collect()
    }

    /// When something of this title got through, after the start.
    fn delivered_at(&self, title: &str) -> Option<i64> {
        self.sent.lock().unwrap().iter().find(|sent| sent.0 == title && sent.3 == Sent::Delivered).map(|sent| sent.1)
    }

    fn attempts(&self) -> usize {
        self.sent.lock().unwrap().len()
    }
}

struct World {
    clock: Jumping,
    store: Arc<Sqlite>,
    outputs: BTreeMap<String, Arc<Fake>>,
    policy: Policy,
    wake: Arc<Notify>,
}

impl World {
    fn new() -> Self {
        Self {
            clock: Jumping(Instant::now()),
            store: Arc::new(Sqlite::memory().unwrap()),
            outputs: BTreeMap::new(),
            policy: Policy::default(),
            wake: Arc::default(),
        }
    }

    fn output(&mut self, name: &str, behaviour: impl Fn(&Message, i64) -> Sent + Send + Sync + 'static) -> Arc<Fake> {
        self.busy_output(name, 1, behaviour)
    }

    /// One that gets several messages at once.
    fn busy_output(
        &mut self,
        name: &str,
        at_once: usize,
        behaviour: impl Fn(&Message, i64) -> Sent + Send + Sync + 'static,
    ) -> Arc<Fake> {
        let (clock, behaviour) = (self.clock, Box::new(behaviour));
        let fake = Arc::new(Fake { clock, behaviour, sent: Mutex::default(), takes_ms: 1, at_once });
        self.outputs.insert(name.to_owned(), Arc::clone(&fake));
        fake
    }

    /// Commits an alert for some outputs.
    fn alert(&self, rule: &str, n: u32, severity: Severity, outputs: &[&str]) {
        let now_ms = self.clock.now_ms();
        let mut identity = [0; 16];
        identity[..4].copy_from_slice(&n.to_be_bytes());
        let title = format!("{rule} {n}");
        let routes = outputs.iter().map(|&output| Route { output: output.to_owned(), updates: false }).collect();
        let found = Match {
            group: GroupKey { pack: "p".into(), rule: rule.into(), dedup: title.as_str().into() },
            class: Class::Alert,
            window: Window { ms: HOUR, threshold: 1 },
            sighting: Sighting {
                identity: Identity(identity),
                ms: now_ms,
                fingerprint: Fingerprint([0; 4]),
                unique: None,
                variant: false,
            },
            routes,
            headline: Headline { title: title.clone(), severity, account_id: None },
            content: format!("\"title\":\"{title}\"").into_bytes().into(),
        };
        self.store.commit(&Unit { now_ms, matches: vec![found], ..Unit::default() }).unwrap();
        self.wake.notify_waiters();
    }

    fn deliverer(&self) -> Deliverer {
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        let outputs = self.outputs.iter().map(|(name, fake)| (name.clone(), Arc::clone(fake) as Arc<dyn Output>)).collect();
        let routes = Routes::new(self.outputs.keys().cloned().collect(), None);
        let (policy, clock, wake) = (self.policy.clone(), Arc::new(self.clock), Arc::clone(&self.wake));
        Deliverer { store, outputs, routes, policy, clock, poll: Duration::from_secs(60), wake }
    }

    /// Delivers for so long, then drains.
    async fn run_for(&self, ms: i64) -> Drained {
        let (mode, receiver) = watch::channel(Mode::Go);
        let task = tokio::spawn(self.deliverer().run(receiver));
        sleep(Duration::from_millis(ms.unsigned_abs())).await;
        mode.send_replace(Mode::Drain { deadline_ms: None });
        task.await.unwrap().unwrap()
    }

    async fn drain(&self) -> Drained {
        let (mode, receiver) = watch::channel(Mode::Drain { deadline_ms: None });
        let drained = self.deliverer().run(receiver).await.unwrap();
        drop(mode);
        drained
    }

    fn alerts_of(&self, rule: &str) -> Vec<iota_engine::store::StoredAlert> {
        self.store.alerts(&AlertFilter { rule: Some(rule.to_owned()), ..AlertFilter::default() }).unwrap()
    }

    fn backlog(&self, output: &str) -> Backlog {
        self.store.backlog().unwrap().into_iter().find(|backlog| backlog.output == output).unwrap_or_default()
    }
}

fn retry() -> Sent {
    Sent::Retry { after: None, why: "connection refused".to_owned() }
}

fn numbered(rule: &str, range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("{rule} {n}")).collect()
}

/// The store is asked once a minute; whatever the loop is at when an alert is added, it is told of it.
#[tokio::test(start_paused = true)]
async fn an_alert_does_not_wait_for_the_next_look() {
    let mut world = World::new();
    let good = world.output("good", |_, _| Sent::Delivered);
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    for n in 0..200 {
        let added = world.clock.now_ms();
        world.alert("r", n, Severity::Critical, &["good"]);
        while good.delivered_at(&format!("r {n}")).is_none() {
            assert!(world.clock.now_ms() - added < 1_000, "alert {n} waits");
            sleep(Duration::from_millis(1)).await;
        }
        // The next one meets the loop somewhere else.
        for _ in 0..n % 20 {
            tokio::task::yield_now().await;
        }
    }
    mode.send_replace(Mode::Drain { deadline_ms: None });
    assert_eq!(task.await.unwrap().unwrap().pending(), 0);
}

/// Everything once. The first has found out that the output works again, the others come oldest first.
#[track_caller]
fn oldest_first_but_one(delivered: &[String], all: &[String]) {
    let (first, rest) = delivered.split_first().unwrap();
    assert_eq!(rest, all.iter().filter(|title| *title != first).cloned().collect::<Vec<_>>());
    assert!(all.contains(first));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_down_for_an_hour_delays_no_other_and_gets_everything_oldest_first() {
    let mut world = World::new();
    let good = world.output("good", |_, _| Sent::Delivered);
    let down = world.output("down", |_, at| if at < HOUR { retry() } else { Sent::Delivered });
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    for n in 0..60 {
        world.alert("r", n, Severity::High, &["good", "down"]);
        sleep(Duration::from_secs(60)).await;
        let delay = good.delivered_at(&format!("r {n}")).unwrap() - i64::from(n) * MINUTE;
        assert!(delay < 100, "alert {n} took {delay} ms to the output that works");
    }
    sleep(Duration::from_secs(180)).await;
    let of_rule: Vec<_> = down.delivered().into_iter().filter(|title| title.starts_with("r ")).collect();
    oldest_first_but_one(&of_rule, &numbered("r", 0..60));
    assert!(down.delivered_at("r 59").unwrap() < HOUR + 2 * MINUTE);
    assert!(down.attempts() < 200, "{} attempts: a dead output is not hammered", down.attempts());
    let alarms = world.alerts_of(OUTPUT_FAILING);
    assert_eq!(alarms.len(), 1);
    assert_eq!(good.delivered().iter().filter(|title| title.starts_with("Nothing gets through to output down")).count(), 1);
    assert!(!down.delivered().contains(&alarms[0].title), "not told to the one that it is about");
    mode.send_replace(Mode::Drain { deadline_ms: None });
    assert_eq!(task.await.unwrap().unwrap().pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_keep_the_backlog_and_alarm_at_once() {
    let mut world = World::new();
    let other = world.output("other", |_, _| Sent::Delivered);
    let week = 7 * 24 * HOUR;
    let closed =
        world.output(
            "closed",
            move |_, at| {
                if at < week { Sent::Closed { why: "403 invalid_token".to_owned() } } else { Sent::Delivered }
            },
        );
    (0..20).for_each(|n| world.alert("r", n, Severity::Low, &["closed"]));
    world.run_for(MINUTE).await;
    assert_eq!(other.delivered(), ["Nothing gets through to output closed: 403 invalid_token"]);
    assert!(other.sent.lock().unwrap()[0].1 < 1_000, "told within a second");
    assert_eq!((world.backlog("closed").pending, world.backlog("closed").dead), (20, 0));
    world.run_for(week).await;
    assert_eq!((world.backlog("closed").pending, world.backlog("closed").dead), (0, 0), "a week is no reason to give up");
    oldest_first_but_one(&closed.delivered(), &numbered("r", 0..20));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_or_keeps_failing_dies_alone() {
    let mut world = World::new();
    let output = world.output("out", |message, _| {
        let json = String::from_utf8_lossy(&message.json).into_owned();
        match () {
            () if json.contains("\"r 3\"") => Sent::Refused { why: "400 invalid_blocks".to_owned() },
            () if json.contains("\"r 4\"") => retry(),
            () => Sent::Delivered,
        }
    });
    (0..6).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    // Others get through all the time, so the one that fails is to blame.
    for n in 0..(10 * 60) {
        sleep(Duration::from_secs(60)).await;
        world.alert("s", n, Severity::Critical, &["out"]);
    }
    sleep(Duration::from_secs(1)).await;
    let dead = world.store.dead(&DeadFilter::default()).unwrap();
    let why: Vec<_> = dead.iter().map(|delivery| (delivery.attempts, delivery.last_error.clone().unwrap())).collect();
    let given_up = "given up after 100 attempts in 6 h; the last one: connection refused";
    assert_eq!(why[0], (1, "400 invalid_blocks".to_owned()));
    assert!(
        why[1].1.starts_with("given up after 100 attempts in ") && why[1].1.ends_with("h; the last one: connection refused"),
        "{why:?} {given_up}"
    );
    assert_eq!(why.len(), 2);
    assert_eq!(output.delivered().len(), 4 + 600);
    mode.send_replace(Mode::Drain { deadline_ms: None });
    assert_eq!(task.await.unwrap().unwrap().pending(), 0);
    // Somebody redrives them; the one is refused again.
    let entry = AuditEntry {
        at_ms: world.clock.now_ms(),
        actor: Actor::User("a".into()),
        action: "dlq.redrive".into(),
        subject: "2".into(),
        why: None,
        before: None,
        after: None,
    };
    let ids: Vec<_> = dead.into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(world.store.redrive(&ids, &entry).unwrap(), 2);
    let drained = world.drain().await;
    assert_eq!((drained.pending(), drained.dead()), (1, 1), "the retry is further off than draining waits for");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_by_the_whole_output() {
    let mut world = World::new();
    let output = world.output("out", |_, at| match at {
        0..1_000 => Sent::Retry { after: Some(Duration::from_secs(90)), why: "429".to_owned() },
        _ => Sent::Delivered,
    });
    (0..3).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    world.run_for(2 * MINUTE).await;
    assert_eq!(output.attempts(), 4, "one was turned away, then all three");
    let first = output.delivered_at("r 1").unwrap();
    assert!((90_000..92_000).contains(&first), "{first}");
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_cut_off_and_summed_up_and_what_is_critical_is_not() {
    let mut world = World::new();
    let output = world.output("out", |_, _| Sent::Delivered);
    let quiet = world.output("quiet", |_, _| Sent::Delivered);
    (0..250).for_each(|n| world.alert("storm", n, Severity::High, &["out"]));
    (0..150).for_each(|n| world.alert("fire", 1_000 + n, Severity::Critical, &["out"]));
    (0..5).for_each(|n| world.alert("other", 2_000 + n, Severity::Low, &["out"]));
    let drained = world.drain().await;
    let count = |prefix: &str| output.delivered().iter().filter(|title| title.starts_with(prefix)).count();
    assert_eq!((count("storm "), count("fire "), count("other ")), (100, 150, 5));
    assert_eq!(count("150 more alerts of rule storm were not sent here"), 1, "{:?}", output.delivered());
    assert_eq!((drained.pending(), world.backlog("out").limited), (0, 150));
    assert!(quiet.delivered().is_empty(), "it was not told of the storm either");
    assert_eq!(world.alerts_of("storm").len(), 250, "what was held back is listed");
    // Draining again tells nothing new, the next hour has a share of its own.
    world.drain().await;
    assert_eq!(world.alerts_of(STORM).len(), 1);
    sleep(Duration::from_secs(3_700)).await;
    (0..3).for_each(|n| world.alert("storm", 3_000 + n, Severity::High, &["out"]));
    world.drain().await;
    assert_eq!(count("storm "), 103);
    assert_eq!(world.alerts_of(STORM).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_summed_up_when_its_hour_is_over_also_after_a_restart() {
    let mut world = World::new();
    world.policy.storm_limit = 2;
    let output = world.output("out", |_, _| Sent::Delivered);
    (0..5).for_each(|n| world.alert("storm", n, Severity::High, &["out"]));
    let (_mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(60)).await;
    // As if it was killed: nothing is drained.
    task.abort();
    assert_eq!(output.delivered().len(), 2);
    sleep(Duration::from_secs(3 * 3600)).await;
    world.run_for(MINUTE).await;
    assert_eq!(output.delivered()[2..], ["3 more alerts of rule storm were not sent here"]);
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_absent_is_told_elsewhere() {
    let mut world = World::new();
    let good = world.output("good", |_, _| Sent::Delivered);
    // It takes alerts and says nothing.
    let mute = world.output("mute", |message, at| {
        if message.purpose == Purpose::Canary && (2 * HOUR..4 * HOUR).contains(&at) { retry() } else { Sent::Delivered }
    });
    world.policy.canary = Some(CanarySchedule { every: Duration::from_secs(3600), outputs: vec!["good".into(), "mute".into()] });
    world.run_for(6 * HOUR + MINUTE).await;
    let canaries = |fake: &Fake| {
        fake.sent.lock().unwrap().iter().filter(|sent| sent.2 == Purpose::Canary && sent.3 == Sent::Delivered).count()
    };
    assert_eq!(canaries(&good), 7, "one in each hour");
    assert_eq!(canaries(&mute), 7, "late ones come, too");
    let absent = "The canary of output mute did not get through".to_owned();
    assert!(good.delivered().contains(&absent) && !mute.delivered().contains(&absent));
    assert!(world.alerts_of(CANARY_ABSENT).iter().all(|alert| alert.dedup == "mute"));
    assert!(world.store.alerts(&AlertFilter::default()).unwrap().iter().all(|alert| alert.rule != CANARY), "not in the way");
}

#[tokio::test(start_paused = true)]
async fn two_loops_on_one_store_deliver_each_once() {
    let mut world = World::new();
    let output = world.output("out", |_, _| Sent::Delivered);
    (0..300).for_each(|n| world.alert("r", n, Severity::Critical, &["out"]));
    let (_mode, receiver) = watch::channel(Mode::Drain { deadline_ms: None });
    let loops = [tokio::spawn(world.deliverer().run(receiver.clone())), tokio::spawn(world.deliverer().run(receiver))];
    for task in loops {
        assert_eq!(task.await.unwrap().unwrap().pending(), 0);
    }
    let mut delivered = output.delivered();
    delivered.sort();
    let mut expected = numbered("r", 0..300);
    expected.sort();
    assert_eq!(delivered, expected);
}

#[tokio::test(start_paused = true)]
async fn who_dies_with_a_delivery_in_hand_loses_it_to_the_next() {
    let mut world = World::new();
    let mut slow =
        Fake { clock: world.clock, behaviour: Box::new(|_, _| Sent::Delivered), sent: Mutex::default(), takes_ms: 0, at_once: 1 };
    slow.takes_ms = 10_000_000;
    world.outputs.insert("out".to_owned(), Arc::new(slow));
    world.alert("r", 0, Severity::High, &["out"]);
    let (_mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(1)).await;
    task.abort();
    let output = world.output("out", |_, _| Sent::Delivered);
    let stale = world.store.lease("out", world.clock.now_ms(), world.clock.now_ms(), 1).unwrap();
    assert!(stale.is_empty(), "it is leased");
    world.store.release().unwrap();
    world.drain().await;
    assert_eq!(output.delivered(), ["r 0"]);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_at_its_deadline_and_keeps_what_is_left() {
    let mut world = World::new();
    let output = world.output("out", |_, _| Sent::Delivered);
    let fake = Fake {
        takes_ms: 1_000,
        at_once: 1,
        behaviour: Box::new(|_, _| Sent::Delivered),
        sent: Mutex::default(),
        clock: world.clock,
    };
    let slow = Arc::new(fake);
    world.outputs.insert("out".to_owned(), Arc::clone(&slow));
    drop(output);
    (0..50).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    let (_mode, receiver) = watch::channel(Mode::Drain { deadline_ms: Some(START + 10_500) });
    let drained = world.deliverer().run(receiver).await.unwrap();
    assert_eq!(drained.pending() + slow.delivered().len() as u64, 50);
    assert_eq!(slow.delivered(), numbered("r", 0..11), "what was under way is waited for");
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_an_output_that_comes_back_within_seconds() {
    for at_once in [1, 4, 16] {
        let mut world = World::new();
        let out = world.busy_output("out", at_once, |_, at| if at < 4_000 { retry() } else { Sent::Delivered });
        (0..40).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
        assert_eq!(world.drain().await.pending(), 0, "{at_once} at once, {} attempts", out.attempts());
        assert!(world.clock.now_ms() - START < 20_000, "{at_once} at once");
    }
}

#[tokio::test(start_paused = true)]
async fn draining_does_not_wait_for_what_somebody_has_to_mend() {
    let mut world = World::new();
    world.busy_output("out", 4, |_, _| Sent::Closed { why: "status 401".to_owned() });
    (0..10).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    assert_eq!(world.drain().await.pending(), 10);
    assert!(world.clock.now_ms() - START < 1_000);
}

#[tokio::test(start_paused = true)]
async fn however_few_attempts_are_allowed_an_outage_makes_no_dead_letters() {
    let mut world = World::new();
    world.policy.max_attempts = 2;
    world.output("out", |_, at| if at < HOUR { retry() } else { Sent::Delivered });
    (0..3).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    let drained = world.run_for(2 * HOUR).await;
    assert_eq!((drained.dead(), drained.pending(), world.backlog("out").delivered), (0, 0, 3));
    // One that keeps failing while others get through is another matter.
    let mut world = World::new();
    world.policy.max_attempts = 2;
    world.output("out", |message, _| if message.json.ends_with(b"r 0\"}") { retry() } else { Sent::Delivered });
    for n in 0..10 {
        world.alert("r", n, Severity::High, &["out"]);
    }
    let drained = world.run_for(HOUR).await;
    assert_eq!((drained.dead(), drained.pending(), world.backlog("out").delivered), (1, 0, 9));
}

/// Somebody who decides what is in an alert must not decide whether others are told of.
#[tokio::test(start_paused = true)]
async fn one_that_never_gets_through_holds_up_no_other() {
    for poison in [Sent::Closed { why: "status 403".to_owned() }, retry()] {
        let mut world = World::new();
        let answer = poison.clone();
        let out = world.output("out", move |message, _| {
            if message.json.ends_with(b"evil 0\"}") || message.json.ends_with(b"evil 1\"}") {
                answer.clone()
            } else {
                Sent::Delivered
            }
        });
        let (mode, receiver) = watch::channel(Mode::Go);
        let task = tokio::spawn(world.deliverer().run(receiver));
        (0..2).for_each(|n| world.alert("evil", n, Severity::High, &["out"]));
        for n in 0..12 {
            sleep(Duration::from_secs(600)).await;
            world.alert("r", 10 + n, Severity::High, &["out"]);
        }
        sleep(Duration::from_secs(600)).await;
        let got: Vec<_> = out.delivered().into_iter().filter(|title| title.starts_with("r ")).collect();
        assert_eq!(got, numbered("r", 10..22), "{poison:?}");
        mode.send_replace(Mode::Drain { deadline_ms: None });
        task.await.unwrap().unwrap();
    }
}

/// An attempt that took longer than the lease would be made again and again, each time by two.
#[tokio::test(start_paused = true)]
async fn an_attempt_is_given_up_before_its_lease_ends() {
    let mut world = World::new();
    let slow = Fake {
        clock: world.clock,
        behaviour: Box::new(|_, _| Sent::Delivered),
        sent: Mutex::default(),
        takes_ms: 10 * 60 * 1000,
        at_once: 2,
    };
    let slow = Arc::new(slow);
    world.outputs.insert("out".to_owned(), Arc::clone(&slow));
    world.alert("r", 0, Severity::High, &["out"]);
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(60 * 60)).await;
    assert_eq!(slow.attempts(), 0, "none came to its end");
    let alert = world.alerts_of("r").remove(0);
    let delivery = world.store.deliveries(&alert.alert_id).unwrap().remove(0);
    assert_eq!(delivery.last_error.as_deref(), Some("the attempt took too long"));
    assert!(i64::from(delivery.attempts) <= HOUR / (4 * MINUTE) && delivery.attempts > 3, "{}", delivery.attempts);
    mode.send_replace(Mode::Drain { deadline_ms: Some(world.clock.now_ms()) });
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_people_ask_for_passes_the_storm_limit() {
    let mut world = World::new();
    world.policy.storm_limit = 2;
    let output = world.output("out", |message, at| {
        if at < MINUTE && message.json.ends_with(b"early 0\"}") {
            Sent::Refused { why: "400".to_owned() }
        } else {
            Sent::Delivered
        }
    });
    world.alert("early", 0, Severity::High, &["out"]);
    world.drain().await;
    (1..4).for_each(|n| world.alert("early", n, Severity::High, &["out"]));
    sleep(Duration::from_millis(MINUTE.unsigned_abs())).await;
    world.drain().await;
    assert_eq!((world.backlog("out").dead, world.backlog("out").limited), (1, 1));
    let dead: Vec<_> = world.store.dead(&DeadFilter::default()).unwrap().into_iter().map(|delivery| delivery.id).collect();
    let entry = AuditEntry {
        at_ms: world.clock.now_ms(),
        actor: Actor::User("a".into()),
        action: "dlq.redrive".into(),
        subject: "out".into(),
        why: None,
        before: None,
        after: None,
    };
    assert_eq!(world.store.redrive(&dead, &entry).unwrap(), 1);
    world.drain().await;
    assert!(output.delivered_at("early 0").is_some(), "{:?}", output.delivered());
}

/// The state is busy for a moment just when an output is found to be down.
#[tokio::test(start_paused = true)]
async fn an_alarm_that_could_not_be_kept_is_raised_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World { store: Arc::new(Sqlite::open(directory.path()).unwrap()), ..World::new() };
    let other = world.output("other", |_, _| Sent::Delivered);
    world.output("closed", |_, _| Sent::Closed { why: "401".to_owned() });
    world.alert("r", 0, Severity::High, &["closed"]);
    let beside = rusqlite::Connection::open(directory.path().join("iota.db")).unwrap();
    let busy = "CREATE TRIGGER busy BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'busy'); END";
    beside.execute_batch(busy).unwrap();
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(10 * 60)).await;
    assert_eq!(other.attempts(), 0);
    beside.execute_batch("DROP TRIGGER busy").unwrap();
    sleep(Duration::from_secs(10 * 60)).await;
    assert_eq!(other.delivered(), ["Nothing gets through to output closed: 401"]);
    mode.send_replace(Mode::Drain { deadline_ms: None });
    task.await.unwrap().unwrap();
}

/// What was held back in the last moments of an hour may be settled in the next one.
#[tokio::test(start_paused = true)]
async fn an_hour_is_summed_up_when_all_of_it_is_settled() {
    let mut world = World::new();
    world.policy.storm_limit = 2;
    let output = world.output("out", |_, _| Sent::Delivered);
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    // Just before the end of the hour, and, by a process whose clock is a little slow, just after it.
    sleep(Duration::from_millis((HOUR - 5_000).unsigned_abs())).await;
    (0..5).for_each(|n| world.alert("storm", n, Severity::High, &["out"]));
    sleep(Duration::from_secs(20)).await;
    world.alert("storm", 5, Severity::High, &["elsewhere"]);
    let late = world.store.lease("elsewhere", world.clock.now_ms(), world.clock.now_ms() + 1_000, 1).unwrap().remove(0);
    let in_the_hour = START + HOUR - 1;
    assert!(world.store.settle(&late, &iota_engine::store::Settled::Limited, in_the_hour).unwrap());
    sleep(Duration::from_secs(10 * 60)).await;
    let elsewhere = world.alerts_of(STORM).into_iter().filter(|alert| alert.title.starts_with("1 more alerts"));
    assert_eq!((elsewhere.count(), world.alerts_of(STORM).len()), (1, 2), "once for each output");
    assert!(output.delivered().contains(&"3 more alerts of rule storm were not sent here".to_owned()));
    mode.send_replace(Mode::Drain { deadline_ms: None });
    task.await.unwrap().unwrap();
}
