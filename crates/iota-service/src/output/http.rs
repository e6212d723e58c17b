//! What outputs over HTTP share: the client, one request, and what its answer means.
//! Knows no payload.

use super::Sent;
use super::config::{Address, OutputError, Secret, Surroundings, shown_url};
use iota_engine::text::printable;
use reqwest::{Certificate, Client, Proxy, Request, RequestBuilder, Url, redirect};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Most of an answer that is read: 64 KiB. Answers are short; what is longer is no answer of the service.
const MAX_ANSWER: usize = 64 << 10;
/// Most characters of an answer that are told.
const MAX_TOLD: usize = 200;

/// What a status means for a message. `Sent` without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Delivered,
    Retry,
    Refused,
    Closed,
}

/// First and last status, and what they mean. The first row that fits counts; what no row names is tried again.
pub(crate) type Statuses = &'static [(u16, u16, Meaning)];

/// What most servers mean. 400 is about the payload, 401 to 404 about the address or who asks; 410 asks not to be called
/// again.
pub(crate) const USUAL: Statuses = &[
    (200, 299, Meaning::Delivered),
    (300, 399, Meaning::Closed),
    (400, 400, Meaning::Refused),
    (401, 407, Meaning::Closed),
    (408, 409, Meaning::Retry),
    (410, 411, Meaning::Closed),
    (425, 425, Meaning::Retry),
    (429, 429, Meaning::Retry),
    (412, 499, Meaning::Refused),
    (500, 599, Meaning::Retry),
];

/// What statuses mean of a service that says what its statuses mean: what it does not name passes.
pub(crate) const NAMED: Statuses = &[
    (200, 299, Meaning::Delivered),
    (300, 399, Meaning::Closed),
    (400, 400, Meaning::Refused),
    (401, 407, Meaning::Closed),
    (410, 410, Meaning::Closed),
    (413, 413, Meaning::Refused),
];

pub(crate) fn meaning(statuses: Statuses, status: u16) -> Meaning {
    statuses.iter().find(|(first, last, _)| (*first..=*last).contains(&status)).map_or(Meaning::Retry, |(_, _, meaning)| *meaning)
}

/// An answer of the other side.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What `Retry-After` asks for.
    pub(crate) after: Option<Duration>,
    pub(crate) body: Vec<u8>,
    redirect: Option<String>,
}

impl Answer {
    #[cfg(test)]
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, after: None, body: body.as_bytes().to_vec(), redirect: None }
    }

    /// The body, as far as it is text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client for one output, with the secrets that must not show in what it says.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    secrets: Vec<Secret>,
}

/// How a client is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transport<'a> {
    pub(crate) timeout: Duration,
    pub(crate) proxy: Option<&'a Address>,
    pub(crate) ca_file: Option<&'a Path>,
}

impl Http {
    /// `secrets` never show in what is told of requests.
    pub(crate) async fn new(
        transport: Transport<'_>,
        secrets: Vec<Secret>,
        around: &Surroundings<'_>,
    ) -> Result<Self, OutputError> {
        let mut builder = Client::builder()
            .timeout(transport.timeout)
            .connect_timeout(transport.timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            // Every attempt is counted where deliveries are scheduled, not in here.
            .retry(reqwest::retry::never())
            .user_agent(concat!("iota/", env!("CARGO_PKG_VERSION")));
        let invalid = |key, error: &dyn std::error::Error| OutputError::Invalid { key, why: error.to_string() };
        if let Some(path) = transport.ca_file {
            let path = around.directory.join(path);
            let fail = |why: String| OutputError::File { path: path.display().to_string(), why };
            let pem = tokio::fs::read(&path).await.map_err(|error| fail(error.to_string()))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| fail(error.to_string()))?;
            if certificates.is_empty() {
                return Err(fail("it holds no certificate in PEM form".to_owned()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let mut secrets = secrets;
        if let Some(proxy) = transport.proxy {
            let url = proxy.resolve(around).await?;
            secrets.extend(url.password().map(|password| Secret::new(password.to_owned())));
            builder = builder.proxy(Proxy::all(url).map_err(|error| invalid("proxy", &error.without_url()))?);
        }
        let client = builder.build().map_err(|error| invalid("ca_file", &error.without_url()))?;
        Ok(Self { client, secrets })
    }

    pub(crate) fn post(&self, url: &Url) -> RequestBuilder {
        self.client.post(url.clone())
    }

    pub(crate) fn put(&self, url: &Url) -> RequestBuilder {
        self.client.put(url.clone())
    }

    /// Makes the request. An error is an attempt without an answer.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> Result<Answer, Sent> {
        let request = request.build().map_err(|error| Sent::Closed { why: told(&error.without_url()) })?;
        let address = shown_url(request.url());
        self.answer(request).await.map_err(|error| {
            let error = error.without_url();
            let told = told(&error);
            let why = self.clean(&format!("{address}: {told}"));
            if needs_somebody(&told) { Sent::Closed { why } } else { Sent::Retry { after: None, why } }
        })
    }

    async fn answer(&self, request: Request) -> reqwest::Result<Answer> {
        let mut response = self.client.execute(request).await?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let after = header(reqwest::header::RETRY_AFTER).and_then(retry_after);
        let redirect = header(reqwest::header::LOCATION).and_then(|to| Url::parse(to).ok()).map(|url| shown_url(&url));
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                body.truncate(MAX_ANSWER);
                break;
            }
        }
        Ok(Answer { status, after, body, redirect })
    }

    /// Makes the request, and says what the status of its answer means.
    pub(crate) async fn deliver(&self, request: RequestBuilder, statuses: Statuses) -> Sent {
        match self.ask(request).await {
            Ok(answer) => self.sent(meaning(statuses, answer.status), &answer),
            Err(sent) => sent,
        }
    }

    /// What an answer means, with the start of its body.
    pub(crate) fn sent(&self, meaning: Meaning, answer: &Answer) -> Sent {
        let mut why = format!("status {}", answer.status);
        if let Some(host) = &answer.redirect {
            let _ = write!(why, ", which points to {host}; redirects are not followed, use that address if it is right");
        }
        // A secret that is cut would not be found any more.
        let body = super::format::text::cut_chars(self.redacted(&answer.text()).trim(), MAX_TOLD);
        if !body.is_empty() {
            let _ = write!(why, ": {body}");
        }
        let why = self.clean(&why);
        match meaning {
            Meaning::Delivered => Sent::Delivered,
            Meaning::Retry => Sent::Retry { after: answer.after, why },
            Meaning::Refused => Sent::Refused { why },
            Meaning::Closed => Sent::Closed { why },
        }
    }

    /// On one line, and without the secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        printable(&self.redacted(text))
    }

    fn redacted(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "***"))
    }
}

/// Seconds or a date (RFC 9110, section 10.2.3). How much of it is heeded, is not decided here.
fn retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    text.parse().ok().map(Duration::from_secs).or_else(|| {
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Some(Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or_default())
    })
}

/// The error and what caused it.
pub(crate) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = error.source();
    }
    causes.join(": ")
}

/// The other side's certificate is not trusted, or the proxy does not let iota through. Nothing gets better by trying again
/// soon. The errors are private to the libraries, so their words have to do; tests tell when these change.
pub(crate) fn needs_somebody(told: &str) -> bool {
    ["invalid peer certificate", "proxy authorization required"].iter().any(|words| told.contains(words))
}

#[cfg(test)]
mod tests {
    use super::Meaning::{Closed, Delivered, Refused, Retry};
    use super::*;

    #[test]
    fn how_long_to_wait() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("99999999"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(retry_after("Fri, 01 Jan 2100 00:00:00 GMT").is_some_and(|wait| wait > Duration::from_secs(1_000_000_000)));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }

    #[test]
    fn every_status_means_something() {
        let table: Vec<_> = [200, 202, 302, 400, 401, 403, 404, 408, 410, 413, 422, 429, 500, 503, 700]
            .into_iter()
            .map(|status| (status, meaning(USUAL, status)))
            .collect();
        let expected = [
            (200, Delivered),
            (202, Delivered),
            (302, Closed),
            (400, Refused),
            (401, Closed),
            (403, Closed),
            (404, Closed),
            (408, Retry),
            (410, Closed),
            (413, Refused),
            (422, Refused),
            (429, Retry),
            (500, Retry),
            (503, Retry),
            (700, Retry),
        ];
        assert_eq!(table, expected);
    }
}
