//! `iota explain`.

use super::settings::RulesArgs;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
    /// Explain so many records one by one; further ones are counted [default: 20 that are run, 5 that are skipped]
    #[arg(long, value_name = "N", requires = "event")]
    pub(crate) limit: Option<usize>,
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
