//! Deletes messages, as many with one request as come together.

use super::sqs::{Sqs, is_lost};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

/// What one request deletes at most.
const BATCH: usize = 10;
/// How long the first of a batch waits for others.
const TOGETHER: Duration = Duration::from_millis(20);
/// Attempts; after that the message is left to come again.
const ATTEMPTS: u32 = 5;
const FIRST: Duration = Duration::from_millis(200);

type Asked = (String, oneshot::Sender<bool>);

#[derive(Debug)]
pub(super) struct Deleter(mpsc::Sender<Asked>);

impl Deleter {
    /// Ends when it is dropped. To be called within the runtime.
    pub(super) fn start(sqs: Arc<Sqs>) -> Self {
        let (sender, receiver) = mpsc::channel(BATCH);
        tokio::spawn(run(sqs, receiver));
        Self(sender)
    }

    /// False when it could not be deleted.
    pub(super) async fn delete(&self, receipt: &str) -> bool {
        let (done, answer) = oneshot::channel();
        self.0.send((receipt.to_owned(), done)).await.is_ok() && answer.await.unwrap_or(false)
    }
}

async fn run(sqs: Arc<Sqs>, mut asked: mpsc::Receiver<Asked>) {
    while let Some(first) = asked.recv().await {
        let (mut batch, until) = (vec![first], Instant::now() + TOGETHER);
        while batch.len() < BATCH
            && let Ok(Some(next)) = timeout_at(until, asked.recv()).await
        {
            batch.push(next);
        }
        // The next batch does not wait for a retry of this one.
        let sqs = Arc::clone(&sqs);
        tokio::spawn(async move { delete(&sqs, batch).await });
    }
}

async fn delete(sqs: &Sqs, mut batch: Vec<Asked>) {
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            sleep(FIRST.saturating_mul(1 << attempt).mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        }
        let receipts: Vec<String> = batch.iter().map(|(receipt, _)| receipt.clone()).collect();
        let faults = match sqs.delete(&receipts).await {
            Ok(faults) => faults,
            Err(fault) => receipts.iter().map(|_| Some(fault.clone())).collect(),
        };
        let mut left = Vec::new();
        for ((receipt, done), fault) in batch.into_iter().zip(faults) {
            match fault {
                None => drop(done.send(true)),
                Some(fault) if is_lost(&fault) || attempt + 1 == ATTEMPTS => {
                    tracing::warn!("{}: a message is not deleted, and comes again: {}", sqs.url, fault.why);
                    let _ = done.send(false);
                }
                Some(_) => left.push((receipt, done)),
            }
        }
        if left.is_empty() {
            return;
        }
        batch = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::emulator::{Answer, Proxy, config};
    use serde_json::{Value as Json, json};
    use std::sync::Mutex;

    /// Asks to delete these at once, of a queue that answers as the script says: for the receipts of a request, and how many
    /// came before. Gives which are deleted, and what was asked for.
    async fn deleted(
        receipts: &[&str],
        script: impl Fn(&[String], usize) -> Json + Send + Sync + 'static,
    ) -> (Vec<bool>, Vec<Vec<String>>) {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let proxy = Proxy::start(move |asked| {
            assert_eq!(asked.operation, "DeleteMessageBatch");
            let body: Json = serde_json::from_slice(&asked.body).unwrap();
            let receipt = |entry: &Json| entry["ReceiptHandle"].as_str().unwrap().to_owned();
            let receipts: Vec<String> = body["Entries"].as_array().unwrap().iter().map(receipt).collect();
            let mut seen = seen.lock().unwrap();
            let answer = script(&receipts, seen.len());
            seen.push(receipts);
            let kind = ("content-type", "application/x-amz-json-1.0".to_owned());
            Answer::Instead(200, vec![kind], answer.to_string())
        })
        .await;
        let sqs = Sqs::ready(&format!("{}/123456789012/q", proxy.url), config(&proxy.url));
        let (batch, answers): (Vec<Asked>, Vec<_>) = receipts
            .iter()
            .map(|&receipt| {
                let (done, answer) = oneshot::channel();
                ((receipt.to_owned(), done), answer)
            })
            .unzip();
        delete(&sqs, batch).await;
        let mut outcomes = Vec::new();
        for answer in answers {
            outcomes.push(answer.await.unwrap());
        }
        let requests = requests.lock().unwrap().clone();
        (outcomes, requests)
    }

    fn failed(id: &str, code: &str) -> Json {
        json!({"Id": id, "Code": code, "SenderFault": false, "Message": "as told"})
    }

    /// Each is deleted, tried again or left by what is said of it, whatever becomes of the others.
    #[tokio::test]
    async fn an_answer_for_some_counts_for_those_alone() {
        let (deleted, requests) = deleted(&["done", "lost", "busy", "unnamed"], |_, before| match before {
            0 => json!({
                "Successful": [{"Id": "0"}, {"Id": "7"}, {"Id": "nobody"}],
                "Failed": [failed("1", "ReceiptHandleIsInvalid"), failed("2", "InternalError"), failed("8", "InternalError")],
            }),
            // Places are those of this request.
            1 => json!({"Successful": [{"Id": "1"}], "Failed": [failed("0", "InternalError")]}),
            _ => json!({"Successful": [{"Id": "0"}]}),
        })
        .await;
        assert_eq!(deleted, [true, false, true, true]);
        assert_eq!(requests, [vec!["done", "lost", "busy", "unnamed"], vec!["busy", "unnamed"], vec!["busy"]]);
    }

    #[tokio::test]
    async fn what_no_answer_names_is_not_taken_for_deleted() {
        let (deleted, requests) = deleted(&["named", "unnamed"], |receipts, _| {
            let named = receipts.iter().position(|receipt| receipt == "named");
            json!({"Successful": named.map(|place| json!({"Id": place.to_string()})).into_iter().collect::<Vec<_>>()})
        })
        .await;
        assert_eq!((deleted, requests.len()), (vec![true, false], ATTEMPTS as usize));
    }
}
