//! Syslog against real servers, rsyslog and syslog-ng (tools/syslog_servers.sh gets them), and framing against a fake.

use super::tls::acceptor;
use super::{hostile, message, output, with};
use iota_service::output::{Message, Purpose, Sent};
use serde_json::json;
use std::net::TcpListener as StdListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// Ends the server when the test does.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/syslog-ng")
}

fn start(command: &mut Command, port: u16) -> Server {
    let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
    let server = Server(child.unwrap_or_else(|error| panic!("{command:?}: {error}; run tools/syslog_servers.sh as root")));
    let end = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "{command:?} does not listen on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

fn rsyslog(directory: &Path, port: u16) -> Server {
    let configuration = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         template(name=\"t\" type=\"string\" string=\"%pri%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n\")\n\
         *.* action(type=\"omfile\" file=\"{}/got\" template=\"t\")\n",
        directory.display()
    );
    std::fs::write(directory.join("rsyslog.conf"), configuration).expect("written");
    let mut command = Command::new("/usr/sbin/rsyslogd");
    command.arg("-n").arg("-f").arg(directory.join("rsyslog.conf")).arg("-i").arg(directory.join("pid"));
    start(&mut command, port)
}

fn syslog_ng(directory: &Path, port: u16) -> Server {
    let configuration = format!(
        "@version: 3.38\nsource s {{ syslog(ip(127.0.0.1) port({port}) transport(\"tcp\")); }};\n\
         destination d {{ file(\"{}/got\" template(\"$PRI|$HOST_FROM|$PROGRAM|$MSGID|$SDATA| $MESSAGE\\n\")); }};\n\
         options {{ keep-hostname(yes); }};\nlog {{ source(s); destination(d); }};\n",
        directory.display()
    );
    std::fs::write(directory.join("syslog-ng.conf"), configuration).expect("written");
    let root = unpacked();
    let triplet = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let libraries = [root.join("usr/lib/syslog-ng"), root.join(triplet)];
    let mut command = Command::new(root.join("usr/sbin/syslog-ng"));
    command
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("paths"))
        .args(["-F", "--no-caps", "-f"])
        .arg(directory.join("syslog-ng.conf"))
        .arg("--module-path")
        .arg(root.join("usr/lib/syslog-ng/3.38"))
        .arg("--persist-file")
        .arg(directory.join("persist"))
        .arg("--control")
        .arg(directory.join("control"))
        .arg("--pidfile")
        .arg(directory.join("pid"));
    start(&mut command, port)
}

fn lines(directory: &Path, count: usize) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let got = std::fs::read(directory.join("got")).unwrap_or_default();
        let lines: Vec<String> =
            String::from_utf8_lossy(&got).lines().filter(|line| line.contains("iota")).map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < end, "{count} lines were expected, these came: {lines:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

async fn real_server(server: fn(&Path, u16) -> Server, framings: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    let port = free_port();
    let _server = server(directory.path(), port);
    let mut expected = 0;
    for framing in framings {
        for content in ["text", "cef", "json"] {
            let keys = format!("type: syslog, address: '127.0.0.1:{port}', tls: false, framing: {framing}, message: {content}");
            let output = output(&keys, directory.path()).await;
            let sent = output.send(&[message(), hostile()]).await;
            assert_eq!(sent, [Sent::Delivered, Sent::Delivered]);
            expected += 2;
            let lines = lines(directory.path(), expected);
            assert_eq!(lines.len(), expected, "no line was split or lost: {lines:#?}");
            let line = &lines[expected - 2];
            // local0 and error.
            assert!(line.starts_with("131|") && line.contains("|iota|ALERT|"), "{line}");
            match content {
                "text" => {
                    assert!(
                        line.contains("id=\"29eedc85241929b2943ab75e66d6c593\"") && line.contains("Security group sg-003"),
                        "{line}"
                    );
                }
                "cef" => assert!(line.contains("CEF:0|iota|iota|") && line.contains("externalId=29eedc"), "{line}"),
                _ => {
                    let json = &line[line.find("{\"schema_version").expect("an object")..];
                    let alert: serde_json::Value = serde_json::from_str(json).expect("JSON that arrived whole");
                    assert_eq!(alert["alert_id"], "29eedc85241929b2943ab75e66d6c593");
                }
            }
        }
    }
}

#[tokio::test]
async fn rsyslog_reads_every_form() {
    real_server(rsyslog, &["octets", "lines"]).await;
}

#[tokio::test]
async fn syslog_ng_reads_every_form() {
    real_server(syslog_ng, &["octets"]).await;
}

#[tokio::test]
async fn frames_are_counted_within_the_limit_and_repeated_after_a_break_over_tls() {
    let directory = tempfile::tempdir().expect("a directory");
    let (acceptor, authority) = acceptor();
    std::fs::write(directory.path().join("ca.pem"), authority).expect("written");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = tokio::spawn(async move {
        let mut all = Vec::new();
        // The first connection ends after its first bytes; the second stays until the client goes.
        for is_last in [false, true] {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut stream = acceptor.accept(stream).await.expect("TLS");
            let mut got = Vec::new();
            while stream.read_buf(&mut got).await.is_ok_and(|read| read > 0) && (is_last || got.is_empty()) {}
            all.push(got);
        }
        all
    });
    let huge = with(&json!({"title": "é".repeat(50_000), "alert_id": "f".repeat(32)}));
    let keys = format!("type: syslog, address: 'localhost:{port}', ca_file: ca.pem, max_message: 2KiB");
    let output = output(&keys, directory.path()).await;
    assert_eq!(output.send(&[message()]).await, [Sent::Delivered]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(output.send(&[huge]).await, [Sent::Delivered]);
    drop(output);
    let got = server.await.expect("no panic").pop().expect("a second connection");
    let mut rest = got.as_slice();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').expect("a length");
        let length: usize = str::from_utf8(&rest[..space]).expect("digits").parse().expect("a number");
        messages.push(str::from_utf8(&rest[space + 1..=space + length]).expect("UTF-8"));
        rest = &rest[space + length + 1..];
    }
    assert_eq!(messages.len(), 2, "the one before the break came again");
    assert!(messages[0].contains("29eedc") && messages[1].contains("ffff") && messages[1].ends_with("... (truncated)"));
    assert!(messages.iter().all(|message| message.len() <= 2048 && message.starts_with("<131>1 2025-01-01T00:00:00.000Z ")));
}

/// What a plain server gets of some messages, framed by lines.
async fn written(keys: &str, messages: &[Message]) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = tokio::spawn(async move {
        let mut got = Vec::new();
        listener.accept().await.expect("a connection").0.read_to_end(&mut got).await.expect("read");
        String::from_utf8(got).expect("UTF-8")
    });
    let keys = format!("type: syslog, address: '127.0.0.1:{port}', tls: false, framing: lines, hostname: h, {keys}");
    let output = output(&keys, directory.path()).await;
    assert!(output.send(messages).await.iter().all(|sent| *sent == Sent::Delivered));
    drop(output);
    server.await.expect("no panic").lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn messages_are_as_they_were() {
    for content in ["text", "json", "cef"] {
        let test = Message { purpose: Purpose::Test, ..message() };
        let lines = written(&format!("message: {content}"), &[message(), test]).await;
        assert_eq!(lines.len(), 2, "{lines:#?}");
        insta::assert_snapshot!(format!("syslog_{content}"), lines.join("\n"));
    }
}

/// The structured data of a message, parsed as RFC 5424 (6.3) says: names and values.
fn structured_data(message: &str) -> Vec<(String, String)> {
    let start = message.find(" [iota@").expect("structured data") + 2;
    let mut rest = message[start..].chars();
    let mut found = Vec::new();
    let id: String = rest.by_ref().take_while(|letter| *letter != ' ').collect();
    assert_eq!(id, "iota@32473");
    loop {
        let name: String = rest.by_ref().take_while(|letter| *letter != '=').collect();
        assert!(!name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric()), "{name:?} in {message}");
        assert_eq!(rest.next(), Some('"'), "{message}");
        let mut value = String::new();
        loop {
            match rest.next().expect("the value ends") {
                '"' => break,
                '\\' => value.push(rest.next().filter(|letter| r#""\]"#.contains(*letter)).expect("an escape of three")),
                ']' => panic!("a bracket that is not escaped: {message}"),
                letter => value.push(letter),
            }
        }
        found.push((name, value));
        match rest.next() {
            Some(' ') => {}
            Some(']') => return found,
            other => panic!("{other:?} after a value: {message}"),
        }
    }
}

#[tokio::test]
async fn nothing_breaks_out_of_structured_data() {
    let names = ["id", "rule", "severity", "account", "region", "actor", "source", "action", "count"];
    for content in ["text", "json"] {
        let lines = written(&format!("message: {content}"), &[hostile()]).await;
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(!lines[0].chars().any(char::is_control), "{:?}", lines[0]);
        let found = structured_data(&lines[0]);
        let found_names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found_names, names[..found.len()], "{found:?}");
        assert_eq!(found.len(), if content == "text" { names.len() } else { 3 });
        if content == "text" {
            assert!(found[5].1.contains(r#"a|b\c=d ]"e' ,;{}"#), "{found:?}");
        }
    }
}

#[tokio::test]
async fn structured_data_names_what_was_told_first() {
    let first = "1".repeat(32);
    let lines = written("message: text", &[Message { known_as: first.clone(), ..message() }]).await;
    assert_eq!(structured_data(&lines[0])[0], ("id".to_owned(), first));
}
