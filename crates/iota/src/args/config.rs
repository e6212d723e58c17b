//! `iota config`.

use super::settings::RulesArgs;
use clap::{Args, Subcommand};

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
