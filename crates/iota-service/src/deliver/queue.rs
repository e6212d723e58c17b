//! One output's deliveries: leased oldest first, sent with bounded concurrency, settled one by one.
//! Each output has a task of its own, so that none waits for another.

use super::breaker::{Before, Breaker, FAILURES};
use super::schedule::{LONGEST_MS, after_failure, asked_ms, backoff_ms};
use super::shared::{Shared, To};
use super::{DRAIN_PATIENCE_MS, LEASE_MS, LONGEST_ATTEMPT, Mode};
use crate::crash_point;
use crate::output::{Message, Output, Purpose, Sent};
use iota_engine::alert::Severity;
use iota_engine::event::format_ms;
use iota_engine::store::{Delivery, Result, Settled, Store};
use iota_engine::system::{CANARY, OUTPUT_FAILING, PACK, SystemAlert};
use iota_engine::text::printable;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

/// The window of the storm limit.
const HOUR_MS: i64 = 60 * 60 * 1000;
/// How often settling is tried while the store does not take it; after that the lease runs out and it is sent again.
const SETTLE_TRIES: u32 = 10;

#[derive(Debug)]
pub(super) struct Queue {
    name: String,
    output: Arc<dyn Output>,
    shared: Arc<Shared>,
    mode: watch::Receiver<Mode>,
    breaker: Breaker,
    /// The other side asked to be left alone until then.
    paused_ms: i64,
    /// When something got through last.
    answered_ms: Option<i64>,
    /// When what waits was made due last.
    hastened_ms: Option<i64>,
    /// It works again, and what waits is to be made due.
    to_hasten: bool,
    /// Rules of which a delivery has failed, and none has got through since, by pack and id.
    failing: BTreeSet<(String, String)>,
    /// Under way now, by pack and rule: they count for the storm limit already.
    under_way: BTreeMap<(String, String), u64>,
    sending: JoinSet<Vec<(Delivery, Sent)>>,
    /// The store failed so often in a row.
    store_failures: u32,
}

impl Queue {
    pub(super) fn new(name: &str, output: Arc<dyn Output>, shared: Arc<Shared>, mode: watch::Receiver<Mode>) -> Self {
        Self {
            name: name.to_owned(),
            output,
            shared,
            mode,
            breaker: Breaker::default(),
            paused_ms: i64::MIN,
            answered_ms: None,
            hastened_ms: None,
            to_hasten: false,
            failing: BTreeSet::new(),
            under_way: BTreeMap::new(),
            sending: JoinSet::new(),
            store_failures: 0,
        }
    }

    /// Goes on until the mode says to drain and nothing more can be done.
    pub(super) async fn run(mut self) {
        while self.step().await {}
    }

    /// Does what can be done now, then waits for something to change. False at the end.
    async fn step(&mut self) -> bool {
        let wake = Arc::clone(&self.shared.wake);
        // From here on: what is added after the store was asked must not wait for the next time that it is.
        let mut added = pin!(wake.notified());
        added.as_mut().enable();
        while let Some(done) = self.sending.try_join_next() {
            self.settle_all(done).await;
        }
        self.alarm().await;
        match self.send_some().await {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => return self.store_failed(&error.to_string(), error.is_retryable()).await,
        }
        let wait_ms = match self.wait_ms().await {
            Ok(Some(wait_ms)) => wait_ms,
            Ok(None) => return false,
            Err(error) => return self.store_failed(&error.to_string(), error.is_retryable()).await,
        };
        self.store_failures = 0;
        tokio::select! {
            () = sleep(Duration::from_millis(wait_ms.unsigned_abs())) => {}
            Some(done) = self.sending.join_next(), if !self.sending.is_empty() => self.settle_all(done).await,
            () = added => {}
            // The one who could change it is gone: nothing can be asked for any more, and draining goes on.
            changed = self.mode.changed() => if changed.is_err() { sleep(Duration::from_secs(1)).await },
        }
        true
    }

    fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// How many deliveries may be leased now.
    fn room(&self) -> usize {
        let now = self.shared.now_ms();
        if now < self.paused_ms || matches!(self.mode(), Mode::Drain { deadline_ms: Some(deadline) } if now >= deadline) {
            return 0;
        }
        match self.breaker.probe_ms() {
            None => self.output.concurrency().max(1).saturating_sub(self.sending.len()) * self.output.batch().max(1),
            Some(probe_ms) => usize::from(now >= probe_ms && self.sending.is_empty()),
        }
    }

    /// Leases what there is room for and sends it. Returns whether there was something.
    async fn send_some(&mut self) -> Result<bool> {
        let room = self.room();
        if room == 0 {
            return Ok(false);
        }
        let leased = if self.breaker.is_open() {
            self.lease_probe().await?
        } else {
            let (name, now) = (self.name.clone(), self.shared.now_ms());
            self.shared.ask(move |store| store.lease(&name, now, now + LEASE_MS, room)).await?
        };
        let any = !leased.is_empty();
        let mut admitted = Vec::new();
        for delivery in leased {
            // When it cannot be counted, it is sent.
            if self.is_stormy(&delivery).await.unwrap_or(false) {
                self.settle(delivery, Settled::Limited).await;
            } else {
                if !delivery.asked {
                    *self.under_way.entry(rule_of(&delivery)).or_default() += 1;
                }
                admitted.push(delivery);
            }
        }
        let mut admitted = admitted.into_iter().peekable();
        while admitted.peek().is_some() {
            let batch: Vec<_> = admitted.by_ref().take(self.output.batch().max(1)).collect();
            let output = Arc::clone(&self.output);
            self.sending.spawn(async move {
                let messages: Vec<Message> = batch.iter().map(message).collect();
                crash_point("send.leased");
                // Whatever takes longer is somebody else's when it comes back, and would be sent for ever.
                let sent = timeout(LONGEST_ATTEMPT, output.send(&messages)).await;
                crash_point("send.sent");
                let why = if sent.is_ok() { "the output did not say what became of it" } else { "the attempt took too long" };
                let mut sent = sent.unwrap_or_default().into_iter();
                let unanswered = || Sent::Retry { after: None, why: why.to_owned() };
                batch.into_iter().map(|delivery| (delivery, sent.next().unwrap_or_else(unanswered))).collect()
            });
        }
        Ok(any)
    }

    /// One delivery to find out with whether the output works. What an output does not take may be the alert, which somebody
    /// else's words are in: so it is of a rule that has not failed, while there is one.
    async fn lease_probe(&mut self) -> Result<Vec<Delivery>> {
        let (name, now, failing) = (self.name.clone(), self.shared.now_ms(), self.failing.clone());
        let lease = move |store: &dyn Store| match store.lease_of_another(&name, now, now + LEASE_MS, &failing)? {
            None if !failing.is_empty() => Ok((store.lease_of_another(&name, now, now + LEASE_MS, &BTreeSet::new())?, true)),
            other => Ok((other, false)),
        };
        let (leased, all_fail) = self.shared.ask(lease).await?;
        if all_fail && leased.is_some() {
            self.failing.clear();
        }
        Ok(leased.into_iter().collect())
    }

    /// A rule that has sent its share of this hour waits for nobody: what comes now is only listed, and counted in a summary.
    /// What is critical, what people ask for, and what is about iota itself is sent.
    async fn is_stormy(&self, delivery: &Delivery) -> Result<bool> {
        if delivery.severity == Severity::Critical || delivery.asked || delivery.pack == PACK {
            return Ok(false);
        }
        let (name, (pack, rule), since) = (self.name.clone(), rule_of(delivery), self.shared.now_ms() - HOUR_MS);
        let under_way = self.under_way.get(&(pack.clone(), rule.clone())).copied().unwrap_or_default();
        let delivered = self.shared.ask(move |store| store.delivered_since(&name, &pack, &rule, since)).await?;
        Ok(delivered + under_way >= self.shared.policy.limit_of(&self.name))
    }

    async fn settle_all(&mut self, done: std::result::Result<Vec<(Delivery, Sent)>, JoinError>) {
        let done = done.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        for (delivery, sent) in done {
            if let Some(count) = self.under_way.get_mut(&rule_of(&delivery)).filter(|_| !delivery.asked) {
                *count = count.saturating_sub(1);
            }
            let settled = self.judge(&delivery, sent);
            self.settle(delivery, settled).await;
        }
        if std::mem::take(&mut self.to_hasten) {
            self.hasten().await;
        }
        self.under_way.retain(|_, count| *count > 0);
    }

    /// What an attempt means for the delivery, and for the output.
    fn judge(&mut self, delivery: &Delivery, sent: Sent) -> Settled {
        let now = self.shared.now_ms();
        let down = self.breaker.is_open();
        match sent {
            Sent::Delivered => {
                self.answers(now);
                self.failing.remove(&rule_of(delivery));
                Settled::Delivered
            }
            Sent::Refused { why } => {
                // It answered, so it is there.
                self.answers(now);
                tracing::error!(
                    "output {}: alert {} is refused and goes to the dead letters: {}",
                    self.name,
                    delivery.id.alert_id,
                    printable(&why)
                );
                Settled::Dead { why }
            }
            Sent::Closed { why } => {
                if !down {
                    tracing::error!("output {}: closed, the backlog waits: {}", self.name, printable(&why));
                }
                self.breaker.refused(&why, now);
                self.put_off(delivery, (why, None), down, now)
            }
            Sent::Retry { after, why } => {
                self.breaker.failed(&why, now);
                self.paused_ms = self.paused_ms.max(now + asked_ms(after));
                if !down && self.breaker.is_open() {
                    tracing::warn!("output {}: nothing gets through, the backlog waits: {}", self.name, printable(&why));
                }
                self.put_off(delivery, (why, after), down, now)
            }
        }
    }

    /// What becomes of a delivery that has failed and may succeed later. `down`: so it was known before.
    fn put_off(&mut self, delivery: &Delivery, (why, after): (String, Option<Duration>), down: bool, now: i64) -> Settled {
        self.failing.insert(rule_of(delivery));
        // There has to be something to find out with whether it works again.
        let probe_ms = self.breaker.probe_ms();
        if down {
            // While nothing gets through, a failure says nothing of this delivery.
            return Settled::Retry { due_ms: probe_ms.unwrap_or(now), why, counts: false };
        }
        let others = self.answered_ms.is_some_and(|answered_ms| answered_ms >= delivery.created_ms);
        let random = fastrand::f64();
        match after_failure(&self.shared.policy, delivery, why.clone(), after, now, random) {
            // It has its own times: of those that got through while it waited none has made a difference to it.
            settled @ Settled::Retry { .. } if others => settled,
            Settled::Retry { due_ms, why, counts } => Settled::Retry { due_ms: probe_ms.unwrap_or(due_ms), why, counts },
            Settled::Dead { why } if others => {
                let alert = &delivery.id.alert_id;
                tracing::error!("output {}: alert {alert} goes to the dead letters: {}", self.name, printable(&why));
                Settled::Dead { why }
            }
            _ => {
                let due_ms = now + backoff_ms(delivery.attempts + 1, random).max(asked_ms(after));
                Settled::Retry { due_ms: probe_ms.unwrap_or(due_ms), why, counts: false }
            }
        }
    }

    /// What failed waits no longer for its own time. It comes oldest first, as many at once as the output takes.
    fn answers(&mut self, now: i64) {
        self.answered_ms = Some(now);
        let before = self.breaker.succeeded();
        if let Before::Down { since_ms } = before {
            tracing::info!("output {}: works again, after {} s", self.name, (now - since_ms) / 1000);
        }
        // One that never gets through is not to come along whenever another one has.
        let lately = self.hastened_ms.is_some_and(|hastened_ms| now - hastened_ms < LONGEST_MS);
        if before != Before::Worked && !lately {
            self.hastened_ms = Some(now);
            self.to_hasten = true;
        }
    }

    async fn hasten(&self) {
        let (name, now) = (self.name.clone(), self.shared.now_ms());
        if let Err(error) = self.shared.ask(move |store| store.hasten(&name, now, FAILURES)).await {
            // They come when they were due before.
            tracing::warn!("output {}: {error}", self.name);
        }
    }

    async fn settle(&mut self, delivery: Delivery, settled: Settled) {
        crash_point("send.judged");
        let delivery = Arc::new(delivery);
        for attempt in 1..=SETTLE_TRIES {
            let (leased, outcome, now) = (Arc::clone(&delivery), settled.clone(), self.shared.now_ms());
            match self.shared.ask(move |store| store.settle(&leased, &outcome, now)).await {
                Ok(true) => {
                    crash_point("send.settled");
                    return;
                }
                Ok(false) => {
                    let alert = &delivery.id.alert_id;
                    tracing::warn!(
                        "output {}: the lease of alert {alert} ran out before it was settled; it may be sent again",
                        self.name
                    );
                    return;
                }
                Err(error) if error.is_retryable() && attempt < SETTLE_TRIES => sleep(Duration::from_secs(1)).await,
                Err(error) => {
                    let alert = &delivery.id.alert_id;
                    tracing::error!(
                        "output {}: what became of alert {alert} is not recorded, it may be sent again: {error}",
                        self.name
                    );
                    return;
                }
            }
        }
    }

    /// Says through other outputs that this one does not work.
    async fn alarm(&mut self) {
        let now = self.shared.now_ms();
        let Some(open) = self.breaker.alarm(now).cloned() else { return };
        let name = &self.name;
        let alert = SystemAlert {
            rule: OUTPUT_FAILING,
            dedup: name.clone(),
            title: format!("Nothing gets through to output {name}: {}", open.why),
            severity: Severity::High,
            description: format!(
                "Alerts for output {name} have waited since {}. They are kept, and sent when it works again.",
                format_ms(open.since_ms)
            ),
            runbook: "Read the reason in the title. Check address and credentials of the output in iota.yaml, then `iota outputs test NAME`. `iota outputs list` shows what waits.",
            context: json!({"output": name, "since": format_ms(open.since_ms), "why": open.why}),
        };
        let title = printable(&alert.title);
        // As of when it began: raised again, because the state did not say that it has it, it is still one alert.
        match self.shared.raise_to(alert, To::AllBut(name), open.since_ms).await {
            Ok(_) => {
                tracing::error!("{title}");
                self.breaker.alarmed();
            }
            Err(error) => {
                tracing::error!("{title}; no alert could be made of this: {error}");
                self.breaker.alarm_failed(now);
            }
        }
    }

    /// How long nothing can be done; `None` when draining has come to its end.
    async fn wait_ms(&mut self) -> Result<Option<i64>> {
        let now = self.shared.now_ms();
        let idle = self.sending.is_empty();
        let held_ms = self.paused_ms.max(self.breaker.probe_ms().unwrap_or(i64::MIN));
        let name = self.name.clone();
        // A task under way ends the waiting by itself.
        let due_ms = if idle { self.shared.ask(move |store| store.next_due(&name)).await? } else { None };
        let next_ms = due_ms.map(|due_ms| due_ms.max(held_ms));
        if let (Mode::Drain { deadline_ms }, true) = (self.mode(), idle) {
            let deadline_ms = deadline_ms.unwrap_or(i64::MAX);
            let patience_ms = deadline_ms.min(now + DRAIN_PATIENCE_MS);
            if now >= deadline_ms || self.breaker.is_permanent() || next_ms.is_none_or(|next_ms| next_ms > patience_ms) {
                return Ok(None);
            }
        }
        // At least a little, or a delivery that another loop has leased would be asked for without pause.
        let poll_ms = self.shared.poll_ms;
        Ok(Some(next_ms.map_or(poll_ms, |next_ms| (next_ms - now).clamp(20, poll_ms))))
    }

    /// The state does not answer. Waits a while; gives up when it is beyond repair and the process is to end.
    async fn store_failed(&mut self, error: &str, retryable: bool) -> bool {
        if self.store_failures == 0 {
            tracing::error!("output {}: {error}", self.name);
        }
        self.store_failures += 1;
        if self.mode() != Mode::Go && (!retryable || self.store_failures > SETTLE_TRIES) {
            return false;
        }
        sleep(Duration::from_secs(u64::from(self.store_failures.min(30)))).await;
        true
    }
}

fn rule_of(delivery: &Delivery) -> (String, String) {
    (delivery.pack.clone(), delivery.rule.clone())
}

fn message(delivery: &Delivery) -> Message {
    let canary = delivery.pack == PACK && delivery.rule == CANARY;
    Message {
        id: delivery.id.clone(),
        known_as: delivery.known_as.clone(),
        purpose: if canary { Purpose::Canary } else { Purpose::Alert },
        action: delivery.action,
        json: delivery.json.clone(),
        attempt: delivery.attempts + 1,
    }
}
