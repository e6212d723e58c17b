//! What the commands have in common that read a log bucket.

use clap::Args;
use std::path::PathBuf;

/// Which buckets, and how they are reached.
#[derive(Debug, Args)]
pub(crate) struct BucketArgs {
    /// Where a trail delivers to, as s3://BUCKET or s3://BUCKET/PREFIX
    #[arg(value_name = "S3_URL", conflicts_with = "config")]
    pub(crate) locations: Vec<String>,
    /// Configuration file with trails and directories, JSON or YAML
    #[arg(long, env = "IOTA_INGEST_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Only this account; may be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) account: Vec<String>,
    /// Only this region; may be given several times
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Vec<String>,
    /// Region of the bucket [default: that of the environment or profile]
    #[arg(long, value_name = "REGION", requires = "locations", help_heading = "Access")]
    pub(crate) bucket_region: Option<String>,
    /// Address of S3 instead of that of AWS
    #[arg(long, value_name = "URL", requires = "locations", help_heading = "Access")]
    pub(crate) endpoint_url: Option<String>,
    /// Name the bucket in the path and not in the host
    #[arg(long, requires = "locations", help_heading = "Access")]
    pub(crate) path_style: bool,
    /// Agree to pay for the requests
    #[arg(long, requires = "locations", help_heading = "Access")]
    pub(crate) requester_pays: bool,
    /// Role to assume for reading
    #[arg(long, value_name = "ARN", requires = "locations", help_heading = "Access")]
    pub(crate) role_arn: Option<String>,
    /// External id that the role asks for
    #[arg(long, value_name = "ID", requires = "role_arn", help_heading = "Access")]
    pub(crate) external_id: Option<String>,
}

/// Which objects, by the time of their delivery.
#[derive(Debug, Args)]
pub(crate) struct RangeArgs {
    /// Delivered at this time (RFC 3339) or on this day (YYYY-MM-DD, UTC), or later
    #[arg(long, value_name = "TIME", conflicts_with = "since")]
    pub(crate) from: Option<String>,
    /// Delivered before this time, or on or before this day
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Delivered no longer ago than this, e.g. 36h
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<String>,
}

/// Where records go and what is kept about them.
#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    /// Where records go, as ACCOUNT/REGION/YYYY/MM/DD/HH/*.jsonl [default: events]
    #[arg(long, value_name = "DIR")]
    pub(crate) events_dir: Option<PathBuf>,
    /// What has been read, in SQLite [default: ingest.db]
    #[arg(long, value_name = "FILE")]
    pub(crate) state_db: Option<PathBuf>,
}
