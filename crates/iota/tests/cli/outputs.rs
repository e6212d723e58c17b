//! `iota outputs test` and canaries, as a user has them: every kind of output that is not in AWS (those are in tests/s3).

use crate::harness::{EVERY, Files, Ran, iota};
use crate::watch::Watching;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

const TOKEN: &str = "t0ken-that-nobody-may-see-012345";

/// A server that takes every request.
struct Server {
    address: String,
    /// Whole requests, or what came over a connection that speaks no HTTP.
    got: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(serve: fn(&TcpStream, &Mutex<Vec<String>>) -> Option<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let got = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&got);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(&stream, &kept));
            }
        });
        Self { address, got }
    }

    fn got(&self) -> String {
        self.got.lock().unwrap().join("\n")
    }
}

const PATHS: [&str; 7] =
    ["/hook", "http://alerts.example/proxied", "/slack/", "/services/collector/event", "/teams", "/iota.alert", "/upload"];

/// What each service says when it took something, by the path of the request.
fn answer(path: &str, host: &str) -> String {
    match path {
        _ if path.starts_with("/slack") => "ok".to_owned(),
        _ if path.starts_with("/services/collector") => r#"{"text":"Success","code":0}"#.to_owned(),
        "/oauth" => r#"{"access_token":"a-token"}"#.to_owned(),
        "/graphql" => format!(
            r#"{{"data":{{"requestSecurityScanUpload":{{"upload":{{"url":"http://{host}/upload","systemActivityId":"a"}}}},"systemActivity":{{"status":"SUCCESS"}}}}}}"#
        ),
        _ => "{}".to_owned(),
    }
}

fn http(mut stream: &TcpStream, got: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut request = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            request.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let path = request.split(' ').nth(1)?.to_owned();
        got.lock().unwrap().push(format!("{request}{}", String::from_utf8_lossy(&body)));
        let answer = answer(&path, &stream.local_addr().ok()?.to_string());
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).ok()?;
    }
}

fn lines(mut stream: &TcpStream, got: &Mutex<Vec<String>>) -> Option<()> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).ok()?;
    got.lock().unwrap().push(String::from_utf8_lossy(&all).into_owned());
    Some(())
}

/// A configuration with an output of every kind.
fn every_kind(files: &Files, web: &Server, wire: &Server) -> String {
    files.write("slack", format!("http://{}/slack/{TOKEN}", web.address).as_bytes());
    files.write("teams", format!("http://{}/teams?sig={TOKEN}", web.address).as_bytes());
    files.write("proxy", format!("http://user:{TOKEN}@{}", web.address).as_bytes());
    let mut config = "version: 1\noutputs:\n".to_owned();
    for (name, keys) in [
        ("stdout", "type: stdout".to_owned()),
        ("file", "type: file, path: alerts.jsonl".to_owned()),
        ("webhook", format!("type: webhook, url: 'http://{}/hook', headers: {{authorization: 'env:TOKEN'}}", web.address)),
        ("proxied", "type: webhook, url: 'http://alerts.example/proxied', proxy: 'file:proxy'".to_owned()),
        ("slack", "type: slack, url: 'file:slack'".to_owned()),
        ("pagerduty", format!("type: pagerduty, routing_key: 'env:TOKEN', url: 'http://{}'", web.address)),
        ("splunk", format!("type: splunk, url: 'http://{}', token: 'env:TOKEN'", web.address)),
        ("teams", "type: teams, url: 'file:teams'".to_owned()),
        ("syslog", format!("type: syslog, address: '{}', tls: false", wire.address)),
        ("fluent_http", format!("type: fluent_http, url: 'http://{}'", web.address)),
        ("fluent_forward", format!("type: fluent_forward, address: '{}', tls: false, ack: false", wire.address)),
        (
            "wiz",
            format!(
                "type: wiz, url: 'http://{0}/graphql', token_url: 'http://{0}/oauth', client_id: 'env:TOKEN', client_secret: 'env:TOKEN', integration_id: i",
                web.address
            ),
        ),
    ] {
        writeln!(config, "  {name}: {{{keys}}}").unwrap();
    }
    config
}

/// Where the outputs over HTTP ask for something, and what is in that request.
fn request(got: &str, path: &str) -> Option<String> {
    got.split("\nPOST ").flat_map(|part| part.split("\nPUT ")).find(|part| part.contains(path)).map(str::to_owned)
}

/// The command with a configuration, and with all that it logs.
fn outputs_test(files: &Files, args: &[&str]) -> Ran {
    let mut command = iota();
    command.args(["outputs", "test"]).args(args).args(["--config", &files.path("iota.yaml")]);
    command.env("TOKEN", TOKEN).env("IOTA_LOG", "trace").stdin(Stdio::null()).output().unwrap().into()
}

#[test]
fn a_test_alert_goes_through_every_kind_of_output_and_no_secret_is_logged() {
    let (web, wire) = (Server::start(http), Server::start(lines));
    let files = Files::new(&[]);
    files.write("iota.yaml", every_kind(&files, &web, &wire).as_bytes());
    let ran = outputs_test(&files, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let (alerts, said): (Vec<&str>, Vec<&str>) = ran.stdout.lines().partition(|line| line.starts_with('{'));
    let unconfirmed = "sent; this kind of output does not confirm that it arrived";
    let expected = [
        ("file", "delivered"),
        ("fluent_forward", unconfirmed),
        ("fluent_http", "delivered"),
        ("pagerduty", "delivered"),
        ("proxied", "delivered"),
        ("slack", "delivered"),
        ("splunk", "delivered"),
        ("stdout", unconfirmed),
        ("syslog", unconfirmed),
        ("teams", unconfirmed),
        ("webhook", "delivered"),
        ("wiz", unconfirmed),
    ];
    let expected: Vec<String> = expected.iter().map(|(name, said)| format!("{name}: {said}")).collect();
    assert_eq!(said, expected);
    let file = fs::read_to_string(files.path("alerts.jsonl")).unwrap();
    for alert in [alerts[0], file.trim()] {
        let alert: Json = serde_json::from_str(alert).unwrap();
        assert_eq!(alert["purpose"], "test");
        assert!(alert["title"].as_str().unwrap().starts_with("[TEST] "), "{alert:#}");
    }
    for path in PATHS.iter().chain(&["/v2/enqueue"]) {
        let got = web.got();
        assert!(request(&got, path).is_some_and(|request| request.contains("[TEST] ")), "{path}: {got}");
    }
    assert!(wire.got().matches("[TEST] ").count() >= 2, "{}", wire.got());
    assert!(ran.stderr.contains("TRACE"), "everything was logged: {}", ran.stderr);
    assert!(!ran.stderr.contains(TOKEN) && !ran.stdout.contains(TOKEN), "{}", ran.stderr);
    let basic = format!("user:{TOKEN}");
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, basic);
    assert!(web.got().contains(&encoded), "the proxy was asked with its password");
    assert!(!ran.stderr.contains(&encoded), "{}", ran.stderr);
}

#[test]
fn what_went_wrong_is_said_by_output_and_the_others_are_tried() {
    let files = Files::new(&[]);
    let config = "version: 1\noutputs:\n  a: {type: webhook, url: 'http://127.0.0.1:1/s3cret'}\n  \
                  b: {type: file, path: gone/alerts.jsonl}\n  c: {type: file, path: alerts.jsonl}\n";
    files.write("iota.yaml", config.as_bytes());
    let ran = outputs_test(&files, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let said: Vec<&str> = ran.stdout.lines().collect();
    assert!(said[0].starts_with("a: failed, would be tried again: http://127.0.0.1:1: "), "{said:?}");
    assert!(said[1].starts_with("b: nothing can be delivered until this is changed: ") && said[1].contains("gone/alerts.jsonl"));
    assert_eq!(said[2], "c: delivered");
    let ran = outputs_test(&files, &["c"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "c: delivered\n"));
    let ran = outputs_test(&files, &["d"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("there is no output `d`"), "{}", ran.stderr);
    // Secrets that are not there.
    let unset =
        "  d: {type: webhook, url: 'env:UNSET_D'}\n  e: {type: slack, url: 'file:gone'}\n  f: {type: file, path: alerts.jsonl}\n";
    files.write("iota.yaml", format!("version: 1\noutputs:\n{unset}").as_bytes());
    let ran = outputs_test(&files, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let said: Vec<&str> = ran.stdout.lines().collect();
    assert!(said[0].starts_with("d: nothing was sent: ") && said[0].contains("env:UNSET_D"), "{said:?}");
    assert!(said[1].starts_with("e: nothing was sent: ") && said[1].contains("file:gone"), "{said:?}");
    assert_eq!(said[2..], ["f: delivered"]);
    assert_eq!(outputs_test(&files, &["f"]).code, Some(0));
}

#[test]
fn a_canary_goes_through_every_kind_of_output() {
    let (web, wire) = (Server::start(http), Server::start(lines));
    let files = Files::new(&[("rules/r.py", EVERY)]);
    let config = every_kind(&files, &web, &wire);
    files.write("iota.yaml", format!("{config}deliver: {{canary: {{every: 60s}}}}\n").as_bytes());
    let watching = Watching::start(&files, &["--config", &files.path("iota.yaml")], &[("TOKEN", TOKEN)]);
    let file = || fs::read_to_string(files.path("alerts.jsonl")).unwrap_or_default();
    watching.until("every output has a canary", |_| {
        let got = web.got();
        // In PagerDuty a change event, which pages nobody.
        let mut paths = PATHS.iter().chain(&["/v2/change/enqueue"]);
        paths.all(|path| request(&got, path).is_some_and(|request| request.contains("[CANARY] "))) && !file().is_empty()
    });
    let canary: Json = serde_json::from_str(file().lines().next().unwrap()).unwrap();
    assert_eq!(canary["purpose"], "canary");
    assert!(!web.got().contains("/v2/enqueue"), "nobody is paged");
    watching.end();
    assert!(wire.got().matches("[CANARY] ").count() >= 2, "{}", wire.got());
}
