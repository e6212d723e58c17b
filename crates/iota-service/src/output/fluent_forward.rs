//! fluent-bit and Fluentd, input `forward`: the Forward protocol v1 in MessagePack, with acknowledgement and shared key.

use super::config::{HostPort, Kind, OutputError, Reference, Secret, Surroundings, Wrong, output_keys};
use super::fluent_http::check_tag;
use super::format::json::lossy;
use super::format::{Alert, Redaction};
use super::net::{Peer, Stream, still_open};
use super::{Message, Output, Sent};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use iota_engine::json::Value as Json;
use iota_engine::store::DeliveryAction;
use rmpv::Value;
use sha2::{Digest, Sha512};
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;

/// Most bytes of an answer: they are small.
const MAX_ANSWER: usize = 64 << 10;
/// Most bytes of a record.
const MAX_RECORD: usize = 1 << 20;
/// How deep answers may be nested.
const MAX_DEPTH: usize = 16;
const DEFAULT_TAG: &str = "iota.alert";

output_keys! { tls
    /// Sends alerts to the input `forward` of fluent-bit or Fluentd.
    FluentForwardFile {
        /// The input, as in `127.0.0.1:24224`.
        pub address: HostPort,
        /// False: plain TCP [default: true].
        pub tls: Option<bool>,
        /// Tag of the records [default: iota.alert].
        pub tag: Option<String>,
        /// Key that both sides know (`Shared_Key` of fluent-bit).
        pub shared_key: Option<Reference>,
        /// False: written counts as delivered, without an acknowledgement [default: true].
        pub ack: Option<bool>,
    }
}

impl Kind for FluentForwardFile {
    fn check(&self) -> Result<(), Wrong> {
        if self.tls == Some(false) && self.ca_file.is_some() {
            return Err(("ca_file", "is of no use without TLS".to_owned()));
        }
        check_tag(self.tag.as_deref())?;
        Ok(())
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let shared_key = match &self.shared_key {
            Some(reference) => Some(around.secret(reference).await?),
            None => None,
        };
        Ok(Arc::new(FluentForward {
            peer: Peer::new(self.address.clone(), self.tls.unwrap_or(true), self.ca_file.as_deref(), around).await?,
            timeout: self.timeout.map_or_else(|| self.default_timeout(), |wait| wait.0),
            tag: self.tag.clone().unwrap_or_else(|| DEFAULT_TAG.to_owned()),
            shared_key,
            ack: self.ack.unwrap_or(true),
            redact: self.redaction()?,
            stream: Mutex::default(),
        }))
    }
}

struct FluentForward {
    peer: Peer,
    timeout: Duration,
    tag: String,
    shared_key: Option<Secret>,
    ack: bool,
    redact: Redaction,
    stream: Mutex<Option<Box<dyn Stream>>>,
}

impl fmt::Debug for FluentForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FluentForward").field("address", &self.peer).finish_non_exhaustive()
    }
}

impl FluentForward {
    async fn deliver(&self, entries: Vec<Value>) -> Result<(), Sent> {
        let mut kept = self.stream.lock().await;
        // Taken out while it is in use: a connection that is left in the middle of an exchange is never used again.
        let mut stream = if let Some(stream) = still_open(kept.take()).await {
            stream
        } else {
            let mut stream = self.peer.connect().await?;
            if let Some(key) = &self.shared_key {
                self.authenticate(&mut stream, key).await?;
            }
            stream
        };
        let chunk = random();
        let mut option = vec![("size".into(), entries.len().into())];
        if self.ack {
            option.push(("chunk".into(), chunk.as_str().into()));
        }
        let frame = Value::Array(vec![self.tag.as_str().into(), Value::Array(entries), Value::Map(option)]);
        write(&mut stream, &frame).await.map_err(|why| self.retry(&why))?;
        if self.ack {
            let answer = read(&mut stream).await.map_err(|why| self.retry(&format!("no acknowledgement: {why}")))?;
            if member(&answer, "ack").and_then(Value::as_str) != Some(&chunk) {
                return Err(self.retry("the acknowledgement is for something else"));
            }
        }
        *kept = Some(stream);
        Ok(())
    }

    /// HELO, PING and PONG: each side shows that it has the key, by a hash over it and what the other side chose.
    async fn authenticate(&self, stream: &mut Box<dyn Stream>, key: &Secret) -> Result<(), Sent> {
        let closed = |why: &str| Sent::Closed { why: format!("{:?}: {why}", self.peer) };
        let helo = read(stream).await.map_err(|why| self.retry(&format!("no HELO: {why}")))?;
        let parts = helo.as_array().filter(|parts| parts.first().and_then(Value::as_str) == Some("HELO"));
        let options = parts.and_then(|parts| parts.get(1)).ok_or_else(|| closed("the other side asks for no key (no HELO)"))?;
        let nonce = member(options, "nonce").and_then(bytes).unwrap_or_default();
        let needs_user = member(options, "auth").and_then(bytes).is_some_and(|salt| !salt.is_empty());
        if needs_user {
            return Err(closed("the other side asks for a user and password, which this output has not"));
        }
        let (host, salt) = ("iota", random());
        let digest = digest(&[salt.as_bytes(), host.as_bytes(), nonce, key.expose().as_bytes()]);
        let ping: Vec<Value> = ["PING", host, &salt, &digest, "", ""].into_iter().map(Value::from).collect();
        write(stream, &Value::Array(ping)).await.map_err(|why| self.retry(&why))?;
        let answer = read(stream).await.map_err(|why| self.retry(&format!("no PONG: {why}")))?;
        let parts = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let [kind, accepted, reason, server, theirs, ..] = parts else { return Err(closed("what came instead of PONG is none")) };
        if kind.as_str() != Some("PONG") || accepted.as_bool() != Some(true) {
            let reason = super::format::text::cut_chars(reason.as_str().unwrap_or_default(), 200);
            return Err(closed(&format!("the shared key was refused: {}", iota_engine::text::printable(&reason))));
        }
        let server = server.as_str().unwrap_or_default().as_bytes();
        let expected = self::digest(&[salt.as_bytes(), server, nonce, key.expose().as_bytes()]);
        if theirs.as_str() != Some(&expected) {
            return Err(closed("the other side does not have the shared key"));
        }
        Ok(())
    }

    fn retry(&self, why: &str) -> Sent {
        Sent::Retry { after: None, why: format!("{:?}: {why}", self.peer) }
    }
}

#[async_trait]
impl Output for FluentForward {
    fn batch(&self) -> usize {
        32
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn is_acknowledged(&self) -> bool {
        self.ack
    }

    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let entries: Vec<Result<Value, String>> =
            messages.iter().map(|message| Alert::of(message, &self.redact).map(|alert| entry(&alert))).collect();
        let good: Vec<Value> = entries.iter().flatten().cloned().collect();
        let sent = match tokio::time::timeout(self.timeout, self.deliver(good)).await {
            Ok(Ok(())) => Sent::Delivered,
            Ok(Err(sent)) => sent,
            Err(_) => self.retry("no answer in time"),
        };
        entries.into_iter().map(|entry| entry.map_or_else(|why| Sent::Refused { why }, |_| sent.clone())).collect()
    }
}

/// `[time, record]`, the time as EventTime: seconds and nanoseconds, big-endian, in extension type 0.
fn entry(alert: &Alert<'_>) -> Value {
    let ms = alert.time_ms("event_time").unwrap_or_default().max(0);
    let seconds = u32::try_from(ms / 1000).unwrap_or(u32::MAX);
    let nanoseconds = u32::try_from(ms % 1000 * 1_000_000).unwrap_or_default();
    let time = [seconds.to_be_bytes(), nanoseconds.to_be_bytes()].concat();
    let json = alert.to_json(MAX_RECORD);
    Value::Array(vec![Value::Ext(0, time), record(&Json::parse(&json))])
}

/// JSON as MessagePack. Lone surrogates become U+FFFD, and integers that no 64 bits hold become text.
fn record(json: &Json<'_>) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => (*value).into(),
        Json::Number(token) => number(&String::from_utf8_lossy(token)),
        Json::String(text) => lossy(text).as_ref().into(),
        Json::Array(items) => Value::Array(items.iter().map(record).collect()),
        Json::Object(members) => {
            Value::Map(members.iter().map(|(name, value)| (lossy(name).as_ref().into(), record(value))).collect())
        }
    }
}

fn number(token: &str) -> Value {
    if let Ok(number) = token.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = token.parse::<u64>() {
        return number.into();
    }
    let is_float = token.contains(['.', 'e', 'E']);
    token.parse::<f64>().ok().filter(|_| is_float).map_or_else(|| token.into(), Value::F64)
}

fn random() -> String {
    BASE64_STANDARD.encode(fastrand::u128(..).to_be_bytes())
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn member<'v>(map: &'v Value, name: &str) -> Option<&'v Value> {
    map.as_map()?.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// Text or binary, as either side may write it.
fn bytes(value: &Value) -> Option<&[u8]> {
    value.as_slice().or(value.as_str().map(str::as_bytes))
}

async fn write(stream: &mut Box<dyn Stream>, value: &Value) -> Result<(), String> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).map_err(|error| error.to_string())?;
    stream.write_all(&bytes).await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())
}

async fn read(stream: &mut Box<dyn Stream>) -> Result<Value, String> {
    let mut buffer = Vec::new();
    while buffer.len() < MAX_ANSWER {
        if stream.read_buf(&mut buffer).await.map_err(|error| error.to_string())? == 0 {
            return Err("the other side hung up".to_owned());
        }
        // What comes back is small, so starting over with each piece costs nothing.
        match rmpv::decode::read_value_with_max_depth(&mut buffer.as_slice(), MAX_DEPTH) {
            Ok(value) => return Ok(value),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
            Err(_) => return Err("what came is no MessagePack".to_owned()),
        }
    }
    Err("the answer is too long".to_owned())
}
