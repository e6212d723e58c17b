//! The audit log: one item for each record, under its number.
//!
//! A record is put on condition that its number is free, after the last one was read. So of two processes one is first,
//! and the other chains to it: there are no gaps, and no two records that follow the same one.

use super::DynamoDb;
use super::item::{Item, Key, Read, item, text};
use super::query::Query;
use super::table::pause;
use super::trouble::{Trouble, Work};
use super::write::{AT_ONCE, Write};
use iota_engine::store::{AuditEntry, AuditRecord};
use std::future::Future;

/// Attempts while others append or change the same items.
const TRIES: u32 = 12;

impl DynamoDb {
    /// Makes changes, at most one less than a transaction takes, together with their record. `changes` says what is to be
    /// done as things are; `None` is nothing, and then nothing is recorded. Returns whether it was done.
    pub(super) async fn with_record<F>(&self, entry: &AuditEntry, changes: impl Fn() -> F) -> Work<bool>
    where
        F: Future<Output = Work<Option<Vec<Write>>>>,
    {
        for failures in 0..TRIES {
            let Some(mut writes) = changes().await? else { return Ok(false) };
            let (number, hash) = self.last_record().await?;
            let record = AuditRecord::after((number, &hash), entry.clone());
            writes.push(self.put_record(&record).await?);
            if self.put(&writes, &record).await? {
                return Ok(true);
            }
            pause(failures).await;
        }
        Err(Trouble::Changed)
    }

    /// As many at once as a transaction takes. Each part stands on its own: whoever reads the log finds what is missing.
    pub(super) async fn append_after(&self, last: u64, entries: &[AuditEntry]) -> Work<bool> {
        let (number, hash) = self.last_record().await?;
        if number != last {
            return Ok(false);
        }
        let mut before = (number, hash);
        for some in entries.chunks(AT_ONCE) {
            let (mut records, mut writes) = (Vec::new(), Vec::new());
            for entry in some {
                let record = AuditRecord::after((before.0, &before.1), entry.clone());
                writes.push(self.put_record(&record).await?);
                before = (record.number, record.hash.clone());
                records.push(record);
            }
            if let Some(first) = records.first()
                && !self.put(&writes, first).await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes changes, one of which puts this record. False when something is not as it was read.
    async fn put(&self, writes: &[Write], record: &AuditRecord) -> Work<bool> {
        match self.table.write_all(writes).await {
            Ok(()) => Ok(true),
            // By an attempt whose answer was lost.
            Err(Trouble::Changed) => self.is_recorded(record).await,
            Err(error) => Err(error),
        }
    }

    /// Number and hash of the last record; 0 and nothing in an empty log.
    async fn last_record(&self) -> Work<(u64, String)> {
        let last = self.records(Some(1)).await?.pop();
        Ok(last.map_or_else(Default::default, |record| (record.number, record.hash)))
    }

    async fn put_record(&self, record: &AuditRecord) -> Work<Write> {
        let key = Key::audit(record.number);
        let entry = self.table.keep(&key, record.entry.to_json().as_bytes(), None).await?;
        let attributes = item([("entry", entry), ("previous", text(&record.previous)), ("hash", text(&record.hash))]);
        Ok(Write::put(key, attributes).when_new())
    }

    async fn is_recorded(&self, record: &AuditRecord) -> Work<bool> {
        let found = self.table.get(&Key::audit(record.number)).await?;
        Ok(found.is_some_and(|item| item.text_if_any("hash") == Some(record.hash.as_str())))
    }

    /// The newest so many, oldest first.
    pub(super) async fn records(&self, newest: Option<usize>) -> Work<Vec<AuditRecord>> {
        let query = Query::under(&Key::audit(0).pk, "").backward().limit(newest);
        let mut records = Vec::new();
        for item in self.table.query(&query).await?.iter().rev() {
            records.push(self.record_of(item).await?);
        }
        Ok(records)
    }

    async fn record_of(&self, item: &Item) -> Work<AuditRecord> {
        let key = Key::of(item)?;
        Ok(AuditRecord {
            number: key.sk.parse().map_err(|_| item.lacks(super::item::SK))?,
            entry: serde_json::from_slice(&self.table.body(item, "entry").await?)?,
            previous: item.text("previous")?,
            hash: item.text("hash")?,
        })
    }
}
