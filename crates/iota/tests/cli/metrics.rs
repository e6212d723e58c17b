//! What monitoring gets of `iota watch`: by HTTP, read by Prometheus' own parser.

use crate::harness::{EVERY, Files, root, run};
use crate::paused_packs::never_again;
use crate::watch::Watching;
use serde_json::Value as Json;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Reads what comes by its standard input, and writes `NAME{LABELS}` to value, as JSON.
const PARSER: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families
values, helps = {}, {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.type != 'unknown' and family.documentation, family
    for sample in family.samples:
        key = sample.name + ''.join(f' {name}={value}' for name, value in sorted(sample.labels.items()))
        assert key not in values, key
        values[key] = sample.value
json.dump(values, sys.stdout)
";

fn parse(text: &str) -> Json {
    let python = root().join(".venv/bin/python");
    let parser = Command::new(python).args(["-c", PARSER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut parser = parser.expect("`make .venv/ready` installs it");
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Status, and body.
fn ask(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn get(address: &str, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
}

/// Where it listens, by its log.
fn address(watching: &Watching) -> String {
    watching.until("it listens", |watching| watching.log().contains("metrics: http://"));
    let log = watching.log();
    let from = log.split("metrics: http://").nth(1).unwrap();
    from.split('/').next().unwrap().to_owned()
}

fn record(n: usize) -> String {
    format!("{{\"eventName\":\"E{n}\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T00:00:{n:02}Z\"}}\n")
}

#[test]
fn counts_of_a_watch_are_scraped_as_they_are() {
    let raises = "def rule(event):\n    return event['nothing']\n";
    let dies = "import os\ndef rule(event):\n    if event.get('eventID') == '0':\n        os._exit(1)\n    return False\n";
    let files = Files::new(&[
        ("rules/every.py", &format!("{EVERY}def dedup(event):\n    return event['eventID']\n")),
        ("rules/raises.py", raises),
        ("rules/dies.py", dies),
        ("off/r.py", &never_again()),
    ]);
    // A name that is no plain text.
    files.write(
        "rules/odd.yml",
        b"AnalysisType: rule\nRuleID: \"odd\\\\ \\\"name\\\"\"\nFilename: odd.py\nLogTypes: [AWS.CloudTrail]\nSeverity: Low\n",
    );
    files.write("rules/odd.py", b"def rule(event):\n    return False\n");
    files.write("in/a.jsonl", ((0..20).map(record).collect::<String>() + "no record\n").as_bytes());
    let watching =
        Watching::start(&files, &["--rules", &files.path("off"), "--metrics-listen", "127.0.0.1:0", "--workers", "1"], &[]);
    let address = address(&watching);
    let metrics = || {
        let (status, text) = get(&address, "/metrics");
        assert_eq!(status, 200, "{text}");
        parse(&text)
    };
    watching.until("all is delivered", |_| {
        metrics()["iota_deliveries output=stdout state=delivered"].as_f64().is_some_and(|count| count >= 21.0)
    });
    let found = metrics();
    let number = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{name}: {found:#}"));
    for (name, value) in [
        ("iota_rounds_total", 1.0),
        ("iota_inputs_total end=read", 1.0),
        ("iota_records_total end=evaluated", 20.0),
        ("iota_records_total end=rejected", 1.0),
        ("iota_rule_matches_total rule=rules/every", 20.0),
        ("iota_rule_errors_total rule=rules/raises", 20.0),
        ("iota_rule_errors_total rule=rules/dies", 1.0),
        ("iota_paused kind=pack name=off", 1.0),
        ("iota_pairs_total end=errored", 21.0),
        ("iota_pairs_not_run", 20.0),
        ("iota_rules", 5.0),
        ("iota_deliveries output=stdout state=pending", 0.0),
        ("iota_deliveries output=stdout state=dead", 0.0),
        ("iota_deliveries_oldest_pending_age_seconds output=stdout", 0.0),
        ("iota_state_reachable", 1.0),
        ("iota_newest_event_timestamp_seconds", 1_577_836_819.0),
        ("iota_worker_start_failures_total", 3.0),
    ] {
        assert!((number(name) - value).abs() < 1e-9, "{name} {value}: {found:#}");
    }
    assert!(number("iota_workers_died_total") >= 1.0 && number("iota_workers_started_total") > 1.0);
    assert!(number("iota_rule_seconds_total rule=rules/every") > 0.0);
    assert!(number("iota_alerts_total severity=INFO") >= 20.0);
    let names = || found.as_object().unwrap().keys();
    assert!(names().all(|name| name.starts_with("iota_")));
    assert!(names().any(|name| name.starts_with("iota_sandbox_info ") && name.contains("seccomp=true")), "{found:#}");
    assert!(names().any(|name| name == "iota_rule_calls_total rule=rules/odd\\ \"name\""), "{found:#}");
    // Series of a rule end with it.
    let has = |rule: &str| metrics().get(format!("iota_rule_calls_total rule=rules/{rule}")).is_some();
    assert!(has("dies"));
    fs::remove_file(files.path("rules/dies.py")).unwrap();
    watching.signal("-HUP");
    watching.until("those of a rule that is gone are", |_| !has("dies"));
    assert!(has("every"));
    watching.end();
}

#[test]
fn probes_are_answered_and_nothing_else_is() {
    let files = Files::new(&[("rules/every.py", &format!("import time\ntime.sleep(3)\n{EVERY}"))]);
    let watching = Watching::start(&files, &[], &[("IOTA_METRICS_LISTEN", "127.0.0.1:0")]);
    let address = address(&watching);
    // While rules are loaded.
    assert_eq!((get(&address, "/readyz"), get(&address, "/healthz").0), ((503, "starting\n".to_owned()), 200));
    let (status, text) = get(&address, "/metrics");
    assert_eq!((status, parse(&text)["iota_state_reachable"].as_f64()), (200, Some(0.0)), "{text}");
    watching.until("it is ready", |_| get(&address, "/readyz").0 == 200);
    assert_eq!(get(&address, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&address, "/").0, 404);
    assert_eq!(ask(&address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").0, 405);
    // A head that does not end, and what is no HTTP.
    for junk in [format!("GET /{}", "x".repeat(1 << 20)).as_bytes(), b"\x16\x03\x01\0\0\r\n\r\n"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        // It may be cut off before all is written.
        let _ = stream.write_all(junk);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // Who says nothing, or half of it, keeps nobody waiting.
    let mut silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for stream in silent.iter_mut().skip(20) {
        // It may be cut off already.
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\n");
    }
    let asked = Instant::now();
    assert_eq!(get(&address, "/healthz").0, 200);
    assert!(asked.elapsed() < Duration::from_secs(5), "before the silent ones had their time");
    drop(silent);
    watching.end();
}

#[test]
fn a_wrong_or_taken_address_is_said_before_anything_is_read() {
    let files = Files::new(&[("rules/every.py", EVERY), ("in/a.jsonl", &record(1))]);
    let (input, rules, state) = (files.path("in"), files.path("rules"), files.path("state"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (listen, why) in [("9464", "an address and a port such as 127.0.0.1:9464"), (taken.as_str(), "in use")] {
        let ran = run(&["watch", "--events-dir", &input, "--rules", &rules, "--state", &state, "--metrics-listen", listen]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("metrics.listen") && ran.stderr.contains(why), "{}", ran.stderr);
        assert!(!std::path::Path::new(&state).exists());
    }
}
