//! The loop against a clock that jumps: an hour of waiting takes milliseconds.

mod canaries;
mod dead;
mod draining;
mod outage;
mod sending;
mod starving;
mod storms;

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

    /// Makes all dead letters due again. Returns how many.
    fn redrive(&self) -> usize {
        let dead = self.store.dead(&DeadFilter::default()).unwrap();
        let entry = AuditEntry {
            at_ms: self.clock.now_ms(),
            actor: Actor::User("a".into()),
            action: "dlq.redrive".into(),
            subject: "all".into(),
            why: None,
            before: None,
            after: None,
        };
        self.store.redrive(&dead.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>(), &entry).unwrap()
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
