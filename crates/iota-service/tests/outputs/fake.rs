//! An HTTP server on loopback that keeps what it got and answers what it is told to.

use super::tls::acceptor;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
}

pub(crate) type Answers = Box<dyn Fn(&Got) -> (u16, String) + Send + Sync>;

pub(crate) struct Fake {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Fake {
    pub(crate) async fn answering(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::new(Box::new(move |_| (status, body.clone()))).await
    }

    /// 429 and 503 come with `Retry-After: 7`. `FAKE_URL` in an answer is the fake's own address.
    pub(crate) async fn new(answers: Answers) -> Self {
        Self::start(answers, None).await
    }

    /// Behind TLS, for 127.0.0.1.
    pub(crate) async fn over_tls(status: u16, body: &str, acceptor: TlsAcceptor) -> Self {
        let body = body.to_owned();
        Self::start(Box::new(move |_| (status, body.clone())), Some(acceptor)).await
    }

    async fn start(answers: Answers, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let serving = Arc::new(Serving { url: url.clone(), answers, got: Arc::clone(&got) });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, acceptor) = (Arc::clone(&serving), acceptor.clone());
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let serving = Arc::clone(&serving);
                        async move { Ok::<_, Infallible>(serving.answer(request).await) }
                    });
                    let server = hyper::server::conn::http1::Builder::new();
                    match acceptor {
                        None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                drop(server.serve_connection(TokioIo::new(stream), service).await);
                            }
                        }
                    }
                });
            }
        });
        Self { url, got }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic").clone()
    }
}

struct Serving {
    url: String,
    answers: Answers,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Serving {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        let got = Got { method: parts.method.to_string(), path, headers: parts.headers, body };
        let (status, text) = (self.answers)(&got);
        self.got.lock().expect("no panic").push(got);
        let mut response = Response::builder().status(status);
        if matches!(status, 429 | 503) {
            response = response.header("retry-after", "7");
        }
        if (300..400).contains(&status) {
            response = response.header("location", "https://elsewhere.example/path?token=t");
        }
        response.body(Full::new(Bytes::from(text.replace("FAKE_URL", &self.url)))).expect("a response")
    }
}

/// What goes wrong below HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// Takes the request and says nothing.
    Slow,
    /// Ends in the middle of the answer's body.
    ResetMidBody,
    /// Ends before an answer.
    HangUp,
    /// A certificate that nobody trusts.
    Untrusted,
}

pub(crate) async fn troubled(trouble: Trouble) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = acceptor().0;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 65536];
                match trouble {
                    Trouble::Untrusted => drop(acceptor.accept(stream).await),
                    Trouble::HangUp => drop(stream.read(&mut buffer).await),
                    Trouble::Slow => {
                        let _ = stream.read(&mut buffer).await;
                        tokio::time::sleep(Duration::from_secs(30)).await;
                    }
                    Trouble::ResetMidBody => {
                        let _ = stream.read(&mut buffer).await;
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok").await;
                    }
                }
            });
        }
    });
    let scheme = if matches!(trouble, Trouble::Untrusted) { "https" } else { "http" };
    format!("{scheme}://{address}")
}
