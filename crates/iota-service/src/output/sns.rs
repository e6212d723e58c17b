//! Amazon SNS: one publication for each alert, with the alert's JSON as message.

#[cfg(test)]
mod tests;

use super::fifo::{deduplication_id, group_id, is_fifo};
use super::format::text::cut_chars;
use super::format::{Alert, Redaction, headline, json};
use super::{Message, Output, Purpose, Sent, one_by_one};
use crate::aws::{Access, Connection, Fault, Verdict, region_of_arn};
use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use iota_engine::json::Value;
use iota_engine::store::DeliveryAction;
use serde::Serialize;

/// Message and attributes together, in bytes (SNS quotas).
const LIMIT: usize = 262_144;
/// Characters of a subject: ASCII, without line ends (Publish, API reference).
const SUBJECT: usize = 100;

#[derive(Debug, Clone)]
pub(super) struct SnsConfig {
    pub(super) topic_arn: String,
    pub(super) redact: Redaction,
    pub(super) aws: Access,
}

#[derive(Debug)]
pub(super) struct Sns {
    topic_arn: String,
    redact: Redaction,
    connection: Connection<Client>,
}

/// What is published of a message.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Publication {
    subject: String,
    message: String,
    /// Name and text, for filter policies of subscriptions.
    attributes: Vec<(&'static str, String)>,
    /// Group and deduplication id.
    fifo: Option<(String, String)>,
}

impl Sns {
    /// The error says what is wrong with the configuration.
    pub(super) fn new(config: SnsConfig) -> Result<Self, String> {
        let region = region_of_arn(&config.topic_arn).filter(|_| config.topic_arn.split(':').nth(2) == Some("sns"));
        let Some(region) = region else {
            return Err(format!(
                "topic_arn: {:?} is not the ARN of a topic (arn:PARTITION:sns:REGION:ACCOUNT:NAME)",
                config.topic_arn
            ));
        };
        let connection = Connection::new(config.aws, Some(region), Client::new);
        Ok(Self { connection, redact: config.redact, topic_arn: config.topic_arn })
    }

    fn publication(&self, message: &Message, alert: &Alert<'_>) -> Publication {
        let subject = subject(alert);
        let attributes = attributes(alert);
        let taken: usize = attributes.iter().map(|(name, text)| name.len() + "String".len() + text.len()).sum();
        Publication {
            message: legal_json(alert, LIMIT - taken - subject.len()),
            subject,
            attributes,
            fifo: is_fifo(&self.topic_arn).then(|| (group_id(alert), deduplication_id(message))),
        }
    }

    async fn publish(&self, publication: Publication) -> Result<(), Fault> {
        let refuse = |why: String| Fault { verdict: Verdict::Refused, after: None, code: None, why };
        let client = self.connection.client().await?;
        let mut request = client.publish().topic_arn(&self.topic_arn).subject(publication.subject).message(publication.message);
        for (name, text) in publication.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
            request = request.message_attributes(name, value.map_err(|error| refuse(error.to_string()))?);
        }
        if let Some((group, deduplication)) = publication.fifo {
            request = request.message_group_id(group).message_deduplication_id(deduplication);
        }
        self.connection.answered("sns:Publish", request.send().await).await.map(drop).map_err(|mut fault| {
            // One code for a message that is too long and for a topic that cannot be.
            if fault.verdict == Verdict::Refused && fault.why.contains("TopicArn") {
                fault.verdict = Verdict::Closed;
            }
            fault
        })
    }
}

#[async_trait]
impl Output for Sns {
    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let send = async |message, alert| {
            let publication = self.publication(message, &alert);
            self.publish(publication).await.map_or_else(Sent::from, |()| Sent::Delivered)
        };
        one_by_one(messages, &self.redact, send).await
    }
}

fn subject(alert: &Alert<'_>) -> String {
    // Begins with punctuation, as it must with that, a letter or a digit.
    let text = format!("[{}] {}", alert.severity(), headline(alert));
    let ascii = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    cut_chars(text.chars().map(ascii).collect::<String>().trim_end(), SUBJECT)
}

fn attributes(alert: &Alert<'_>) -> Vec<(&'static str, String)> {
    let action = match alert.action {
        DeliveryAction::Create => "create",
        DeliveryAction::Update => "update",
        DeliveryAction::Acknowledge => "acknowledge",
        DeliveryAction::Resolve => "resolve",
    };
    let purpose = match alert.purpose {
        Purpose::Alert => "alert",
        Purpose::Test => "test",
        Purpose::Canary => "canary",
    };
    let field = |name: &'static str| (name, alert.text(name));
    [
        ("severity", alert.severity().as_str().into()),
        ("rule", alert.text("rule_id")),
        field("pack"),
        ("account", alert.text("account_id")),
        field("alert_id"),
        ("action", action.into()),
        ("purpose", purpose.into()),
    ]
    .into_iter()
    // An empty attribute is refused. Long names are cut: the whole has to fit.
    .filter(|(_, text)| !text.is_empty())
    .map(|(name, text)| (name, cut_chars(&text.replace(ILLEGAL, "?"), 256)))
    .collect()
}

/// What JSON holds and XML 1.0 does not, but for control characters, which JSON escapes itself. SQS and SNS replace or refuse
/// it.
const ILLEGAL: [char; 2] = ['\u{FFFE}', '\u{FFFF}'];

/// The alert as JSON of at most `limit` bytes that holds only characters that SQS and SNS keep: others are escapes.
pub(super) fn legal_json(alert: &Alert<'_>, limit: usize) -> String {
    let encode = |alert: &Value<'_>| {
        let text = json::to_string(alert);
        if text.contains(ILLEGAL) { text.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff") } else { text }
            .into_bytes()
    };
    String::from_utf8(alert.encoded(limit, encode)).unwrap_or_default()
}
