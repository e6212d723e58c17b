//! What a cell knows, and what the ledger has to tell it.

use super::{AS_DOCUMENTED, HOUR, behind_a_proxy, is_write, new, open, standing};
use crate::aws::emulator::Answer;
use crate::store::dynamodb::item::{Key, number};
use crate::store::dynamodb::query::Query;
use crate::store::dynamodb::write::Write;
use crate::store::{Sqlite, proof};
use iota_engine::aggregate::{Cut, Window};
use iota_engine::store::{Ledger, Match, Unit};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// One process has read, and is about to write, when another one writes on the other side of a cell's edge.
#[test]
fn matches_on_both_sides_of_an_edge_find_each_other() {
    let three = Window { threshold: 3, ..HOUR };
    let cut = Cut::new(proof::key(0).digest(), three);
    let edge = (0..60).find(|minute| cut.cell(minute * proof::MINUTE) < cut.cell((minute + 1) * proof::MINUTE)).unwrap();
    let at = |n: u8, minute: i64| proof::found(0, n, edge + minute, three);
    for (first, second) in [
        // Neither side is an alert by itself.
        (vec![at(1, -1), at(2, 0)], vec![at(3, 1)]),
        (vec![at(3, 1)], vec![at(1, -1), at(2, 0)]),
        // The later side is one; the earlier match takes it over.
        (vec![at(1, 1), at(2, 2), at(3, 3)], vec![at(4, 0)]),
        (vec![at(4, 0)], vec![at(1, 1), at(2, 2), at(3, 3)]),
    ] {
        let table = AS_DOCUMENTED.make();
        let (store, proxy) = behind_a_proxy(&table);
        let (other, late) = (table.clone(), proof::unit(second.clone()));
        let once = AtomicUsize::new(0);
        proxy.set(move |asked| {
            if is_write(asked) && once.fetch_add(1, Ordering::SeqCst) == 0 {
                let (other, late) = (other.clone(), late.clone());
                thread::spawn(move || open(&other).commit(&late).unwrap()).join().unwrap();
            }
            Answer::Pass
        });
        store.commit(&proof::unit(first.clone())).unwrap();
        let alone = Sqlite::memory().unwrap();
        alone.commit(&proof::unit([first, second].concat())).unwrap();
        let stands = standing(&open(&table));
        assert_eq!((stands.len(), &stands), (1, &standing(&alone)));
        proof::told_once(&store);
    }
}

/// A cell of more matches than it remembers, when the process ends between the cell and the ledger.
#[test]
fn a_full_cell_counts_a_repeated_record_once() {
    let table = AS_DOCUMENTED.make();
    let (store, proxy) = behind_a_proxy(&table);
    let matches: Vec<Match> = (0..250).map(|n| proof::found(0, n, 0, HOUR)).collect();
    let (before, rest) = matches.split_at(130);
    store.commit(&proof::unit(before.to_vec())).unwrap();
    proxy.set(|asked| if asked.operation == "BatchWriteItem" { Answer::Cut } else { Answer::Pass });
    assert!(store.commit(&proof::unit(rest.to_vec())).is_err());
    let after = open(&table);
    for some in matches.chunks(70) {
        after.commit(&proof::unit(some.to_vec())).unwrap();
        // And another evaluation of what it may not remember counts nothing.
        let mut again = some.to_vec();
        for found in &mut again {
            found.sighting.variant = true;
        }
        after.commit(&Unit { seen: Vec::new(), ..proof::unit(again) }).unwrap();
    }
    assert_eq!(proof::alerts(&after).iter().map(|alert| alert.count).collect::<Vec<_>>(), [250]);
}

/// Another process commits a record, and a full cell forgets it again, just before this one reads the cell.
#[test]
fn a_full_cell_is_read_before_the_ledger_is_asked_about_it() {
    let table = AS_DOCUMENTED.make();
    let (store, proxy) = behind_a_proxy(&table);
    let all: Vec<Match> = (0..130).map(|n| proof::found(0, n, 0, HOUR)).collect();
    store.commit(&proof::unit(all)).unwrap();
    let late = proof::unit(vec![proof::found(0, 131, 0, HOUR)]);
    let (reads, same, name) = (AtomicUsize::new(0), late.clone(), table.clone());
    proxy.set(move |asked| {
        // The first read is that of the ledger.
        if asked.operation == "BatchGetItem" && reads.fetch_add(1, Ordering::SeqCst) == 1 {
            let (same, name) = (same.clone(), name.clone());
            let commit = move || {
                let other = open(&name);
                other.commit(&same).unwrap();
                let cell = Cut::new(proof::key(0).digest(), HOUR).cell(0);
                let key = Key::cell(&proof::key(0).digest(), cell);
                let forget = Write::update(key, "SET #revision = #revision + :one REMOVE #recent").with("one", number(1));
                other.wait(other.table.write(&forget.when_there())).unwrap();
            };
            thread::spawn(commit).join().unwrap();
        }
        Answer::Pass
    });
    assert_eq!(store.commit(&late).unwrap().repeated, 1);
    assert_eq!(proof::alerts(&store)[0].count, 131);
}

#[test]
fn an_alert_keeps_what_it_had_when_its_cells_are_forgotten() {
    let store = new();
    proof::cells_are_forgotten(&store, |group| {
        let cells = Query::under(&Key::cell(group, 0).pk, "cell#");
        for item in store.wait(store.table.query(&cells)).unwrap() {
            let gone = Write::delete(Key::of(&item).unwrap());
            store.wait(store.table.write(&gone)).unwrap();
        }
    });
}
