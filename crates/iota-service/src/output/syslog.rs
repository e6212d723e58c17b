//! Syslog: RFC 5424 over TLS (RFC 5425) or TCP (RFC 6587). Nobody acknowledges: delivered means written.

use super::config::{HostPort, Kind, OutputError, Surroundings, Wrong, output_keys};
use super::format::text::{cut_bytes, one_line};
use super::format::{Alert, Redaction, cef, headline};
use super::net::{Peer, Stream, still_open};
use super::{Message, Output, Sent};
use async_trait::async_trait;
use iota_engine::alert::Severity;
use iota_engine::store::DeliveryAction;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// What rsyslog takes by default (`$MaxMessageSize`), and the least that `max_message` may be.
const DEFAULT_MAX_MESSAGE: u64 = 8 << 10;
const LEAST_MAX_MESSAGE: u64 = 2 << 10;
/// Number for examples (RFC 5612), until the configuration gives the site's own.
const EXAMPLE_ENTERPRISE: u32 = 32473;
/// local0.
const DEFAULT_FACILITY: u8 = 16;
/// What was written this shortly before a connection broke is written again on the next one.
const REPLAY: Duration = Duration::from_secs(5);
const MAX_REPLAY: usize = 1000;
/// Longest value of structured data, in bytes.
const MAX_PARAM: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// The length stands before each message (RFC 6587, 3.4.1).
    #[default]
    Octets,
    /// A line feed ends each message (RFC 6587, 3.4.2).
    Lines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// The title; what else is known stands in the structured data.
    #[default]
    Text,
    /// The alert's JSON.
    Json,
    /// ArcSight Common Event Format.
    Cef,
}

output_keys! { tls
    /// Sends alerts to a syslog server.
    SyslogFile {
        /// The server, as in `logs.example.com:6514`.
        pub address: HostPort,
        /// False: plain TCP [default: true].
        pub tls: Option<bool>,
        /// How messages are told apart: octets or lines [default: octets].
        pub framing: Option<Framing>,
        /// What a message says: text, json or cef [default: text].
        pub message: Option<Content>,
        /// Facility, 0 to 23 [default: 16, which is local0].
        pub facility: Option<u8>,
        /// Private enterprise number of the structured data [default: 32473, the one for examples].
        pub enterprise_number: Option<u32>,
        /// HOSTNAME of the messages [default: the machine's].
        pub hostname: Option<String>,
        /// Most bytes of a message; longer ones are cut [default: 8KiB, which is rsyslog's].
        pub max_message: Option<super::config::Size>,
    }
}

impl Kind for SyslogFile {
    fn check(&self) -> Result<(), Wrong> {
        if self.facility.is_some_and(|facility| facility > 23) {
            return Err(("facility", "must be between 0 and 23".to_owned()));
        }
        if self.max_message.is_some_and(|size| !(LEAST_MAX_MESSAGE..=1 << 20).contains(&size.0)) {
            return Err(("max_message", "must be between 2KiB and 1MiB".to_owned()));
        }
        if self.message == Some(Content::Json) && self.max_message.is_some_and(|size| size.0 < 8 << 10) {
            return Err(("max_message", "must be at least 8KiB for JSON".to_owned()));
        }
        if self.hostname.as_deref().is_some_and(|name| !is_word(name, 255)) {
            return Err(("hostname", "1 to 255 printable ASCII characters without spaces are expected".to_owned()));
        }
        if self.tls == Some(false) && self.ca_file.is_some() {
            return Err(("ca_file", "is of no use without TLS".to_owned()));
        }
        Ok(())
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let hostname = self.hostname.clone().unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        Ok(Arc::new(Syslog {
            peer: Peer::new(self.address.clone(), self.tls.unwrap_or(true), self.ca_file.as_deref(), around).await?,
            timeout: self.timeout.map_or_else(|| self.default_timeout(), |wait| wait.0),
            form: Form {
                framing: self.framing.unwrap_or_default(),
                content: self.message.unwrap_or_default(),
                facility: self.facility.unwrap_or(DEFAULT_FACILITY),
                enterprise: self.enterprise_number.unwrap_or(EXAMPLE_ENTERPRISE),
                hostname: if is_word(&hostname, 255) { hostname } else { "-".to_owned() },
                limit: self.max_message.map_or(DEFAULT_MAX_MESSAGE, |size| size.0).try_into().unwrap_or(usize::MAX),
            },
            redact: self.redaction()?,
            line: Mutex::default(),
        }))
    }
}

fn is_word(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && text.bytes().all(|byte| (33..=126).contains(&byte))
}

#[derive(Debug)]
struct Syslog {
    peer: Peer,
    timeout: Duration,
    form: Form,
    redact: Redaction,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Form {
    framing: Framing,
    content: Content,
    facility: u8,
    enterprise: u32,
    hostname: String,
    limit: usize,
}

/// The connection, and what was written to it last.
#[derive(Default)]
struct Line {
    stream: Option<Box<dyn Stream>>,
    written: VecDeque<(Instant, Vec<u8>)>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("connected", &self.stream.is_some()).finish_non_exhaustive()
    }
}

impl Line {
    async fn write(&mut self, peer: &Peer, frames: &[Vec<u8>]) -> Result<(), Sent> {
        let now = Instant::now();
        while self.written.front().is_some_and(|(at, _)| now.duration_since(*at) > REPLAY) {
            self.written.pop_front();
        }
        // While a write is under way there is no connection here: one that is cut off in the middle is never used again.
        let mut stream = if let Some(stream) = still_open(self.stream.take()).await {
            stream
        } else {
            let mut stream = peer.connect().await?;
            for (_, frame) in &self.written {
                stream.write_all(frame).await.map_err(|error| lost(peer, &error))?;
            }
            stream
        };
        for frame in frames {
            stream.write_all(frame).await.map_err(|error| lost(peer, &error))?;
        }
        stream.flush().await.map_err(|error| lost(peer, &error))?;
        self.stream = Some(stream);
        let kept = frames.len().min(MAX_REPLAY);
        self.written.extend(frames[frames.len() - kept..].iter().map(|frame| (now, frame.clone())));
        while self.written.len() > MAX_REPLAY {
            self.written.pop_front();
        }
        Ok(())
    }
}

fn lost(peer: &Peer, error: &std::io::Error) -> Sent {
    Sent::Retry { after: None, why: format!("{peer:?}: {error}") }
}

#[async_trait]
impl Output for Syslog {
    fn batch(&self) -> usize {
        64
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn is_acknowledged(&self) -> bool {
        false
    }

    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let frames: Vec<Result<Vec<u8>, String>> =
            messages.iter().map(|message| Alert::of(message, &self.redact).map(|alert| self.form.frame(&alert))).collect();
        let good: Vec<Vec<u8>> = frames.iter().flatten().cloned().collect();
        let write = async { self.line.lock().await.write(&self.peer, &good).await };
        let sent = match tokio::time::timeout(self.timeout, write).await {
            Ok(Ok(())) => Sent::Delivered,
            Ok(Err(sent)) => sent,
            Err(_) => Sent::Retry { after: None, why: format!("{:?}: no connection, or it took nothing, in time", self.peer) },
        };
        frames.into_iter().map(|frame| frame.map_or_else(|why| Sent::Refused { why }, |_| sent.clone())).collect()
    }
}

impl Form {
    fn frame(&self, alert: &Alert<'_>) -> Vec<u8> {
        let message = self.message(alert);
        match self.framing {
            Framing::Octets => format!("{} {message}", message.len()).into_bytes(),
            // No part of a message holds a line feed.
            Framing::Lines => format!("{message}\n").into_bytes(),
        }
    }

    fn message(&self, alert: &Alert<'_>) -> String {
        let severity = match alert.severity() {
            Severity::Critical => 2,
            Severity::High => 3,
            Severity::Medium => 4,
            Severity::Low => 5,
            Severity::Info => 6,
        };
        let priority = self.facility * 8 + severity;
        let detected = alert.text("detected_at");
        let time = if alert.time_ms("detected_at").is_some_and(|ms| ms >= 0) { detected.as_ref() } else { "-" };
        let mut message = format!("<{priority}>1 {time} {} iota - {} ", self.hostname, msgid(alert));
        match self.content {
            Content::Text | Content::Json => message.push_str(&self.structured_data(alert)),
            Content::Cef => message.push('-'),
        }
        message.push(' ');
        let room = self.limit.saturating_sub(message.len());
        message.push_str(&match self.content {
            Content::Text => cut_bytes(&headline(alert), room),
            Content::Cef => cut_bytes(&cef::render(alert), room),
            Content::Json => String::from_utf8(alert.to_json(room)).unwrap_or_default(),
        });
        message
    }

    fn structured_data(&self, alert: &Alert<'_>) -> String {
        let action = alert.event_text(&["eventName"]).unwrap_or_default().into_owned();
        let count = alert.count().to_string();
        let fields = [
            ("id", alert.known_as.to_owned()),
            ("rule", alert.text("rule_id").into_owned()),
            ("severity", alert.text("severity").into_owned()),
            ("account", alert.text("account_id").into_owned()),
            ("region", alert.text("region").into_owned()),
            ("actor", alert.text("actor").into_owned()),
            ("source", alert.text("source_ip").into_owned()),
            ("action", action),
            ("count", count),
        ];
        // JSON has them all; only what is searched for most stands in front of it.
        let many = if self.content == Content::Json { 3 } else { fields.len() };
        let mut data = format!("[iota@{}", self.enterprise);
        for (name, value) in fields.iter().take(many).filter(|(_, value)| !value.is_empty()) {
            let value = cut_bytes(&one_line(value), MAX_PARAM).replace('\\', r"\\").replace('"', "\\\"").replace(']', r"\]");
            let _ = write!(data, " {name}=\"{value}\"");
        }
        data.push(']');
        data
    }
}

fn msgid(alert: &Alert<'_>) -> &'static str {
    use super::Purpose;
    match (alert.purpose, alert.action) {
        (Purpose::Test, _) => "TEST",
        (Purpose::Canary, _) => "CANARY",
        (Purpose::Alert, DeliveryAction::Create) => "ALERT",
        (Purpose::Alert, DeliveryAction::Update) => "UPDATE",
        (Purpose::Alert, DeliveryAction::Acknowledge) => "ACKNOWLEDGE",
        (Purpose::Alert, DeliveryAction::Resolve) => "RESOLVE",
    }
}
