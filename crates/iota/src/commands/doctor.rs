//! `iota doctor`

use super::sources::Sources;
use super::{buckets, watch};
use crate::args::{DoctorArgs, ReportFormat};
use crate::environment;
use crate::exit::Exit;
use crate::printer::{counted, write_json};
use clap::ArgMatches;
use iota_engine::text::printable;
use iota_service::aws::Secrets;
use iota_service::config::Settings;
use iota_service::doctor::{BucketPlan, Finding, Level, Plan, Remedy, examine};
use iota_service::output::config::Surroundings;
use serde_json::json;
use std::io::{self, Write};

pub(crate) fn doctor(args: &DoctorArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let settings = Settings::resolve(args.watch.given(matches))?;
    let sources = Sources::of(&args.watch, &settings)?;
    // What watch would refuse is refused here as well.
    watch::Times::of(&args.watch)?;
    let secrets = Secrets::default();
    let plan = Plan {
        queues: sources.queues.clone(),
        buckets: buckets_of(&sources),
        directories: sources.directories.clone(),
        state: watch::state_place(&settings),
        surroundings: Surroundings {
            environment: &environment::variable,
            secrets_manager: Some(&secrets),
            directory: &settings.alerts.directory,
        },
        path_variable: environment::path(),
        cache: environment::cache_directory(),
        settings: &settings,
    };
    let mut findings = Vec::new();
    let mut written = Ok(());
    let mut tell = |finding: Finding| {
        if args.format == ReportFormat::Text && written.is_ok() {
            written = text(&finding);
        }
        findings.push(finding);
    };
    sources_of(&sources).into_iter().for_each(&mut tell);
    buckets::block_on(examine(&plan, &mut tell))?;
    written?;
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (ok, warnings, failed) = (count(Level::Ok), count(Level::Warning), count(Level::Failed));
    let mut out = io::stdout().lock();
    match args.format {
        ReportFormat::Text => writeln!(out, "{ok} ok, {}, {failed} failed", counted(warnings, "warning"))?,
        ReportFormat::Json => {
            let report = json!({"ok": ok, "warnings": warnings, "failed": failed, "findings": findings});
            write_json(&mut out, &report, true)?;
        }
    }
    Ok(if failed > 0 { Exit::Findings } else { Exit::Ok })
}

/// Each bucket once.
fn buckets_of(sources: &Sources) -> Vec<BucketPlan> {
    let listed = sources.polls.iter().map(|poll| BucketPlan { trail: poll.trail.clone(), is_listed: true });
    let named = sources.named.iter().filter(|named| !sources.polls.iter().any(|poll| poll.trail.bucket == named.bucket));
    listed.chain(named.map(|trail| BucketPlan { trail: trail.clone(), is_listed: false })).collect()
}

fn sources_of(sources: &Sources) -> Option<Finding> {
    let warning = |found: &str, mend: &str| Finding {
        check: "sources",
        subject: "sources".to_owned(),
        level: Level::Warning,
        found: found.to_owned(),
        remedies: vec![Remedy::Setting(mend.to_owned())],
    };
    if sources.is_empty() {
        return Some(warning("there is nothing to watch", "name --queue-url, --s3 or --events-dir, or `sources:` in the file"));
    }
    sources.reads_every_bucket().then(|| {
        warning(
            "objects of every bucket that a message names are read, so no bucket was looked at",
            "name yours with --bucket, or in `sources.buckets`",
        )
    })
}

fn text(finding: &Finding) -> io::Result<()> {
    let level = match finding.level {
        Level::Ok => "ok",
        Level::Warning => "warning",
        Level::Failed => "FAILED",
    };
    let mut out = io::stdout().lock();
    let line = format!("{level:<8} {:<13} {}: {}", finding.check, finding.subject, finding.found);
    writeln!(out, "{}", printable(&line))?;
    for remedy in &finding.remedies {
        match remedy {
            Remedy::Setting(text) => writeln!(out, "         -> {}", printable(text))?,
            Remedy::Statement { policy, statement } => {
                writeln!(out, "         -> add to the {}:", printable(policy))?;
                for line in format!("{statement:#}").lines() {
                    writeln!(out, "            {}", printable(line))?;
                }
            }
        }
    }
    Ok(())
}
