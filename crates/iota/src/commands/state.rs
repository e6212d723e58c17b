//! The state of a run, and what leaves through its outbox.

use crate::args::{AlertFormat, EmitWhen, RunArgs};
use crate::exit::is_broken_pipe;
use crate::printer::Printer;
use anyhow::bail;
use iota_engine::store::{LATENESS_MS, Ledger, Outbox, Settled, Store};
use iota_engine::triage::{RouteEntry, Routes, Triage};
use iota_service::config::Settings;
use iota_service::crash_point;
use iota_service::pipeline::{AlertSink, Clock, Durable};
use iota_service::store::Sqlite;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The output that alerts go to unless others are asked for.
const STDOUT: &str = "stdout";
/// Deliveries taken at once.
const LEASE: usize = 100;
/// How long they are this process's alone, in milliseconds.
const LEASE_MS: i64 = 60_000;
/// How long to wait for more.
const IDLE: Duration = Duration::from_millis(50);

/// What does not go together is refused before anything is done.
pub(super) fn check_flags(args: &RunArgs, settings: &Settings, now_ms: Option<i64>) -> anyhow::Result<()> {
    if settings.state.value.is_none() {
        if args.deliver {
            bail!("--deliver needs `--state DIR`: what is to be delivered has to be kept until it is");
        }
        return Ok(());
    }
    if args.emit == Some(EmitWhen::Final) {
        bail!("--emit final does not go with --state: there an alert leaves when it is created");
    }
    if args.format != AlertFormat::Jsonl {
        bail!("--format does not go with --state: there every alert is one line of JSON");
    }
    if now_ms.is_some_and(|now_ms| now_ms > Clock::System.now_ms()) {
        bail!("--now in the future does not go with --state: alerts would wait until then");
    }
    Ok(())
}

/// State that is kept.
pub(super) struct Kept {
    store: Arc<dyn Store>,
    durable: Durable,
}

impl Kept {
    pub(super) fn open(directory: &Path, updates: bool, clock: Clock) -> anyhow::Result<Self> {
        let store = Arc::new(Sqlite::open(directory)?);
        store.retain(clock.now_ms())?;
        let triage = Triage { routes: to_stdout(updates), ..Triage::default() };
        let ledger: Arc<dyn Ledger> = Arc::<Sqlite>::clone(&store);
        Ok(Self { store, durable: Durable::new(ledger, Arc::new(triage), None) })
    }

    /// For input as it arrives.
    pub(super) fn live(mut self, no_send_before_ms: Option<i64>) -> Self {
        self.durable.lateness_ms = Some(LATENESS_MS);
        self.durable.no_send_before_ms = no_send_before_ms;
        self
    }

    pub(super) fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.durable.ledger)
    }

    pub(super) fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Delivers alerts, also of earlier runs, while the work goes on, and then what is left. Returns how many alerts are
    /// left all the same.
    /// `ended` is called when no more is delivered, which is before the work is done when nobody reads the alerts.
    pub(super) fn delivering<T: Send>(
        &self,
        printer: &mut Printer,
        work: impl FnOnce() -> T + Send,
        ended: impl FnOnce(),
    ) -> (T, anyhow::Result<u64>) {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let result = work();
                done.store(true, Ordering::Release);
                result
            });
            let delivered = drain(&*self.store, printer, || done.load(Ordering::Acquire) || worker.is_finished());
            ended();
            let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (result, delivered.and_then(|()| self.left()))
        })
    }

    fn left(&self) -> anyhow::Result<u64> {
        Ok(self.store.backlog()?.iter().map(|backlog| backlog.pending).sum())
    }
}

fn to_stdout(updates: bool) -> Routes {
    let entry = RouteEntry {
        outputs: vec![STDOUT.to_owned()],
        severity: None,
        rules: None,
        tags: None,
        accounts: None,
        environments: None,
        packs: None,
        classes: None,
        updates,
    };
    Routes::new(vec![STDOUT.to_owned()], Some(vec![entry]))
}

/// Writes what is due until the work is done and nothing is due any more.
fn drain(outbox: &dyn Outbox, printer: &mut Printer, is_done: impl Fn() -> bool) -> anyhow::Result<()> {
    loop {
        // Asked before: what the last commit added is then still found.
        let last = is_done();
        let now_ms = Clock::System.now_ms();
        let deliveries = outbox.lease(STDOUT, now_ms, now_ms + LEASE_MS, LEASE)?;
        if deliveries.is_empty() {
            if last {
                return Ok(());
            }
            thread::sleep(IDLE);
        }
        crash_point("deliver.leased");
        for delivery in &deliveries {
            match printer.alert(&delivery.json, delivery.severity) {
                Ok(()) => {
                    crash_point("deliver.written");
                    outbox.settle(delivery, &Settled::Delivered, now_ms)?;
                    crash_point("deliver.settled");
                }
                // Whoever reads is free to stop; the alerts stay in the outbox.
                Err(error) if is_broken_pipe(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
