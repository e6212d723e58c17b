//! When to try again what does not work for any input of one kind, such as the objects of one bucket: an outage holds input
//! back, and gives nothing up.

use super::failing::Failing;
use super::known::Known;
use super::notices::Notices;
use iota_engine::alert::Severity;
use iota_engine::event::format_ms;
use iota_engine::system::{SOURCE_FAILING, SystemAlert};
use iota_engine::text::printable;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The first pause; it doubles up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// How long nothing works before somebody is told.
const ALARM: Duration = Duration::from_secs(5 * 60);
/// How often it is logged again.
const SAY: Duration = Duration::from_secs(5 * 60);
/// Failures of a bucket in a row until it is closed: one object may be refused where the others are not.
const TOLERATED: u32 = 3;
/// Times in this long that something begins to fail, and works again in between, until it is no outage any more.
const OFTEN: (usize, Duration) = (5, Duration::from_secs(60 * 60));
/// Buckets that are remembered beside those that are known. Their names come from messages, which anybody may have sent.
const BUCKETS: usize = 1_000;

/// Open while it works; closed after failures in a row, and then one is tried after each pause until one works.
#[derive(Debug)]
pub(super) struct Gate {
    /// As it is called in messages.
    what: String,
    notices: Arc<Notices>,
    tolerated: u32,
    /// Of something that nobody has made up.
    known: AtomicBool,
    state: Mutex<State>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Since it worked last.
    failures: u32,
    pauses: u32,
    /// Of the first failure.
    since: Option<(Instant, i64)>,
    /// Closed: nothing is tried before.
    until: Option<Instant>,
    /// Closed, and one is being tried.
    trying: bool,
    said: Option<Instant>,
    /// When it began to fail, the last times.
    began: Vec<Instant>,
}

impl State {
    /// Open, or one may be tried.
    fn is_ready(&self) -> bool {
        self.until.is_none_or(|until| !self.trying && Instant::now() >= until)
    }
}

/// Leave to try one thing.
#[derive(Debug)]
pub(super) struct Entry<'a>(Option<&'a Gate>);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.0 {
            gate.lock().trying = false;
            gate.changed.notify_waiters();
        }
    }
}

impl Gate {
    /// Closes with the first failure.
    pub(super) fn new(what: String, notices: Arc<Notices>) -> Self {
        Self { what, notices, tolerated: 1, known: AtomicBool::new(true), state: Mutex::default(), changed: Arc::default() }
    }

    /// Nothing has worked since it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().until.is_some()
    }

    /// Until something may be tried.
    pub(super) async fn wait(&self) {
        let until = self.lock().until;
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    /// `None` when it is closed, and not to be tried now.
    pub(super) fn enter(&self) -> Option<Entry<'_>> {
        let mut state = self.lock();
        if state.until.is_none() {
            return Some(Entry(None));
        }
        state.is_ready().then(|| {
            state.trying = true;
            Entry(Some(self))
        })
    }

    /// An entry through the open gate is void once it has closed: whoever waited in between would wait for an outage.
    pub(super) fn still_admits(&self, entry: &Entry<'_>) -> bool {
        entry.0.is_some() || !self.is_closed()
    }

    /// Waits until it may be tried.
    pub(super) async fn entered(&self) -> Entry<'_> {
        loop {
            // Before the look, so that no change falls between the two.
            let changed = self.changed.notified();
            if let Some(entry) = self.enter() {
                return entry;
            }
            let until = self.lock().until.filter(|until| *until > Instant::now());
            tokio::select! {
                () = changed => {}
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            }
        }
    }

    pub(super) fn worked(&self) {
        let mut state = self.lock();
        if let (Some((since, _)), Some(_)) = (state.since, state.until) {
            tracing::info!("{}: works again, after {} s", self.what, since.elapsed().as_secs());
        }
        let (said, began) = (state.said, std::mem::take(&mut state.began));
        *state = State { said, began, ..State::default() };
        drop(state);
        self.changed.notify_waiters();
    }

    /// Something failed that is nobody's own fault, as it seems. `now_ms` is wall clock. True when it has so often worked in
    /// between that some of it may fail for good while the rest works.
    pub(super) async fn failed(&self, failing: &Failing, now_ms: i64) -> bool {
        let (alert, often) = {
            let mut state = self.lock();
            let now = Instant::now();
            if state.since.is_none() {
                state.began.retain(|began| began.elapsed() < OFTEN.1);
                state.began.push(now);
            }
            let (since, since_ms) = *state.since.get_or_insert((now, now_ms));
            state.failures = state.failures.saturating_add(1);
            // What failed during a pause was begun before it.
            if state.failures >= self.tolerated && state.until.is_none_or(|until| now >= until) {
                let pause = FIRST.saturating_mul(1 << state.pauses.min(16)).min(LONGEST);
                state.pauses += 1;
                state.until = Some(now + pause.mul_f64(0.5 + fastrand::f64() / 2.0));
            }
            if state.said.is_none_or(|said| said.elapsed() >= SAY) {
                state.said = Some(now);
                tracing::error!("{}: {}; input waits until it works again", self.what, printable(&failing.why));
            }
            let alert = (since.elapsed() >= ALARM).then(|| self.alert(failing, since_ms));
            (alert, state.began.len() >= OFTEN.0)
        };
        self.changed.notify_waiters();
        if let Some(alert) = alert {
            self.tell(alert).await;
        }
        often
    }

    /// Of what is behind it.
    pub(super) async fn tell(&self, alert: SystemAlert) {
        if self.is_known() {
            self.notices.tell(alert).await;
        } else {
            self.notices.tell_of_a_name(alert).await;
        }
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    fn alert(&self, failing: &Failing, since_ms: i64) -> SystemAlert {
        let Failing { why, missing, meanwhile } = failing;
        let missing_text = missing.iter().map(|remedy| format!(" What is missing: {remedy}.")).collect::<Vec<_>>().concat();
        SystemAlert {
            rule: SOURCE_FAILING,
            dedup: self.what.clone(),
            title: format!("Nothing can be read from {}: {}", self.what, printable(why)),
            severity: Severity::High,
            description: format!(
                "Nothing could be read of it since {}. Its input waits where it is, and is read when it works again; what else is \
                 watched goes on.{meanwhile}{}",
                format_ms(since_ms),
                printable(&missing_text)
            ),
            runbook: "Read the reason in the title. Check credentials, the permissions on queue, bucket and KMS key, and the network; `iota doctor` does that with the same flags. Watch the age of the oldest message against the retention of the queue.",
            context: json!({"source": self.what, "since": format_ms(since_ms), "why": why, "missing": missing}),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gate for each bucket: one that is broken holds up nobody who does not need it.
#[derive(Debug)]
pub(super) struct Gates {
    notices: Arc<Notices>,
    known: Known,
    of: Mutex<HashMap<String, Arc<Gate>>>,
    /// Of any of them.
    changed: Arc<Notify>,
}

impl Gates {
    pub(super) fn new(notices: Arc<Notices>, known: Known) -> Self {
        Self { notices, known, of: Mutex::default(), changed: Arc::default() }
    }

    pub(super) fn of(&self, bucket: &str) -> Arc<Gate> {
        let mut gates = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(bucket) {
            return Arc::clone(gate);
        }
        let names = |gates: &HashMap<String, Arc<Gate>>| gates.values().filter(|gate| !gate.is_known()).count();
        if gates.len() >= BUCKETS && names(&gates) >= BUCKETS {
            gates.retain(|_, gate| gate.is_known() || gate.lock().since.is_some());
            if names(&gates) >= BUCKETS {
                // Those that fail close again.
                gates.retain(|_, gate| gate.is_known());
            }
        }
        let gate = Arc::new(Gate {
            what: format!("s3://{bucket}"),
            notices: Arc::clone(&self.notices),
            tolerated: TOLERATED,
            known: AtomicBool::new(self.known.has(bucket)),
            state: Mutex::default(),
            changed: Arc::clone(&self.changed),
        });
        gates.insert(bucket.to_owned(), Arc::clone(&gate));
        gate
    }

    /// A bucket has given an object: from now on it is no name that somebody may have made up.
    pub(super) async fn has_given(&self, bucket: &str, gate: &Gate) -> Result<(), String> {
        if self.known.has_given(bucket).await? {
            gate.known.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// None of these works.
    pub(super) fn are_closed(&self, buckets: &BTreeSet<String>) -> bool {
        !buckets.is_empty() && buckets.iter().all(|bucket| self.of(bucket).is_closed())
    }

    /// Until one of these works, or may be tried.
    pub(super) async fn wait(&self, buckets: &BTreeSet<String>) {
        loop {
            // Before the look, so that no change falls between the two.
            let changed = self.changed.notified();
            let gates: Vec<_> = buckets.iter().map(|bucket| self.of(bucket)).collect();
            if gates.is_empty() || gates.iter().any(|gate| gate.lock().is_ready()) {
                return;
            }
            let next = gates.iter().filter_map(|gate| gate.lock().until).filter(|until| *until > Instant::now()).min();
            tokio::select! {
                () = changed => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Clock, Durable};
    use crate::store::Sqlite;
    use iota_engine::store::{AlertFilter, Checkpoint, Desk, KEEP_OBJECTS_MS, Ledger, StoredAlert, Unit};
    use std::collections::HashSet;

    fn gates() -> (Arc<Sqlite>, Gates) {
        let store = Arc::new(Sqlite::memory().unwrap());
        let gates = gates_on(&store);
        (store, gates)
    }

    fn gates_on(store: &Arc<Sqlite>) -> Gates {
        let durable = Durable::new(Arc::<Sqlite>::clone(store), Arc::default(), None);
        let known = Known::open(Arc::<Sqlite>::clone(store), HashSet::new()).unwrap();
        Gates::new(Arc::new(Notices::new(Arc::new(durable))), known)
    }

    fn told(store: &Sqlite) -> Vec<StoredAlert> {
        store.alerts(&AlertFilter::default()).unwrap()
    }

    fn denied() -> Failing {
        Failing::of("AccessDenied".to_owned())
    }

    async fn close(gate: &Gate) {
        while !gate.is_closed() {
            gate.failed(&denied(), 0).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_fails_closes_its_own_gate() {
        let (_, gates) = gates();
        let (bad, good) = (gates.of("bad"), gates.of("good"));
        assert!(!bad.failed(&denied(), 0).await && !bad.is_closed(), "one object alone");
        let (entered, other) = (bad.enter().unwrap(), good.enter().unwrap());
        assert!(bad.still_admits(&entered));
        close(&bad).await;
        assert!(!bad.still_admits(&entered) && good.still_admits(&other), "what waits for its turn is not tried any more");
        let both = ["bad", "good"].map(str::to_owned).into();
        assert!(bad.enter().is_none() && good.enter().is_some() && !gates.are_closed(&both));
        // One goes on, so nobody waits.
        tokio::time::timeout(Duration::from_millis(1), gates.wait(&both)).await.unwrap();
        close(&good).await;
        assert!(gates.are_closed(&both));
        let before = Instant::now();
        gates.wait(&both).await;
        assert!(before.elapsed() >= FIRST / 2);
        good.worked();
        assert!(!gates.are_closed(&both) && good.enter().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_tried_at_a_time() {
        let (_, gates) = gates();
        let gate = gates.of("b");
        close(&gate).await;
        gate.wait().await;
        let entry = gate.enter().unwrap();
        assert!(gate.enter().is_none() && gate.still_admits(&entry), "while another one is tried");
        let mut next = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move {
                drop(gate.entered().await);
            }
        });
        assert!(tokio::time::timeout(LONGEST * 2, &mut next).await.is_err());
        drop(entry);
        tokio::time::timeout(Duration::from_millis(1), next).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_bucket_is_told_once_a_day_with_what_is_missing() {
        let (store, gates) = gates();
        let gate = gates.of("b");
        let failing = Failing {
            missing: vec![crate::aws::Remedy::Setting("let it in".to_owned())],
            meanwhile: " It waits.".to_owned(),
            ..denied()
        };
        for _ in 0..3 {
            gate.failed(&failing, 1).await;
        }
        assert!(told(&store).is_empty());
        for _ in 0..2 {
            tokio::time::sleep(ALARM).await;
            gate.failed(&failing, 1).await;
            gate.worked();
            gate.failed(&failing, 1).await;
        }
        let told = told(&store);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].rule.as_str(), told[0].title.as_str()),
            (SOURCE_FAILING, "Nothing can be read from s3://b: AccessDenied")
        );
        let content = String::from_utf8_lossy(&told[0].json);
        assert!(content.contains("It waits. What is missing: let it in."), "{content}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_again_and_again_between_others_that_work_is_noticed() {
        let (_, gates) = gates();
        let gate = gates.of("b");
        for time in 1..=OFTEN.0 {
            assert_eq!(gate.failed(&denied(), 0).await, time == OFTEN.0, "{time}");
            gate.worked();
        }
        tokio::time::sleep(OFTEN.1).await;
        assert!(!gate.failed(&denied(), 0).await, "that was long ago");
    }

    #[tokio::test]
    async fn names_from_messages_do_not_fill_the_memory_nor_drive_out_a_known_bucket() {
        let (_, gates) = gates();
        let mine = gates.of("mine");
        gates.has_given("mine", &mine).await.unwrap();
        mine.failed(&denied(), 0).await;
        for bucket in 0..BUCKETS * 3 {
            gates.of(&bucket.to_string()).failed(&denied(), 0).await;
        }
        assert!(gates.of.lock().unwrap().len() <= BUCKETS + 1);
        assert!(Arc::ptr_eq(&mine, &gates.of("mine")), "it has failed for as long as before");
    }

    #[tokio::test]
    async fn a_bucket_in_use_stays_known() {
        let store = Arc::new(Sqlite::memory().unwrap());
        let now_ms = Clock::System.now_ms();
        let noted_ms = now_ms - KEEP_OBJECTS_MS + 86_400_000;
        let noted = |bucket: &str| Checkpoint { key: format!("bucket:{bucket}"), value: noted_ms.to_string() };
        let checkpoints = vec![noted("used"), noted("left")];
        store.commit(&Unit { now_ms: noted_ms, checkpoints, ..Unit::default() }).unwrap();
        let gates = gates_on(&store);
        gates.has_given("used", &gates.of("used")).await.unwrap();
        let renewed = store.checkpoints("bucket:used").unwrap();
        gates.has_given("used", &gates.of("used")).await.unwrap();
        assert_eq!(store.checkpoints("bucket:used").unwrap(), renewed, "not with every object");
        store.retain(now_ms + 2 * 86_400_000).unwrap();
        let gates = gates_on(&store);
        assert!(gates.of("used").is_known() && !gates.of("left").is_known());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_a_known_bucket_is_told_among_any_number_of_made_up_ones() {
        let (store, gates) = gates();
        gates.has_given("mine", &gates.of("mine")).await.unwrap();
        let names = (0..60).map(|number| format!("made-up-{number}")).chain(["mine".to_owned()]);
        let failing: Vec<_> = names.map(|name| gates.of(&name)).collect();
        for _ in 0..2 {
            for gate in &failing {
                gate.failed(&denied(), 1).await;
            }
            tokio::time::sleep(ALARM).await;
        }
        let told = told(&store);
        assert!(told.iter().any(|alert| alert.title.contains("s3://mine: ")), "{told:?}");
        assert_eq!(told.len(), 51, "of all others together no more than of one kind");
    }
}
