//! What the commands that read buckets have in common: flags to trails, filters and times.

use crate::args::{BucketArgs, LedgerArgs, RangeArgs};
use anyhow::{Context, bail};
use iota_engine::event::parse_ms;
use iota_engine::object::Day;
use iota_service::ingest::IngestConfig;
use iota_service::source::s3::{Location, Range, TrailConfig, Wanted};
use jiff::{SignedDuration, Timestamp};
use std::future::Future;

impl BucketArgs {
    /// The configuration file, or one made of the flags.
    pub(super) fn config(&self, ledger: Option<&LedgerArgs>) -> anyhow::Result<IngestConfig> {
        let mut config = match &self.config {
            Some(path) => IngestConfig::read(path)?,
            None => IngestConfig { trails: self.trails()?, ..IngestConfig::default() },
        };
        if !self.account.is_empty() {
            config.accounts.clone_from(&self.account);
        }
        if !self.region.is_empty() {
            config.regions.clone_from(&self.region);
        }
        if let Some(directory) = ledger.and_then(|ledger| ledger.events_dir.as_ref()) {
            config.events_dir.clone_from(directory);
        }
        if let Some(path) = ledger.and_then(|ledger| ledger.state_db.as_ref()) {
            config.state_db.clone_from(path);
        }
        if config.trails.is_empty() {
            bail!("no bucket given; name one as s3://BUCKET/PREFIX, or a file that names trails with --config");
        }
        Ok(config)
    }

    fn trails(&self) -> anyhow::Result<Vec<TrailConfig>> {
        let trail = |text: &String| -> anyhow::Result<TrailConfig> {
            let Location { bucket, prefix } = text.parse()?;
            Ok(TrailConfig {
                name: text.clone(),
                bucket,
                prefix,
                region: self.bucket_region.clone(),
                role_arn: self.role_arn.clone(),
                external_id: self.external_id.clone(),
                endpoint_url: self.endpoint_url.clone(),
                path_style: self.path_style,
                requester_pays: self.requester_pays,
            })
        };
        self.locations.iter().map(trail).collect()
    }
}

/// Flags are checked as the file is.
pub(super) fn check(config: &IngestConfig) -> anyhow::Result<()> {
    config.check().map_err(|(key, message)| anyhow::anyhow!("{key}: {message}"))
}

pub(super) fn wanted(config: &IngestConfig) -> Wanted {
    Wanted { accounts: config.accounts.clone(), regions: config.regions.clone(), kinds: Vec::new() }
}

impl RangeArgs {
    pub(super) fn range(&self, now_ms: i64) -> anyhow::Result<Range> {
        let from_ms = match (&self.from, &self.since) {
            (Some(text), _) => Some(time("--from", text)?.0),
            (None, Some(text)) => {
                let since = duration("--since", text)?;
                Some(now_ms.saturating_sub(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
            }
            (None, None) => None,
        };
        // A day is meant with its end.
        let to_ms = self.to.as_ref().map(|text| time("--to", text)).transpose()?.map(|(start, end)| end.unwrap_or(start));
        if from_ms.zip(to_ms).is_some_and(|(from, to)| from >= to) {
            bail!("--to lies before --from");
        }
        Ok(Range { from_ms, to_ms })
    }
}

/// A time, or the start of a day and its end.
fn time(flag: &str, text: &str) -> anyhow::Result<(i64, Option<i64>)> {
    let parts: Vec<_> = text.split('-').collect();
    if let [year, month, day] = parts[..]
        && let Some(day) = Day::of_parts(year, month, day)
    {
        return Ok((day.start_ms(), Some(day.after().start_ms())));
    }
    let ms = parse_ms(text).with_context(|| {
        format!("{flag} {text:?}: a time such as 2024-07-15T10:00:00Z or a day such as 2024-07-15 was expected")
    })?;
    Ok((ms, None))
}

pub(super) fn duration(flag: &str, text: &str) -> anyhow::Result<SignedDuration> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed
        .filter(jiff::SignedDuration::is_positive)
        .with_context(|| format!("{flag} {text:?}: a duration such as 90s, 30m or 36h was expected"))
}

pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Runs to its end what waits for the network.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting")?;
    Ok(runtime.block_on(work))
}
