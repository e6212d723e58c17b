//! What is asked of DynamoDB: reads, lists, writes of many items; each tried again for a while where that can help.
//! Knows nothing of what is in the items.

use super::item::{Item, Key, Read, TTL};
use super::query::Query;
use super::trouble::{Trouble, Work};
use crate::aws::fault_of;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{KeysAndAttributes, PutRequest, Select, WriteRequest};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;
use tokio::time::sleep;

/// Attempts at one request, and the wait after the first; it doubles up to the longest. About 5 s in all: whoever asks
/// tries again after that, and says so.
pub(super) const TRIES: u32 = 8;
const WAIT: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(2);
/// Requests at once.
const CONCURRENCY: usize = 16;
/// Most items of one request.
const GET: usize = 100;
const PUT: usize = 25;

/// Wall clock, in milliseconds since the Unix epoch: DynamoDB deletes by it.
pub(super) fn wall_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
    /// Attempts at one request.
    pub(super) tries: u32,
}

/// What DynamoDB may delete it has not always deleted.
pub(super) fn is_live(item: &Item) -> bool {
    item.number_if_any(TTL).ok().flatten().is_none_or(|ttl| ttl > wall_ms() / 1000)
}

/// So long after so many failures in a row, with jitter: those that wait for the same thing should not all come back at
/// once.
pub(super) async fn pause(failures: u32) {
    let wait = WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST);
    sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
}

/// Does the same with each, some at a time; the results are in the order of what was given.
pub(super) async fn each<T, R, F: Future<Output = Work<R>>>(
    items: impl IntoIterator<Item = T>,
    work: impl FnMut(T) -> F,
) -> Work<Vec<R>> {
    stream::iter(items).map(work).buffered(CONCURRENCY).try_collect().await
}

impl Table {
    /// Tries a request until it succeeds, fails for good, or has failed too often. `known` says what an error means where
    /// that is not in its code.
    pub(super) async fn again<T, E, F>(
        &self,
        what: &str,
        call: impl Fn() -> F,
        known: impl Fn(&SdkError<E, HttpResponse>) -> Option<Trouble>,
    ) -> Work<T>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut failures = 0;
        loop {
            let error = match call().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let trouble = known(&error).unwrap_or_else(|| fault_of(what, &error).into());
            failures += 1;
            if !matches!(trouble, Trouble::Busy(_)) || failures >= self.tries {
                return Err(trouble);
            }
            tracing::debug!("{trouble}; trying again");
            pause(failures - 1).await;
        }
    }

    /// The item as it is now, unless it is past its time.
    pub(super) async fn get(&self, key: &Key) -> Work<Option<Item>> {
        Ok(self.get_all([key.clone()]).await?.remove(key))
    }

    /// Those that there are.
    pub(super) async fn get_all(&self, keys: impl IntoIterator<Item = Key>) -> Work<HashMap<Key, Item>> {
        let mut found = self.get_all_with_old(keys).await?;
        found.retain(|_, item| is_live(item));
        Ok(found)
    }

    /// Also those that are past their time and not yet deleted. The keys must differ.
    pub(super) async fn get_all_with_old(&self, keys: impl IntoIterator<Item = Key>) -> Work<HashMap<Key, Item>> {
        let keys: Vec<Key> = keys.into_iter().collect();
        let found = each(keys.chunks(GET), |keys| self.get_some(keys)).await?;
        found.into_iter().flatten().map(|item| Ok((Key::of(&item)?, item))).collect()
    }

    async fn get_some(&self, keys: &[Key]) -> Work<Vec<Item>> {
        let (mut left, mut found, mut rounds) = (keys.iter().map(Key::item).collect::<Vec<_>>(), Vec::new(), 0);
        while !left.is_empty() {
            let asked = KeysAndAttributes::builder().set_keys(Some(left.clone())).consistent_read(true).build();
            let asked = asked.map_err(|error| Trouble::Refused(error.to_string()))?;
            let get = || self.client.batch_get_item().request_items(&self.name, asked.clone()).send();
            let answer = self.again("dynamodb:BatchGetItem", get, |_| None).await?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let unanswered = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|keys| keys.keys).collect();
            left = self.rest(left.len(), unanswered, &mut rounds).await?;
        }
        Ok(found)
    }

    /// Puts items in the place of what is there. The keys must differ.
    pub(super) async fn put_all(&self, items: Vec<Item>) -> Work<()> {
        each(items.chunks(PUT), |items| self.put_some(items)).await.map(drop)
    }

    async fn put_some(&self, items: &[Item]) -> Work<()> {
        let request = |item: &Item| {
            let put = PutRequest::builder().set_item(Some(item.clone())).build();
            Ok(WriteRequest::builder().put_request(put.map_err(|error| Trouble::Refused(error.to_string()))?).build())
        };
        let (mut left, mut rounds) = (items.iter().map(request).collect::<Work<Vec<_>>>()?, 0);
        while !left.is_empty() {
            let put = || self.client.batch_write_item().request_items(&self.name, left.clone()).send();
            let answer = self.again("dynamodb:BatchWriteItem", put, |_| None).await?;
            let unanswered = answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            left = self.rest(left.len(), unanswered, &mut rounds).await?;
        }
        Ok(())
    }

    /// What DynamoDB did not get to, for the next round; as long as there is progress, or patience.
    async fn rest<T>(&self, asked: usize, left: Vec<T>, rounds: &mut u32) -> Work<Vec<T>> {
        if !left.is_empty() {
            *rounds = if left.len() < asked { 0 } else { *rounds + 1 };
            if *rounds >= self.tries {
                return Err(Trouble::Busy("the table is throttled".to_owned()));
            }
            pause(*rounds).await;
        }
        Ok(left)
    }

    /// All items that a query finds, or as many as it asks for, without those that are past their time.
    pub(super) async fn query(&self, query: &Query) -> Work<Vec<Item>> {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let (items, next) = self.page(query, from).await?;
            found.extend(items);
            if next.is_none() || query.limit.is_some_and(|limit| found.len() >= limit) {
                found.truncate(query.limit.unwrap_or(usize::MAX));
                return Ok(found);
            }
            from = next;
        }
    }

    /// Some of the items, and where the next ones begin.
    pub(super) async fn page(&self, query: &Query, from: Option<Item>) -> Work<(Vec<Item>, Option<Item>)> {
        let ask = || query.of(self, from.clone()).send();
        let answer = self.again("dynamodb:Query", ask, |_| None).await?;
        let items = answer.items.unwrap_or_default().into_iter().filter(is_live).collect();
        Ok((items, answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// How many items a query finds, also those that are past their time.
    pub(super) async fn count(&self, query: &Query) -> Work<u64> {
        let (mut count, mut from) = (0, None);
        loop {
            let ask = || query.of(self, from.clone()).select(Select::Count).send();
            let answer = self.again("dynamodb:Query", ask, |_| None).await?;
            count += u64::try_from(answer.count).unwrap_or(0);
            from = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(count);
            }
        }
    }
}
