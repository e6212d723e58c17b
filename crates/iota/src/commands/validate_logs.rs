//! `iota validate-logs`

use super::buckets::{block_on, check, now_ms, wanted};
use crate::args::{ReportFormat, ValidateLogsArgs};
use crate::exit::Exit;
use crate::printer::{counted, write_json};
use anyhow::{Context, bail};
use iota_engine::text::printable;
use iota_service::aws::Access;
use iota_service::ingest::IngestConfig;
use iota_service::integrity::{Expected, LogStore, PublicKeys, Report, validate};
use std::io::{self, Write};

pub(crate) fn validate_logs(args: &ValidateLogsArgs) -> anyhow::Result<Exit> {
    let config = match &args.dir {
        Some(_) => {
            let (accounts, regions) = (args.buckets.account.clone(), args.buckets.region.clone());
            IngestConfig { accounts, regions, ..IngestConfig::default() }
        }
        None => args.buckets.config(None)?,
    };
    check(&config)?;
    let now_ms = now_ms();
    let range = args.range.range(now_ms)?;
    let Some(from_ms) = range.from_ms else { bail!("since when? give --from TIME or --since DURATION") };
    let expected = Expected { from_ms, to_ms: range.to_ms.unwrap_or(now_ms), now_ms };
    let wanted = wanted(&config);
    let report = block_on(async {
        let mut all = Report::default();
        let mut stores = Vec::new();
        if let Some(directory) = &args.dir {
            std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
            stores.push(LogStore::directory(directory));
        }
        for trail in &config.trails {
            stores.push(LogStore::s3(trail).await?);
        }
        for store in stores {
            let mut keys = if args.public_keys.is_empty() {
                // Any account may ask for them, so the role that reads the bucket is not needed.
                PublicKeys::of_api(Access::default())
            } else {
                PublicKeys::of_files(&args.public_keys)?
            };
            all.add(validate(store, &mut keys, &wanted, expected).await?);
        }
        anyhow::Ok(all)
    })??;
    print(&report, args.format)?;
    if report.digests_valid + report.digests_invalid == 0 {
        bail!("there are no digest files of that time; is log file validation turned on, and the prefix right?");
    }
    Ok(if report.is_clean() { Exit::Ok } else { Exit::Findings })
}

fn print(report: &Report, format: ReportFormat) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        ReportFormat::Json => {
            write_json(&mut out, report, true)?;
        }
        ReportFormat::Text => {
            for finding in &report.findings {
                let code = serde_json::to_value(finding.code)?;
                let trail = finding.trail.as_deref().unwrap_or("-");
                let about = finding.object.as_deref().unwrap_or("-");
                let line = format!(
                    "{} {} {} {trail} {about}: {}",
                    code.as_str().unwrap_or_default(),
                    finding.account,
                    finding.region,
                    finding.message
                );
                writeln!(out, "{}", printable(&line))?;
            }
            writeln!(
                out,
                "{} valid, {} not; {} valid, {} not; {} not covered",
                counted(report.digests_valid, "digest file"),
                report.digests_invalid,
                counted(report.logs_valid, "log file"),
                report.logs_invalid,
                counted(report.hours_missing, "hour"),
            )?;
        }
    }
    Ok(())
}
