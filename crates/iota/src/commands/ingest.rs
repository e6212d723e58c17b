//! `iota ingest`

use super::buckets::{block_on, check, duration, now_ms};
use super::signals::Signals;
use crate::args::{IngestArgs, IngestCommand};
use crate::exit::Exit;
use crate::printer::counted;
use anyhow::{Context, bail};
use iota_service::ingest::{Counts, IngestConfig, Sync, SyncError, trails_of_account};
use iota_service::source::s3::{Range, Source};
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// What `--follow` looks for goes back so far from the last look that missed nothing: objects of yesterday may come today.
const LOOK_BACK_MS: i64 = 2 * 86_400_000;

pub(crate) fn ingest(args: &IngestArgs) -> anyhow::Result<Exit> {
    if let Some(IngestCommand::Init) = args.command {
        return init();
    }
    let mut config = args.buckets.config(Some(&args.ledger))?;
    config.download_workers = args.download_workers.unwrap_or(config.download_workers);
    config.process_workers = args.process_workers.unwrap_or(config.process_workers);
    check(&config)?;
    let range = args.range.range(now_ms())?;
    let interval = Duration::try_from(duration("--poll-interval", &args.poll_interval)?)?;
    if let Some(path) = &args.stats {
        // Better now than after hours of work.
        fs::File::create(path).with_context(|| format!("--stats {}", path.display()))?;
    }
    let signals = Signals::watch()?;
    let started = Instant::now();
    let mut sync = Sync::open(&config, signals.stop.clone())?;
    let result = block_on(async {
        let mut sources = Vec::new();
        for trail in &config.trails {
            sources.push(Source::connect(trail).await?);
        }
        // When the last round began that read all it listed.
        let mut whole_ms = None;
        let mut result = round(&mut sync, &sources, range, &mut whole_ms).await;
        while args.follow && signals.received().is_none() {
            match &result {
                // Whoever follows waits for the network to come back.
                Err(error @ (SyncError::S3(_) | SyncError::Outage { .. })) => tracing::error!("{error}"),
                Err(_) => break,
                Ok(()) => {}
            }
            let until = Instant::now() + interval;
            while Instant::now() < until && signals.received().is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if signals.received().is_none() {
                let back = whole_ms.map(|whole: i64| whole.min(now_ms()) - LOOK_BACK_MS);
                let range = Range { from_ms: range.from_ms.max(back), to_ms: None };
                result = round(&mut sync, &sources, range, &mut whole_ms).await;
            }
        }
        result
    })?;
    let counts = std::mem::take(&mut sync.counts);
    drop(sync);
    if let Some(path) = &args.stats {
        let json = serde_json::to_vec_pretty(&counts)?;
        fs::write(path, json).with_context(|| format!("--stats {}", path.display()))?;
    }
    summarize(&counts, started.elapsed());
    result?;
    Ok(match signals.received() {
        Some(signal) if !args.follow => Exit::Interrupted(signal),
        _ if counts.objects_failed > 0 && !args.follow => Exit::Usage,
        _ if counts.records_rejected > 0 => Exit::Partial,
        _ => Exit::Ok,
    })
}

/// `whole_ms` becomes when it began, if it left nothing out.
async fn round(sync: &mut Sync<'_>, sources: &[Source], range: Range, whole_ms: &mut Option<i64>) -> Result<(), SyncError> {
    let (began_ms, failed) = (now_ms(), sync.counts.objects_failed);
    sync.round(sources, range).await?;
    if sync.counts.objects_failed == failed {
        *whole_ms = Some(began_ms);
    }
    Ok(())
}

pub(super) fn summarize(counts: &Counts, elapsed: Duration) {
    let mut parts = vec![
        format!("{} read", counted(counts.objects_read, "object")),
        format!("{} written", counted(counts.records_written, "record")),
    ];
    for (count, what) in [
        (counts.files_written, "new file"),
        (counts.objects_known, "object| known before"),
        (counts.objects_changed, "replaced object"),
        (counts.records_duplicate, "duplicate"),
        (counts.records_skipped.values().sum(), "skipped record"),
        (counts.records_rejected, "rejected record"),
        (counts.objects_failed, "unreadable object"),
    ] {
        if count > 0 {
            parts.push(counted(count, what));
        }
    }
    tracing::info!("{} in {:.1} s", parts.join(", "), elapsed.as_secs_f64());
}

fn init() -> anyhow::Result<Exit> {
    let trails = block_on(trails_of_account())??;
    if trails.is_empty() {
        bail!("no trail of this account and region delivers to a bucket");
    }
    let config = IngestConfig { trails, ..IngestConfig::default() };
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &config)?;
    writeln!(out)?;
    Ok(Exit::Ok)
}
