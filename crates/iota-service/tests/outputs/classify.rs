//! What each output makes of each answer: one table of outputs by statuses, and what goes wrong below HTTP.

use super::fake::{Fake, Trouble, troubled};
use super::{message, output, with};
use iota_service::output::Sent;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Every output over HTTP, pointed at a fake: its keys, and the body that a good answer has.
pub(crate) fn outputs(url: &str, directory: &Path) -> Vec<(&'static str, String, &'static str)> {
    std::fs::write(directory.join("url"), format!("{url}/s3cret-path?sig=s3cret")).expect("written");
    std::fs::write(directory.join("key"), KEY).expect("written");
    let common = "timeout: 2s";
    vec![
        ("webhook", format!("type: webhook, url: '{url}', {common}"), ""),
        ("slack", format!("type: slack, url: 'file:url', {common}"), "ok"),
        (
            "slack_bot",
            format!("type: slack, token: 'file:key', channel: C1, api_url: '{url}', {common}"),
            r#"{"ok":true,"ts":"1.2"}"#,
        ),
        ("pagerduty", format!("type: pagerduty, routing_key: 'file:key', url: '{url}', {common}"), r#"{"status":"success"}"#),
        ("splunk", format!("type: splunk, url: '{url}', token: 'file:key', {common}"), r#"{"text":"Success","code":0}"#),
        ("teams", format!("type: teams, url: 'file:url', {common}"), ""),
        ("fluent_http", format!("type: fluent_http, url: '{url}', {common}"), ""),
        (
            "wiz",
            format!(
                "type: wiz, url: '{url}', token_url: '{url}', client_id: 'file:key', client_secret: 'file:key', integration_id: i, {common}"
            ),
            // All that its four requests are answered.
            r#"{"access_token":"t","data":{"requestSecurityScanUpload":{"upload":{"url":"FAKE_URL/up","systemActivityId":"a"}},"systemActivity":{"status":"SUCCESS"}}}"#,
        ),
    ]
}

pub(crate) fn word(sent: &Sent) -> &'static str {
    match sent {
        Sent::Delivered => "delivered",
        Sent::Retry { after: None, .. } => "retry",
        Sent::Retry { after: Some(after), .. } if *after == Duration::from_secs(7) => "retry after 7s",
        Sent::Retry { .. } => "retry after something else",
        Sent::Refused { .. } => "refused",
        Sent::Closed { .. } => "closed",
    }
}

#[tokio::test]
async fn what_every_output_makes_of_every_status() {
    let directory = tempfile::tempdir().expect("a directory");
    let kinds = outputs("http://127.0.0.1:1", directory.path()).len();
    for (status, expected) in [
        (200, "delivered"),
        (202, "delivered"),
        (302, "closed"),
        (400, "refused"),
        (401, "closed"),
        (403, "closed"),
        (404, "closed"),
        (410, "closed"),
        (413, "refused"),
        (429, "retry after 7s"),
        (500, "retry"),
        (503, "retry after 7s"),
    ] {
        for kind in 0..kinds {
            let (name, _, good) = outputs("http://127.0.0.1:1", directory.path()).swap_remove(kind);
            let body = if status < 300 { good.to_owned() } else { format!("bad {KEY} sig=s3cret") };
            let fake = Fake::answering(status, &body).await;
            let (_, keys, _) = outputs(&fake.url, directory.path()).swap_remove(kind);
            let sent = output(&keys, directory.path()).await.send(&[message()]).await;
            assert_eq!(sent.len(), 1);
            // The first request of Wiz says nothing of the alert, which is not refused for it (see wiz.rs).
            let expected = if name == "wiz" && expected == "refused" { "closed" } else { expected };
            assert_eq!(word(&sent[0]), expected, "{name} {status}: {sent:?}");
            let told = format!("{sent:?}");
            assert!(
                // The key is a secret of those alone that have it.
                !told.contains("s3cret-path")
                    && (["webhook", "teams", "slack", "fluent_http"].contains(&name) || !told.contains(KEY)),
                "{told}"
            );
        }
    }
}

#[tokio::test]
async fn what_goes_wrong_below_http_is_tried_again_and_an_untrusted_certificate_closes() {
    let directory = tempfile::tempdir().expect("a directory");
    for (trouble, expected) in
        [(Trouble::Slow, "retry"), (Trouble::ResetMidBody, "retry"), (Trouble::HangUp, "retry"), (Trouble::Untrusted, "closed")]
    {
        let url = troubled(trouble).await;
        for (name, keys, _) in outputs(&url, directory.path()) {
            let started = std::time::Instant::now();
            let sent = output(&keys, directory.path()).await.send(&[message()]).await;
            assert_eq!(word(&sent[0]), expected, "{name} {trouble:?}: {sent:?}");
            assert!(started.elapsed() < Duration::from_secs(20), "{name} {trouble:?}");
            assert!(!format!("{sent:?}").contains("s3cret"), "{sent:?}");
        }
    }
}

#[tokio::test]
async fn one_bad_event_of_a_batch_is_refused_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let fake = Fake::new(Box::new(|got| {
        let events = String::from_utf8_lossy(&got.body).into_owned();
        let titles: Vec<&str> = events.matches("\"title\":\"bad\"").collect();
        if titles.is_empty() {
            (200, r#"{"code":0}"#.to_owned())
        } else {
            (400, r#"{"code":6,"invalid-event-number":1}"#.to_owned())
        }
    }))
    .await;
    let (_, keys, _) = outputs(&fake.url, directory.path()).swap_remove(4);
    let messages = [message(), with(&json!({"title": "bad"})), message()];
    let sent = output(&keys, directory.path()).await.send(&messages).await;
    assert_eq!(sent.iter().map(word).collect::<Vec<_>>(), ["delivered", "refused", "delivered"]);
}

#[tokio::test]
async fn indexers_acknowledge_or_the_event_is_sent_again() {
    let directory = tempfile::tempdir().expect("a directory");
    for (acked, expected) in [("true", "delivered"), ("false", "retry")] {
        let fake = Fake::new(Box::new(move |got| {
            assert!(got.headers.contains_key("x-splunk-request-channel"));
            if got.path.starts_with("/services/collector/ack?channel=") {
                (200, format!("{{\"acks\":{{\"3\":{acked}}}}}"))
            } else {
                (200, r#"{"text":"Success","code":0,"ackId":3}"#.to_owned())
            }
        }))
        .await;
        let (_, keys, _) = outputs(&fake.url, directory.path()).swap_remove(4);
        let sent = output(&format!("{keys}, ack: true"), directory.path()).await.send(&[message()]).await;
        assert_eq!(word(&sent[0]), expected, "{sent:?}");
    }
}
