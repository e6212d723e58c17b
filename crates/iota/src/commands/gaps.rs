//! `iota gaps`

use super::buckets::{block_on, check, now_ms, wanted};
use super::ingest::summarize;
use super::signals::Signals;
use crate::args::{GapsArgs, ReportFormat};
use crate::exit::Exit;
use crate::printer::write_json;
use iota_engine::text::printable;
use iota_service::ingest::{State, Sync};
use iota_service::integrity::{Gap, gaps as find_gaps};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Instant;

pub(crate) fn gaps(args: &GapsArgs) -> anyhow::Result<Exit> {
    let config = args.buckets.config(Some(&args.ledger))?;
    check(&config)?;
    let range = args.range.range(now_ms())?;
    let (signals, started) = (Signals::watch()?, Instant::now());
    // Opened for writing first: a state that somebody else is writing to would change under the comparison.
    let mut sync = if args.fetch { Some(Sync::open(&config, signals.stop.clone())?) } else { None };
    let (found, failed) = block_on(async {
        let state = State::reader(&config.state_db)?;
        if state.is_none() {
            tracing::warn!("{}: there is no state, so nothing counts as read", config.state_db.display());
        }
        let mut found = BTreeMap::new();
        for trail in &config.trails {
            found.extend(find_gaps(trail, state.as_ref(), &wanted(&config), range).await?);
        }
        let Some(sync) = &mut sync else { return anyhow::Ok((found, false)) };
        let jobs = found.values().filter_map(|(_, job)| job.clone()).collect();
        let fetched = sync.fetch(jobs).await;
        summarize(&sync.counts, started.elapsed());
        fetched?;
        // Those that are read now are none any more.
        found.retain(|_, (_, job)| {
            let known = job.as_ref().map(|job| sync.state.knows(&job.source.bucket.name, &job.object.key, &job.object.etag));
            !matches!(known, Some(Ok(iota_service::ingest::Known::Yes)))
        });
        Ok((found, sync.counts.records_rejected > 0))
    })??;
    let mut out = io::stdout().lock();
    for (url, (gap, _)) in &found {
        match args.format {
            ReportFormat::Json => write_json(&mut out, &json!({ "object": url, "gap": gap }), false)?,
            ReportFormat::Text => {
                let why = match gap {
                    Gap::NotRead => "in the bucket, not read",
                    Gap::Changed => "replaced since it was read",
                    Gap::NotInBucket => "listed in a digest file, not in the bucket",
                    Gap::UnreadableDigest => "a digest file that cannot be read",
                };
                writeln!(out, "{}\t{why}", printable(url))?;
            }
        }
    }
    Ok(match signals.received() {
        Some(signal) => Exit::Interrupted(signal),
        None if failed => Exit::Partial,
        None if !found.is_empty() => Exit::Findings,
        None => Exit::Ok,
    })
}
