//! `iota gaps`: what was delivered and not read, by the ledger of `iota ingest` and by the state of `iota run` and `watch`.

use crate::aws::{Bucket, Queue};
use crate::harness::{DAY, Seed, Target, gzip, key, log, moto};
use crate::queue::s3;
use crate::state::table;
use crate::watching::{Watching, objects, target, written};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const ACCOUNT: &str = "111122223333";

/// A digest file of that hour, which lists these log files; and its key.
fn digest(bucket: &str, keys: &[&str]) -> (String, Vec<u8>) {
    let files: Vec<Json> = keys.iter().map(|key| json!({"s3Bucket": bucket, "s3Object": key, "hashValue": "00"})).collect();
    let digest = json!({
        "awsAccountId": ACCOUNT, "digestStartTime": "2024-07-15T10:00:00Z", "digestEndTime": "2024-07-15T11:00:00Z", "digestS3Bucket": bucket,
        "digestS3Object": "x", "digestPublicKeyFingerprint": "f", "logFiles": files,
    });
    let key = format!(
        "AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/{DAY}/{ACCOUNT}_CloudTrail-Digest_us-east-1_t_us-east-1_20240715T110000Z.json.gz"
    );
    (key, gzip(digest.to_string().as_bytes()))
}

#[test]
fn gaps_are_what_was_not_read_and_can_be_fetched() {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "a"), &log(&["1"]));
    let bucket = seed.plant();
    let target = Target::new();
    let url = format!("s3://{bucket}");
    assert_eq!(target.ingest(&[&url]).code, Some(0));
    assert_eq!(target.run(moto(), &["gaps", &url, "--from", "2024-07-15"]).code, Some(0));
    // One that came later, and one that only a digest file knows.
    let gone = key(ACCOUNT, "us-east-1", "gone");
    let (digest_key, digest) = digest(&bucket, &[&gone]);
    seed.put(&key(ACCOUNT, "us-east-1", "b"), &log(&["2"])).put(&digest_key, &digest);
    seed.plant_as(&bucket);
    let ran = target.run(moto(), &["gaps", &url, "--from", "2024-07-15", "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let later = key(ACCOUNT, "us-east-1", "b");
    for (key, gap) in [(&gone, "not_in_bucket"), (&later, "not_read")] {
        assert!(ran.stdout.contains(&format!("{{\"object\":\"s3://{bucket}/{key}\",\"gap\":\"{gap}\"}}")), "{}", ran.stdout);
    }
    let fetched = target.run(moto(), &["gaps", &url, "--from", "2024-07-15", "--fetch"]);
    assert_eq!((fetched.code, fetched.stdout.lines().count()), (Some(1), 1), "{} {}", fetched.stdout, fetched.stderr);
    assert_eq!(target.ids(), ["1", "2"]);
}

/// A log file of ours.
fn of(name: &str) -> String {
    key(ACCOUNT, "us-east-1", name)
}

fn gaps(target: &Target, bucket: &Bucket, state: &str, more: &[&str]) -> (Option<i32>, BTreeSet<String>) {
    let url = bucket.url("");
    let ran = target.run(moto(), &[&["gaps", &url, "--from", "2024-07-15", "--state", state], more].concat());
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    (ran.code, ran.stdout.lines().map(str::to_owned).collect())
}

/// In a directory and in a table: what is missing is listed, and reading what is listed evaluates it.
#[test]
fn gaps_of_a_state_are_what_was_not_evaluated_and_can_be() {
    for state in ["state".to_owned(), table("iota-gaps")] {
        let (target, bucket) = (target(), Bucket::new());
        for name in ["a", "b", "expired"] {
            bucket.put(&of(name), &objects(&[name]));
        }
        let run = |places: &[&str]| {
            let flags = ["--rules", "rules", "--state", &state];
            let ran = target.run(moto(), &[&["run"], places, &flags[..]].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let title = |line: &str| serde_json::from_str::<Json>(line).unwrap()["title"].as_str().unwrap().to_owned();
            ran.stdout.lines().map(title).collect::<BTreeSet<_>>()
        };
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(run(&[&bucket.url("")]), set(&["a", "b", "expired"]));
        // Read and then removed by a lifecycle rule is no gap, although a digest file lists it; never seen at all is one.
        let (digest_key, digest) = digest(&bucket.0, &[&of("expired"), &of("a"), &of("gone")]);
        bucket.put(&digest_key, &digest);
        bucket.delete(&of("expired"));
        bucket.put(&of("b"), &objects(&["b", "b again"]));
        bucket.put(&of("late"), &objects(&["late"]));
        bucket.put(&of("later + é"), &objects(&["later"]));
        let line = |name: &str, gap: &str| json!({"object": bucket.url(&of(name)), "gap": gap}).to_string();
        let expected =
            [line("gone", "not_in_bucket"), line("b", "changed"), line("late", "not_read"), line("later + é", "not_read")];
        // Members in the order in which the command writes them.
        let written = |line: &String| {
            let line: Json = serde_json::from_str(line).unwrap();
            (line["object"].as_str().unwrap().to_owned(), line["gap"].as_str().unwrap().to_owned())
        };
        let (code, found) = gaps(&target, &bucket, &state, &["--format", "json"]);
        let found: BTreeSet<_> = found.iter().map(written).collect();
        assert_eq!((code, found), (Some(1), expected.iter().map(written).collect()), "{state}");
        assert_eq!(gaps(&target, &bucket, &state, &["--to", "2024-07-15T10:00:00Z"]).1, set(&[]), "{state}: delivered later");
        let (_, urls) = gaps(&target, &bucket, &state, &["--format", "urls"]);
        assert_eq!(urls, ["b", "late", "later + é"].map(|name| bucket.url(&of(name))).into(), "{state}");
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        assert_eq!(run(&urls), set(&["b again", "late", "later"]), "{state}");
        let (code, left) = gaps(&target, &bucket, &state, &[]);
        assert_eq!((code, left.len(), left.first().unwrap().contains("gone")), (Some(1), 1, true), "{state}: {left:?}");
    }
}

/// Beside a process that has the state: what it has read through its queue is no gap, what no message named is one.
#[test]
fn gaps_are_told_beside_a_watch() {
    let (target, bucket, queue) = (target(), Bucket::new(), Queue::new(1_000));
    bucket.put(&of("a"), &objects(&["a"]));
    bucket.put(&of("unnamed"), &objects(&["unnamed"]));
    queue.send(&[s3(&bucket.0, &[&of("a")]).to_string()]);
    let mut watching = Watching::start(&target, &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until("an empty queue", |_| queue.is_empty());
    let state = target.path("state");
    let (code, found) = gaps(&Target::new(), &bucket, state.to_str().unwrap(), &["--format", "urls"]);
    assert_eq!((code, found), (Some(1), [bucket.url(&of("unnamed"))].into()));
    watching.end();
    assert_eq!(written(&target.path("out.jsonl")).len(), 1);
}

#[test]
fn what_does_not_go_with_a_state_is_said_with_what_to_do() {
    let target = target();
    for (args, expected) in [
        (&["--state", "state", "--fetch"][..], "xargs -r -d '\\\\n' iota run --state state --rules DIR"),
        (&["--state", "state", "--state-db", "x"], "cannot be used with"),
        (&["--state", "state"], "state/iota.db: there is no state"),
        (&["--state", "dynamodb:no"], "--state dynamodb:no: the name of a DynamoDB table"),
    ] {
        let ran = target.run(moto(), &[&["gaps", "s3://b"], args].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{args:?}: {:?} {}", ran.code, ran.stderr);
    }
}
