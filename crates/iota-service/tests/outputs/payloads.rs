//! What each output sends: snapshots, the documented limits, and text that tries to break out.

use super::fake::{Fake, Got};
use super::{hostile, message, output, with};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use iota_service::output::{Message, Purpose, Sent};
use serde_json::{Value, json};
use sha2::Sha256;

/// Sends a message through an output that posts to a fake, and gives what arrived. `URL` in the keys is the fake's.
async fn sent(keys: &str, answer: &str, message: Message) -> Got {
    let directory = tempfile::tempdir().expect("a directory");
    let fake = Fake::answering(200, answer).await;
    std::fs::write(directory.path().join("url"), &fake.url).expect("written");
    std::fs::write(directory.path().join("key"), "0123456789abcdef0123456789abcdef").expect("written");
    std::fs::write(directory.path().join("whsec"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("written");
    let output = output(&keys.replace("URL", &fake.url), directory.path()).await;
    assert_eq!(output.send(&[message]).await, [Sent::Delivered]);
    fake.got().swap_remove(0)
}

const SLACK: &str = "type: slack, url: 'file:url'";
const PAGERDUTY: &str = "type: pagerduty, routing_key: 'file:key', url: 'URL'";
const SPLUNK: &str = "type: splunk, url: 'URL', token: 'file:key', index: security";
const TEAMS: &str = "type: teams, url: 'file:url'";
const FLUENT: &str = "type: fluent_http, url: 'URL'";
const WEBHOOK: &str = "type: webhook, url: 'URL', signing_keys: ['file:whsec', 'file:whsec']";

fn parsed(got: &Got) -> Value {
    serde_json::from_slice(&got.body).expect("JSON")
}

#[tokio::test]
async fn payloads_are_as_they_were() {
    for (name, keys, answer) in [
        ("slack", SLACK, "ok"),
        ("slack_bot", SLACK_BOT, r#"{"ok":true,"ts":"1.2"}"#),
        ("pagerduty", PAGERDUTY, "{}"),
        ("splunk", SPLUNK, r#"{"code":0}"#),
        ("teams", TEAMS, ""),
        ("fluent_http", FLUENT, ""),
        ("webhook", WEBHOOK, ""),
        ("webhook_ocsf", "type: webhook, url: 'URL', format: ocsf, envelope: false", ""),
        ("webhook_ecs", "type: webhook, url: 'URL', format: ecs, envelope: false", ""),
    ] {
        let got = sent(keys, answer, message()).await;
        let mut body = parsed(&got);
        if name == "webhook" {
            body["timestamp"] = "[now]".into();
        }
        insta::assert_json_snapshot!(name, body);
    }
}

/// All objects in a value.
fn objects(value: &Value) -> Vec<&serde_json::Map<String, Value>> {
    match value {
        Value::Object(members) => std::iter::once(members).chain(members.values().flat_map(objects)).collect(),
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

fn chars(value: &Value) -> usize {
    value.as_str().unwrap_or_default().chars().count()
}

/// The limits of Block Kit, and that nothing of an event is read as markup.
fn check_slack(payload: &Value) {
    assert!(payload.to_string().chars().count() <= 13_000);
    let blocks = payload["blocks"].as_array().expect("blocks");
    assert!(!blocks.is_empty() && blocks.len() <= 50);
    let texts = objects(payload);
    for text in texts.iter().filter(|object| object.get("text").is_some_and(Value::is_string) && object.contains_key("type")) {
        let shown = text["text"].as_str().expect("text");
        assert!((1..=3000).contains(&shown.chars().count()), "{shown}");
        let bare = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
        assert!(!bare.contains(['<', '>', '&']), "{shown}");
        assert!(!shown.chars().any(|letter| letter.is_control() && letter != '\n'), "{shown:?}");
        if text["type"] == "mrkdwn" {
            let (name, value) = shown.split_once('\n').expect("a name and a value");
            assert!(name.starts_with('*') && name.ends_with('*'), "{shown}");
            assert!(value.starts_with('`') && value.ends_with('`') && value.matches('`').count() == 2, "{shown}");
        }
    }
    for block in blocks {
        match block["type"].as_str().expect("a type") {
            "header" => assert!(chars(&block["text"]["text"]) <= 150 && block["text"]["type"] == "plain_text"),
            "section" => {
                let fields = block["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
                assert!(fields.len() <= 10 && fields.iter().all(|field| chars(&field["text"]) <= 2000));
                assert!(!fields.is_empty() || block["text"].is_object());
            }
            "actions" => assert!(block["elements"].as_array().is_some_and(|buttons| buttons.len() <= 25)),
            other => panic!("no block of type {other} is documented here"),
        }
    }
    assert!(!payload["text"].as_str().expect("text").contains('<'));
}

fn check_teams(got: &Got) {
    assert!(got.body.len() <= 21 << 10);
    assert_eq!(got.headers["content-type"], "application/json; charset=utf-8");
    let card = &parsed(got)["attachments"][0]["content"];
    assert_eq!(card["type"], "AdaptiveCard");
    for object in objects(card) {
        assert!(object.get("type").is_none_or(|kind| kind != "TextBlock"), "Markdown is read there");
    }
}

fn check_pagerduty(event: &Value, size: usize) {
    assert!(size <= 512 << 10);
    assert_eq!(chars(&event["routing_key"]), 32);
    assert!((1..=255).contains(&chars(&event["dedup_key"])));
    if event["event_action"] == "trigger" {
        assert!((1..=1024).contains(&chars(&event["payload"]["summary"])));
        assert!(!event["payload"]["source"].as_str().expect("source").is_empty());
        let severity = event["payload"]["severity"].as_str().expect("severity");
        assert!(["critical", "error", "warning", "info"].contains(&severity));
    }
}

fn huge() -> Message {
    let long = "é<&".repeat(300_000);
    with(&json!({"title": long, "description": long, "actor": long, "runbook": long, "dedup": long, "tags": [long],
        "context": {"x": long}, "event": {"eventName": long, "userAgent": long}}))
}

#[tokio::test]
async fn hostile_and_huge_alerts_stay_within_what_is_documented() {
    for message in [hostile(), huge()] {
        check_slack(&parsed(&sent(SLACK, "ok", message.clone()).await));
        check_teams(&sent(TEAMS, "", message.clone()).await);
        let got = sent(PAGERDUTY, "{}", message.clone()).await;
        check_pagerduty(&serde_json::from_slice(&got.body).unwrap_or_else(|_| lenient(&got.body)), got.body.len());
        assert!(sent(SPLUNK, r#"{"code":0}"#, message.clone()).await.body.len() <= 1_000_000);
        assert!(sent(FLUENT, "", message.clone()).await.body.len() <= 4 << 20);
        assert!(sent(WEBHOOK, "", message.clone()).await.body.len() <= 1 << 20);
    }
}

/// With lone surrogates, which `serde_json` does not read, replaced.
fn lenient(json: &[u8]) -> Value {
    serde_json::from_str(&String::from_utf8_lossy(json).replace("\\ud800", "?")).expect("JSON")
}

#[tokio::test]
async fn tests_are_marked_wherever_people_read_them() {
    for (keys, answer) in [(SLACK, "ok"), (PAGERDUTY, "{}"), (SPLUNK, r#"{"code":0}"#), (TEAMS, ""), (FLUENT, ""), (WEBHOOK, "")]
    {
        for (purpose, mark) in [(Purpose::Test, "[TEST] "), (Purpose::Canary, "[CANARY] ")] {
            let got = sent(keys, answer, Message { purpose, ..message() }).await;
            assert!(String::from_utf8_lossy(&got.body).contains(mark), "{keys} {mark}");
            assert_eq!(got.path == "/v2/change/enqueue", keys == PAGERDUTY && purpose == Purpose::Canary, "canaries page nobody");
        }
    }
}

#[tokio::test]
async fn a_webhook_is_signed_by_every_key_and_its_id_stays() {
    let got = sent(WEBHOOK, "", message()).await;
    let header = |name: &str| got.headers[name].to_str().expect("text").to_owned();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(id, "msg_29eedc85241929b2943ab75e66d6c593_0");
    let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(&got.body);
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), format!("{expected} {expected}"));
}

#[tokio::test]
async fn an_incident_is_acknowledged_and_resolved_by_the_key_it_was_triggered_by() {
    use iota_engine::store::DeliveryAction::{Acknowledge, Create, Resolve};
    let mut keys = Vec::new();
    for (action, word) in [(Create, "trigger"), (Acknowledge, "acknowledge"), (Resolve, "resolve")] {
        let event = parsed(&sent(PAGERDUTY, "{}", Message { action, ..message() }).await);
        check_pagerduty(&event, 0);
        assert_eq!(event["event_action"], word);
        keys.push(event["dedup_key"].clone());
    }
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    let other = sent(PAGERDUTY, "{}", with(&json!({"alert_id": "0".repeat(32)}))).await;
    assert_ne!(parsed(&other)["dedup_key"], keys[0], "the next window is another incident");
}

const SLACK_BOT: &str = "type: slack, token: 'file:key', channel: C0123456789, api_url: 'URL'";

#[tokio::test]
async fn what_happens_to_an_alert_later_goes_into_its_thread_until_a_restart() {
    use iota_engine::store::DeliveryAction::{Acknowledge, Create, Resolve, Update};
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("key"), "xoxb-s3cret").expect("written");
    let posts = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::new(Box::new(move |_| {
        let number = posts.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        (200, json!({"ok": true, "ts": format!("1700000000.{number:06}")}).to_string())
    }))
    .await;
    let keys = SLACK_BOT.replace("URL", &fake.url);
    let start = || output(&keys, directory.path());
    let other = with(&json!({"alert_id": "0".repeat(32)}));
    let bot = start().await;
    for message in [Message { action: Create, ..message() }, other.clone()] {
        assert_eq!(bot.send(&[message]).await, [Sent::Delivered]);
    }
    for action in [Update, Acknowledge, Resolve] {
        assert_eq!(bot.send(&[Message { action, ..message() }]).await, [Sent::Delivered]);
    }
    assert_eq!(bot.send(&[Message { action: Resolve, ..other }]).await, [Sent::Delivered]);
    // Where messages are is only remembered by the process that posted them.
    let restarted = start().await;
    for action in [Acknowledge, Resolve] {
        assert_eq!(restarted.send(&[Message { action, ..message() }]).await, [Sent::Delivered]);
    }
    let posted: Vec<Value> = fake.got().iter().map(parsed).collect();
    let threads: Vec<_> = posted.iter().map(|post| post["thread_ts"].as_str().unwrap_or("-")).collect();
    let (first, second) = ("1700000000.000000", "1700000000.000001");
    assert_eq!(threads, ["-", "-", first, first, first, second, "-", "1700000000.000006"]);
    assert!(posted.iter().all(|post| post["channel"] == "C0123456789"));
    assert!(fake.got().iter().all(|got| got.headers["authorization"] == "Bearer xoxb-s3cret"));
    for (post, says) in posted[2..5].iter().zip(["Again: ", "Acknowledged: ", "Resolved: "]) {
        check_slack(post);
        assert!(post["text"].as_str().is_some_and(|text| text.contains(says)), "{post:#}");
    }
}
