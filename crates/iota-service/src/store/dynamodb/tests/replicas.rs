//! Random records, taken in by several processes at once, whose requests fail, and which end in the middle of a commit.
//!
//! `IOTA_REPLICA_CASES` says how many scenarios; docs/DEVELOPMENT.md has the long form.

use super::commit::{cut_at, fails};
use super::{AS_DOCUMENTED, behind_a_proxy, new_proxy, open, open_at};
use crate::aws::emulator::Answer;
use crate::store::dynamodb::schema::For;
use crate::store::proof::{self, Committing, Scenario};
use crate::store::proof_desk;
use iota_engine::dedup::Seen;
use iota_engine::event::Identity;
use iota_engine::store::{FailedPair, Ledger, ObjectVersion, PairFilter, RuleStateUpdate, Store, Unit};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// One commit of one process.
#[derive(Debug)]
struct Task {
    unit: Unit,
    /// The process ends at that write of it.
    cut: Option<usize>,
}

fn identities(unit: &Unit) -> BTreeSet<Identity> {
    unit.matches.iter().map(|found| found.sighting.identity).collect()
}

/// What comes of these records beside matches.
fn with_the_rest(mut unit: Unit, number: usize) -> Unit {
    for record in identities(&unit) {
        let increment = serde_json::json!({"op": "increment", "kind": "counter", "key": key(record), "by": 1});
        let (pack, rule) = ("p".to_owned(), "r".to_owned());
        unit.rule_state.push(RuleStateUpdate { pack, rule, record, ops: vec![increment] });
        if fails_on(record) {
            unit.failed_pairs.push(FailedPair { failure: None, ..proof_desk::pair("r", record.0[0], b"{}".to_vec()) });
        }
    }
    if !unit.seen.is_empty() {
        unit.finished.push(object(number));
    }
    unit
}

fn key(record: Identity) -> String {
    format!("k{}", record.0[0] % 3)
}

fn fails_on(record: Identity) -> bool {
    record.0[0].is_multiple_of(4)
}

fn object(number: usize) -> ObjectVersion {
    ObjectVersion { object: format!("o{number}"), version: "1".to_owned() }
}

fn tasks(scenario: &Scenario, seed: usize) -> Vec<Task> {
    let committing = scenario.commits().enumerate().flat_map(|(number, Committing { unit, times })| {
        let unit = with_the_rest(unit, number);
        let cut = (times == 0).then(|| random(seed + number) % 14);
        (0..times.max(1)).map(move |_| Task { unit: unit.clone(), cut })
    });
    committing.collect()
}

/// In an order that no program follows.
fn random(number: usize) -> usize {
    number.wrapping_mul(2_654_435_761) >> 7
}

/// One process after another: each that ends in a commit is followed by the next.
fn work(table: &str, tasks: &[Task], next: &AtomicUsize, seed: usize) {
    let (proxy, asked) = (new_proxy(), AtomicUsize::new(seed));
    let mut store = open_at(&proxy.url, table, For::Input).unwrap();
    store.table.tries = 8;
    proxy.set(move |request| {
        let number = random(asked.fetch_add(1, Ordering::SeqCst));
        if number.is_multiple_of(5) { fails(request, number / 5) } else { Answer::Pass }
    });
    while let Some(Task { unit, cut }) = tasks.get(next.fetch_add(1, Ordering::SeqCst)) {
        match cut {
            None => proof::commit_at_last(&store, unit),
            Some(cut) => {
                let (ending, proxy) = behind_a_proxy(table);
                proxy.set(cut_at(*cut));
                // It may have been done before that write.
                drop(ending.commit(unit));
            }
        }
    }
}

fn check(scenario: &Scenario, replicas: usize, seed: usize) {
    let (table, tasks, next) = (AS_DOCUMENTED.make(), tasks(scenario, seed), AtomicUsize::new(0));
    thread::scope(|scope| {
        for replica in 0..replicas {
            let (table, tasks, next) = (&table, &tasks, &next);
            scope.spawn(move || work(table, tasks, next, seed + replica * 1_009));
        }
    });
    let store = open(&table);
    proof::compare(&store, scenario);
    proof::told_once(&store);
    the_rest_is_there_once(&store, &tasks);
}

fn the_rest_is_there_once(store: &dyn Store, tasks: &[Task]) {
    let records: BTreeSet<Identity> = tasks.iter().flat_map(|task| identities(&task.unit)).collect();
    for counter in ["k0", "k1", "k2"] {
        let expected = records.iter().filter(|record| key(**record) == counter).count();
        let counted = store.rule_state("p", "counter", counter).unwrap()["value"].as_u64().unwrap_or(0);
        assert_eq!(counted, expected as u64, "{counter}");
    }
    let failed = store.failed_pairs(&PairFilter::default()).unwrap();
    assert!(failed.windows(2).all(|pair| pair[0].id < pair[1].id), "each has a number of its own");
    let failed: Vec<Identity> = failed.into_iter().map(|pair| pair.record).collect();
    let expected = records.iter().copied().filter(|record| fails_on(*record));
    assert_eq!((failed.len(), BTreeSet::from_iter(failed)), (expected.clone().count(), expected.collect()));
    for Task { unit, .. } in tasks.iter().filter(|task| task.cut.is_none()) {
        assert!(store.seen(&unit.seen).unwrap().iter().all(|seen| *seen == Seen::Duplicate));
        assert!(store.are_finished(&unit.finished).unwrap().into_iter().all(|finished| finished));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the test is, no setting")]
fn whatever_several_processes_do_at_once_alerts_are_those_of_the_set_of_matches() {
    let cases = std::env::var("IOTA_REPLICA_CASES").map_or(2, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new(ProptestConfig { cases, max_shrink_iters: 10, ..ProptestConfig::default() });
    let cases = (proof::scenario(), 2..5_usize, 0..1_000_000_usize);
    let result = runner.run(&cases, |(scenario, replicas, seed)| {
        check(&scenario, replicas, seed);
        Ok(())
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
}
