use super::{Sqlite, lock};
use crate::store::{proof, proof_desk};
use iota_engine::aggregate::{Cut, Window};
use iota_engine::store::{Desk, FailedPair, Ledger, Match, Outbox, PairFilter, Store, StoreError, Unit};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

const HOUR: Window = Window { ms: 60 * proof::MINUTE, threshold: 1 };

fn one(number: u8) -> Unit {
    proof::unit(vec![proof::found(0, number, 0, HOUR)])
}

fn text(result: iota_engine::store::Result<Sqlite>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "opened".to_owned())
}

proptest! {
    #[test]
    fn alerts_are_those_of_the_set_of_matches(scenario in proof::scenario()) {
        proof::check(&Sqlite::memory().unwrap(), &scenario);
    }
}

#[test]
fn cases_of_the_contract() {
    proof::worked_cases(|| Box::new(Sqlite::memory().unwrap()) as Box<dyn Store>);
}

#[test]
fn deliveries_people_and_what_failed() {
    proof_desk::all(|| Box::new(Sqlite::memory().unwrap()) as Box<dyn Store>);
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("deep/state");
    Sqlite::open(&state).unwrap().commit(&one(1)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join("iota.db")), mode(&state.join("iota.lock"))), (0o700, 0o600, 0o600));
    let store = Sqlite::open(&state).unwrap();
    assert_eq!(store.commit(&one(1)).unwrap().repeated, 1);
    assert_eq!(proof::alerts(&store).len(), 1);
}

#[test]
fn a_second_process_is_refused_and_people_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap();
    let refused = text(Sqlite::open(directory.path()));
    assert!(refused.ends_with(&format!("is in use by another process (pid {})", std::process::id())), "{refused}");
    store.commit(&one(1)).unwrap();
    assert_eq!(proof::alerts(&Sqlite::open_beside(directory.path()).unwrap()).len(), 1);
    drop(store);
    assert_eq!(text(Sqlite::open(directory.path())), "opened");
}

#[test]
fn what_is_not_understood_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("iota.db");
    Sqlite::open(directory.path()).unwrap().commit(&one(1)).unwrap();
    let good = fs::read(&path).unwrap();
    let mut newer = good.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    let mut other = good.clone();
    other[68..72].copy_from_slice(b"abcd");
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[4096..middle].fill(0x5a);
    let cases: [(&[u8], &str); 5] = [
        (&newer, "it is of version 99, this iota knows versions up to 2; it was left as it is: use the newer iota"),
        (&other, "this is the database of another program; it was left as it is"),
        (b"notes of somebody else", "this is no SQLite database; it was left as it is"),
        (&damaged, "the database is damaged"),
        (&good[..5000], "the database is damaged"),
    ];
    for (bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        let said = text(Sqlite::open(directory.path()));
        assert!(said.contains(expected), "{said}");
        assert!(fs::read(&path).unwrap() == bytes, "nothing was overwritten: {expected}");
    }
    assert!(text(Sqlite::open_beside(&directory.path().join("nowhere"))).contains("there is no state"));
}

#[test]
fn an_older_database_is_copied_and_migrated() {
    let directory = tempfile::tempdir().unwrap();
    Sqlite::open(directory.path()).unwrap().commit(&one(1)).unwrap();
    let migrations = [include_str!("0001.sql"), include_str!("0002.sql"), "ALTER TABLE seen ADD COLUMN note TEXT"];
    let store = Sqlite::open_with(directory.path(), &migrations).unwrap();
    store.read(|connection| Ok(connection.execute("UPDATE seen SET note = 'x'", [])?)).unwrap();
    drop(store);
    let copy = directory.path().join("iota.db.version-2");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = tempfile::tempdir().unwrap();
    fs::copy(copy, restored.path().join("iota.db")).unwrap();
    assert_eq!(proof::alerts(&Sqlite::open(restored.path()).unwrap()).len(), 1);
    assert!(text(Sqlite::open(directory.path())).contains("it is of version 3"));
    let broken = [migrations[0], migrations[1], migrations[2], "CREATE TABLE x (y); CREATE TABLE x (y)"];
    assert!(text(Sqlite::open_with(directory.path(), &broken)).contains("already exists"));
    assert_eq!(text(Sqlite::open_with(directory.path(), &migrations)), "opened", "a migration that fails changes nothing");
}

/// However many rules do not run on it.
#[test]
fn the_bytes_of_a_record_are_kept_once_and_as_long_as_one_of_its_pairs() {
    let directory = tempfile::tempdir().unwrap();
    let old = Sqlite::open_with(directory.path(), &[include_str!("0001.sql")]).unwrap();
    let fill = "INSERT INTO failed_pairs (pack, rule, function, record, object, number, raw, at_ms)
        VALUES ('p', 'old', 'rule', zeroblob(16), 'o', 1, CAST('{}' AS BLOB), 1)";
    lock(&old.write).execute_batch(fill).unwrap();
    drop(old);
    let store = Sqlite::open(directory.path()).unwrap();
    let old = store.failed_pairs(&PairFilter::default()).unwrap().remove(0);
    assert_eq!(&old.raw[..], b"{}");
    let pair = |rule: usize| FailedPair { rule: format!("r{rule}"), raw: [b'x'; 2_000][..].into(), ..old.clone() };
    for _ in 0..2 {
        store.commit(&Unit { failed_pairs: (0..50).map(pair).collect(), ..Unit::default() }).unwrap();
    }
    let kept =
        || store.read(|all| Ok(all.query_row("SELECT count(*) FROM failed_records", [], |row| row.get::<_, i64>(0))?)).unwrap();
    let pairs = store.failed_pairs(&PairFilter::default()).unwrap();
    assert_eq!((pairs.len(), kept()), (51, 2));
    assert!(pairs[1..].iter().all(|pair| pair.raw[..] == [b'x'; 2_000] && Arc::ptr_eq(&pair.raw, &pairs[1].raw)));
    let ids: Vec<i64> = pairs.iter().map(|pair| pair.id).collect();
    store.settle_pairs(&ids[..50]).unwrap();
    assert_eq!(kept(), 1);
    store.settle_pairs(&ids[50..]).unwrap();
    assert_eq!(kept(), 0);
}

#[test]
fn version_1_is_migrated_with_the_order_of_its_deliveries() {
    let directory = tempfile::tempdir().unwrap();
    let old = Sqlite::open_with(directory.path(), &[include_str!("0001.sql")]).unwrap();
    let fill = "INSERT INTO alerts (alert_id, class, pack, rule, dedup, title, severity, status, count, first_ms, last_ms,
             created_ms, routes, content) VALUES ('a', 'alert', 'p', 'r', 'd', 't', 3, 'open', 1, 1, 1, 1, '[]', CAST('\"title\":\"t\"' AS BLOB));
         INSERT INTO deliveries (alert_id, output, revision, action, state, created_ms, due_ms, pack, rule, severity) VALUES
             ('a', 'out', 0, 'create', 'pending', 1, 5, 'p', 'r', 3), ('a', 'out', -1, 'create', 'pending', 2, 2, 'p', 'r', 3)";
    lock(&old.write).execute_batch(fill).unwrap();
    drop(old);
    let store = Sqlite::open(directory.path()).unwrap();
    assert_eq!((store.next_due("out").unwrap(), store.backlog().unwrap()[0].pending), (Some(5), 2));
    let first = store.lease("out", 9, 10, 5).unwrap();
    assert_eq!(first.iter().map(|delivery| (delivery.id.revision, delivery.asked)).collect::<Vec<_>>(), [(0, false)]);
    assert!(store.settle(&first[0], &iota_engine::store::Settled::Delivered, 9).unwrap());
    let second = store.lease("out", 9, 10, 5).unwrap();
    assert_eq!(second.iter().map(|delivery| (delivery.id.revision, delivery.asked)).collect::<Vec<_>>(), [(-1, true)]);
    assert_eq!(proof::alerts(&store)[0].detected_ms, 1);
}

/// Version 1 named only the one before; outputs knew all of them by the first one.
#[test]
fn alerts_of_version_1_that_took_over_from_one_another_keep_their_id_and_order() {
    let directory = tempfile::tempdir().unwrap();
    let old = Sqlite::open_with(directory.path(), &[include_str!("0001.sql")]).unwrap();
    let alert = |id: &str, supersedes: &str, by: &str| {
        format!(
            "INSERT INTO alerts (alert_id, class, pack, rule, dedup, title, severity, status, supersedes, superseded_by, count, first_ms,
                 last_ms, created_ms, routes, content) VALUES ('{id}', 'alert', 'p', 'r', 'd', 't', 3, 'open', '{supersedes}', {by},
                 1, 1, 1, 1, '[]', CAST('\"title\":\"t\"' AS BLOB));
             INSERT INTO deliveries (alert_id, output, revision, action, state, created_ms, due_ms, pack, rule, severity) VALUES
                 ('{id}', 'out', 0, 'update', 'pending', 1, 1, 'p', 'r', 3);"
        )
    };
    let line = [alert("a", "[]", "'b'"), alert("b", r#"["a"]"#, "'c'"), alert("c", r#"["b"]"#, "NULL"), alert("x", "[]", "NULL")];
    lock(&old.write).execute_batch(&line.concat()).unwrap();
    drop(old);
    let store = Sqlite::open(directory.path()).unwrap();
    let mut told = Vec::new();
    for now_ms in 9..12 {
        for delivery in store.lease("out", now_ms, now_ms + 1, 5).unwrap() {
            assert!(store.settle(&delivery, &iota_engine::store::Settled::Delivered, now_ms).unwrap());
            told.push(format!("{} of {} at {now_ms}", delivery.id.alert_id, delivery.known_as));
        }
    }
    assert_eq!(told, ["a of a at 9", "x of x at 9", "b of a at 10", "c of a at 11"]);
    let standing = proof::alerts(&store).into_iter().find(|alert| alert.alert_id == "c").unwrap();
    let json: serde_json::Value = serde_json::from_slice(&standing.json).unwrap();
    assert_eq!(json["supersedes"], serde_json::json!(["b", "a"]));
}

/// An output that was down for a day has a hundred thousand of them.
#[test]
fn looking_for_the_next_delivery_reads_none_that_wait() {
    let store = Sqlite::memory().unwrap();
    let plan = |sql: &str| {
        store
            .read(|connection| {
                let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                for parameter in 1..=explain.parameter_count() {
                    explain.raw_bind_parameter(parameter, 1)?;
                }
                let mut rows = explain.raw_query();
                let mut steps: Vec<String> = Vec::new();
                while let Some(row) = rows.next()? {
                    steps.push(row.get("detail")?);
                }
                Ok(steps)
            })
            .unwrap()
    };
    let search = "SEARCH deliveries USING INDEX deliveries_next (output=? AND waits=?";
    assert_eq!(plan(super::outbox::NEXT_DUE), [format!("{search})")], "in the order of the index: the first row is the answer");
    assert_eq!(plan(super::outbox::DUE), [format!("{search} AND next_ms<?)")]);
    let of_another = plan(super::outbox::OF_ANOTHER);
    assert_eq!(of_another[0], format!("{search} AND next_ms<?)"));
    assert!(!of_another.iter().any(|step| step.contains("B-TREE")), "nothing is sorted: {of_another:?}");
    let oldest = "SEARCH deliveries USING COVERING INDEX deliveries_oldest (output=?)";
    assert_eq!(plan(super::outbox::BACKLOG).last().unwrap(), oldest, "the first row of the index is the oldest");
    // Nor do those read them that say which waits for which.
    for sql in [super::outbox::LINE_UP, super::alerts::ADD] {
        let steps = plan(sql);
        let exact = |step: &str| {
            ["(alert_id=? AND output=?)", "(known_as=? AND output=?)", "(rowid=?)"].iter().any(|by| step.ends_with(by))
        };
        let of_deliveries: Vec<&String> = steps.iter().filter(|step| step.contains("deliveries")).collect();
        assert!(of_deliveries.len() >= 2 && of_deliveries.iter().all(|step| exact(step)), "{steps:#?}");
    }
}

#[test]
fn an_alert_keeps_what_it_had_when_its_cells_are_forgotten() {
    let store = Sqlite::memory().unwrap();
    proof::cells_are_forgotten(&store, |group| {
        lock(&store.write).execute("DELETE FROM cells WHERE \"group\" = ?1", [group]).unwrap();
    });
}

/// Both cells of an alert across an edge are forgotten at once, whichever was written last.
#[test]
fn cells_of_one_alert_are_kept_equally_long() {
    let (store, three) = (Sqlite::memory().unwrap(), Window { threshold: 3, ..HOUR });
    let cut = Cut::new(proof::key(0).digest(), three);
    let cell = |minute: i64| cut.cell(minute * proof::MINUTE);
    let edge = (0..60).find(|minute| cell(*minute) != cell(minute + 1)).unwrap();
    let commit = |now_ms: i64, matches: Vec<Match>| store.commit(&Unit { now_ms, ..proof::unit(matches) }).unwrap();
    commit(1_000, vec![proof::found(0, 1, edge + 1, three), proof::found(0, 2, edge + 1, three)]);
    commit(2_000, vec![proof::found(0, 3, edge, three)]);
    commit(3_000, vec![proof::found(0, 4, edge, three)]);
    let ends = |connection: &rusqlite::Connection| {
        let mut get = connection.prepare("SELECT expires_ms FROM cells")?;
        Ok(get.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?)
    };
    let expires = iota_engine::store::kept_until_ms(3_000, three);
    assert_eq!(store.read(ends).unwrap(), [expires, expires]);
}

#[test]
fn on_a_full_device_nothing_is_lost_and_the_same_unit_succeeds_later() {
    let store = Sqlite::memory().unwrap();
    store.commit(&one(1)).unwrap();
    let limit = |pages: i64| lock(&store.write).pragma_update(None, "max_page_count", pages).unwrap();
    limit(1);
    let mut large = proof::unit(vec![proof::found(1, 2, 0, HOUR)]);
    large.matches[0].content = vec![b'x'; 1 << 20].into();
    assert!(matches!(store.commit(&large), Err(StoreError::Full { .. })));
    assert_eq!(proof::alerts(&store).len(), 1);
    limit(1 << 20);
    assert_eq!(store.commit(&large).unwrap().opened, 1);
    assert_eq!(proof::alerts(&store).len(), 2);
}

#[test]
fn what_is_old_is_forgotten_unless_it_is_to_be_delivered() {
    const DAY: i64 = 24 * 60 * proof::MINUTE;
    let store = Sqlite::memory().unwrap();
    let unit = one(1);
    store.commit(&unit).unwrap();
    let count = |table: &str| {
        store.read(|connection| {
            Ok(connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))?)
        })
    };
    let rows = || ["seen", "cells", "alerts", "deliveries"].map(|table| count(table).unwrap());
    store.retain(unit.now_ms + 3 * DAY).unwrap();
    assert_eq!(rows(), [1, 0, 1, 1], "cells go first");
    store.retain(unit.now_ms + 40 * DAY).unwrap();
    assert_eq!(rows(), [0, 0, 1, 1], "what is still to be delivered stays");
    lock(&store.write).execute("UPDATE deliveries SET state = 'delivered'", []).unwrap();
    assert_eq!(store.backlog().unwrap()[0].delivered, 1);
    store.retain(unit.now_ms + 40 * DAY).unwrap();
    assert_eq!((rows(), store.backlog().unwrap()), ([0, 0, 0, 0], Vec::new()));
}

/// As people's commands do beside a run.
#[test]
fn two_that_look_at_the_log_together_record_a_change_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap();
    for names in 1..=20 {
        let together = Barrier::new(2);
        let record = |store: &Sqlite| {
            together.wait();
            proof_desk::record_accounts(store, names);
        };
        let beside = Sqlite::open_beside(directory.path()).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| record(&store));
            scope.spawn(|| record(&beside));
        });
    }
    proof_desk::recorded_once(&store, 20);
}
