//! The configuration file of `iota ingest`: JSON or YAML. Keys are those of the JSON configuration of the stand-alone sync,
//! and how a trail's bucket is reached.

use crate::source::s3::TrailConfig;
use iota_engine::yaml;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum IngestConfigError {
    #[error("{path}: {why}")]
    Unreadable { path: PathBuf, why: std::io::Error },
    #[error("{path}:{line}: {message}")]
    Invalid { path: PathBuf, line: u64, message: String },
}

/// Checked. Paths are relative to the file they stand in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    pub version: u32,
    /// Where records go, as `ACCOUNT/REGION/YYYY/MM/DD/HH/*.jsonl`.
    pub events_dir: PathBuf,
    /// What has been read, in SQLite.
    pub state_db: PathBuf,
    pub trails: Vec<TrailConfig>,
    /// Objects that are downloaded at once.
    pub download_workers: usize,
    /// Objects that are decoded at once.
    pub process_workers: usize,
    /// Objects that one list request asks for, at most 1,000.
    pub list_batch_size: i32,
    /// Records in one file at most.
    pub events_per_file: usize,
    /// Only these; all when empty.
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            version: 1,
            events_dir: "events".into(),
            state_db: "ingest.db".into(),
            trails: Vec::new(),
            download_workers: 16,
            process_workers: 4,
            list_batch_size: 1000,
            events_per_file: 100_000,
            accounts: Vec::new(),
            regions: Vec::new(),
        }
    }
}

/// Keys that people try and that must not be there, with what to do instead.
const EXPLAINED: [(&str, &str); 5] = [
    ("aws_access_key_id", CREDENTIALS),
    ("aws_secret_access_key", CREDENTIALS),
    ("aws_session_token", CREDENTIALS),
    ("aws_profile", "credentials come from the SDK's default chain; set AWS_PROFILE"),
    ("profile", "credentials come from the SDK's default chain; set AWS_PROFILE"),
];
const CREDENTIALS: &str =
    "no credentials are kept in files of iota; they come from the SDK's default chain (environment, profile, role)";

impl IngestConfig {
    pub fn read(path: &Path) -> Result<Self, IngestConfigError> {
        let bytes = fs::read(path).map_err(|why| IngestConfigError::Unreadable { path: path.to_owned(), why })?;
        let invalid = |line: u64, message: String| IngestConfigError::Invalid { path: path.to_owned(), line, message };
        let mut config: Self = yaml::from_yaml(&bytes).map_err(|error| invalid(error.line.max(1), explained(error.message)))?;
        config.check().map_err(|(key, message)| {
            let line = yaml::line_at(&bytes, &[yaml::Step::Key(key)]).unwrap_or(1);
            invalid(line, format!("{key}: {message}"))
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        config.events_dir = directory.join(&config.events_dir);
        config.state_db = directory.join(&config.state_db);
        Ok(config)
    }

    /// What is wrong, with the key that it is about.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.version != 1 {
            return Err(("version", format!("version {} is not known; this iota reads version 1", self.version)));
        }
        for (key, value, most) in [
            ("download_workers", self.download_workers, 256),
            ("process_workers", self.process_workers, 256),
            ("list_batch_size", usize::try_from(self.list_batch_size).unwrap_or_default(), 1000),
            ("events_per_file", self.events_per_file, usize::MAX),
        ] {
            if value == 0 || value > most {
                let range = if most == usize::MAX { "at least 1".to_owned() } else { format!("1 to {most}") };
                return Err((key, format!("{range} was expected")));
            }
        }
        if let Some(account) = self.accounts.iter().find(|account| !iota_engine::object::is_account(account)) {
            return Err(("accounts", format!("{account:?} is not an account id (12 digits, in quotes)")));
        }
        if let Some(region) = self.regions.iter().find(|region| !iota_engine::region::is_region(region)) {
            return Err(("regions", format!("{region:?} is not a region (such as eu-west-1)")));
        }
        for trail in &self.trails {
            trail.check().map_err(|message| ("trails", message))?;
        }
        Ok(())
    }
}

fn explained(message: String) -> String {
    let about = |key: &str| message.starts_with(&format!("unknown key `{key}`"));
    match EXPLAINED.iter().find(|(key, _)| about(key)) {
        Some((key, why)) => format!("`{key}` is not read: {why}"),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<IngestConfig, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ingest.json");
        fs::write(&path, text).unwrap();
        let shown = path.display().to_string();
        IngestConfig::read(&path).map_err(|error| error.to_string().replace(&shown, "ingest.json"))
    }

    #[test]
    fn the_keys_of_the_stand_alone_sync_are_read() {
        let config = read(
            "{\n\t\"download_workers\": 8,\n\t\"process_workers\": 2,\n\t\"list_batch_size\": 500,\n\t\"events_per_file\": 1000,\n\t\"state_db\": \"state/sync.db\",\n\t\"events_dir\": \"/data/events\",\n\t\"trails\": [{\"name\": \"org\", \"bucket\": \"logs\", \"prefix\": \"p\"}]\n}",
        )
        .unwrap();
        assert_eq!(
            (config.download_workers, config.process_workers, config.list_batch_size, config.events_per_file),
            (8, 2, 500, 1000)
        );
        assert_eq!(config.events_dir, Path::new("/data/events"));
        assert!(config.state_db.ends_with("state/sync.db") && config.state_db.is_absolute());
        assert_eq!(config.trails[0].location().to_string(), "s3://logs/p");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            (r#"{"download_worker": 8}"#, "ingest.json:1: unknown key `download_worker`; did you mean `download_workers`?"),
            (r#"{"trails": [{"buckt": "b"}]}"#, "unknown key `buckt`; did you mean `bucket`?"),
            (r#"{"aws_secret_access_key": "x"}"#, "ingest.json:1: `aws_secret_access_key` is not read: no credentials"),
            ("{\n\"download_workers\": 0}", "ingest.json:2: download_workers: 1 to 256 was expected"),
            (r#"{"list_batch_size": 5000}"#, "list_batch_size: 1 to 1000 was expected"),
            (r#"{"version": 7}"#, "version 7 is not known"),
            (r#"{"accounts": ["1"]}"#, "\"1\" is not an account id"),
            (r#"{"trails": [{"name": "t", "bucket": ""}]}"#, "trail \"t\": \"\" is not a bucket"),
            (r#"{"trails": [{"bucket": "b/p"}]}"#, "\"b/p\" is not a bucket; what stands behind its name goes into `prefix`"),
            (r#"{"trails": [{"name": "t", "bucket": "b", "external_id": "x"}]}"#, "external_id needs role_arn"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
