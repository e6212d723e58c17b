//! `iota ingest`.

use super::buckets::{BucketArgs, LedgerArgs, RangeArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Can be ended at any time and started again: nothing is lost, and no record is written twice. Ends with 3 if records could
not be read (they are kept in EVENTS_DIR/.rejected), with 2 if objects could not be read (they are tried again next time).

Examples:
  iota ingest s3://my-trail-bucket --since 24h
  iota ingest s3://org-trail/prefix --from 2024-07-01 --to 2024-07-31 --account 111122223333 --region eu-west-1
  iota ingest init > ingest.json && iota ingest --config ingest.json --follow"
)]
pub(crate) struct IngestArgs {
    #[command(subcommand)]
    pub(crate) command: Option<IngestCommand>,
    #[command(flatten)]
    pub(crate) buckets: BucketArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Objects that are downloaded at once [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) download_workers: Option<usize>,
    /// Objects that are decoded at once [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) process_workers: Option<usize>,
    /// Go on with what is delivered later, until ended by a signal
    #[arg(long, conflicts_with = "to")]
    pub(crate) follow: bool,
    /// With --follow: how long to wait between two looks
    #[arg(long, value_name = "DURATION", default_value = "1m", requires = "follow")]
    pub(crate) poll_interval: String,
    /// Write the accounting to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IngestCommand {
    /// Print a configuration made from the trails that this account and region see
    Init,
}
