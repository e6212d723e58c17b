//! Wiz against a strict fake of what docs/OUTPUTS.md says: token, upload slot, upload, activity. Never run against Wiz.

use super::fake::{Fake, Got};
use super::{hostile, message, output, with};
use Step::{Activity, Slot, Token, Upload};
use iota_service::output::{Message, Output, Sent};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const ID: &str = "client-1d";
const SECRET: &str = "cl1ent s3cret&=";

/// A request, as the fake tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Token,
    Slot,
    Upload,
    Activity,
}

const STEPS: [Step; 4] = [Step::Token, Step::Slot, Step::Upload, Step::Activity];

/// What a request is, or what is wrong with it.
fn step(got: &Got) -> Result<Step, String> {
    let header = |name: &str| got.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = String::from_utf8_lossy(&got.body);
    match (got.method.as_str(), got.path.as_str()) {
        ("POST", "/oauth/token") => {
            let form = "grant_type=client_credentials&audience=wiz-api&client_id=client-1d&client_secret=cl1ent+s3cret%26%3D";
            let is_form = header("content-type") == "application/x-www-form-urlencoded" && body == form;
            if is_form { Ok(Step::Token) } else { Err(format!("not the form that asks for a token: {body}")) }
        }
        ("POST", "/graphql") => {
            if header("content-type") != "application/json" {
                return Err("GraphQL is JSON".to_owned());
            }
            let asked: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
            let query = asked["query"].as_str().unwrap_or_default();
            let variables = asked["variables"].as_object().cloned().unwrap_or_default();
            match () {
                () if query.contains("requestSecurityScanUpload(filename: $filename)") => {
                    let name = variables.get("filename").and_then(Value::as_str).unwrap_or_default();
                    let is_name = name.starts_with("iota-") && name.ends_with(".json") && variables.len() == 1;
                    if is_name { Ok(Step::Slot) } else { Err(format!("not a file name: {variables:?}")) }
                }
                () if query.contains("systemActivity(id: $id)") && variables["id"] == "activity-1" => Ok(Step::Activity),
                () => Err(format!("not a query of this fake: {body}")),
            }
        }
        // Storage refuses a request that has two ways of showing who asks.
        ("PUT", "/upload?X-Amz-Signature=s1gned") if !got.headers.contains_key("authorization") => Ok(Step::Upload),
        (method, path) => Err(format!("{method} {path}: there is nothing")),
    }
}

fn good(step: Step) -> String {
    match step {
        Step::Token => json!({"access_token": "t0ken-1", "expires_in": 3600, "token_type": "Bearer"}),
        Step::Slot => json!({"data": {"requestSecurityScanUpload": {"upload":
            {"id": "upload-1", "url": "FAKE_URL/upload?X-Amz-Signature=s1gned", "systemActivityId": "activity-1"}}}}),
        Step::Upload => Value::Null,
        Step::Activity => json!({"data": {"systemActivity": {"status": "SUCCESS", "statusInfo": ""}}}),
    }
    .to_string()
}

/// A fake that does as it should, but for what `change` answers.
async fn tenant(change: impl Fn(Step, &Got) -> Option<(u16, String)> + Send + Sync + 'static) -> Fake {
    Fake::new(Box::new(move |got| match step(got) {
        Err(why) => (400, why),
        Ok(step) => change(step, got).unwrap_or_else(|| (200, good(step))),
    }))
    .await
}

fn bearer(got: &Got) -> &str {
    got.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn wiz(fake: &Fake, timeout: &str) -> Arc<dyn Output> {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("id"), ID).expect("written");
    std::fs::write(directory.path().join("secret"), SECRET).expect("written");
    let keys = format!(
        "type: wiz, url: '{0}/graphql', token_url: '{0}/oauth/token', client_id: 'file:id', client_secret: 'file:secret', \
         integration_id: integration-1, timeout: {timeout}",
        fake.url
    );
    output(&keys, directory.path()).await
}

fn steps(fake: &Fake) -> Vec<Step> {
    fake.got().iter().map(|got| step(got).expect("a request that the fake knows")).collect()
}

#[tokio::test]
async fn an_alert_is_uploaded_and_its_activity_is_waited_for() {
    let asked = AtomicUsize::new(0);
    let fake = tenant(move |step, _| {
        let waits = step == Step::Activity && asked.fetch_add(1, Ordering::SeqCst) == 0;
        waits.then(|| (200, json!({"data": {"systemActivity": {"status": "IN_PROGRESS"}}}).to_string()))
    })
    .await;
    let output = wiz(&fake, "10s").await;
    assert!(!output.is_acknowledged(), "what becomes of an upload is not known");
    assert_eq!(output.send(&[message(), message()]).await, [Sent::Delivered, Sent::Delivered]);
    assert_eq!(steps(&fake), [Token, Slot, Upload, Activity, Activity, Slot, Upload, Activity], "one token for all");
    for got in fake.got().iter().filter(|got| got.path == "/graphql") {
        assert_eq!(bearer(got), "Bearer t0ken-1");
    }
    let upload: Value = serde_json::from_slice(&fake.got()[2].body).expect("JSON");
    insta::assert_json_snapshot!("wiz_upload", upload);
}

#[tokio::test]
async fn a_token_that_ran_out_is_renewed_within_the_attempt() {
    let ran_out = json!({"errors": [{"message": "expired", "extensions": {"code": "UNAUTHENTICATED"}}]}).to_string();
    for (status, body) in [(401, "expired".to_owned()), (200, ran_out)] {
        let given = AtomicUsize::new(0);
        let fake = tenant(move |step, got| match step {
            Step::Token => {
                let number = given.fetch_add(1, Ordering::SeqCst);
                Some((200, json!({"access_token": format!("t0ken-{number}")}).to_string()))
            }
            Step::Slot | Step::Activity if bearer(got) == "Bearer t0ken-0" => Some((status, body.clone())),
            _ => None,
        })
        .await;
        assert_eq!(wiz(&fake, "10s").await.send(&[message()]).await, [Sent::Delivered]);
        assert_eq!(steps(&fake), [Token, Slot, Token, Slot, Upload, Activity]);
    }
}

#[tokio::test]
async fn a_client_that_is_never_let_in_closes_and_nothing_secret_is_told() {
    let fake = tenant(|step, got| {
        let told = format!("no: {} {}", bearer(got), String::from_utf8_lossy(&got.body));
        matches!(step, Step::Slot).then_some((401, told))
    })
    .await;
    let sent = wiz(&fake, "10s").await.send(&[message()]).await;
    assert!(matches!(&sent[..], [Sent::Closed { why }] if why.starts_with("status 401: no: Bearer ***")), "{sent:?}");
    assert_eq!(steps(&fake).iter().filter(|step| **step == Step::Token).count(), 2, "asked once more, not for ever");
    let fake = tenant(|step, _| matches!(step, Step::Upload).then(|| (400, "expected signature s1gned".to_owned()))).await;
    let sent = format!("{:?}", wiz(&fake, "10s").await.send(&[message()]).await);
    assert!(!sent.contains("s1gned") && sent.contains("status 400"), "{sent}");
    let fake = tenant(|step, _| matches!(step, Step::Token).then(|| (403, format!("{ID} {SECRET}")))).await;
    let sent = format!("{:?}", wiz(&fake, "10s").await.send(&[message()]).await);
    assert!(!sent.contains(SECRET) && sent.contains("Closed"), "{sent}");
}

fn word(sent: &Sent) -> &'static str {
    match sent {
        Sent::Delivered => "delivered",
        Sent::Retry { .. } => "retry",
        Sent::Refused { .. } => "refused",
        Sent::Closed { .. } => "closed",
    }
}

#[tokio::test]
async fn what_every_status_means_at_every_step() {
    // For the token, the slot, the upload and the activity. Only the upload holds the alert, so only there it is refused.
    for (status, expected) in [
        (302, ["closed"; 4]),
        (400, ["closed", "closed", "refused", "closed"]),
        (401, ["closed"; 4]),
        (403, ["closed", "closed", "retry", "closed"]),
        (404, ["closed"; 4]),
        (410, ["closed"; 4]),
        (413, ["closed", "closed", "refused", "closed"]),
        (429, ["retry"; 4]),
        (500, ["retry"; 4]),
        (503, ["retry"; 4]),
    ] {
        for (step, expected) in STEPS.into_iter().zip(expected) {
            let fake = tenant(move |at, _| (at == step).then(|| (status, "why".to_owned()))).await;
            let sent = wiz(&fake, "5s").await.send(&[message()]).await;
            assert_eq!(word(&sent[0]), expected, "{step:?} {status}: {sent:?}");
            if status == 429 {
                assert!(matches!(&sent[0], Sent::Retry { after: Some(after), .. } if after.as_secs() == 7), "{sent:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_answers_say_in_words() {
    let error = |code: &str| json!({"errors": [{"message": "m", "extensions": {"code": code}}]});
    let activity = |status: &str| json!({"data": {"systemActivity": {"status": status, "statusInfo": "schema"}}});
    for (step, answer, expected) in [
        (Step::Token, json!({}), "retry"),
        (Step::Slot, error("RATE_LIMIT_EXCEEDED"), "retry"),
        (Step::Slot, error("INTERNAL_SERVER_ERROR"), "retry"),
        (Step::Slot, error("FORBIDDEN"), "closed"),
        (Step::Slot, json!({"data": {}}), "closed"),
        (Step::Activity, activity("FAILURE"), "refused"),
        (Step::Activity, json!({"data": {"systemActivity": null}}), "closed"),
        (Step::Activity, activity("IN_PROGRESS"), "retry"),
    ] {
        let shown = answer.to_string();
        let fake = tenant(move |at, _| (at == step).then(|| (200, answer.to_string()))).await;
        let sent = wiz(&fake, "2s").await.send(&[message()]).await;
        assert_eq!(word(&sent[0]), expected, "{step:?} {shown}: {sent:?}");
    }
}

#[tokio::test]
async fn hostile_and_huge_alerts_arrive_whole_and_small_enough() {
    let huge = with(&json!({"event": {"requestParameters": "\"\u{1}".repeat(400_000)}, "detected_at": "[0]\"[0]"}));
    for message in [hostile(), huge] {
        let fake = tenant(|_, _| None).await;
        assert_eq!(wiz(&fake, "10s").await.send(std::slice::from_ref(&message)).await, [Sent::Delivered]);
        let body = fake.got()[2].body.clone();
        assert!(body.len() <= 300 << 10, "{}", body.len());
        let text = String::from_utf8_lossy(&body).replace("\\ud800", "?");
        let upload: Value = serde_json::from_str(&text).expect("JSON");
        let source = &upload["dataSources"][0];
        assert_eq!(source["detections"][0]["alert_id"], message.id.alert_id);
        assert_eq!(source["detections"].as_array().map(Vec::len), Some(1));
        assert_eq!(upload.as_object().map(serde_json::Map::len), Some(2));
    }
}

/// What the next upload of a data source does not hold is closed.
#[tokio::test]
async fn an_alert_that_took_over_another_has_its_data_source() {
    let fake = tenant(|_, _| None).await;
    let first = "1".repeat(32);
    let taking = Message { known_as: first.clone(), ..message() };
    assert_eq!(wiz(&fake, "10s").await.send(&[taking]).await, [Sent::Delivered]);
    let uploads: Vec<Value> = fake.got().iter().filter_map(|got| serde_json::from_slice(&got.body).ok()).collect();
    let sources: Vec<&Value> = uploads.iter().filter_map(|upload| upload.pointer("/dataSources/0")).collect();
    let own = &message().id.alert_id;
    let found: Vec<_> = sources.iter().map(|source| (&source["id"], &source["detections"][0]["alert_id"])).collect();
    assert_eq!(found, [(&json!(format!("iota-{first}")), &json!(own))]);
}
