//! What is large: whoever makes records and names of objects decides how long they are.

use super::{AS_DOCUMENTED, HOUR, Watched, client, tests};
use crate::store::dynamodb::item::Item;
use crate::store::proof;
use aws_sdk_dynamodb::types::AttributeValue;
use iota_engine::aggregate::Window;
use iota_engine::alert::Origin;
use iota_engine::event::Identity;
use iota_engine::store::{
    Checkpoint, Desk, FailedPair, Ledger, Match, ObjectVersion, Outbox, PairFilter, Reject, RejectFilter, RuleStateUpdate,
    Settled, Terms, Unit,
};

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
        raw: b"{}"[..].into(),
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
