use super::*;
use crate::aws::emulator::{Answer, Proxy, breaks_off, config, moto, untrusted};
use crate::output::Purpose;
use crate::output::sample::{HOSTILE, check, common, hostile, message, messages, with, words};
use serde_json::{Value, json};

fn output(endpoint: &str) -> EventBridge {
    from("iota", endpoint)
}

fn from(source: &str, endpoint: &str) -> EventBridge {
    let settings = EventBridgeConfig {
        event_bus: "default".to_owned(),
        source: source.to_owned(),
        redact: Redaction::default(),
        aws: Access::default(),
    };
    let mut bridge = EventBridge::new(settings).unwrap();
    bridge.connection = Connection::ready(config(endpoint), Client::new);
    bridge
}

#[tokio::test]
async fn events_reach_the_target_of_a_rule() {
    let (events, sqs) = (Client::new(&config(moto())), aws_sdk_sqs::Client::new(&config(moto())));
    let url = sqs.create_queue().queue_name("events-target").send().await.unwrap().queue_url().unwrap().to_owned();
    events
        .put_rule()
        .name("r")
        .event_pattern(r#"{"source":["iota-target"],"detail":{"severity":["HIGH"]}}"#)
        .send()
        .await
        .unwrap();
    let target = aws_sdk_eventbridge::types::Target::builder().id("q").arn("arn:aws:sqs:eu-west-1:123456789012:events-target");
    events.put_targets().rule("r").targets(target.build().unwrap()).send().await.unwrap();
    assert_eq!(words(&from("iota-target", moto()).send(&messages(2)).await), ["delivered"; 2]);
    let answer = sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
    assert_eq!(answer.messages().len(), 2);
    let event: Value = serde_json::from_str(answer.messages()[0].body().unwrap()).unwrap();
    assert_eq!(event["detail-type"], "iota alert");
    let record: Value = serde_json::from_str(event["detail"]["event"].as_str().unwrap()).unwrap();
    assert_eq!(record["eventName"], "AuthorizeSecurityGroupIngress");
}

#[test]
fn an_entry_looks_like_this() {
    let entry = output("http://127.0.0.1:9").entry(&message()).unwrap();
    let detail: Value = serde_json::from_str(entry.detail().unwrap()).unwrap();
    insta::assert_json_snapshot!(
        "entry",
        json!({
            "source": entry.source(), "detail_type": entry.detail_type(), "bus": entry.event_bus_name(),
            "time": entry.time().map(ToString::to_string), "detail": detail,
        })
    );
}

#[test]
fn a_large_alert_is_trimmed_to_the_limit() {
    let event = json!({"event": {"n": "\"".repeat(200_000), "m": "x".repeat(100_000)}});
    let detail = output("http://127.0.0.1:9").entry(&with(&event)).unwrap();
    let detail = detail.detail().unwrap();
    assert!(detail.len() < LIMIT && detail.contains("truncated"), "{}", detail.len());
}

#[tokio::test]
async fn only_what_failed_is_said_to_have_failed() {
    let proxy = Proxy::start(|_| {
        let entry = |code: &str| json!({"ErrorCode": code, "ErrorMessage": "m"});
        let entries =
            [json!({"EventId": "e"}), entry("ThrottlingException"), entry("MalformedDetail"), entry("AccessDeniedException")];
        let answer = json!({"FailedEntryCount": 3, "Entries": entries}).to_string();
        Answer::Instead(200, vec![("content-type", "application/x-amz-json-1.1".to_owned())], answer)
    })
    .await;
    assert_eq!(words(&output(&proxy.url).send(&messages(4)).await), ["delivered", "retry", "refused", "closed"]);
}

#[tokio::test]
async fn faults_are_told_apart() {
    let proxy = Proxy::start(|_| Answer::Pass).await;
    check(&output(&proxy.url), &proxy, |_| true, common(Answer::json)).await;
    assert_eq!(words(&output(&untrusted().await).send(&messages(1)).await), ["closed"], "a certificate that nobody trusts");
    assert_eq!(words(&output(&breaks_off().await).send(&messages(1)).await), ["retry"]);
}

#[test]
fn tests_and_canaries_are_marked() {
    for (purpose, word) in [(Purpose::Test, "test"), (Purpose::Canary, "canary")] {
        let entry = output("http://127.0.0.1:9").entry(&Message { purpose, ..message() }).unwrap();
        let detail: Value = serde_json::from_str(entry.detail().unwrap()).unwrap();
        assert_eq!(detail["purpose"], word);
        assert!(detail["title"].as_str().unwrap().starts_with(&format!("[{}] ", word.to_uppercase())), "{detail:#}");
    }
}

#[test]
fn hostile_text_stays_inside_its_texts() {
    let entry = output("http://127.0.0.1:9").entry(&hostile()).unwrap();
    let detail: Value = serde_json::from_str(entry.detail().unwrap()).unwrap();
    assert_eq!(detail["title"], HOSTILE);
    let event = detail["event"].as_str().unwrap().replace("\\ud800", "?");
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event[HOSTILE], HOSTILE);
    let members = detail.as_object().unwrap().len();
    let usual: Value = serde_json::from_slice(&message().json).unwrap();
    assert_eq!(members, usual.as_object().unwrap().len(), "no member was added");
}
