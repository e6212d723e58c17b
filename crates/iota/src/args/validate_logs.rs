//! `iota validate-logs`.

use super::buckets::{BucketArgs, RangeArgs};
use super::values::ReportFormat;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Checks signatures, the chain, that every hour is covered, and the hash of every log file. Ends with 1 if anything is wrong,
with 2 if something could not be read. A copy (`aws s3 sync s3://BUCKET DIR`) needs KEY.metadata.json beside each digest
file: what `aws s3api head-object --bucket BUCKET --key KEY` prints.

Examples:
  iota validate-logs s3://my-trail-bucket --from 2024-07-01 --to 2024-07-31
  iota validate-logs --dir copy/ --public-keys keys.json --from 2024-07-01 --format json")]
pub(crate) struct ValidateLogsArgs {
    #[command(flatten)]
    pub(crate) buckets: BucketArgs,
    /// A copy of a bucket instead
    #[arg(long, value_name = "DIR", conflicts_with_all = ["locations", "config"], requires = "public_keys")]
    pub(crate) dir: Option<PathBuf>,
    /// What `aws cloudtrail list-public-keys --region REGION` printed, instead of asking; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) public_keys: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}
