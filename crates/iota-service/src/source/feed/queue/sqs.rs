//! The calls to a queue of Amazon SQS, each once: whoever calls decides about another attempt.

use crate::aws::{Access, Connection, Fault, Verdict, region_of_queue, verdict_of};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName as Attribute, QueueAttributeName,
};
use std::time::Duration;

/// How long a request waits for a message; the most that SQS allows.
const WAIT_SECONDS: i32 = 20;

#[derive(Debug)]
pub(super) struct Sqs {
    pub(super) url: String,
    connection: Connection<Client>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    /// Names this receipt: the message once more received has another one.
    pub(super) receipt: String,
    /// How often it was received, this time included.
    pub(super) received: u32,
    /// In milliseconds since 1970.
    pub(super) sent_ms: Option<i64>,
}

/// What a queue says of itself; numbers of messages are approximate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) visible: u64,
    /// Received by somebody and not yet deleted.
    pub(super) in_flight: u64,
    /// After so many a message is moved to the dead letters, where there are some.
    pub(super) receipts: Option<u32>,
}

impl Sqs {
    pub(super) fn new(url: &str, access: Access) -> Self {
        Self { url: url.to_owned(), connection: Connection::new(access, region_of_queue(url), Client::new) }
    }

    /// With a configuration that is there already.
    #[cfg(test)]
    pub(super) fn ready(url: &str, config: aws_config::SdkConfig) -> Self {
        Self { url: url.to_owned(), connection: Connection::ready(config, Client::new) }
    }

    /// Up to `most` messages (10 at most), hidden from others for so long. Waits for the first one.
    pub(super) async fn receive(&self, most: usize, hidden: Duration) -> Result<Vec<Message>, Fault> {
        let request = self.connection.client().await?.receive_message().queue_url(&self.url);
        let request = request
            .max_number_of_messages(i32::try_from(most.clamp(1, 10)).unwrap_or(10))
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(seconds(hidden))
            .message_system_attribute_names(Attribute::ApproximateReceiveCount)
            .message_system_attribute_names(Attribute::SentTimestamp);
        let answer = self.connection.answered("sqs:ReceiveMessage", request.send().await).await?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let number = |name: &Attribute| message.attributes.as_ref()?.get(name)?.parse::<i64>().ok();
            let received = number(&Attribute::ApproximateReceiveCount).and_then(|count| count.try_into().ok());
            let sent_ms = number(&Attribute::SentTimestamp);
            Some(Message {
                id: message.message_id.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
                receipt: message.receipt_handle?,
                received: received.unwrap_or(1),
                sent_ms,
            })
        };
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    /// Hides a message for so long from now on; with nothing others get it at once.
    pub(super) async fn hide(&self, receipt: &str, hidden: Duration) -> Result<(), Fault> {
        let request = self.connection.client().await?.change_message_visibility().queue_url(&self.url);
        let request = request.receipt_handle(receipt).visibility_timeout(seconds(hidden));
        self.connection.answered("sqs:ChangeMessageVisibility", request.send().await).await?;
        Ok(())
    }

    /// Deletes up to 10; gives why those that were not deleted were not, by their places.
    pub(super) async fn delete(&self, receipts: &[String]) -> Result<Vec<Option<Fault>>, Fault> {
        let mut request = self.connection.client().await?.delete_message_batch().queue_url(&self.url);
        for (place, receipt) in receipts.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(receipt).build();
            request = request.entries(entry.map_err(|error| unanswered(&error.to_string()))?);
        }
        let answer = self.connection.answered("sqs:DeleteMessage", request.send().await).await?;
        let mut faults: Vec<Option<Fault>> = receipts.iter().map(|_| Some(unanswered("no answer for a message"))).collect();
        for done in &answer.successful {
            if let Some(fault) = done.id.parse::<usize>().ok().and_then(|place| faults.get_mut(place)) {
                *fault = None;
            }
        }
        for failed in &answer.failed {
            if let Some(fault) = failed.id.parse::<usize>().ok().and_then(|place| faults.get_mut(place)) {
                *fault = Some(fault_of_entry(failed));
            }
        }
        Ok(faults)
    }

    /// Needs sqs:GetQueueAttributes.
    pub(super) async fn look(&self) -> Result<Look, Fault> {
        let (visible, in_flight) =
            (QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        let request = self.connection.client().await?.get_queue_attributes().queue_url(&self.url);
        let redrive = QueueAttributeName::RedrivePolicy;
        let request =
            request.attribute_names(visible.clone()).attribute_names(in_flight.clone()).attribute_names(redrive.clone());
        let answer = self.connection.answered("sqs:GetQueueAttributes", request.send().await).await?;
        let attributes = answer.attributes.unwrap_or_default();
        let number = |name: &QueueAttributeName| attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or_default();
        let receipts = attributes.get(&redrive).and_then(|policy| max_receive_count(policy));
        Ok(Look { visible: number(&visible), in_flight: number(&in_flight), receipts })
    }
}

/// Of a redrive policy, where it is a number or the text of one.
pub(crate) fn max_receive_count(policy: &str) -> Option<u32> {
    match &serde_json::from_str::<serde_json::Value>(policy).ok()?["maxReceiveCount"] {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_u64()?.try_into().ok(),
    }
}

/// The receipt is not valid any more: the message is visible again, or gone.
pub(super) fn is_lost(fault: &Fault) -> bool {
    let code = fault.code.as_deref().unwrap_or_default();
    ["ReceiptHandle", "MessageNotInflight", "InvalidParameterValue", "InvalidIdFormat"].iter().any(|known| code.contains(known))
}

fn fault_of_entry(entry: &BatchResultErrorEntry) -> Fault {
    let message = entry.message.as_deref().unwrap_or_default();
    Fault {
        verdict: verdict_of(&entry.code).unwrap_or(Verdict::Retry),
        after: None,
        code: Some(entry.code.clone()),
        why: format!("sqs:DeleteMessage: {}: {}", entry.code, iota_engine::text::printable(message)),
    }
}

fn unanswered(why: &str) -> Fault {
    Fault { verdict: Verdict::Retry, after: None, code: None, why: format!("sqs:DeleteMessage: {why}") }
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
