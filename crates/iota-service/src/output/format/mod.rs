//! The forms that an alert is written in. Each turns a parsed alert into bytes within a limit; none knows where they go.

mod alert;
pub mod cef;
mod ecs;
mod facts;
mod fit;
pub mod json;
mod ocsf;
pub mod text;

pub use alert::{Alert, Redaction};
pub use facts::{Fields, headline};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What outputs of JSON can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The alert's own JSON (docs/alert.schema.json).
    #[default]
    Alert,
    /// OCSF 1.5.0, Detection Finding.
    Ocsf,
    /// Elastic Common Schema 8.11.
    Ecs,
}

impl Format {
    /// The alert as one JSON object on one line, of at most `limit` bytes (8 KiB at least).
    pub fn render(self, alert: &Alert<'_>, limit: usize) -> Vec<u8> {
        match self {
            Self::Alert => alert.to_json(limit),
            Self::Ocsf => ocsf::render(alert, limit),
            Self::Ecs => ecs::render(alert, limit),
        }
    }
}
