//! `iota watch --queue-url`: messages of every shape, and ends of every kind.

use crate::aws::{Bucket, Queue};
use crate::harness::key;
use crate::proxy::{Answer, recording};
use crate::shelf::shelf;
use crate::watching::{Watching, alerts, count, objects, target, titles};
use serde_json::{Value as Json, json};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const ACCOUNT: &str = "111122223333";

/// S3's own notification; the key as S3 encodes it.
pub(crate) fn s3(bucket: &str, keys: &[&str]) -> Json {
    let record = |key: &&str| {
        json!({"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
               "s3": {"bucket": {"name": bucket}, "object": {"key": form(key)}}})
    };
    json!({"Records": keys.iter().map(record).collect::<Vec<_>>()})
}

fn form(key: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    key.bytes().map(byte).collect()
}

fn sns(message: &str) -> String {
    json!({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": message}).to_string()
}

fn bridge(bucket: &str, key: &str) -> Json {
    json!({"version": "0", "detail-type": "Object Created", "source": "aws.s3", "region": "us-east-1",
           "detail": {"bucket": {"name": bucket}, "object": {"key": key, "size": 5}, "reason": "PutObject"}})
}

fn direct(id: &str) -> Json {
    through_the_bus("AWS API Call via CloudTrail", id)
}

fn through_the_bus(detail_type: &str, id: &str) -> Json {
    json!({"version": "0", "detail-type": detail_type, "source": "aws.iam", "time": "2024-07-15T09:50:00Z",
           "detail": {"eventVersion": "1.09", "eventID": id, "eventName": "X", "eventTime": "2024-07-15T09:50:00Z"}})
}

/// Every shape that a queue may hold, at once.
#[test]
fn every_shape_of_message_is_worked_off_or_left_with_a_reason() {
    let (bucket, queue) = (Bucket::new(), Queue::new(1_000));
    let put = |key: &str, id: &str| bucket.put(key, &objects(&[id]));
    let plain = |name: &str| key(ACCOUNT, "us-east-1", name);
    let mut bodies = Vec::new();
    // Keys with what has to be encoded, in S3's shape.
    for (number, name) in ["plain", "a+b", "a b", "100%", "%41", "ü/é"].into_iter().enumerate() {
        put(&plain(name), &format!("key-{number}"));
        bodies.push(s3(&bucket.0, &[&plain(name)]).to_string());
    }
    // Layouts: organization, Control Tower, a prefix of one's own.
    for (number, before) in
        ["AWSLogs/o-a1b2c3d4e5/", "o-a1b2c3d4e5/AWSLogs/o-a1b2c3d4e5/", "p/q/AWSLogs/"].into_iter().enumerate()
    {
        let key = plain("layout").replacen("AWSLogs/", before, 1);
        put(&key, &format!("layout-{number}"));
        bodies.push(s3(&bucket.0, &[&key]).to_string());
    }
    for id in ["sns", "raw", "own-1", "own-2", "own+3", "bridge", "bridge+plus", "many-1", "many-2", "copy"] {
        put(&plain(id), id);
    }
    put(&plain("own 4"), "own-4");
    bodies.push(sns(&s3(&bucket.0, &[&plain("sns")]).to_string()));
    bodies.push(sns(&sns(&s3(&bucket.0, &[&plain("raw")]).to_string())));
    bodies.push(sns(&json!({"s3Bucket": bucket.0, "s3ObjectKey": [plain("own-1"), plain("own-2")]}).to_string()));
    // Whether these are encoded is not documented: as they stand, and then decoded.
    bodies.push(json!({"s3Bucket": bucket.0, "s3ObjectKey": [plain("own+3"), plain("own+4")]}).to_string());
    bodies.push(bridge(&bucket.0, &plain("bridge")).to_string());
    bodies.push(sns(&bridge(&bucket.0, &plain("bridge+plus")).to_string()));
    bodies.push(s3(&bucket.0, &[&plain("many-1"), &plain("many-2")]).to_string());
    bodies.push(s3(&bucket.0, &[&plain("copy")]).to_string().replace("ObjectCreated:Put", "ObjectCreated:Copy"));
    // An event in the message, also with the decoration of SNS; one that comes twice counts once.
    bodies.extend([direct("direct-1").to_string(), sns(&direct("direct-2").to_string()), sns(&direct("direct-1").to_string())]);
    bodies.extend(
        [("AWS Console Sign In via CloudTrail", "direct-3"), ("AWS Service Event via CloudTrail", "direct-4")]
            .map(|(kind, id)| through_the_bus(kind, id).to_string()),
    );
    // As a function gets them that passes them on.
    put(&plain("passed"), "passed");
    bodies
        .push(json!({"Records": [{"messageId": "1", "body": sns(&s3(&bucket.0, &[&plain("passed")]).to_string())}]}).to_string());
    let evaluated = bodies.len();
    // What asks for nothing.
    let nothing = [
        json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": bucket.0}).to_string(),
        sns(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent"}).to_string()),
        sns("CloudTrail validation message."),
        "CloudTrail validation message.".to_owned(),
        json!({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://x"}).to_string(),
        json!({"Type": "UnsubscribeConfirmation", "SubscribeURL": "https://x"}).to_string(),
        s3(&bucket.0, &[&plain("plain")]).to_string().replace("ObjectCreated:Put", "ObjectRemoved:Delete"),
        json!({"Records": []}).to_string(),
        json!({"Records": null}).to_string(),
        // Files of other kinds.
        s3(&bucket.0, &[&plain("d").replace("/CloudTrail/", "/CloudTrail-Digest/")]).to_string(),
        s3(&bucket.0, &[&plain("i").replace("/CloudTrail/", "/CloudTrail-Insight/")]).to_string(),
        s3(&bucket.0, &[&plain("g").replace("/CloudTrail/", "/CloudTrail-Aggregated/")]).to_string(),
        s3(&bucket.0, &[&plain("c").replace("/CloudTrail/", "/Config/")]).to_string(),
    ];
    bodies.extend(nothing.clone());
    // What somebody has to look at; twice, and told once. What is good in such a message is read.
    let lake = "aws/CLOUD_TRAIL_MGMT/2.0/region=us-east-1/accountId=1/eventDay=20250101/x.gz.parquet";
    put(&plain("beside"), "beside");
    let mut mixed = s3(&bucket.0, &[&plain("beside")]);
    mixed["Records"].as_array_mut().unwrap().push(json!(7));
    let left = [
        "hello".to_owned(),
        "hello again".to_owned(),
        json!({"some": "shape"}).to_string(),
        s3(&bucket.0, &[lake]).to_string(),
        s3("not-ours", &[&plain("plain")]).to_string(),
        mixed.to_string(),
    ];
    bodies.extend(left.clone());
    queue.send(&bodies);

    let target = target();
    let mut watching = Watching::start(&target, &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    let expected = 9 + 13 + 3 + 1;
    watching.until_told(expected);
    watching.until("alerts about messages", |watching| watching.told().1.len() >= 5);
    watching.until("those left", |_| queue.left() == (0, left.len() as u64));
    let stats = watching.end();
    let (records, own) = titles(&target);
    assert_eq!(records.len(), expected, "{records:?}");
    for id in [
        "key-5",
        "layout-1",
        "own-4",
        "own+3",
        "bridge+plus",
        "many-2",
        "direct-1",
        "direct-2",
        "direct-3",
        "direct-4",
        "passed",
        "beside",
    ] {
        assert!(records.contains(&id.to_owned()), "{id} of {records:?}");
    }
    assert_eq!(own.len(), 5, "{own:?}");
    for about in ["not JSON", "an object with some", "security_lake", "bucket not-ours", "Records: a number"] {
        assert!(own.iter().any(|title| title.contains(about)), "{about} of {own:?}");
    }
    let messages = |name: &str| count(&stats, &format!("/sources/messages/{name}"));
    assert_eq!(messages("received"), bodies.len() as u64);
    assert_eq!((messages("deleted"), messages("left")), ((evaluated + nothing.len()) as u64, left.len() as u64), "{stats:#}");
    assert_eq!((messages("unknown"), messages("unsupported/security_lake"), messages("events")), (4, 1, 5));
    assert_eq!((count(&stats, "/records/evaluated"), count(&stats, "/records/duplicates")), (expected as u64, 1), "{stats:#}");
    for kind in ["test_event", "validation_message", "subscription", "not_created", "empty"] {
        assert!(messages(&format!("ignored/{kind}")) > 0, "{kind}: {stats:#}");
    }
    for kind in ["digest", "insight", "aggregated", "other_service"] {
        assert_eq!(count(&stats, &format!("/sources/objects/skipped_by_reason/{kind}")), 1, "{kind}");
    }
}

/// Names of buckets that may be read, and a limit to a prefix, stand in the configuration.
#[test]
fn the_configuration_names_queues_and_buckets() {
    let (bucket, queue) = (Bucket::new(), Queue::new(1_000));
    let inside = key(ACCOUNT, "us-east-1", "in").replacen("AWSLogs/", "p/AWSLogs/", 1);
    let outside = key(ACCOUNT, "us-east-1", "out");
    bucket.put(&inside, &objects(&["in"]));
    bucket.put(&outside, &objects(&["out"]));
    queue.send(&[s3(&bucket.0, &[&inside]).to_string(), s3(&bucket.0, &[&outside]).to_string()]);
    let target = target();
    let config = json!({"version": 1, "sources": {
        "queues": [{"url": queue.url, "visibility_timeout": "5s"}],
        "buckets": [{"bucket": bucket.0, "prefix": "p", "region": "us-east-1", "path_style": true,
                     "role_arn": "arn:aws:iam::444455556666:role/read", "external_id": "x", "requester_pays": true}],
    }});
    fs::write(target.path("iota.yaml"), config.to_string()).unwrap();
    let (url, requests) = recording(|_, _| Answer::Pass);
    let mut watching = Watching::from(&target, &url, &["--config", "iota.yaml"]);
    watching.until_told(1);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!(titles(&target).0, ["in"]);
    assert_eq!(count(&stats, "/sources/objects/skipped_by_reason/other_prefix"), 1, "{stats:#}");
    let requests = requests.lock().unwrap();
    let assumed: Vec<&String> = requests.iter().filter(|request| request.contains("Action=AssumeRole&")).collect();
    assert_eq!(assumed.len(), 1, "the role of the bucket is assumed, once");
    assert!(assumed[0].contains("&ExternalId=x") && assumed[0].contains("%3Arole%2Fread"), "{}", assumed[0]);
    let read: Vec<&String> = requests.iter().filter(|request| request.starts_with("GET ")).collect();
    assert!(!read.is_empty() && read.iter().all(|request| request.contains("x-amz-request-payer: requester")), "{read:?}");
}

#[test]
fn a_cold_start_leaves_alone_what_was_delivered_before() {
    let (bucket, queue) = (Bucket::new(), Queue::new(1_000));
    let old = key(ACCOUNT, "us-east-1", "old");
    let new = key(ACCOUNT, "us-east-1", "new").replace("20240715T1005Z", "20240715T1110Z");
    bucket.put(&old, &objects(&["old"]));
    bucket.put(&new, &objects(&["new"]));
    queue.send(&[s3(&bucket.0, &[&old]).to_string(), s3(&bucket.0, &[&new]).to_string()]);
    let target = target();
    let mut watching =
        Watching::start(&target, &["--queue-url", &queue.url, "--bucket", &bucket.0, "--from", "2024-07-15T11:00:00Z"]);
    watching.until_told(1);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!(titles(&target).0, ["new"]);
    assert_eq!(count(&stats, "/sources/objects/skipped_by_reason/before_from"), 1, "{stats:#}");
    // What was sent before the first start. A queue of its own: moto still answers the request of who has ended.
    let queue = Queue::new(1_000);
    queue.send(&[direct("before").to_string()]);
    thread::sleep(Duration::from_millis(20));
    let fresh = crate::watching::target();
    let mut watching = Watching::start(&fresh, &["--queue-url", &queue.url, "--bucket", &bucket.0, "--from", "now"]);
    watching.until("an empty queue", |watching| queue.is_empty() && watching.log().contains("watching"));
    queue.send(&[direct("after").to_string()]);
    watching.until_told(1);
    watching.end();
    assert_eq!(titles(&fresh).0, ["after"]);
}

#[test]
fn sources_go_together_and_rules_are_read_again() {
    let (bucket, queue) = (Bucket::new(), Queue::new(1_000));
    let target = target();
    fs::create_dir(target.path("in")).unwrap();
    let listed = Bucket::new();
    let today = today();
    listed.put(&format!("AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{today}/a.json.gz"), &objects(&["listed"]));
    let flags = [
        "-",
        "--queue-url",
        &queue.url,
        "--bucket",
        &bucket.0,
        "--events-dir",
        "in",
        "--s3",
        &listed.url(""),
        "--poll-interval",
        "1s",
    ];
    let mut watching = Watching::with_input(&target, &flags);
    let mut input = watching.child.stdin.take().unwrap();
    let line = |id: &str| format!("{{\"eventID\":\"{id}\",\"eventTime\":\"2024-07-15T09:50:00Z\"}}\n");
    std::io::Write::write_all(&mut input, line("piped").as_bytes()).unwrap();
    fs::write(target.path("in/a.jsonl"), line("file")).unwrap();
    bucket.put("anywhere/a.json.gz", &objects(&["queued"]));
    queue.send(&[s3(&bucket.0, &["anywhere/a.json.gz"]).to_string()]);
    watching.until_told(4);
    assert_eq!(watching.told().0, ["file", "listed", "piped", "queued"]);
    fs::write(
        target.path("rules/every.py"),
        "def rule(event):\n    return True\ndef title(event):\n    return 'new ' + event['eventID']\n",
    )
    .unwrap();
    watching.until("new rules", |watching| watching.log().contains("the rules were read again"));
    std::io::Write::write_all(&mut input, line("piped again").as_bytes()).unwrap();
    queue.send(&[direct("direct").to_string()]);
    watching.until("new titles", |watching| {
        let told = watching.told().0;
        told.contains(&"new piped again".to_owned()) || told.contains(&"new direct".to_owned())
    });
    watching.until("an empty queue", |_| queue.is_empty());
    // A pipe that ends does not end the others.
    drop(input);
    watching.until("the end of the pipe", |watching| watching.log().contains("-: has ended"));
    let stats = watching.end();
    assert_eq!(count(&stats, "/records/evaluated"), 6, "{stats:#}");
}

/// Today's folder.
pub(crate) fn today() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y/%m/%d"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_end_gives_back_what_is_in_work() {
    let (bucket, queue) = (Bucket::new(), Queue::new(1_000));
    // In work for as long as anybody waits: the rule does not come to an end.
    let target = target();
    fs::write(target.path("rules/every.py"), "import time\ndef rule(event):\n    time.sleep(60)\n    return True\n").unwrap();
    bucket.put("a/b", &objects(&["a"]));
    queue.send(&[s3(&bucket.0, &["a/b"]).to_string()]);
    let (url, requests) = recording(|_, _| Answer::Pass);
    let flags = ["--queue-url", &queue.url, "--bucket", &bucket.0, "--rule-timeout", "120s"];
    let mut watching = Watching::from(&target, &url, &flags);
    watching.until("in flight", |_| queue.left() == (0, 1));
    thread::sleep(Duration::from_secs(1));
    let started = Instant::now();
    let stats = watching.end();
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    assert_eq!(count(&stats, "/sources/messages/returned"), 1, "{stats:#}");
    // Not only after the two minutes for which it was hidden. moto may give it at once to the request of who has ended.
    let requests = requests.lock().unwrap();
    let hidden = requests.iter().rfind(|request| request.contains("AmazonSQS.ChangeMessageVisibility")).unwrap();
    assert!(hidden.contains(r#""VisibilityTimeout":0"#), "others may have it at once: {hidden}");
}

/// Killed between any two steps of a message, and started again: each record counts once.
#[test]
fn killed_at_every_step_nothing_is_lost_and_nothing_counts_twice() {
    let steps =
        ["object.fetched", "unit.full", "commit.seen", "commit.finished", "unit.committed", "message.done", "message.deleted"];
    let bucket = Bucket::new();
    for n in 0..3 {
        bucket.put(&format!("o/{n}"), &objects(&[&format!("a{n}"), &format!("b{n}")]));
    }
    // Side by side, because each waits for messages to become visible again.
    thread::scope(|scope| {
        for step in steps {
            let bucket = &bucket;
            scope.spawn(move || {
                let queue = Queue::new(1_000);
                queue.send(&[s3(&bucket.0, &["o/0"]).to_string(), s3(&bucket.0, &["o/1", "o/2"]).to_string()]);
                let target = target();
                let config = json!({"version": 1, "workers": 1, "sources": {
                    "queues": [{"url": queue.url, "visibility_timeout": "4s"}], "buckets": [{"bucket": bucket.0}],
                }});
                fs::write(target.path("iota.yaml"), config.to_string()).unwrap();
                Watching::killed_at(&target, &["--config", "iota.yaml"], &format!("{step}:1"));
                let mut watching = Watching::start(&target, &["--config", "iota.yaml"]);
                // Before that a signal ends it like any process.
                watching.until("started", |watching| watching.log().matches("watching http").count() == 2);
                watching.until("an empty queue", |_| queue.is_empty());
                watching.end();
                let found = alerts(&target);
                assert!(found.len() == 6 && found.iter().all(|(_, count)| *count == 1), "{step}: {found:?}");
                let mut told = titles(&target).0;
                told.dedup();
                assert_eq!(told, ["a0", "a1", "a2", "b0", "b1", "b2"], "{step}");
            });
        }
    });
}

#[test]
fn the_endpoint_of_a_bucket_goes_before_that_of_the_environment() {
    let queue = Queue::new(1_000);
    let endpoint = shelf(|path| (path == "/elsewhere/there").then(|| objects(&["there"])));
    queue.send(&[s3("elsewhere", &["there"]).to_string()]);
    let target = target();
    let bucket = json!({"bucket": "elsewhere", "endpoint_url": endpoint, "path_style": true});
    let config = json!({"version": 1, "sources": {"queues": [{"url": queue.url}], "buckets": [bucket]}});
    fs::write(target.path("iota.yaml"), config.to_string()).unwrap();
    let mut watching = Watching::start(&target, &["--config", "iota.yaml"]);
    watching.until_told(1);
    watching.until("an empty queue", |_| queue.is_empty());
    watching.end();
}
