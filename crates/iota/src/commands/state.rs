//! The state of a run, and what leaves through its outbox.

use super::desk;
use super::setup::Setup;
use crate::args::{AlertFormat, EmitWhen, RunArgs};
use crate::exit::is_broken_pipe;
use crate::printer::{Printer, counted};
use anyhow::bail;
use iota_engine::store::{Backlog, Desk, LATENESS_MS, Ledger, Outbox, Settled, Store};
use iota_engine::triage::{RouteEntry, Routes, Triage};
use iota_service::audit::{InForce, Sending, record_in_force};
use iota_service::config::Settings;
use iota_service::crash_point;
use iota_service::deliver::{Deliverer, Deliveries, POLL, Policy, SystemClock};
use iota_service::output::Output;
use iota_service::pipeline::{AlertSink, Clock, Durable, State, Stop, persist};
use iota_service::store::Place;
use iota_service::telemetry::DeliveryCounts;
use std::collections::{BTreeMap, BTreeSet};
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
/// How long deliveries go on after an interruption.
const INTERRUPTED: Duration = Duration::from_secs(5);
/// How long to wait for more.
const IDLE: Duration = Duration::from_millis(50);

/// What does not go together is refused before anything is done.
pub(super) fn check_flags(args: &RunArgs, settings: &Settings, clock: Clock) -> anyhow::Result<()> {
    if settings.state.value.is_none() {
        if args.deliver {
            bail!(
                "--deliver needs `--state DIR` (or `--state dynamodb:TABLE`): what is to be delivered has to be kept until it is"
            );
        }
        return Ok(());
    }
    check_outputs(args.deliver, settings)?;
    if args.emit == Some(EmitWhen::Final) {
        bail!("--emit final does not go with --state: there an alert leaves when it is created");
    }
    if args.format != AlertFormat::Jsonl {
        bail!("--format does not go with --state: there every alert is one line of JSON");
    }
    if matches!(clock, Clock::Fixed(now_ms) if now_ms > Clock::System.now_ms()) {
        bail!("--now in the future does not go with --state: alerts would wait until then");
    }
    Ok(())
}

/// Whether alerts go where the configuration says; says so when they do not.
pub(super) fn check_outputs(deliver: bool, settings: &Settings) -> anyhow::Result<()> {
    match (deliver, settings.outputs.is_empty()) {
        (true, true) => bail!("--deliver needs `outputs:` in a configuration file (--config FILE)"),
        (false, false) => tracing::warn!(
            "without --deliver alerts are printed, and count as delivered then: the configured outputs do not get them"
        ),
        _ => {}
    }
    Ok(())
}

/// State that is kept.
pub(super) struct Kept {
    store: Arc<dyn Store>,
    durable: Durable,
    /// As it is configured.
    sending: Sending,
    /// `None`: to standard output.
    delivering: Option<Delivering>,
}

/// Input as it arrives, not what was kept.
pub(super) struct Live {
    /// Matches of events older than this, in milliseconds since 1970, are kept and not sent.
    pub(super) no_send_before_ms: Option<i64>,
}

/// What the delivery loop is started with.
struct Delivering {
    outputs: BTreeMap<String, Arc<dyn Output>>,
    routes: Routes,
    policy: Policy,
}

impl Kept {
    /// With `deliver` alerts go to the configured outputs, else to standard output.
    pub(super) fn open(
        place: &Place,
        Setup { settings, clock, python, .. }: &Setup,
        (deliver, updates): (bool, bool),
        live: Option<&Live>,
    ) -> anyhow::Result<Self> {
        // What is kept goes by the wall clock, whatever time the rules are told.
        let now_ms = Clock::System.now_ms();
        // Before the state is touched: what is wrong with the configuration is said first.
        let triage = settings.alerts.triage(clock.now_ms())?;
        let outputs = if deliver { super::outputs::build(settings)? } else { BTreeMap::new() };
        let store = place.open()?;
        store.retain(now_ms)?;
        if place.is_exclusive() {
            // This process has the state to itself, so whoever held a lease is gone.
            store.release()?;
        }
        let sandbox = &python.program.sandbox.level();
        let sending = match live {
            // Where it delivers nothing now, that is what changed.
            Some(live) => Sending::of(settings).live(live.no_send_before_ms),
            None if deliver => Sending::of(settings),
            None => Sending::nowhere(settings),
        };
        record_in_force(&*store, InForce { triage: &triage, sending: &sending, sandbox }, &|| desk::actor(place))?;
        let routes = if deliver { to_outputs(settings, &outputs) } else { to_stdout(updates) };
        let triage = Triage { routes: routes.clone(), ..triage };
        let delivering = deliver.then(|| Delivering { outputs, routes, policy: settings.alerts.policy.clone() });
        let ledger: Arc<dyn Ledger> = Arc::clone(&store) as Arc<dyn Store>;
        let mut durable = Durable::new(ledger, Arc::new(triage), live.map(|_| LATENESS_MS));
        durable.no_send_before_ms = live.and_then(|live| live.no_send_before_ms);
        Ok(Self { store, durable, sending, delivering })
    }

    pub(super) fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.durable.ledger)
    }

    pub(super) fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    pub(super) fn durable(&self) -> &Durable {
        &self.durable
    }

    pub(super) fn sending(&self) -> &Sending {
        &self.sending
    }

    pub(super) fn state(&self) -> State<'_> {
        State { durable: &self.durable, desk: self.desk() }
    }

    pub(super) fn desk(&self) -> &dyn Desk {
        &*self.store
    }

    /// Delivers alerts, also of earlier runs, while the work goes on, and then what is left. Returns what became of them.
    /// `ended` is called when no more is delivered, which is before the work is done when nobody reads the alerts.
    pub(super) fn delivering<T: Send>(
        &self,
        printer: &mut Printer,
        stop: &Stop,
        work: impl FnOnce() -> T + Send,
        ended: impl FnOnce(),
    ) -> (T, anyhow::Result<DeliveryCounts>) {
        let before = match self.store.backlog() {
            Ok(before) => before,
            Err(error) => return (work(), Err(error.into())),
        };
        let (result, delivered) = self.deliver_during(printer, stop, work, ended);
        (result, delivered.and_then(|()| Ok(became(&before, &self.store.backlog()?, &self.names()))))
    }

    /// Outputs that deliveries can go to.
    fn names(&self) -> BTreeSet<String> {
        self.delivering.as_ref().map_or_else(|| [STDOUT.to_owned()].into(), |to| to.outputs.keys().cloned().collect())
    }

    fn deliver_during<T: Send>(
        &self,
        printer: &mut Printer,
        stop: &Stop,
        work: impl FnOnce() -> T + Send,
        ended: impl FnOnce(),
    ) -> (T, anyhow::Result<()>) {
        if let Some(delivering) = &self.delivering {
            return self.to_outputs(delivering, stop, work);
        }
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let result = work();
                done.store(true, Ordering::Release);
                result
            });
            let delivered = drain(&*self.store, printer, stop, || done.load(Ordering::Acquire) || worker.is_finished());
            ended();
            let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (result, delivered)
        })
    }

    fn to_outputs<T>(&self, delivering: &Delivering, stop: &Stop, work: impl FnOnce() -> T) -> (T, anyhow::Result<()>) {
        let deliverer = Deliverer {
            store: Arc::clone(&self.store),
            outputs: delivering.outputs.clone(),
            routes: delivering.routes.clone(),
            policy: delivering.policy.clone(),
            clock: Arc::new(SystemClock),
            poll: POLL,
            wake: Arc::clone(&self.durable.delivered),
        };
        let deliveries = Deliveries::start(deliverer).inspect_err(|error| {
            // Nothing may go on for days without anybody being told; what is not read now is read by the next run.
            tracing::error!("no alert can be delivered, so the work ends: {error}");
            stop.request();
        });
        let result = work();
        // Who interrupts a run wants it to end; what is left is kept.
        let within = stop.is_requested().then_some(INTERRUPTED);
        let drained = deliveries.map_err(anyhow::Error::from).and_then(|deliveries| Ok(deliveries.drain(within)?));
        (result, drained.map(drop))
    }
}

/// What became of deliveries between two looks at the outbox; says what waits for outputs that are not there.
fn became(before: &[Backlog], after: &[Backlog], outputs: &BTreeSet<String>) -> DeliveryCounts {
    let mut counts = DeliveryCounts::default();
    for now in after {
        let then = before.iter().find(|then| then.output == now.output).cloned().unwrap_or_default();
        counts.delivered += now.delivered.saturating_sub(then.delivered);
        counts.limited += now.limited.saturating_sub(then.limited);
        counts.dead += now.dead.saturating_sub(then.dead);
        counts.pending += now.pending;
        if now.pending > 0 && !outputs.contains(&now.output) {
            let waiting = counted(now.pending, "alert");
            let hint = if now.output == STDOUT { "; without `--deliver` a run prints them" } else { "" };
            tracing::warn!("{waiting} for the output {}, which is not configured{hint}", now.output);
        }
    }
    counts
}

fn to_outputs(settings: &Settings, outputs: &BTreeMap<String, Arc<dyn Output>>) -> Routes {
    let growing = settings.outputs.iter().filter(|(_, file)| file.updates()).map(|(name, _)| name.clone()).collect();
    Routes::new(outputs.keys().cloned().collect(), settings.alerts.routes.clone()).telling_growth(growing)
}

/// What decides about alerts that are printed, where no state is kept.
pub(super) fn printing(settings: &Settings, updates: bool, now_ms: i64) -> anyhow::Result<Triage> {
    Ok(Triage { routes: to_stdout(updates), ..settings.alerts.triage(now_ms)? })
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
fn drain(outbox: &dyn Outbox, printer: &mut Printer, stop: &Stop, is_done: impl Fn() -> bool) -> anyhow::Result<()> {
    loop {
        // Asked before: what the last commit added is then still found.
        let last = is_done();
        let now_ms = Clock::System.now_ms();
        let deliveries = persist(stop, || outbox.lease(STDOUT, now_ms, now_ms + LEASE_MS, LEASE))?;
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
                    persist(stop, || outbox.settle(delivery, &Settled::Delivered, now_ms))?;
                    crash_point("deliver.settled");
                }
                // Whoever reads is free to stop; the alerts stay in the outbox.
                Err(error) if is_broken_pipe(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
