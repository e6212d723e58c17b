//! Digest files made by the documented algorithm and signed with a key of the test's own, then tampered with.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use iota_engine::event::parse_ms;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const FINGERPRINT: &str = "31e8b5433410dfb61a9dc45cc65b22ff";

struct Copy {
    directory: tempfile::TempDir,
    key: KeyPair,
    previous: Option<(String, String, String)>,
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn digest_key(hour: u32, suffix: &str) -> String {
    format!(
        "AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2024/07/15/{ACCOUNT}_CloudTrail-Digest_{REGION}_trail_{REGION}_20240715T{hour:02}0000Z{suffix}.json.gz"
    )
}

fn log_key(hour: u32) -> String {
    format!(
        "AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2024/07/15/{ACCOUNT}_CloudTrail_{REGION}_20240715T{hour:02}05Z_AAAAAAAAAAAAAAAA.json.gz"
    )
}

impl Copy {
    /// Hours 1 to `hours`, each with one log file of the hour before its end.
    fn new(hours: u32) -> Self {
        let mut copy =
            Self { directory: tempfile::tempdir().unwrap(), key: KeyPair::generate(KeySize::Rsa2048).unwrap(), previous: None };
        for hour in 1..=hours {
            copy.hour(hour, "");
        }
        copy
    }

    fn path(&self, key: &str) -> PathBuf {
        self.directory.path().join(key)
    }

    fn write(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn hour(&mut self, end: u32, suffix: &str) {
        let (key, log) = (digest_key(end, suffix), log_key(end - 1));
        let records = format!("{{\"Records\":[{{\"eventID\":\"{end}\"}}]}}");
        self.write(&log, &gzip(records.as_bytes()));
        let previous = |part: fn(&(String, String, String)) -> &String| self.previous.as_ref().map(part);
        let content = json!({
            "awsAccountId": ACCOUNT,
            "digestStartTime": format!("2024-07-15T{:02}:00:00Z", end - 1),
            "digestEndTime": format!("2024-07-15T{end:02}:00:00Z"),
            "digestS3Bucket": "logs",
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": null,
            "oldestEventTime": null,
            "previousDigestS3Bucket": self.previous.as_ref().map(|_| "logs"),
            "previousDigestS3Object": previous(|(key, _, _)| key),
            "previousDigestHashValue": previous(|(_, hash, _)| hash),
            "previousDigestHashAlgorithm": self.previous.as_ref().map(|_| "SHA-256"),
            "previousDigestSignature": previous(|(_, _, signature)| signature),
            "logFiles": [{"s3Bucket": "logs", "s3Object": log, "hashValue": hex(&Sha256::digest(&records)), "hashAlgorithm": "SHA-256"}],
        })
        .to_string();
        // Written out here once more, so that the product's own text is checked against it.
        let hash = hex(&Sha256::digest(&content));
        let before = self.previous.as_ref().map_or("null", |(_, _, signature)| signature);
        let text = format!("2024-07-15T{end:02}:00:00Z\nlogs/{key}\n{hash}\n{before}");
        let signature = self.sign(&text);
        self.write(&key, &gzip(content.as_bytes()));
        self.sidecar(&key, &signature);
        self.previous = Some((key, hash, signature));
    }

    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        hex(&signature)
    }

    fn sidecar(&self, key: &str, signature: &str) {
        let head: Value =
            json!({"ContentLength": 1, "Metadata": {"signature": signature, "signature-algorithm": "SHA256withRSA"}});
        self.write(&format!("{key}.metadata.json"), head.to_string().as_bytes());
    }

    fn keys(&self) -> PublicKeys {
        let path = self.path("keys.json");
        let value = BASE64_STANDARD.encode(self.key.public_key().as_ref());
        fs::write(&path, json!({"PublicKeyList": [{"Value": value, "Fingerprint": FINGERPRINT}]}).to_string()).unwrap();
        PublicKeys::of_files(&[path]).unwrap()
    }

    async fn check(&self, from: &str, to: &str) -> Report {
        let ms = |time: &str| parse_ms(&format!("2024-07-15T{time}:00Z")).unwrap();
        let expected = Expected { from_ms: ms(from), to_ms: ms(to), now_ms: ms("23:00") };
        validate(LogStore::directory(self.directory.path()), &mut self.keys(), &Wanted::default(), expected).await.unwrap()
    }
}

fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn an_untouched_chain_has_no_findings() {
    let report = Copy::new(6).check("00:00", "06:00").await;
    assert_eq!(report, Report { digests_valid: 6, logs_valid: 6, ..Report::default() });
}

#[tokio::test]
async fn every_tampering_is_found() {
    type Tamper = fn(&mut Copy);
    let cases: [(&str, Tamper, &[Code], u64); 12] = [
        ("a log file changed", |copy| copy.write(&log_key(2), &gzip(b"{\"Records\":[]}")), &[Code::LogChanged], 0),
        ("a log file deleted", |copy| fs::remove_file(copy.path(&log_key(2))).unwrap(), &[Code::LogMissing], 0),
        (
            "a log file cut",
            |copy| {
                let bytes = fs::read(copy.path(&log_key(2))).unwrap();
                copy.write(&log_key(2), &bytes[..bytes.len() - 9]);
            },
            &[Code::LogUnreadable],
            0,
        ),
        (
            "a digest file changed",
            |copy| {
                copy.write(&digest_key(3, ""), &{
                    let content = inflate(&fs::read(copy.path(&digest_key(3, ""))).unwrap());
                    gzip(content.replace("SHA-256", "SHA-257").as_bytes())
                });
            },
            &[Code::DigestBadSignature, Code::DigestChain, Code::HoursMissing],
            1,
        ),
        (
            "a digest file deleted",
            |copy| fs::remove_file(copy.path(&digest_key(3, ""))).unwrap(),
            &[Code::DigestMissing, Code::HoursMissing],
            1,
        ),
        (
            "two digest files deleted in a row",
            |copy| {
                for hour in [3, 4] {
                    fs::remove_file(copy.path(&digest_key(hour, ""))).unwrap();
                }
            },
            &[Code::DigestMissing, Code::HoursMissing],
            2,
        ),
        (
            "the last digest files deleted",
            |copy| {
                for hour in [5, 6] {
                    fs::remove_file(copy.path(&digest_key(hour, ""))).unwrap();
                }
            },
            &[Code::HoursMissing],
            2,
        ),
        (
            "a signature taken away",
            |copy| fs::remove_file(copy.path(&format!("{}.metadata.json", digest_key(6, "")))).unwrap(),
            &[Code::DigestUnsigned, Code::HoursMissing],
            1,
        ),
        (
            "a signature replaced",
            |copy| copy.sidecar(&digest_key(6, ""), "00ff"),
            &[Code::DigestBadSignature, Code::HoursMissing],
            1,
        ),
        (
            "a digest file moved",
            |copy| {
                for end in ["", ".metadata.json"] {
                    fs::rename(
                        copy.path(&format!("{}{end}", digest_key(6, ""))),
                        copy.path(&format!("{}{end}", digest_key(6, "_backfill"))),
                    )
                    .unwrap();
                }
            },
            &[Code::DigestMoved, Code::HoursMissing],
            1,
        ),
        (
            "a digest file that is none",
            |copy| copy.write(&digest_key(6, ""), b"nonsense"),
            &[Code::DigestUnreadable, Code::HoursMissing],
            1,
        ),
        // All files are as delivered; an attacker's key signs as well as any, but is not known.
        (
            "another key",
            |copy| copy.key = KeyPair::generate(KeySize::Rsa2048).unwrap(),
            &[
                Code::DigestBadSignature,
                Code::DigestBadSignature,
                Code::DigestBadSignature,
                Code::DigestBadSignature,
                Code::DigestBadSignature,
                Code::DigestBadSignature,
                Code::HoursMissing,
            ],
            6,
        ),
    ];
    for (name, tamper, expected, hours) in cases {
        let mut copy = Copy::new(6);
        tamper(&mut copy);
        let report = copy.check("00:00", "06:00").await;
        assert_eq!(codes(&report), expected, "{name}: {:#?}", report.findings);
        assert_eq!(report.hours_missing, hours, "{name}: {:#?}", report.findings);
    }
}

#[tokio::test]
async fn a_chain_that_begins_anew_is_valid_and_its_hours_are_missed() {
    let mut copy = Copy::new(2);
    copy.previous = None;
    copy.hour(5, "");
    let report = copy.check("00:00", "05:00").await;
    assert_eq!((codes(&report), report.hours_missing, report.digests_valid), (vec![Code::HoursMissing], 2, 3));
    assert!(report.findings[0].message.contains("turned off"), "{:?}", report.findings);
}

#[tokio::test]
async fn a_backfilled_hour_is_covered() {
    let mut copy = Copy::new(2);
    copy.hour(3, "_backfill");
    copy.hour(4, "");
    assert!(copy.check("00:00", "04:00").await.is_clean());
}

#[tokio::test]
async fn before_the_first_chain_nothing_is_expected_and_after_a_cut_everything_is() {
    let mut copy = Copy::new(4);
    assert!(copy.check("00:00", "04:00").await.is_clean());
    for hour in [1, 2] {
        fs::remove_file(copy.path(&digest_key(hour, ""))).unwrap();
    }
    let report = copy.check("00:00", "04:00").await;
    assert_eq!(report.hours_missing, 2, "{report:#?}");
    // Nor is the hour whose file cannot be there yet.
    copy = Copy::new(4);
    let ms = |time: &str| parse_ms(&format!("2024-07-15T{time}:00Z")).unwrap();
    let expected = Expected { from_ms: ms("00:00"), to_ms: ms("05:30"), now_ms: ms("05:30") };
    let store = LogStore::directory(copy.directory.path());
    assert!(validate(store, &mut copy.keys(), &Wanted::default(), expected).await.unwrap().is_clean());
}

#[tokio::test]
async fn logs_without_any_digest_file_are_a_finding_and_an_unknown_key_is_named() {
    let copy = Copy::new(2);
    let ms = |time: &str| parse_ms(&format!("2024-07-15T{time}:00Z")).unwrap();
    let expected = Expected { from_ms: ms("00:00"), to_ms: ms("02:00"), now_ms: ms("23:00") };
    let store = || LogStore::directory(copy.directory.path());
    let report = validate(store(), &mut PublicKeys::default(), &Wanted::default(), expected).await.unwrap();
    assert_eq!(codes(&report), [Code::DigestUnknownKey, Code::DigestUnknownKey, Code::HoursMissing]);
    fs::remove_dir_all(copy.path(&format!("AWSLogs/{ACCOUNT}/CloudTrail-Digest"))).unwrap();
    let report = validate(store(), &mut copy.keys(), &Wanted::default(), expected).await.unwrap();
    assert_eq!((codes(&report), report.hours_missing), (vec![Code::HoursMissing], 2));
}

fn inflate(bytes: &[u8]) -> String {
    let mut text = String::new();
    #[expect(clippy::disallowed_types, reason = "a test's own bytes")]
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes), &mut text).unwrap();
    text
}
