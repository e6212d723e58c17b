//! Why work on the table stopped, and what that means for the one who asked.

use crate::aws::{Fault, Verdict};
use iota_engine::store::{Damaged, StoreError};

#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The same may succeed later.
    #[error("{0}")]
    Busy(String),
    #[error("{0}")]
    Refused(String),
    /// Conditions did not hold.
    #[error("others change the same items all the time")]
    Changed,
    #[error(transparent)]
    Cell(#[from] Damaged),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("{key}: {why}")]
    Damaged { key: String, why: String },
}

pub(super) type Work<T> = std::result::Result<T, Trouble>;

impl Trouble {
    pub(super) fn into_error(self, table: &str) -> StoreError {
        let (what, why) = (format!("DynamoDB table {table}"), self.to_string());
        match self {
            Self::Busy(_) | Self::Changed => StoreError::Unavailable { what, why },
            Self::Refused(_) | Self::Cell(_) | Self::Json(_) | Self::Damaged { .. } => StoreError::Broken { what, why },
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        let is = |name: &str| fault.code.as_deref().is_some_and(|code| code.contains(name));
        if is("ConditionalCheckFailed") {
            return Self::Changed;
        }
        match fault.verdict {
            // iota has asked for something that there is not: it would be refused the next time, too.
            _ if is("Validation") => Self::Refused(fault.why),
            // Without an answer of DynamoDB it may be credentials that cannot be had just now, as it may be new ones that
            // are on their way.
            Verdict::Retry => Self::Busy(fault.why),
            Verdict::Closed if fault.code.is_none() || is("ExpiredToken") => Self::Busy(fault.why),
            Verdict::Closed | Verdict::Refused => Self::Refused(fault.why),
        }
    }
}
