//! `iota test`.

use super::settings::PythonArgs;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
