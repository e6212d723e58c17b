//! Amazon S3: one object for each batch of alerts, under keys that query engines take for partitions by the hour.

#[cfg(test)]
mod tests;

use super::format::{Alert, Format, Redaction};
use super::{Message, Output, Sent};
use crate::aws::{Access, Connection, Fault, Verdict};
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use flate2::Compression;
use flate2::write::GzEncoder;
use iota_engine::digest::{digest, hex};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::io::Write;

/// Alerts of an object at most. Most of the time an object holds few: whatever is due together.
const ALERTS: usize = 500;

#[derive(Debug, Clone)]
pub(super) struct S3Config {
    pub(super) bucket: String,
    /// What keys begin with, `alerts/` for example.
    pub(super) prefix: String,
    pub(super) format: Format,
    pub(super) redact: Redaction,
    pub(super) gzip: bool,
    /// Id, ARN or alias of a key of KMS. Without it the bucket's own default holds.
    pub(super) kms_key_id: Option<String>,
    /// The bucket's name in the path of the URL instead of in the host name, for servers that are not AWS.
    pub(super) path_style: bool,
    pub(super) aws: Access,
}

#[derive(Debug)]
pub(super) struct S3 {
    config: S3Config,
    connection: Connection<Client>,
}

/// What is put of some messages of one hour.
#[derive(Debug, Default)]
struct Object {
    lines: Vec<u8>,
    /// Their places in the batch.
    places: Vec<usize>,
}

impl S3 {
    /// The error says what is wrong with the configuration.
    pub(super) fn new(config: S3Config) -> Result<Self, String> {
        if config.bucket.is_empty() || config.bucket.contains('/') {
            return Err(format!("bucket: {:?} is not the name of a bucket; keys begin with `prefix`", config.bucket));
        }
        if config.prefix.starts_with('/') || config.prefix.len() > 700 {
            return Err("prefix: must not begin with `/`, and is at most 700 bytes long".to_owned());
        }
        let make = if config.path_style { path_style } else { Client::new };
        Ok(Self { connection: Connection::new(config.aws.clone(), None, make), config })
    }

    /// The hour and the line of an alert.
    fn line(&self, message: &Message) -> Result<(String, Vec<u8>), String> {
        let alert = Alert::of(message, &self.config.redact)?;
        Ok((partition(&alert)?, self.config.format.render(&alert, usize::MAX)))
    }

    /// By the hour in which the alerts were created. What has no line has its outcome at once.
    fn objects(&self, messages: &[Message], sent: &mut [Sent]) -> BTreeMap<String, Object> {
        let mut objects: BTreeMap<String, Object> = BTreeMap::new();
        for (place, message) in messages.iter().enumerate() {
            match self.line(message) {
                Ok((hour, line)) => {
                    let object = objects.entry(hour).or_default();
                    object.lines.extend_from_slice(&line);
                    object.lines.push(b'\n');
                    object.places.push(place);
                }
                Err(why) => sent[place] = Sent::Refused { why },
            }
        }
        objects
    }

    fn key(&self, hour: &str, messages: &[Message], places: &[usize]) -> String {
        let end = if self.config.gzip { ".jsonl.gz" } else { ".jsonl" };
        format!("{}{hour}{}{end}", self.config.prefix, name(places.iter().map(|place| &messages[*place])))
    }

    async fn put(&self, key: &str, lines: Vec<u8>) -> Result<(), Fault> {
        let (body, kind) = if self.config.gzip { (gzip(&lines)?, "application/gzip") } else { (lines, "application/x-ndjson") };
        let client = self.connection.client().await?;
        let mut request =
            client.put_object().bucket(&self.config.bucket).key(key).content_type(kind).body(ByteStream::from(body));
        if let Some(id) = &self.config.kms_key_id {
            request = request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(id);
        }
        self.connection.answered("s3:PutObject", request.send().await).await.map(drop)
    }
}

#[async_trait]
impl Output for S3 {
    fn batch(&self) -> usize {
        ALERTS
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let mut sent = vec![Sent::Delivered; messages.len()];
        for (hour, object) in self.objects(messages, &mut sent) {
            let key = self.key(&hour, messages, &object.places);
            if let Err(fault) = self.put(&key, object.lines).await {
                let outcome = Sent::from(fault);
                object.places.iter().for_each(|place| sent[*place] = outcome.clone());
            }
        }
        sent
    }
}

fn path_style(config: &aws_config::SdkConfig) -> Client {
    Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

/// `year=2026/month=01/day=31/hour=05/`, UTC.
fn partition(alert: &Alert<'_>) -> Result<String, String> {
    let detected = alert.text("detected_at");
    let time: Timestamp = detected.parse().map_err(|_| format!("detected_at {detected:?} is no time"))?;
    Ok(time.to_zoned(TimeZone::UTC).strftime("year=%Y/month=%m/day=%d/hour=%H/").to_string())
}

/// A function of the deliveries, so that the same ones sent again replace the object instead of adding one.
fn name<'a>(messages: impl Iterator<Item = &'a Message>) -> String {
    let mut ids: Vec<_> = messages.map(|message| (&message.id.alert_id, &message.id.output, message.id.revision)).collect();
    ids.sort_unstable();
    let parts: Vec<_> = ids.iter().map(|(alert, output, revision)| format!("{alert} {output} {revision}")).collect();
    hex(&digest("iota-object-v1", parts.iter().map(String::as_bytes)))
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    // Without a time in it: the same lines are the same bytes.
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.map_err(|why| Fault { verdict: Verdict::Retry, after: None, code: None, why: format!("gzip: {why}") })
}
