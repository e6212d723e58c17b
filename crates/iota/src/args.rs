//! The command line. One struct per command; every flag has its text here.

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use iota_engine::alert::Severity;
use iota_engine::store::Status;
use iota_service::config::{Given, Origin, Setting};
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
    /// List objects that CloudTrail delivered and `iota ingest` has not read
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

/// How rules are run; also settable in the configuration file.
#[derive(Debug, Args, Clone)]
pub(crate) struct PythonArgs {
    /// Configuration file [nothing is read when this is not given]
    #[arg(long, env = "IOTA_CONFIG", value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,
    /// Python 3.11 or newer that runs the rules [default: python3]
    #[arg(long, env = "IOTA_PYTHON", value_name = "PYTHON", help_heading = "Settings")]
    pub(crate) python: Option<String>,
    /// Engine file that Python runs instead of the built-in worker
    #[arg(long, env = "IOTA_ENGINE", value_name = "FILE", help_heading = "Settings")]
    pub(crate) engine: Option<PathBuf>,
    /// How long one rule may take on one record [default: 1s]
    #[arg(long, env = "IOTA_RULE_TIMEOUT", value_name = "TIME", help_heading = "Settings")]
    pub(crate) rule_timeout: Option<String>,
    /// Address space of one worker [default: 512MiB]
    #[arg(long, env = "IOTA_WORKER_MEMORY", value_name = "SIZE", help_heading = "Settings")]
    pub(crate) worker_memory: Option<String>,
    /// What rules are kept from: auto (all that the kernel can), strict (refuse without Landlock), off [default: auto]
    #[arg(long, env = "IOTA_SANDBOX", value_name = "MODE", help_heading = "Settings")]
    pub(crate) sandbox: Option<String>,
}

#[derive(Debug, Args, Clone)]
pub(crate) struct RulesArgs {
    /// Rule directory; may be given several times, each is a pack of its own
    #[arg(long, env = "IOTA_RULES", value_name = "DIR", value_delimiter = ':', action = ArgAction::Append, help_heading = "Settings")]
    pub(crate) rules: Option<Vec<PathBuf>>,
    /// Python workers [default: number of cores]
    #[arg(long, env = "IOTA_WORKERS", value_name = "N", value_parser = parse_workers, help_heading = "Settings")]
    pub(crate) workers: Option<usize>,
    /// Largest record, e.g. 16MiB [default: 16MiB]
    #[arg(long, env = "IOTA_MAX_RECORD", value_name = "SIZE", help_heading = "Settings")]
    pub(crate) max_record: Option<String>,
    /// Most bytes that one gzip input may inflate to [default: 16GiB]
    #[arg(long, env = "IOTA_MAX_INFLATED", value_name = "SIZE", help_heading = "Settings")]
    pub(crate) max_inflated: Option<String>,
    #[command(flatten)]
    pub(crate) python: PythonArgs,
}

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

#[derive(Debug, Args)]
#[command(after_help = "\
New alerts leave as those of `iota run --state` do; nothing that was counted before counts again.

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
    /// Only what was read or failed since then (RFC 3339)
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

/// Where state is kept; also settable in the configuration file.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct StateArgs {
    /// Directory that keeps what was read and found, so that alerts survive crashes and input is read once; or
    /// `dynamodb:TABLE` [default: nothing is kept]
    #[arg(long, env = "IOTA_STATE", value_name = "DIR", help_heading = "Settings")]
    pub(crate) state: Option<PathBuf>,
}

impl WatchArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        Given { state: setting(matches, "state", "IOTA_STATE", self.state.clone()), ..self.rules.given(matches) }
    }
}

impl StateArgs {
    /// Adds it to what else was given.
    pub(crate) fn with(&self, given: Given, matches: &ArgMatches) -> Given {
        Given { state: setting(matches, "state", "IOTA_STATE", self.state.clone()), ..given }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Sources can be combined; those of the configuration file (sources:) are read as well, unless a flag names others of their
kind. What was read is noted in the state directory together with what was found, so that after an end of any kind the next
start goes on there; a message is deleted only after that. SIGTERM ends it; SIGHUP, or a change of the rule files, has the
rules read again.

Files are read as they are made, appended to, rotated or replaced, at any depth; gzip and JSON documents when they have not
changed for a second.

Examples:
  iota watch --queue-url https://sqs.eu-west-1.amazonaws.com/111122223333/cloudtrail --bucket my-trail --rules my_rules
  iota watch --s3 s3://my-trail --poll-interval 5m --rules rules/aws_cloudtrail
  iota watch --events-dir /var/log/cloudtrail --rules rules/aws_cloudtrail --state /var/lib/iota
  iota watch --events-dir events --rules my_rules --from now
  tail -F events.jsonl | iota watch - --rules my_rules")]
pub(crate) struct WatchArgs {
    /// Named pipe, or `-` for standard input, with JSON lines; may be given several times
    #[arg(value_name = "PIPE")]
    pub(crate) pipes: Vec<PathBuf>,
    /// Queue of SQS that tells of new objects, or holds events of EventBridge; may be given several times
    #[arg(long, value_name = "URL")]
    pub(crate) queue_url: Vec<String>,
    /// Place that is listed for new objects, s3://BUCKET or s3://BUCKET/PREFIX; may be given several times
    #[arg(long, value_name = "S3_URL")]
    pub(crate) s3: Vec<String>,
    /// With --s3: from the start of one list to that of the next [default: 1m]
    #[arg(long, value_name = "TIME")]
    pub(crate) poll_interval: Option<String>,
    /// Bucket whose objects are read when a message names it; may be given several times [default: those of the
    /// configuration file; every one when there are none]
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Vec<String>,
    /// Directory to watch; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) events_dir: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Directory that keeps what was read and found, or `dynamodb:TABLE` [default: $STATE_DIRECTORY, or else /var/lib/iota]
    #[arg(long, env = "IOTA_STATE", value_name = "DIR", help_heading = "Settings")]
    pub(crate) state: Option<PathBuf>,
    /// Read only what was delivered since then: `now`, the time of the first start with this state, or a time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Keep alerts about events before this time (RFC 3339), but do not send them
    #[arg(long, value_name = "TIME")]
    pub(crate) no_send_before: Option<String>,
    /// How often directories are looked through for changes that nothing told of
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) rescan_interval: String,
    /// Do not rely on inotify; the rescan alone finds changes
    #[arg(long)]
    pub(crate) no_inotify: bool,
    /// Write the accounting to a file, as JSON, every 10 s and at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)).ok_or_else(|| "a number from 0 to 1 was expected".to_owned())
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    text.parse().map_err(|error: iota_engine::alert::UnknownSeverity| error.to_string())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlertFormat {
    /// One JSON object per line
    Jsonl,
    /// One JSON array
    Json,
    /// A table for people
    Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EmitWhen {
    First,
    Final,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iota test rules/aws_cloudtrail
  iota test rules/aws_cloudtrail/root_activity.yml
  iota test rules --rule aws.cloudtrail.trail-stopped
  iota test rules --format junit > report.xml")]
pub(crate) struct TestArgs {
    /// Rule packs, directories below one, or single rules
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only rules with this id; may be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Vec<String>,
    /// Only tests whose name contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub(crate) format: TestFormat,
    #[command(flatten)]
    pub(crate) python: PythonArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    Text,
    Json,
    Junit,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iota check rules/aws_cloudtrail
  iota check rules --strict
  iota check rules --format sarif > rules.sarif")]
pub(crate) struct CheckArgs {
    /// Rule packs, directories below one, or single rules
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Warnings fail, too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Fail if more than this many enabled rules are handed every record (code `unguarded`)
    #[arg(long, value_name = "N")]
    pub(crate) max_unguarded: Option<usize>,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
    #[command(flatten)]
    pub(crate) python: PythonArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    Text,
    Json,
    Sarif,
}

#[derive(Debug, Args)]
#[command(mut_arg("workers", |workers| workers.hide(true)), after_help = "\
Without --event nothing is run, and no Python is needed.

Examples:
  iota explain rules/aws_cloudtrail/root_activity.yml
  iota explain aws.cloudtrail.trail-stopped --rules rules/aws_cloudtrail
  iota explain my_rules/login.py --event event.json
  aws cloudtrail lookup-events | iota explain my_rules/login.py --event -")]
pub(crate) struct ExplainArgs {
    /// Id or former id of a rule in the rule directories, or its .py or .yml file
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    /// Records to try the rule on, in any format that `iota run` reads; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(crate) format: ExplainFormat,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    Text,
    Json,
}

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting
    Show {
        /// Also print where each value comes from
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        rules: Box<RulesArgs>,
    },
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

fn parse_workers(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a number of workers, 1 to 1024, was expected".to_owned())
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

/// The matches of the innermost subcommand.
pub(crate) fn subcommand(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, matches)| subcommand(matches))
}

impl RulesArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        Given {
            rules: setting(matches, "rules", "IOTA_RULES", self.rules.clone()),
            workers: setting(matches, "workers", "IOTA_WORKERS", self.workers),
            max_record: setting(matches, "max_record", "IOTA_MAX_RECORD", self.max_record.clone()),
            max_inflated: setting(matches, "max_inflated", "IOTA_MAX_INFLATED", self.max_inflated.clone()),
            ..self.python.given(matches)
        }
    }
}

impl PythonArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        Given {
            config: self.config.clone(),
            python: setting(matches, "python", "IOTA_PYTHON", self.python.clone()),
            engine: setting(matches, "engine", "IOTA_ENGINE", self.engine.clone()),
            rule_timeout: setting(matches, "rule_timeout", "IOTA_RULE_TIMEOUT", self.rule_timeout.clone()),
            worker_memory: setting(matches, "worker_memory", "IOTA_WORKER_MEMORY", self.worker_memory.clone()),
            sandbox: setting(matches, "sandbox", "IOTA_SANDBOX", self.sandbox.clone()),
            ..Given::default()
        }
    }
}

/// A flag's value with its origin. `name` is the flag's id, which is its name with `_` for `-`.
fn setting<T>(matches: &ArgMatches, name: &'static str, variable: &'static str, value: Option<T>) -> Option<Setting<T>> {
    // A command without the flag does not even know its name.
    let value = value?;
    let origin = match matches.value_source(name) {
        Some(ValueSource::EnvVariable) => Origin::Environment(variable),
        _ => Origin::Flag(name),
    };
    Some(Setting { value, origin })
}

#[derive(Debug, Args)]
pub(crate) struct RulesCommandArgs {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check a pack against its signed manifest, or the signed commit it was checked out from
    #[command(after_help = "\
A pack is signed by a manifest, MANIFEST.sha256, as sha256sum writes it, and its signature, MANIFEST.sha256.minisig, by
minisign. docs/OPERATING.md shows how both are made. Exits with 1 if the pack is not what was signed.

Examples:
  iota rules verify my_rules --public-key RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3
  iota rules verify my_rules --config iota.yaml
  iota rules verify my_rules --commit")]
    Verify {
        /// Directory of the pack
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Public key of minisign; may be given several times [default: rule_signatures.public_keys of the configuration]
        #[arg(long, value_name = "KEY")]
        public_key: Vec<String>,
        /// The checkout stands at a signed commit and holds what is in it; whom to trust is up to your git
        #[arg(long)]
        commit: bool,
        /// Configuration file [nothing is read when this is not given]
        #[arg(long, env = "IOTA_CONFIG", value_name = "FILE", help_heading = "Settings")]
        config: Option<PathBuf>,
    },
    /// Fetch a pack with git, test it, and put it in force in one step
    #[command(after_help = "\
DIR becomes a link to the version in force; versions are kept beside it. Nothing changes when the pack cannot be fetched, is
not signed as asked, does not load or fails its tests: exit code 1, and the old version goes on. `iota watch` notices a new
one by itself. Credentials for private repositories are those of your git.

Examples:
  iota rules pull https://github.com/example/rules.git /etc/iota/rules/example --branch main
  iota rules pull git@github.com:example/rules.git rules/example --commit 0123456789abcdef0123456789abcdef01234567
  iota rules pull https://example.com/rules.git rules/example --path packs/aws --verify-commit")]
    Pull {
        /// https://, ssh://, user@host:path, or a path
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// Where the pack is to be; its name is that of the pack
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// [default: where HEAD of the repository stands]
        #[arg(long, value_name = "NAME", conflicts_with_all = ["tag", "commit"])]
        branch: Option<String>,
        #[arg(long, value_name = "NAME", conflicts_with = "commit")]
        tag: Option<String>,
        /// In full
        #[arg(long, value_name = "ID")]
        commit: Option<String>,
        /// Directory of the pack in the repository
        #[arg(long, value_name = "PATH", default_value = "")]
        path: String,
        /// The commit has to be signed by somebody whom your git trusts
        #[arg(long)]
        verify_commit: bool,
        #[command(flatten)]
        python: Box<PythonArgs>,
    },
}

/// What commands need that look at state.
#[derive(Debug, Args, Clone)]
pub(crate) struct DeskArgs {
    /// Configuration file [nothing is read when this is not given]
    #[arg(long, env = "IOTA_CONFIG", value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,
    /// Directory or table of the state, as given to `iota run`; may be in use
    #[arg(long, env = "IOTA_STATE", value_name = "DIR", help_heading = "Settings")]
    pub(crate) state: Option<PathBuf>,
}

impl DeskArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        let state = setting(matches, "state", "IOTA_STATE", self.state.clone());
        Given { config: self.config.clone(), state, ..Given::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Table,
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    pub(crate) command: AlertsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// List alerts, newest first
    List {
        /// Signals (rules with `CreateAlert: false`) instead of alerts
        #[arg(long, conflicts_with = "suppressed")]
        signals: bool,
        /// What suppressions hide instead of alerts
        #[arg(long)]
        suppressed: bool,
        /// Only of the rule with this id
        #[arg(long, value_name = "ID")]
        rule: Option<String>,
        /// Only this severe or worse
        #[arg(long, value_name = "SEVERITY", ignore_case = true, value_parser = parse_severity)]
        severity: Option<Severity>,
        /// Only with this status
        #[arg(long, value_enum)]
        status: Option<AlertStatus>,
        /// Only those created since then: a time (RFC 3339), or an age such as 24h
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Print an alert, and what became of its deliveries, as JSON
    Show {
        id: String,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Send an alert again
    Resend {
        id: String,
        /// Only to this output [default: all that it went to]
        #[arg(long, value_name = "NAME")]
        output: Option<String>,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Somebody looks at the alert
    Ack {
        id: String,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// What the alert told of is over
    Resolve {
        id: String,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Close an alert with a verdict
    Close {
        id: String,
        #[arg(long = "as", value_enum, value_name = "VERDICT")]
        verdict: CloseAs,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum CloseAs {
    TruePositive,
    FalsePositive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum AlertStatus {
    Open,
    Acknowledged,
    Resolved,
    ClosedTruePositive,
    ClosedFalsePositive,
}

impl From<AlertStatus> for Status {
    fn from(status: AlertStatus) -> Self {
        match status {
            AlertStatus::Open => Self::Open,
            AlertStatus::Acknowledged => Self::Acknowledged,
            AlertStatus::Resolved => Self::Resolved,
            AlertStatus::ClosedTruePositive => Self::ClosedTruePositive,
            AlertStatus::ClosedFalsePositive => Self::ClosedFalsePositive,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    pub(crate) command: DlqCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List dead deliveries, oldest first
    List {
        #[command(flatten)]
        dead: DeadArgs,
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Print dead deliveries with their alerts, as JSON
    Show {
        #[command(flatten)]
        dead: DeadArgs,
    },
    /// Make dead deliveries due again
    Redrive {
        #[command(flatten)]
        dead: DeadArgs,
        /// All of them
        #[arg(long)]
        all: bool,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Give dead deliveries up for good; they stay recorded as dropped
    Drop {
        #[command(flatten)]
        dead: DeadArgs,
        /// All of them
        #[arg(long)]
        all: bool,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}

/// Which dead deliveries are meant.
#[derive(Debug, Args)]
pub(crate) struct DeadArgs {
    /// Id of an alert [default: all]
    pub(crate) id: Option<String>,
    /// Only for this output
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    #[command(flatten)]
    pub(crate) desk: DeskArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SuppressArgs {
    #[command(subcommand)]
    pub(crate) command: SuppressCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SuppressCommand {
    /// List suppressions with what they have hidden
    List {
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Show which of the alerts and signals that are kept would have been hidden
    Preview {
        /// A file of suppressions, or the id of one that is configured
        #[arg(value_name = "FILE|ID")]
        what: String,
        #[command(flatten)]
        desk: DeskArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OutputsArgs {
    #[command(subcommand)]
    pub(crate) command: OutputsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OutputsCommand {
    /// List outputs with what waits for them
    List {
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Send an alert that is marked as a test, and tell what came back; needs no state
    Test {
        /// Only through this output
        name: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List the newest records
    List {
        /// At most so many [default: all]
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Check that no record was changed, removed or put in; exits with 1 if one was
    Verify {
        #[command(flatten)]
        desk: DeskArgs,
    },
}
