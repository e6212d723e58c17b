//! `iota dlq`.

use super::settings::DeskArgs;
use super::values::ListFormat;
use clap::{Args, Subcommand};

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
    Redrive(ChangeArgs),
    /// Give dead deliveries up for good; they stay recorded as dropped
    Drop(ChangeArgs),
}

/// What is changed, and why.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) dead: DeadArgs,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
    /// Reason, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
}

/// Which dead deliveries are meant.
#[derive(Debug, Args)]
pub(crate) struct DeadArgs {
    /// Id of an alert, or its first 6 characters or more [default: all]
    pub(crate) id: Option<String>,
    /// Only for this output
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    #[command(flatten)]
    pub(crate) desk: DeskArgs,
}
