//! `iota.yaml`. Read only when named by `--config` or `IOTA_CONFIG`; unknown keys are errors.

use iota_engine::yaml::{self, Step};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The only version of the file there is.
const VERSION: u32 = 1;

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{path}: {why}")]
    Unreadable { path: PathBuf, why: std::io::Error },
    #[error("{path}:{line}: {message}")]
    Invalid { path: PathBuf, line: u64, message: String },
    #[error("{name}: {message}")]
    Setting { name: &'static str, message: String },
}

/// The file as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    version: Option<u32>,
    /// Rule directories, relative to the file.
    pub rules: Option<Vec<PathBuf>>,
    pub python: Option<String>,
    pub engine: Option<PathBuf>,
    pub workers: Option<usize>,
    pub rule_timeout: Option<String>,
    pub max_record: Option<String>,
    pub max_inflated: Option<String>,
    /// Relative to the file.
    pub state: Option<PathBuf>,
    /// By pack name.
    #[serde(default)]
    pub packs: BTreeMap<String, PackConfig>,
    /// By rule id.
    #[serde(default)]
    pub overrides: BTreeMap<String, Override>,
    #[serde(skip)]
    pub path: PathBuf,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackConfig {
    /// Values for the `config:` names that the pack declares.
    #[serde(default)]
    pub config: Map<String, Json>,
}

/// What a site changes about a rule without editing it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    pub enabled: Option<bool>,
    pub dedup_period_minutes: Option<u32>,
    pub threshold: Option<u32>,
}

impl ConfigFile {
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = fs::read(path).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
        let invalid = |line: u64, message: String| ConfigError::Invalid { path: path.to_owned(), line, message };
        let mut file: Self = yaml::from_yaml(&bytes).map_err(|error| invalid(error.line.max(1), error.message))?;
        let version_line = yaml::line_at(&bytes, &[Step::Key("version")]).unwrap_or(1);
        match file.version {
            Some(VERSION) => {}
            None => return Err(invalid(1, format!("`version: {VERSION}` is missing"))),
            Some(other) => {
                return Err(invalid(version_line, format!("version {other} is not known; this iota reads version {VERSION}")));
            }
        }
        for (rule, values) in &file.overrides {
            for (name, value) in [("dedup_period_minutes", values.dedup_period_minutes), ("threshold", values.threshold)] {
                if value == Some(0) {
                    let line = yaml::line_at(&bytes, &[Step::Key("overrides"), Step::Key(rule), Step::Key(name)]);
                    return Err(invalid(line.unwrap_or(1), format!("overrides.{rule}.{name}: must be at least 1")));
                }
            }
        }
        path.clone_into(&mut file.path);
        let directory = path.parent().unwrap_or(Path::new(""));
        for path in file.rules.iter_mut().flatten().chain(&mut file.engine).chain(&mut file.state) {
            *path = directory.join(&path);
        }
        Ok(file)
    }
}
