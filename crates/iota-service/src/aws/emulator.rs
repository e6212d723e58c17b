//! For tests: moto, an emulator of AWS, and a proxy in front of it that answers wrongly as a script says.
//! Where moto cannot be started the tests fail; they are never skipped.

#[path = "../../tests/outputs/tls.rs"]
mod tls;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";

/// Address of the one moto of this test process, started when it is first needed. It ends with the process.
pub(crate) fn moto() -> &'static str {
    static MOTO: OnceLock<(Child, String)> = OnceLock::new();
    &MOTO.get_or_init(start).1
}

fn start() -> (Child, String) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    let started = Command::new(&python)
        .arg(root.join("tools/moto_server.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = started.unwrap_or_else(|why| panic!("{}: {why}; `make .venv/ready` installs moto", python.display()));
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("moto writes its port");
    let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("moto did not start; `make .venv/ready` installs it"));
    (child, format!("http://127.0.0.1:{port}"))
}

/// As `Access::connect` makes it, with made-up credentials and short waits.
pub(crate) fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::builder().access_key_id("AKIATEST").secret_access_key("test").provider_name("test").build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(super::Access::default().http_client().expect("a client"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(5)).build())
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .endpoint_url(endpoint)
        .build()
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// By moto.
    Pass,
    /// By the proxy: status, headers, body.
    Instead(u16, Vec<(&'static str, String)>, String),
    /// Not at all: the connection ends.
    Cut,
    /// moto does what was asked, and the connection ends before the answer.
    CutAfter,
    /// By moto, this much later.
    Late(Duration),
}

impl Answer {
    /// An error in the shape of the JSON services.
    pub(crate) fn json(status: u16, code: &str) -> Self {
        let kind = ("x-amzn-errortype", code.to_owned());
        let body = serde_json::json!({"__type": format!("com.amazonaws.x#{code}"), "message": format!("because of {code}")});
        Self::Instead(status, vec![kind, ("content-type", "application/x-amz-json-1.0".to_owned())], body.to_string())
    }

    /// An error in the shape of the XML services.
    pub(crate) fn xml(status: u16, code: &str, message: &str) -> Self {
        let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::Instead(status, vec![("content-type", "text/xml".to_owned())], format!("<ErrorResponse>{error}</ErrorResponse>"))
    }
}

/// What a script is told of a request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `X-Amz-Target` without the service, else method and path.
    pub(crate) operation: String,
    pub(crate) body: Vec<u8>,
}

/// Address of a server whose certificate nobody trusts.
pub(crate) async fn untrusted() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("bound"));
    let (acceptor, _) = tls::acceptor();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(acceptor.accept(stream).await);
        }
    });
    url
}

/// Address of a server whose answers end in the middle.
pub(crate) async fn breaks_off() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 1 << 16];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 100\r\n\r\n<").await;
        }
    });
    url
}

type Script = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// A proxy in front of moto. Ends with the runtime of its test.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    script: Arc<Mutex<Arc<Script>>>,
    count: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let script: Script = Box::new(script);
        let proxy = Self { url, script: Arc::new(Mutex::new(Arc::new(script))), count: Arc::default() };
        let serving = proxy.clone();
        let client = reqwest::Client::new();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (proxy, client) = (serving.clone(), client.clone());
                let service = service_fn(move |request| {
                    let (proxy, client) = (proxy.clone(), client.clone());
                    async move { proxy.answer(&client, request).await }
                });
                // An error of the service ends the connection.
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        proxy
    }

    /// From now on; the numbers of requests begin anew.
    pub(crate) fn set(&self, script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Box::new(script));
        self.count.store(0, Ordering::SeqCst);
    }

    /// How many requests came since the script was set.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    async fn answer(&self, client: &reqwest::Client, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, String> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|why| why.to_string())?.to_bytes();
        let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let operation = match target {
            Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
            None => format!("{} {}", parts.method, parts.uri),
        };
        self.count.fetch_add(1, Ordering::SeqCst);
        let asked = Asked { operation, body: body.to_vec() };
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = script(&asked);
        match answer {
            Answer::Cut => return Err("cut".to_owned()),
            Answer::Instead(status, headers, body) => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                return response.body(Full::from(body)).map_err(|why| why.to_string());
            }
            Answer::Late(wait) => tokio::time::sleep(wait).await,
            Answer::Pass | Answer::CutAfter => {}
        }
        let mut forward = client.request(parts.method, format!("{}{}", moto(), parts.uri)).body(body);
        for (name, value) in &parts.headers {
            if !["host", "content-length", "transfer-encoding"].contains(&name.as_str()) {
                forward = forward.header(name, value);
            }
        }
        let real = forward.send().await.map_err(|why| why.to_string())?;
        let (status, headers) = (real.status(), real.headers().clone());
        let body = real.bytes().await.map_err(|why| why.to_string())?;
        if matches!(answer, Answer::CutAfter) {
            return Err("cut".to_owned());
        }
        let mut response = Response::builder().status(status);
        for (name, value) in &headers {
            if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
                response = response.header(name, value);
            }
        }
        response.body(Full::from(body)).map_err(|why| why.to_string())
    }
}
