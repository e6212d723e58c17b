//! `iota suppress`.

use super::settings::DeskArgs;
use clap::{Args, Subcommand};

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
