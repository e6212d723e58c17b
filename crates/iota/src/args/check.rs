//! `iota check`.

use super::settings::PythonArgs;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
