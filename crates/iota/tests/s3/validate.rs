//! `iota validate-logs` on a bucket; what it finds is tested in `iota-service/src/integrity`.

use crate::harness::{DAY, Seed, Target, gzip, key, log, moto};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use iota_engine::digest::hex;
use serde_json::{Value as Json, json};
use std::fs;

const ACCOUNT: &str = "111122223333";

#[test]
fn a_bucket_is_checked_with_the_keys_of_a_file() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let sha256 = |bytes: &[u8]| hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    let log_key = key(ACCOUNT, "us-east-1", "a");
    // Two members, of which the hash covers both.
    let content = [log(&["1"]), gzip(b"\n")].concat();
    let plain = format!("{{\"Records\":[{}]}}\n", crate::harness::record("1"));
    let digest_key = format!(
        "AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/{DAY}/{ACCOUNT}_CloudTrail-Digest_us-east-1_t_us-east-1_20240715T110000Z.json.gz"
    );
    let digest = json!({
        "awsAccountId": ACCOUNT, "digestStartTime": "2024-07-15T10:00:00Z", "digestEndTime": "2024-07-15T11:00:00Z",
        "digestS3Bucket": "validated", "digestS3Object": digest_key, "digestPublicKeyFingerprint": "f",
        "previousDigestS3Bucket": null, "previousDigestS3Object": null, "previousDigestSignature": null,
        "logFiles": [{"s3Bucket": "validated", "s3Object": log_key, "hashValue": sha256(plain.as_bytes()), "hashAlgorithm": "SHA-256"}],
    })
    .to_string();
    let text = format!("2024-07-15T11:00:00Z\nvalidated/{digest_key}\n{}\nnull", sha256(digest.as_bytes()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    let mut seed = Seed::default();
    seed.put(&log_key, &content);
    seed.objects.push(json!({
        "key": digest_key, "body": BASE64_STANDARD.encode(gzip(digest.as_bytes())),
        "metadata": {"signature": hex(&signature), "signature-algorithm": "SHA256withRSA"},
    }));
    seed.plant_as("validated");
    let target = Target::new();
    let keys = json!({"PublicKeyList": [{"Value": BASE64_STANDARD.encode(pair.public_key().as_ref()), "Fingerprint": "f"}]});
    fs::write(target.path("keys.json"), keys.to_string()).unwrap();
    let args = [
        "validate-logs",
        "s3://validated",
        "--public-keys",
        "keys.json",
        "--from",
        "2024-07-15T10:00:00Z",
        "--to",
        "2024-07-15T11:00:00Z",
    ];
    let ran = target.run(moto(), &args);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout, "1 digest file valid, 0 not; 1 log file valid, 0 not; 0 hours not covered\n");
    // Changed afterwards.
    seed.objects.clear();
    seed.put(&log_key, &log(&["2"]));
    seed.plant_as("validated");
    let ran = target.run(moto(), &[&args[..], &["--format", "json"]].concat());
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["findings"][0]["code"]), (Some(1), &json!("log_changed")), "{report:#}");
    let none = target.run(
        moto(),
        &["validate-logs", "s3://validated", "--public-keys", "keys.json", "--from", "2020-01-01", "--to", "2020-01-02"],
    );
    assert_eq!(none.code, Some(2), "{}", none.stdout);
}
