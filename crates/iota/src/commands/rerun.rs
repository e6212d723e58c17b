//! `iota rerun`: evaluates again what failed, or everything since some time for one rule.

use super::desk::{self, NO_STATE};
use super::objects;
use super::run::{Unused, told, watch_signals, with_progress_bar};
use super::setup::Setup;
use super::state::{Kept, check_outputs};
use crate::args::{AlertFormat, RerunArgs};
use crate::exit::Exit;
use crate::printer::{Printer, counted};
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::store::{AuditEntry, PairFilter};
use iota_engine::text::did_you_mean;
use iota_service::audit;
use iota_service::pipeline::{Clock, Keep, Rerun, RerunResult, RunResult, State};
use iota_service::rules::LoadedPack;
use iota_service::source::s3::{BatchObject, ObjectList};
use iota_service::source::{Input, Inputs, Part, find_inputs};
use iota_service::telemetry::Stats;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) fn rerun(args: &RerunArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let setup = Setup::new(args.state.with(args.rules.given(matches), matches), args.now.as_ref())?;
    let Setup { settings, clock, python, progress } = &setup;
    let Some(place) = &settings.state.value else { bail!("{NO_STATE}") };
    let since_ms = desk::since(args.since.as_ref(), Clock::System.now_ms())?;
    let signal = watch_signals(Arc::clone(&progress.stop))?;
    let mut stats = Stats::new();
    let mut packs = setup.load(&mut stats)?;
    if let Some(rule) = &args.rule {
        only(&mut packs, rule)?;
    }
    check_outputs(args.deliver, settings)?;
    let kept = Kept::open(place, &setup, (args.deliver, false), None)?;
    let durable = kept.durable().again();
    let (mut files, mut objects) = (Vec::new(), None);
    if !args.errors {
        let read = kept.inputs_since(since_ms.unwrap_or_default(), &mut stats)?;
        files = read.0;
        objects = objects::again(read.1, settings, &progress.stop)?;
        tracing::info!("{UNKEPT}");
    }
    let (packs, inputs) = (&packs[..], Inputs { listed: &files, objects: objects.as_ref() });
    let run = setup.run(packs, inputs, Keep::State(State { durable: &durable, desk: kept.desk() }));
    let (clock, limits) = (*clock, settings.limits());
    let again = Rerun { packs, python, clock, limits, durable: &durable, desk: kept.desk() };
    let subject = args.rule.as_deref().unwrap_or("all rules");
    let asked = json!({"errors_only": args.errors, "since": args.since});
    let intent = desk::entry(settings, "rerun", subject, args.why.as_ref())?;
    // Before anything of it is done; and what came of it after.
    kept.desk().record(&AuditEntry { after: Some(asked), ..intent.clone() })?;
    let filter = PairFilter { rule: args.rule.clone(), since_ms, ..PairFilter::default() };
    let mut printer = Printer::new(AlertFormat::Jsonl, true);
    let ((read, pairs), delivered) = with_progress_bar(inputs, progress, || {
        let work = || {
            let read = run.execute(progress, &mut Unused, stats);
            // Also pairs of the rule whose input is not there any more.
            let pairs = again.execute(&filter, progress, Stats::new());
            (read, pairs)
        };
        kept.delivering(&mut printer, &progress.stop, work, || ())
    });
    printer.finish().context("writing alerts")?;
    summarize(&read, &pairs);
    let came = json!({
        "inputs": read.stats.inputs.read, "pairs": pairs.pairs, "settled": pairs.settled,
        "alerts": read.stats.alerts.total + pairs.stats.alerts.total,
    });
    kept.desk().record(&AuditEntry { after: Some(came), ..audit::entry(intent.actor, "rerun.end", subject) })?;
    let RunResult { stats, failure, imbalance, .. } = read;
    if let Some(failure) = failure.or(pairs.failure) {
        return Err(failure.into());
    }
    if let Some(imbalance) = imbalance {
        bail!("internal error, please report it: {imbalance}");
    }
    let undelivered = told(&delivered.context("delivering alerts")?);
    let trouble = pairs.settled < pairs.pairs || pairs.unknown > 0 || stats.rules_in_trouble() || undelivered;
    Ok(match super::run::received(&signal) {
        Some(signal) => Exit::Interrupted(signal),
        None if stats.inputs.unreadable > 0 => Exit::Usage,
        None if trouble => Exit::Partial,
        None => Exit::Ok,
    })
}

/// Said where input is read again: no state knows how much of it there was.
const UNKEPT: &str = "files and objects are read again; events that came in messages of a queue themselves, through a named pipe or \
                      on standard input are kept nowhere, and are not evaluated";

/// Leaves only this rule in the packs.
fn only(packs: &mut [LoadedPack], id: &str) -> anyhow::Result<()> {
    let is_it = |pack: &LoadedPack, index: u16| pack.rule(index).id == id;
    if !packs.iter().any(|pack| pack.runnable.iter().any(|&index| is_it(pack, index))) {
        let ids: BTreeSet<&str> =
            packs.iter().flat_map(|pack| pack.runnable.iter().map(|&index| pack.rule(index).id.as_str())).collect();
        bail!("--rule {id}: there is no such rule among those that run{}", did_you_mean(id, ids));
    }
    for pack in packs {
        let kept: Vec<u16> = pack.runnable.iter().copied().filter(|&index| is_it(pack, index)).collect();
        pack.runnable = kept;
    }
    Ok(())
}

impl Kept {
    /// Files, parts of files and objects that were read since then. Files that are gone are told, and count as unreadable; so
    /// do parts that are, when it is their turn.
    fn inputs_since(&self, since_ms: i64, stats: &mut Stats) -> anyhow::Result<(Vec<Input>, ObjectList)> {
        let (mut inputs, mut objects, mut files) = (Vec::new(), ObjectList::default(), BTreeMap::new());
        self.desk().objects_since(since_ms, &mut |finished| match BatchObject::of_finished(&finished) {
            Some(object) => objects.push(object),
            None => match Part::of_version(&finished.object.version) {
                Some(part) => {
                    inputs.push(Input { terms: Some(finished.terms), ..Input::part(finished.object.object.into(), part) });
                }
                None => drop(files.insert(finished.object.object, finished.terms)),
            },
        })?;
        for (name, terms) in files {
            match find_inputs(&[name.into()]) {
                Ok(found) => inputs.extend(found.inputs.into_iter().map(|input| Input { terms: Some(terms), ..input })),
                Err(error) => {
                    tracing::error!("{error}");
                    stats.inputs.total += 1;
                    stats.inputs.unreadable += 1;
                }
            }
        }
        Ok((inputs, objects))
    }
}

fn summarize(read: &RunResult, pairs: &RerunResult) {
    let alerts = read.stats.alerts.total + pairs.stats.alerts.total;
    let mut parts = vec![
        format!("{} from {}", counted(read.stats.records.read, "record"), counted(read.stats.inputs.read, "input")),
        format!("{} evaluated again, {} settled", counted(pairs.pairs, "failed pair"), pairs.settled),
        counted(alerts, "new alert"),
    ];
    if pairs.unknown > 0 {
        parts.push(format!("{} of rules that do not run", counted(pairs.unknown, "failed pair")));
    }
    tracing::info!("{}", parts.join(", "));
}
