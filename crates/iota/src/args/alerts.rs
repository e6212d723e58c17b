//! `iota alerts`.

use super::settings::DeskArgs;
use super::values::{ListFormat, parse_severity};
use clap::{Args, Subcommand, ValueEnum};
use iota_engine::alert::Severity;
use iota_engine::store::Status;

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
        /// Id of the alert, or its first 6 characters or more
        id: String,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Send an alert again
    Resend {
        /// Id of the alert, or its first 6 characters or more
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
        /// Id of the alert, or its first 6 characters or more
        id: String,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// What the alert told of is over
    Resolve {
        /// Id of the alert, or its first 6 characters or more
        id: String,
        /// Reason, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Close an alert with a verdict
    Close {
        /// Id of the alert, or its first 6 characters or more
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
