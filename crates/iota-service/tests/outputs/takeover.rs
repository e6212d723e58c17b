//! Alerts that took over from one another, on their way to PagerDuty: one incident, told in its order.

use super::fake::{Fake, Got};
use super::{Message, output, with};
use iota_engine::aggregate::{Cut, GroupKey, Sighting, Window};
use iota_engine::alert::Severity;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::store::{
    Actor, AuditEntry, Class, DeliveryAction, Desk, Handling, Headline, Ledger, Match, Outbox, Route, Settled, Status,
    StatusChange, Store, Unit,
};
use iota_engine::triage::Routes;
use iota_service::deliver::{Clock, Deliverer, Mode, POLL, Policy};
use iota_service::output::format::{Alert, Format, Redaction, cef};
use iota_service::store::Sqlite;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

const NOW: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;
const WINDOW: Window = Window { ms: 60 * MINUTE, threshold: 3 };

/// What PagerDuty makes of events: a trigger opens an incident unless one of its key is open, and what follows is for the open
/// incident of its key. What would be for none, or open a second one, is refused here.
#[derive(Default)]
struct Incidents {
    /// By key, whether it is open.
    open: BTreeMap<String, bool>,
    taken: Vec<(String, String)>,
}

impl Incidents {
    fn take(&mut self, got: &Got) -> (u16, String) {
        let event: Value = serde_json::from_slice(&got.body).expect("JSON");
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (key, action) = (text("dedup_key"), text("event_action"));
        let open = self.open.get(&key).copied();
        let fits = match action.as_str() {
            "trigger" => open != Some(false) && event["payload"]["summary"].is_string(),
            "acknowledge" | "resolve" => open == Some(true),
            _ => false,
        };
        if !fits || got.path != "/v2/enqueue" || text("routing_key").len() != 32 || key.is_empty() || key.len() > 255 {
            return (400, format!("{action} of {key} while that is {open:?}"));
        }
        self.open.insert(key.clone(), action != "resolve");
        self.taken.push((key, action));
        (202, "{}".to_owned())
    }
}

#[derive(Debug)]
struct At(i64);

impl Clock for At {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

fn key() -> GroupKey {
    GroupKey { pack: "p".into(), rule: "r".into(), dedup: "d".into() }
}

/// A unit with these records, each at a minute.
fn unit(records: &[(u8, i64)], updates: bool) -> Unit {
    let found = |&(number, minute): &(u8, i64)| Match {
        group: key(),
        class: Class::Alert,
        window: WINDOW,
        sighting: Sighting {
            identity: Identity([number; 16]),
            ms: minute * MINUTE,
            fingerprint: Fingerprint([0; 4]),
            unique: None,
            variant: false,
        },
        routes: vec![Route { output: "out".to_owned(), updates }],
        headline: Headline { title: "t".to_owned(), severity: Severity::High, account_id: None },
        content: br#""title":"t","severity":"HIGH","rule_id":"r""#.to_vec().into(),
    };
    Unit { now_ms: NOW, matches: records.iter().map(found).collect(), ..Unit::default() }
}

/// Where the other side keeps one thing for each id, what follows meets what was told first; people find the alert all the same.
#[test]
fn every_form_names_what_was_told_first_where_things_are_put_together() {
    let (first, before, own) = ("1".repeat(32), "2".repeat(32), "3".repeat(32));
    let message = Message { known_as: first.clone(), ..with(&json!({"alert_id": own, "supersedes": [before, first]})) };
    let alert = Alert::of(&message, &Redaction::default()).expect("an alert");
    let rendered = |format: Format| serde_json::from_slice::<Value>(&format.render(&alert, usize::MAX)).expect("JSON");
    let json = rendered(Format::Alert);
    assert_eq!((&json["alert_id"], &json["supersedes"][1]), (&json!(own), &json!(first)));
    let ocsf = rendered(Format::Ocsf);
    assert_eq!((&ocsf["finding_info"]["uid"], &ocsf["metadata"]["uid"]), (&json!(first), &json!(own)));
    let ecs = rendered(Format::Ecs);
    assert_eq!((&ecs["event"]["id"], &ecs["iota"]["alert_id"]), (&json!(first), &json!(own)));
    let cef = cef::render(&alert);
    assert!(cef.contains(&format!("externalId={first} ")) && !cef.contains(&own), "{cef}");
}

#[tokio::test]
async fn a_resolution_comes_after_the_incident_that_it_is_for() {
    for updates in [false, true] {
        let incidents: Arc<Mutex<Incidents>> = Arc::default();
        let taking = Arc::clone(&incidents);
        let fake = Fake::new(Box::new(move |got| taking.lock().expect("no panic").take(got))).await;
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("key"), [b'k'; 32]).expect("writes");
        let keys = format!("type: pagerduty, routing_key: 'file:key', url: '{}'", fake.url);
        let pager = output(&keys, directory.path()).await;
        let store = Arc::new(Sqlite::open(directory.path()).expect("opens"));

        let cut = Cut::new(key().digest(), WINDOW);
        let edge = (0..60).find(|minute| cut.cell(minute * MINUTE) != cut.cell((minute - 1) * MINUTE)).expect("an edge");
        let commit = |records: &[(u8, i64)]| {
            let records: Vec<_> = records.iter().map(|(number, minute)| (*number, edge + minute)).collect();
            store.commit(&unit(&records, updates)).expect("commits").created.remove(0).alert_id
        };
        let first = commit(&[(1, 1), (2, 2), (3, 3)]);
        // The first attempt failed; meanwhile late records move the start back, twice, so that what was told first stands again
        // beside what took over, and somebody resolves it.
        let create = store.lease("out", NOW, NOW + 1, 1).expect("leases").remove(0);
        let later = Settled::Retry { due_ms: NOW + MINUTE, why: "503".to_owned(), counts: true };
        assert!(store.settle(&create, &later, NOW).expect("settles"));
        commit(&[(4, -30)]);
        let third = commit(&[(5, -70), (6, -71)]);
        for (from, to, action) in [
            (Status::Open, Status::Acknowledged, DeliveryAction::Acknowledge),
            (Status::Acknowledged, Status::Resolved, DeliveryAction::Resolve),
        ] {
            let outputs = BTreeSet::from(["out".to_owned()]);
            let handling = Handling { status: Some(StatusChange { from, to }), outputs, action };
            let entry = AuditEntry {
                at_ms: NOW + 1,
                actor: Actor::User("a".to_owned()),
                action: "alert.resolve".to_owned(),
                subject: first.clone(),
                why: None,
                before: None,
                after: None,
            };
            assert!(store.handle(&first, &handling, &entry).expect("handles"));
        }

        let drain = async |now_ms: i64| {
            let deliverer = Deliverer {
                store: Arc::clone(&store) as Arc<dyn Store>,
                outputs: BTreeMap::from([("out".to_owned(), Arc::clone(&pager))]),
                routes: Routes::new(vec!["out".to_owned()], None),
                policy: Policy::default(),
                clock: Arc::new(At(now_ms)),
                poll: POLL,
                wake: Arc::default(),
            };
            let (_mode, receiver) = watch::channel(Mode::Drain { deadline_ms: None });
            deliverer.run(receiver).await.expect("delivers")
        };
        let all = if updates { 4 } else { 3 };
        assert_eq!((drain(NOW + 10).await.pending(), fake.got().len()), (all, 1), "its incident is not there yet");
        let drained = drain(NOW + 2 * MINUTE).await;
        assert_eq!((drained.pending(), drained.dead()), (0, 0), "{drained:?}");
        // Two that stand are two incidents.
        let (known, apart) = (format!("iota-{first}"), format!("iota-{third}"));
        let actions = [&["trigger"][..], if updates { &["trigger"] } else { &[] }, &["acknowledge", "resolve"]].concat();
        let of_first = actions.into_iter().map(|action| (known.clone(), action.to_owned()));
        let expected: Vec<_> = std::iter::once((apart, "trigger".to_owned())).chain(of_first).collect();
        assert_eq!(incidents.lock().expect("no panic").taken, expected);
    }
}
