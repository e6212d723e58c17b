//! Kills the binary at every step and at random times, starts it again until it is done, and compares what is there then
//! with a run that nobody disturbed: once with alerts that are printed, once with alerts that two outputs get over HTTP.
//!
//! `IOTA_CRASH_RUNS` says how many processes are killed in each of the two; the long form is 1,000.

use crate::harness::{Files, NOW, iota};
use iota_engine::store::{AlertFilter, ClassFilter, Desk, Ledger, PairFilter, RejectFilter, StoredAlert};
use iota_service::store::Sqlite;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// Every step of a run that changes something outside, up to the commit.
const COMMIT: [&str; 11] = [
    "open.created",
    "open.connected",
    "open.migrating",
    "open.migrated",
    "unit.full",
    "commit.seen",
    "commit.cells",
    "commit.alerts",
    "commit.state",
    "commit.finished",
    "unit.committed",
];
/// The steps of an alert that is printed, and of one that goes to outputs.
const PRINT: [&str; 3] = ["deliver.leased", "deliver.written", "deliver.settled"];
const SEND: [&str; 4] = ["send.leased", "send.sent", "send.judged", "send.settled"];
/// Processes killed on one state before it is left to finish.
const KILLS: usize = 4;

/// Four files with records that match, fail, repeat and are rejected.
fn files() -> Files {
    let files = Files::new(&[
        (
            "rules/one.py",
            "def rule(event):\n    return event['n'] % 5 == 0\ndef dedup(event):\n    return str(event['n'] % 40)\n",
        ),
        (
            "rules/three.py",
            "def rule(event):\n    return event['n'] % 3 == 0\ndef dedup(event):\n    return str(event['n'] % 11)\n",
        ),
        (
            "rules/three.yml",
            "AnalysisType: rule\nRuleID: three\nFilename: three.py\nEnabled: true\nLogTypes: [AWS.CloudTrail]\nSeverity: HIGH\nThreshold: 3\nDedupPeriodMinutes: 15\n",
        ),
        ("rules/signal.py", "def rule(event):\n    return event['n'] % 50 == 0\n"),
        (
            "rules/signal.yml",
            "AnalysisType: rule\nRuleID: signal\nFilename: signal.py\nEnabled: true\nLogTypes: [AWS.CloudTrail]\nSeverity: LOW\nCreateAlert: false\n",
        ),
        ("rules/fails.py", "def rule(event):\n    return event['n'] % 100 == 0 and event['missing'] == 1\n"),
        (
            "rules/counts.py",
            "from panther_detection_helpers.caching import increment_counter\ndef rule(event):\n    return event['n'] % 4 == 0 and increment_counter('k') % 25 == 0\ndef dedup(event):\n    return str(event['n'])\n",
        ),
    ]);
    let record = |n: usize| {
        let (hour, minute) = (n / 60 % 24, n % 60);
        format!(
            "{{\"n\":{n},\"eventName\":\"E{}\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T{hour:02}:{minute:02}:00Z\"}}\n",
            n % 7
        )
    };
    for file in 0..4 {
        // The last hundred of each file are the first of the next.
        let records: String = (file * 600..file * 600 + 700).map(record).collect();
        files.write(&format!("in/{file}.jsonl"), format!("{records}broken {file}\n").as_bytes());
    }
    files
}

fn start(files: &Files, state: &Path, output: &Path, flags: &[&str], crash: Option<&str>) -> Child {
    let mut command = iota();
    command.args(["run", &files.path("in"), "--rules", &files.path("rules"), "--now", NOW, "--workers", "2", "--quiet"]);
    command.args(flags);
    command.arg("--state").arg(state).stdin(Stdio::null()).stdout(File::create(output).unwrap()).stderr(Stdio::null());
    if let Some(crash) = crash {
        command.env("IOTA_CRASH", crash);
    }
    command.spawn().unwrap()
}

/// All that is kept and was sent.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// Id, class, count, times, contents and who took over.
    alerts: BTreeSet<String>,
    deliveries: BTreeSet<String>,
    failed: BTreeSet<String>,
    rejects: BTreeSet<String>,
    counter: Json,
}

fn outcome(state: &Path) -> Outcome {
    let store = Sqlite::open_beside(state).unwrap();
    let alerts = store.alerts(&AlertFilter { class: ClassFilter::All, ..AlertFilter::default() }).unwrap();
    let deliveries = alerts.iter().flat_map(|alert| store.deliveries(&alert.alert_id).unwrap());
    let deliveries = deliveries.map(|delivery| format!("{:?} {:?} {:?}", delivery.id, delivery.action, delivery.state)).collect();
    let failed = store.failed_pairs(&PairFilter::default()).unwrap();
    let rejects = store.rejects(&RejectFilter::default()).unwrap();
    Outcome {
        // When it was created is another time in each run.
        alerts: alerts.iter().map(|alert| format!("{:?}", StoredAlert { created_ms: 0, ..alert.clone() })).collect(),
        deliveries,
        failed: failed.iter().map(|pair| format!("{} {:?} {}", pair.rule, pair.record, pair.raw.len())).collect(),
        rejects: rejects.iter().map(|reject| format!("{:?} {} {:?}", reject.origin, reject.reason, reject.bytes)).collect(),
        counter: store.rule_state("rules", "counter", "k").unwrap(),
    }
}

/// What came out: where, id and action of each alert.
type Told = BTreeSet<(String, String, String)>;

fn told(place: &str, alert: &[u8]) -> (String, String, String) {
    let alert: Json = serde_json::from_slice(alert).unwrap();
    let text = |name: &str| alert[name].as_str().unwrap().to_owned();
    (place.to_owned(), text("alert_id"), text("action"))
}

/// What was printed. A line that the end of the process cut does not count.
fn printed(output: &Path) -> Told {
    let text = std::fs::read_to_string(output).unwrap();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| told("stdout", line.as_bytes())).collect()
}

/// Takes alerts over HTTP, and notes what came whole, by the path that it was sent to.
struct Receiver {
    address: String,
    told: Arc<Mutex<Told>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, told) = (listener.local_addr().unwrap().to_string(), Arc::<Mutex<Told>>::default());
        let all = Arc::clone(&told);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let told = Arc::clone(&all);
                // A sender that is killed ends its connection anywhere.
                thread::spawn(move || stream.and_then(|stream| serve(stream, &told)));
            }
        });
        Self { address, told }
    }

    /// What has come since it was asked last.
    fn take(&self) -> Told {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

fn serve(stream: TcpStream, all: &Mutex<Told>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line)? {
                0 => return Ok(()),
                1 | 2 => break,
                _ => {}
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            path.get_or_insert_with(|| line.split(' ').nth(1).unwrap().to_owned());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        all.lock().unwrap().insert(told(&path.unwrap(), &body));
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}

/// Numbers that look random and are the same every time.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

#[test]
fn whatever_instant_the_process_is_killed_at_nothing_is_lost() {
    nothing_is_lost(&files(), &["--updates"], &[&COMMIT[..], &PRINT].concat(), None);
}

#[test]
fn whatever_instant_the_process_is_killed_at_every_output_gets_every_alert() {
    let (files, receiver) = (files(), Receiver::start());
    let output =
        |name: &str| format!("  {name}: {{type: webhook, url: 'http://{}/{name}', envelope: false}}\n", receiver.address);
    let config = format!("version: 1\noutputs:\n{}{}deliver:\n  max_per_hour: 0\n", output("one"), output("two"));
    let config = files.write("iota.yaml", config.as_bytes());
    let flags = ["--deliver", "--config", &config];
    nothing_is_lost(&files, &flags, &[&COMMIT[..], &SEND].concat(), Some(&receiver));
}

fn nothing_is_lost(files: &Files, flags: &[&str], points: &[&'static str], receiver: Option<&Receiver>) {
    let sent = |output: &Path| receiver.map_or_else(|| printed(output), Receiver::take);
    let directory = tempfile::tempdir().unwrap();
    let (state, output) = (directory.path().join("undisturbed"), directory.path().join("undisturbed.out"));
    let started = Instant::now();
    assert_eq!(start(files, &state, &output, flags, None).wait().unwrap().code(), Some(3), "rejects and rule errors");
    let whole = started.elapsed();
    let (expected, expected_sent) = (outcome(&state), sent(&output));
    assert!(expected.alerts.len() > 100 && expected.failed.len() == 25 && expected.rejects.len() == 4, "{expected:#?}");
    assert!(expected.counter["value"] == 625, "{}", expected.counter);

    #[expect(clippy::disallowed_methods, reason = "no setting of iota")]
    let runs: usize = std::env::var("IOTA_CRASH_RUNS").map_or(50, |runs| runs.parse().unwrap());
    let (mut random, mut killed, mut at_points) = (20_u64, 0, BTreeSet::new());
    for number in 0.. {
        if killed >= runs {
            break;
        }
        let state = directory.path().join(format!("state-{number}"));
        let mut all = BTreeSet::new();
        for kill in 0..KILLS {
            let output = directory.path().join(format!("out-{number}-{kill}"));
            // Each point in its turn, at the first times and at later ones; every fourth at any time instead.
            let turn = number * KILLS + kill;
            let hit = 1 + next(&mut random) % [1, 3, 40][turn % 3];
            let point = (turn % 4 != 3).then(|| points[(turn - turn / 4) % points.len()]);
            let crash = point.map(|point| format!("{point}:{}", if point.starts_with("open") { 1 } else { hit }));
            let mut child = start(files, &state, &output, flags, crash.as_deref());
            if point.is_none() {
                thread::sleep(whole * (next(&mut random) % 1_000) as u32 / 1_000);
                let _ = child.kill();
            }
            let status = child.wait().unwrap();
            all.extend(sent(&output));
            if status.signal() == Some(9) {
                killed += 1;
                at_points.extend(point);
            }
        }
        let output = directory.path().join(format!("out-{number}"));
        let code = start(files, &state, &output, flags, None).wait().unwrap().code();
        assert!(matches!(code, Some(0 | 3)), "scenario {number}: {code:?}");
        all.extend(sent(&output));
        assert_eq!(outcome(&state), expected, "scenario {number}");
        assert_eq!(all, expected_sent, "scenario {number}");
        std::fs::remove_dir_all(&state).unwrap();
    }
    if runs >= 50 {
        assert_eq!(at_points, points.iter().copied().collect(), "every step was a last one");
    }
    #[expect(clippy::print_stdout, reason = "the figure of the long form")]
    {
        println!("{killed} processes were killed");
    }
}
