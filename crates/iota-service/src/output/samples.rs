//! For tests of outputs: messages, and how an attempt went in one word.

use super::{Message, Output, Purpose, Sent};
use crate::aws::emulator::{Answer, Proxy};
use iota_engine::store::{DeliveryAction, DeliveryId};
use serde_json::{Value, json};
use std::time::Duration;

/// An alert as the store gives it out. `more` are members that replace those it has.
pub(crate) fn message(n: usize, more: &Value) -> Message {
    let alert_id = format!("{n:032x}");
    let mut alert = json!({
        "schema_version": "1.0", "alert_id": alert_id, "action": "create", "detected_at": "2026-01-31T05:06:07.089Z", "count": 1,
        "first_seen": "2026-01-31T04:59:00.000Z", "last_seen": "2026-01-31T05:00:00.000Z", "late": false, "engine_version": "0.1.0",
        "rule_id": "aws_root_activity", "title": "Root of 123456789012 did ConsoleLogin", "severity": "HIGH", "dedup": "123456789012",
        "event": {"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com", "sourceIPAddress": "192.0.2.7",
            "requestParameters": null},
        "pack": "aws_cloudtrail", "rule_version": "0123456789ab", "event_time": "2026-01-31T04:59:00.000Z",
        "event_time_substituted": false, "event_id": "e-1", "account_id": "123456789012", "partition": "aws", "region": "us-east-1",
        "actor": "root", "source_ip": "192.0.2.7", "context": {"mfa": "No"}, "description": "Somebody used the root user.",
        "runbook": "Ask the owner of the account.", "reference": "https://example.com/root", "tags": ["root"],
        "attack": ["TA0001:T1078.004"], "author": null, "destinations": null,
        "origin": {"object": "s3://trail/a.json.gz", "version": "etag", "record": 3},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        alert[name] = value.clone();
    }
    Message {
        id: DeliveryId { alert_id, output: "out".to_owned(), revision: 0 },
        purpose: Purpose::Alert,
        action: DeliveryAction::Create,
        json: serde_json::to_vec(&alert).expect("JSON"),
        attempt: 1,
    }
}

pub(crate) fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|n| message(n, &json!({}))).collect()
}

pub(crate) fn word(sent: &Sent) -> &'static str {
    match sent {
        Sent::Delivered => "delivered",
        Sent::Retry { .. } => "retry",
        Sent::Refused { .. } => "refused",
        Sent::Closed { .. } => "closed",
    }
}

pub(crate) fn words(sent: &[Sent]) -> Vec<&'static str> {
    sent.iter().map(word).collect()
}

/// One attempt under each answer of the service, and what it has to be taken for. `is_write` picks the requests that the
/// script concerns.
pub(crate) async fn check(output: &dyn Output, proxy: &Proxy, is_write: fn(&str) -> bool, cases: Vec<(Answer, &str)>) {
    for (answer, expected) in cases {
        let shown = format!("{answer:?}");
        proxy.set(move |asked| if is_write(&asked.operation) { answer.clone() } else { Answer::Pass });
        let sent = output.send(&messages(1)).await;
        assert_eq!(words(&sent), [expected], "{shown}: {sent:?}");
    }
}

/// Answers that mean the same whatever the service.
pub(crate) fn common(shape: fn(u16, &str) -> Answer) -> Vec<(Answer, &'static str)> {
    vec![
        (Answer::Pass, "delivered"),
        (Answer::Cut, "retry"),
        (Answer::CutAfter, "retry"),
        (Answer::Late(Duration::from_secs(8)), "retry"),
        (shape(400, "ThrottlingException"), "retry"),
        (shape(400, "KMSThrottlingException"), "retry"),
        (shape(400, "SomethingNew"), "retry"),
        (shape(400, "KMSAccessDeniedException"), "closed"),
        (shape(400, "ExpiredToken"), "closed"),
        (shape(403, "AccessDeniedException"), "closed"),
        (shape(403, "InvalidClientTokenId"), "closed"),
        (shape(403, "SignatureDoesNotMatch"), "closed"),
        (shape(401, "SomethingNew"), "closed"),
        (shape(404, "SomethingNew"), "closed"),
        (shape(413, "SomethingNew"), "refused"),
        (shape(429, "TooManyRequestsException"), "retry"),
        (shape(500, "InternalFailure"), "retry"),
        (shape(503, "ServiceUnavailable"), "retry"),
        (Answer::Instead(502, Vec::new(), "<html>bad gateway".to_owned()), "retry"),
        (Answer::Instead(200, Vec::new(), "not what was expected".to_owned()), "retry"),
    ]
}

/// An answer that asks to wait.
pub(crate) async fn check_retry_after(output: &dyn Output, proxy: &Proxy) {
    proxy.set(|_| Answer::Instead(503, vec![("retry-after", "17".to_owned())], String::new()));
    let sent = output.send(&messages(1)).await;
    assert!(matches!(&sent[..], [Sent::Retry { after: Some(after), .. }] if after.as_secs() == 17), "{sent:?}");
}
