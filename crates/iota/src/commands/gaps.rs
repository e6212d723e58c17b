//! `iota gaps`

use super::buckets::{block_on, check, now_ms, wanted};
use super::ingest::summarize;
use super::signals::Signals;
use crate::args::{GapsArgs, GapsFormat};
use crate::exit::Exit;
use crate::printer::write_json;
use anyhow::bail;
use iota_engine::event::format_ms;
use iota_engine::store::KEEP_OBJECTS_MS;
use iota_engine::text::printable;
use iota_service::ingest::{IngestConfig, Job, Known, State, Sync};
use iota_service::integrity::{Evaluated, Gap, GapsError, Processed, gaps as find_gaps};
use iota_service::source::s3::Range;
use iota_service::store::Place;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// By URL; with what to read where it can be read.
type Found = BTreeMap<String, (Gap, Option<Job>)>;

pub(crate) fn gaps(args: &GapsArgs) -> anyhow::Result<Exit> {
    let config = args.buckets.config(Some(&args.ledger))?;
    check(&config)?;
    let range = args.range.range(now_ms())?;
    let signals = Signals::watch()?;
    let (found, rejected) = match &args.state {
        Some(state) => (not_evaluated(args, &config, range, state)?, false),
        None => not_synced(args, &config, range, &signals)?,
    };
    print(&found, args.format)?;
    Ok(match signals.received() {
        Some(signal) => Exit::Interrupted(signal),
        None if rejected => Exit::Partial,
        None if !found.is_empty() => Exit::Findings,
        None => Exit::Ok,
    })
}

/// Minus the ledger of `iota ingest`, and minus what is fetched now. Also whether something in that was rejected.
fn not_synced(args: &GapsArgs, config: &IngestConfig, range: Range, signals: &Signals) -> anyhow::Result<(Found, bool)> {
    let started = Instant::now();
    // Opened for writing first: a state that somebody else is writing to would change under the comparison.
    let mut sync = if args.fetch { Some(Sync::open(config, signals.stop.clone())?) } else { None };
    block_on(async {
        let state = State::reader(&config.state_db)?;
        if state.is_none() {
            tracing::warn!("{}: there is no state, so nothing counts as read", config.state_db.display());
        }
        let mut found = of_trails(config, &Processed::Synced(state.as_ref()), range).await?;
        let Some(sync) = &mut sync else { return Ok((found, false)) };
        let jobs = found.values().filter_map(|(_, job)| job.clone()).collect();
        let fetched = sync.fetch(jobs).await;
        summarize(&sync.counts, started.elapsed());
        fetched?;
        // Those that are read now are none any more.
        found.retain(|_, (_, job)| {
            let known = job.as_ref().map(|job| sync.state.knows(&job.source.bucket.name, &job.object.key, &job.object.etag));
            !matches!(known, Some(Ok(Known::Yes)))
        });
        Ok((found, sync.counts.records_rejected > 0))
    })?
}

/// Minus the ledger of `iota run` and `iota watch`.
fn not_evaluated(args: &GapsArgs, config: &IngestConfig, range: Range, state: &Path) -> anyhow::Result<Found> {
    let place = Place::parse(state).map_err(|why| anyhow::anyhow!("--state {}: {why}", state.display()))?;
    let evaluate = format!("--format urls | xargs -r -d '\\n' iota run --state {place} --rules DIR");
    if args.fetch {
        bail!("--fetch reads as `iota ingest` does and evaluates nothing; with --state, leave it out and add: {evaluate}");
    }
    // Outside of the runtime below: a table has one of its own.
    let processed = Processed::Evaluated(Evaluated::new(place.open_beside()?, range));
    let found = block_on(of_trails(config, &processed, range))??;
    let forgotten_ms = now_ms() - KEEP_OBJECTS_MS;
    if !found.is_empty() && range.from_ms.is_none_or(|from_ms| from_ms < forgotten_ms) {
        let (days, before) = (KEEP_OBJECTS_MS / DAY_MS, format_ms(forgotten_ms));
        tracing::warn!("the state forgets after {days} days that an object was read: what was read before {before} is listed");
    }
    if args.format != GapsFormat::Urls && found.values().any(|(_, job)| job.is_some()) {
        let stopped = if place.is_exclusive() { ", while no other process uses the state" } else { "" };
        tracing::info!("to have evaluated what is in the bucket{stopped}: iota gaps with the same flags and {evaluate}");
    }
    Ok(found)
}

async fn of_trails(config: &IngestConfig, processed: &Processed<'_>, range: Range) -> Result<Found, GapsError> {
    let mut found = BTreeMap::new();
    for trail in &config.trails {
        found.extend(find_gaps(trail, processed, &wanted(config), range).await?);
    }
    Ok(found)
}

fn print(found: &Found, format: GapsFormat) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (url, (gap, job)) in found {
        match format {
            GapsFormat::Json => write_json(&mut out, &json!({ "object": url, "gap": gap }), false)?,
            GapsFormat::Text => writeln!(out, "{}\t{}", printable(url), why(gap))?,
            GapsFormat::Urls if job.is_some() => writeln!(out, "{}", printable(url))?,
            GapsFormat::Urls => {}
        }
    }
    Ok(())
}

fn why(gap: &Gap) -> &'static str {
    match gap {
        Gap::NotRead => "in the bucket, not read",
        Gap::Changed => "replaced since it was read",
        Gap::NotInBucket => "listed in a digest file, not in the bucket",
        Gap::UnreadableDigest => "a digest file that cannot be read",
    }
}
