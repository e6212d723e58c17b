//! What comes out of a bucket: every layout, every kind of content, after every kind of end.

use crate::harness::{DAY, Seed, Target, gzip, key, log, moto, record};
use crate::proxy::{Answer, Requests, proxy, recording};
use serde_json::Value as Json;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "444455556666";

#[test]
fn every_layout_is_found_and_records_keep_their_bytes() {
    let organization = "o-a1b2c3d4e5";
    for (prefix, within) in [
        ("", ""),
        ("trail", ""),
        ("a b+c/ü%41", ""),
        ("AWSLogs/old", ""),
        ("", organization),
        ("trail/x", organization),
        (organization, organization),
    ] {
        let mut seed = Seed::default();
        let before = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let plain = |account: &str, region: &str, name: &str| {
            let inner = if within.is_empty() { "AWSLogs/".to_owned() } else { format!("AWSLogs/{within}/") };
            format!("{before}{}", key(account, region, name).replacen("AWSLogs/", &inner, 1))
        };
        seed.put(&plain(ACCOUNT, "us-east-1", "a"), &log(&["1"]));
        seed.put(&plain(OTHER, "eu-west-1", "b+%20 ü"), &log(&["2"]));
        seed.put(&plain(OTHER, "eu-west-1", "n").replace("CloudTrail/", "CloudTrail-NetworkActivity/"), &log(&["3"]));
        // Siblings, which are no events.
        for folder in ["CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-Aggregated", "Config"] {
            seed.put(&plain(OTHER, "eu-west-1", "x").replace("CloudTrail/", &format!("{folder}/")), &log(&["no"]));
        }
        seed.put(&format!("{before}AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/"), b"");
        let bucket = seed.plant();
        let target = crate::watching::target();
        let ran = target.ingest(&[&format!("s3://{bucket}/{prefix}")]);
        assert_eq!(ran.code, Some(0), "{prefix}: {}", ran.stderr);
        let place = |account: &str, region: &str| format!("{account}/{region}/{DAY}/09");
        let expected = [
            (place(ACCOUNT, "us-east-1"), record("1")),
            (place(OTHER, "eu-west-1"), record("2")),
            (place(OTHER, "eu-west-1"), record("3")),
        ];
        assert_eq!(target.lines(), expected, "{prefix}");
        // Once more: nothing new, nothing written.
        let again = target.ingest(&[&format!("s3://{bucket}/{prefix}")]);
        assert_eq!((again.code, again.count("objects_known"), again.count("files_written")), (Some(0), 3, 0), "{}", again.stderr);
        assert_eq!(target.lines(), expected);
        let ran = target.run(moto(), &["run", &format!("s3://{bucket}/{prefix}"), "--rules", "rules"]);
        assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 3), "{prefix}: {}", ran.stderr);
    }
}

#[test]
fn filters_choose_accounts_regions_and_times() {
    let mut seed = Seed::default();
    for (n, (account, region)) in [(ACCOUNT, "us-east-1"), (ACCOUNT, "eu-west-1"), (OTHER, "eu-west-1")].into_iter().enumerate() {
        seed.put(&key(account, region, "a"), &log(&[&n.to_string()]));
    }
    seed.put(
        &key(ACCOUNT, "us-east-1", "late").replace("2024/07/15", "2024/07/17").replace("20240715T", "20240717T"),
        &log(&["late"]),
    );
    let bucket = format!("s3://{}", seed.plant());
    for (args, expected) in [
        (&["--account", OTHER][..], &["2"][..]),
        (&["--region", "us-east-1"], &["0", "late"]),
        (&["--from", "2024-07-16"], &["late"]),
        (&["--to", "2024-07-15"], &["0", "1", "2"]),
        (&["--from", "2024-07-15T10:05:00Z", "--to", "2024-07-15T10:05:01Z", "--account", ACCOUNT], &["0", "1"]),
        (&["--to", "2024-07-15T10:05:00Z"], &[]),
        (&["--since", "1h"], &[]),
    ] {
        let target = Target::new();
        let ran = target.ingest(&[&[&bucket[..]], args].concat());
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        assert_eq!(target.ids(), expected, "{args:?}");
    }
}

#[test]
fn content_of_every_kind_is_accounted_for() {
    let mut seed = Seed { kms: true, ..Seed::default() };
    let whole = log(&["cut1", "cut2"]);
    let bomb = gzip(&vec![b' '; 40 << 20]);
    for (name, body) in [
        ("good", log(&["a", "b"])),
        ("members", [log(&["c"]), log(&["d"])].concat()),
        ("plain", format!(r#"{{"Records":[{}]}}"#, record("e")).into_bytes()),
        ("pretty", gzip(format!("{{\n\"Records\": [\n{}\n]}}", record("f").replace(",\"n\"", ",\n\"n\"")).as_bytes())),
        ("empty", Vec::new()),
        ("none", gzip(b"{\"Records\":[]}")),
        ("nothing", gzip(b"{}")),
        ("truncated", whole[..whole.len() - 12].to_vec()),
        ("text", gzip(b"not json\n")),
        ("spaces", bomb),
        ("insight", gzip(br#"{"Records":[{"eventID":"i","eventVersion":"1.08","eventCategory":"Insight"}]}"#)),
        ("mixed", gzip(format!("{{\"Records\":[7,{}]}}", record("g")).as_bytes())),
    ] {
        seed.put(&key(ACCOUNT, "us-east-1", name), &body);
    }
    let bucket = format!("s3://{}", seed.plant());
    let target = Target::new();
    let ran = target.ingest(&[&bucket]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(ran.count("objects_read"), 12);
    let ids = target.ids();
    for id in ["a", "b", "c", "d", "e", "f", "g"] {
        assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id} of {ids:?}");
    }
    // What was rejected is kept as it was, and said.
    let kept: Vec<_> = fs::read_dir(target.path("events/.rejected")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let named = |name: &str| kept.iter().find(|path| path.to_str().unwrap().contains(&format!("_{name}.json.gz")));
    assert_eq!(fs::read(named("truncated").unwrap()).unwrap(), whole[..whole.len() - 12]);
    assert!(named("text").is_some() && named("mixed").is_some() && named("good").is_none());
    let said = kept.iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let said: Vec<_> =
        said.flat_map(|path| fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(said.len() as u64, ran.count("records_rejected"));
}

#[test]
fn more_than_a_page_and_two_trails_give_each_record_once() {
    let mut seed = Seed::default();
    let names: Vec<_> = (0..1050).map(|n| format!("{n:04}")).collect();
    for name in &names {
        seed.put(&key(ACCOUNT, "us-east-1", name), &log(&[name]));
    }
    let (first, second) = (seed.plant(), seed.plant());
    let target = Target::new();
    let ran = target.ingest(&[&format!("s3://{first}"), &format!("s3://{second}")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((ran.count("objects_read"), ran.count("records_duplicate")), (2100, 1050));
    assert_eq!(target.ids(), names);
}

#[test]
fn killed_at_every_step_each_record_is_written_once() {
    let mut seed = Seed::default();
    let names: Vec<_> = (0..1600).map(|n| format!("{n:04}")).collect();
    for name in &names {
        // Every record in two objects.
        seed.put(&key(ACCOUNT, "us-east-1", name), &log(&[name]));
        seed.put(&key(ACCOUNT, "us-east-1", &format!("{name}-again")), &log(&[name]));
    }
    let bucket = format!("s3://{}", seed.plant());
    let clean = Target::new();
    assert_eq!(clean.ingest(&[&bucket]).code, Some(0));
    assert_eq!(clean.ids(), names);
    let target = Target::new();
    let mut killed = 0;
    for crash in
        ["ingest-staged:1", "ingest-recorded:1", "ingest-naming:1", "ingest-recorded:2", "ingest-staged:2", "ingest-naming:2"]
    {
        let status = target.command(moto(), &["ingest", &bucket]).env("IOTA_CRASH", crash).output().unwrap().status;
        killed += u32::from(status.code().is_none());
    }
    // And at times that nobody chose.
    for ms in [150, 400, 900] {
        let mut child = target.command(moto(), &["ingest", &bucket]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed >= 4, "killed {killed} times only");
    let last = target.ingest(&[&bucket]);
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    assert_eq!(target.lines(), clean.lines());
    assert_eq!(fs::read_dir(target.path("events/.staging")).unwrap().count(), 0);
}

#[test]
fn a_replaced_object_is_read_again_and_its_old_records_are_not() {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "a"), &log(&["1"]));
    let bucket = seed.plant();
    let target = Target::new();
    assert_eq!(target.ingest(&[&format!("s3://{bucket}")]).code, Some(0));
    seed.objects.clear();
    seed.put(&key(ACCOUNT, "us-east-1", "a"), &log(&["1", "2"]));
    seed.plant_as(&bucket);
    let ran = target.ingest(&[&format!("s3://{bucket}")]);
    assert_eq!((ran.code, ran.count("objects_changed"), ran.count("records_duplicate")), (Some(0), 1, 1), "{}", ran.stderr);
    assert_eq!(target.ids(), ["1", "2"]);
}

#[test]
fn init_writes_a_configuration_that_ingest_reads() {
    let mut seed = Seed { trails: vec!["main"], ..Seed::default() };
    seed.put(&format!("p/{}", key(ACCOUNT, "us-east-1", "a")), &log(&["1"]));
    let bucket = seed.plant();
    let target = Target::new();
    let ran = target.run(moto(), &["ingest", "init"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("\"bucket\": \"{bucket}\"")), "{}", ran.stdout);
    fs::write(target.path("ingest.json"), &ran.stdout).unwrap();
    assert_eq!(target.ingest(&["--config", "ingest.json"]).code, Some(0));
    assert_eq!(target.ids(), ["1"]);
}

#[test]
fn a_role_is_assumed_for_reading() {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "a"), &log(&["1"]));
    let bucket = seed.plant();
    let url = format!("s3://{bucket}");
    let target = Target::new();
    // A name, in front of which the bucket's could stand.
    let (address, requests) = recording(|_, _| Answer::Pass);
    let endpoint = address.replace("127.0.0.1", "localhost");
    let role = ["--role-arn", "arn:aws:iam::444455556666:role/reader", "--external-id", "id", "--path-style", "--requester-pays"];
    let ran = target.ingest_from(&endpoint, &[&[&url[..]], &role[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(target.ids(), ["1"]);
    let requests = requests.lock().unwrap();
    let (of_role, of_bucket): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.contains("Action=AssumeRole"));
    let asked = ["RoleArn=arn%3Aaws%3Aiam%3A%3A444455556666%3Arole%2Freader", "ExternalId=id"];
    assert!(of_role.len() == 1 && asked.iter().all(|part| of_role[0].contains(part)), "{of_role:?}");
    assert!(of_bucket.len() > 1, "{of_bucket:?}");
    for request in of_bucket {
        let head = request.to_ascii_lowercase();
        let headers = ["\r\nhost: localhost:", "\r\nx-amz-request-payer: requester\r\n", "\r\nx-amz-security-token: "];
        assert!(request.starts_with(&format!("GET /{bucket}")) && headers.iter().all(|part| head.contains(part)), "{request}");
    }
    let wrong = target.ingest(&[&url, "--role-arn", "reader"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("is not the ARN of a role"), "{}", wrong.stderr);
}

#[test]
fn usage_errors_say_what_to_do() {
    let target = Target::new();
    for (args, expected) in [
        (&["ingest"][..], "no bucket given"),
        (&["ingest", "bucket"], "is not a place in S3"),
        (&["ingest", "s3://b", "--from", "monday"], "--from \\\"monday\\\": a time such as"),
        (&["ingest", "s3://b", "--from", "2024-07-15", "--to", "2024-07-14"], "--to lies before --from"),
        (&["ingest", "s3://b", "--account", "12"], "is not an account id"),
        (&["ingest", "s3://b", "--since", "3 moons"], "--since"),
        (&["validate-logs", "s3://b"], "since when?"),
        (&["ingest", "s3://b", "--stats", "nowhere/stats.json"], "--stats nowhere/stats.json: No such file"),
    ] {
        let ran = target.run(moto(), args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
    assert!(!target.path("ingest.db").exists(), "nothing was begun");
    let ran = target.run(moto(), &["ingest", "s3://no-such-bucket"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("NoSuchBucket"), "{}", ran.stderr);
}

/// As on a disk that is full: files end at 1 MiB, and a write beyond that fails.
fn limited(target: &Target, endpoint: &str, args: &[&str]) -> Command {
    let plain = target.command(endpoint, args);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(target.0.path());
    limited
}

/// A record that is larger.
fn large(id: &str) -> Vec<u8> {
    let large = record(id).replace("\"X\"", &format!("\"{}\"", "x".repeat(3 << 20)));
    gzip(format!("{{\"Records\":[{large}]}}").as_bytes())
}

#[test]
fn what_cannot_be_written_is_not_counted_and_comes_with_the_next_run() {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "a"), &large("1"));
    let url = format!("s3://{}", seed.plant());
    let target = Target::new();
    let output = limited(&target, moto(), &["ingest", &url, "--stats", "stats.json"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("File too large") && told.contains("0 objects read, 0 records written"), "{told}");
    let stats: Json = serde_json::from_slice(&fs::read(target.path("stats.json")).unwrap()).unwrap();
    assert_eq!((&stats["objects_listed"], &stats["objects_read"], &stats["records_written"]), (&1.into(), &0.into(), &0.into()));
    assert_eq!(target.ids(), Vec::<String>::new());
    let ran = target.ingest(&[&url]);
    assert_eq!((ran.code, ran.count("records_written"), target.ids()), (Some(0), 1, vec!["1".to_owned()]), "{}", ran.stderr);
}

/// Objects that a target knows, and a configuration that lists them in pages of one.
const KNOWN: usize = 300;

fn long_list() -> (Target, String) {
    let mut seed = Seed::default();
    for n in 0..KNOWN {
        seed.put(&key(ACCOUNT, "us-east-1", &format!("{n:03}")), &log(&["1"]));
    }
    let bucket = seed.plant();
    let target = Target::new();
    assert_eq!(target.ingest(&[&format!("s3://{bucket}")]).code, Some(0));
    let config = serde_json::json!({"list_batch_size": 1, "trails": [{"bucket": bucket}]}).to_string();
    fs::write(target.path("ingest.json"), config).unwrap();
    (target, bucket)
}

fn is_page(line: &str) -> bool {
    line.contains("list-type=2") && !line.contains("delimiter")
}

fn pages(requests: &Requests) -> usize {
    requests.lock().unwrap().iter().filter(|request| is_page(request.lines().next().unwrap_or_default())).count()
}

/// Nothing more is listed, however much of it is known.
#[test]
fn a_full_disk_ends_a_long_list() {
    let (target, bucket) = long_list();
    let mut seed = Seed::default();
    // Its name sorts before theirs.
    seed.put(&key(ACCOUNT, "us-east-1", "0"), &large("2"));
    seed.plant_as(&bucket);
    // All of them take longer than what was read is kept uncommitted.
    let (url, requests) = recording(move |line, _| {
        if is_page(line) {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Answer::Pass
    });
    let output = limited(&target, &url, &["ingest", "--config", "ingest.json"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("File too large"), "{told}");
    let pages = pages(&requests);
    assert!(pages < KNOWN, "{pages} pages");
}

/// What is known is passed by quickly, but there may be much of it.
#[test]
fn a_signal_ends_a_long_list_of_what_is_known() {
    let (target, _) = long_list();
    let (url, requests) = recording(move |line, _| if is_page(line) { Answer::Slow } else { Answer::Pass });
    let listing = target.start(&url, &["ingest", "--config", "ingest.json"]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while pages(&requests) < 3 {
        assert!(std::time::Instant::now() < until, "it does not list");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(listing.end(), Some(143));
    let pages = pages(&requests);
    assert!(pages < KNOWN, "{pages} pages");
}

#[test]
fn following_takes_what_comes_later_and_ends_when_asked_to() {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "a"), &log(&["1"]));
    let bucket = seed.plant();
    let target = Target::new();
    let args = ["ingest", &format!("s3://{bucket}"), "--follow", "--poll-interval", "300ms"];
    let following = target.start(moto(), &args);
    // The whole past is read at first.
    wait_for(&target, &["1"]);
    // A new region, today. Its name sorts before what was read.
    let today = jiff::Timestamp::now().strftime("%Y/%m/%d").to_string();
    seed.objects.clear();
    let new = key(ACCOUNT, "af-south-1", "b").replace(DAY, &today).replace("20240715T", &format!("{}T", today.replace('/', "")));
    seed.put(&new, &log(&["2"]));
    seed.plant_as(&bucket);
    wait_for(&target, &["1", "2"]);
    assert_eq!(following.end(), Some(0));
}

fn wait_for(target: &Target, ids: &[&str]) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while target.ids() != ids {
        assert!(std::time::Instant::now() < until, "{:?}", target.ids());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// The past that the first looks could not read is read by later ones.
#[test]
fn following_goes_back_to_what_an_outage_kept_from_it() {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "a"), &log(&["1"])).put(&key(ACCOUNT, "us-east-1", "b"), &log(&["2"]));
    let url = format!("s3://{}", seed.plant());
    let first = AtomicBool::new(true);
    let script = move |line: &str, before| {
        let denied = first.swap(false, Ordering::Relaxed) || line.contains("_b.json.gz") && before == 0;
        if denied { Answer::Error(403, "AccessDenied") } else { Answer::Pass }
    };
    let target = Target::new();
    let following = target.start(&proxy(script), &["ingest", &url, "--follow", "--poll-interval", "300ms"]);
    wait_for(&target, &["1", "2"]);
    assert_eq!(following.end(), Some(0));
}
