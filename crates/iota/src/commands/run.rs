//! `iota run`, and the command line of the first iota.

use super::objects;
use super::setup::Setup;
use super::state::{self, Kept};
use crate::args::{AlertFormat, EmitWhen, OriginalArgs, RunArgs, StateArgs};
use crate::exit::{Exit, is_broken_pipe};
use crate::printer::{Printer, counted};
use anyhow::{Context, bail};
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use iota_engine::alert::Severity;
use iota_engine::triage::Triage;
use iota_service::pipeline::{
    AlertSink, Durable, Emit, Engine, FastPath, Keep, Progress, Rerun, RerunResult, Run, RunFailure, RunResult, Stop,
};
use iota_service::rules::{LoadedPack, RulesError};
use iota_service::source::{Input, Inputs, find_inputs};
use iota_service::store::Place;
use iota_service::telemetry::{DeliveryCounts, Stats};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) fn original(args: &OriginalArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let Some(path) = &args.jsonl else { bail!("no command given; try `iota run PATH --rules DIR` or `iota --help`") };
    let run = RunArgs {
        paths: vec![path.clone()],
        rules: args.rules.clone(),
        format: AlertFormat::Jsonl,
        emit: None,
        updates: false,
        fail_on: None,
        stats: None,
        no_fast_path: false,
        verify_fast_path: None,
        now: None,
        state: StateArgs::default(),
        deliver: false,
    };
    self::run(&run, matches)
}

pub(crate) fn run(args: &RunArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let setup = Setup::new(args.state.with(args.rules.given(matches), matches), args.now.as_ref())?;
    let Setup { settings, clock, progress, .. } = &setup;
    state::check_flags(args, settings, *clock)?;
    let (places, paths): (Vec<_>, Vec<_>) =
        args.paths.iter().cloned().partition(|path| path.as_os_str().as_encoded_bytes().starts_with(b"s3://"));
    // The rate is taken for a path unless it comes after `=`.
    let is_rate = |path: &&PathBuf| path.to_str().is_some_and(|text| text.parse::<f64>().is_ok()) && !path.exists();
    if let Some(rate) = paths.iter().find(is_rate).filter(|_| args.verify_fast_path.is_some()) {
        let rate = rate.display();
        bail!("{rate} does not exist; the part of the skipped pairs is given with `=`: --verify-fast-path={rate}");
    }
    let found = find_inputs(&paths)?;
    let inputs = found.inputs;
    if inputs.is_empty() && places.is_empty() {
        tracing::warn!("there are no files to read");
    }
    if let Some(path) = &args.stats {
        // Better now than after hours of work.
        fs::File::create(path).with_context(|| format!("--stats {}", path.display()))?;
    }
    let signal = watch_signals(Arc::clone(&progress.stop))?;
    let mut stats = Stats::new();
    for error in &found.unreadable {
        tracing::error!("{error}");
        stats.inputs.total += 1;
        stats.inputs.unreadable += 1;
    }
    let packs = setup.load(&mut stats);
    let packs = match (packs, received(&signal)) {
        (Err(RulesError::Stopped), Some(signal)) => {
            if let Some(path) = &args.stats {
                write_stats(path, &stats)?;
            }
            summarize(&stats, true);
            return Ok(Exit::Interrupted(signal));
        }
        (packs, _) => packs?,
    };
    // A mistyped directory must not look like a quiet day. Rules that are there and do not run are told above.
    let empty = |pack: &LoadedPack| pack.pack.rules.is_empty() && pack.pack.skipped.is_empty() && pack.pack.problems.is_empty();
    if packs.iter().all(empty) {
        bail!(
            "{}: there are no rules",
            packs.iter().map(|pack| pack.directory.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    let stdin = inputs.iter().any(Input::is_stdin);
    let emit = match args.emit {
        Some(EmitWhen::First) => Emit::First,
        None if stdin || settings.state.value.is_some() => Emit::First,
        Some(EmitWhen::Final) | None => Emit::Final,
    };
    if args.updates && emit == Emit::Final {
        bail!("--updates needs `--emit first`: with final counts there is nothing to update");
    }
    let open = |place: &Place| Kept::open(place, &setup, (args.deliver, args.updates), None);
    let kept = settings.state.value.as_ref().map(open).transpose()?;
    let printing = if kept.is_some() { Triage::default() } else { state::printing(settings, args.updates, clock.now_ms())? };
    let objects = if places.is_empty() {
        None
    } else {
        let ledger = kept.as_ref().map(Kept::ledger);
        Some(objects::below(&places, settings, &progress.stop, ledger.as_deref(), &mut stats)?)
    };
    let mut printer = Printer::new(args.format, emit == Emit::First);
    let keep = kept.as_ref().map_or(Keep::Nothing(&printing), |kept| Keep::State(kept.state()));
    let inputs = Inputs { listed: &inputs, objects: objects.as_ref() };
    let run = Run {
        emit,
        updates: args.updates,
        fast_path: if args.no_fast_path { FastPath::Off } else { FastPath::On { verify: args.verify_fast_path.unwrap_or(0.0) } },
        ..setup.run(&packs, inputs, keep)
    };
    let (RunResult { mut stats, failure, imbalance, .. }, delivered) = with_progress_bar(inputs, progress, || match &kept {
        None => (run.execute(progress, &mut printer, stats), Ok(DeliveryCounts::default())),
        Some(kept) => {
            let again = kept.durable().again();
            kept.delivering(&mut printer, &progress.stop, || execute(&run, kept, &again, progress, stats), || ())
        }
    });
    if let Ok(counts) = &delivered {
        stats.deliveries.became(counts);
    }
    let written = printer.finish();
    if let Some(path) = &args.stats {
        write_stats(path, &stats)?;
    }
    let interrupted = received(&signal);
    match failure {
        // Whoever reads is free to stop; the exit code still says how it went until then.
        Some(RunFailure::Write(error)) if is_broken_pipe(&error) => {}
        // What was not committed is read again by the next run.
        Some(RunFailure::Store(error)) if interrupted.is_some() && error.is_retryable() => tracing::error!("{error}"),
        Some(failure) => return Err(failure.into()),
        None => {}
    }
    match written {
        Err(error) if is_broken_pipe(&error) => {}
        written => written.context("writing alerts")?,
    }
    summarize(&stats, interrupted.is_some());
    if let Some(imbalance) = imbalance {
        bail!("internal error, please report it: {imbalance}");
    }
    let undelivered = told(&delivered.context("delivering alerts")?);
    let worst = stats.alerts.by_severity.keys().next_back().copied();
    Ok(match interrupted {
        Some(signal) => Exit::Interrupted(signal),
        None if stats.inputs.unreadable > 0 => Exit::Usage,
        None if stats.pairs.violations > 0 || stats.records.rejected > 0 || stats.rules_in_trouble() || undelivered => {
            Exit::Partial
        }
        None if args.fail_on.is_some_and(|limit| worst >= Some(limit)) => Exit::Findings,
        None => Exit::Ok,
    })
}

/// Says what was not delivered. True if there is anything.
pub(super) fn told(&DeliveryCounts { dead, pending, .. }: &DeliveryCounts) -> bool {
    if dead > 0 {
        tracing::error!("{} given up or refused by an output: `iota dlq list` says why", counted(dead, "alert"));
    }
    if pending > 0 {
        tracing::warn!("{} not delivered yet; the next run with this state goes on", counted(pending, "alert"));
    }
    dead > 0 || pending > 0
}

/// With state, alerts leave through the outbox.
pub(super) struct Unused;

impl AlertSink for Unused {
    fn alert(&mut self, _: &[u8], _: Severity) -> io::Result<()> {
        Err(io::Error::other("internal error, please report it: an alert passed the outbox by"))
    }
}

/// Runs, and what was left out in the run, because a rule was paused, after it.
fn execute(run: &Run<'_>, kept: &Kept, durable: &Durable, progress: &Progress, stats: Stats) -> RunResult {
    let mut engine = Engine::new(run);
    let result = run.execute_on(&mut engine, progress, &mut Unused, stats);
    if result.failure.is_some() || progress.stop.is_requested() || result.stats.pairs.not_run == 0 {
        return result;
    }
    let Run { packs, python, clock, limits, .. } = *run;
    let again = Rerun { packs, python, clock, limits, durable, desk: kept.desk() };
    let RerunResult { stats, failure, .. } = again.make_up(&mut engine, progress, result.stats);
    let imbalance = result.imbalance.or_else(|| stats.imbalance());
    RunResult { stats, failure, imbalance, ended: result.ended }
}

/// The first signal ends the run early, the second at once. Holds the signal's number when one came.
pub(super) fn watch_signals(stop: Arc<Stop>) -> io::Result<Arc<AtomicUsize>> {
    let received = Arc::new(AtomicUsize::new(0));
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
        signal_hook::flag::register(signal, Arc::clone(&again))?;
        signal_hook::flag::register_usize(signal, Arc::clone(&received), usize::try_from(signal).unwrap_or_default())?;
    }
    let signals = Arc::clone(&received);
    thread::spawn(move || {
        while signals.load(Ordering::Relaxed) == 0 {
            thread::sleep(Duration::from_millis(50));
        }
        stop.request();
    });
    Ok(received)
}

/// The signal that came, if one did.
pub(super) fn received(signal: &AtomicUsize) -> Option<u8> {
    u8::try_from(signal.load(Ordering::Relaxed)).ok().filter(|signal| *signal > 0)
}

pub(super) fn with_progress_bar<T>(inputs: Inputs<'_>, progress: &Progress, work: impl FnOnce() -> T) -> T {
    let total = inputs.bytes();
    // Alerts on the same terminal would fight with the bar.
    if !io::stderr().is_terminal() || io::stdout().is_terminal() || total < 16 << 20 {
        return work();
    }
    let bar = ProgressBar::new(total);
    let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {msg} eta {eta}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                bar.set_position(progress.bytes.load(Ordering::Relaxed));
                bar.set_message(format!("{}/{} files", progress.inputs.load(Ordering::Relaxed), inputs.len()));
                thread::sleep(Duration::from_millis(100));
            }
            bar.finish_and_clear();
        });
        // Also when the work panics, or the bar would go on for ever.
        let _done = OnDrop(|| done.store(true, Ordering::Relaxed));
        work()
    })
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(super) fn write_stats(path: &Path, stats: &Stats) -> anyhow::Result<()> {
    stats.write(path).with_context(|| format!("--stats {}", path.display()))
}

pub(super) fn summarize(stats: &Stats, interrupted: bool) {
    let by_severity: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter_map(|severity| stats.alerts.by_severity.get(severity).map(|count| format!("{count} {severity}")))
        .collect();
    let severities = if by_severity.is_empty() { String::new() } else { format!(" ({})", by_severity.join(", ")) };
    let records = &stats.records;
    let mut parts = vec![
        format!("{} from {}", counted(records.read, "record"), counted(stats.inputs.read, "input")),
        counted(stats.matches.total, "match"),
        format!("{}{severities}", counted(stats.alerts.total, "alert")),
    ];
    for (count, what) in [
        (records.duplicates, "duplicate"),
        (records.skipped, "skipped record"),
        (records.rejected, "rejected record"),
        (stats.inputs.unreadable, "unreadable input"),
        (stats.inputs.interrupted, "interrupted input"),
        (stats.inputs.already_finished, "finished input"),
        (stats.records.abandoned, "record| left for the next run"),
        (stats.deliveries.unrouted, "alert| without an output"),
        (stats.rules_failed, "rule problem"),
        (stats.rule_errors.iter().map(|error| error.count).sum(), "rule error"),
        (stats.pairs.not_run, "omitted call"),
        (stats.pairs.verified, "verified pair"),
        (stats.pairs.violations, "violation| of the fast path"),
    ] {
        if count > 0 {
            parts.push(counted(count, what));
        }
    }
    if let Some(sources) = &stats.sources {
        let (messages, objects) = (&sources.messages, &sources.objects);
        for (count, what) in [
            (messages.received, "message"),
            (messages.returned, "message given back"),
            (messages.left, "message left in its queue"),
            (messages.undeleted, "message that could not be deleted"),
            (objects.already_finished, "object read before"),
            (objects.skipped, "skipped object"),
        ] {
            if count > 0 {
                parts.push(counted(count, what));
            }
        }
    }
    let outcome = if interrupted { "interrupted: " } else { "" };
    tracing::info!("{outcome}{} in {:.1} s", parts.join(", "), stats.seconds.total + stats.seconds.load_rules);
}
