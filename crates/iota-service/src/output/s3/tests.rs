use super::*;
use crate::aws::emulator::{Answer, Proxy, breaks_off, config, moto, untrusted};
use crate::output::Purpose;
use crate::output::sample::{check, common, message, messages, with, words};
use flate2::bufread::GzDecoder as Inflate;
use serde_json::{Value, json};
use std::io::Read;

async fn output(bucket: &str, endpoint: &str, gzip: bool, kms_key_id: Option<&str>) -> S3 {
    let place = aws_sdk_s3::types::BucketLocationConstraint::EuWest1;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
    let made = Client::new(&config(moto())).create_bucket().bucket(bucket).create_bucket_configuration(place).send().await;
    made.unwrap();
    let settings = S3Config {
        bucket: bucket.to_owned(),
        prefix: "alerts/".to_owned(),
        format: Format::Alert,
        redact: Redaction::default(),
        gzip,
        kms_key_id: kms_key_id.map(str::to_owned),
        path_style: false,
        aws: Access::default(),
    };
    let mut s3 = S3::new(settings).unwrap();
    s3.connection = Connection::ready(config(endpoint), Client::new);
    s3
}

async fn objects(bucket: &str) -> Vec<(String, Vec<u8>)> {
    let client = Client::new(&config(moto()));
    let listed = client.list_objects_v2().bucket(bucket).send().await.unwrap();
    let mut found = Vec::new();
    for object in listed.contents() {
        let key = object.key().unwrap().to_owned();
        let body = client.get_object().bucket(bucket).key(&key).send().await.unwrap().body.collect().await.unwrap();
        found.push((key, body.to_vec()));
    }
    found
}

#[tokio::test]
async fn a_batch_is_one_object_for_each_hour_and_a_retry_replaces_it() {
    let s3 = output("s3-hours", moto(), false, None).await;
    let mut batch = messages(3);
    batch[2] = with(&json!({"detected_at": "2026-02-01T00:00:00.000Z"}));
    for _ in 0..2 {
        assert_eq!(words(&s3.send(&batch).await), ["delivered"; 3]);
        batch.rotate_left(1);
    }
    let objects = objects("s3-hours").await;
    let folders: Vec<_> = objects.iter().map(|(key, _)| key.rsplit_once('/').unwrap().0).collect();
    assert_eq!(folders, ["alerts/year=2025/month=01/day=01/hour=00", "alerts/year=2026/month=02/day=01/hour=00"]);
    let lines: Vec<Value> = objects[0]
        .1
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(objects.iter().all(|(key, _)| key.ends_with(".jsonl")));
}

#[tokio::test]
async fn objects_are_compressed_and_encrypted_as_configured() {
    let s3 = output("s3-gzip", moto(), true, Some("alias/alerts")).await;
    assert_eq!(words(&s3.send(&messages(2)).await), ["delivered"; 2]);
    let (key, body) = objects("s3-gzip").await.remove(0);
    assert!(key.ends_with(".jsonl.gz"));
    let mut text = String::new();
    Inflate::new(&body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 2);
    let head = Client::new(&config(moto())).head_object().bucket("s3-gzip").key(&key).send().await.unwrap();
    assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
}

#[tokio::test]
async fn faults_are_told_apart() {
    let proxy = Proxy::start(|_| Answer::Pass).await;
    let s3 = output("s3-faults", &proxy.url, false, None).await;
    let xml = |status, code: &str| {
        Answer::Instead(status, Vec::new(), format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
    };
    let mut cases = common(xml);
    // Whatever stands in the body of a success: S3 has the object.
    cases.retain(|(answer, _)| !matches!(answer, Answer::Instead(200, ..)));
    cases.push((xml(404, "NoSuchBucket"), "closed"));
    cases.push((xml(503, "SlowDown"), "retry"));
    cases.push((xml(301, "PermanentRedirect"), "closed"));
    check(&s3, &proxy, |_| true, cases).await;
    let s3 = output("s3-untrusted", &untrusted().await, false, None).await;
    assert_eq!(words(&s3.send(&messages(1)).await), ["closed"], "a certificate that nobody trusts");
    assert_eq!(words(&output("s3-breaks-off", &breaks_off().await, false, None).await.send(&messages(1)).await), ["retry"]);
}

#[tokio::test]
async fn lines_are_marked_redacted_and_in_the_format_that_is_asked_for() {
    let mut s3 = output("s3-lines", moto(), false, None).await;
    s3.config.redact = Redaction::new(&["event".to_owned()]).unwrap();
    for format in [Format::Alert, Format::Ocsf, Format::Ecs] {
        s3.config.format = format;
        assert_eq!(words(&s3.send(&[Message { purpose: Purpose::Test, ..message() }]).await), ["delivered"]);
        let (_, body) = objects("s3-lines").await.remove(0);
        let line: Value = serde_json::from_slice(&body).unwrap();
        insta::assert_json_snapshot!(format!("line_{format:?}").to_lowercase(), line);
    }
}
