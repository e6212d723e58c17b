//! Failed pairs: more than fit into one answer, and many of one record.

use super::{AS_DOCUMENTED, client, new, open, tests};
use crate::store::proof_desk;
use iota_engine::store::{Desk, FailedPair, Ledger, PairFilter, Store, Unit};
use std::collections::BTreeSet;
use std::thread;

fn not_run(rule: &str, record: u32, raw: Vec<u8>) -> FailedPair {
    let mut pair = FailedPair { failure: None, ..proof_desk::pair(rule, 0, raw) };
    pair.record.0[..4].copy_from_slice(&record.to_be_bytes());
    pair
}

/// Page by page, as they are evaluated again.
fn pages(store: &dyn Store, rule: &str, page: usize) -> Vec<FailedPair> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let filter = PairFilter { rule: Some(rule.to_owned()), after, limit: Some(page), ..PairFilter::default() };
        let mut found = store.failed_pairs(&filter).unwrap();
        let Some(last) = found.last() else { return all };
        after = last.id;
        all.append(&mut found);
    }
}

#[test]
fn more_pairs_of_one_rule_than_an_answer_holds_are_found_and_settled_once() {
    const PAIRS: u32 = 1_100;
    let table = AS_DOCUMENTED.make();
    // Two processes, half of whose records the other one has as well.
    let work = |records: std::ops::Range<u32>| {
        let table = table.clone();
        thread::spawn(move || {
            let (store, all) = (open(&table), records.collect::<Vec<_>>());
            for some in all.chunks(200) {
                let raw = |record: &u32| not_run("r", *record, format!("{{\"record\":{record}}}").into_bytes());
                let mut failed_pairs: Vec<FailedPair> = some.iter().map(raw).collect();
                failed_pairs.push(not_run("other", some[0], b"{}".to_vec()));
                store.commit(&Unit { failed_pairs, ..Unit::default() }).unwrap();
            }
        })
    };
    for work in [work(0..800), work(300..PAIRS)] {
        work.join().unwrap();
    }
    let store = open(&table);
    let pairs = pages(&store, "r", 500);
    assert!(pairs.windows(2).all(|pair| pair[0].id < pair[1].id), "in their order, each with a number of its own");
    let is_whole = |pair: &FailedPair| {
        let record = u32::from_be_bytes(pair.record.0[..4].try_into().unwrap());
        pair.raw[..] == *format!("{{\"record\":{record}}}").as_bytes()
    };
    assert!(pairs.iter().all(is_whole));
    let records: BTreeSet<_> = pairs.iter().map(|pair| pair.record).collect();
    assert_eq!((pairs.len(), records.len()), (PAIRS as usize, PAIRS as usize));
    let counted = store.left_out().unwrap().into_iter().find(|left| left.rule == "r");
    assert_eq!(counted.map(|left| left.calls), Some(u64::from(PAIRS)));
    // Two of them settle the same pairs, and each counts once; those in between stay.
    let ids: Vec<i64> = pairs.iter().step_by(7).map(|pair| pair.id).collect();
    let settle = || {
        let (table, ids) = (table.clone(), ids.clone());
        thread::spawn(move || open(&table).settle_pairs(&ids).unwrap())
    };
    let settled: usize = [settle(), settle()].into_iter().map(|work| work.join().unwrap()).sum();
    assert_eq!(settled, ids.len());
    let left: BTreeSet<i64> = pages(&store, "r", 500).iter().map(|pair| pair.id).collect();
    assert_eq!(left, pairs.iter().map(|pair| pair.id).filter(|id| !ids.contains(id)).collect());
}

/// However many rules do not run on it.
#[test]
fn the_bytes_of_a_record_are_kept_once() {
    let store = new();
    let (small, large) = (vec![b's'; 2_000], vec![b'l'; 700_000]);
    let pairs =
        |raw: &Vec<u8>, record: u32| (0..30).map(|rule| not_run(&format!("r{rule}"), record, raw.clone())).collect::<Vec<_>>();
    for _ in 0..2 {
        store.commit(&Unit { failed_pairs: [pairs(&small, 1), pairs(&large, 2)].concat(), ..Unit::default() }).unwrap();
    }
    let scanned = tests().block_on(async { client().scan().table_name(&store.table.name).send().await.unwrap() });
    let bodies = scanned.items().iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("body#")));
    assert_eq!(bodies.count(), 1 + 3, "one of the small record, three parts of the large one");
    let kept = store.failed_pairs(&PairFilter::default()).unwrap();
    assert_eq!(kept.len(), 60);
    assert!(kept.iter().all(|pair| pair.raw[..] == if pair.record.0[3] == 1 { &small } else { &large }[..]));
    // Nor are they held for each pair.
    let held: BTreeSet<_> = kept.iter().map(|pair| pair.raw.as_ptr()).collect();
    assert_eq!(held.len(), 2);
}
