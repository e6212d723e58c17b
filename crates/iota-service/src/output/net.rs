//! What outputs over plain connections share: connecting, with TLS or without, and telling a dead connection.
//! Knows no protocol.

use super::Sent;
use super::config::{HostPort, OutputError, Surroundings};
use rustls_platform_verifier::Verifier;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, crypto};

/// Both directions of a connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where an output connects to, and how.
pub(super) struct Peer {
    address: HostPort,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.address)
    }
}

impl Peer {
    /// With TLS the certificate is checked against the system's authorities and those of `ca_file`.
    pub(super) async fn new(
        address: HostPort,
        tls: bool,
        ca_file: Option<&Path>,
        around: &Surroundings<'_>,
    ) -> Result<Self, OutputError> {
        if !tls {
            return Ok(Self { address, tls: None });
        }
        let mut extra = Vec::new();
        if let Some(path) = ca_file {
            let path = around.directory.join(path);
            let fail = |why: String| OutputError::File { path: path.display().to_string(), why };
            let pem = tokio::fs::read(&path).await.map_err(|error| fail(error.to_string()))?;
            extra =
                CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| fail(error.to_string()))?;
            if extra.is_empty() {
                return Err(fail("it holds no certificate in PEM form".to_owned()));
            }
        }
        let invalid = |why: String| OutputError::Invalid { key: "tls", why };
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let verifier =
            Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(|error| invalid(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self { address, tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// A new connection. An error is `Retry`, or `Closed` when the certificate is not trusted.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, Sent> {
        let retry = |why: String| Sent::Retry { after: None, why: format!("{}: {why}", self.address) };
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await;
        let stream = stream.map_err(|error| retry(error.to_string()))?;
        // Frames are written whole, so waiting to fill packets gains nothing.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.address.host.clone())
            .map_err(|_| Sent::Closed { why: format!("{}: not a name that a certificate can be for", self.address) })?;
        match tls.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) if error.kind() == ErrorKind::InvalidData && error.to_string().contains("certificate") => {
                Err(Sent::Closed { why: format!("{}: {error}", self.address) })
            }
            Err(error) => Err(retry(error.to_string())),
        }
    }
}

/// The connection again, unless the other side has hung up. What it sent meanwhile is thrown away.
pub(super) async fn still_open(stream: Option<Box<dyn Stream>>) -> Option<Box<dyn Stream>> {
    let mut stream = stream?;
    let mut buffer = [0; 1024];
    for _ in 0..64 {
        match tokio::time::timeout(Duration::ZERO, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return None,
            Ok(Ok(_)) => {}
            Err(_) => break,
        }
    }
    Some(stream)
}
