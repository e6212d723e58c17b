//! Values of flags of several commands.

use clap::ValueEnum;
use iota_engine::alert::Severity;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlertFormat {
    /// One JSON object per line
    Jsonl,
    /// One JSON array
    Json,
    /// A table for people
    Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Table,
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
}

pub(super) fn parse_severity(text: &str) -> Result<Severity, String> {
    text.parse().map_err(|error: iota_engine::alert::UnknownSeverity| error.to_string())
}
