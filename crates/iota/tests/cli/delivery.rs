//! Alerts through the outbox to outputs, and what people see and change of them.

use crate::harness::{EVERY, Files, iota, run};
use iota_engine::aggregate::{Cut, GroupKey, Window};
use iota_engine::event::format_ms;
use iota_engine::store::{AlertFilter, Delivery, Desk};
use iota_service::store::Sqlite;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const RECORDS: &str = concat!(
    r#"{"eventName":"A","eventID":"1","eventTime":"2026-01-01T00:00:00Z","recipientAccountId":"111122223333"}"#,
    "\n",
    r#"{"eventName":"B","eventID":"2","eventTime":"2026-01-01T00:00:00Z","recipientAccountId":"444455556666"}"#,
    "\n",
    r#"{"eventName":"C","eventID":"3","eventTime":"2026-01-01T00:00:00Z","recipientAccountId":"111122223333"}"#,
    "\n",
);

struct Site(Files);

impl Site {
    fn new(config: &str) -> Self {
        let rule = EVERY.replace("return str(event.get('eventName'))", "return event.get('eventName') + ' in {account_name}'");
        let files = Files::new(&[("rules/r.py", &rule), ("in.jsonl", RECORDS)]);
        files.write("accounts.yaml", b"version: 1\naccounts:\n  111122223333: {name: shop, environment: prod}\n");
        files.write(
            "iota.yaml",
            format!("version: 1\nstate: state\nrules: [rules]\naccounts: accounts.yaml\n{config}").as_bytes(),
        );
        Self(files)
    }

    /// Exit code and standard output of a command.
    fn iota(&self, args: &[&str]) -> (Option<i32>, String) {
        let ran = run(&[args, &["--config", &self.0.path("iota.yaml")]].concat());
        (ran.code, format!("{}{}", ran.stdout, if ran.code == Some(2) { ran.stderr } else { String::new() }))
    }

    fn deliver(&self) -> Option<i32> {
        self.iota(&["run", &self.0.path("in.jsonl"), "--deliver"]).0
    }

    fn list(&self, args: &[&str]) -> Vec<Json> {
        let (code, text) = self.iota(&[&["alerts", "list", "--format", "jsonl"], args].concat());
        assert_eq!(code, Some(0), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Titles that an output of files got, in order of the alphabet.
    fn got(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.0.path(file)).unwrap_or_default();
        let title = |line: &str| serde_json::from_str::<Json>(line).unwrap()["title"].as_str().unwrap().to_owned();
        let mut titles: Vec<_> = text.lines().map(title).collect();
        titles.sort();
        titles
    }

    /// Records of the audit log whose action begins so.
    fn recorded(&self, actions: &str) -> Vec<Json> {
        let (_, audit) = self.iota(&["audit", "list", "--format", "jsonl"]);
        let records = audit.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        records.filter(|record| record["action"].as_str().unwrap().starts_with(actions)).collect()
    }
}

fn actions(records: &[Json]) -> Vec<&str> {
    records.iter().map(|record| record["action"].as_str().unwrap()).collect()
}

const TWO: &str = "\
outputs:
  all: {type: file, path: all.jsonl}
  prod: {type: file, path: prod.jsonl}
routes:
  - {outputs: [all]}
  - {outputs: [prod], environments: prod}
";

#[test]
fn alerts_go_where_the_routes_say_once() {
    let site = Site::new(TWO);
    assert_eq!(site.deliver(), Some(0));
    assert_eq!(site.got("all.jsonl"), ["A in shop", "B in 444455556666", "C in shop"]);
    assert_eq!(site.got("prod.jsonl"), ["A in shop", "C in shop"]);
    assert_eq!(site.deliver(), Some(0));
    assert_eq!(site.got("all.jsonl").len(), 3, "what was read is not read again");
    let (_, outputs) = site.iota(&["outputs", "list"]);
    assert!(
        outputs.lines().any(|line| line.split_whitespace().collect::<Vec<_>>()[..5] == ["all", "file", "0", "-", "3"]),
        "{outputs}"
    );
}

#[test]
fn what_people_do_is_kept_and_recorded() {
    let site = Site::new(TWO);
    site.deliver();
    let alerts = site.list(&[]);
    let id = alerts[0]["alert_id"].as_str().unwrap();
    assert_eq!(alerts[0]["status"], "open");
    assert_eq!(site.iota(&["alerts", "ack", id, "--why", "looking"]).1, format!("{id}: acknowledged\n"));
    assert_eq!(site.list(&["--status", "acknowledged"]).len(), 1);
    let refused = |args: &[&str], why: &str| {
        let (code, error) = site.iota(args);
        assert!(code == Some(2) && error.contains(why), "{error}");
    };
    refused(&["alerts", "ack", id], "is acknowledged already");
    assert_eq!(site.iota(&["alerts", "close", id, "--as", "false_positive"]).0, Some(0));
    refused(&["alerts", "ack", id], "is closed_false_positive; only an open alert can be acknowledged");
    refused(&["alerts", "close", id, "--as", "false_positive"], "is closed_false_positive already");
    assert_eq!(site.iota(&["alerts", "resend", id, "--output", "all"]).1, format!("{id}: 1 delivery added\n"));
    site.deliver();
    assert_eq!(site.got("all.jsonl").len(), 4, "sent again by the next run");
    let shown: Json = serde_json::from_str(&site.iota(&["alerts", "show", id]).1).unwrap();
    assert_eq!(shown["status"], "closed_false_positive");
    assert!(shown["deliveries"].as_array().unwrap().iter().all(|delivery| delivery["state"] == "delivered"));
    let records = site.recorded("alert.");
    assert_eq!(actions(&records), ["alert.ack", "alert.close", "alert.resend"]);
    assert_eq!((&records[0]["actor"]["user"], &records[0]["why"]), (&Json::from(crate::audit::user()), &Json::from("looking")));
    let (code, verdict) = site.iota(&["audit", "verify"]);
    assert_eq!(code, Some(0));
    assert!(verdict.starts_with(&format!("{} records, unchanged; last hash: ", site.recorded("").len())), "{verdict}");
    let (code, error) = site.iota(&["alerts", "ack", "0000"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("there is no alert 0000"), "{error}");
}

#[test]
fn the_beginning_of_an_id_means_the_alert_when_no_other_begins_with_it() {
    let site = Site::new(TWO);
    site.deliver();
    let alerts = site.list(&[]);
    let id = alerts[0]["alert_id"].as_str().unwrap();
    assert_eq!(site.iota(&["alerts", "ack", &id[..6]]).1, format!("{id}: acknowledged\n"));
    assert_eq!(site.iota(&["alerts", "resend", &id[..10], "--output", "all"]).1, format!("{id}: 1 delivery added\n"));
    assert_eq!(site.iota(&["alerts", "show", &id[..8]]), site.iota(&["alerts", "show", id]));
    assert_eq!(site.iota(&["dlq", "list", &id[..6]]).1, "no dead letters\n");
    for (given, expected) in [
        (&id[..5], "the first 6 characters of an id, or more, do if no other begins with them"),
        ("zzzzzzz", "there is no alert zzzzzzz"),
        ("%", "there is no alert %"),
    ] {
        for command in ["alerts", "dlq"] {
            let (code, error) = site.iota(&[command, "show", given]);
            assert!(code == Some(2) && error.contains(expected), "{command} {given}: {error}");
        }
    }
    // Ids are hashes: that two begin alike is made here.
    let sql = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(\"UPDATE alerts SET alert_id = 'abcdef' || substr(alert_id, 7)\"); d.commit()";
    assert!(Command::new("python3").args(["-c", sql, &site.0.path("state/iota.db")]).status().unwrap().success());
    let (code, error) = site.iota(&["alerts", "ack", "abcdef"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("the ids of several alerts begin with abcdef: abcdef"), "{error}");
    assert!(error.contains("; give more of the one that is meant"), "{error}");
}

#[test]
fn outputs_that_are_not_used_are_told_of() {
    let site = Site::new(TWO);
    let args = ["run", &site.0.path("in.jsonl"), "--config", &site.0.path("iota.yaml")];
    assert!(run(&args).stderr.contains("without --deliver alerts are printed"));
    assert!(!run(&[&args[..], &["--deliver"]].concat()).stderr.contains("without --deliver"));
}

#[test]
fn what_is_suppressed_is_kept_counted_listed_and_goes_nowhere() {
    let site = Site::new(&format!("{TWO}suppressions: suppressions.yaml\nsuppression_days: 36500\n"));
    let entry = |name: &str| {
        format!(
            "version: 1\nsuppressions:\n  - {{id: known, account: shop, fields: {{eventName: {name}}}, owner: o, reason: tested, expires: 2100-01-01}}\n"
        )
    };
    site.0.write("suppressions.yaml", entry("A").as_bytes());
    assert_eq!(site.deliver(), Some(0));
    assert_eq!(site.got("all.jsonl"), ["B in 444455556666", "C in shop"]);
    assert_eq!(site.list(&[]).len(), 2);
    let hidden = site.list(&["--suppressed"]);
    assert_eq!((hidden.len(), &hidden[0]["title"]), (1, &Json::from("A in shop")));
    let (_, list) = site.iota(&["suppress", "list"]);
    assert!(list.contains("known") && list.contains("active") && list.contains("tested"), "{list}");
    let other = site.0.write("other.yaml", entry("C").as_bytes());
    let (_, preview) = site.iota(&["suppress", "preview", &other]);
    let expected = "would have been hidden: 1 of 2 alerts, 0 of 0 signals; and 0 of 1 alert that are suppressed already\n";
    assert!(preview.contains("C in shop") && preview.ends_with(expected), "{preview}");
    let expired = site.0.write("expired.yaml", entry("C").replace("2100", "2020").as_bytes());
    let (_, preview) = site.iota(&["suppress", "preview", &expired]);
    assert!(preview.contains("known expired at 2020-01-01T00:00:00: it hides nothing any more\n"), "{preview}");
    // A change, then its removal: both are recorded by the next run.
    site.0.write("suppressions.yaml", entry("[A, C]").as_bytes());
    site.deliver();
    site.0.write("suppressions.yaml", b"version: 1\n");
    site.deliver();
    let records = site.recorded("suppression.");
    assert_eq!(actions(&records), ["suppression.add", "suppression.hit", "suppression.change", "suppression.remove"]);
}

#[test]
fn an_output_that_cannot_be_reached_keeps_its_alerts_and_the_other_has_them() {
    let site =
        Site::new("outputs:\n  good: {type: file, path: good.jsonl}\n  down: {type: webhook, url: 'http://127.0.0.1:9/x'}\n");
    assert_eq!(site.deliver(), Some(3), "some are left");
    assert_eq!(site.got("good.jsonl").len(), 3);
    let (code, tested) = site.iota(&["outputs", "test"]);
    assert_eq!(code, Some(1), "{tested}");
    assert!(tested.contains("down: failed, would be tried again") && tested.contains("good: "), "{tested}");
    assert_eq!(site.iota(&["dlq", "list"]).1, "no dead letters\n");
    assert_eq!(site.iota(&["dlq", "redrive"]).0, Some(2), "not all by mistake");
}

#[test]
fn names_of_outputs_that_are_not_there_are_refused_with_their_line() {
    let site = Site::new("outputs:\n  chat: {type: stdout}\nroutes:\n  - {outputs: [caht]}\n");
    let (code, error) = site.iota(&["outputs", "list"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("iota.yaml:8: routes[0].outputs: there is no output `caht`; did you mean `chat`?"), "{error}");
}

/// A server that answers every request with the status that `answer` holds, and counts those that it took.
pub(crate) fn receiver(answer: &Arc<AtomicU16>, taken: &Arc<AtomicU16>, body: &'static str) -> String {
    let (answer, taken) = (Arc::clone(answer), Arc::clone(taken));
    server(move |_| {
        let status = answer.load(Ordering::SeqCst);
        taken.fetch_add(u16::from(status == 200), Ordering::SeqCst);
        (status, body)
    })
}

/// Its address. It answers the body of each request with a status and a body.
fn server(answer: impl Fn(&[u8]) -> (u16, &'static str) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap() <= 2 {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut request = vec![0; length];
            stream.read_exact(&mut request).unwrap();
            let (status, body) = answer(&request);
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.get_mut().write_all((head + body).as_bytes()).unwrap();
        }
    });
    url
}

/// What PagerDuty makes of events: a trigger opens an incident unless one of its key is there, and what follows is for the
/// incident of its key or, where there is none, for nothing.
#[derive(Clone, Default)]
struct Incidents(Arc<Mutex<BTreeMap<String, String>>>);

impl Incidents {
    fn take(&self, event: &[u8]) {
        let event: Json = serde_json::from_slice(event).unwrap();
        let (key, action) = (event["dedup_key"].as_str().unwrap(), event["event_action"].as_str().unwrap());
        let mut incidents = self.0.lock().unwrap();
        if action == "trigger" {
            incidents.entry(key.to_owned()).or_insert_with(|| "trigger".to_owned());
        } else if let Some(incident) = incidents.get_mut(key) {
            action.clone_into(incident);
        }
    }

    fn are(&self) -> Vec<String> {
        self.0.lock().unwrap().values().cloned().collect()
    }
}

#[test]
fn an_alert_that_took_over_another_has_the_incident_of_that_one() {
    for updates in [false, true] {
        let incidents = Incidents::default();
        let taken = incidents.clone();
        let url = server(move |event| {
            taken.take(event);
            (202, "{}")
        });
        let config = format!(
            "outputs:\n  pager: {{type: pagerduty, routing_key: 'file:routing-key', url: '{url}', updates: {updates}}}\n"
        );
        let site = Site::new(&config);
        site.0.write("routing-key", &[b'k'; 32]);
        site.0.write("rules/r.yml", b"AnalysisType: rule\nRuleID: r\nFilename: r.py\nThreshold: 3\nDedupPeriodMinutes: 60\n");
        site.0.write("rules/r.py", b"def rule(event):\n    return True\n\ndef dedup(event):\n    return 'd'\n");
        let key = GroupKey { pack: "rules".into(), rule: "r".into(), dedup: "d".into() };
        let cut = Cut::new(key.digest(), Window { ms: 3_600_000, threshold: 3 });
        let at = |minute: i64| 1_700_000_000_000 + minute * 60_000;
        let edge = (0..60).find(|&minute| cut.cell(at(minute)) != cut.cell(at(minute + 1))).unwrap();
        let record = |id: i64, minute: i64| {
            let time = format_ms(at(minute));
            format!(r#"{{"eventName":"A","eventID":"{id}","eventTime":"{}Z"}}"#, &time[..19])
        };
        site.0.write("in.jsonl", (1..=3).map(|id| record(id, edge + id) + "\n").collect::<String>().as_bytes());
        assert_eq!(site.deliver(), Some(0));
        let first = ids(&site).remove(0);
        assert_eq!(incidents.are(), ["trigger"]);
        site.0.write("late.jsonl", record(9, edge).as_bytes());
        let late = || site.iota(&["run", &site.0.path("late.jsonl"), "--deliver"]);
        assert_eq!(late().0, Some(0));
        let second = ids(&site).into_iter().find(|id| *id != first).expect("the late match moved the start back");
        assert_eq!(incidents.are(), ["trigger"], "no second page, updates: {updates}");
        let (code, error) = site.iota(&["alerts", "resolve", &first]);
        assert!(code == Some(2) && error.contains(&format!("give {second} instead")), "{error}");
        for (command, is) in [("ack", "acknowledge"), ("resolve", "resolve")] {
            assert_eq!(site.iota(&["alerts", command, &second]).0, Some(0));
            assert_eq!(late().0, Some(0));
            assert_eq!(incidents.are(), [is]);
        }
    }
}

/// Who was told that it is resolved is not told again when it is closed.
#[test]
fn what_is_resolved_is_closed_without_another_word() {
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let got = Arc::clone(&events);
    let url = server(move |event| {
        let event: Json = serde_json::from_slice(event).unwrap();
        got.lock().unwrap().push(event["event_action"].as_str().unwrap().to_owned());
        (202, "{}")
    });
    let site = Site::new(&format!("outputs:\n  pager: {{type: pagerduty, routing_key: 'file:routing-key', url: '{url}'}}\n"));
    site.0.write("routing-key", &[b'k'; 32]);
    site.0.write("in.jsonl", RECORDS.lines().next().unwrap().as_bytes());
    assert_eq!(site.deliver(), Some(0));
    let id = &ids(&site)[0];
    let told = |command: &[&str]| -> Vec<String> {
        assert_eq!(site.iota(command).0, Some(0), "{command:?}");
        assert_eq!(site.deliver(), Some(0));
        events.lock().unwrap().drain(..).collect()
    };
    assert_eq!(told(&["alerts", "resolve", id]), ["trigger", "resolve"]);
    assert_eq!(told(&["alerts", "close", id, "--as", "true_positive"]), [""; 0]);
    assert_eq!(told(&["alerts", "resend", id]), ["trigger"], "which opens an incident again");
    assert_eq!(told(&["alerts", "resolve", id]), ["resolve"]);
}

#[test]
fn dead_letters_are_listed_sent_again_or_dropped_by_people() {
    let (answer, taken) = (Arc::new(AtomicU16::new(400)), Arc::default());
    let url = receiver(&answer, &taken, "");
    let site = Site::new(&format!("outputs:\n  hook: {{type: webhook, url: '{url}'}}\n"));
    let stats = site.0.path("stats.json");
    let ran = run(&["run", &site.0.path("in.jsonl"), "--deliver", "--stats", &stats, "--config", &site.0.path("iota.yaml")]);
    assert_eq!(ran.code, Some(3), "what was refused is told: {}", ran.stderr);
    assert!(ran.stderr.contains("3 alerts given up or refused by an output: `iota dlq list` says why"), "{}", ran.stderr);
    let stats: Json = serde_json::from_str(&fs::read_to_string(stats).unwrap()).unwrap();
    let counts = serde_json::json!({"added": 3, "unrouted": 0, "delivered": 0, "limited": 0, "dead": 3, "pending": 0});
    assert_eq!(stats["deliveries"], counts);
    let dead = || site.iota(&["dlq", "list", "--format", "jsonl"]).1.lines().count();
    assert_eq!(dead(), 3);
    let shown: Json = serde_json::from_str(&site.iota(&["dlq", "show", &ids(&site)[0]]).1).unwrap();
    assert!(shown["why"].as_str().unwrap().contains("status 400"), "{shown:#}");
    assert_eq!(shown["alert"]["alert_id"], ids(&site)[0]);
    answer.store(200, Ordering::SeqCst);
    let first = &ids(&site)[0];
    assert_eq!(site.iota(&["dlq", "redrive", first, "--why", "mended"]), (Some(0), "1 due again\n".to_owned()));
    assert_eq!(site.deliver(), Some(0));
    assert_eq!((taken.load(Ordering::SeqCst), dead()), (1, 2));
    assert_eq!(site.iota(&["dlq", "drop", "--output", "hook", "--why", "old"]), (Some(0), "2 dropped\n".to_owned()));
    let (code, said) = site.iota(&["dlq", "redrive", "--output", "nowhere", "--all"]);
    assert!(code == Some(2) && said.contains("there are no such dead letters"), "{said}");
    assert_eq!(site.deliver(), Some(0));
    assert_eq!((taken.load(Ordering::SeqCst), dead()), (1, 0));
    let recorded = site.recorded("dlq.");
    let told = |n: usize| (recorded[n]["action"].as_str().unwrap(), recorded[n]["why"].as_str().unwrap());
    assert_eq!((told(0), told(1), recorded.len()), (("dlq.redrive", "mended"), ("dlq.drop", "old"), 2));
    assert_eq!(recorded[1]["before"].as_array().unwrap().len(), 2, "what was dropped is named");
}

/// Whatever instant the process ends at: the alert, who is told of it, and the record of it go together.
#[test]
fn what_people_do_is_done_as_a_whole_or_not_at_all() {
    let (answer, taken) = (Arc::new(AtomicU16::new(200)), Arc::default());
    let url = receiver(&answer, &taken, "");
    let site = Site::new(&format!("outputs:\n  hook: {{type: webhook, url: '{url}'}}\n"));
    assert_eq!(site.deliver(), Some(0));
    let id = &ids(&site)[0];
    let seen = || {
        let shown: Json = serde_json::from_str(&site.iota(&["alerts", "show", id]).1).unwrap();
        let log = site.iota(&["audit", "list", "--format", "jsonl"]).1.lines().count();
        (shown["status"].clone(), shown["deliveries"].as_array().unwrap().len(), log)
    };
    let before = seen();
    for command in [
        &["alerts", "ack", id][..],
        &["alerts", "close", id, "--as", "false_positive"],
        &["alerts", "resend", id, "--output", "hook"],
    ] {
        let mut killed = iota();
        killed.args(command).args(["--config", &site.0.path("iota.yaml")]).env("IOTA_CRASH", "desk.changed:1");
        assert_eq!(killed.output().unwrap().status.signal(), Some(9), "{command:?}");
        assert_eq!(seen(), before, "{command:?}");
    }
    assert_eq!(site.iota(&["alerts", "ack", id]).0, Some(0));
    assert_eq!(seen(), ("acknowledged".into(), before.1 + 1, before.2 + 1));
}

#[test]
fn dead_letters_that_are_not_there_are_said_not_to_be() {
    let site = Site::new(TWO);
    site.deliver();
    let (code, said) = site.iota(&["dlq", "show", &ids(&site)[0]]);
    assert!(code == Some(2) && said.contains("there are no such dead letters"), "{said}");
}

/// A run over the past is about the past; what it sends is sent now, and kept from now on.
#[test]
fn a_stated_time_is_for_rules_and_not_for_deliveries() {
    let (answer, taken) = (Arc::new(AtomicU16::new(503)), Arc::default());
    let url = receiver(&answer, &taken, "");
    let site = Site::new(&format!("outputs:\n  hook: {{type: webhook, url: '{url}'}}\n"));
    let started = jiff::Timestamp::now().as_millisecond();
    let input = site.0.path("in.jsonl");
    let at = ["--now", "2026-01-02T00:00:00Z"];
    let mut ran = iota();
    ran.args(["run", &input, "--deliver", "--config", &site.0.path("iota.yaml")]).args(at);
    let mut ran = ran.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let store = || Sqlite::open_beside(Path::new(&site.0.path("state")));
    let failed = || -> Vec<Delivery> {
        let Ok(store) = store() else { return Vec::new() };
        let alerts = store.alerts(&AlertFilter::default()).unwrap_or_default();
        let all = alerts.iter().flat_map(|alert| store.deliveries(&alert.alert_id).unwrap());
        all.filter(|delivery| delivery.attempts > 0).collect()
    };
    while failed().is_empty() {
        assert!(jiff::Timestamp::now().as_millisecond() - started < 60_000);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(failed().iter().all(|delivery| delivery.created_ms >= started && delivery.last_error.is_some()), "{:?}", failed());
    answer.store(200, Ordering::SeqCst);
    assert_eq!(ran.wait().unwrap().code(), Some(0), "it is not given up for its age");
    let alert = store().unwrap().alerts(&AlertFilter::default()).unwrap().remove(0);
    assert_eq!((alert.created_ms >= started, alert.detected_ms), (true, 1_767_312_000_000));
    // A run of today forgets what is old, and this is not.
    site.0.write("more.jsonl", b"");
    assert_eq!(site.iota(&["run", &site.0.path("more.jsonl")]).0, Some(0));
    assert_eq!(site.list(&[]).len(), 3);
}

fn ids(site: &Site) -> Vec<String> {
    let mut ids: Vec<_> = site.list(&[]).iter().map(|alert| alert["alert_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Printed by a run without `--deliver`, an alert went to no output of the configuration.
#[test]
fn an_alert_is_sent_again_only_where_an_output_is() {
    let site = Site::new(TWO);
    assert_eq!(site.iota(&["run", &site.0.path("in.jsonl")]).0, Some(0));
    let id = &ids(&site)[0];
    let (code, error) = site.iota(&["alerts", "resend", id]);
    assert!(code == Some(2) && error.contains("went to stdout, which is not in the configuration"), "{error}");
    assert_eq!(site.iota(&["alerts", "resend", id, "--output", "all"]).0, Some(0));
    assert_eq!(site.deliver(), Some(0));
    assert_eq!(site.got("all.jsonl").len(), 1);
}

#[test]
fn an_audit_log_that_was_edited_is_found_out() {
    let site = Site::new(TWO);
    site.deliver();
    for id in ids(&site) {
        assert_eq!(site.iota(&["alerts", "ack", &id, "--why", "seen"]).0, Some(0));
    }
    assert_eq!(site.iota(&["audit", "verify"]).0, Some(0));
    let number = site.recorded("alert.")[1]["number"].as_u64().unwrap();
    let edit = |statement: &str| {
        let code = format!(
            "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.executescript(\"\"\"{statement}\"\"\"); d.commit()"
        );
        let done = Command::new("python3").args(["-c", &code, &site.0.path("state/iota.db")]).output().unwrap();
        (done.status.success(), String::from_utf8(done.stderr).unwrap())
    };
    let (done, refused) = edit(&format!("UPDATE audit SET entry = '{{}}' WHERE number = {number}"));
    assert!(!done && refused.contains("the audit log is append-only"), "{refused}");
    let change = format!("UPDATE audit SET entry = replace(entry, 'seen', 'nope') WHERE number = {number}");
    assert!(edit(&format!("DROP TRIGGER audit_is_not_changed; {change}")).0);
    assert_eq!(site.iota(&["audit", "verify"]), (Some(1), format!("audit record {number}: it, or its hash, was changed\n")));
    assert!(edit(&format!("DROP TRIGGER audit_is_not_deleted; DELETE FROM audit WHERE number = {number}")).0);
    assert_eq!(site.iota(&["audit", "verify"]), (Some(1), format!("audit record {number} is missing\n")));
}

#[test]
fn people_work_beside_a_process_that_has_the_state() {
    let site = Site::new("outputs:\n  all: {type: file, path: all.jsonl}\n");
    fs::create_dir(site.0.path("events")).unwrap();
    fs::rename(site.0.path("in.jsonl"), site.0.path("events/in.jsonl")).unwrap();
    let mut watching = iota();
    watching.args(["watch", "--events-dir", &site.0.path("events"), "--config", &site.0.path("iota.yaml")]);
    let mut watching = watching.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while site.got("all.jsonl").len() < 3 {
        assert!(started.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(50));
    }
    let id = &ids(&site)[0];
    assert_eq!(site.iota(&["alerts", "ack", id]).0, Some(0));
    assert_eq!(site.iota(&["alerts", "resend", id]).0, Some(0));
    while site.got("all.jsonl").len() < 4 {
        assert!(started.elapsed() < Duration::from_secs(120), "the process that runs sends it again");
        thread::sleep(Duration::from_millis(50));
    }
    let (code, refused) = site.iota(&["run", &site.0.path("events/in.jsonl")]);
    assert!(code == Some(2) && refused.contains("in use by another process"), "{refused}");
    assert!(Command::new("kill").args(["-TERM", &watching.id().to_string()]).status().unwrap().success());
    assert_eq!(watching.wait().unwrap().code(), Some(0));
    assert_eq!(site.iota(&["audit", "verify"]).0, Some(0));
}

#[test]
fn what_a_repaired_rule_finds_goes_to_the_outputs_when_asked() {
    let site = Site::new(TWO);
    let rule = fs::read_to_string(site.0.path("rules/r.py")).unwrap();
    site.0.write("rules/r.py", b"def rule(event):\n    return event['missing']\n");
    assert_eq!(site.deliver(), Some(3), "every pair failed");
    site.0.write("rules/r.py", rule.as_bytes());
    let ran = run(&["rerun", "--errors", "--deliver", "--why", "repaired", "--config", &site.0.path("iota.yaml")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    let mut got = site.got("all.jsonl");
    got.retain(|title| !title.starts_with("Rule "));
    assert_eq!((got.len(), site.got("prod.jsonl").len()), (3, 2));
    let (_, audit) = site.iota(&["audit", "list", "--format", "jsonl"]);
    let records: Vec<Json> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., asked, ended] = &records[..] else { panic!("{audit}") };
    assert_eq!((&asked["action"], &asked["why"]), (&Json::from("rerun"), &Json::from("repaired")));
    assert_eq!(asked["after"]["errors_only"], true);
    assert_eq!((&ended["action"], &ended["actor"]), (&Json::from("rerun.end"), &asked["actor"]));
    assert_eq!((&ended["after"]["settled"], &ended["after"]["alerts"]), (&Json::from(3), &Json::from(3)));
}

/// A rule whose metadata names outputs, beside the one of the site.
fn name_outputs(site: &Site, ids: &str) -> String {
    let metadata = format!(
        "AnalysisType: rule\nFilename: named.py\nRuleID: named\nEnabled: true\nSeverity: High\nLogTypes: [AWS.CloudTrail]\nOutputIds: {ids}\n"
    );
    site.0.write("rules/named.py", b"def rule(event):\n    return True\ndef title(event):\n    return 'named'\n");
    site.0.write("rules/named.yml", metadata.as_bytes());
    site.iota(&["check", &site.0.path("rules")]).1
}

#[test]
fn outputs_that_metadata_names_get_the_alerts_and_names_of_none_are_warned_of() {
    let site = Site::new(TWO);
    let said = name_outputs(&site, "[prod]");
    assert!(!said.contains("OutputIds"), "{said}");
    assert_eq!(site.deliver(), Some(0));
    assert_eq!(site.got("all.jsonl"), ["A in shop", "B in 444455556666", "C in shop"]);
    assert_eq!(site.got("prod.jsonl"), ["A in shop", "C in shop", "named"], "whatever the account is");

    let site = Site::new(TWO);
    let said = name_outputs(&site, "[prod, 0d8a5e2c]");
    let expected = "warning[unknown-output]: rule `named`: OutputIds: there is no output `0d8a5e2c`, so alerts go to the others";
    assert!(said.contains("named.yml:3: ") && said.contains(expected), "{said}");
    assert_eq!(site.deliver(), Some(0));
    assert_eq!(site.got("all.jsonl").len(), 3);

    let site = Site::new(TWO);
    let said = name_outputs(&site, "[0d8a5e2c]");
    assert!(said.contains("there is no output `0d8a5e2c`, so alerts go where the routes say"), "{said}");
    assert_eq!(site.deliver(), Some(0));
    assert!(site.got("all.jsonl").contains(&"named".to_owned()), "better the routes than nobody");

    let site = Site::new("");
    let said = name_outputs(&site, "[0d8a5e2c]");
    assert!(said.contains("note[unknown-output]: rule `named`: OutputIds `0d8a5e2c`: no outputs are configured here"), "{said}");
}
