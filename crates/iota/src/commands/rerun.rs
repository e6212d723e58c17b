//! `iota rerun`: evaluates again what failed, or everything since some time for one rule.

use super::desk::{self, NO_STATE};
use super::objects;
use super::run::{Unused, report_load, report_sandbox, time, told, watch_signals, with_progress_bar};
use super::state::{Kept, check_outputs};
use crate::args::{AlertFormat, RerunArgs};
use crate::exit::Exit;
use crate::printer::{Printer, counted};
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::store::PairFilter;
use iota_engine::text::did_you_mean;
use iota_service::config::Settings;
use iota_service::pipeline::{Clock, Emit, FastPath, Progress, Rerun, RerunResult, Run, RunResult};
use iota_service::rules::{LoadedPack, Which, load_packs};
use iota_service::source::s3::BatchObject;
use iota_service::source::{Input, find_inputs};
use iota_service::telemetry::Stats;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) fn rerun(args: &RerunArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let settings = Settings::resolve(args.state.with(args.rules.given(matches), matches))?;
    let Some(place) = &settings.state.value else { bail!("{NO_STATE}") };
    if settings.rules.value.is_empty() {
        bail!("no rules given; name a rule directory with --rules DIR");
    }
    let now_ms = time("--now", args.now.as_ref())?;
    let clock = now_ms.map_or(Clock::System, Clock::Fixed);
    let since_ms = desk::since(args.since.as_ref(), Clock::System.now_ms())?;
    let python = super::find_python(&settings, now_ms)?;
    let progress = Progress { stop: Arc::clone(&python.program.stop), ..Progress::default() };
    let signal = watch_signals(Arc::clone(&progress.stop))?;
    let mut packs = load_packs(&settings.rules.value, &settings, &python, Which::Enabled)?;
    let mut stats = Stats::new();
    report_sandbox(&python, &mut stats);
    report_load(&packs, &mut stats);
    if let Some(rule) = &args.rule {
        only(&mut packs, rule)?;
    }
    check_outputs(args.deliver, &settings)?;
    let kept = Kept::open(place, &settings, (args.deliver, false), clock)?;
    let durable = kept.durable().again();
    let mut inputs = Vec::new();
    if !args.errors {
        let (files, objects) = kept.inputs_since(since_ms.unwrap_or_default(), &mut stats)?;
        inputs.extend(files);
        inputs.extend(objects::again(objects, &settings, &progress.stop)?);
    }
    let (packs, inputs) = (&packs[..], &inputs[..]);
    let run = Run {
        packs,
        python: &python,
        inputs,
        clock,
        limits: settings.limits(),
        workers: settings.workers.value,
        emit: Emit::First,
        updates: false,
        fast_path: FastPath::On { verify: 0.0 },
        durable: Some(&durable),
    };
    let limits = settings.limits();
    let again = Rerun { packs, python: &python, clock, limits, durable: &durable, desk: kept.desk() };
    let filter = PairFilter { rule: args.rule.clone(), since_ms, ..PairFilter::default() };
    let mut printer = Printer::new(AlertFormat::Jsonl, true);
    let ((read, pairs), delivered) = with_progress_bar(inputs, &progress, || {
        let work = || {
            let read = run.execute(&progress, &mut Unused, stats);
            // Also pairs of the rule whose input is not there any more.
            let pairs = again.execute(&filter, &progress, Stats::new());
            (read, pairs)
        };
        kept.delivering(&mut printer, &progress.stop, work, || ())
    });
    printer.finish().context("writing alerts")?;
    summarize(&read, &pairs);
    let mut entry = desk::entry("rerun", args.rule.as_deref().unwrap_or("all rules"), args.why.as_ref());
    entry.after = Some(json!({
        "errors_only": args.errors, "since": args.since, "inputs": read.stats.inputs.read, "pairs": pairs.pairs,
        "settled": pairs.settled, "alerts": read.stats.alerts.total + pairs.stats.alerts.total,
    }));
    kept.desk().record(&entry)?;
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
    /// Files and objects that were read since then. Files that are gone are told, and count as unreadable.
    fn inputs_since(&self, since_ms: i64, stats: &mut Stats) -> anyhow::Result<(Vec<Input>, Vec<BatchObject>)> {
        let (mut inputs, mut objects, mut files) = (Vec::new(), Vec::new(), BTreeMap::new());
        for finished in self.desk().objects_since(since_ms)? {
            match BatchObject::of_finished(&finished) {
                Some(object) => objects.push(object),
                None => drop(files.insert(finished.object.object, finished.terms)),
            }
        }
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
