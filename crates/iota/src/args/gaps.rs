//! `iota gaps`.

use super::buckets::{BucketArgs, LedgerArgs, RangeArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Compares the objects in the bucket and those that digest files list with what `iota ingest` has read or, with --state, with
what `iota run` and `iota watch` have evaluated. Ends with 1 if there are any that were not.

Examples:
  iota gaps s3://my-trail-bucket --state-db ingest.db --from 2024-07-01 --to 2024-07-31
  iota gaps --config ingest.json --since 48h --fetch
  iota gaps s3://my-trail-bucket --state dynamodb:iota --since 48h
  iota gaps s3://my-trail-bucket --state /var/lib/iota --since 48h --format urls |
    xargs -r -d '\\n' iota run --state /var/lib/iota --rules my_rules")]
pub(crate) struct GapsArgs {
    #[command(flatten)]
    pub(crate) buckets: BucketArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Compare with the state of `iota run` and `iota watch`: its directory or `dynamodb:TABLE`; may be in use
    #[arg(long, value_name = "DIR", conflicts_with_all = ["state_db", "events_dir"])]
    pub(crate) state: Option<PathBuf>,
    /// Read those that are in the bucket, as `iota ingest` does
    #[arg(long)]
    pub(crate) fetch: bool,
    /// Form of the list on standard output
    #[arg(long, value_enum, default_value_t = GapsFormat::Text)]
    pub(crate) format: GapsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GapsFormat {
    Text,
    /// One JSON object per line
    Json,
    /// Those that can be read, one URL per line
    Urls,
}
