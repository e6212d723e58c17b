//! A small HTTP server for those who scrape and probe: a bounded number of short connections, and no more.

use super::{Health, Metrics};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Connections at once; others wait.
const CONNECTIONS: usize = 16;
/// From the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least that hyper takes, in bytes.
const HEAD: usize = 8 << 10;
/// After the system refused a connection, for want of descriptors for one.
const REFUSED: Duration = Duration::from_millis(100);

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) async fn accept(listener: TcpListener, metrics: Arc<Metrics>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("metrics are not served: {error}"),
    };
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!("metrics: {error}");
                sleep(REFUSED).await;
                continue;
            }
        };
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let metrics = Arc::clone(&metrics);
                async move { Ok::<_, Infallible>(answer(request, metrics).await) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server.keep_alive(false).max_buf_size(HEAD);
            // Whoever takes too long, or sends no HTTP, is cut off.
            let _ = timeout(PATIENCE, server.serve_connection(TokioIo::new(stream), answer)).await;
            drop(permit);
        });
    }
}

async fn answer(request: Request<Incoming>, metrics: Arc<Metrics>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
        refused.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/metrics" => match spawn_blocking(move || metrics.text()).await {
            Ok(metrics) => text(StatusCode::OK, METRICS, metrics),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        "/healthz" => health(&metrics.is_alive()),
        "/readyz" => health(&metrics.is_ready()),
        _ => text(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /healthz and /readyz\n".to_owned()),
    }
}

fn health(health: &Health) -> Response<Full<Bytes>> {
    match health {
        Health::Good => text(StatusCode::OK, TEXT, "ok\n".to_owned()),
        Health::Bad(why) => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    }
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
