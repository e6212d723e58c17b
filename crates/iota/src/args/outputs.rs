//! `iota outputs`.

use super::settings::DeskArgs;
use clap::{Args, Subcommand};

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
