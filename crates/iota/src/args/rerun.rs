//! `iota rerun`.

use super::settings::{RulesArgs, StateArgs};
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
New alerts leave as those of `iota run --state` do; nothing that was counted before counts again.
With --rule and without --errors, files and objects are read again. A file, or a part of one, that is gone or has been replaced
is told, and the exit code is 2. Events that came in messages of a queue themselves (EventBridge), through a named pipe or on
standard input are kept nowhere and cannot be read again.

Examples:
  iota rerun --errors --rules my_rules --state /var/lib/iota
  iota rerun --errors --rule aws.cloudtrail.trail-stopped --rules my_rules --state /var/lib/iota
  iota rerun --rule new.rule --since 2024-07-01T00:00:00Z --rules my_rules --state /var/lib/iota")]
#[command(group = clap::ArgGroup::new("what").args(["errors", "rule"]).required(true).multiple(true))]
pub(crate) struct RerunArgs {
    /// Evaluate the (record, rule) pairs again that failed or were not run, from their stored bytes
    #[arg(long)]
    pub(crate) errors: bool,
    /// Only this rule; without `--errors`, on everything that was read since `--since` and is still there
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Option<String>,
    /// Only what was read or failed since then: a time (RFC 3339), or an age such as 24h
    #[arg(long, value_name = "TIME", required_unless_present = "errors")]
    pub(crate) since: Option<String>,
    /// Take this for the current time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Send new alerts to the configured outputs instead of standard output
    #[arg(long)]
    pub(crate) deliver: bool,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}
