//! The Forward protocol against a strict fake: frames, acknowledgement, shared key, TLS.

use super::alerts::HOSTILE;
use super::tls::acceptor;
use super::{hostile, message, output};
use iota_service::output::Sent;
use rmpv::Value;
use sha2::{Digest, Sha512};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Good,
    WrongAck,
    NoAck,
    OtherKey,
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Value> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Ok(value) = rmpv::decode::read_value(&mut bytes.as_slice()) {
            return Some(value);
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), value: Value) {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &value).expect("encoded");
    stream.write_all(&bytes).await.expect("written");
}

fn hash(parts: &[&str]) -> String {
    let hash = Sha512::digest(parts.concat().as_bytes());
    hash.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, key: &str, manner: Manner) -> Option<Value> {
    let helo = Value::Map(vec![("nonce".into(), "n0nce".into()), ("auth".into(), "".into()), ("keepalive".into(), true.into())]);
    write(&mut stream, Value::Array(vec!["HELO".into(), helo])).await;
    let ping = read(&mut stream).await?;
    let text = |n: usize| ping[n].as_str().expect("text").to_owned();
    assert_eq!((text(0), ping.as_array().map(Vec::len)), ("PING".to_owned(), Some(6)));
    let good = text(3) == hash(&[&text(2), &text(1), "n0nce", key]);
    let digest = hash(&[&text(2), "server", "n0nce", if manner == Manner::OtherKey { "other" } else { key }]);
    let answer =
        vec!["PONG".into(), good.into(), if good { "" } else { "shared_key mismatch" }.into(), "server".into(), digest.into()];
    write(&mut stream, Value::Array(answer)).await;
    let frame = read(&mut stream).await?;
    let chunk = frame[2]["chunk"].as_str().expect("a chunk").to_owned();
    match manner {
        Manner::Good => write(&mut stream, Value::Map(vec![("ack".into(), chunk.into())])).await,
        Manner::WrongAck => write(&mut stream, Value::Map(vec![("ack".into(), "x".into())])).await,
        Manner::NoAck | Manner::OtherKey => {}
    }
    Some(frame)
}

#[tokio::test]
async fn alerts_are_delivered_when_they_are_acknowledged() {
    for tls in [false, true] {
        for (key, manner, expected) in [
            ("k3y", Manner::Good, "Delivered"),
            ("k3y", Manner::WrongAck, "Retry"),
            ("k3y", Manner::NoAck, "Retry"),
            ("k3y", Manner::OtherKey, "Closed"),
            ("unknown", Manner::Good, "Closed"),
        ] {
            let directory = tempfile::tempdir().expect("a directory");
            std::fs::write(directory.path().join("key"), "k3y").expect("written");
            let (acceptor, authority) = acceptor();
            std::fs::write(directory.path().join("ca.pem"), authority).expect("written");
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let server = tokio::spawn(async move {
                let (stream, _) = listener.accept().await.expect("a connection");
                if tls {
                    serve(acceptor.accept(stream).await.expect("TLS"), key, manner).await
                } else {
                    serve(stream, key, manner).await
                }
            });
            let security = if tls { "ca_file: ca.pem" } else { "tls: false" };
            let keys =
                format!("type: fluent_forward, address: 'localhost:{port}', shared_key: 'file:key', timeout: 5s, {security}");
            let output = output(&keys, directory.path()).await;
            let sent = output.send(&[hostile(), message()]).await;
            assert!(
                sent.len() == 2 && sent.iter().all(|sent| format!("{sent:?}").starts_with(expected)),
                "{manner:?} {key}: {sent:?}"
            );
            assert!(!format!("{sent:?}").contains("k3y"));
            if let Some(frame) = server.await.expect("no panic") {
                assert_eq!(frame[0].as_str(), Some("iota.alert"));
                let entries = frame[1].as_array().expect("entries");
                assert_eq!((entries.len(), frame[2]["size"].as_u64()), (2, Some(2)));
                assert!(matches!(&entries[0][0], Value::Ext(0, time) if time.len() == 8), "{:?}", entries[0][0]);
                assert_eq!(entries[0][1]["severity"].as_str(), Some("HIGH"));
                assert_eq!(entries[0][1]["title"].as_str(), Some(HOSTILE));
                insta::assert_snapshot!("forward_entry", format!("{}\n{}", entries[1][0], entries[1][1]));
            }
        }
    }
}

#[tokio::test]
async fn an_untrusted_certificate_closes() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { acceptor().0.accept(listener.accept().await.expect("a connection").0).await.is_ok() });
    let output = output(&format!("type: fluent_forward, address: 'localhost:{port}'"), directory.path()).await;
    assert!(matches!(output.send(&[hostile()]).await[0], Sent::Closed { .. }));
}
