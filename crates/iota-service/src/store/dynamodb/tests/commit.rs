//! Commits that are cut, fail or meet others.

use super::{AS_DOCUMENTED, HOUR, behind_a_proxy, is_write, open, scenarios, standing};
use crate::aws::emulator::{Answer, Asked};
use crate::store::{Sqlite, proof};
use iota_engine::aggregate::Window;
use iota_engine::event::Identity;
use iota_engine::store::{Ledger, Match, RuleStateUpdate, StoreError, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The process ends at a write: that one and those after it are not made, or it is, and its answer does not come.
pub(super) fn cut_at(cut: usize) -> impl Fn(&Asked) -> Answer {
    let writes = AtomicUsize::new(0);
    move |asked| match is_write(asked).then(|| writes.fetch_add(1, Ordering::SeqCst)) {
        Some(write) if write == cut && cut % 2 == 1 => Answer::CutAfter,
        Some(write) if write >= cut => Answer::Cut,
        _ => Answer::Pass,
    }
}

/// The process ends after every write of a commit, or before its answer comes. The next one takes the same records in other
/// units.
#[test]
fn a_commit_that_is_cut_anywhere_is_repaired_by_the_next() {
    let scenario = scenarios().find(|scenario| proof::all_at_once(scenario).matches.len() > 8).unwrap();
    let mut whole = proof::all_at_once(&scenario);
    let increment = serde_json::json!({"op": "increment", "kind": "counter", "key": "k", "by": 1});
    let update = |(identity, _): &(Identity, _)| RuleStateUpdate {
        pack: "p".to_owned(),
        rule: "r".to_owned(),
        record: *identity,
        ops: vec![increment.clone()],
    };
    whole.rule_state = whole.seen.iter().map(update).collect();
    let parts = || {
        whole.seen.chunks(3).zip(whole.rule_state.chunks(3)).map(|(seen, rule_state)| {
            let is_of = |found: &&Match| seen.iter().any(|(identity, _)| *identity == found.sighting.identity);
            let matches = whole.matches.iter().filter(is_of).cloned().collect();
            Unit { seen: seen.to_vec(), matches, rule_state: rule_state.to_vec(), ..proof::unit(Vec::new()) }
        })
    };
    for cut in 0.. {
        let table = AS_DOCUMENTED.make();
        let (store, proxy) = behind_a_proxy(&table);
        proxy.set(cut_at(cut));
        let is_whole = store.commit(&whole).is_ok();
        let after = open(&table);
        for part in parts() {
            let committed = after.commit(&part).unwrap();
            assert!(!is_whole || committed.repeated == part.matches.len() as u64, "cut at {cut}");
        }
        proof::compare(&after, &scenario);
        proof::told_once(&after);
        let counter = after.rule_state("p", "counter", "k").unwrap();
        assert_eq!(counter["value"], whole.rule_state.len(), "cut at {cut}");
        if is_whole {
            assert!(cut > 3, "there were writes to cut");
            return;
        }
    }
}

/// What moto does not do by itself: throttles, loses races, breaks down, answers too late.
pub(super) fn fails(asked: &Asked, number: usize) -> Answer {
    let canceled = |codes: [&str; 2]| {
        let reasons = codes.map(|code| serde_json::json!({"Code": code, "Message": code}));
        let body = serde_json::json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "Transaction cancelled",
            "CancellationReasons": reasons,
        });
        Answer::Instead(400, vec![("content-type", "application/x-amz-json-1.0".to_owned())], body.to_string())
    };
    let transaction = asked.operation == "TransactWriteItems";
    match number % 11 {
        1 if transaction => canceled(["None", "ConditionalCheckFailed"]),
        2 if transaction => canceled(["TransactionConflict", "None"]),
        3 if transaction => canceled(["ProvisionedThroughputExceeded", "None"]),
        1 if asked.operation == "PutItem" || asked.operation == "UpdateItem" => {
            Answer::json(400, "ConditionalCheckFailedException")
        }
        4 => Answer::json(400, "ProvisionedThroughputExceededException"),
        5 => Answer::json(400, "ThrottlingException"),
        6 => Answer::json(500, "InternalServerError"),
        7 => Answer::Cut,
        8 => Answer::CutAfter,
        _ => Answer::Pass,
    }
}

#[test]
fn whatever_fails_on_the_way_nothing_is_lost_or_counted_twice() {
    for (seed, scenario) in scenarios().filter(|scenario| proof::all_at_once(scenario).matches.len() > 20).take(2).enumerate() {
        let (mut store, proxy) = behind_a_proxy(&AS_DOCUMENTED.make());
        store.table.tries = 3;
        let (count, hits) = (AtomicUsize::new(seed), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&hits);
        proxy.set(move |asked| {
            // In an order that no program follows.
            let number = count.fetch_add(1, Ordering::SeqCst).wrapping_mul(2_654_435_761) >> 7;
            let answer = fails(asked, number);
            counted.fetch_add(usize::from(!matches!(answer, Answer::Pass)), Ordering::SeqCst);
            answer
        });
        let unavailable = |error: &StoreError| matches!(error, StoreError::Unavailable { .. });
        let matches = proof::all_at_once(&scenario);
        // Some of it while everything fails all the time.
        for _ in 0..3 {
            assert!(store.commit(&matches).as_ref().err().is_none_or(unavailable));
        }
        store.table.tries = 8;
        while let Err(error) = store.commit(&matches) {
            assert!(unavailable(&error), "{error}");
        }
        proxy.set(|_| Answer::Pass);
        proof::check_stored(&store, &scenario);
        assert!(hits.load(Ordering::SeqCst) > 20, "it did fail");
    }
}

/// Two processes with the same records in another order, as two replicas have that were told of one object twice.
#[test]
fn two_processes_count_and_tell_as_one() {
    let three = Window { threshold: 3, ..HOUR };
    let mut matches: Vec<Match> = (0..150).map(|n| proof::found(0, n, i64::from(n) / 5, HOUR)).collect();
    matches.extend((0..40).map(|n| proof::found(1, 150 + n, i64::from(n) * 9, three)));
    // Each side of an edge may be with another process.
    matches.extend((0..24).map(|n| proof::found(2, 190 + n, i64::from(n) * 21, three)));
    let table = AS_DOCUMENTED.make();
    let work = |seed: usize| {
        let (table, matches) = (table.clone(), matches.clone());
        thread::spawn(move || {
            let store = open(&table);
            let mut order: Vec<usize> = (0..matches.len()).collect();
            order.sort_by_key(|at| (at * 7919 + seed * 104_729) % 211);
            let mut created = Vec::new();
            for some in order.chunks(30) {
                let unit = proof::unit(some.iter().map(|at| matches[*at].clone()).collect());
                let committed = loop {
                    match store.commit(&unit) {
                        Ok(committed) => break committed,
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                };
                created.extend(committed.created.into_iter().map(|alert| alert.alert_id));
            }
            created
        })
    };
    let mut created: Vec<String> = [work(1), work(2)].into_iter().flat_map(|work| work.join().unwrap()).collect();
    let all = created.len();
    created.sort();
    created.dedup();
    assert_eq!(created.len(), all, "no alert is created by both");
    let together = open(&table);
    let alone = Sqlite::memory().unwrap();
    alone.commit(&proof::unit(matches)).unwrap();
    assert_eq!(standing(&together), standing(&alone));
    proof::told_once(&together);
}
