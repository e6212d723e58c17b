//! Whatever a worker answers, the engine neither panics nor waits nor takes much memory for it, and every pair is accounted
//! for. The workers here are not Python: they send bytes that were written down before.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use iota_engine::event::{EventTime, Fingerprint, Identity};
use iota_engine::index::Candidate;
use iota_engine::rule::{Batch, BatchRecord, Outcome, Pack, Pair, RuleRunner, Snapshot, TestOutcome, TestRequest};
use iota_python::{Death, Interpreter, PackRunner, Program, Sandbox, SandboxMode, Stop, load};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CALL_TIME: Duration = Duration::from_millis(50);
const RECORDS: u32 = 3;
const RULES: u16 = 2;

/// Starts as a worker does and sends its bytes.
struct Hostile {
    directory: TempDir,
    program: Program,
}

impl Hostile {
    /// After its bytes it sends back what it is sent, for as long as it lives; or it ends.
    fn new(ends: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (script, bytes) = (directory.path().join("worker"), directory.path().join("bytes"));
        let (text, bytes) = (directory.path().join("text"), bytes.display());
        // Not before it was spoken to: else it may be gone before.
        let does = if ends { format!("head -c 5 >/dev/null\nexec cat '{bytes}'") } else { format!("exec cat '{bytes}' -") };
        fs::write(&text, format!("#!/bin/sh\n{does}\n")).unwrap();
        // By a process of its own: a worker that is started meanwhile would hold a script open that this one writes, and what
        // is open for writing cannot be run.
        assert!(Command::new("install").args(["-m", "755"]).args([&text, &script]).status().unwrap().success());
        let program = Program {
            interpreter: Interpreter { path: script.clone() },
            // So that it is not sent the source of the worker.
            engine: Some(script),
            sandbox: Sandbox::prepare(SandboxMode::Off).unwrap(),
            memory: 512 << 20,
            call_time: CALL_TIME,
            now_ms: Some(0),
            stop: Arc::<Stop>::default(),
            counts: Arc::default(),
        };
        Self { directory, program }
    }

    fn bytes(&self) -> PathBuf {
        self.directory.path().join("bytes")
    }

    /// Has it send these bytes to whoever asks it to run rules.
    fn evaluate(&self, bytes: &[u8]) -> Outcome {
        fs::write(self.bytes(), bytes).unwrap();
        let (batch, pairs) = batch();
        let mut runner = PackRunner::new(self.program.clone(), &pack(), &[0, 1], None);
        let started = Instant::now();
        let outcome = runner.evaluate(&batch, &pairs);
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        accounted_for(&outcome, &pairs);
        outcome
    }

    /// Has it send these bytes to whoever asks it to run a test of a rule.
    fn test(&self, bytes: &[u8]) -> Result<TestOutcome, Death> {
        fs::write(self.bytes(), bytes).unwrap();
        let log = RawValue::from_string("{}".to_owned()).unwrap();
        let request = TestRequest { rule: 0, log_type: "AWS.CloudTrail", log: &log, mocks: Vec::new() };
        let started = Instant::now();
        let outcome = PackRunner::new(self.program.clone(), &pack(), &[0, 1], None).test(&request).unwrap();
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        if let Ok(outcome) = &outcome {
            assert!(outcome.logs.len() <= 1_000 && outcome.logs.iter().all(|line| line.len() <= 8_000));
            assert!(outcome.errors.len() <= 10 && outcome.errors.values().all(|failure| failure.message.len() <= 8_000));
            assert!(outcome.r#match.as_ref().is_none_or(|found| found.title.len() <= 4_000 && found.dedup.len() <= 4_000));
        }
        outcome
    }
}

fn pack() -> Pack {
    let files = ["a.py", "b.py"].map(|path| (path.to_owned(), b"def rule(event):\n    return True\n".to_vec()));
    Pack::read("pack", Snapshot::new(files.into()), "1.0.0")
}

fn batch() -> (Batch, Vec<Pair>) {
    let mut batch = Batch::default();
    let candidates: Vec<Candidate> = (0..RULES).map(|rule| Candidate { pack: 0, rule, verify: false }).collect();
    for number in 0..RECORDS {
        let time = EventTime { ms: 0, substituted: false };
        let (identity, fingerprint) = (Identity([0; 16]), Fingerprint([0; 4]));
        let record = BatchRecord { identity, fingerprint, time, variant: false, unit: 0, number: number.into() };
        batch.push(b"{}", &candidates, record);
    }
    let pairs = batch.pairs(0).collect();
    (batch, pairs)
}

/// What came back speaks of pairs that were asked for, decides each at most once, and is not large.
fn accounted_for(outcome: &Outcome, pairs: &[Pair]) {
    let matched = outcome.matches.iter().map(|found| Pair { record: found.record, rule: found.rule });
    let failed = outcome.errors.iter().filter(|error| error.function == "rule");
    let failed = failed.map(|error| Pair { record: error.record, rule: error.rule });
    let mut decided: Vec<Pair> = matched.chain(failed).chain(outcome.not_run.iter().copied()).collect();
    decided.sort_unstable();
    let count = decided.len();
    decided.dedup();
    assert_eq!(decided.len(), count, "no pair is decided twice");
    assert!(decided.iter().all(|pair| pairs.contains(pair)), "{decided:?}");
    assert!(outcome.matches.iter().all(|found| found.title.len() <= 4_000 && found.dedup.len() <= 4_000));
    assert!(outcome.logs.len() <= 1_000 * pairs.len());
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len() + 1).unwrap().to_le_bytes().to_vec();
    frame.push(kind);
    frame.extend_from_slice(body);
    frame
}

fn loaded() -> Vec<u8> {
    frame(b'l', br#"{"protocol":1,"python":"3.11.0","rules":[{"index":0},{"index":1}],"warnings":[]}"#)
}

fn result(batch: u64, json: &str) -> Vec<u8> {
    [&batch.to_le_bytes(), json.as_bytes()].concat()
}

/// Parts of results: true, nearly true and absurd.
fn part() -> impl Strategy<Value = String> {
    let number = prop_oneof![(0u64..4).boxed(), any::<u64>().boxed()];
    let text = prop_oneof![Just("x".to_owned()), "\\PC{0,20}", Just("y".repeat(5_000))];
    let function = prop_oneof![Just("rule".to_owned()), Just("title".to_owned()), Just("\u{1b}[31m".to_owned())];
    let found = (number.clone(), number.clone(), text.clone(), text.clone()).prop_map(|(record, rule, title, dedup)| {
        json!({"matches": [{"record": record, "rule": rule, "title": title, "dedup": dedup, "severity": "HIGH"}]})
    });
    let failed = (number.clone(), number.clone(), function, text.clone()).prop_map(|(record, rule, function, message)| {
        json!({"errors": [{"record": record, "rule": rule, "function": function, "type": "X", "message": message}]})
    });
    let printed = (number.clone(), number.clone(), text).prop_map(
        |(record, rule, text)| json!({"logs": [{"record": record, "rule": rule, "text": text}], "logs_dropped": record}),
    );
    let state = (number.clone(), number.clone())
        .prop_map(|(record, rule)| json!({"state": [{"record": record, "rule": rule, "ops": [{"op": "reset"}]}]}));
    let nanos = (number.clone(), number).prop_map(|(rule, nanos)| json!({"nanos": {rule.to_string(): nanos}}));
    let json = prop_oneof![found, failed, printed, state, nanos].prop_map(|json| json.to_string());
    prop_oneof![8 => json, 1 => Just("{}".to_owned()), 1 => "\\PC{0,40}", 1 => Just("[".repeat(100_000))]
}

/// Answers to a test: true, nearly true and absurd.
fn verdict() -> impl Strategy<Value = Vec<u8>> {
    let text = || prop_oneof![Just("x".to_owned()), "\\PC{0,20}", Just("y".repeat(5_000)), Just("z".repeat(9_000))];
    let function = prop_oneof![Just("rule".to_owned()), Just("dedup".to_owned()), Just("\u{1b}[31m".to_owned())];
    let found = (text(), text()).prop_map(|(title, dedup)| json!({"match": {"title": title, "dedup": dedup}}));
    let failed = (function, text(), text())
        .prop_map(|(function, kind, message)| json!({"errors": {(function): {"type": kind, "message": message}}}));
    let printed = (text(), 0..2_000_usize).prop_map(|(text, count)| {
        let lines = [vec![text], vec!["l".to_owned(); count]].concat();
        json!({"logs": lines})
    });
    let json = (prop_oneof![found, failed, printed], any::<bool>()).prop_map(|(mut json, matched)| {
        json["matched"] = matched.into();
        json.to_string()
    });
    let json = prop_oneof![8 => json, 1 => Just("{}".to_owned()), 1 => "\\PC{0,40}", 1 => Just("[".repeat(100_000))];
    json.prop_map(|json| frame(b't', json.as_bytes()))
}

/// A frame, or something like one.
fn sent() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![4 => Just(b'b'), 4 => Just(b'p'), 1 => Just(b's'), 1 => Just(b'l'), 1 => any::<u8>()];
    let batch = prop_oneof![8 => Just(0u64), 1 => any::<u64>()];
    let question = Just(frame(b's', br#"{"kind":"counter","key":"k"}"#));
    let framed = (kind, batch, part()).prop_map(|(kind, batch, json)| frame(kind, &result(batch, &json)));
    let length = (any::<u32>(), prop::collection::vec(any::<u8>(), 0..64))
        .prop_map(|(length, bytes)| [&length.to_le_bytes()[..], &bytes].concat());
    prop_oneof![8 => framed, 1 => question, 1 => length, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_is_survived(frames in prop::collection::vec(sent(), 0..6)) {
        let bytes = [loaded(), frames.concat()].concat();
        Hostile::new(false).evaluate(&bytes);
    }

    #[test]
    fn any_answer_to_a_test_is_survived(frames in prop::collection::vec(prop_oneof![4 => verdict(), 1 => sent()], 0..4)) {
        let bytes = [loaded(), frames.concat()].concat();
        // Bounds are looked at there.
        let _ = Hostile::new(false).test(&bytes);
    }

    #[test]
    fn any_load_report_is_survived(frames in prop::collection::vec(sent(), 0..3), text in "\\PC{0,60}") {
        let hostile = Hostile::new(true);
        let report = format!(r#"{{"protocol":1,"python":{},"rules":[{{"index":0}},{{"index":0}}]}}"#, json!(text));
        for bytes in [frames.concat(), frame(b'l', text.as_bytes()), frame(b'l', report.as_bytes())] {
            fs::write(hostile.bytes(), bytes).unwrap();
            // Only what names every rule once is taken.
            let found = load(&hostile.program, &pack(), &[0, 1], None);
            prop_assert!(found.is_err(), "{found:?}");
        }
    }
}

#[test]
fn an_honest_answer_is_taken() {
    let json = r#"{"matches":[{"record":1,"rule":0,"title":"t","dedup":"d","severity":"LOW"}],"errors":[],"logs":[],"state":[],"nanos":{"0":7}}"#;
    let outcome = Hostile::new(false).evaluate(&[loaded(), frame(b'b', &result(0, json))].concat());
    assert_eq!((outcome.matches.len(), outcome.errors.len(), outcome.nanos[&0]), (1, 0, 7));
}

#[test]
fn an_answer_to_a_test_is_held_to_what_a_rule_can_say() {
    let tested = |change: Option<(&str, Json)>| {
        let failure = json!({"type": "X", "message": "m"});
        let mut answer = json!({
            "matched": true, "filtered": false, "errors": {"title": failure}, "logs": ["l"],
            "match": {"title": "t", "dedup": "d", "severity": "LOW", "context": {"a": 1}},
        });
        if let Some((pointer, value)) = change {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            answer.pointer_mut(parent).unwrap()[name] = value;
        }
        Hostile::new(false).test(&[loaded(), frame(b't', answer.to_string().as_bytes())].concat())
    };
    let honest = tested(None).unwrap();
    assert_eq!((honest.matched, honest.errors.len(), honest.logs.len()), (true, 1, 1));
    let long = || Json::from("x".repeat(1 << 20));
    for (pointer, value, why) in [
        ("/match/title", long(), "title of 1048576 bytes, where there can be 4000"),
        ("/match/runbook", long(), "runbook of"),
        ("/match/context", long(), "alert_context of"),
        ("/match/destinations", json!(vec!["d"; 11]), "11 destinations"),
        ("/logs", json!([long()]), "a printed line of"),
        ("/logs", json!(vec![""; 1_001]), "1001 printed lines"),
        ("/errors/title", json!({"type": "X", "message": long()}), "the message of an error of"),
        ("/errors/nothing", json!({"type": "X", "message": ""}), "a function that rules do not have"),
    ] {
        let death = tested(Some((pointer, value))).unwrap_err();
        assert!(matches!(&death, Death::Protocol(said) if said.contains(why)), "{pointer}: {death}");
    }
}

#[test]
fn workers_that_only_load_or_test_are_counted_too() {
    let hostile = Hostile::new(false);
    let counts = || [hostile.program.counts.started(), hostile.program.counts.died(), hostile.program.counts.failed()];
    fs::write(hostile.bytes(), loaded()).unwrap();
    load(&hostile.program, &pack(), &[0, 1], None).unwrap();
    assert_eq!(counts(), [1, 0, 0]);
    let log = RawValue::from_string("{}".to_owned()).unwrap();
    let request = TestRequest { rule: 0, log_type: "AWS.CloudTrail", log: &log, mocks: Vec::new() };
    let mut runner = PackRunner::for_tests(hostile.program.clone(), &pack(), &[0, 1], None);
    assert!(runner.test(&request).unwrap().is_err(), "what it is sent is no answer");
    assert_eq!(counts(), [2, 1, 0]);
    fs::write(hostile.bytes(), b"").unwrap();
    assert!(load(&hostile.program, &pack(), &[0, 1], None).is_err());
    assert_eq!(counts(), [2, 1, 1]);
}

#[test]
fn an_answer_that_never_ends_has_an_end() {
    let outcome = Hostile::new(false).evaluate(&[loaded(), 1_000_000_u32.to_le_bytes().to_vec()].concat());
    assert_eq!(outcome.errors.len(), batch().1.len(), "each pair has ended a worker of its own");
}

/// JSON values take many times as much memory as their text.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_takes_no_more_memory_than_it_has_bytes() {
    let values = "0,".repeat(15 << 20) + "0";
    let state = format!(r#"{{"state":[{{"record":0,"rule":0,"ops":[{values}]}}]}}"#);
    let prepared = format!(r#"{{"protocol":1,"python":"3","rules":[{{"index":0}},{{"index":1}}],"prepared":[{values}]}}"#);
    let question = format!(r#"{{"kind":"counter","key":"k","more":[{values}]}}"#);
    let matches = vec![r#"{"record":0,"rule":0,"title":"","dedup":"","severity":"LOW"}"#; 400_000].join(",");
    let matches = frame(b'p', &result(0, &format!(r#"{{"matches":[{matches}]}}"#)));
    for bytes in [
        frame(b'l', prepared.as_bytes()),
        [loaded(), frame(b'p', &result(0, &state))].concat(),
        [loaded(), frame(b's', question.as_bytes())].concat(),
        [loaded(), matches.clone(), matches.clone(), matches].concat(),
    ] {
        let outcome = Hostile::new(false).evaluate(&bytes);
        assert!(outcome.matches.is_empty());
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // The texts of this test alone are more than 200 MB.
    assert!(peak < 700_000, "{peak} kB");
}

/// Each part is within what one may hold; together they are more than memory is to be given for.
#[test]
fn changes_of_state_are_limited_over_all_parts() {
    let text = "x".repeat(3_000_000);
    let part = |rule: u16| result(0, &format!(r#"{{"state":[{{"record":0,"rule":{rule},"ops":["{text}"]}}]}}"#));
    let one = Hostile::new(false).evaluate(&[loaded(), frame(b'b', &part(0))].concat());
    assert_eq!((one.state.len(), one.errors.len()), (1, 0));
    let both = Hostile::new(false).evaluate(&[loaded(), frame(b'p', &part(0)), frame(b'b', &part(1))].concat());
    assert_eq!((both.state.len(), both.errors.len()), (0, batch().1.len()));
}
