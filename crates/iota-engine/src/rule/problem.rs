//! Something wrong or suspicious in a rule pack, with the place to look at.

use serde::Serialize;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Note,
    Warning,
    Error,
}

/// One finding of `iota check`. An error keeps a rule (or the pack) from working as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub level: Level,
    /// Short stable name, e.g. `duplicate-id`.
    pub code: &'static str,
    pub pack: String,
    /// Relative to the pack.
    pub path: String,
    /// From 1; 0 when the whole file is meant.
    pub line: u64,
    pub rule_id: Option<String>,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{}:{}: {level}[{}]: {}", self.path, self.line.max(1), self.code, self.message)
    }
}
