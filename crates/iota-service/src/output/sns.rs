//! Amazon SNS: one publication for each alert, with the alert's JSON as message.

#[cfg(test)]
mod tests;

use super::fifo::{deduplication_id, group_id, is_fifo};
use super::fit::fit_encoded;
use super::view::{View, shorten};
use super::{Message, Output, Purpose, Sent};
use crate::aws::{Access, Connection, Fault, Verdict, fault_of, region_of_arn};
use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use iota_engine::store::DeliveryAction;
use serde::{Deserialize, Serialize};

/// Message and attributes together, in bytes (SNS quotas).
const LIMIT: usize = 262_144;
/// Characters of a subject: ASCII, without line ends (Publish, API reference).
const SUBJECT: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnsConfig {
    pub topic_arn: String,
    #[serde(default)]
    pub aws: Access,
}

#[derive(Debug)]
pub struct Sns {
    topic_arn: String,
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
    pub fn new(config: SnsConfig) -> Result<Self, String> {
        let region = region_of_arn(&config.topic_arn).filter(|_| config.topic_arn.split(':').nth(2) == Some("sns"));
        let Some(region) = region else {
            return Err(format!("topic_arn: {:?} is not the ARN of a topic (arn:PARTITION:sns:REGION:ACCOUNT:NAME)", config.topic_arn));
        };
        let connection = Connection::new(config.aws, Some(region), Client::new);
        Ok(Self { connection, topic_arn: config.topic_arn.clone() })
    }

    fn publication(&self, message: &Message) -> Result<Publication, String> {
        let view = View::of(&message.json)?;
        let subject = subject(&view, message.purpose);
        let attributes = attributes(&view, message);
        let taken: usize = attributes.iter().map(|(name, text)| name.len() + "String".len() + text.len()).sum();
        let body = fit_encoded(&message.json, LIMIT - taken - subject.len(), legal);
        Ok(Publication {
            subject,
            message: String::from_utf8_lossy(&body).into_owned(),
            attributes,
            fifo: is_fifo(&self.topic_arn).then(|| (group_id(&view), deduplication_id(message))),
        })
    }

    async fn publish(&self, message: &Message) -> Result<(), Fault> {
        let refuse = |why: String| Fault { verdict: Verdict::Refused, after: None, code: None, why };
        let publication = self.publication(message).map_err(refuse)?;
        let client = self.connection.client().await?;
        let mut request = client.publish().topic_arn(&self.topic_arn).subject(publication.subject).message(publication.message);
        for (name, text) in publication.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
            request = request.message_attributes(name, value.map_err(|error| refuse(error.to_string()))?);
        }
        if let Some((group, deduplication)) = publication.fifo {
            request = request.message_group_id(group).message_deduplication_id(deduplication);
        }
        request.send().await.map(|_| ()).map_err(|error| {
            let mut fault = fault_of("sns:Publish", &error);
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
        let mut sent = Vec::with_capacity(messages.len());
        for message in messages {
            sent.push(self.publish(message).await.map_or_else(Sent::from, |()| Sent::Delivered));
        }
        sent
    }
}

fn subject(view: &View<'_>, purpose: Purpose) -> String {
    let mark = match purpose {
        Purpose::Alert => "",
        Purpose::Test => "TEST ",
        Purpose::Canary => "CANARY ",
    };
    let text = format!("[{mark}{}] {}", view.severity, view.title);
    // Begins with punctuation, as it must with that, a letter or a digit.
    let ascii = |character: char| match character {
        ' '..='~' => character,
        _ if character.is_whitespace() || character.is_control() => ' ',
        _ => '?',
    };
    shorten(text.chars().map(ascii).collect::<String>().trim_end(), SUBJECT)
}

fn attributes(view: &View<'_>, message: &Message) -> Vec<(&'static str, String)> {
    let action = match message.action {
        DeliveryAction::Create => "create",
        DeliveryAction::Update => "update",
        DeliveryAction::Acknowledge => "acknowledge",
        DeliveryAction::Resolve => "resolve",
    };
    let purpose = match message.purpose {
        Purpose::Alert => "alert",
        Purpose::Test => "test",
        Purpose::Canary => "canary",
    };
    [
        ("severity", view.severity.as_str()),
        ("rule", &view.rule_id),
        ("pack", &view.pack),
        ("account", view.account_id.as_deref().unwrap_or_default()),
        ("alert_id", &view.alert_id),
        ("action", action),
        ("purpose", purpose),
    ]
    .into_iter()
    // An empty attribute is refused. Long names are cut: the whole has to fit.
    .filter(|(_, text)| !text.is_empty())
    .map(|(name, text)| (name, shorten(&String::from_utf8_lossy(&legal(text.as_bytes())), 256)))
    .collect()
}

/// JSON that holds only characters that SQS and SNS keep: what XML 1.0 does not allow and JSON does (U+FFFE and U+FFFF; JSON
/// escapes control characters itself) is written as an escape. SQS replaces or refuses such characters otherwise.
pub(super) fn legal(json: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(json);
    if text.contains(['\u{FFFE}', '\u{FFFF}']) {
        text.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff").into_bytes()
    } else {
        text.into_owned().into_bytes()
    }
}
