//! For unit tests of outputs: many alerts, what an attempt came to in one word, and the answers that mean the same whatever
//! the service of AWS.

pub(crate) use super::alerts::{HOSTILE, hostile, message, with};
use super::{Message, Output, Sent};
use crate::aws::emulator::{Answer, Proxy};
use serde_json::json;
use std::time::Duration;

/// The id of the nth of `messages`.
pub(crate) fn id(n: usize) -> String {
    format!("{n:032x}")
}

/// So many alerts with ids of their own.
pub(crate) fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|n| with(&json!({"alert_id": id(n)}))).collect()
}

pub(crate) fn words(sent: &[Sent]) -> Vec<&'static str> {
    let word = |sent: &Sent| match sent {
        Sent::Delivered => "delivered",
        Sent::Retry { .. } => "retry",
        Sent::Refused { .. } => "refused",
        Sent::Closed { .. } => "closed",
    };
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
        (shape(410, "SomethingNew"), "closed"),
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
