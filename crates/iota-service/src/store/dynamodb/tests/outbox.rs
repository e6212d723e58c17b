//! Deliveries, where the index is behind and answers are lost.

use super::{AS_DOCUMENTED, HOUR, behind_a_proxy, entry, new, open};
use crate::aws::emulator::{Answer, Asked};
use crate::store::dynamodb::query::INDEX;
use crate::store::proof;
use iota_engine::aggregate::{Cut, Window};
use iota_engine::store::{AuditEntry, DeliveryAction, Desk, Handling, Ledger, Outbox, Settled, Status, StatusChange};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The index of the real DynamoDB is a little behind.
#[test]
fn what_was_just_done_is_known_before_the_index_shows_it() {
    let table = AS_DOCUMENTED.make();
    let (store, proxy) = behind_a_proxy(&table);
    let is_index = |asked: &Asked| asked.operation == "Query" && String::from_utf8_lossy(&asked.body).contains(INDEX);
    let nothing = move |asked: &Asked| {
        let json = vec![("content-type", "application/x-amz-json-1.0".to_owned())];
        let body = r#"{"Items":[],"Count":0,"ScannedCount":0}"#.to_owned();
        if is_index(asked) { Answer::Instead(200, json, body) } else { Answer::Pass }
    };
    proxy.set(nothing);
    let unit = proof::unit(vec![proof::found(0, 1, 0, HOUR)]);
    store.commit(&unit).unwrap();
    assert_eq!(store.next_due("out").unwrap(), Some(unit.now_ms));
    assert_eq!(store.backlog().unwrap()[0].pending, 1);
    let leased = store.lease("out", unit.now_ms, unit.now_ms + 1_000, 5).unwrap();
    assert_eq!((leased.len(), store.lease("out", unit.now_ms, unit.now_ms + 1_000, 5).unwrap().len()), (1, 0));
    assert_eq!(store.next_due("out").unwrap(), Some(unit.now_ms + 1_000));
    assert!(store.settle(&leased[0], &Settled::Delivered, unit.now_ms).unwrap());
    assert_eq!(store.next_due("out").unwrap(), None);
}

/// A loop that waits for something to deliver asks often; DynamoDB is asked once a second.
#[test]
fn an_index_that_has_nothing_is_left_alone_for_a_moment() {
    let table = AS_DOCUMENTED.make();
    let (store, proxy) = behind_a_proxy(&table);
    proxy.set(|_| Answer::Pass);
    for _ in 0..50 {
        assert_eq!(store.lease("out", 10, 20, 5).unwrap().len(), 0);
    }
    assert!(proxy.count() < 30, "{}", proxy.count());
    let unit = proof::unit(vec![proof::found(0, 1, 0, HOUR)]);
    open(&table).commit(&unit).unwrap();
    let started = Instant::now();
    while store.lease("out", unit.now_ms, unit.now_ms + 1_000, 5).unwrap().is_empty() {
        assert!(started.elapsed().as_secs() < 20, "what another process adds is found");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_settlement_whose_answer_was_lost_is_made_once() {
    let table = AS_DOCUMENTED.make();
    let (mut store, proxy) = behind_a_proxy(&table);
    store.table.tries = 3;
    let unit = proof::unit(vec![proof::found(0, 1, 0, HOUR)]);
    store.commit(&unit).unwrap();
    let leased = store.lease("out", unit.now_ms, unit.now_ms + 1_000, 5).unwrap();
    let first = AtomicUsize::new(0);
    proxy.set(move |asked| {
        let lost = asked.operation == "UpdateItem" && first.fetch_add(1, Ordering::SeqCst) == 0;
        if lost { Answer::CutAfter } else { Answer::Pass }
    });
    let retry = Settled::Retry { due_ms: unit.now_ms + 5, why: "x".to_owned(), counts: true };
    assert!(store.settle(&leased[0], &retry, unit.now_ms).unwrap());
    assert_eq!(store.lease("out", unit.now_ms + 5, unit.now_ms + 9, 5).unwrap()[0].attempts, 1);
}

/// An alert stands again when another one takes over the one that took it over.
#[test]
fn what_is_told_of_an_alert_that_stands_again_waits_for_what_was_told_meanwhile() {
    let store = new();
    let three = Window { threshold: 3, ..HOUR };
    let cut = Cut::new(proof::key(0).digest(), three);
    let edge = (0..60).find(|minute| cut.cell(minute * 60_000) != cut.cell((minute - 1) * 60_000)).unwrap();
    let now_ms = proof::unit(Vec::new()).now_ms;
    let commit = |matches: &[(u8, i64)]| {
        let matches = matches.iter().map(|&(number, minute)| proof::found(0, number, edge + minute, three)).collect();
        store.commit(&proof::unit(matches)).unwrap().created.remove(0).alert_id
    };
    let lease = |after: i64| store.lease("out", now_ms + after, now_ms + after + 60_000, 9).unwrap();
    let first = commit(&[(1, 1), (2, 2), (3, 3)]);
    assert!(store.settle(&lease(0)[0], &Settled::Delivered, now_ms).unwrap());
    let second = commit(&[(4, -30)]);
    let retry = Settled::Retry { due_ms: now_ms + 5_000, why: "503".to_owned(), counts: true };
    assert!(store.settle(&lease(0)[0], &retry, now_ms).unwrap());
    commit(&[(5, -70), (6, -71)]);
    let status = Some(StatusChange { from: Status::Open, to: Status::Resolved });
    let outputs = BTreeSet::from(["out".to_owned()]);
    let resolve = Handling { status, outputs, action: DeliveryAction::Resolve };
    assert!(store.handle(&first, &resolve, &AuditEntry { at_ms: now_ms + 1, ..entry(&first) }).unwrap());
    let mut told = Vec::new();
    for after in [10, 11, 12, 5_000, 5_001, 5_002, 5_003, 5_004] {
        let leased = lease(after);
        assert!(leased.iter().filter(|delivery| delivery.known_as == first).count() <= 1, "one after another: {leased:?}");
        for delivery in leased {
            assert!(store.settle(&delivery, &Settled::Delivered, now_ms + after).unwrap());
            told.push((delivery.known_as, delivery.id.alert_id, delivery.action));
        }
    }
    told.retain(|(known_as, ..)| *known_as == first);
    let told: Vec<_> = told.into_iter().map(|(_, alert_id, action)| (alert_id, action)).collect();
    assert_eq!(told.first(), Some(&(second, DeliveryAction::Update)), "{told:?}");
    assert_eq!(told.last(), Some(&(first, DeliveryAction::Resolve)), "{told:?}");
}
