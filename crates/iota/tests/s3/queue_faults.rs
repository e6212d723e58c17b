//! `iota watch --queue-url` when the queue, the bucket or an object does not do what it should.

use crate::aws::{Bucket, Queue};
use crate::harness::{Seed, Target, key};
use crate::proxy::{Answer, proxy, recording};
use crate::queue::s3;
use crate::state::table;
use crate::watching::{Watching, count, objects, target, titles};
use serde_json::{Value as Json, json};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ACCOUNT: &str = "111122223333";

/// A queue with a message for each of so many objects.
fn filled(queue: &Queue, objects_there: usize) -> Bucket {
    let bucket = Bucket::new();
    let name = |n: usize| key(ACCOUNT, "us-east-1", &format!("o{n}"));
    for n in 0..objects_there {
        bucket.put(&name(n), &objects(&[&format!("r{n}")]));
    }
    queue.send(&(0..objects_there).map(|n| s3(&bucket.0, &[&name(n)]).to_string()).collect::<Vec<_>>());
    bucket
}

/// Writes a configuration with this queue and bucket.
fn configure(target: &Target, bucket: &Bucket, queue: &Json) {
    let config = json!({"version": 1, "sources": {"queues": [queue], "buckets": [{"bucket": bucket.0}]}});
    fs::write(target.path("iota.yaml"), config.to_string()).unwrap();
}

#[test]
fn what_passes_costs_nothing_but_time() {
    type Script = fn(&str, u32) -> Answer;
    let scripts: [(&str, Script); 7] = [
        ("receiving is throttled", |asked, before| match asked {
            "ReceiveMessage" if before < 2 => Answer::Error(400, "ThrottlingException"),
            _ => Answer::Pass,
        }),
        ("receiving is denied, then not", |asked, before| match asked {
            "ReceiveMessage" if before == 0 => Answer::Error(403, "AccessDeniedException"),
            _ => Answer::Pass,
        }),
        ("deleting fails at first", |asked, before| match asked {
            "DeleteMessageBatch" if before < 2 => Answer::Error(500, "InternalFailure"),
            _ => Answer::Pass,
        }),
        ("messages are deleted, and nobody hears of it", |asked, before| match asked {
            "DeleteMessageBatch" if before == 0 => Answer::CutAfter,
            _ => Answer::Pass,
        }),
        ("the bucket is busy", |asked, before| {
            if asked.starts_with("GET") && before == 0 { Answer::Error(503, "SlowDown") } else { Answer::Pass }
        }),
        ("bodies are cut", |asked, before| if asked.starts_with("GET") && before == 0 { Answer::Cut(400) } else { Answer::Pass }),
        ("the bucket is slow", |asked, _| if asked.starts_with("GET") { Answer::Slow } else { Answer::Pass }),
    ];
    for (name, script) in scripts {
        let queue = Queue::new(4);
        let bucket = filled(&queue, 5);
        let target = target();
        let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
        watching.until_told(5);
        watching.until("an empty queue", |_| queue.is_empty());
        let stats = watching.end();
        assert_eq!(titles(&target).0, ["r0", "r1", "r2", "r3", "r4"], "{name}");
        assert_eq!((queue.dead(), count(&stats, "/sources/messages/deleted")), (0, 5), "{name}: {stats:#}");
    }
}

/// A message whose deletion fails, or whose answer gets lost, comes again, and asks for nothing then.
#[test]
fn a_redelivered_object_is_recognised() {
    let queue = Queue::new(1_000);
    let bucket = filled(&queue, 3);
    let target = target();
    configure(&target, &bucket, &json!({"url": queue.url, "visibility_timeout": "2s"}));
    // For good, as of a receipt that is not valid any more.
    let script = |asked: &str, before| match asked {
        "DeleteMessageBatch" if before < 2 => Answer::Error(400, "ReceiptHandleIsInvalid"),
        _ => Answer::Pass,
    };
    let mut watching = Watching::from(&target, &proxy(script), &["--config", "iota.yaml"]);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!(titles(&target).0, ["r0", "r1", "r2"]);
    let objects = |name: &str| count(&stats, &format!("/sources/objects/{name}"));
    assert!(objects("read") + objects("already_finished") >= 4 && count(&stats, "/sources/messages/undeleted") > 0, "{stats:#}");
    assert_eq!((count(&stats, "/records/evaluated"), count(&stats, "/matches/total")), (3, 3), "{stats:#}");
}

/// The request to delete some is answered, and says of one that it is not deleted: that one comes again, and asks for nothing then.
/// What is not named is tested in `iota-service/src/source/feed/queue/delete.rs`.
#[test]
fn a_message_that_is_not_deleted_among_others_comes_again() {
    let queue = Queue::new(1_000);
    let bucket = filled(&queue, 3);
    let target = target();
    configure(&target, &bucket, &json!({"url": queue.url, "visibility_timeout": "2s"}));
    let failed = r#"{"Failed":[{"Id":"0","Code":"ReceiptHandleIsInvalid","SenderFault":true,"Message":"expired"}]}"#;
    let script = |asked: &str, before| match asked {
        "DeleteMessageBatch" if before == 0 => Answer::Json(failed),
        _ => Answer::Pass,
    };
    let mut watching = Watching::from(&target, &proxy(script), &["--config", "iota.yaml"]);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    let messages = |name: &str| count(&stats, &format!("/sources/messages/{name}"));
    assert_eq!((messages("undeleted"), messages("deleted")), (1, 3), "{stats:#}");
    assert_eq!(titles(&target).0, ["r0", "r1", "r2"]);
    assert_eq!((count(&stats, "/records/evaluated"), count(&stats, "/matches/total")), (3, 3), "{stats:#}");
}

/// One bucket is slow, or only says that it is too busy, for all who ask: those of the others come in meanwhile, through the same
/// queue.
#[test]
fn a_bucket_that_is_slow_holds_up_no_other() {
    for instead in [None, Some(Answer::Error(503, "SlowDown"))] {
        let queue = Queue::new(1_000);
        let (slow, good) = (filled(&queue, 70), Bucket::new());
        let (shut, asked_for) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
        let script = {
            let (shut, asked_for, slow) = (Arc::clone(&shut), Arc::clone(&asked_for), format!("GET /{}/", slow.0));
            move |asked: &str, _| {
                if !asked.starts_with(&slow) {
                    return Answer::Pass;
                }
                asked_for.fetch_add(1, Ordering::Relaxed);
                match instead {
                    Some(instead) if shut.load(Ordering::Relaxed) => return instead,
                    Some(_) => {}
                    None => {
                        while shut.load(Ordering::Relaxed) {
                            thread::sleep(Duration::from_millis(10));
                        }
                    }
                }
                Answer::Pass
            }
        };
        let target = target();
        let flags = ["--queue-url", &queue.url, "--bucket", &slow.0, "--bucket", &good.0];
        let mut watching = Watching::from(&target, &proxy(script), &flags);
        watching.until("many are being read", |_| asked_for.load(Ordering::Relaxed) >= 16);
        let ids: Vec<_> = (0..20).map(|n| format!("good{n:02}")).collect();
        for id in &ids {
            good.put(id, &objects(&[id]));
            queue.send(&[s3(&good.0, &[id]).to_string()]);
        }
        watching.until_told(ids.len());
        assert_eq!(titles(&target).0, ids);
        shut.store(false, Ordering::Relaxed);
        watching.until_told(90);
        watching.until("an empty queue", |_| queue.is_empty());
        watching.end();
    }
}

/// As where a message names a region that there is none of, and so no host: the bucket is looked for without it.
#[test]
fn a_region_that_a_message_made_up_is_left() {
    let (queue, bucket) = (Queue::new(1_000), Bucket::new());
    bucket.put("there", &objects(&["there"]));
    queue.send(&[s3(&bucket.0, &["there"]).to_string().replace("us-east-1", "us-east-99")]);
    let script = |asked: &str, _| if asked.ends_with(" us-east-99") { Answer::Cut(0) } else { Answer::Pass };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until_told(1);
    watching.until("an empty queue", |_| queue.is_empty());
    assert!(watching.log().contains("no answer from us-east-99"), "{}", watching.log());
    let stats = watching.end();
    assert_eq!((count(&stats, "/sources/objects/read"), count(&stats, "/sources/objects/returned")), (1, 0), "{stats:#}");
}

/// Nothing of the bucket can be read for longer than a message may be received.
#[test]
fn an_outage_pauses_and_moves_nothing_to_the_dead_letters() {
    let queue = Queue::new(3);
    let bucket = filled(&queue, 12);
    let (down, denied) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let script = {
        let (down, denied) = (Arc::clone(&down), Arc::clone(&denied));
        move |asked: &str, _| {
            if asked.starts_with("GET") && down.load(Ordering::Relaxed) {
                denied.fetch_add(1, Ordering::Relaxed);
                return Answer::Error(403, "AccessDenied");
            }
            Answer::Pass
        }
    };
    let target = target();
    let started = Instant::now();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until("denied", |_| denied.load(Ordering::Relaxed) >= 10);
    thread::sleep(Duration::from_secs(8));
    assert_eq!((watching.told().0.len(), queue.dead()), (0, 0));
    let tried = denied.load(Ordering::Relaxed);
    // Each at first, and a few after every pause: these double from half a second on, however slow the machine is.
    let pauses = (2 * started.elapsed().as_secs() + 3).ilog2();
    assert!(tried <= 12 + 4 * pauses, "tried {tried} times");
    assert!(watching.log().contains("s3:GetObject: AccessDenied"), "{}", watching.log());
    down.store(false, Ordering::Relaxed);
    watching.until_told(12);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!(queue.dead(), 0);
    assert!(count(&stats, "/sources/messages/returned") >= 10, "{stats:#}");
}

/// The next receipt of these would move them to the dead letters, so they are kept until the outage is over.
#[test]
fn a_last_receipt_in_an_outage_is_kept_and_worked_on_when_it_is_over() {
    let queue = Queue::new(1);
    let bucket = filled(&queue, 12);
    let down = Arc::new(AtomicBool::new(true));
    let script = {
        let down = Arc::clone(&down);
        move |asked: &str, _| {
            if asked.starts_with("GET") && down.load(Ordering::Relaxed) {
                Answer::Error(403, "AccessDenied")
            } else {
                Answer::Pass
            }
        }
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until("received", |_| queue.left() == (0, 12));
    assert_eq!((watching.told().0.len(), queue.dead()), (0, 0));
    down.store(false, Ordering::Relaxed);
    watching.until_told(12);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!((queue.dead(), count(&stats, "/sources/messages/returned")), (0, 0), "{stats:#}");
}

/// The process ends in the outage: whoever got them at once would move them.
#[test]
fn a_last_receipt_in_an_outage_stays_hidden_after_an_end() {
    let queue = Queue::new(1);
    let bucket = filled(&queue, 12);
    let script = |asked: &str, _| if asked.starts_with("GET") { Answer::Error(403, "AccessDenied") } else { Answer::Pass };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until("received", |_| queue.left() == (0, 12));
    let stats = watching.end();
    assert_eq!((queue.left(), queue.dead()), ((0, 12), 0), "{stats:#}");
}

/// Objects that are encrypted with a key of KMS are read; while the key denies it everything waits, and nothing counts as damaged.
#[test]
fn a_key_of_kms_that_denies_is_named_and_holds_input_back() {
    let told_by_aws = "User: arn:aws:sts::111122223333:assumed-role/iota/i is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/k because no identity-based policy allows the kms:Decrypt action";
    let faults =
        [(403, "AccessDenied", told_by_aws), (400, "KMS.DisabledException", "arn:aws:kms:us-east-1:1:key/k is disabled.")];
    thread::scope(|scope| {
        for (status, code, message) in faults {
            scope.spawn(move || {
                let (queue, target) = (Queue::new(50), target());
                let mut seed = Seed { kms: true, ..Seed::default() };
                let names: Vec<String> = (0..3).map(|n| key(ACCOUNT, "us-east-1", &format!("k{n}"))).collect();
                for (n, name) in names.iter().enumerate() {
                    seed.put(name, &objects(&[&format!("r{n}")]));
                }
                let bucket = seed.plant();
                queue.send(&names.iter().map(|name| s3(&bucket, &[name]).to_string()).collect::<Vec<_>>());
                let (down, denied) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
                let script = {
                    let (down, denied) = (Arc::clone(&down), Arc::clone(&denied));
                    move |asked: &str, _| {
                        if asked.starts_with("GET") && down.load(Ordering::Relaxed) {
                            denied.fetch_add(1, Ordering::Relaxed);
                            return Answer::Says(status, code, message);
                        }
                        Answer::Pass
                    }
                };
                let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket]);
                // More often than makes a damaged object.
                watching.until("denied", |_| denied.load(Ordering::Relaxed) >= 6);
                watching.until("named", |watching| watching.log().contains(code) && watching.log().contains("kms:Decrypt"));
                assert_eq!(watching.told(), (vec![], vec![]), "{code}");
                down.store(false, Ordering::Relaxed);
                watching.until_told(3);
                watching.until("an empty queue", |_| queue.is_empty());
                let stats = watching.end();
                assert_eq!((titles(&target), queue.dead()), ((vec!["r0".into(), "r1".into(), "r2".into()], vec![]), 0), "{code}");
                assert_eq!((count(&stats, "/inputs/unreadable"), count(&stats, "/sources/objects/read")), (0, 3), "{stats:#}");
            });
        }
    });
}

/// Objects whose key is disabled, where the bucket's others are read: they go to the dead letters in the end, so they are told.
#[test]
fn objects_whose_key_is_disabled_are_told_while_others_are_read() {
    let queue = Queue::new(1_000);
    let bucket = Bucket::new();
    let script = |asked: &str, _| {
        if asked.contains("/disabled") { Answer::Error(400, "KMS.DisabledException") } else { Answer::Pass }
    };
    let target = target();
    let (url, requests) = recording(script);
    let mut watching = Watching::from(&target, &url, &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    for n in 0..5 {
        let (disabled, good) = (format!("disabled{n}"), format!("good{n}"));
        queue.send(&[s3(&bucket.0, &[&disabled]).to_string()]);
        watching.until("refused", |_| requests.lock().unwrap().iter().any(|head| head.contains(&format!("/{disabled}"))));
        bucket.put(&good, &objects(&[&good]));
        queue.send(&[s3(&bucket.0, &[&good]).to_string()]);
        watching.until_told(n + 1);
    }
    watching.until("told", |watching| {
        watching.told().1.iter().any(|title| title.starts_with("An object cannot be had") && title.contains("KMS.Disabled"))
    });
    watching.end();
}

/// A session of the role that reads the queue ends before it should: another one is asked for.
#[test]
fn credentials_of_a_queue_that_expire_on_the_way_are_asked_for_anew() {
    let queue = Queue::new(1_000);
    let bucket = filled(&queue, 3);
    let target = target();
    let aws = json!({"assume_role": {"arn": "arn:aws:iam::123456789012:role/reader"}});
    let config =
        json!({"version": 1, "sources": {"queues": [{"url": queue.url, "aws": aws}], "buckets": [{"bucket": bucket.0}]}});
    fs::write(target.path("iota.yaml"), config.to_string()).unwrap();
    let sessions = Arc::new(AtomicU32::new(0));
    let script = {
        let sessions = Arc::clone(&sessions);
        move |asked: &str, _| {
            if asked == "AssumeRole" {
                sessions.fetch_add(1, Ordering::Relaxed);
            } else if asked == "DeleteMessageBatch" && sessions.load(Ordering::Relaxed) < 2 {
                return Answer::Error(400, "ExpiredTokenException");
            }
            Answer::Pass
        }
    };
    let mut watching = Watching::from(&target, &proxy(script), &["--config", "iota.yaml"]);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!((titles(&target).0.len(), count(&stats, "/sources/messages/deleted")), (3, 3), "{stats:#}");
    assert_eq!(sessions.load(Ordering::Relaxed), 2);
}

/// Nobody may look at the queue's attributes: it is read, and what that costs is said.
#[test]
fn a_queue_that_does_not_say_its_receipts_is_warned_of() {
    let queue = Queue::new(1_000);
    let bucket = filled(&queue, 1);
    let script = |asked: &str, _| match asked {
        "GetQueueAttributes" => Answer::Error(403, "AccessDenied"),
        _ => Answer::Pass,
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until_told(1);
    watching.until("warned", |watching| watching.log().contains("their last receipt is not kept back"));
    watching.end();
}

/// A bucket that cannot be read, among others: it waits, and they do not.
#[test]
fn a_bucket_that_is_broken_holds_up_no_other_and_loses_nothing() {
    let queue = Queue::new(3);
    let (bad, good) = (Bucket::new(), Bucket::new());
    let name = |n: usize| key(ACCOUNT, "us-east-1", &format!("o{n}"));
    let fill = |bucket: &Bucket, kind: &str, numbers: std::ops::Range<usize>| {
        for n in numbers.clone() {
            bucket.put(&name(n), &objects(&[&format!("{kind}{n}")]));
        }
        queue.send(&numbers.map(|n| s3(&bucket.0, &[&name(n)]).to_string()).collect::<Vec<_>>());
    };
    let (down, asked_bad) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let script = {
        let (down, asked_bad, path) = (Arc::clone(&down), Arc::clone(&asked_bad), format!("GET /{}/", bad.0));
        move |asked: &str, _| {
            if asked.starts_with(&path) && down.load(Ordering::Relaxed) {
                asked_bad.fetch_add(1, Ordering::Relaxed);
                return Answer::Error(403, "AccessDenied");
            }
            Answer::Pass
        }
    };
    fill(&bad, "bad", 0..30);
    fill(&good, "good", 0..5);
    let target = target();
    let flags = ["--queue-url", &queue.url, "--bucket", &bad.0, "--bucket", &good.0];
    let mut watching = Watching::from(&target, &proxy(script), &flags);
    watching.until_told(5);
    let before = asked_bad.load(Ordering::Relaxed);
    // While it is known to be broken.
    fill(&good, "good", 5..10);
    watching.until_told(10);
    let while_broken = asked_bad.load(Ordering::Relaxed) - before;
    assert!(while_broken <= 10, "a broken bucket is tried one object at a time, not {while_broken} times");
    assert_eq!((watching.told().0.iter().filter(|id| id.starts_with("bad")).count(), queue.dead()), (0, 0));
    down.store(false, Ordering::Relaxed);
    watching.until_told(40);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!(queue.dead(), 0, "{stats:#}");
}

/// The object is archived: nobody waits for it, and it is told once.
#[test]
fn an_archived_object_is_told_once_and_left() {
    let queue = Queue::new(1);
    let bucket = filled(&queue, 3);
    let script = |asked: &str, _| {
        if asked.starts_with("GET") && asked.contains("_o1.json.gz") {
            Answer::Error(403, "InvalidObjectState")
        } else {
            Answer::Pass
        }
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until_told(2);
    watching.until("told", |watching| watching.told().1.iter().any(|title| title.contains("archive storage class")));
    watching.until("left alone", |_| queue.left() == (0, 1));
    let stats = watching.end();
    let objects = |name: &str| count(&stats, &format!("/sources/objects/{name}"));
    assert_eq!((objects("read"), objects("left"), count(&stats, "/sources/messages/left")), (2, 1, 1), "{stats:#}");
}

/// All bytes had come when the connection broke: there is nothing behind them to go on with.
#[test]
fn a_range_behind_the_end_starts_over() {
    let (queue, bucket) = (Queue::new(1_000), Bucket::new());
    let ids: Vec<String> = (0..2_000_u64).map(|id| format!("{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    bucket.put("large", &objects(&ids));
    queue.send(&[s3(&bucket.0, &["large"]).to_string()]);
    let script = |asked: &str, before| match before {
        0 if asked.starts_with("GET") => Answer::Cut(8_000),
        1 if asked.starts_with("GET") => Answer::Error(416, "InvalidRange"),
        _ => Answer::Pass,
    };
    let target = target();
    let (url, requests) = recording(script);
    let mut watching = Watching::from(&target, &url, &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until_told(ids.len());
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!((count(&stats, "/sources/objects/read"), count(&stats, "/sources/objects/returned")), (1, 0), "{stats:#}");
    let ranges: Vec<bool> =
        requests.lock().unwrap().iter().filter(|head| head.starts_with("GET ")).map(|head| head.contains("bytes=")).collect();
    assert_eq!(ranges, [false, true, false]);
}

#[test]
fn a_crowded_queue_is_told_once_and_counted() {
    let queue = Queue::new(1_000);
    let bucket = filled(&queue, 1);
    let script = |asked: &str, _| match asked {
        "GetQueueAttributes" => Answer::Json(
            r#"{"Attributes":{"ApproximateNumberOfMessages":"7","ApproximateNumberOfMessagesNotVisible":"96000","RedrivePolicy":"{\"maxReceiveCount\":\"50\"}"}}"#,
        ),
        _ => Answer::Pass,
    };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until_told(1);
    watching.until("told", |watching| watching.told().1.iter().any(|title| title.starts_with("96000 messages of ")));
    let stats = watching.end();
    let depth = &stats["sources"]["queues"][&queue.url];
    assert_eq!((&depth["visible"], &depth["in_flight"]), (&json!(7), &json!(96_000)), "{stats:#}");
}

/// One message with a good and a bad object: what is good is read once, the message is left for the dead letters, and nobody
/// else waits.
#[test]
fn what_cannot_be_decoded_is_told_after_the_same_outcome_three_times() {
    let queue = Queue::new(4);
    let bucket = filled(&queue, 2);
    let whole = objects(&["cut"]);
    let bad = key(ACCOUNT, "us-east-1", "bad");
    bucket.put(&bad, &whole[..whole.len() - 12]);
    bucket.put("good", &objects(&["good"]));
    queue.send(&[s3(&bucket.0, &["good", &bad]).to_string()]);
    let target = target();
    let hidden_for = |visibility: &str| configure(&target, &bucket, &json!({"url": queue.url, "visibility_timeout": visibility}));
    // So long that it does not come again while it is in work, which would be one more outcome.
    hidden_for("8s");
    let mut watching = Watching::start(&target, &["--config", "iota.yaml"]);
    watching.until("told", |watching| !watching.told().1.is_empty());
    watching.until("in the dead letters", |_| queue.dead() == 1);
    let stats = watching.end();
    let (records, own) = titles(&target);
    assert!(["good", "r0", "r1"].iter().all(|id| records.contains(&(*id).to_owned())), "{records:?}");
    assert!(own.len() == 1 && own[0].contains("bad.json.gz cannot be decoded: truncated_gzip"), "{own:?}");
    assert_eq!(count(&stats, "/inputs/unreadable"), 3, "it was read three times: {stats:#}");
    assert!(count(&stats, "/sources/objects/left") >= 1 && count(&stats, "/sources/messages/left") >= 1, "{stats:#}");
    let rejects = iota_engine::store::Desk::rejects(
        &iota_service::store::Sqlite::open_beside(&target.path("state")).unwrap(),
        &iota_engine::store::RejectFilter::default(),
    );
    assert_eq!(rejects.unwrap().len(), 1, "the reject is kept, once");
    // Another process knows it as well.
    queue.send(&[s3(&bucket.0, &[&bad]).to_string()]);
    hidden_for("2s");
    let mut watching = Watching::start(&target, &["--config", "iota.yaml"]);
    watching.until("in the dead letters", |_| queue.dead() == 2);
    let stats = watching.end();
    assert_eq!(count(&stats, "/inputs/unreadable"), 0, "{stats:#}");
}

#[test]
fn an_object_that_is_not_there_holds_nobody_up() {
    let queue = Queue::new(2);
    let bucket = Bucket::new();
    queue.send(&[s3(&bucket.0, &["gone"]).to_string()]);
    let target = target();
    let mut watching = Watching::start(&target, &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until("told", |watching| watching.told().1.iter().any(|title| title.contains("there is no such object")));
    bucket.put("there", &objects(&["there"]));
    queue.send(&[s3(&bucket.0, &["there"]).to_string()]);
    watching.until_told(1);
    watching.until("in the dead letters", |_| queue.dead() == 1);
    let stats = watching.end();
    assert!(count(&stats, "/sources/objects/returned") >= 2, "{stats:#}");
}

/// Without `s3:ListBucket` S3 denies what is not there.
#[test]
fn a_key_that_is_denied_is_tried_decoded() {
    let (queue, bucket) = (Queue::new(1_000), Bucket::new());
    bucket.put("own 4", &objects(&["own"]));
    queue.send(&[json!({"s3Bucket": bucket.0, "s3ObjectKey": ["own+4"]}).to_string()]);
    let script = |asked: &str, _| if asked.contains("own%2B4") { Answer::Error(403, "AccessDenied") } else { Answer::Pass };
    let target = target();
    let mut watching = Watching::from(&target, &proxy(script), &["--queue-url", &queue.url, "--bucket", &bucket.0]);
    watching.until_told(1);
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!((count(&stats, "/sources/objects/read"), count(&stats, "/sources/objects/returned")), (1, 0), "{stats:#}");
}

/// In work for longer than it is hidden: nobody else gets it meanwhile.
#[test]
fn a_message_stays_hidden_while_it_is_in_work() {
    let queue = Queue::new(1_000);
    let bucket = filled(&queue, 1);
    let target = target();
    fs::write(
        target.path("rules/every.py"),
        "import time\ndef rule(event):\n    time.sleep(10)\n    return True\ndef title(event):\n    return event['eventID']\n",
    )
    .unwrap();
    // It is hidden anew after a third of the time.
    let config = json!({"version": 1, "rule_timeout": "60s", "sources": {
        "queues": [{"url": queue.url, "visibility_timeout": "8s"}], "buckets": [{"bucket": bucket.0}],
    }});
    fs::write(target.path("iota.yaml"), config.to_string()).unwrap();
    let mut watching = Watching::start(&target, &["--config", "iota.yaml"]);
    watching.until("in flight", |_| queue.left() == (0, 1));
    while watching.told().0.is_empty() {
        assert_ne!(queue.left(), (1, 0), "it was visible");
        thread::sleep(Duration::from_millis(50));
        watching.until("going", |_| true);
    }
    watching.until("an empty queue", |_| queue.is_empty());
    let stats = watching.end();
    assert_eq!((count(&stats, "/sources/messages/received"), count(&stats, "/sources/messages/deleted")), (1, 1), "{stats:#}");
}

/// What makes the process fail would make the next one fail, too: it does not come again at once.
#[test]
fn after_a_round_that_failed_messages_wait() {
    let state = table("iota-fails");
    let queue = Queue::new(1_000);
    let bucket = filled(&queue, 1);
    let target = target();
    let (url, requests) = recording(|asked: &str, _| match asked {
        "TransactWriteItems" | "BatchWriteItem" => Answer::Error(400, "ValidationException"),
        _ => Answer::Pass,
    });
    let flags = ["watch", "--rules", "rules", "--state", &state, "--queue-url", &queue.url, "--bucket", &bucket.0];
    let ran = target.run(&url, &flags);
    assert!(ran.code == Some(2) && ran.stderr.contains("ValidationException"), "{:?} {}", ran.code, ran.stderr);
    let requests = requests.lock().unwrap();
    let hidden = requests.iter().rfind(|request| request.contains("AmazonSQS.ChangeMessageVisibility")).expect("is given back");
    assert!(hidden.contains(r#""VisibilityTimeout":"#) && !hidden.contains(r#""VisibilityTimeout":0"#), "{hidden}");
}

#[test]
fn mistakes_are_named() {
    let target = target();
    for (flags, expected) in [
        (&[][..], "nothing to watch; name --queue-url, --s3, --events-dir or a pipe"),
        (&["--queue-url", "q"], "--queue-url \"q\" is not the URL of a queue"),
        (&["--s3", "bucket"], "\"bucket\" is not a place in S3"),
        (&["--s3", "s3://b", "--poll-interval", "1ms"], "--poll-interval \"1ms\": must be at least 1s"),
        (&["rules"], "rules: is no named pipe; watch a directory with --events-dir"),
        (&["-", "-"], "a pipe is named twice"),
    ] {
        let ran = target.run(
            "http://127.0.0.1:1",
            &[&["watch", "--log-format", "human", "--rules", "rules", "--state", "state"], flags].concat(),
        );
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{flags:?}: {:?} {}", ran.code, ran.stderr);
    }
}
