//! What every store has to show: whatever order, duplicates, replicas and crashes the matches come through, alerts are those
//! of the set of matches. The oracle is `aggregate::Closing`, which has them all at once.

use iota_engine::aggregate::{Closing, Cut, GroupKey, Sighting, Window};
use iota_engine::alert::Severity;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::store::{
    AlertFilter, Class, ClassFilter, Committed, Created, DeliveryAction, Finished, Headline, Match, Route, Store, StoredAlert,
    Unit,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const MINUTE: i64 = 60_000;
const NOW: i64 = 1_700_000_000_000;

/// A record, by what it matched.
#[derive(Debug, Clone)]
struct Found {
    matches: Vec<Match>,
}

/// What is done to the store, in this order.
#[derive(Debug, Clone)]
struct Step {
    /// Places in the list of records.
    records: Vec<usize>,
    /// Not a unit of input, but of a second evaluation.
    rerun: bool,
    /// How often it is committed; 0 is a crash, after which it is done again later.
    times: usize,
}

/// A unit, and how often it is committed.
#[derive(Debug, Clone)]
pub(crate) struct Committing {
    pub(crate) unit: Unit,
    /// 0: the process ends before or while it commits, and the same records come again later.
    pub(crate) times: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    window: Window,
    records: Vec<Found>,
    steps: Vec<Step>,
}

impl Scenario {
    /// In an order in which everything comes at last; some of it never came before.
    pub(crate) fn commits(&self) -> impl Iterator<Item = Committing> {
        self.steps.iter().filter(|step| !step.records.is_empty()).map(|step| {
            let matches = step.records.iter().flat_map(|&at| self.records[at].matches.clone()).collect();
            let mut unit = unit(matches);
            if step.rerun {
                // As `iota rerun` has them: the ledger knows them, or is to learn of them from the input.
                unit.seen.clear();
                unit.matches.iter_mut().for_each(|found| found.sighting.variant = true);
            }
            Committing { unit, times: step.times }
        })
    }
}

pub(crate) fn key(group: u8) -> GroupKey {
    GroupKey { pack: "p".into(), rule: format!("r{}", group % 2).as_str().into(), dedup: format!("d{group}").as_str().into() }
}

/// A match of record `number`, at that minute.
pub(crate) fn found(group: u8, number: u8, minute: i64, window: Window) -> Match {
    Match {
        group: key(group),
        class: Class::Alert,
        window,
        sighting: Sighting {
            identity: Identity([number; 16]),
            ms: minute * MINUTE,
            fingerprint: Fingerprint([0; 4]),
            unique: None,
            variant: false,
        },
        routes: vec![Route { output: "out".to_owned(), updates: true }],
        headline: Headline { title: format!("title {number}"), severity: Severity::High, account_id: None },
        content: format!("\"title\":\"title {number}\"").into_bytes().into(),
    }
}

pub(crate) fn unit(matches: Vec<Match>) -> Unit {
    let seen: BTreeSet<_> = matches.iter().map(|found| (found.sighting.identity, found.sighting.fingerprint)).collect();
    Unit { now_ms: NOW, seen: seen.into_iter().collect(), matches, ..Unit::default() }
}

pub(crate) fn alerts(store: &dyn Store) -> Vec<StoredAlert> {
    store.alerts(&AlertFilter { class: ClassFilter::All, ..AlertFilter::default() }).expect("alerts are listed")
}

pub(crate) fn objects_since(store: &dyn Store, since_ms: i64) -> Vec<Finished> {
    let mut all = Vec::new();
    store.objects_since(since_ms, &mut |finished| all.push(finished)).unwrap();
    all
}

pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    let class = prop_oneof![8 => Just(Class::Alert), 1 => Just(Class::Signal), 1 => Just(Class::Late),
        1 => Just(Class::Suppressed("s".to_owned()))];
    let found = (0_u8..3, 0_i64..400, proptest::option::of(0_u8..4), class);
    let records = proptest::collection::vec(proptest::collection::btree_map(0_u8..3, found, 1..3), 1..40);
    let steps = proptest::collection::vec((1_usize..8, 0_usize..3, any::<bool>(), any::<u16>()), 1..60);
    (records, steps, 1_usize..5, any::<bool>(), any::<u64>()).prop_map(|(records, steps, threshold, unique, seed)| {
        let window = Window { ms: 60 * MINUTE, threshold };
        let records: Vec<Found> = (0..)
            .zip(records)
            .map(|(number, matches)| {
                let of = |(&group, (_, minute, value, class)): (&u8, &(u8, i64, Option<u8>, Class))| {
                    let mut found = self::found(group, number, *minute, window);
                    found.class = class.clone();
                    found.routes.retain(|_| class.is_sent());
                    // Values in one group only, and there in every match, as a rule gives them.
                    found.sighting.unique = (unique && group == 0).then(|| format!("v{}", value.unwrap_or(0)));
                    found
                };
                Found { matches: matches.iter().map(of).collect() }
            })
            .collect();
        Scenario { window, steps: steps_over(records.len(), &steps, seed), records }
    })
}

/// Units of several replicas: every record at least once, in a shuffled order, some of them again.
fn steps_over(records: usize, shapes: &[(usize, usize, bool, u16)], seed: u64) -> Vec<Step> {
    let mut order: Vec<usize> = (0..records).collect();
    let mut random = seed;
    for at in (1..records).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(at, usize::try_from(random >> 33).unwrap_or(0) % (at + 1));
    }
    let (mut steps, mut crashed, mut left) = (Vec::new(), Vec::new(), order.clone());
    for &(size, times, rerun, from) in shapes {
        let fresh: Vec<usize> = left.drain(..size.min(left.len())).collect();
        // Now and then records that another replica had.
        let again = order[usize::from(from) % records];
        let records: Vec<usize> = fresh.into_iter().chain((from % 3 == 0).then_some(again)).collect();
        if times == 0 {
            crashed.push(Step { records: records.clone(), rerun, times: 1 });
        }
        steps.push(Step { records, rerun, times });
    }
    steps.push(Step { records: left, rerun: false, times: 1 });
    steps.extend(crashed);
    steps
}

/// Runs a scenario on an empty store and compares.
pub(crate) fn check(store: &dyn Store, scenario: &Scenario) {
    let (mut counted, mut done) = (Committed::default(), 0);
    for Committing { unit, times } in scenario.commits() {
        for _ in 0..times {
            let committed = store.commit(&unit).expect("commits");
            assert_eq!(sum(&committed), unit.matches.len() as u64, "every match is in one count");
            done += unit.matches.len() as u64;
            counted.add(committed);
        }
    }
    let distinct: u64 = scenario.records.iter().map(|record| record.matches.len() as u64).sum();
    assert_eq!(sum(&counted), done);
    assert_eq!(done - counted.repeated, distinct, "every match is counted once");
    compare(store, scenario);
    deliveries(store, &counted.created);
}

/// Commits a scenario as a process does whose store fails now and then: what fails is committed again. Then compares what
/// is stored; what the commits said is lost with those that failed.
pub(crate) fn check_stored(store: &dyn Store, scenario: &Scenario) {
    for Committing { unit, times } in scenario.commits() {
        for _ in 0..times {
            commit_at_last(store, &unit);
        }
    }
    compare(store, scenario);
    told_once(store);
}

/// What fails is committed again.
pub(crate) fn commit_at_last(store: &dyn Store, unit: &Unit) {
    let mut tries = 0..100;
    while let Err(error) = store.commit(unit) {
        assert!(error.is_retryable() && tries.next().is_some(), "{error}");
    }
}

/// Outputs know every alert that stands by an id of its own, which was told as new once.
pub(crate) fn told_once(store: &dyn Store) {
    let (mut created, mut standing) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, Vec<String>>::new());
    for alert in alerts(store).into_iter().filter(|alert| alert.class.is_sent()) {
        let json: serde_json::Value = serde_json::from_slice(&alert.json).expect("an alert is JSON");
        let known = json["supersedes"].as_array().and_then(|ids| ids.last()?.as_str()).unwrap_or(&alert.alert_id).to_owned();
        for delivery in store.deliveries(&alert.alert_id).expect("deliveries are listed") {
            *created.entry(delivery.known_as).or_default() += usize::from(delivery.action == DeliveryAction::Create);
        }
        if alert.superseded_by.is_none() {
            standing.entry(known).or_default().push(alert.alert_id);
        }
    }
    assert!(created.values().all(|creations| *creations <= 1), "{created:?}");
    for (known, alerts) in standing {
        assert_eq!((created.get(&known), alerts.len()), (Some(&1), 1), "{known}: {alerts:?}");
    }
}

/// Every record of a scenario in one unit, and what must be stored once they were committed.
pub(crate) fn all_at_once(scenario: &Scenario) -> Unit {
    unit(scenario.records.iter().flat_map(|record| record.matches.clone()).collect())
}

fn sum(committed: &Committed) -> u64 {
    let Committed { opened, grouped, repeated, below_threshold, signals, suppressed, .. } = committed;
    opened + grouped + repeated + below_threshold + signals + suppressed
}

pub(crate) fn compare(store: &dyn Store, scenario: &Scenario) {
    let mut groups: BTreeMap<(Class, GroupKey), Vec<&Match>> = BTreeMap::new();
    for found in scenario.records.iter().flat_map(|record| &record.matches) {
        groups.entry((found.class.clone(), found.group.clone())).or_default().push(found);
    }
    let mut expected = BTreeSet::new();
    for ((class, key), mut matches) in groups {
        matches.sort_by_key(|found| (found.sighting.identity, found.sighting.ms));
        let mut closing = Closing::new(key.clone(), scenario.window);
        for found in matches {
            closing.add(&found.sighting, Some(()));
        }
        let cut = Cut::new(key.digest(), scenario.window);
        for finding in closing.finish().findings {
            let id = class.alert_id(&key, cut.cell(finding.first_ms));
            assert!(class != Class::Alert || id == finding.alert_id);
            expected.insert((id, class.clone(), finding.count, finding.first_ms, finding.last_ms));
        }
    }
    let standing: BTreeSet<_> = alerts(store)
        .into_iter()
        .filter(|alert| alert.superseded_by.is_none())
        .map(|alert| (alert.alert_id, alert.class, alert.count, alert.first_ms, alert.last_ms))
        .collect();
    assert_eq!(standing, expected);
}

/// Every alert that is sent was told once as new: by itself, or by the one it took over.
fn deliveries(store: &dyn Store, created: &[Created]) {
    let ids: BTreeSet<_> = created.iter().map(|alert| &alert.alert_id).collect();
    assert_eq!(ids.len(), created.len(), "no alert is created twice");
    for alert in created {
        let creations = store.deliveries(&alert.alert_id).expect("deliveries are listed");
        let creations = creations.iter().filter(|delivery| delivery.action == DeliveryAction::Create).count();
        // One that took over may part later.
        let expected = usize::from(alert.class.is_sent() && !alert.superseding);
        assert!(creations == expected || creations > expected && alert.superseding, "{alert:?}");
    }
    told_once(store);
}

/// Cases of the contract, and what no random scenario is sure to meet.
pub(crate) fn worked_cases(new: impl Fn() -> Box<dyn Store>) {
    let hour = |threshold| Window { ms: 60 * MINUTE, threshold };
    let counts = |store: &dyn Store| {
        let standing = alerts(store).into_iter().filter(|alert| alert.superseded_by.is_none());
        standing.map(|alert| alert.count).sum::<u64>()
    };

    let store = new();
    let three: Vec<Match> = [(0, 0), (1, 40), (2, 61), (3, 62)].map(|(n, minute)| found(0, n, minute, hour(3))).to_vec();
    store.commit(&unit(three)).expect("commits");
    assert_eq!(alerts(&*store).len(), 1, "40, 61 and 62 lie within 60 minutes");

    let ids = |order: [usize; 3]| {
        let store = new();
        let matches = [(0, 0), (1, 50), (2, 70)].map(|(n, minute)| found(0, n, minute, hour(1)));
        for at in order.into_iter().chain(order) {
            store.commit(&unit(vec![matches[at].clone()])).expect("commits");
        }
        alerts(&*store).into_iter().map(|alert| (alert.alert_id, alert.count)).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids([0, 1, 2]), ids([2, 0, 1]), "whatever the order");

    let store = new();
    let mut variant = found(0, 1, 300, hour(1));
    (variant.sighting.variant, variant.sighting.fingerprint) = (true, Fingerprint([1; 4]));
    store.commit(&unit(vec![found(0, 1, 0, hour(1))])).expect("commits");
    let committed = store.commit(&unit(vec![variant])).expect("commits");
    assert_eq!((committed.repeated, alerts(&*store).len()), (1, 1), "another value of a record counts once in its group");

    let store = new();
    let many: Vec<Match> = (0..250).map(|n| found(0, n, 0, hour(1))).collect();
    for part in many.chunks(30) {
        store.commit(&unit(part.to_vec())).expect("commits");
    }
    let again = store.commit(&unit(many)).expect("commits");
    assert_eq!(
        (again.repeated, counts(&*store)),
        (250, 250),
        "a repeated commit counts nothing, also beyond the identities kept"
    );
    let alert = alerts(&*store).remove(0);
    let told: Vec<i64> =
        store.deliveries(&alert.alert_id).expect("deliveries are listed").iter().map(|delivery| delivery.id.revision).collect();
    assert_eq!(BTreeSet::from_iter(told), BTreeSet::from([0, 10, 100]), "told as new, and at 10 and 100");

    let store = new();
    let edge = (0..60).find(|minute| {
        let cut = Cut::new(key(0).digest(), hour(3));
        cut.cell(minute * MINUTE) != cut.cell((minute + 1) * MINUTE)
    });
    let edge = edge.unwrap_or(0);
    let after = (1..4).map(|n| found(0, n, edge + 2, hour(3))).collect();
    store.commit(&unit(after)).expect("commits");
    let first = alerts(&*store).remove(0).alert_id;
    let committed = store.commit(&unit(vec![found(0, 9, edge, hour(3))])).expect("commits");
    let (created, paged) = (&committed.created[0], store.deliveries(&first).expect("deliveries are listed"));
    assert!(created.superseding, "a late match moved the start back one cell");
    assert_eq!(paged.len(), 1);
    let updates = store.deliveries(&created.alert_id).expect("deliveries are listed");
    assert!(updates.iter().all(|delivery| delivery.action == DeliveryAction::Update), "never a second page: {updates:?}");
    assert_eq!(store.alert(&first).expect("reads").and_then(|alert| alert.superseded_by), Some(created.alert_id.clone()));
    assert!(updates.iter().chain(&paged).all(|delivery| delivery.known_as == first), "both by the key of the page");

    let store = new();
    let mut nowhere = found(0, 1, 0, hour(1));
    nowhere.routes.clear();
    let committed = store.commit(&unit(vec![nowhere])).expect("commits");
    assert_eq!((committed.unrouted, committed.deliveries, alerts(&*store).len()), (1, 0, 1), "kept, and counted");
}

/// Cells are kept for days, alerts for weeks. `forget` removes the cells of a group.
pub(crate) fn cells_are_forgotten(store: &dyn Store, forget: impl Fn(&[u8; 16])) {
    let hour = Window { ms: 60 * MINUTE, threshold: 1 };
    let group = Class::Alert.group(&key(0));
    let commit = |numbers: std::ops::Range<u8>| {
        let matches = numbers.map(|n| found(0, n, i64::from(n) % 5, hour)).collect();
        store.commit(&unit(matches)).expect("commits");
    };
    let alert = || alerts(store).remove(0);
    let edge = Cut::new(key(0).digest(), hour);
    assert_eq!(edge.cell(0), edge.cell(4 * MINUTE), "all in one cell");
    commit(0..30);
    let before = alert();
    assert_eq!((before.count, before.first_ms, before.last_ms), (30, 0, 4 * MINUTE));
    forget(&group);
    // What comes now is counted in a new cell: whether it was in the old one nobody knows.
    commit(32..34);
    commit(34..35);
    let after = alert();
    assert_eq!((after.count, after.first_ms, after.last_ms), (30, 0, 4 * MINUTE), "no less than before");
    forget(&group);
    commit(40..80);
    assert_eq!((alert().count, alerts(store).len()), (40, 1), "more than before");
    let told: Vec<i64> =
        store.deliveries(&after.alert_id).expect("deliveries are listed").iter().map(|delivery| delivery.id.revision).collect();
    assert_eq!(BTreeSet::from_iter(told), BTreeSet::from([0, 10]), "nothing is told twice");

    // An alert across an edge may lose the matches behind it: then it has fewer, as it should.
    let pair = Window { ms: 60 * MINUTE, threshold: 5 };
    let cut = Cut::new(key(1).digest(), pair);
    let edge = (0..60).find(|minute| cut.cell(minute * MINUTE) != cut.cell((minute + 1) * MINUTE)).unwrap_or(0);
    let at = |n: u8, minute: i64| found(1, n, minute, pair);
    let across = (100..104).map(|n| at(n, edge)).chain((104..108).map(|n| at(n, edge + 1)));
    store.commit(&unit(across.collect())).expect("commits");
    let of_group = || alerts(store).into_iter().find(|alert| alert.dedup == "d1" && alert.first_ms == edge * MINUTE);
    assert_eq!(of_group().map(|alert| alert.count), Some(8));
    store.commit(&unit(vec![at(109, edge)])).expect("commits");
    assert_eq!(of_group().map(|alert| alert.count), Some(5), "its first cell is enough now");
}
