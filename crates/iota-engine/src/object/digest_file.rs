//! CloudTrail's digest files: what they say, and what exactly their signature is over ("CloudTrail digest file structure"
//! and "Custom implementations of CloudTrail log file integrity validation" in the CloudTrail user guide).
//! Knows no keys and no cryptography beyond the hash of a file.

use crate::digest::hex;
use crate::event::parse_ms;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Why a digest file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DigestFileError {
    #[error("not a digest file: {0}")]
    Format(String),
    #[error("{field} is {value:?}; a time such as 2024-07-15T10:00:00Z was expected")]
    Time { field: &'static str, value: String },
}

/// What one file says. Members that validation does not need are left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestFile {
    pub aws_account_id: String,
    /// RFC 3339, kept as written: the signature is over this text.
    digest_end_time: String,
    digest_start_time: String,
    pub digest_s3_bucket: String,
    pub digest_s3_object: String,
    pub digest_public_key_fingerprint: String,
    /// `SHA256withRSA`.
    pub digest_signature_algorithm: Option<String>,
    pub previous_digest_s3_bucket: Option<String>,
    pub previous_digest_s3_object: Option<String>,
    pub previous_digest_hash_value: Option<String>,
    /// Hexadecimal. Missing in a starting digest.
    pub previous_digest_signature: Option<String>,
    pub log_files: Vec<LogFile>,
    /// Of the hour that the file covers, in milliseconds since 1970.
    #[serde(skip)]
    pub start_ms: i64,
    #[serde(skip)]
    pub end_ms: i64,
}

/// A log file as it was when it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogFile {
    #[serde(rename = "s3Bucket")]
    pub bucket: String,
    #[serde(rename = "s3Object")]
    pub key: String,
    /// Hexadecimal SHA-256 of the uncompressed content.
    #[serde(rename = "hashValue")]
    pub hash: String,
    #[serde(rename = "hashAlgorithm")]
    pub hash_algorithm: Option<String>,
}

impl DigestFile {
    /// Reads the uncompressed content of a file.
    pub fn parse(content: &[u8]) -> Result<Self, DigestFileError> {
        let mut file: Self = serde_json::from_slice(content).map_err(|error| DigestFileError::Format(error.to_string()))?;
        let time = |field, value: &String| parse_ms(value).ok_or_else(|| DigestFileError::Time { field, value: value.clone() });
        file.start_ms = time("digestStartTime", &file.digest_start_time)?;
        file.end_ms = time("digestEndTime", &file.digest_end_time)?;
        Ok(file)
    }

    /// What the signature is over: end time, location, hash of the content, and the signature before, each on a line.
    pub fn signed_text(&self, content: &[u8]) -> String {
        format!(
            "{}\n{}/{}\n{}\n{}",
            self.digest_end_time,
            self.digest_s3_bucket,
            self.digest_s3_object,
            hex(&Sha256::digest(content)),
            self.previous_digest_signature.as_deref().unwrap_or("null"),
        )
    }

    /// The first after logging or validation was turned on: there is none before it.
    pub fn is_starting(&self) -> bool {
        self.previous_digest_s3_object.is_none() && self.previous_digest_signature.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(previous: &str) -> String {
        format!(
            r#"{{"awsAccountId":"111122223333","digestStartTime":"2015-08-17T14:01:31Z","digestEndTime":"2015-08-17T15:01:31Z",
            "digestS3Bucket":"bucket","digestS3Object":"AWSLogs/x.json.gz","digestPublicKeyFingerprint":"31e8","digestSignatureAlgorithm":"SHA256withRSA",
            "newestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestSignature":{previous},
            "logFiles":[{{"s3Bucket":"bucket","s3Object":"k","hashValue":"00","hashAlgorithm":"SHA-256","newestEventTime":"x","oldestEventTime":"y"}}]}}"#
        )
    }

    #[test]
    fn the_signature_is_over_four_lines() {
        let content = json("\"abcd\"");
        let file = DigestFile::parse(content.as_bytes()).expect("a digest file");
        let hash = hex(&Sha256::digest(content.as_bytes()));
        assert_eq!(file.signed_text(content.as_bytes()), format!("2015-08-17T15:01:31Z\nbucket/AWSLogs/x.json.gz\n{hash}\nabcd"));
        assert_eq!(file.end_ms - file.start_ms, 3_600_000);
        assert!(!file.is_starting());
    }

    #[test]
    fn a_starting_digest_signs_the_word_null() {
        let content = json("null");
        let file = DigestFile::parse(content.as_bytes()).expect("a digest file");
        assert!(file.signed_text(content.as_bytes()).ends_with("\nnull"));
        assert!(file.is_starting());
    }

    #[test]
    fn what_is_no_digest_file_is_said() {
        assert!(DigestFile::parse(b"{}").unwrap_err().to_string().starts_with("not a digest file: missing field"));
        let content = json("null").replace("2015-08-17T15:01:31Z", "yesterday");
        assert!(DigestFile::parse(content.as_bytes()).unwrap_err().to_string().starts_with("digestEndTime is \"yesterday\""));
    }
}
