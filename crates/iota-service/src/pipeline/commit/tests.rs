use super::*;
use crate::store::Sqlite;
use iota_engine::alert::Severity;
use iota_engine::dedup::Seen;
use iota_engine::event::{EventTime, Fingerprint, Identity};
use iota_engine::rule::{Loaded, Pack, Pair, Snapshot};
use iota_engine::store::{Ledger, ObjectVersion, Result};
use iota_engine::system::RULE_ERROR;
use iota_engine::triage::{Routes, Triage};
use std::sync::atomic::{AtomicU32, Ordering};

/// Has no room for so many commits.
#[derive(Debug)]
struct Fills {
    store: Sqlite,
    refuses: AtomicU32,
}

impl Ledger for Fills {
    fn seen(&self, records: &[(Identity, Fingerprint)]) -> Result<Vec<Seen>> {
        self.store.seen(records)
    }

    fn is_finished(&self, object: &ObjectVersion) -> Result<bool> {
        self.store.is_finished(object)
    }

    fn commit(&self, unit: &Unit) -> Result<Committed> {
        let left = self.refuses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_or_else(|_| self.store.commit(unit), |_| Err(StoreError::Full { what: "test".to_owned() }))
    }

    fn rule_state(&self, pack: &str, kind: &str, key: &str) -> Result<serde_json::Value> {
        self.store.rule_state(pack, kind, key)
    }

    fn retain(&self, now_ms: i64) -> Result<()> {
        self.store.retain(now_ms)
    }
}

fn durable(refuses: u32) -> Durable {
    let ledger = Fills { store: Sqlite::memory().unwrap(), refuses: refuses.into() };
    Durable::new(Arc::new(ledger), Arc::default(), None)
}

fn job(number: u8) -> Job {
    let time = EventTime { ms: 0, substituted: false };
    let (identity, fingerprint) = (Identity([number; 16]), Fingerprint([0; 4]));
    let mut job = Job::default();
    job.batch.push(b"{}", &[], BatchRecord { identity, fingerprint, time, variant: false, unit: 0, number: 1 });
    job.records.evaluated(false);
    job.inputs.read = 1;
    job.finished.push(ObjectVersion { object: format!("o{number}"), version: "v".to_owned() });
    job
}

fn told() -> SystemAlert {
    SystemAlert {
        rule: RULE_ERROR,
        dedup: "p/r".to_owned(),
        title: "Rule p/r fails".to_owned(),
        severity: Severity::Medium,
        description: String::new(),
        runbook: "",
        context: serde_json::Value::Null,
    }
}

#[tokio::test]
async fn alerts_about_iota_are_delivered_at_once() {
    let routes = Routes::new(vec!["o".to_owned()], None);
    let durable = Durable { triage: Arc::new(Triage { routes, ..Triage::default() }), ..durable(0) };
    let mut stats = Stats::new();
    let notified = durable.delivered.notified();
    raise_counted(&[told()], &durable, Clock::Fixed(0), &Stop::default(), &mut stats).unwrap();
    assert_eq!(stats.deliveries.added, 1);
    tokio::time::timeout(Duration::from_secs(10), notified).await.expect("whoever delivers is told of it");
}

fn take(committer: &mut Committer<'_>, job: &Job, stats: &mut Stats) {
    stats.records.add(&job.records);
    stats.inputs.add(&job.inputs);
    committer.begin(job);
    committer.end(job, stats);
}

#[test]
fn what_does_not_fit_now_is_committed_once_there_is_room() {
    let (durable, stop, mut stats) = (durable(3), Stop::default(), Stats::new());
    let mut committer = Committer::new(&durable, Arc::new(Groupings::of(&[])), Clock::Fixed(0), &stop);
    take(&mut committer, &job(1), &mut stats);
    committer.commit(&mut stats).unwrap();
    assert_eq!(durable.ledger.seen(&[(Identity([1; 16]), Fingerprint([0; 4]))]).unwrap(), [Seen::Duplicate]);
}

#[test]
fn a_run_that_is_to_stop_does_not_wait_for_room() {
    let (durable, stop, mut stats) = (durable(u32::MAX), Stop::default(), Stats::new());
    let mut committer = Committer::new(&durable, Arc::new(Groupings::of(&[])), Clock::Fixed(0), &stop);
    take(&mut committer, &job(1), &mut stats);
    stop.request();
    assert!(matches!(committer.commit(&mut stats), Err(StoreError::Full { .. })));
}

#[test]
fn what_was_not_run_because_the_run_is_to_stop_is_left_for_the_next() {
    let (durable, stop, mut stats) = (durable(0), Stop::default(), Stats::new());
    let mut committer = Committer::new(&durable, Arc::new(Groupings::of(&[])), Clock::Fixed(0), &stop);
    take(&mut committer, &job(1), &mut stats);
    committer.not_run();
    take(&mut committer, &job(2), &mut stats);
    stop.request();
    committer.not_run();
    take(&mut committer, &job(3), &mut stats);
    take(&mut committer, &job(4), &mut stats);
    committer.commit(&mut stats).unwrap();
    let finished = |n: u8| durable.ledger.is_finished(&job(n).finished[0]).unwrap();
    assert_eq!([1, 2, 3, 4].map(finished), [true, true, false, false]);
    assert_eq!((stats.records.evaluated, stats.records.abandoned, stats.inputs.interrupted), (2, 2, 2));
    stats.inputs.total = 4;
    assert_eq!(stats.imbalance(), None);
}

/// One pack was through with the batch before another one was interrupted.
#[test]
fn nothing_is_kept_of_a_batch_that_is_left_for_the_next_run() {
    let (durable, stop, mut stats) = (durable(0), Stop::default(), Stats::new());
    let mut committer = Committer::new(&durable, Arc::new(Groupings::of(&[])), Clock::Fixed(0), &stop);
    let update = |record: u8| {
        let ops = vec![serde_json::json!({"op": "increment", "kind": "counter", "key": "k", "by": 1})];
        RuleStateUpdate { pack: "p".to_owned(), rule: "r".to_owned(), record: Identity([record; 16]), ops }
    };
    for number in [1, 2] {
        let job = job(number);
        stats.records.add(&job.records);
        stats.inputs.add(&job.inputs);
        committer.begin(&job);
        committer.unit.rule_state.push(update(number));
        if number == 2 {
            stop.request();
            committer.not_run();
        }
        committer.end(&job, &mut stats);
    }
    committer.commit(&mut stats).unwrap();
    assert_eq!(durable.ledger.rule_state("p", "counter", "k").unwrap()["value"], 1);
}

#[test]
fn the_ledger_knows_failures_that_were_told_and_none_of_a_batch_that_is_left() {
    let (durable, stop, mut stats) = (durable(0), Stop::default(), Stats::new());
    let mut committer = Committer::new(&durable, Arc::new(Groupings::of(&[])), Clock::Fixed(0), &stop);
    let alert = told();
    let failure = |number: u8| alert.to_counted_match(0, Vec::new(), &[number]).unwrap();
    for number in [1, 2] {
        let job = job(number);
        stats.records.add(&job.records);
        stats.inputs.add(&job.inputs);
        committer.begin(&job);
        committer.tell_of_failure(failure(number), &job.batch.records()[0], &mut stats);
        if number == 2 {
            stop.request();
            committer.not_run();
        }
        committer.end(&job, &mut stats);
    }
    committer.commit(&mut stats).unwrap();
    let told = [1, 2].map(|number| (failure(number).sighting.identity, Fingerprint([0; 4])));
    assert_eq!(durable.ledger.seen(&told).unwrap(), [Seen::Duplicate, Seen::First]);
    assert_eq!(stats.matches.total, 1);
}

/// However many rules of however many packs were not run on it.
#[test]
fn the_bytes_of_a_record_are_held_and_counted_once() {
    let (durable, stop, mut stats) = (durable(0), Stop::default(), Stats::new());
    let mut committer = Committer::new(&durable, Arc::new(Groupings::of(&[])), Clock::Fixed(0), &stop);
    let (job, inputs) = (job(1), [Input::file("o".into(), 0, None)]);
    committer.begin(&job);
    for name in ["p", "q"] {
        let files = (0..3).map(|n| (format!("r{n}.py"), b"def rule(event):\n    return True\n".to_vec()));
        let pack = Pack::read(name, Snapshot::new(files.collect()), "0");
        let loaded = Loaded { python: String::new(), rules: Vec::new(), warnings: Vec::new(), prepared: None };
        let pack = LoadedPack { directory: name.into(), pack, loaded, runnable: vec![0, 1, 2] };
        let not_run = (0..3).map(|rule| Pair { record: 0, rule }).collect();
        let mut outcome = Outcome { not_run, ..Outcome::default() };
        committer.keep(&job, &pack, inputs[..].into(), (&mut outcome, &|_| false), &mut stats).unwrap();
    }
    let pairs = &committer.unit.failed_pairs;
    assert_eq!((pairs.len(), &pairs[0].raw[..]), (6, &b"{}"[..]));
    assert!(pairs.iter().all(|pair| Arc::ptr_eq(&pair.raw, &pairs[0].raw)));
    assert_eq!(committer.bytes, pairs[0].raw.len() + 6 * size_of::<FailedPair>());
}
