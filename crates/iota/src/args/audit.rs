//! `iota audit`.

use super::settings::DeskArgs;
use super::values::ListFormat;
use clap::{Args, Subcommand};

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
