//! `iota doctor`.

use super::values::ReportFormat;
use super::watch::WatchArgs;
use clap::Args;

/// Here, because `WatchArgs` brings a text of its own.
pub(super) const DOCTOR_HELP: &str = "\
Takes the flags of `iota watch`, so that the same line can be tried. Each check ends with ok, warning or FAILED; what is
missing is printed as the IAM statement or the setting. Nothing is changed, and no alert is sent (`iota outputs test` does).
Asks the network for nothing when everything that is configured is local. Ends with 1 if a check failed.

Examples:
  iota doctor --queue-url https://sqs.eu-west-1.amazonaws.com/111122223333/cloudtrail --bucket my-trail --rules my_rules
  iota doctor --events-dir /var/log/cloudtrail --rules rules/aws_cloudtrail --state /var/lib/iota
  iota doctor --config iota.yaml --format json";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}
