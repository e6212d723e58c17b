//! Objects of buckets as inputs of a run.

use anyhow::Context;
use iota_engine::store::{Ledger, ObjectVersion};
use iota_service::config::Settings;
use iota_service::pipeline::Stop;
use iota_service::source::s3::{Batch, BatchObject, Buckets, Location, ObjectList, Objects};
use iota_service::telemetry::Stats;
use std::path::PathBuf;
use std::sync::Arc;

/// All that is below these places, but for what the state says was read before.
pub(super) fn below(
    places: &[PathBuf],
    settings: &Settings,
    stop: &Arc<Stop>,
    ledger: Option<&dyn Ledger>,
    stats: &mut Stats,
) -> anyhow::Result<Objects> {
    let batch = open(settings, stop)?;
    let mut objects = ObjectList::default();
    for place in places {
        let place: Location = place.to_string_lossy().parse()?;
        let mut listed = 0;
        for page in batch.list(&place).take_while(|_| !stop.is_requested()) {
            let page = page?;
            listed += page.len();
            // Here, and not when it is its turn: nothing is fetched ahead that is not read.
            let finished = are_finished(ledger, &page)?;
            let before = finished.iter().filter(|finished| **finished).count() as u64;
            stats.inputs.total += before;
            stats.inputs.already_finished += before;
            for (object, _) in page.into_iter().zip(finished).filter(|(_, finished)| !finished) {
                objects.push(object);
            }
        }
        if listed == 0 && !stop.is_requested() {
            tracing::warn!("{place}: there are no objects to read");
        }
    }
    Ok(batch.objects(objects))
}

/// These objects, each in the version that is named.
pub(super) fn again(objects: ObjectList, settings: &Settings, stop: &Arc<Stop>) -> anyhow::Result<Option<Objects>> {
    Ok(if objects.is_empty() { None } else { Some(open(settings, stop)?.objects(objects)) })
}

fn open(settings: &Settings, stop: &Arc<Stop>) -> anyhow::Result<Batch> {
    Batch::open(Buckets::new(settings.sources.buckets.clone(), None), Arc::clone(stop)).context("starting")
}

/// Whether each object of a page was read in an earlier run.
fn are_finished(ledger: Option<&dyn Ledger>, page: &[BatchObject]) -> anyhow::Result<Vec<bool>> {
    let Some(ledger) = ledger else { return Ok(vec![false; page.len()]) };
    let version = |BatchObject { url, etag, .. }: &BatchObject| {
        // Without an etag it is not known again.
        ObjectVersion { object: url.clone(), version: etag.clone().unwrap_or_default() }
    };
    Ok(ledger.are_finished(&page.iter().map(version).collect::<Vec<_>>())?)
}
