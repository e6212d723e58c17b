//! `iota run`.

use super::settings::{RulesArgs, StateArgs};
use super::values::{AlertFormat, parse_severity};
use clap::{Args, ValueEnum};
use iota_engine::alert::Severity;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Reads JSON lines, {\"Records\": [...]}, arrays and single objects, EventBridge envelopes, `aws cloudtrail lookup-events`
output and CloudWatch Logs subscription payloads, plain or gzip, told by content.

Examples:
  iota run events.json.gz --rules rules/aws_cloudtrail
  iota run AWSLogs/ --rules rules/aws_cloudtrail --rules my_rules --format table
  tail -F events.jsonl | iota run - --rules my_rules
  iota run logs/ --rules my_rules --state /var/lib/iota     only what is new, nothing lost in a crash
  iota run logs/ --rules rules/aws_cloudtrail --fail-on HIGH --stats stats.json > alerts.jsonl")]
pub(crate) struct RunArgs {
    /// Files or directories (read recursively); `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Form of the alerts on standard output
    #[arg(long, value_enum, default_value_t = AlertFormat::Jsonl)]
    pub(crate) format: AlertFormat,
    /// When alerts are written: when created, or with their final counts at the end [default: first for `-`, else final]
    #[arg(long, value_enum)]
    pub(crate) emit: Option<EmitWhen>,
    /// With `--emit first`: write an alert again (`"action": "update"`) when its count reaches 10, 100, 1000, 10000
    #[arg(long)]
    pub(crate) updates: bool,
    /// Exit with 1 if an alert is at least this severe
    #[arg(long, value_name = "SEVERITY", ignore_case = true, value_parser = parse_severity)]
    pub(crate) fail_on: Option<Severity>,
    /// Write the accounting of the run to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
    /// Run every rule on every record, also where its source says that it cannot match
    #[arg(long, conflicts_with = "verify_fast_path")]
    pub(crate) no_fast_path: bool,
    /// Also run this part of the skipped (rule, record) pairs, from 0 to 1, and fail if one of them should not have been
    #[arg(long, value_name = "RATE", num_args = 0..=1, require_equals = true, default_missing_value = "1", value_parser = parse_rate)]
    pub(crate) verify_fast_path: Option<f64>,
    /// Take this for the current time (RFC 3339), so that two runs give the same bytes
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// With `--state`: send alerts to the outputs of the configuration file instead of standard output
    #[arg(long)]
    pub(crate) deliver: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EmitWhen {
    First,
    Final,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)).ok_or_else(|| "a number from 0 to 1 was expected".to_owned())
}
