//! Objects of buckets as inputs of a run.

use anyhow::Context;
use iota_engine::store::{Ledger, ObjectVersion};
use iota_service::config::Settings;
use iota_service::pipeline::Stop;
use iota_service::source::Input;
use iota_service::source::s3::{Batch, BatchObject, Buckets, Location};
use iota_service::telemetry::Stats;
use std::path::PathBuf;
use std::sync::Arc;

/// Objects that the ledger is asked about at once.
const AT_ONCE: usize = 1_000;

/// All that is below these places, but for what the state says was read before.
pub(super) fn inputs(
    places: &[PathBuf],
    settings: &Settings,
    stop: &Arc<Stop>,
    ledger: Option<&dyn Ledger>,
    stats: &mut Stats,
) -> anyhow::Result<Vec<Input>> {
    let batch = open(settings, stop)?;
    let mut objects = Vec::new();
    for place in places {
        let place: Location = place.to_string_lossy().parse()?;
        let listed = batch.list(&place)?;
        if listed.is_empty() {
            tracing::warn!("{place}: there are no objects to read");
        }
        // Here, and not when it is its turn: nothing is fetched ahead that is not read.
        let finished = are_finished(ledger, &listed)?;
        let before = finished.iter().filter(|finished| **finished).count() as u64;
        stats.inputs.total += before;
        stats.inputs.already_finished += before;
        objects.extend(listed.into_iter().zip(finished).filter(|(_, finished)| !finished).map(|(object, _)| object));
    }
    Ok(batch.inputs(objects))
}

/// These objects, each in the version that is named.
pub(super) fn again(objects: Vec<BatchObject>, settings: &Settings, stop: &Arc<Stop>) -> anyhow::Result<Vec<Input>> {
    Ok(if objects.is_empty() { Vec::new() } else { open(settings, stop)?.inputs(objects) })
}

fn open(settings: &Settings, stop: &Arc<Stop>) -> anyhow::Result<Batch> {
    Batch::open(Buckets::new(settings.sources.buckets.clone(), None), Arc::clone(stop)).context("starting")
}

/// Whether each of them was read in an earlier run.
fn are_finished(ledger: Option<&dyn Ledger>, objects: &[BatchObject]) -> anyhow::Result<Vec<bool>> {
    let Some(ledger) = ledger else { return Ok(vec![false; objects.len()]) };
    let mut finished = Vec::with_capacity(objects.len());
    for objects in objects.chunks(AT_ONCE) {
        let version = |BatchObject { url, etag, .. }: &BatchObject| {
            // Without an etag it is not known again.
            ObjectVersion { object: url.display().to_string(), version: etag.as_deref().unwrap_or_default().to_owned() }
        };
        finished.extend(ledger.are_finished(&objects.iter().map(version).collect::<Vec<_>>())?);
    }
    Ok(finished)
}
