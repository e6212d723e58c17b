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
