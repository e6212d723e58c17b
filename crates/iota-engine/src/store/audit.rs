//! Who changed what, when and why. Append-only; each record holds the hash of the one before.

use crate::digest::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// iota itself.
    #[serde(rename = "iota")]
    Iota,
    /// Name of the operating system's user.
    #[serde(rename = "user")]
    User(String),
    /// Where state is in AWS.
    #[serde(rename = "caller")]
    Caller {
        /// That STS gives for the credentials.
        arn: String,
        /// Name of the operating system's user.
        user: String,
    },
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub actor: Actor,
    /// `alert.ack`, `alert.resend`, `alert.resolve`, `alert.close`, `dlq.redrive`, `dlq.drop`, `suppression.add`,
    /// `suppression.change`, `suppression.remove`, `suppression.hit`, `override.add`, `override.change`,
    /// `override.remove`, `output.add`, `output.change`, `output.remove`, `routes.change`, `accounts.change`,
    /// `run.without_configuration`, `no_send_before.change`, `rules.reload`, `rules.refused`, `rule.pause`, `pack.pause`,
    /// `pair.quarantine`, `sandbox.off`, `sandbox.on`, `rerun`, `rerun.end`.
    pub action: String,
    /// What was changed: an alert id, a suppression's id, a rule id ...
    pub subject: String,
    pub why: Option<String>,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

/// What was recorded. `hash` is the hex SHA-256 over `previous` and the entry's JSON, each behind its length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRecord {
    /// From 1, without gaps.
    pub number: u64,
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// Hash of the record before; empty for the first.
    pub previous: String,
    pub hash: String,
}

/// What an audit log that was changed shows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Tampered {
    #[error("audit record {number}: it, or its hash, was changed")]
    Changed { number: u64 },
    #[error("audit record {number}: it does not follow the one before: a record was changed, removed or put in")]
    Unchained { number: u64 },
    #[error("audit record {number} is missing")]
    Missing { number: u64 },
}

impl AuditRecord {
    /// The record that follows one with the number and hash `last`; the first follows (0, "").
    pub fn after(last: (u64, &str), entry: AuditEntry) -> Self {
        let hash = entry.chained_to(last.1);
        Self { number: last.0 + 1, entry, previous: last.1.to_owned(), hash }
    }
}

impl AuditEntry {
    /// As it is hashed and kept.
    #[expect(clippy::missing_panics_doc, reason = "the entry's fields are such that JSON has them all")]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an entry has text for keys and no number that JSON lacks")
    }

    fn chained_to(&self, previous: &str) -> String {
        let mut hash = Sha256::new();
        for part in [previous, &self.to_json()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        hex(&hash)
    }
}

/// Whether a whole log, from its first record on, is as it was written. That its end was cut off it cannot tell: for
/// that, compare number and hash of the last record with what was noted elsewhere.
pub fn verify_audit_log(records: &[AuditRecord]) -> Result<(), Tampered> {
    let mut previous = "";
    for (expected, record) in (1..).zip(records) {
        let number = record.number;
        if number != expected {
            return Err(Tampered::Missing { number: expected });
        }
        if record.previous != previous {
            return Err(Tampered::Unchained { number });
        }
        if record.hash != record.entry.chained_to(&record.previous) {
            return Err(Tampered::Changed { number });
        }
        previous = &record.hash;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn log(length: u64) -> Vec<AuditRecord> {
        let mut records: Vec<AuditRecord> = Vec::new();
        for n in 0..length {
            let entry = AuditEntry {
                at_ms: i64::try_from(n).unwrap(),
                actor: Actor::User("alice".to_owned()),
                action: "alert.ack".to_owned(),
                subject: format!("a{n}"),
                why: Some("seen".to_owned()),
                before: None,
                after: Some(json!({"status": "acknowledged", "x": 0.1 + 0.2, "n": [1, null]})),
            };
            let last = records.last().map_or((0, ""), |record| (record.number, record.hash.as_str()));
            let record = AuditRecord::after(last, entry);
            records.push(record);
        }
        records
    }

    #[test]
    fn the_recipe_of_the_hash_is_pinned() {
        assert_eq!(log(1)[0].hash, "300808feeb93f357d66c3197c94c943371426cf0fcec6788309045a965107682");
    }

    #[test]
    fn an_entry_read_back_is_the_same_bytes() {
        let entry = log(1).remove(0).entry;
        let read: AuditEntry = serde_json::from_str(&entry.to_json()).unwrap();
        assert_eq!(read.to_json(), entry.to_json());
    }

    proptest! {
        #[test]
        fn every_edit_inside_the_log_is_found(length in 2_u64..8, at in any::<prop::sample::Index>(), edit in 0..6) {
            let whole = log(length);
            prop_assert_eq!(verify_audit_log(&whole), Ok(()));
            // All but the last can be told; an edit of the last one's contents, too.
            let at = at.index(whole.len() - 1);
            let mut edited = whole.clone();
            match edit {
                0 => edited[at].entry.subject.push('x'),
                1 => edited[at].entry.at_ms -= 1,
                2 => edited[at].hash = "0".repeat(64),
                3 => { edited.remove(at); }
                4 => edited.swap(at, at + 1),
                _ => {
                    // The one who edits also knows how to hash.
                    let entry = AuditEntry { why: None, ..edited[at].entry.clone() };
                    let previous = edited[at].previous.clone();
                    edited[at] = AuditRecord::after((edited[at].number - 1, &previous), entry);
                }
            }
            prop_assert!(verify_audit_log(&edited).is_err());
        }
    }
}
