use super::*;
use crate::aws::emulator::{ACCOUNT, Answer, Proxy, breaks_off, config, moto, untrusted};
use crate::output::sample::{check, common, hostile, id, message, messages, with, words};
use aws_credential_types::Credentials;
use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn output(endpoint: &str) -> SecurityHub {
    let settings =
        SecurityHubConfig { account_id: None, product_arn: None, redact: Redaction::default(), aws: Access::default() };
    let mut hub = SecurityHub::new(settings).unwrap();
    hub.sts = Connection::ready(config(endpoint), Client::new);
    hub.now = || Timestamp::UNIX_EPOCH;
    hub
}

async fn finding(message: &Message) -> Value {
    let hub = output(moto());
    let product = hub.product().await.unwrap();
    let alert = Alert::of(message, &Redaction::default()).unwrap();
    serde_json::from_slice(&product.finding(&alert, (hub.now)())).unwrap()
}

fn schema() -> jsonschema::Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/schemas/asff.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[tokio::test]
async fn findings_are_imported_once() {
    let hub = output(moto());
    for _ in 0..2 {
        assert_eq!(words(&hub.send(&messages(3)).await), ["delivered"; 3]);
    }
    let product = hub.product().await.unwrap();
    assert_eq!(product.account_id, ACCOUNT, "asked of STS");
    assert_eq!(product.arn, "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default");
}

/// AWS's clock decides when credentials have ended.
#[tokio::test]
async fn credentials_that_have_expired_are_asked_for_anew() {
    let asked = Arc::new(AtomicUsize::new(0));
    let proxy = Proxy::start(|_| Answer::Pass).await;
    let mut hub = output(&proxy.url);
    let provider = {
        let asked = Arc::clone(&asked);
        provide_credentials_fn(move || {
            asked.fetch_add(1, Ordering::Relaxed);
            async { Ok(Credentials::new("AKIATEST", "test", None, None, "test")) }
        })
    };
    let config = config(&proxy.url).into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
    hub.sts = Connection::ready(config, Client::new);
    assert_eq!(words(&hub.send(&messages(1)).await), ["delivered"]);
    let before = asked.load(Ordering::Relaxed);
    assert_eq!(words(&hub.send(&messages(1)).await), ["delivered"]);
    assert_eq!(asked.load(Ordering::Relaxed), before, "they are kept");
    proxy.set(|_| Answer::json(403, "ExpiredTokenException"));
    assert_eq!(words(&hub.send(&messages(1)).await), ["closed"]);
    proxy.set(|_| Answer::Pass);
    assert_eq!(words(&hub.send(&messages(1)).await), ["delivered"]);
    assert_eq!(asked.load(Ordering::Relaxed), before + 1);
}

#[tokio::test]
async fn a_finding_looks_like_this() {
    insta::assert_json_snapshot!("finding", finding(&message()).await);
}

#[tokio::test]
async fn an_alert_that_took_over_another_has_its_finding() {
    let first = "1".repeat(32);
    let found = finding(&Message { known_as: first.clone(), ..message() }).await;
    assert_eq!((&found["Id"], &found["ProductFields"]["iota/alert_id"]), (&json!(first), &json!(message().id.alert_id)));
}

#[tokio::test]
async fn findings_are_valid_whatever_the_alert() {
    let schema = schema();
    let long = "é\n".repeat(3000);
    let mut resolved = message();
    resolved.action = DeliveryAction::Resolve;
    let cases = [
        message(),
        hostile(),
        with(&json!({"title": "", "description": " ", "runbook": "", "reference": "no url", "attack": [], "tags": []})),
        with(&json!({"title": long, "description": long, "runbook": long, "dedup": long, "actor": long, "account_id": long})),
        with(&json!({"account_id": null, "region": null, "actor": null, "source_ip": null, "partition": "aws-iso"})),
        with(&json!({"event": {"eventName": long, "eventSource": 7}, "source_ip": "2001:db8::1"})),
        with(&json!({"source_ip": "cloudtrail.amazonaws.com", "attack": vec!["TA0001:T1078"; 90]})),
        resolved,
    ];
    for case in &cases {
        let request = json!({"Findings": [finding(case).await]});
        let errors: Vec<_> = schema.iter_errors(&request).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}\n{request:#}");
        assert!(request.to_string().len() < 240_000);
        assert!(!request.to_string().contains("\\u00"), "control characters are shown as text: {request:#}");
    }
    let wrong = json!({"Findings": [{"Id": "x"}]});
    assert!(!schema.is_valid(&wrong), "the schema refuses something");
}

#[tokio::test]
async fn failures_are_matched_by_id() {
    let proxy = Proxy::start(|asked| {
        if !asked.operation.contains("/findings/import") {
            return Answer::Pass;
        }
        let failed = |n: usize, code: &str| json!({"Id": id(n), "ErrorCode": code, "ErrorMessage": "m"});
        let failed = [failed(2, "InternalException"), failed(0, "InvalidInput"), failed(3, "AccessDenied")];
        Answer::Instead(200, Vec::new(), json!({"FailedCount": 3, "SuccessCount": 1, "FailedFindings": failed}).to_string())
    })
    .await;
    assert_eq!(words(&output(&proxy.url).send(&messages(4)).await), ["refused", "delivered", "retry", "closed"]);
}

#[tokio::test]
async fn faults_are_told_apart() {
    // moto loads a service with its first call, which takes a while.
    assert_eq!(words(&output(moto()).send(&messages(1)).await), ["delivered"]);
    let proxy = Proxy::start(|_| Answer::Pass).await;
    let mut hub = output(&proxy.url);
    hub.service = Signed::new("securityhub", Access { timeout: Some(std::time::Duration::from_secs(6)), ..Access::default() });
    check(&hub, &proxy, |operation| operation.contains("/findings/import"), common(Answer::json)).await;
    let hub = SecurityHub { account_id: Some(ACCOUNT.to_owned()), ..output(&untrusted().await) };
    assert_eq!(words(&hub.send(&messages(1)).await), ["closed"], "a certificate that nobody trusts");
    let hub = SecurityHub { account_id: Some(ACCOUNT.to_owned()), ..output(&breaks_off().await) };
    assert_eq!(words(&hub.send(&messages(1)).await), ["retry"]);
}
