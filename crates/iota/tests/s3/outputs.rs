//! Outputs in AWS and secrets of Secrets Manager, through the binary.

use crate::harness::{Ran, Target, moto, python};
use serde_json::{Value as Json, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

const HUSH: &str = "hush-that-nobody-may-see";

fn seed(asked: &Json) -> Json {
    serde_json::from_str(&python("outputs_seed.py", asked)).unwrap()
}

/// A server that answers every request alike, and what it got.
fn server(status: u16, kind: &str, body: &str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let got = Arc::<Mutex<String>>::default();
    let kept = Arc::clone(&got);
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} As-Told\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = vec![0; 1 << 16];
            let read = stream.read(&mut request).unwrap_or_default();
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..read]));
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, got)
}

fn outputs_test(target: &Target, config: &str, environment: &[(&str, &str)]) -> Ran {
    fs::write(target.path("iota.yaml"), config).unwrap();
    let mut command = target.command(moto(), &["outputs", "test", "--config", "iota.yaml"]);
    let output = command.env("IOTA_LOG", "trace").envs(environment.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr), stats: Json::Null }
}

#[test]
fn a_test_alert_goes_through_every_output_in_aws_and_secrets_come_from_secrets_manager() {
    let (url, got) = server(200, "text/plain", "");
    let made = seed(&json!({"endpoint": moto(), "secret": json!({"url": format!("{url}/{HUSH}"), "token": HUSH}).to_string()}));
    let (topic, queue, secret) =
        (made["topic"].as_str().unwrap(), made["queue"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let config = format!(
        "version: 1
outputs:
  bus: {{type: eventbridge}}
  hub: {{type: securityhub}}
  lake: {{type: s3, bucket: alerts-out, path_style: true}}
  queue: {{type: sqs, queue_url: '{queue}', redact: [context]}}
  topic: {{type: sns, topic_arn: '{topic}'}}
  web: {{type: webhook, url: 'secretsmanager:{secret}#url', headers: {{authorization: 'secretsmanager:{secret}#token'}}}}
"
    );
    let target = Target::new();
    let ran = outputs_test(&target, &config, &[]);
    let expected = ["bus", "hub", "lake", "queue", "topic", "web"].map(|name| format!("{name}: delivered"));
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected, "{}", ran.stderr);
    assert_eq!(ran.code, Some(0));
    let received = seed(&json!({"endpoint": moto(), "queue": queue}));
    let alert: Json = serde_json::from_str(received[0].as_str().unwrap()).unwrap();
    assert_eq!((&alert["purpose"], &alert["context"]), (&json!("test"), &json!("[redacted]")));
    assert!(alert["title"].as_str().unwrap().starts_with("[TEST] "));
    let got = got.lock().unwrap();
    assert!(got.starts_with(&format!("POST /{HUSH} ")) && got.contains(&format!("authorization: {HUSH}\r\n")), "{got}");
    assert!(ran.stderr.contains("TRACE") && !ran.stderr.contains(HUSH), "{}", ran.stderr);
    // `config show` shows where the secret is.
    let shown = target.run(moto(), &["config", "show", "--config", "iota.yaml"]).stdout;
    assert!(shown.contains(&format!("secretsmanager:{secret}#token")) && !shown.contains(HUSH), "{shown}");
}

#[test]
fn secrets_that_cannot_be_had_are_named_with_what_is_missing() {
    let made = |key: &str| {
        let arn = format!("secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbCdEf{key}");
        format!("version: 1\noutputs:\n  web: {{type: webhook, url: '{arn}'}}\n")
    };
    let target = Target::new();
    let ran = outputs_test(&target, &made(""), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let expected = "web: nothing was sent: secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbCdEf: \
                    secretsmanager:GetSecretValue: ResourceNotFoundException";
    assert!(ran.stdout.contains(expected), "{}", ran.stdout);

    let denied =
        r#"{"__type":"AccessDeniedException","Message":"User is not authorized to perform: secretsmanager:GetSecretValue"}"#;
    let (endpoint, _) = server(400, "application/x-amz-json-1.1", denied);
    let ran = outputs_test(&target, &made("#token"), &[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &endpoint)]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("gone-AbCdEf#token: secretsmanager:GetSecretValue: AccessDeniedException"), "{}", ran.stdout);
}

#[test]
fn outputs_in_aws_go_through_the_proxy_of_the_environment_and_its_password_is_not_logged() {
    let (proxy, got) = server(503, "text/plain", "");
    let proxy = proxy.replace("http://", &format!("http://user:{HUSH}@"));
    let config = "version: 1\noutputs:\n  hub: {type: securityhub, account_id: '123456789012'}\n  \
                  queue: {type: sqs, queue_url: 'http://127.0.0.1/123456789012/q'}\n";
    let target = Target::new();
    let ran = outputs_test(&target, config, &[("HTTP_PROXY", &proxy)]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let said: Vec<&str> = ran.stdout.lines().collect();
    assert!(said.len() == 2 && said.iter().all(|line| line.contains(": failed, would be tried again: ")), "{said:?}");
    let got = got.lock().unwrap().to_lowercase();
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("user:{HUSH}"));
    let authorizations = got.matches(&format!("proxy-authorization: basic {}", encoded.to_lowercase())).count();
    assert_eq!(got.matches("post http://127.0.0.1:").count(), 2, "{got}");
    assert_eq!(authorizations, 2, "{got}");
    assert!(ran.stderr.contains("TRACE") && !ran.stderr.contains(HUSH) && !ran.stderr.contains(&encoded), "{}", ran.stderr);
    let direct = outputs_test(&target, config, &[("HTTP_PROXY", &proxy), ("NO_PROXY", "127.0.0.1")]);
    assert!(direct.stdout.contains("hub: delivered"), "{}{}", direct.stdout, direct.stderr);
}
