//! Against moto, through a proxy that fails as DynamoDB does.

use super::item::{Item, TTL, number, text};
use super::limits::violations;
use super::query::{INDEX, PROJECTED};
use super::schema::For;
use super::table::wall_ms;
use super::write::Write;
use super::{DynamoDb, runtime};
use crate::aws::emulator::{Answer, Asked, Proxy, config, moto};
use crate::store::{proof, proof_desk};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_smithy_types::timeout::TimeoutConfig;
use iota_engine::aggregate::{Cut, Window};
use iota_engine::alert::Origin;
use iota_engine::event::Identity;
use iota_engine::store::{
    Actor, AuditEntry, Checkpoint, Class, DeliveryAction, Desk, FailedPair, Handling, Ledger, Match, ObjectVersion, Outbox,
    PairFilter, Reject, RejectFilter, Result, RuleStateUpdate, Settled, Store, StoreError, Terms, Unit, verify_audit_log,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

const HOUR: Window = Window { ms: 60 * proof::MINUTE, threshold: 1 };

/// For what the tests themselves ask of moto, and the proxies.
fn tests() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| runtime("tests").unwrap())
}

fn client() -> Client {
    Client::new(&config(moto()))
}

/// How a table is made.
struct Made {
    sort_key: &'static str,
    index_number: ScalarAttributeType,
    index: &'static str,
    projected: &'static [&'static str],
}

const AS_DOCUMENTED: Made = Made { sort_key: "sk", index_number: ScalarAttributeType::N, index: INDEX, projected: &PROJECTED };

impl Made {
    fn make(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("iota-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let key = |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let attribute = |name: &str, kind: ScalarAttributeType| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
        };
        let projected = self.projected.iter().map(|name| (*name).to_owned()).collect();
        let projection =
            Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(Some(projected)).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(self.index)
            .key_schema(key("ik", KeyType::Hash))
            .key_schema(key("at", KeyType::Range))
            .projection(projection)
            .build()
            .unwrap();
        let made = client()
            .create_table()
            .table_name(&name)
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key(self.sort_key, KeyType::Range))
            .attribute_definitions(attribute("pk", ScalarAttributeType::S))
            .attribute_definitions(attribute(self.sort_key, ScalarAttributeType::S))
            .attribute_definitions(attribute("ik", ScalarAttributeType::S))
            .attribute_definitions(attribute("at", self.index_number.clone()))
            .global_secondary_indexes(index)
            .billing_mode(BillingMode::PayPerRequest);
        let ttl = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build().unwrap();
        let client = client();
        tests().block_on(async {
            made.send().await.unwrap();
            client.update_time_to_live().table_name(&name).time_to_live_specification(ttl).send().await.unwrap();
        });
        name
    }
}

fn open_at(url: &str, table: &str, who: For) -> Result<DynamoDb> {
    // An answer that comes late on a busy machine would be taken for lost; moto does not know the token that DynamoDB tells
    // a repeated transaction by.
    let patient = TimeoutConfig::builder().operation_timeout(Duration::from_secs(60)).build();
    let config = config(url).into_builder().timeout_config(patient).build();
    DynamoDb::with(runtime(table)?, &config, table, who)
}

fn open(table: &str) -> DynamoDb {
    open_at(moto(), table, For::Input).unwrap()
}

fn new() -> DynamoDb {
    open(&AS_DOCUMENTED.make())
}

/// A store that gives up at once, behind a proxy that lets everything through until it is told otherwise.
fn behind_a_proxy(table: &str) -> (DynamoDb, Proxy) {
    let proxy = tests().block_on(Proxy::start(|_| Answer::Pass));
    let mut store = open_at(&proxy.url, table, For::Input).unwrap();
    store.table.tries = 1;
    (store, proxy)
}

fn is_write(asked: &Asked) -> bool {
    ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"].contains(&asked.operation.as_str())
}

/// Some scenario; the same ones in each run.
fn scenarios() -> impl Iterator<Item = proof::Scenario> {
    let mut runner = TestRunner::deterministic();
    std::iter::repeat_with(move || proof::scenario().new_tree(&mut runner).unwrap().current())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 20, ..ProptestConfig::default() })]
    #[test]
    fn alerts_are_those_of_the_set_of_matches(scenario in proof::scenario()) {
        proof::check(&new(), &scenario);
    }
}

#[test]
fn cases_of_the_contract() {
    let watched = Watched::default();
    proof::worked_cases(|| Box::new(watched.store(&AS_DOCUMENTED.make())) as Box<dyn Store>);
    watched.check();
}

/// What a store asked for, and what of it DynamoDB would not have taken.
#[derive(Clone, Default)]
struct Watched {
    operations: Arc<Mutex<BTreeSet<String>>>,
    violations: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn store(&self, table: &str) -> DynamoDb {
        let watched = self.clone();
        let proxy = tests().block_on(Proxy::start(move |asked| {
            watched.operations.lock().unwrap().insert(asked.operation.clone());
            watched.violations.lock().unwrap().extend(violations(asked));
            Answer::Pass
        }));
        open_at(&proxy.url, table, For::Input).unwrap()
    }

    fn check(&self) {
        assert_eq!(*self.violations.lock().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn deliveries_people_and_what_failed() {
    let watched = Watched::default();
    proof_desk::all(|| Box::new(watched.store(&AS_DOCUMENTED.make())) as Box<dyn Store>);
    watched.check();
    let mut called = std::mem::take(&mut *watched.operations.lock().unwrap());
    // The policy that is shipped grants what is called, and nothing else.
    assert!(called.remove("TransactWriteItems"));
    let called: BTreeSet<String> = called.into_iter().map(|operation| format!("dynamodb:{operation}")).collect();
    let policy: serde_json::Value = serde_json::from_str(include_str!("../../../../../deploy/iam/dynamodb.json")).unwrap();
    let granted = policy["Statement"][0]["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned());
    let mut granted: BTreeSet<String> = granted.collect();
    assert!(granted.remove("dynamodb:ConditionCheckItem"), "for transactions");
    assert_eq!(granted, called);
}

/// The process ends after every write of a commit, or before its answer comes. The next one takes the same records in other
/// units.
#[test]
fn a_commit_that_is_cut_anywhere_is_repaired_by_the_next() {
    let scenario = scenarios().find(|scenario| proof::all_at_once(scenario).matches.len() > 8).unwrap();
    let mut whole = proof::all_at_once(&scenario);
    let increment = serde_json::json!({"op": "increment", "kind": "counter", "key": "k", "by": 1});
    let update = |(identity, _): &(Identity, _)| iota_engine::store::RuleStateUpdate {
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
        let writes = AtomicUsize::new(0);
        proxy.set(move |asked| match is_write(asked).then(|| writes.fetch_add(1, Ordering::SeqCst)) {
            Some(write) if write == cut && cut % 2 == 1 => Answer::CutAfter,
            Some(write) if write >= cut => Answer::Cut,
            _ => Answer::Pass,
        });
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
fn fails(asked: &Asked, number: usize) -> Answer {
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

/// Alerts that were not taken over: id, count, first and last.
fn standing(store: &dyn Store) -> BTreeSet<(String, u64, i64, i64)> {
    let alerts = proof::alerts(store).into_iter().filter(|alert| alert.superseded_by.is_none());
    alerts.map(|alert| (alert.alert_id, alert.count, alert.first_ms, alert.last_ms)).collect()
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
    let alone = crate::store::Sqlite::memory().unwrap();
    alone.commit(&proof::unit(matches)).unwrap();
    assert_eq!(standing(&together), standing(&alone));
    proof::told_once(&together);
}

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
        let alone = crate::store::Sqlite::memory().unwrap();
        alone.commit(&proof::unit([first, second].concat())).unwrap();
        let standing = standing(&open(&table));
        assert_eq!((standing.len(), &standing), (1, &self::standing(&alone)));
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
                let key = super::item::Key::cell(&proof::key(0).digest(), cell);
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
fn no_item_is_larger_than_350_kb_and_no_transaction_too_large() {
    let table = AS_DOCUMENTED.make();
    let watched = Watched::default();
    let store = watched.store(&table);
    let wide = Window { threshold: 2_000, ..HOUR };
    let mut matches: Vec<Match> = Vec::new();
    for n in 0..1_900_u32 {
        let mut found = proof::found(0, 0, 0, wide);
        found.sighting.identity.0[..4].copy_from_slice(&n.to_be_bytes());
        matches.push(found);
    }
    matches[0].content = vec![b'x'; 1 << 20].into();
    // More alerts than a transaction has room for, of one group.
    matches.extend((0..60).map(|n| proof::found(1, n, i64::from(n) * 61, HOUR)));
    let unit = Unit { seen: Vec::new(), ..proof::unit(matches) };
    let committed = store.commit(&unit).unwrap();
    assert_eq!((committed.below_threshold, committed.opened), (1_900, 60));
    assert_eq!(store.commit(&unit).unwrap().repeated, 1_960);
    watched.check();
    let scanned = tests().block_on(async { client().scan().table_name(&table).send().await.unwrap() });
    let size = |item: &Item| {
        let value = |value: &AttributeValue| match value {
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
            _ => 100,
        };
        item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum::<usize>()
    };
    let largest = scanned.items().iter().map(size).max().unwrap();
    assert!((250 << 10..350 << 10).contains(&largest), "{largest}");
}

/// Whoever makes records and names of objects decides how long they are: an item that is refused would hold up its unit for
/// ever.
#[test]
fn texts_of_any_length_are_kept() {
    let watched = Watched::default();
    let store = watched.store(&AS_DOCUMENTED.make());
    let long = |start: &str| format!("{start}{}", "é".repeat(250_000));
    let origin = || Origin { object: long("object"), version: Some(long("version")), record: 1 };
    let mut found = proof::found(0, 1, 0, HOUR);
    (found.headline.title, found.headline.account_id) = (long("title"), Some(long("account")));
    found.group.dedup = long("dedup").into();
    let rule = || ("p".to_owned(), "r".to_owned());
    let ((pack, rule), ops) =
        (rule(), vec![serde_json::json!({"op": "increment", "kind": "counter", "key": long("key"), "by": 2})]);
    let rule_state = vec![RuleStateUpdate { pack: pack.clone(), rule: rule.clone(), record: Identity([1; 16]), ops }];
    let pair = FailedPair {
        id: 0,
        pack,
        rule,
        function: "rule".to_owned(),
        record: Identity([1; 16]),
        origin: origin(),
        raw: b"{}".to_vec(),
        terms: Terms::default(),
        failure: None,
        at_ms: 1,
    };
    let reject = Reject { origin: origin(), reason: "x".to_owned(), line: 1, offset: 0, bytes: vec![b'x'; 1 << 16], at_ms: 1 };
    let object = ObjectVersion { object: long("object"), version: long("version") };
    let checkpoint = Checkpoint { key: long("key"), value: long("value") };
    let unit = Unit {
        rule_state,
        failed_pairs: vec![pair.clone()],
        rejects: vec![reject.clone()],
        finished: vec![object.clone()],
        checkpoints: vec![checkpoint.clone()],
        ..proof::unit(vec![found])
    };
    store.commit(&unit).unwrap();
    assert!(proof::alerts(&store)[0].account_id.as_ref().unwrap().starts_with("accounté"));
    assert_eq!(store.failed_pairs(&PairFilter::default()).unwrap()[0].origin, pair.origin);
    assert_eq!(store.rejects(&RejectFilter::default()).unwrap(), [reject]);
    assert_eq!(proof::objects_since(&store, 0)[0].object, object);
    assert_eq!(store.checkpoints("key").unwrap(), [checkpoint]);
    assert_eq!(store.rule_state("p", "counter", &long("key")).unwrap()["value"], 2);
    let leased = store.lease("out", unit.now_ms, unit.now_ms + 1_000, 1).unwrap().remove(0);
    assert!(store.settle(&leased, &Settled::Dead { why: long("why") }, unit.now_ms + 1).unwrap());
    watched.check();
}

#[test]
fn an_alert_keeps_what_it_had_when_its_cells_are_forgotten() {
    let store = new();
    proof::cells_are_forgotten(&store, |group| {
        let cells = super::query::Query::under(&super::item::Key::cell(group, 0).pk, "cell#");
        for item in store.wait(store.table.query(&cells)).unwrap() {
            let gone = Write::delete(super::item::Key::of(&item).unwrap());
            store.wait(store.table.write(&gone)).unwrap();
        }
    });
}

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
    let started = std::time::Instant::now();
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

fn entry(subject: &str) -> AuditEntry {
    let (action, subject) = ("rules.reload".to_owned(), subject.to_owned());
    AuditEntry { at_ms: 1, actor: Actor::Iota, action, subject, why: None, before: None, after: None }
}

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

#[test]
fn what_is_past_its_time_is_not_there() {
    let table = AS_DOCUMENTED.make();
    let store = open(&table);
    let mut unit = proof::unit(vec![proof::found(0, 1, 0, HOUR)]);
    unit.matches[0].class = Class::Signal;
    unit.matches[0].routes.clear();
    store.commit(&unit).unwrap();
    // DynamoDB deletes when it gets to it; until then the items can be read.
    let scanned = tests().block_on(async { client().scan().table_name(&table).send().await.unwrap() });
    for item in scanned.items().iter().filter(|item| item.contains_key(TTL)) {
        let old = Write::update(super::item::Key::of(item).unwrap(), "SET #ttl = :old").with("old", number(wall_ms() / 1000 - 1));
        store.wait(store.table.write(&old)).unwrap();
    }
    assert_eq!(proof::alerts(&store).len(), 0);
    assert_eq!(store.commit(&unit).unwrap().signals, 1, "as if it had never been there");
    assert_eq!(proof::alerts(&store).iter().map(|alert| alert.count).collect::<Vec<_>>(), [1]);
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

#[test]
fn a_table_that_does_not_fit_is_refused_with_what_is_missing() {
    let said = |table: &str, who: For| open_at(moto(), table, who).err().map_or("opened".to_owned(), |error| error.to_string());
    let help = "docs/OPERATING.md";
    let missing = said("iota-nowhere", For::Input);
    assert!(missing.contains("iota-nowhere: there is no such table") && missing.contains(help), "{missing}");
    for (made, expected) in [
        (Made { sort_key: "other", ..AS_DOCUMENTED }, "its key is not partition key `pk` (string) and sort key `sk` (string)"),
        (Made { index: "other", ..AS_DOCUMENTED }, "it has no global secondary index `ik-at`"),
        (
            Made { index_number: ScalarAttributeType::S, ..AS_DOCUMENTED },
            "is not partition key `ik` (string) and sort key `at` (number)",
        ),
        (Made { projected: &PROJECTED[1..], ..AS_DOCUMENTED }, "index `ik-at` does not include output"),
    ] {
        let said = said(&made.make(), For::Input);
        assert!(said.contains(expected) && said.contains(help), "{said}");
    }
    let table = AS_DOCUMENTED.make();
    assert!(said(&table, For::Desk).contains("there is no state in it"));
    let store = open(&table);
    assert_eq!(said(&table, For::Desk), "opened");
    let newer = Write::update(super::item::Key::version(), "SET #version = :newer").with("newer", number(9));
    store.wait(store.table.write(&newer)).unwrap();
    assert!(said(&table, For::Input).contains("its state is of version 9, this iota knows version 1"));
    let damaged = Write::update(super::item::Key::version(), "SET #version = :newer").with("newer", text("x"));
    store.wait(store.table.write(&damaged)).unwrap();
    assert!(said(&table, For::Input).contains("item \"table\" \"version\": attribute `version` is missing or damaged"));
}

#[test]
fn what_nobody_mends_by_waiting_is_told_at_once() {
    let table = AS_DOCUMENTED.make();
    let (mut store, proxy) = behind_a_proxy(&table);
    store.table.tries = 8;
    let unit = proof::unit(vec![proof::found(0, 1, 0, HOUR)]);
    for code in ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"] {
        proxy.set(move |_| Answer::json(400, code));
        let error = store.commit(&unit).unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains(code), "{error}");
        assert_eq!(proxy.count(), 1);
    }
    proxy.set(|_| Answer::json(400, "ExpiredTokenException"));
    assert!(store.seen(&unit.seen).unwrap_err().is_retryable(), "new credentials may be on their way");
}
