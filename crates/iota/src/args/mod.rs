//! The command line. One file per command; every flag has its text here.

mod alerts;
mod audit;
mod buckets;
mod check;
mod config;
mod dlq;
mod doctor;
mod explain;
mod gaps;
mod ingest;
mod outputs;
mod rerun;
mod rules;
mod run;
mod settings;
mod suppress;
mod test;
mod validate_logs;
mod values;
mod watch;

pub(crate) use alerts::{AlertsArgs, AlertsCommand, CloseAs};
pub(crate) use audit::{AuditArgs, AuditCommand};
pub(crate) use buckets::{BucketArgs, LedgerArgs, RangeArgs};
pub(crate) use check::{CheckArgs, CheckFormat};
pub(crate) use config::{ConfigArgs, ConfigCommand};
pub(crate) use dlq::{ChangeArgs, DlqArgs, DlqCommand};
pub(crate) use doctor::DoctorArgs;
pub(crate) use explain::{ExplainArgs, ExplainFormat};
pub(crate) use gaps::{GapsArgs, GapsFormat};
pub(crate) use ingest::{IngestArgs, IngestCommand};
pub(crate) use outputs::{OutputsArgs, OutputsCommand};
pub(crate) use rerun::RerunArgs;
pub(crate) use rules::{RulesCommand, RulesCommandArgs};
pub(crate) use run::{EmitWhen, RunArgs};
pub(crate) use settings::{DeskArgs, PythonArgs, RulesArgs, StateArgs};
pub(crate) use suppress::{SuppressArgs, SuppressCommand};
pub(crate) use test::{TestArgs, TestFormat};
pub(crate) use validate_logs::ValidateLogsArgs;
pub(crate) use values::{AlertFormat, ListFormat, ReportFormat};
pub(crate) use watch::WatchArgs;

use crate::environment;
use clap::builder::styling::{AnsiColor, Styles};
use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, ArgMatches, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use doctor::DOCTOR_HELP;
use iota_engine::text::suggestion;
use std::collections::BTreeSet;
use std::path::PathBuf;

const STYLES: Styles = Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  iota run logs/ --rules rules/aws_cloudtrail            alerts for a directory of CloudTrail files
  aws s3 cp s3://bucket/key - | iota run - --rules DIR   alerts for one object
  iota test rules/aws_cloudtrail                         run the tests of a rule pack
  iota check rules/aws_cloudtrail                        find broken and suspicious rules
  iota explain rules/aws_cloudtrail/root_activity.yml    which records the rule is run on, and why

Exit codes: 0 ok; 1 findings asked to fail on, failed tests, problems found by check; 2 usage, configuration or
unreadable input; 3 finished, but records were rejected or rules failed; 128+n ended by signal n.";

/// Runs Python detection rules over AWS CloudTrail, inside your own account.
#[derive(Debug, Parser)]
#[command(name = "iota", version, styles = STYLES, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) original: OriginalArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// `iota --jsonl FILE --rules DIR`: the command line of the first iota.
#[derive(Debug, Args)]
pub(crate) struct OriginalArgs {
    /// CloudTrail file to read (same as `iota run FILE`)
    #[arg(long, value_name = "FILE")]
    pub(crate) jsonl: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run rules over files, directories or standard input and print the alerts
    Run(RunArgs),
    /// Evaluate again what failed, or what a rule has missed, under the same alert ids
    Rerun(RerunArgs),
    /// Check where packs come from, and fetch them
    Rules(RulesCommandArgs),
    /// Watch queues, buckets, directories and pipes, and alert as events come, until told to end
    Watch(WatchArgs),
    /// Check everything that watch needs, and say what is missing
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Run the tests of rule packs
    Test(TestArgs),
    /// Find broken and suspicious rules without running them on events
    Check(CheckArgs),
    /// Say on which records a rule is skipped, and what became of given ones
    Explain(ExplainArgs),
    /// Copy CloudTrail's objects from S3 to JSON lines on disk, each record once
    Ingest(IngestArgs),
    /// Check CloudTrail's log files against its signed digest files
    ValidateLogs(ValidateLogsArgs),
    /// List objects that CloudTrail delivered and nobody has read
    Gaps(GapsArgs),
    /// List, show, send again and close the alerts that state keeps
    Alerts(AlertsArgs),
    /// Look at deliveries that were given up; send them again or drop them
    Dlq(DlqArgs),
    /// Show the suppressions and what they hide
    Suppress(SuppressArgs),
    /// Show the outputs and what waits for them; send a test alert
    Outputs(OutputsArgs),
    /// Show who changed what, and whether that record was tampered with
    Audit(AuditArgs),
    /// Show the settings in force
    Config(ConfigArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Write manual pages, one for each command, into a directory
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Log more (twice: everything)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Logging")]
    pub(crate) verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Logging")]
    pub(crate) quiet: bool,
    /// Form of the logs on standard error
    #[arg(long, global = true, env = "IOTA_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto, help_heading = "Logging")]
    pub(crate) log_format: LogFormat,
    /// Log filter, e.g. `info,iota_python=debug`; wins over -v and -q
    #[arg(long, global = true, env = "IOTA_LOG", value_name = "FILTER", help_heading = "Logging")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Human on a terminal, JSON otherwise
    Auto,
    Human,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// Shell to complete for
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Directory for the pages; made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// An error about a value that came from the environment says so, instead of naming a flag that nobody gave.
pub(crate) fn naming_the_variable(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    let long = flag.split([' ', '=']).next().unwrap_or_default();
    let given = std::env::args().any(|argument| argument.split('=').next() == Some(long));
    let variable = variable_of(&Cli::command(), long.trim_start_matches("--"));
    if let Some(variable) = variable.filter(|_| !given) {
        error.insert(ContextKind::InvalidArg, ContextValue::String(format!("{variable}, which stands for {flag}")));
    }
    error
}

/// The environment variable of a flag, wherever among the commands it is.
fn variable_of(command: &clap::Command, long: &str) -> Option<String> {
    let own = command.get_arguments().find(|argument| argument.get_long() == Some(long));
    let variable = own.and_then(|argument| Some(argument.get_env()?.to_string_lossy().into_owned()));
    variable.or_else(|| command.get_subcommands().find_map(|below| variable_of(below, long)))
}

/// Names of variables that are nearly those of ours; each with the one that was probably meant. Others are let be:
/// configuration files refer to variables of any name (`env:NAME`), and Kubernetes makes some for a service named `iota`.
pub(crate) fn mistyped_variables() -> Vec<(String, String)> {
    let mut known = BTreeSet::new();
    variables(&Cli::command(), &mut known);
    let mistyped = environment::beginning_with(VARIABLES).into_iter().filter(|name| !known.contains(name));
    let meant = |name: String| {
        let meant = suggestion(&name, known.iter().map(String::as_str))?;
        Some((format!("{VARIABLES}{name}"), format!("{VARIABLES}{meant}")))
    };
    mistyped.filter_map(meant).collect()
}

/// What the names of all variables begin with that stand for a flag.
const VARIABLES: &str = "IOTA_";

/// The rest of their names.
fn variables(command: &clap::Command, known: &mut BTreeSet<String>) {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()?.strip_prefix(VARIABLES));
    known.extend(own.map(str::to_owned));
    for below in command.get_subcommands() {
        variables(below, known);
    }
}

/// The matches of the innermost subcommand.
pub(crate) fn subcommand(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, matches)| subcommand(matches))
}
