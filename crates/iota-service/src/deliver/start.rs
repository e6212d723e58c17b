//! Runs the delivery loop beside the threads of the pipeline.

use super::{Deliverer, Drained, Mode};
use iota_engine::store::StoreError;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::watch;

#[derive(Debug, Error)]
pub enum StartError {
    #[error("starting deliveries: {0}")]
    Runtime(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A delivery loop under way in a thread of its own.
#[derive(Debug)]
pub struct Deliveries {
    mode: watch::Sender<Mode>,
    clock: Arc<dyn super::Clock>,
    thread: JoinHandle<Result<Drained, StoreError>>,
}

impl Deliveries {
    pub fn start(deliverer: Deliverer) -> Result<Self, StartError> {
        let runtime: Runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (mode, receiver) = watch::channel(Mode::Go);
        let clock = Arc::clone(&deliverer.clock);
        let thread =
            thread::Builder::new().name("deliver".to_owned()).spawn(move || runtime.block_on(deliverer.run(receiver)))?;
        Ok(Self { mode, clock, thread })
    }

    /// Sends what is pending and ends: when all is delivered or dead, when only retries in the far future are left, or when
    /// the time is over.
    pub fn drain(self, within: Option<Duration>) -> Result<Drained, StoreError> {
        let within_ms = within.map(|within| i64::try_from(within.as_millis()).unwrap_or(i64::MAX));
        let deadline_ms = within_ms.map(|within_ms| self.clock.now_ms().saturating_add(within_ms));
        self.mode.send_replace(Mode::Drain { deadline_ms });
        self.thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}
