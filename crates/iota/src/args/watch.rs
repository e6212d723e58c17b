//! `iota watch`.

use super::settings::{RulesArgs, setting};
use clap::{ArgMatches, Args};
use iota_service::config::Given;
use std::path::PathBuf;

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
    /// Address and port on which metrics for Prometheus and probes are answered, such as 127.0.0.1:9464 [default: none]
    #[arg(long, env = "IOTA_METRICS_LISTEN", value_name = "ADDR", help_heading = "Settings")]
    pub(crate) metrics_listen: Option<String>,
    /// Write the accounting to a file, as JSON, every 10 s and at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
}

impl WatchArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        Given {
            state: setting(matches, "state", "IOTA_STATE", self.state.clone()),
            metrics_listen: setting(matches, "metrics_listen", "IOTA_METRICS_LISTEN", self.metrics_listen.clone()),
            ..self.rules.given(matches)
        }
    }
}
