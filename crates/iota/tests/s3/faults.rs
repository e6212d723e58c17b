//! What comes of wrong answers: what may pass is repeated, what may not is said, and nothing is lost.

use crate::harness::{Ran, Seed, Target, gzip, key, log, moto, record};
use crate::proxy::{Answer, proxy, recording};
use crate::watching::{count, target};
use serde_json::Value as Json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const ACCOUNT: &str = "111122223333";

/// A bucket with a small object and one of so many records.
fn bucket(records_of_large: usize) -> (String, Vec<String>) {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "small"), &log(&["small"]));
    // Random, so that it stays large.
    let mut noise = 1_u64;
    let mut ids = Vec::new();
    let mut records = Vec::new();
    for n in 0..records_of_large {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ids.push(format!("{n:04}"));
        records.push(record(&ids[n]).replace("\"X\"", &format!("\"{noise:x}{:x}\"", noise.rotate_left(13))));
    }
    seed.put(&key(ACCOUNT, "us-east-1", "large"), &gzip(format!("{{\"Records\":[{}]}}", records.join(",")).as_bytes()));
    ids.push("small".to_owned());
    (format!("s3://{}", seed.plant()), ids)
}

/// What is answered to a request, told by its first line and how often it came before.
type Script = fn(&str, u32) -> Answer;

#[test]
fn what_passes_costs_nothing_but_time() {
    let (bucket, ids) = bucket(2000);
    let scripts: [(&str, Script); 7] = [
        ("slow down", |_, before| if before < 2 { Answer::Error(503, "SlowDown") } else { Answer::Pass }),
        ("an internal error", |_, before| if before == 0 { Answer::Error(500, "InternalError") } else { Answer::Pass }),
        ("throttled keys", |line, before| {
            if before == 0 && line.contains(".json.gz") { Answer::Error(400, "KMS.ThrottlingException") } else { Answer::Pass }
        }),
        ("no answer", |_, before| if before == 0 { Answer::Cut(0) } else { Answer::Pass }),
        ("cut in the head", |_, before| if before == 0 { Answer::Cut(40) } else { Answer::Pass }),
        // Each further request is for what is left, and is cut as well.
        ("cut in the body", |line, before| if before < 4 && line.contains("large") { Answer::Cut(9000) } else { Answer::Pass }),
        ("slow", |_, _| Answer::Slow),
    ];
    for (name, script) in scripts {
        let target = target();
        let ran = target.ingest_from(&proxy(script), &[&bucket]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert_eq!(target.ids(), ids, "{name}");
        let (ran, told) = run(&target, &proxy(script), &[&bucket]);
        assert_eq!((ran.code, told), (Some(0), ids.clone()), "{name}: {}", ran.stderr);
    }
}

/// `iota run`, and the ids of the records that it told of.
fn run(target: &Target, endpoint: &str, flags: &[&str]) -> (Ran, Vec<String>) {
    let ran = target.run(endpoint, &[&["run", "--rules", "rules", "--stats", "stats.json"], flags].concat());
    let title = |line: &str| serde_json::from_str::<Json>(line).unwrap()["title"].as_str().unwrap().to_owned();
    let mut told: Vec<_> = ran.stdout.lines().map(title).collect();
    told.sort();
    (ran, told)
}

#[test]
fn what_does_not_pass_fails_only_itself_and_is_tried_again_by_the_next_run() {
    let (bucket, ids) = bucket(20);
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchKey"), (412, "PreconditionFailed")] {
        let target = Target::new();
        let url = proxy(move |line, _| if line.contains("small") { Answer::Error(status, code) } else { Answer::Pass });
        let ran = target.ingest_from(&url, &[&bucket]);
        assert_eq!((ran.code, ran.count("objects_failed"), ran.count("objects_read")), (Some(2), 1, 1), "{code}: {}", ran.stderr);
        assert!(ran.stderr.contains("small.json.gz"), "{}", ran.stderr);
        assert_eq!(target.ids().len(), ids.len() - 1);
        let again = target.ingest(&[&bucket]);
        assert_eq!((again.code, again.count("objects_read")), (Some(0), 1), "{}", again.stderr);
        assert_eq!(target.ids(), ids, "{code}");
        let target = crate::watching::target();
        let state = [&bucket[..], "--state", "state"];
        let (ran, told) = run(&target, &url, &state);
        assert_eq!((ran.code, told.len()), (Some(2), ids.len() - 1), "{code}: {}", ran.stderr);
        assert!(ran.stderr.contains("small.json.gz"), "{}", ran.stderr);
        let (again, told) = run(&target, moto(), &state);
        assert_eq!((again.code, told), (Some(0), vec!["small".to_owned()]), "{code}: {}", again.stderr);
    }
}

/// Its bytes are all there and stop in the middle: what stands before the cut counts, and the rest is a reject.
#[test]
fn a_truncated_object_is_a_reject_and_its_records_count() {
    let mut seed = Seed::default();
    let whole = gzip(format!("{{\"Records\":[{},{}]}}", record("a"), record("b")).as_bytes());
    seed.put(&key(ACCOUNT, "us-east-1", "cut"), &whole[..whole.len() - 12]);
    seed.put(&key(ACCOUNT, "us-east-1", "whole"), &log(&["c"]));
    let bucket = format!("s3://{}", seed.plant());
    let target = target();
    let state = [&bucket[..], "--state", "state"];
    let (ran, told) = run(&target, moto(), &state);
    assert_eq!((ran.code, count(&ran.stats, "/records/rejected")), (Some(3), 1), "{}", ran.stderr);
    assert!(told.contains(&"a".to_owned()) && told.contains(&"c".to_owned()), "{told:?}");
    assert!(ran.stderr.contains("_cut.json.gz"), "{}", ran.stderr);
    let (again, told) = run(&target, moto(), &state);
    assert_eq!((again.code, told.len(), count(&again.stats, "/inputs/already_finished")), (Some(0), 0, 2), "{}", again.stderr);
}

#[test]
fn a_list_that_is_denied_ends_the_run_and_says_what_is_missing() {
    let (bucket, _) = bucket(20);
    let target = target();
    let denied = proxy(|_, _| Answer::Error(403, "AccessDenied"));
    for ran in [target.ingest_from(&denied, &[&bucket]), run(&target, &denied, &[&bucket]).0] {
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("s3:ListBucket: AccessDenied"), "{}", ran.stderr);
    }
}

#[test]
fn when_everything_is_denied_the_rest_is_not_tried() {
    let mut seed = Seed::default();
    for n in 0..40 {
        seed.put(&key(ACCOUNT, "us-east-1", &format!("{n:02}")), &log(&["x"]));
    }
    let bucket = format!("s3://{}", seed.plant());
    let target = Target::new();
    let denied = |line: &str, _| if line.contains(".json.gz") { Answer::Error(403, "AccessDenied") } else { Answer::Pass };
    let ran = target.ingest_from(&proxy(denied), &[&bucket]);
    assert_eq!((ran.code, ran.count("objects_failed")), (Some(2), 10), "{}", ran.stderr);
    assert!(ran.stderr.contains("s3:GetObject: AccessDenied") && ran.stderr.contains("in a row"), "{}", ran.stderr);
}

#[test]
fn a_bucket_in_another_region_is_followed_to_it() {
    let (bucket, ids) = bucket(20);
    let target = Target::new();
    let elsewhere = |line: &str, _| if line.ends_with(" eu-west-1") { Answer::Pass } else { Answer::Redirect("eu-west-1") };
    let ran = target.ingest_from(&proxy(elsewhere), &[&bucket]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the bucket is in eu-west-1"), "{}", ran.stderr);
    assert_eq!(target.ids(), ids);
    // Two regions that send to one another end somewhere.
    let target = Target::new();
    let round = |line: &str, _| Answer::Redirect(if line.ends_with(" eu-west-1") { "us-west-2" } else { "eu-west-1" });
    let ran = target.ingest_from(&proxy(round), &[&bucket]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("PermanentRedirect"), "{}", ran.stderr);
}

/// A session of the role ends before it should, in the middle of a list or of an object: another one is asked for, once, and the
/// object is gone on with where it broke off.
#[test]
fn credentials_that_expire_on_the_way_are_asked_for_anew() {
    for expires in ["list-type", "_large.json.gz"] {
        let (bucket, ids) = bucket(2000);
        let sessions = Arc::new(AtomicU32::new(0));
        let (url, requests) = recording({
            let sessions = Arc::clone(&sessions);
            move |asked: &str, before| {
                if asked == "AssumeRole" {
                    sessions.fetch_add(1, Ordering::Relaxed);
                } else if asked.contains("_large.json.gz") && before == 0 {
                    return Answer::Cut(9000);
                } else if asked.contains(expires) && sessions.load(Ordering::Relaxed) < 2 {
                    return Answer::Error(400, "ExpiredToken");
                }
                Answer::Pass
            }
        });
        let target = Target::new();
        let ran = target.ingest_from(&url, &[&bucket, "--role-arn", "arn:aws:iam::444455556666:role/reader"]);
        assert_eq!((ran.code, ran.count("objects_read")), (Some(0), 2), "{expires}: {}", ran.stderr);
        assert_eq!((target.ids(), ran.count("records_duplicate")), (ids, 0), "{expires}");
        assert_eq!(sessions.load(Ordering::Relaxed), 2, "{expires}");
        let requests = requests.lock().unwrap();
        let last = requests.iter().rfind(|request| request.contains("_large.json.gz")).unwrap().to_ascii_lowercase();
        assert!(last.contains("\r\nrange: bytes="), "{last}");
    }
}
