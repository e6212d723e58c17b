//! `iota watch`: the pipeline for as long as the process lives.

use super::reload::{Rules, files};
use super::run::{summarize, told, write_stats};
use super::setup::{Setup, time};
use super::sources::Sources;
use super::state::{Kept, Live};
use crate::args::{AlertFormat, WatchArgs};
use crate::environment;
use crate::exit::{Exit, is_broken_pipe};
use crate::printer::Printer;
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::store::Unit;
use iota_service::config::{Settings, parse_duration};
use iota_service::metrics::Metrics;
use iota_service::pipeline::{Clock, RunFailure, Stop};
use iota_service::rules::RulesError;
use iota_service::source::feed::Feed;
use iota_service::source::{Directory, From};
use iota_service::store::Place;
use iota_service::telemetry::Stats;
use iota_service::watch::{RuleFiles, RuleSet, Wake, Waker, Watch, wakes};
use jiff::Timestamp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs;
use std::net::TcpListener;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long work that is under way may go on when the process is to end; what is not done by then is left to the next one.
const DEADLINE: Duration = Duration::from_secs(20);
/// A second signal that comes sooner is the first one.
const AGAIN: Duration = Duration::from_millis(500);
/// Where state is when nobody says.
const STATE: &str = "/var/lib/iota";

pub(crate) fn watch(args: &WatchArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let setup = Setup::new(args.given(matches), None)?;
    let Setup { settings, python, progress, .. } = &setup;
    let sources = Sources::of(args, settings)?;
    if sources.is_empty() {
        bail!("nothing to watch; name --queue-url, --s3, --events-dir or a pipe, or `sources:` in a configuration file");
    }
    if sources.reads_every_bucket() {
        tracing::warn!("objects of every bucket that a message names are read; name yours with --bucket");
    }
    if let Some(path) = &args.stats {
        // Better now than when it is first written.
        fs::File::create(path).with_context(|| format!("--stats {}", path.display()))?;
    }
    let listener = settings.metrics_listen.value.map(|address| {
        TcpListener::bind(address).with_context(|| format!("metrics.listen {address} ({})", settings.metrics_listen.origin))
    });
    // From here on, because rules may take minutes to load: who asks meanwhile is told that it is starting.
    let metrics = listener.transpose()?.map(|listener| serve_metrics(listener, &progress.stop)).transpose()?;
    let now_ms = Clock::System.now_ms();
    let Times { from, no_send_before: no_send_before_ms, rescan } = Times::of(args)?;
    let live = Live { no_send_before_ms };
    let (waker, woken) = wakes();
    watch_signals(Arc::clone(&progress.stop), waker.clone())?;
    let (files, read_at) = (files(args, settings), Timestamp::now());
    let rule_files = RuleFiles::new(files.clone());
    let mut stats = Stats::new();
    let (mut known, packs) = match setup.load_by(&mut stats, || Rules::start(settings, python)) {
        Err(RulesError::Stopped) => return Ok(Exit::Ok),
        loaded => loaded?,
    };
    let runs = packs.iter().any(|pack| !pack.runnable.is_empty());
    if !runs && known.alerts().next().is_none() {
        bail!("no rule runs; `iota check` says why");
    }
    let place = state_place(settings);
    let kept = Kept::open(&place, &setup, (!settings.outputs.is_empty(), false), Some(&live)).with_context(|| {
        if settings.state.value.is_some() {
            format!("--state {place}")
        } else {
            format!("{place}; name another one with --state DIR")
        }
    })?;
    for alert in known.alerts() {
        kept.durable().raise(&alert, Unit::default(), now_ms)?;
    }
    let mut printer = Printer::new(AlertFormat::Jsonl, true);
    if !runs {
        // Whoever is to be told is told before the end.
        kept.delivering(&mut printer, &progress.stop, || progress.stop.request(), || ()).1?;
        bail!("no rule runs; the log says which packs were left out, and `iota check` more");
    }
    if let Some(metrics) = &metrics {
        metrics.opened(kept.outbox());
    }
    let directories = sources.directories.iter().map(|root| {
        let named = || format!("--events-dir {}", root.display());
        let directory = Directory::open(root, kept.ledger(), from, now_ms).with_context(named)?;
        let Place::Directory(own) = &place else { return Ok(directory) };
        if own.canonicalize().is_ok_and(|own| own == directory.root()) {
            bail!("{}: state is kept in this very directory; name another one with --state DIR", named());
        }
        Ok(directory.leaving_out(own))
    });
    let directories: Vec<Directory> = directories.collect::<anyhow::Result<_>>()?;
    for directory in &directories {
        tracing::info!("watching {}", directory.root().display());
    }
    let ready = waker.clone();
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || ready.wake(Wake::Ready));
    let mut feed = sources.feed();
    if let (Some(feed), Place::Directory(directory)) = (&mut feed, &place) {
        // The one place that is certain to be writable.
        feed.scratch = Some(directory.clone());
    }
    let feed = feed.map(|feed| Feed::start(feed, kept.durable(), (from, now_ms), &wake)).transpose()?;
    let mut watch = Watch {
        python,
        workers: settings.workers.value,
        durable: kept.durable().clone(),
        desk: kept.desk(),
        sending: kept.sending(),
        directories,
        rescan,
        inotify: !args.no_inotify,
        feed,
        rule_files,
        stats_file: args.stats.clone(),
        metrics,
    };
    let rules = RuleSet { packs, limits: settings.limits(), triage: Arc::clone(&kept.durable().triage), files, read_at };
    let mut load = |stop: &_| known.again((args, matches), &setup, &kept.durable().triage.routes, stop);
    let unread = waker.clone();
    let (finished, delivered) = kept.delivering(
        &mut printer,
        &progress.stop,
        || watch.run(rules, &mut load, (waker, &woken), progress, stats),
        || unread.wake(Wake::Stop),
    );
    match finished.failure {
        // What was not committed is read again by the next process.
        Some(RunFailure::Store(error)) if progress.stop.is_requested() && error.is_retryable() => tracing::error!("{error}"),
        Some(failure) => return Err(failure.into()),
        None => {}
    }
    summarize(&finished.stats, progress.stop.is_requested());
    if let Some(path) = &args.stats {
        write_stats(path, &finished.stats)?;
    }
    if let Some(imbalance) = finished.imbalance {
        bail!("internal error, please report it: {imbalance}");
    }
    match delivered {
        Err(error) if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_broken_pipe)) => {}
        counts => {
            told(&counts.context("delivering alerts")?);
        }
    }
    // It is at an end that is none: what it was to hold is not known.
    finished.broken.map_or(Ok(Exit::Ok), |why| bail!(why))
}

fn serve_metrics(listener: TcpListener, stop: &Arc<Stop>) -> anyhow::Result<Arc<Metrics>> {
    let metrics = Arc::new(Metrics::new(Arc::clone(stop)));
    let address = metrics.serve(listener).context("metrics.listen")?;
    tracing::info!("metrics: http://{address}/metrics");
    Ok(metrics)
}

/// The flags that are times.
pub(super) struct Times {
    from: From,
    /// In milliseconds since 1970.
    no_send_before: Option<i64>,
    rescan: Duration,
}

impl Times {
    pub(super) fn of(args: &WatchArgs) -> anyhow::Result<Self> {
        let from = match args.from.as_deref() {
            None => From::Start,
            Some("now") => From::Now,
            Some(text) => From::Time(time("--from", text)?),
        };
        let no_send_before = args.no_send_before.as_deref().map(|text| time("--no-send-before", text)).transpose()?;
        let rescan = parse_duration(&args.rescan_interval).ok().filter(|time| !time.is_zero());
        let rescan =
            rescan.with_context(|| format!("--rescan-interval {:?}: a time such as 30s was expected", args.rescan_interval))?;
        Ok(Self { from, no_send_before, rescan })
    }
}

/// `--state`, or what systemd has made for the service, or the usual place.
pub(super) fn state_place(settings: &Settings) -> Place {
    let made = || Place::Directory(environment::state_directory().unwrap_or_else(|| STATE.into()));
    settings.state.value.clone().unwrap_or_else(made)
}

/// SIGTERM and SIGINT end the process after the work that is under way, the second one at once; SIGHUP reads the rules
/// again.
fn watch_signals(stop: Arc<Stop>, waker: Waker) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::spawn(move || {
        let mut ending: Option<Instant> = None;
        for signal in signals.forever() {
            if signal == SIGHUP {
                waker.wake(Wake::Reload);
                continue;
            }
            if let Some(since) = ending {
                // `timeout` and some supervisors signal the process and its group, which is one request that comes twice.
                if since.elapsed() < AGAIN {
                    continue;
                }
                #[expect(clippy::exit, reason = "whoever asks twice does not want to wait")]
                process::exit(128 + signal);
            }
            ending = Some(Instant::now());
            waker.wake(Wake::Stop);
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                thread::sleep(DEADLINE);
                stop.request();
            });
        }
    });
    Ok(())
}
