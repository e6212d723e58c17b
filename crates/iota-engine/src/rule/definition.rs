//! A rule as the files of its pack describe it. Raw metadata does not get here, only what was checked.

use super::metadata::RuleTest;
use crate::alert::Severity;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Window when the metadata states none, in minutes.
pub(super) const WINDOW_MINUTES: u32 = 60;

/// How strictly a rule's functions and events behave (docs/RULES.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    Plain,
    Panther,
}

/// Where a rule's logic is.
#[derive(Debug, Clone, PartialEq)]
pub enum Code {
    /// A Python file of the pack.
    Python(String),
    /// Match expressions in the metadata.
    Detection(Json),
}

/// A rule as the files describe it.
#[derive(Debug, Clone)]
pub struct Rule {
    pub id: String,
    pub dialect: Dialect,
    pub code: Code,
    /// The metadata file, if there is one.
    pub metadata: Option<String>,
    /// The metadata file of the rule it is derived from.
    pub base: Option<String>,
    /// Line of the rule's id there.
    pub line: u64,
    /// A `.yml` says that this is a rule; otherwise only a `rule` function makes it one.
    pub declared: bool,
    pub enabled: bool,
    pub severity: Option<Severity>,
    pub description: Option<String>,
    pub runbook: Option<String>,
    pub reference: Option<String>,
    pub author: Option<String>,
    pub tags: Vec<String>,
    pub attack: Vec<String>,
    pub window_minutes: u32,
    pub threshold: u32,
    /// False: matches are signals, recorded but not alerted.
    pub create_alert: bool,
    /// Outputs that alerts go to unless `destinations()` says others, by the names that the configuration has. Empty: no choice.
    pub output_ids: Vec<String>,
    /// Former ids, by which the rule can still be named.
    pub aliases: Vec<String>,
    pub inline_filters: Json,
    pub dynamic_severities: Json,
    pub alert_title: Option<String>,
    pub alert_context: Json,
    pub group_by: Json,
    pub tests: Vec<RuleTest>,
    /// Changes whenever what the rule does may change.
    pub version: String,
}

impl Rule {
    /// The files that make the rule: its code, its metadata, the metadata it is derived from.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let metadata = self.metadata.as_deref().filter(|path| *path != self.path());
        std::iter::once(self.path()).chain(metadata).chain(self.base.as_deref())
    }

    /// Where an alert goes by what the rule itself says: its `destinations()`, else its metadata.
    pub fn destinations<'a>(&'a self, said: Option<&'a [String]>) -> Option<&'a [String]> {
        said.or_else(|| Some(self.output_ids.as_slice()).filter(|names| !names.is_empty()))
    }

    /// The file to look at for this rule.
    pub fn path(&self) -> &str {
        match (&self.code, &self.metadata) {
            (Code::Python(path), _) | (Code::Detection(_), Some(path)) => path,
            (Code::Detection(_), None) => "",
        }
    }

    /// Whether the rule is meant by an id: its own, or a former one.
    pub fn is_called(&self, id: &str) -> bool {
        self.id == id || self.aliases.iter().any(|alias| alias == id)
    }

    /// The file that speaks of this rule: its metadata, else its code.
    pub fn declaration(&self) -> &str {
        self.metadata.as_deref().unwrap_or(self.path())
    }
}
