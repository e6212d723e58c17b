//! The forms that an alert is written in. Each turns a parsed alert into bytes within a limit; none knows where they go.

mod alert;
pub mod json;
pub mod text;

pub use alert::{Alert, Redaction};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What outputs of JSON can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The alert's own JSON (docs/alert.schema.json).
    #[default]
    Alert,
}

impl Format {
    /// The alert as one JSON object on one line, of at most `limit` bytes (4 KiB at least).
    pub fn render(self, alert: &Alert<'_>, limit: usize) -> Vec<u8> {
        match self {
            Self::Alert => alert.to_json(limit),
        }
    }
}
