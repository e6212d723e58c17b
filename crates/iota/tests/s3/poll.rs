//! `iota watch --s3` and `iota run s3://`: what is in a bucket is found without notifications; and pipes.

use crate::aws::Bucket;
use crate::harness::{Target, key, moto};
use crate::proxy::{Answer, proxy};
use crate::queue::today;
use crate::watching::{Watching, count, objects, target, titles};
use iota_engine::store::Ledger;
use iota_service::store::Sqlite;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "444455556666";

/// A key of today.
fn fresh(account: &str, region: &str, name: &str) -> String {
    let (today, key) = (today(), key(account, region, name));
    key.replace("2024/07/15", &today).replace("20240715T", &format!("{}T", today.replace('/', "")))
}

/// Every layout, new accounts and regions, objects that sort before those read, and replaced ones.
#[test]
fn whatever_is_delivered_is_found_in_every_layout() {
    let organization = "o-a1b2c3d4e5";
    let layouts = [("", ""), ("p/q", ""), ("", organization), (organization, organization)];
    let mut buckets = Vec::new();
    for (number, (prefix, within)) in layouts.into_iter().enumerate() {
        let before = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let inner = if within.is_empty() { "AWSLogs/".to_owned() } else { format!("AWSLogs/{within}/") };
        let place = move |key: String| format!("{before}{}", key.replacen("AWSLogs/", &inner, 1));
        let bucket = Bucket::new();
        bucket.put(&place(fresh(ACCOUNT, "us-east-1", "m")), &objects(&[&format!("{number}-first")]));
        // Not of these days.
        bucket.put(&place(key(ACCOUNT, "us-east-1", "old")), &objects(&[&format!("{number}-old")]));
        for folder in ["CloudTrail-Digest", "CloudTrail-Insight", "Config"] {
            bucket.put(&place(fresh(ACCOUNT, "us-east-1", "x")).replace("CloudTrail/", &format!("{folder}/")), &objects(&["no"]));
        }
        buckets.push((bucket, place, prefix));
    }
    let target = target();
    let urls: Vec<String> = buckets.iter().map(|(bucket, _, prefix)| bucket.url(prefix)).collect();
    let mut flags = vec!["--poll-interval", "1s"];
    for url in &urls {
        flags.extend(["--s3", url]);
    }
    let mut watching = Watching::start(&target, &flags);
    watching.until_told(4);
    for (number, (bucket, place, _)) in buckets.iter().enumerate() {
        // Its name sorts before the one that was read.
        bucket.put(&place(fresh(ACCOUNT, "us-east-1", "a")), &objects(&[&format!("{number}-before")]));
        bucket.put(&place(fresh(ACCOUNT, "eu-west-1", "m")), &objects(&[&format!("{number}-region")]));
        bucket.put(&place(fresh(OTHER, "us-east-1", "m+ ü")), &objects(&[&format!("{number}-account")]));
        bucket.put(
            &place(fresh(OTHER, "us-east-1", "n").replace("CloudTrail/", "CloudTrail-NetworkActivity/")),
            &objects(&[&format!("{number}-network")]),
        );
        bucket.put(
            &place(fresh(ACCOUNT, "us-east-1", "m")),
            &objects(&[&format!("{number}-first"), &format!("{number}-replaced")]),
        );
    }
    watching.until_told(24);
    let stats = watching.end();
    let told = titles(&target).0;
    for number in 0..4 {
        for id in ["first", "before", "region", "account", "network", "replaced"] {
            assert!(told.contains(&format!("{number}-{id}")), "{number}-{id}: {told:?}");
        }
    }
    assert_eq!((told.len(), count(&stats, "/sources/objects/read")), (24, 24), "{stats:#}");
    assert_eq!(count(&stats, "/records/duplicates"), 4, "{stats:#}");
    // A new start asks the state, and finds nothing new.
    let before = complete(&target);
    let mut watching = Watching::start(&target, &flags);
    watching.until("a complete list of each", |_| {
        let now = complete(&target);
        now.len() == 4 && now.iter().all(|(key, at)| before.get(key).is_none_or(|before| at > before))
    });
    let stats = watching.end();
    assert_eq!(
        (count(&stats, "/sources/objects/read"), count(&stats, "/sources/objects/already_finished")),
        (0, 20),
        "{stats:#}"
    );
}

/// When each list was complete the last time.
fn complete(target: &Target) -> BTreeMap<String, String> {
    let found = Sqlite::open_beside(&target.path("state")).unwrap().checkpoints("poll:").unwrap();
    found.into_iter().map(|found| (found.key, found.value)).collect()
}

/// More than a page, listed while the bucket fails now and then.
#[test]
fn long_lists_and_failures_lose_nothing() {
    let bucket = Bucket::new();
    for n in 0..1_050 {
        bucket.put(&fresh(ACCOUNT, "us-east-1", &format!("{n:04}")), &objects(&[&format!("{n:04}")]));
    }
    let script = |asked: &str, before| match asked {
        asked if asked.contains("list-type") && before == 0 => Answer::Error(503, "SlowDown"),
        asked if asked.contains("_0007.json.gz") && before < 1 => Answer::Error(403, "AccessDenied"),
        asked if asked.contains("_0500.json.gz") && before < 1 => Answer::Cut(300),
        _ => Answer::Pass,
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--s3", &bucket.url(""), "--poll-interval", "1s"]);
    watching.until_told(1_050);
    let stats = watching.end();
    assert_eq!(titles(&target).0.len(), 1_050);
    assert!(count(&stats, "/sources/objects/returned") >= 1, "{stats:#}");
}

/// A list that breaks off gives back what it had begun.
#[test]
fn a_list_that_breaks_off_leaves_nothing_in_work() {
    let bucket = Bucket::new();
    for n in 0..40 {
        bucket.put(&fresh(ACCOUNT, "eu-west-1", &format!("{n:02}")), &objects(&[&format!("{n:02}")]));
    }
    bucket.put(&fresh(ACCOUNT, "us-east-1", "x"), &objects(&["x"]));
    let script = |asked: &str, _| match asked {
        asked if asked.contains("list-type") && asked.contains("us-east-1%2F") && !asked.contains("delimiter") => {
            Answer::Error(403, "AccessDenied")
        }
        asked if asked.contains(".json.gz") => Answer::Slow,
        _ => Answer::Pass,
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--s3", &bucket.url(""), "--poll-interval", "1s"]);
    watching.until("the list has failed", |watching| watching.log().contains("s3:ListBucket: AccessDenied"));
    watching.until_told(40);
    let stats = watching.end();
    assert_eq!((count(&stats, "/sources/objects/in_work"), count(&stats, "/sources/objects/read")), (0, 40), "{stats:#}");
}

/// The first of the branches fails for good: those behind it are read, and the list does not count as complete.
#[test]
fn a_branch_that_cannot_be_listed_holds_up_no_other() {
    let bucket = Bucket::new();
    for region in ["ap-south-1", "eu-west-1", "us-east-1"] {
        bucket.put(&fresh(ACCOUNT, region, region), &objects(&[region]));
    }
    let script = |asked: &str, _| match asked {
        asked if asked.contains("list-type") && asked.contains("ap-south-1%2F") && !asked.contains("delimiter") => {
            Answer::Error(403, "AccessDenied")
        }
        _ => Answer::Pass,
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--s3", &bucket.url(""), "--poll-interval", "1s"]);
    watching.until("the list has failed", |watching| watching.log().contains("s3:ListBucket: AccessDenied"));
    watching.until_told(2);
    watching.end();
    assert_eq!(titles(&target).0, ["eu-west-1", "us-east-1"]);
    assert!(complete(&target).is_empty());
}

/// What is in a folder that may not be looked into comes when it may.
#[test]
fn an_account_that_cannot_be_looked_into_holds_up_no_other() {
    let bucket = Bucket::new();
    for account in [ACCOUNT, OTHER] {
        bucket.put(&fresh(account, "us-east-1", account), &objects(&[account]));
    }
    let down = Arc::new(AtomicBool::new(true));
    let script = {
        let down = Arc::clone(&down);
        move |asked: &str, _| {
            let looks = asked.contains("list-type") && asked.contains("delimiter") && asked.contains(ACCOUNT);
            if looks && down.load(Ordering::Relaxed) { Answer::Error(403, "AccessDenied") } else { Answer::Pass }
        }
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--s3", &bucket.url(""), "--poll-interval", "1s"]);
    watching.until_told(1);
    watching.until("the failure is said", |watching| watching.log().contains("s3:ListBucket: AccessDenied"));
    assert_eq!(titles(&target).0, [OTHER]);
    assert!(complete(&target).is_empty());
    down.store(false, Ordering::Relaxed);
    watching.until_told(2);
    watching.until("a complete list", |_| !complete(&target).is_empty());
    watching.end();
    assert_eq!(titles(&target).0, [ACCOUNT, OTHER]);
}

/// Names have whole minutes: what was delivered in the minute of `--from` may have been delivered after it.
#[test]
fn what_is_delivered_in_the_minute_of_from_is_read() {
    let bucket = Bucket::new();
    let of_minute = key(ACCOUNT, "us-east-1", "same");
    bucket.put(&of_minute, &objects(&["same"]));
    bucket.put(&of_minute.replace("T1005Z", "T1004Z"), &objects(&["before"]));
    bucket.put(&of_minute.replace("T1005Z", "T1006Z"), &objects(&["after"]));
    let target = target();
    let flags = ["--s3", &bucket.url(""), "--poll-interval", "1s", "--from", "2024-07-15T10:05:30Z"];
    let mut watching = Watching::start(&target, &flags);
    watching.until_told(2);
    watching.end();
    assert_eq!(titles(&target).0, ["after", "same"]);
}

/// An object that nobody can read any more keeps no list from being complete.
#[test]
fn an_archived_object_holds_up_no_list() {
    let bucket = Bucket::new();
    for name in ["a", "b", "c"] {
        bucket.put(&fresh(ACCOUNT, "us-east-1", name), &objects(&[name]));
    }
    let script = |asked: &str, _| {
        if asked.contains("_b.json.gz") { Answer::Error(403, "InvalidObjectState") } else { Answer::Pass }
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--s3", &bucket.url(""), "--poll-interval", "1s"]);
    watching.until_told(2);
    watching.until("told", |watching| watching.told().1.iter().any(|title| title.contains("archive storage class")));
    watching.until("a complete list", |_| !complete(&target).is_empty());
    let first = complete(&target);
    watching.until("the next one", |_| complete(&target) > first);
    let stats = watching.end();
    let objects = |name: &str| count(&stats, &format!("/sources/objects/{name}"));
    assert_eq!((objects("read"), objects("left"), objects("returned")), (2, 1, 0), "once, not with each list: {stats:#}");
    assert_eq!(titles(&target).1.len(), 1);
}

/// Nothing of the bucket may be read for a while, and one object is cut: what is there waits, and what is cut is told.
#[test]
fn a_bucket_that_denies_is_read_later_and_a_cut_object_is_told() {
    let bucket = Bucket::new();
    let whole = objects(&["cut"]);
    bucket.put(&fresh(ACCOUNT, "us-east-1", "cut"), &whole[..whole.len() - 12]);
    bucket.put(&fresh(ACCOUNT, "us-east-1", "good"), &objects(&["good"]));
    let (down, denied) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let script = {
        let (down, denied) = (Arc::clone(&down), Arc::clone(&denied));
        move |_: &str, _| {
            if down.load(Ordering::Relaxed) {
                denied.fetch_add(1, Ordering::Relaxed);
                return Answer::Error(403, "AccessDenied");
            }
            Answer::Pass
        }
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--s3", &bucket.url(""), "--poll-interval", "1s"]);
    watching.until("denied", |watching| {
        denied.load(Ordering::Relaxed) >= 3 && watching.log().contains("s3:ListBucket: AccessDenied")
    });
    assert_eq!(watching.told(), (vec![], vec![]));
    down.store(false, Ordering::Relaxed);
    watching.until("told", |watching| watching.told().0.contains(&"good".to_owned()) && !watching.told().1.is_empty());
    let stats = watching.end();
    let own = titles(&target).1;
    assert!(own.len() == 1 && own[0].contains("_cut.json.gz cannot be decoded: truncated_gzip"), "{own:?}");
    assert_eq!(count(&stats, "/inputs/unreadable"), 3, "it was read three times: {stats:#}");
}

#[test]
fn a_bucket_is_read_in_one_go() {
    let bucket = Bucket::new();
    for n in 0..40 {
        bucket.put(
            &key(ACCOUNT, if n % 2 == 0 { "us-east-1" } else { "eu-west-1" }, &format!("{n:02}")),
            &objects(&[&format!("{n:02}")]),
        );
    }
    bucket.put(&key(ACCOUNT, "us-east-1", "d").replace("CloudTrail/", "CloudTrail-Digest/"), b"{}");
    let target = target();
    let run = |endpoint: &str, flags: &[&str]| {
        target.run(endpoint, &[&["run", "--rules", "rules", "--stats", "stats.json"], flags].concat())
    };
    let ran = run(moto(), &[&bucket.url("")]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 40), "{}", ran.stderr);
    let below = bucket.url(&format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2024/07/15/"));
    assert_eq!(run(moto(), &[&below]).stdout.lines().count(), 20);
    // With state what was read is left out the next time.
    let ran = run(moto(), &[&below, "--state", "state"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 20), "{}", ran.stderr);
    let ran = run(moto(), &[&bucket.url(""), "--state", "state"]);
    let stats = |pointer: &str| count(&ran.stats, pointer);
    assert_eq!(
        (stats("/inputs/already_finished"), stats("/inputs/read"), ran.stdout.lines().count()),
        (20, 20, 20),
        "{}",
        ran.stderr
    );
    // A layout of somebody's own, a single object, and nothing at all.
    bucket.put("copied/a.json.gz", &objects(&["copy"]));
    assert_eq!(run(moto(), &[&bucket.url("copied/")]).stdout.lines().count(), 1);
    assert_eq!(run(moto(), &[&bucket.url("copied/a.json.gz")]).stdout.lines().count(), 1);
    let ran = run(moto(), &[&bucket.url("nothing/")]);
    assert!(ran.code == Some(0) && ran.stderr.contains("there are no objects to read"), "{}", ran.stderr);
    // One that cannot be read is named, and the others are read.
    let deny = |asked: &str, _| if asked.contains("_07.json.gz") { Answer::Error(403, "AccessDenied") } else { Answer::Pass };
    let ran = run(&proxy(deny), &[&bucket.url("")]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(2), 39), "{}", ran.stderr);
    assert!(ran.stderr.contains("_07.json.gz") && ran.stderr.contains("AccessDenied"), "{}", ran.stderr);
    // When nothing can be, the rest is not tried.
    let deny = |asked: &str, _| if asked.contains(".json.gz") { Answer::Error(403, "AccessDenied") } else { Answer::Pass };
    let ran = run(&proxy(deny), &[&bucket.url("")]);
    assert!(ran.code == Some(2) && ran.stderr.contains("objects in a row could not be read"), "{}", ran.stderr);
    // A rule that was not there is run on what was read.
    fs::write(
        target.path("rules/new.py"),
        "def rule(event):\n    return event['eventID'] == '05'\ndef title(event):\n    return 'new'\n",
    )
    .unwrap();
    let ran = target
        .run(moto(), &["rerun", "--rule", "new", "--since", "2024-01-01T00:00:00Z", "--rules", "rules", "--state", "state"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{}", ran.stderr);
}

#[test]
fn pipes_are_read_as_lines_come() {
    let target = target();
    let line = |id: &str| format!("{{\"eventID\":\"{id}\",\"eventTime\":\"2024-07-15T09:50:00Z\"}}\n");
    // Standard input alone: its end is the end.
    let mut watching = Watching::with_input(&target, &["-"]);
    let mut input = watching.child.stdin.take().unwrap();
    input.write_all(line("1").as_bytes()).unwrap();
    watching.until_told(1);
    let (start, rest) = (line("2"), line("3"));
    input.write_all(&start.as_bytes()[..9]).unwrap();
    input.write_all((start[9..].to_owned() + "{\n\"eventID\":").as_bytes()).unwrap();
    watching.until_told(2);
    input.write_all(("\"doc\"\n}\nbroken\n".to_owned() + rest.trim_end()).as_bytes()).unwrap();
    drop(input);
    let stats = watching.ended();
    assert_eq!(titles(&target).0, ["1", "2", "3", "doc"]);
    assert_eq!(count(&stats, "/records/rejected"), 1, "{stats:#}");
    let log = fs::read_to_string(target.path("log")).unwrap();
    assert!(log.contains("5 records from ") && log.contains("1 rejected record"), "says what it read: {log}");
    // What cannot be read is no end.
    let mut command = target.command(moto(), &["watch", "-", "--rules", "rules", "--state", "other", "--log-format", "human"]);
    let output = command.stdin(fs::File::open(target.path("rules")).unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("-: cannot be read any more: Is a directory"), "{output:?}");
    // A named pipe outlives its writers.
    let pipe = target.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut watching = Watching::start(&target, &["pipe"]);
    watching.until("watching", |watching| watching.log().contains("watching pipe"));
    for (count, id) in [(5, "4"), (6, "5")] {
        fs::OpenOptions::new().write(true).open(&pipe).unwrap().write_all(line(id).as_bytes()).unwrap();
        watching.until_told(count);
    }
    watching.end();
}
