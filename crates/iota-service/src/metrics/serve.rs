//! A small HTTP server for those who scrape and probe: a bounded number of short connections, and no more.

use super::{Health, Metrics};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};

/// Connections at once. Whoever comes then takes the place of another: who holds places must not keep a probe waiting,
/// because a probe without an answer ends the process.
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
    let mut connections = Connections::default();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!("metrics: {error}");
                sleep(REFUSED).await;
                continue;
            }
        };
        let metrics = Arc::clone(&metrics);
        connections.start(peer.ip(), async move {
            let answer = service_fn(|request| {
                let metrics = Arc::clone(&metrics);
                async move { Ok::<_, Infallible>(answer(request, metrics).await) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server.keep_alive(false).max_buf_size(HEAD);
            // Whoever takes too long, or sends no HTTP, is cut off.
            let _ = timeout(PATIENCE, server.serve_connection(TokioIo::new(stream), answer)).await;
        });
        // What has been sent already is answered before the next connection may take its place.
        yield_now().await;
    }
}

/// What is under way, oldest first.
#[derive(Debug, Default)]
struct Connections(VecDeque<(IpAddr, JoinHandle<()>)>);

impl Connections {
    /// Cuts another one off when there are too many.
    fn start(&mut self, peer: IpAddr, work: impl Future<Output = ()> + Send + 'static) {
        self.0.retain(|(_, connection)| !connection.is_finished());
        let peers: Vec<IpAddr> = self.0.iter().map(|(peer, _)| *peer).collect();
        if let Some((_, connection)) = to_cut_off(&peers).and_then(|at| self.0.remove(at)) {
            connection.abort();
        }
        self.0.push_back((peer, tokio::spawn(work)));
    }
}

/// Which of the connections, oldest first, makes room for another: the oldest of the address that has most.
fn to_cut_off(peers: &[IpAddr]) -> Option<usize> {
    let of = |peer: &IpAddr| peers.iter().filter(|other| *other == peer).count();
    let most = peers.iter().map(of).max()?;
    peers.iter().position(|peer| of(peer) == most).filter(|_| peers.len() >= CONNECTIONS)
}

async fn answer(request: Request<Incoming>, metrics: Arc<Metrics>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
        refused.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/metrics" => text(StatusCode::OK, METRICS, metrics.text().await),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_most_places_gives_one_up() {
        let [prober, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let with = |count| [vec![prober], vec![other; count]].concat();
        assert_eq!(to_cut_off(&[]), None);
        assert_eq!(to_cut_off(&with(CONNECTIONS - 2)), None, "there is room");
        assert_eq!(to_cut_off(&with(CONNECTIONS - 1)), Some(1), "not the oldest of all");
        let each: Vec<IpAddr> = (0..16).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        assert_eq!(to_cut_off(&each), Some(0));
    }
}
