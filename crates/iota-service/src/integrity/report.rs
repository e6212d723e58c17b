//! What validation found. Knows not how it is shown.

use serde::Serialize;

/// Short stable names of what can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No signature with the digest file, or one of an unknown kind.
    DigestUnsigned,
    DigestBadSignature,
    DigestUnknownKey,
    DigestUnreadable,
    /// Stands elsewhere than it says.
    DigestMoved,
    /// Named by the one after it, and not there.
    DigestMissing,
    /// Named by the one after it, where the trail delivered before, and may not be read there.
    DigestNotVerifiable,
    /// The one after it names another signature or content.
    DigestChain,
    /// Hours that no valid digest file covers.
    HoursMissing,
    LogMissing,
    LogChanged,
    LogUnreadable,
    /// Is where the trail delivered before, and may not be read there.
    LogNotVerifiable,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    pub code: Code,
    pub account: String,
    pub region: String,
    pub trail: Option<String>,
    /// An object, where it is about one.
    pub object: Option<String>,
    pub message: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub digests_valid: u64,
    pub digests_invalid: u64,
    pub logs_valid: u64,
    pub logs_invalid: u64,
    pub hours_missing: u64,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.digests_valid += other.digests_valid;
        self.digests_invalid += other.digests_invalid;
        self.logs_valid += other.logs_valid;
        self.logs_invalid += other.logs_invalid;
        self.hours_missing += other.hours_missing;
        self.findings.extend(other.findings);
    }

    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}
