//! `iota validate-logs` on buckets, with keys of files and of the API; what it finds is tested in
//! `iota-service/src/integrity`.

use crate::harness::{DAY, Ran, Seed, Target, gzip, key, log, moto, record};
use crate::proxy::{Answer, Requests, proxy, recording};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use iota_engine::digest::hex;
use serde_json::{Value as Json, json};
use std::fs;

const ACCOUNT: &str = "111122223333";

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Signs as CloudTrail does in one region.
struct Signer {
    pair: KeyPair,
    fingerprint: &'static str,
}

/// Where a digest file is.
#[derive(Clone, Copy)]
struct Folder<'a> {
    bucket: &'a str,
    /// What stands before the account.
    logs: &'a str,
    account: &'a str,
    region: &'a str,
}

/// A digest file that is there: bucket, key, signature.
type Signed = (String, String, String);

impl Signer {
    fn new(fingerprint: &'static str) -> Self {
        Self { pair: KeyPair::generate(KeySize::Rsa2048).unwrap(), fingerprint }
    }

    /// As `list-public-keys` and the API give it.
    fn public(&self) -> Json {
        json!({"Value": BASE64_STANDARD.encode(self.pair.public_key().as_ref()), "Fingerprint": self.fingerprint})
    }

    /// A digest file of the hour until then, with these log files and what is in them.
    fn digest(&self, seed: &mut Seed, folder: Folder<'_>, end: u32, logs: &[(&str, &str)], previous: Option<&Signed>) -> Signed {
        let Folder { bucket, logs: prefix, account, region } = folder;
        let key = format!(
            "{prefix}{account}/CloudTrail-Digest/{region}/{DAY}/{account}_CloudTrail-Digest_{region}_t_us-east-1_20240715T{end:02}0000Z.json.gz"
        );
        let file = |(key, content): &(&str, &str)| json!({"s3Bucket": bucket, "s3Object": key, "hashValue": sha256(content.as_bytes()), "hashAlgorithm": "SHA-256"});
        let files: Vec<Json> = logs.iter().map(file).collect();
        let of = |part: fn(&Signed) -> &String| previous.map(part);
        let digest = json!({
            "awsAccountId": account, "digestStartTime": format!("2024-07-15T{:02}:00:00Z", end - 1),
            "digestEndTime": format!("2024-07-15T{end:02}:00:00Z"), "digestS3Bucket": bucket, "digestS3Object": key,
            "digestPublicKeyFingerprint": self.fingerprint, "previousDigestS3Bucket": of(|signed| &signed.0),
            "previousDigestS3Object": of(|signed| &signed.1), "previousDigestSignature": of(|signed| &signed.2), "logFiles": files,
        })
        .to_string();
        let before = of(|signed| &signed.2).map_or("null", String::as_str);
        let text = format!("2024-07-15T{end:02}:00:00Z\n{bucket}/{key}\n{}\n{before}", sha256(digest.as_bytes()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        seed.objects.push(json!({
            "key": key, "body": BASE64_STANDARD.encode(gzip(digest.as_bytes())),
            "metadata": {"signature": hex(&signature), "signature-algorithm": "SHA256withRSA"},
        }));
        (bucket.to_owned(), key, hex(&signature))
    }
}

/// What is in a log file with this record.
fn content(id: &str) -> String {
    format!("{{\"Records\":[{}]}}", record(id))
}

fn validate(target: &Target, endpoint: &str, places: &[&str], more: &[&str]) -> Ran {
    let time = ["--from", "2024-07-15T10:00:00Z", "--to", "2024-07-15T12:00:00Z"];
    target.run(endpoint, &[&["validate-logs"], places, &time[..], more].concat())
}

fn codes(ran: &Ran) -> Vec<String> {
    let report: Json = serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {} {}", ran.stdout, ran.stderr));
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_bucket_is_checked_with_the_keys_of_a_file() {
    let (signer, mut seed, target) = (Signer::new("f"), Seed::default(), Target::new());
    let folder = Folder { bucket: "validated", logs: "AWSLogs/", account: ACCOUNT, region: "us-east-1" };
    let log_key = key(ACCOUNT, "us-east-1", "a");
    // Two members, of which the hash covers both.
    seed.put(&log_key, &[log(&["1"]), gzip(b"\n")].concat());
    let before = signer.digest(&mut seed, folder, 11, &[(&log_key, &format!("{}\n", content("1")))], None);
    signer.digest(&mut seed, folder, 12, &[], Some(&before));
    seed.plant_as("validated");
    fs::write(target.path("keys.json"), json!({"PublicKeyList": [signer.public()]}).to_string()).unwrap();
    let keys = ["--public-keys", "keys.json"];
    let ran = validate(&target, moto(), &["s3://validated"], &keys);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout, "2 digest files valid, 0 not; 1 log file valid, 0 not; 0 hours not covered\n");
    // Changed afterwards.
    seed.objects.clear();
    seed.put(&log_key, &log(&["2"]));
    seed.plant_as("validated");
    let ran = validate(&target, moto(), &["s3://validated"], &[&keys[..], &["--format", "json"]].concat());
    assert_eq!((ran.code, codes(&ran)), (Some(1), vec!["log_changed".to_owned()]));
    let none = ["validate-logs", "s3://validated", "--public-keys", "keys.json", "--from", "2020-01-01", "--to", "2020-01-02"];
    let none = target.run(moto(), &none);
    assert_eq!(none.code, Some(2), "{}", none.stdout);
}

/// A trail that is told to deliver elsewhere goes on with its chain.
#[test]
fn a_chain_is_followed_to_where_it_was_delivered_before() {
    let (signer, target) = (Signer::new("f"), Target::new());
    let (mut old, mut new) = (Seed::default(), Seed::default());
    let (old_log, new_log) = (key(ACCOUNT, "us-east-1", "old"), format!("moved/{}", key(ACCOUNT, "us-east-1", "new")));
    old.put(&old_log, &log(&["1"]));
    new.put(&new_log, &log(&["2"]));
    let old_folder = Folder { bucket: "delivered-before", logs: "AWSLogs/", account: ACCOUNT, region: "us-east-1" };
    let new_folder = Folder { bucket: "delivered-now", logs: "moved/AWSLogs/", ..old_folder };
    let before = signer.digest(&mut old, old_folder, 11, &[(&old_log, &content("1"))], None);
    signer.digest(&mut new, new_folder, 12, &[(&new_log, &content("2"))], Some(&before));
    old.plant_as("delivered-before");
    new.plant_as("delivered-now");
    fs::write(target.path("keys.json"), json!({"PublicKeyList": [signer.public()]}).to_string()).unwrap();
    let keys = ["--public-keys", "keys.json"];
    let ran = validate(&target, moto(), &["s3://delivered-now/moved"], &keys);
    assert_eq!(ran.stdout, "2 digest files valid, 0 not; 2 log files valid, 0 not; 0 hours not covered\n", "{}", ran.stderr);
    crate::aws::Bucket("delivered-before".to_owned()).delete(&before.1);
    let ran = validate(&target, moto(), &["s3://delivered-now/moved"], &[&keys[..], &["--format", "json"]].concat());
    assert_eq!(codes(&ran), ["digest_missing", "hours_missing"]);
}

/// Where a trail delivered before may not be read, another bucket or another prefix: that part is named, and the rest is checked.
#[test]
fn an_earlier_place_that_is_denied_is_named_and_the_rest_is_checked() {
    let (signer, target) = (Signer::new("f"), Target::new());
    let (mut old, mut new) = (Seed::default(), Seed::default());
    let now = Folder { bucket: "denied-now", logs: "moved/AWSLogs/", account: ACCOUNT, region: "us-east-1" };
    let other_bucket = Folder { bucket: "denied-before", logs: "AWSLogs/", ..now };
    let other_prefix = Folder { logs: "AWSLogs/", account: "444455556666", ..now };
    let before = signer.digest(&mut old, other_bucket, 11, &[], None);
    let denied_digest = format!("s3://{}/{}", before.0, before.1);
    let new_log = format!("moved/{}", key(ACCOUNT, "us-east-1", "new"));
    new.put(&new_log, &log(&["1"]));
    signer.digest(&mut new, now, 12, &[(&new_log, &content("1"))], Some(&before));
    let before = signer.digest(&mut new, other_prefix, 11, &[], None);
    // The hour in which it was told to deliver elsewhere.
    let logs = ["AWSLogs", "moved/AWSLogs"].map(|folder| key("444455556666", "us-east-1", "b").replacen("AWSLogs", folder, 1));
    for log_key in &logs {
        new.put(log_key, &log(&["2"]));
    }
    let logs = logs.each_ref().map(|log_key| (log_key.as_str(), content("2")));
    let logs = logs.each_ref().map(|(log_key, content)| (*log_key, content.as_str()));
    signer.digest(&mut new, Folder { account: "444455556666", ..now }, 12, &logs, Some(&before));
    old.plant_as("denied-before");
    new.plant_as("denied-now");
    fs::write(target.path("keys.json"), json!({"PublicKeyList": [signer.public()]}).to_string()).unwrap();
    let flags = ["--public-keys", "keys.json", "--format", "json"];
    let denying = |places: &'static [&'static str]| {
        proxy(move |asked, _| {
            let denied = places.iter().any(|place| asked.starts_with(&format!("GET /{place}")));
            if denied { Answer::Error(403, "AccessDenied") } else { Answer::Pass }
        })
    };
    let ran = validate(&target, &denying(&[]), &["s3://denied-now/moved"], &flags);
    assert_eq!((ran.code, codes(&ran)), (Some(0), vec![]), "{}", ran.stdout);
    let ran = validate(&target, &denying(&["denied-before/", "denied-now/AWSLogs/"]), &["s3://denied-now/moved"], &flags);
    let expected = ["digest_not_verifiable", "digest_not_verifiable", "hours_missing", "hours_missing", "log_not_verifiable"];
    assert_eq!((ran.code, codes(&ran)), (Some(1), expected.map(str::to_owned).to_vec()), "{}", ran.stderr);
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["digests_valid"], &report["logs_valid"]), (&json!(2), &json!(2)), "{report:#}");
    assert_eq!(report["findings"][0]["object"], denied_digest, "{report:#}");
    // What was asked for has to be readable.
    let ran = validate(&target, &denying(&["denied-now/moved/"]), &["s3://denied-now/moved"], &flags);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
}

/// What was asked of CloudTrail, by the region that it was signed for.
fn asked(requests: &Requests) -> Vec<(String, Json)> {
    let requests = requests.lock().unwrap();
    let of_keys = requests.iter().filter(|request| request.contains("ListPublicKeys"));
    let parts = of_keys.map(|request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let region = head.split("Credential=").nth(1).unwrap().split('/').nth(2).unwrap();
        (region.to_owned(), serde_json::from_str(body).unwrap())
    });
    parts.collect()
}

fn leaked(answer: &Json) -> Answer {
    Answer::Json(Box::leak(answer.to_string().into_boxed_str()))
}

/// An organization's trail: two accounts in two regions, each region with keys of its own, on several pages.
#[test]
fn keys_are_asked_for_in_the_region_of_the_digest_files() {
    let (ireland, virginia, target) = (Signer::new("of-ireland"), Signer::new("of-virginia"), Target::new());
    let mut seed = Seed::default();
    let logs = "AWSLogs/o-abcdefghij/";
    let west = Folder { bucket: "validated-by-api", logs, account: ACCOUNT, region: "eu-west-1" };
    let east = Folder { account: "444455556666", region: "us-east-1", ..west };
    for (signer, folder) in [(&ireland, west), (&virginia, east)] {
        let before = signer.digest(&mut seed, folder, 11, &[], None);
        signer.digest(&mut seed, folder, 12, &[], Some(&before));
    }
    seed.plant_as("validated-by-api");
    let other = leaked(&json!({"PublicKeyList": [Signer::new("older").public()], "NextToken": "more"}));
    let (of_ireland, of_virginia) =
        (leaked(&json!({"PublicKeyList": [ireland.public()]})), leaked(&json!({"PublicKeyList": [virginia.public()]})));
    let (url, requests) = recording(move |asked, before| match (asked, before) {
        ("ListPublicKeys", 0) => Answer::Error(400, "ThrottlingException"),
        ("ListPublicKeys", 1) => other,
        ("ListPublicKeys", 2) => of_ireland,
        ("ListPublicKeys", _) => of_virginia,
        _ => Answer::Pass,
    });
    let ran = validate(&target, &url, &["s3://validated-by-api"], &[]);
    assert_eq!(ran.stdout, "4 digest files valid, 0 not; 0 log files valid, 0 not; 0 hours not covered\n", "{}", ran.stderr);
    let asked = asked(&requests);
    let regions: Vec<&str> = asked.iter().map(|(region, _)| region.as_str()).collect();
    assert_eq!(regions, ["eu-west-1", "eu-west-1", "eu-west-1", "us-east-1"]);
    let tokens: Vec<&Json> = asked.iter().map(|(_, body)| &body["NextToken"]).collect();
    assert_eq!(tokens, [&Json::Null, &Json::Null, &json!("more"), &Json::Null]);
    for (_, body) in &asked {
        let second = |name: &str| body[name].to_string().split('.').next().unwrap().parse::<i64>().unwrap();
        assert_eq!(second("StartTime"), 1_721_037_600, "{body}");
        // What was filled in later is signed with the key of that day.
        assert!((jiff::Timestamp::now().as_second() - second("EndTime")).abs() < 600, "{body}");
    }
}

#[test]
fn keys_that_are_not_known_or_not_given_are_told() {
    let (signer, mut seed, target) = (Signer::new("known"), Seed::default(), Target::new());
    let folder = Folder { bucket: "validated-without", logs: "AWSLogs/", account: ACCOUNT, region: "us-east-1" };
    let before = signer.digest(&mut seed, folder, 11, &[], None);
    signer.digest(&mut seed, folder, 12, &[], Some(&before));
    seed.plant_as("validated-without");
    let none = leaked(&json!({"PublicKeyList": [Signer::new("another").public()]}));
    let url = proxy(move |asked, _| if asked == "ListPublicKeys" { none } else { Answer::Pass });
    let ran = validate(&target, &url, &["s3://validated-without"], &["--format", "json"]);
    assert_eq!(
        (ran.code, codes(&ran)),
        (Some(1), ["digest_unknown_key", "digest_unknown_key", "hours_missing"].map(str::to_owned).to_vec())
    );
    assert!(ran.stdout.contains("no public key of us-east-1 has the fingerprint known"), "{}", ran.stdout);
    let denied =
        |asked: &str, _| if asked == "ListPublicKeys" { Answer::Error(400, "AccessDeniedException") } else { Answer::Pass };
    let ran = validate(&target, &proxy(denied), &["s3://validated-without"], &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    for part in [
        "public keys of us-east-1: cloudtrail:ListPublicKeys: AccessDeniedException",
        r#"{"Effect":"Allow","Action":"cloudtrail:ListPublicKeys","Resource":"*"}"#,
        "--public-keys",
    ] {
        assert!(ran.stderr.replace('\\', "").contains(part), "{part}: {}", ran.stderr);
    }
}
