//! Forward proxies, over HTTP and through CONNECT, and authorities of one's own.

use super::classify::{outputs, word};
use super::fake::Fake;
use super::tls::acceptor;
use super::{message, output};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

const USER: &str = "pr0xy-user";
const PASSWORD: &str = "pr0xy-p@ss";

/// A proxy on loopback that asks for user and password.
struct Proxy {
    address: String,
    /// First lines of the requests that it passed on.
    passed: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let passed: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&passed);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass_on(stream, Arc::clone(&kept)));
            }
        });
        Self { address, passed }
    }

    /// The keys of an output that uses it, with this password.
    fn keys(&self, directory: &std::path::Path, password: &str) -> String {
        let password = password.replace('@', "%40");
        std::fs::write(directory.join("proxy"), format!("http://{USER}:{password}@{}", self.address)).expect("written");
        "proxy: 'file:proxy'".to_owned()
    }

    fn passed(&self) -> Vec<String> {
        self.passed.lock().expect("no panic").clone()
    }
}

/// One connection: a tunnel after CONNECT, else a request with a whole address.
async fn pass_on(mut client: TcpStream, passed: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if client.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let first = text.lines().next()?.to_owned();
    let credentials = format!("proxy-authorization: Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    if !text.lines().any(|line| line.eq_ignore_ascii_case(&credentials)) {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return client.write_all(refusal).await.ok();
    }
    passed.lock().expect("no panic").push(first.clone());
    let target = first.split(' ').nth(1)?;
    let is_tunnel = first.starts_with("CONNECT ");
    let host = target.strip_prefix("http://").unwrap_or(target).split('/').next()?.to_owned();
    let mut server = TcpStream::connect(host).await.ok()?;
    if is_tunnel {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    } else {
        server.write_all(&head).await.ok()?;
    }
    copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
}

#[tokio::test]
async fn every_output_over_http_goes_through_the_proxy_with_its_credentials() {
    let directory = tempfile::tempdir().expect("a directory");
    let (acceptor, authority) = acceptor();
    std::fs::write(directory.path().join("ca.pem"), authority).expect("written");
    let kinds = outputs("http://127.0.0.1:1", directory.path()).len();
    for kind in 0..kinds {
        let (name, _, good) = outputs("http://127.0.0.1:1", directory.path()).swap_remove(kind);
        for tls in [false, true] {
            let fake = if tls { Fake::over_tls(200, good, acceptor.clone()).await } else { Fake::answering(200, good).await };
            let (_, keys, _) = outputs(&fake.url, directory.path()).swap_remove(kind);
            let proxy = Proxy::start().await;
            let keys = |password: &str| format!("{keys}, ca_file: ca.pem, {}", proxy.keys(directory.path(), password));
            let good = output(&keys(PASSWORD), directory.path()).await;
            assert!(!format!("{good:?}").contains(PASSWORD), "{good:?}");
            let sent = good.send(&[message()]).await;
            assert_eq!(word(&sent[0]), "delivered", "{name} tls {tls}: {sent:?}");
            let passed = proxy.passed();
            assert!(!passed.is_empty() && passed.iter().all(|line| line.starts_with("CONNECT ") == tls), "{name}: {passed:?}");

            let sent = output(&keys("wr0ng"), directory.path()).await.send(&[message()]).await;
            assert_eq!(word(&sent[0]), "closed", "{name} tls {tls}: {sent:?}");
            assert_eq!(proxy.passed().len(), passed.len());
            assert!(!format!("{sent:?}").contains("wr0ng"), "{sent:?}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_tried_again_and_its_password_is_not_told() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("proxy"), format!("http://{USER}:pr0xy-pass@127.0.0.1:1")).expect("written");
    for (name, keys, _) in outputs("https://127.0.0.1:2", directory.path()) {
        let sent = output(&format!("{keys}, proxy: 'file:proxy'"), directory.path()).await.send(&[message()]).await;
        assert_eq!(word(&sent[0]), "retry", "{name}: {sent:?}");
        assert!(!format!("{sent:?}").contains("pr0xy"), "{sent:?}");
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_only_where_it_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let (acceptor, authority) = acceptor();
    std::fs::write(directory.path().join("ca.pem"), authority).expect("written");
    let kinds = outputs("http://127.0.0.1:1", directory.path()).len();
    for kind in 0..kinds {
        let (name, _, good) = outputs("http://127.0.0.1:1", directory.path()).swap_remove(kind);
        let fake = Fake::over_tls(200, good, acceptor.clone()).await;
        let (_, keys, _) = outputs(&fake.url, directory.path()).swap_remove(kind);
        for (ca_file, expected) in [("", "closed"), (", ca_file: ca.pem", "delivered")] {
            let sent = output(&format!("{keys}{ca_file}"), directory.path()).await.send(&[message()]).await;
            assert_eq!(word(&sent[0]), expected, "{name}{ca_file}: {sent:?}");
        }
    }
}
