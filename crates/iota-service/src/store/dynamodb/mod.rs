//! State in a DynamoDB table, which several processes may share.
//!
//! What is kept and what must hold is said in `iota_engine::store`; what is in the items, and why a commit is safe, in
//! docs/ARCHITECTURE.md.

mod alert;
mod audit;
mod body;
mod cells;
mod desk;
mod group;
mod item;
mod ledger;
mod outbox;
mod pairs;
mod query;
mod recent;
mod retain;
mod rule_state;
mod schema;
mod table;
#[cfg(test)]
mod tests;
mod trouble;
mod write;

use crate::aws::Access;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use iota_engine::store::{Result, StoreError};
use item::{Key, Read, item, rule_name, text};
use query::Query;
use recent::Recent;
use schema::For;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use table::{TRIES, Table, each};
use tokio::runtime::{Builder, Runtime};
use trouble::Work;
use write::Write;

/// To an answer, everything included. DynamoDB answers in milliseconds.
const ANSWER: Duration = Duration::from_secs(10);

/// The table. Calls block until DynamoDB has answered; they may come from any thread that may block.
pub struct DynamoDb {
    table: Table,
    recent: Recent,
    /// What is known to be noted in the table.
    noted: Mutex<BTreeSet<Target>>,
    /// Always there but while this is dropped.
    runtime: Option<Runtime>,
}

/// An output, and a rule whose alerts it is told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    output: String,
    pack: String,
    rule: String,
}

impl Target {
    fn of(output: &str, pack: &str, rule: &str) -> Self {
        Self { output: output.to_owned(), pack: pack.to_owned(), rule: rule.to_owned() }
    }
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        // It may be the last one to hold it is a task of another runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl DynamoDb {
    /// Opens the state for a process that takes input; others may, too. Region and credentials are those that the SDK
    /// finds.
    pub fn open(table: &str) -> Result<Self> {
        Self::connect(table, For::Input)
    }

    /// Opens state that is there, to look and to change what people may change.
    pub fn open_beside(table: &str) -> Result<Self> {
        Self::connect(table, For::Desk)
    }

    fn connect(table: &str, who: For) -> Result<Self> {
        let runtime = runtime(table)?;
        let access = Access { timeout: Some(ANSWER), ..Access::default() };
        let config = runtime.block_on(access.connect(None));
        let config = config.map_err(|error| trouble::Trouble::Refused(error.to_string()).into_error(table))?;
        Self::with(runtime, &config, table, who)
    }

    fn with(runtime: Runtime, config: &SdkConfig, name: &str, who: For) -> Result<Self> {
        let table = Table { client: Client::new(config), name: name.to_owned(), tries: TRIES };
        let store = Self { table, recent: Recent::default(), noted: Mutex::default(), runtime: Some(runtime) };
        store.wait(store.check(who))?;
        Ok(store)
    }

    /// Blocks until the work is done.
    fn wait<T>(&self, work: impl Future<Output = Work<T>>) -> Result<T> {
        let done = match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(trouble::Trouble::Refused("it was closed".to_owned())),
        };
        done.map_err(|trouble| trouble.into_error(&self.table.name))
    }

    /// Notes who is told of what: outputs and rules are found by it.
    async fn note_targets(&self, targets: &BTreeSet<Target>) -> Work<()> {
        let new: Vec<&Target> = {
            let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            targets.iter().filter(|target| !noted.contains(target)).collect()
        };
        let note = |target: &Target| {
            let Target { output, pack, rule } = target;
            let key = Key::told(output, &rule_name(pack, rule));
            let write = Write::put(key, item([("output", text(output)), ("pack", text(pack)), ("rule", text(rule))]));
            async move { self.table.write(&write).await }
        };
        each(new.iter().copied(), note).await?;
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).extend(new.into_iter().cloned());
        Ok(())
    }

    async fn targets(&self) -> Work<BTreeSet<Target>> {
        let items = self.table.query(&Query::under("told", "")).await?;
        let target =
            |item: &item::Item| Ok(Target { output: item.text("output")?, pack: item.text("pack")?, rule: item.text("rule")? });
        items.iter().map(target).collect()
    }

    async fn outputs(&self) -> Work<BTreeSet<String>> {
        Ok(self.targets().await?.into_iter().map(|target| target.output).collect())
    }
}

fn runtime(table: &str) -> Result<Runtime> {
    // One thread, for connections and timers; the work itself is done by whoever calls.
    let built = Builder::new_multi_thread().worker_threads(1).thread_name("dynamodb").enable_all().build();
    built.map_err(|error| StoreError::Broken { what: format!("DynamoDB table {table}"), why: error.to_string() })
}
