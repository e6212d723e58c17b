//! `iota gaps`.

use super::buckets::{BucketArgs, LedgerArgs, RangeArgs};
use super::values::ReportFormat;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Compares the objects in the bucket and those that digest files list with what `iota ingest` has read. Ends with 1 if there
are any that were not.

Examples:
  iota gaps s3://my-trail-bucket --state-db ingest.db --from 2024-07-01 --to 2024-07-31
  iota gaps --config ingest.json --since 48h --fetch")]
pub(crate) struct GapsArgs {
    #[command(flatten)]
    pub(crate) buckets: BucketArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Read those that are in the bucket
    #[arg(long)]
    pub(crate) fetch: bool,
    /// Form of the list on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}
