//! Values of the configuration that are more than text or a number: read once, checked when read.

use super::OutputError;
use super::secret::{Reference, Secret, Surroundings};
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long one attempt may take, as in `500ms`, `10s`, `2m`. More than nothing and at most two minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Wait(pub Duration);

/// Well below `deliver::LONGEST_ATTEMPT`, so that an output says itself what did not answer.
const LONGEST: Duration = Duration::from_secs(120);

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let duration = crate::config::parse_duration(&text)?;
        if duration.is_zero() || duration > LONGEST {
            return Err("must be more than 0 and at most 2m: what takes longer is tried again".to_owned());
        }
        Ok(Self(duration))
    }
}

impl From<Wait> for String {
    fn from(wait: Wait) -> Self {
        format!("{:?}", wait.0)
    }
}

/// A size in bytes, as in `100MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Size(pub u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        crate::config::bytes(&text).map(Self)
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        bytesize::ByteSize(size.0).to_string()
    }
}

/// An `http://` or `https://` address, or a reference to one when the address is a secret.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Address {
    Plain(Url),
    Reference(Reference),
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if ["env:", "file:", "secretsmanager:"].iter().any(|kind| text.starts_with(kind)) {
            return text.parse().map(Self::Reference);
        }
        let url = http_url(&text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address with a password in it must be given by reference, as in env:NAME".to_owned());
        }
        Ok(Self::Plain(url))
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    /// Without path and query, which may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(url) if url.path() == "/" && url.query().is_none() => f.write_str(&shown_url(url)),
            Self::Plain(url) => write!(f, "{}/...", shown_url(url)),
            Self::Reference(reference) => reference.fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Address {
    pub async fn resolve(&self, around: &Surroundings<'_>) -> Result<Url, OutputError> {
        match self {
            Self::Plain(url) => Ok(url.clone()),
            Self::Reference(reference) => secret_url(reference, around).await,
        }
    }
}

/// The address that a secret holds.
pub(crate) async fn secret_url(reference: &Reference, around: &Surroundings<'_>) -> Result<Url, OutputError> {
    let secret = around.secret(reference).await?;
    http_url(secret.expose()).map_err(|why| OutputError::Secret { reference: reference.to_string(), why })
}

pub(super) fn http_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| "an address that starts with https:// or http:// is expected".to_owned())
}

/// An address that iota knows itself.
pub(crate) fn built_in(text: &str) -> Result<Url, OutputError> {
    Url::parse(text).map_err(|error| OutputError::Invalid { key: "url", why: error.to_string() })
}

/// The address of a path, which starts with `/`, below another address.
pub(crate) fn below(base: &Url, path: &str) -> Result<Url, OutputError> {
    built_in(&format!("{}{path}", base.as_str().trim_end_matches('/')))
}

/// Scheme, host and port: what may be said of an address.
pub(crate) fn shown_url(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Text, or a reference to it when it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Text {
    Plain(String),
    Reference(Reference),
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if ["env:", "file:", "secretsmanager:"].iter().any(|kind| text.starts_with(kind)) {
            return text.parse().map(Self::Reference);
        }
        Ok(Self::Plain(text))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::Plain(text) => text,
            Text::Reference(reference) => reference.to_string(),
        }
    }
}

impl Text {
    pub async fn resolve(&self, around: &Surroundings<'_>) -> Result<Secret, OutputError> {
        match self {
            Self::Plain(text) => Ok(Secret::new(text.clone())),
            Self::Reference(reference) => around.secret(reference).await,
        }
    }
}

/// `host:port`, as in `logs.example.com:6514` or `[::1]:6514`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || "host:port is expected".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(expected)?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let valid = !inner.is_empty() && (inner.len() < host.len()) == inner.contains(':') && !inner.contains(['/', '@', ' ']);
        if valid { Ok(Self { host: inner.to_owned(), port }) } else { Err(expected()) }
    }
}

impl From<HostPort> for String {
    fn from(address: HostPort) -> Self {
        address.to_string()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_show_no_path_and_take_no_password() {
        let shown = |text: &str| Address::try_from(text.to_owned()).map(String::from);
        assert_eq!(shown("https://a.example/b?sig=c").as_deref(), Ok("https://a.example/..."));
        assert_eq!(shown("http://127.0.0.1:8080").as_deref(), Ok("http://127.0.0.1:8080"));
        assert_eq!(shown("env:URL").as_deref(), Ok("env:URL"));
        for text in ["https://u:p@a.example", "ftp://a.example", "a.example", "https://", ""] {
            assert!(shown(text).is_err(), "{text}");
        }
    }

    #[test]
    fn host_and_port() {
        let shown = |text: &str| HostPort::try_from(text.to_owned()).map(String::from);
        for text in ["a.example:514", "127.0.0.1:6514", "[::1]:6514"] {
            assert_eq!(shown(text).as_deref(), Ok(text));
        }
        for text in ["a.example", "a:0", "a:99999", "::1:514", ":514", "https://a:1", "[a]:1"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
