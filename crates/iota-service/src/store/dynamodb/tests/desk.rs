//! What people do, and the audit log.

use super::{AS_DOCUMENTED, HOUR, behind_a_proxy, client, entry, is_write, open, tests};
use crate::aws::emulator::Answer;
use crate::store::dynamodb::item::{Item, TTL};
use crate::store::{proof, proof_desk};
use iota_engine::store::{Class, DeliveryAction, Desk, Handling, Ledger, Outbox, verify_audit_log};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[test]
fn the_audit_log_has_one_end_whoever_writes() {
    let table = AS_DOCUMENTED.make();
    let write = |who: &'static str| {
        let (mut store, proxy) = behind_a_proxy(&table);
        store.table.tries = 5;
        let count = AtomicUsize::new(0);
        proxy.set(move |asked| {
            let lost = asked.operation == "PutItem" && count.fetch_add(1, Ordering::SeqCst) % 4 == 1;
            if lost { Answer::CutAfter } else { Answer::Pass }
        });
        thread::spawn(move || {
            for n in 0..12 {
                while let Err(error) = store.record(&entry(&format!("{who}{n}"))) {
                    assert!(error.is_retryable(), "{error}");
                }
            }
        })
    };
    for work in [write("a"), write("b")] {
        work.join().unwrap();
    }
    let log = open(&table).audit_log(None).unwrap();
    verify_audit_log(&log).unwrap();
    let mut subjects: Vec<_> = log.iter().map(|record| record.entry.subject.clone()).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!((subjects.len(), log.len()), (24, 24), "each once");
}

/// A signal goes by its age, unless somebody sends it on.
#[test]
fn an_alert_that_is_sent_by_hand_stays_until_it_is_delivered() {
    let table = AS_DOCUMENTED.make();
    let store = open(&table);
    let mut signal = proof::found(0, 1, 0, HOUR);
    (signal.class, signal.content) = (Class::Signal, format!("\"title\":\"{}\"", "x".repeat(40_000)).into_bytes().into());
    signal.routes.clear();
    store.commit(&proof::unit(vec![signal])).unwrap();
    let id = proof::alerts(&store)[0].alert_id.clone();
    let with_ttl = || {
        let scanned = tests().block_on(async { client().scan().table_name(&table).send().await.unwrap() });
        let of_alert = |item: &&Item| item["sk"].as_s().is_ok_and(|sk| ["alert", "content", "000000"].contains(&sk.as_str()));
        scanned.items().iter().filter(of_alert).filter(|item| item.contains_key(TTL)).count()
    };
    assert_eq!(with_ttl(), 3);
    let to_pager = Handling { status: None, outputs: BTreeSet::from(["pager".to_owned()]), action: DeliveryAction::Create };
    assert!(store.handle(&id, &to_pager, &entry("resend")).unwrap());
    assert_eq!(with_ttl(), 0);
    assert!(store.lease("pager", 10, 20, 1).unwrap()[0].json.len() > 40_000);
}

/// One process has read the log, and is about to write, when another one that starts with it does the same.
#[test]
fn processes_that_start_together_record_a_change_once() {
    let table = AS_DOCUMENTED.make();
    let (store, proxy) = behind_a_proxy(&table);
    for names in 1..=3 {
        let (table, once) = (table.clone(), AtomicUsize::new(0));
        proxy.set(move |asked| {
            if is_write(asked) && once.fetch_add(1, Ordering::SeqCst) == 0 {
                let table = table.clone();
                thread::spawn(move || proof_desk::record_accounts(&open(&table), names)).join().unwrap();
            }
            Answer::Pass
        });
        proof_desk::record_accounts(&store, names);
    }
    proof_desk::recorded_once(&store, 3);
}
