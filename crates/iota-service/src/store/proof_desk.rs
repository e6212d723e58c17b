//! What every store has to show beside alerts: deliveries, the audit log, rejects, failed pairs, checkpoints, rule state.

use super::proof::{MINUTE, alerts, found, key, objects_since, unit};
use crate::audit::{InForce, Sending, record_hit, record_in_force};
use iota_engine::aggregate::{Cut, Window};
use iota_engine::alert::{Origin, Severity};
use iota_engine::dedup::Seen;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::rule::Failure;
use iota_engine::store::{
    Actor, AlertFilter, AuditEntry, Checkpoint, ClassFilter, DeadFilter, Delivery, DeliveryAction, Except, FailedPair, Finished,
    Handling, KEEP_OBJECTS_MS, LeftOut, Limited, Match, ObjectVersion, PairFilter, Reject, RejectFilter, RuleStateUpdate,
    Settled, Status, StatusChange, Store, Terms, Unit, verify_audit_log,
};
use iota_engine::triage::{Accounts, Triage};
use iota_python::SandboxLevel;
use serde_json::json;
use std::collections::BTreeSet;

const HOUR: Window = Window { ms: 60 * MINUTE, threshold: 1 };
/// When the units of these tests are committed.
const NOW: i64 = 1_700_000_000_000;

fn entry(action: &str) -> AuditEntry {
    AuditEntry {
        at_ms: NOW + 5,
        actor: Actor::User("alice".to_owned()),
        action: action.to_owned(),
        subject: "x".to_owned(),
        why: None,
        before: None,
        after: None,
    }
}

fn retry(due_ms: i64) -> Settled {
    Settled::Retry { due_ms, why: "no answer".to_owned(), counts: true }
}

fn titles(deliveries: &[Delivery]) -> Vec<String> {
    let title = |delivery: &Delivery| {
        let json: serde_json::Value = serde_json::from_slice(&delivery.json).unwrap();
        format!("{} {}", json["title"].as_str().unwrap(), delivery.id.revision)
    };
    deliveries.iter().map(title).collect()
}

/// Three alerts to output `out`, one after the other.
fn three(store: &dyn Store) {
    for (group, later) in [(0, 0), (1, 1), (2, 2)] {
        let unit = Unit { now_ms: NOW + later, ..unit(vec![found(group, group, 0, HOUR)]) };
        store.commit(&unit).unwrap();
    }
}

pub(crate) fn deliveries_are_leased_and_settled(store: &dyn Store) {
    three(store);
    let lease = |now: i64, limit: usize| store.lease("out", now, now + 1_000, limit).unwrap();
    assert_eq!(store.next_due("out").unwrap(), Some(NOW));
    assert_eq!((store.next_due("other").unwrap(), store.lease("other", NOW + 9, NOW + 10, 5).unwrap().len()), (None, 0));
    let first = lease(NOW + 10, 2);
    assert_eq!(titles(&first), ["title 0 0", "title 1 0"], "oldest first");
    assert_eq!(titles(&lease(NOW + 10, 5)), ["title 2 0"], "what is leased is not leased again");
    assert_eq!(lease(NOW + 10, 5).len(), 0);
    assert_eq!(store.next_due("out").unwrap(), Some(NOW + 1_010));
    // The lease of the first runs out; whoever had it settles nothing any more.
    let again = lease(NOW + 1_010, 1);
    assert_eq!(titles(&again), ["title 0 0"]);
    assert!(!store.settle(&first[0], &Settled::Delivered, NOW + 1_011).unwrap());
    assert!(store.settle(&again[0], &Settled::Delivered, NOW + 1_011).unwrap());
    assert!(store.settle(&first[1], &retry(NOW + 60_000), NOW + 1_011).unwrap());
    let backlog = store.backlog().unwrap().remove(0);
    assert_eq!((backlog.pending, backlog.delivered, backlog.oldest_pending_ms), (2, 1, Some(NOW + 1)));
    assert_eq!(titles(&lease(NOW + 2_000, 5)), ["title 2 0"]);
    assert_eq!(store.next_due("out").unwrap(), Some(NOW + 3_000));
    store.hasten("out", NOW + 2_001, 0).unwrap();
    assert_eq!(lease(NOW + 2_001, 5).len(), 0, "it has failed more often");
    store.hasten("out", NOW + 2_001, 1).unwrap();
    let hastened = lease(NOW + 2_001, 5);
    assert_eq!((titles(&hastened), hastened[0].attempts), (vec!["title 1 0".to_owned()], 1), "and not what is leased");
    assert_eq!(hastened[0].last_error.as_deref(), Some("no answer"));
    store.release().unwrap();
    assert!(!store.settle(&hastened[0], &Settled::Delivered, NOW + 2_002).unwrap(), "its lease was ended");
    let another = |than: &[(&str, &str)]| {
        let than = than.iter().map(|(pack, rule)| ((*pack).to_owned(), (*rule).to_owned())).collect();
        store.lease_of_another("out", NOW + 2_003, NOW + 3_003, &than).unwrap()
    };
    assert_eq!(another(&[("p", "r1"), ("p", "r0")]), None);
    let second = another(&[("p", "r1"), ("other", "r0")]).unwrap();
    assert_eq!(titles(std::slice::from_ref(&second)), ["title 2 0"]);
    assert_eq!(titles(another(&[]).as_slice()), ["title 1 0"]);
    assert_eq!(another(&[]), None, "what is leased is not leased again");
    store.release().unwrap();
    let free = lease(NOW + 2_004, 5);
    assert_eq!(titles(&free), ["title 1 0", "title 2 0"]);
    assert!(store.settle(&free[0], &Settled::Limited, NOW + 2_004).unwrap());
    assert!(store.settle(&free[1], &Settled::Dead { why: "refused".to_owned() }, NOW + 2_004).unwrap());
    assert_eq!(store.next_due("out").unwrap(), None);
    let counts = |since| ["r0", "r1"].map(|rule| store.delivered_since("out", "p", rule, since).unwrap());
    assert_eq!(counts(NOW), [1, 0]);
    assert_eq!(counts(NOW + 5_000), [0, 0]);
    let limited = Limited { output: "out".to_owned(), pack: "p".to_owned(), rule: "r1".to_owned(), count: 1 };
    assert_eq!(store.limited_between(NOW, NOW + 2_005).unwrap(), [limited]);
    assert_eq!(store.limited_between(NOW, NOW + 2_004).unwrap(), []);
    let backlog = store.backlog().unwrap().remove(0);
    assert_eq!((backlog.pending, backlog.delivered, backlog.limited, backlog.dead, backlog.dropped), (0, 1, 1, 1, 0));
}

pub(crate) fn an_update_waits_for_the_alert(store: &dyn Store) {
    store.commit(&unit((0..12).map(|n| found(0, n, 0, HOUR)).collect())).unwrap();
    let create = store.lease("out", NOW, NOW + 1_000, 5).unwrap();
    assert_eq!(titles(&create), ["title 0 0"], "the update is behind it");
    assert_eq!(store.lease("out", NOW, NOW + 1_000, 5).unwrap().len(), 0);
    assert!(store.settle(&create[0], &retry(NOW + 5_000), NOW).unwrap());
    assert_eq!(store.lease("out", NOW + 1, NOW + 1_001, 5).unwrap().len(), 0);
    assert_eq!(store.next_due("out").unwrap(), Some(NOW + 5_000));
    let create = store.lease("out", NOW + 5_000, NOW + 60_000, 5).unwrap();
    assert_eq!(store.lease("out", NOW + 5_001, NOW + 60_001, 5).unwrap().len(), 0);
    assert!(store.settle(&create[0], &Settled::Delivered, NOW + 5_002).unwrap());
    let update = store.lease("out", NOW + 5_003, NOW + 6_000, 5).unwrap();
    assert_eq!((titles(&update), update[0].action), (vec!["title 0 10".to_owned()], DeliveryAction::Update), "at once");
}

/// Outputs know alerts that took over from one another as one: what is told of it keeps its order over all of them.
pub(crate) fn what_follows_waits_for_the_alert_that_was_told(store: &dyn Store, updates: bool) {
    let three = Window { threshold: 3, ..HOUR };
    let cut = Cut::new(key(0).digest(), three);
    let edge = (0..60).find(|minute| cut.cell(minute * MINUTE) != cut.cell((minute - 1) * MINUTE)).unwrap();
    let commit = |matches: &[(u8, i64)]| -> String {
        let mut matches: Vec<Match> = matches.iter().map(|&(number, minute)| found(0, number, edge + minute, three)).collect();
        for route in matches.iter_mut().flat_map(|found| &mut found.routes) {
            route.updates = updates;
        }
        store.commit(&unit(matches)).unwrap().created.remove(0).alert_id
    };
    let lease = |now: i64| store.lease("out", now, now + 60_000, 9).unwrap();
    let settle = |leased: &[Delivery], now: i64| {
        for delivery in leased {
            assert!(store.settle(delivery, &Settled::Delivered, now).unwrap());
        }
    };
    let first = commit(&[(1, 1), (2, 2), (3, 3)]);
    let create = lease(NOW);
    assert!(store.settle(&create[0], &retry(NOW + 5_000), NOW).unwrap());
    let second = commit(&[(4, -30)]);
    // It takes over the second one, and the first one stands again: it goes on as what it was told as, so this one is told as new.
    let third = commit(&[(5, -70), (6, -71)]);
    let standing = |alert_id: &str| store.alert(alert_id).unwrap().unwrap().superseded_by.is_none();
    assert_eq!([&first, &second, &third].map(|id| standing(id)), [true, false, true]);
    let resolve = StatusChange { from: Status::Open, to: Status::Resolved };
    let resolve =
        Handling { status: Some(resolve), outputs: BTreeSet::from(["out".to_owned()]), action: DeliveryAction::Resolve };
    assert!(store.handle(&first, &resolve, &entry("alert.resolve")).unwrap());
    let told = |leased: &[Delivery], known: &str| -> Vec<(String, DeliveryAction)> {
        assert!(leased.iter().all(|delivery| delivery.known_as == known), "{leased:?}");
        leased.iter().map(|delivery| (delivery.id.alert_id.clone(), delivery.action)).collect()
    };
    let apart = lease(NOW + 9);
    assert_eq!(told(&apart, &third), [(third.clone(), DeliveryAction::Create)], "it waits for nothing");
    let json: serde_json::Value = serde_json::from_slice(&apart[0].json).unwrap();
    assert_eq!(json["supersedes"], serde_json::Value::Null);
    settle(&apart, NOW + 9);
    // Each is put behind the one before it, which may take a look for each.
    for _ in 0..3 {
        assert_eq!(lease(NOW + 10).len(), 0, "the first one was not told yet");
    }
    assert_eq!(store.next_due("out").unwrap(), Some(NOW + 5_000));
    let create = lease(NOW + 5_000);
    assert_eq!(told(&create, &first), [(first.clone(), DeliveryAction::Create)]);
    assert_eq!(lease(NOW + 5_001).len(), 0, "it is under way");
    settle(&create, NOW + 5_002);
    // What the second one had to tell meanwhile comes before or with what follows of the first one, by the same id.
    let mut follows = Vec::new();
    while let leased @ [_, ..] = &*lease(NOW + 5_003) {
        follows.extend(told(leased, &first));
        settle(leased, NOW + 5_004);
    }
    let update = updates.then(|| (second.clone(), DeliveryAction::Update)).into_iter();
    assert_eq!(follows, update.chain([(first.clone(), DeliveryAction::Resolve)]).collect::<Vec<_>>());
    assert_eq!(store.next_due("out").unwrap(), None);
    // Once more: now the second one stands again, as what the first one was told as, and this one goes on for the third.
    let fourth = commit(&[(7, -125)]);
    assert_eq!([&first, &second, &third, &fourth].map(|id| standing(id)), [false, true, false, true]);
    let update = lease(NOW + 5_007);
    let expected = updates.then(|| (fourth.clone(), DeliveryAction::Update));
    assert_eq!(told(&update, &third), expected.into_iter().collect::<Vec<_>>());
    if let [update] = &*update {
        let json: serde_json::Value = serde_json::from_slice(&update.json).unwrap();
        assert_eq!(json["supersedes"], json!([third]), "the one that was told is the last");
    }
    settle(&update, NOW + 5_007);
    // And once more: it is told as new, because the third one stands again.
    let fifth = commit(&[(8, -180), (9, -181)]);
    assert_eq!([&second, &third, &fourth, &fifth].map(|id| standing(id)), [false, true, false, true]);
    let apart = lease(NOW + 5_008);
    assert_eq!(told(&apart, &fifth), [(fifth.clone(), DeliveryAction::Create)]);
    super::proof::told_once(store);
}

/// An update that failed for good and is sent again waits for nothing, and lets wait what comes after it.
pub(crate) fn a_redriven_delivery_keeps_its_place(store: &dyn Store) {
    store.commit(&unit((0..102).map(|n| found(0, n, 0, HOUR)).collect())).unwrap();
    let lease = |now: i64| store.lease("out", now, now + 1_000, 5).unwrap();
    let create = lease(NOW);
    assert!(store.settle(&create[0], &Settled::Delivered, NOW + 1).unwrap());
    let at_ten = lease(NOW + 2);
    assert_eq!(titles(&at_ten), ["title 0 10"], "the one at a hundred is behind it");
    assert!(store.settle(&at_ten[0], &Settled::Dead { why: "refused".to_owned() }, NOW + 3).unwrap());
    assert_eq!(store.next_due("out").unwrap(), Some(NOW));
    assert_eq!(store.redrive(&[at_ten[0].id.clone()], &entry("dlq.redrive")).unwrap(), 1);
    let again = lease(NOW + 10);
    assert_eq!(titles(&again), ["title 0 10"]);
    assert!(store.settle(&again[0], &Settled::Delivered, NOW + 11).unwrap());
    assert_eq!(titles(&lease(NOW + 12)), ["title 0 100"]);
    assert_eq!(lease(NOW + 13).len(), 0);
}

/// `--now` is for rules and for what the alert says of itself.
pub(crate) fn what_is_delivered_goes_by_the_wall_clock(store: &dyn Store) {
    store.commit(&Unit { detected_ms: Some(86_400_000), ..unit(vec![found(0, 1, 0, HOUR)]) }).unwrap();
    let alert = alerts(store).remove(0);
    assert_eq!((alert.created_ms, alert.detected_ms), (NOW, 86_400_000));
    let json: serde_json::Value = serde_json::from_slice(&alert.json).unwrap();
    assert_eq!(json["detected_at"], "1970-01-02T00:00:00.000Z");
    let delivery = store.deliveries(&alert.alert_id).unwrap().remove(0);
    assert_eq!((delivery.created_ms, delivery.due_ms), (NOW, NOW));
}

pub(crate) fn people_change_alerts_and_dead_letters(store: &dyn Store) {
    three(store);
    let found = alerts(store);
    let id = found.last().unwrap().alert_id.clone();
    assert_eq!(found.iter().map(|alert| alert.created_ms).collect::<Vec<_>>(), [NOW + 2, NOW + 1, NOW], "newest first");
    let list = |filter: AlertFilter| store.alerts(&filter).unwrap().len();
    let some = |filter: AlertFilter| AlertFilter { class: ClassFilter::Sent, ..filter };
    assert_eq!(list(some(AlertFilter { limit: Some(2), ..AlertFilter::default() })), 2);
    assert_eq!(list(some(AlertFilter { rule: Some("r0".to_owned()), ..AlertFilter::default() })), 2);
    assert_eq!(list(some(AlertFilter { since_ms: Some(NOW + 2), ..AlertFilter::default() })), 1);
    assert_eq!(list(some(AlertFilter { severity: Some(Severity::Critical), ..AlertFilter::default() })), 0);
    assert_eq!(list(AlertFilter { class: ClassFilter::Signals, ..AlertFilter::default() }), 0);
    let told = |outputs: &[&str], action| {
        let outputs = outputs.iter().map(|output| (*output).to_owned()).collect();
        Handling { status: None, outputs, action }
    };
    let status = StatusChange { from: Status::Open, to: Status::Acknowledged };
    let acknowledged = Handling { status: Some(status), ..told(&["pager"], DeliveryAction::Acknowledge) };
    assert!(store.handle(&id, &acknowledged, &entry("alert.ack")).unwrap());
    assert!(!store.handle(&id, &acknowledged, &entry("alert.ack")).unwrap(), "somebody else did it meanwhile");
    assert!(!store.handle("nothing", &acknowledged, &entry("alert.ack")).unwrap());
    assert_eq!(store.alert(&id).unwrap().unwrap().status, Status::Acknowledged);
    assert_eq!(list(some(AlertFilter { status: Some(Status::Acknowledged), ..AlertFilter::default() })), 1);
    assert!(store.alert("nothing").unwrap().is_none());
    assert!(store.handle(&id, &told(&["chat", "pager"], DeliveryAction::Create), &entry("alert.resend")).unwrap());
    assert!(!store.handle("nothing", &told(&["pager"], DeliveryAction::Create), &entry("alert.resend")).unwrap());
    let deliveries = store.deliveries(&id).unwrap();
    let added: BTreeSet<_> =
        deliveries.iter().map(|delivery| (delivery.id.output.as_str(), delivery.id.revision, delivery.asked)).collect();
    assert_eq!(added, BTreeSet::from([("out", 0, false), ("pager", -1, true), ("pager", -2, true), ("chat", -1, true)]));
    let leased = store.lease("pager", NOW + 10, NOW + 20, 5).unwrap();
    assert_eq!(
        leased.iter().map(|delivery| delivery.action).collect::<Vec<_>>(),
        [DeliveryAction::Acknowledge],
        "in their order"
    );
    for delivery in store.lease("out", NOW + 10, NOW + 20, 5).unwrap() {
        assert!(store.settle(&delivery, &Settled::Dead { why: "refused".to_owned() }, NOW + 11).unwrap());
    }
    let dead = store.dead(&DeadFilter::default()).unwrap();
    assert_eq!(titles(&dead), ["title 0 0", "title 1 0", "title 2 0"]);
    assert_eq!(store.dead(&DeadFilter { output: Some("pager".to_owned()), ..DeadFilter::default() }).unwrap().len(), 0);
    assert_eq!(store.dead(&DeadFilter { alert_id: Some(id), limit: Some(5), output: None }).unwrap().len(), 1);
    let ids: Vec<_> = dead.into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(store.redrive(&ids[..2], &entry("dlq.redrive")).unwrap(), 2);
    assert_eq!(store.give_up(&ids, &entry("dlq.drop")).unwrap(), 1, "two are not dead any more");
    assert_eq!(store.give_up(&ids, &entry("dlq.drop")).unwrap(), 0, "and nothing is recorded");
    let backlogs = store.backlog().unwrap();
    let of_out = backlogs.iter().find(|backlog| backlog.output == "out").unwrap();
    assert_eq!((of_out.pending, of_out.dead, of_out.dropped), (2, 0, 1));
    let redriven = store.lease("out", NOW + 20, NOW + 30, 5).unwrap();
    assert_eq!(redriven.iter().map(|delivery| delivery.asked).collect::<Vec<_>>(), [true, true]);
    for delivery in redriven {
        assert!(store.settle(&delivery, &Settled::Delivered, NOW + 21).unwrap());
    }
    let counted = ["r0", "r1"].map(|rule| store.delivered_since("out", "p", rule, NOW).unwrap());
    assert_eq!(counted, [0, 0], "what people ask for uses up no limit");
    store.record(&entry("rules.reload")).unwrap();
    let log = store.audit_log(None).unwrap();
    let actions: Vec<&str> = log.iter().map(|record| record.entry.action.as_str()).collect();
    assert_eq!(actions, ["alert.ack", "alert.resend", "dlq.redrive", "dlq.drop", "rules.reload"]);
    verify_audit_log(&log).unwrap();
    assert_eq!(store.audit_log(Some(2)).unwrap(), log[3..]);
}

fn origin(object: &str, version: Option<&str>, record: u64) -> Origin {
    Origin { object: object.to_owned(), version: version.map(str::to_owned), record }
}

pub(crate) fn pair(rule: &str, record: u8, raw: Vec<u8>) -> FailedPair {
    let failure = Failure {
        r#type: "KeyError".to_owned(),
        message: "x".repeat(40_000),
        path: None,
        line: Some(3),
        traceback: String::new(),
    };
    FailedPair {
        id: 0,
        pack: "p".to_owned(),
        rule: rule.to_owned(),
        function: "rule".to_owned(),
        record: Identity([record; 16]),
        origin: origin("o", Some("v"), 1),
        raw: raw.into(),
        terms: Terms { late_before_ms: (record != 3).then_some(NOW - 5), send_from_ms: (record == 1).then_some(7) },
        failure: (record != 2).then_some(failure),
        at_ms: NOW + i64::from(record),
    }
}

pub(crate) fn what_failed_is_kept(store: &dyn Store) {
    let reject = |object: &str, version: Option<&str>, at_ms: i64| Reject {
        origin: origin(object, version, 7),
        reason: "not_json".to_owned(),
        line: 3,
        offset: 99,
        bytes: vec![0xff; 64 << 10],
        at_ms,
    };
    let rejects = vec![reject("a", Some("v"), NOW), reject("-", None, NOW + 1)];
    let pairs = vec![pair("r", 1, vec![b'x'; 900_000]), pair("s", 2, b"{}".to_vec()), pair("r", 3, b"{}".to_vec())];
    let finished = vec![ObjectVersion { object: "b".to_owned(), version: "1".to_owned() }];
    let long = format!("directory:{}", "é".repeat(2_000));
    let checkpoint = |key: &str, value: &str| Checkpoint { key: key.to_owned(), value: value.to_owned() };
    let checkpoints =
        vec![checkpoint("directory:a", "1"), checkpoint(&long, "2"), checkpoint("sqs:a", "3"), checkpoint("directory:a", "4")];
    let terms = Terms { late_before_ms: Some(NOW - 9), send_from_ms: None };
    let unit =
        Unit { now_ms: NOW, terms, rejects, failed_pairs: pairs, finished, checkpoints, ..unit(vec![found(0, 1, 0, HOUR)]) };
    for _ in 0..2 {
        store.commit(&unit).unwrap();
        let kept = store.rejects(&RejectFilter::default()).unwrap();
        assert_eq!(kept, unit.rejects, "once, with all bytes");
        let kept = store.failed_pairs(&PairFilter::default()).unwrap();
        assert!(kept.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!(kept.iter().map(|pair| FailedPair { id: 0, ..pair.clone() }).collect::<Vec<_>>(), unit.failed_pairs);
    }
    // Found again, and not run: what is known of it stays.
    let again = unit.failed_pairs.iter().map(|pair| FailedPair { failure: None, at_ms: NOW + 5, ..pair.clone() }).collect();
    store.commit(&Unit { now_ms: NOW, failed_pairs: again, ..Unit::default() }).unwrap();
    let kept = store.failed_pairs(&PairFilter::default()).unwrap();
    assert!(unit.failed_pairs.iter().any(|pair| pair.failure.is_some()));
    assert_eq!(kept.iter().map(|pair| FailedPair { id: 0, ..pair.clone() }).collect::<Vec<_>>(), unit.failed_pairs);
    assert_eq!(store.rejects(&RejectFilter { since_ms: Some(NOW + 1), limit: None }).unwrap().len(), 1);
    assert_eq!(store.rejects(&RejectFilter { since_ms: None, limit: Some(1) }).unwrap()[0].origin.object, "a");
    let all = store.failed_pairs(&PairFilter::default()).unwrap();
    let list = |filter: PairFilter| store.failed_pairs(&filter).unwrap().iter().map(|pair| pair.record.0[0]).collect::<Vec<_>>();
    assert_eq!(list(PairFilter { rule: Some("r".to_owned()), ..PairFilter::default() }), [1, 3]);
    assert_eq!(list(PairFilter { since_ms: Some(NOW + 2), limit: Some(1), ..PairFilter::default() }), [2]);
    assert_eq!(list(PairFilter { after: all[0].id, limit: Some(1), ..PairFilter::default() }), [2]);
    assert_eq!(store.settle_pairs(&[all[1].id, all[1].id + 1_000]).unwrap(), 1);
    assert_eq!(list(PairFilter::default()), [1, 3]);

    assert_eq!(store.left_out().unwrap(), []);
    let not_run = |rule: &str, record: u8| FailedPair { failure: None, ..pair(rule, record, b"{}".to_vec()) };
    let failed_pairs = vec![not_run("r", 4), not_run("r", 5), not_run("s", 4)];
    store.commit(&Unit { now_ms: NOW, failed_pairs, ..Unit::default() }).unwrap();
    let pack = all[0].pack.clone();
    let of = |rule: &str, calls| LeftOut { pack: pack.clone(), rule: rule.to_owned(), calls };
    assert_eq!(store.left_out().unwrap(), [of("r", 2), of("s", 1)]);
    let left_out = |except: Except| list(PairFilter { left_out: Some(except), ..PairFilter::default() });
    assert_eq!(left_out(Except::default()), [4, 5, 4]);
    assert_eq!(left_out(Except { packs: vec![], rules: vec![(pack.clone(), "r".to_owned())] }), [4]);
    assert_eq!(left_out(Except { packs: vec![pack.clone()], rules: vec![] }), Vec::<u8>::new());
    // One that fails when it is run after all is not left out any more.
    store.commit(&Unit { now_ms: NOW, failed_pairs: vec![pair("s", 4, b"{}".to_vec())], ..Unit::default() }).unwrap();
    assert_eq!(store.left_out().unwrap(), [of("r", 2)]);

    let record = |n: u8, print: u8| (Identity([n; 16]), Fingerprint([print; 4]));
    let seen = store.seen(&[record(1, 0), record(1, 9), record(5, 0), record(1, 0)]).unwrap();
    assert_eq!(seen, [Seen::Duplicate, Seen::Variant, Seen::First, Seen::Duplicate]);
    let object = |object: &str, version: &str| ObjectVersion { object: object.to_owned(), version: version.to_owned() };
    assert!(store.is_finished(&object("b", "1")).unwrap() && !store.is_finished(&object("b", "2")).unwrap());
    let objects = [object("b", "2"), object("b", "1"), object("b", "2"), object("b", "1")];
    assert_eq!(store.are_finished(&objects).unwrap(), [false, true, false, true]);
    let finished = |name: &str, version: &str| Finished { object: object(name, version), terms };
    assert_eq!((objects_since(store, NOW), objects_since(store, NOW + 1)), (vec![finished("b", "1")], vec![]));
    // In the order of time, then of name; many of one instant, and more than are read at once.
    let mut expected = vec![finished("b", "1")];
    for (after, names) in [(1, &["e", "d", "c", "a"][..]), (2, &["e", "c"]), (3, &["f", "d", "c", "a"]), (5, &["z"]), (7, &["y"])]
    {
        let finished_now = names.iter().map(|name| object(name, &after.to_string())).collect();
        store.commit(&Unit { now_ms: NOW + after, terms, finished: finished_now, ..Unit::default() }).unwrap();
        expected.extend(names.iter().rev().map(|name| finished(name, &after.to_string())));
    }
    assert_eq!(objects_since(store, NOW), expected);
    assert_eq!(objects_since(store, NOW + 3), expected[7..]);
    assert_eq!(store.checkpoints("directory:").unwrap(), [checkpoint("directory:a", "4"), checkpoint(&long, "2")]);
    assert_eq!(store.checkpoints(&long).unwrap().len(), 1);
    assert_eq!(store.checkpoints("").unwrap().len(), 3);
}

/// Since when a source is read is known for as long as the state is there; where it goes on is forgotten one day.
pub(crate) fn a_source_never_forgets_since_when_it_is_read(store: &dyn Store) {
    let checkpoint = |key: &str| Checkpoint { key: key.to_owned(), value: "1".to_owned() };
    let checkpoints = vec![checkpoint("begin:s3://b/"), checkpoint("poll:s3://b/")];
    store.commit(&Unit { now_ms: NOW, checkpoints, ..Unit::default() }).unwrap();
    store.retain(NOW + KEEP_OBJECTS_MS + 1).unwrap();
    assert_eq!(store.checkpoints("begin:").unwrap(), [checkpoint("begin:s3://b/")]);
}

pub(crate) fn rule_state_is_applied_once(store: &dyn Store) {
    let increment = |key: &str| json!({"op": "increment", "kind": "counter", "key": key, "by": 1});
    let update = |record: u8, ops: Vec<serde_json::Value>| RuleStateUpdate {
        pack: "p".to_owned(),
        rule: "r".to_owned(),
        record: Identity([record; 16]),
        ops,
    };
    let many = (0..120).map(|n| increment(&format!("k{}", n % 100))).collect();
    let rule_state = vec![update(1, vec![increment("k0"), increment("k0")]), update(2, vec![increment("k0")]), update(3, many)];
    let unit = Unit { now_ms: NOW, rule_state, ..Unit::default() };
    for _ in 0..2 {
        store.commit(&unit).unwrap();
        let value = |key: &str| store.rule_state("p", "counter", key).unwrap()["value"].clone();
        assert_eq!((value("k0"), value("k1"), value("k99"), value("k100")), (json!(5), json!(2), json!(1), json!(null)));
    }
    let set = json!({"op": "put", "kind": "string_set", "key": "s", "values": (0..40_000).map(|n| format!("v{n:020}")).collect::<Vec<_>>()});
    store.commit(&Unit { now_ms: NOW, rule_state: vec![update(4, vec![set])], ..Unit::default() }).unwrap();
    assert_eq!(store.rule_state("p", "string_set", "s").unwrap()["value"].as_array().unwrap().len(), 40_000);
    let reset = json!({"op": "reset", "kind": "counter", "key": "k0"});
    store.commit(&Unit { now_ms: NOW, rule_state: vec![update(5, vec![reset])], ..Unit::default() }).unwrap();
    store.commit(&Unit { now_ms: NOW, rule_state: vec![update(6, vec![increment("k0")])], ..Unit::default() }).unwrap();
    assert_eq!(store.rule_state("p", "counter", "k0").unwrap()["value"], 1);
}

/// Of two that have read the same log, and would each add to it, one is told that the other was first.
pub(crate) fn what_follows_from_the_log_is_recorded_once(store: &dyn Store) {
    let many: Vec<AuditEntry> = (0..150).map(|n| AuditEntry { subject: n.to_string(), ..entry("output.add") }).collect();
    assert!(store.record_after(0, &many).unwrap(), "more than a transaction of DynamoDB takes");
    assert!(!store.record_after(0, &many).unwrap());
    assert!(!store.record_after(151, &many).unwrap());
    assert!(store.record_after(150, &many[..2]).unwrap());
    let log = store.audit_log(None).unwrap();
    verify_audit_log(&log).unwrap();
    let subjects = log.iter().map(|record| record.entry.subject.parse::<usize>().unwrap());
    assert_eq!(subjects.collect::<Vec<_>>(), (0..150).chain(0..2).collect::<Vec<_>>());
}

/// What a process does that starts with so many accounts.
pub(crate) fn record_accounts(store: &dyn Store, names: usize) {
    let accounts = (0..names).map(|n| format!("  \"{n:012}\": {{name: a}}\n")).collect::<Vec<_>>().concat();
    let triage = Triage {
        accounts: Accounts::parse(format!("version: 1\naccounts:\n{accounts}").as_bytes()).unwrap(),
        ..Triage::default()
    };
    let (sending, sandbox) = (Sending::default(), SandboxLevel { seccomp: true, ..SandboxLevel::default() });
    record_in_force(store, InForce { triage: &triage, sending: &sending, sandbox: &sandbox }, &|| Actor::Iota).unwrap();
    record_hit(store, &format!("s{names}"), "title").unwrap();
}

/// A change and a hit of each round, once.
pub(crate) fn recorded_once(store: &dyn Store, rounds: usize) {
    let log = store.audit_log(None).unwrap();
    verify_audit_log(&log).unwrap();
    let told: Vec<_> = log.iter().map(|record| (record.entry.action.as_str(), record.entry.subject.clone())).collect();
    let round = |names: usize| [("accounts.change", "accounts".to_owned()), ("suppression.hit", format!("s{names}"))];
    assert_eq!(told, (1..=rounds).flat_map(round).collect::<Vec<_>>());
}

/// Alerts whose content is as large as a record may be.
pub(crate) fn large_content_is_kept(store: &dyn Store) {
    let mut large = found(0, 1, 0, Window { threshold: 2, ..HOUR });
    let text = "x".repeat(2_000_000);
    large.content = format!("\"title\":\"title 1\",\"context\":\"{text}\"").into_bytes().into();
    store.commit(&unit(vec![large])).unwrap();
    let small = found(0, 2, 1, Window { threshold: 2, ..HOUR });
    store.commit(&unit(vec![small])).unwrap();
    let leased = store.lease("out", NOW, NOW + 1, 1).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&leased[0].json).unwrap();
    assert_eq!(json["context"].as_str().map(str::len), Some(2_000_000));
}

pub(crate) fn old_alerts_are_forgotten_unless_they_are_to_be_delivered(store: &dyn Store) {
    const DAY: i64 = 24 * 60 * MINUTE;
    three(store);
    let leased = store.lease("out", NOW + 10, NOW + 20, 2).unwrap();
    assert!(store.settle(&leased[0], &Settled::Delivered, NOW + 11).unwrap());
    assert!(store.settle(&leased[1], &Settled::Dead { why: "refused".to_owned() }, NOW + 11).unwrap());
    store.retain(NOW + 34 * DAY).unwrap();
    assert_eq!(alerts(store).len(), 3);
    store.retain(NOW + 36 * DAY).unwrap();
    assert_eq!(alerts(store).len(), 2, "one is pending, one is dead");
    let ids: Vec<_> = store.dead(&DeadFilter::default()).unwrap().into_iter().map(|delivery| delivery.id).collect();
    store.give_up(&ids, &entry("dlq.drop")).unwrap();
    store.retain(NOW + 36 * DAY).unwrap();
    assert_eq!(alerts(store).len(), 1);
    assert_eq!(store.alert(&ids[0].alert_id).unwrap(), None);
}

/// All of them, each on a store of its own.
pub(crate) fn all(new: impl Fn() -> Box<dyn Store>) {
    let proofs: [fn(&dyn Store); 13] = [
        deliveries_are_leased_and_settled,
        an_update_waits_for_the_alert,
        |store| what_follows_waits_for_the_alert_that_was_told(store, false),
        |store| what_follows_waits_for_the_alert_that_was_told(store, true),
        a_redriven_delivery_keeps_its_place,
        what_is_delivered_goes_by_the_wall_clock,
        people_change_alerts_and_dead_letters,
        what_failed_is_kept,
        what_follows_from_the_log_is_recorded_once,
        a_source_never_forgets_since_when_it_is_read,
        rule_state_is_applied_once,
        large_content_is_kept,
        old_alerts_are_forgotten_unless_they_are_to_be_delivered,
    ];
    for proof in proofs {
        proof(&*new());
    }
}
