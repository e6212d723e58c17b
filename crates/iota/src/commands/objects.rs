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
        for object in listed {
            // Here, and not when it is its turn: nothing is fetched ahead that is not read.
            if is_finished(ledger, &object)? {
                stats.inputs.total += 1;
                stats.inputs.already_finished += 1;
            } else {
                objects.push(object);
            }
        }
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

fn is_finished(ledger: Option<&dyn Ledger>, object: &BatchObject) -> anyhow::Result<bool> {
    let (Some(ledger), Some(etag)) = (ledger, &object.etag) else { return Ok(false) };
    Ok(ledger.is_finished(&ObjectVersion { object: object.url(), version: etag.clone() })?)
}
