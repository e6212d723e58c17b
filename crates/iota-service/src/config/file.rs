//! `iota.yaml`. Read only when named by `--config` or `IOTA_CONFIG`; unknown keys are errors.

use super::sources::SourcesFile;
use crate::output::{self, OutputFile};
use crate::store::Place;
use iota_engine::alert::Severity;
use iota_engine::text::did_you_mean;
use iota_engine::triage::{AccountAdjustment, RouteEntry};
use iota_engine::yaml::{self, Step};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
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
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    version: Option<u32>,
    /// Rule directories, relative to the file.
    pub rules: Option<Vec<PathBuf>>,
    pub python: Option<String>,
    pub engine: Option<PathBuf>,
    pub workers: Option<usize>,
    pub rule_timeout: Option<String>,
    pub worker_memory: Option<String>,
    pub sandbox: Option<String>,
    pub max_record: Option<String>,
    pub max_inflated: Option<String>,
    /// A directory, relative to the file, or `dynamodb:TABLE`.
    pub state: Option<PathBuf>,
    /// Which packs are run.
    #[serde(default)]
    pub rule_signatures: SignaturesFile,
    /// By pack name.
    #[serde(default)]
    pub packs: BTreeMap<String, PackConfig>,
    /// By rule id.
    #[serde(default)]
    pub overrides: BTreeMap<String, Override>,
    /// What accounts are called, relative to the file.
    pub accounts: Option<PathBuf>,
    /// What is known and not to be told, relative to the file.
    pub suppressions: Option<PathBuf>,
    /// How many days ahead a suppression may expire at most [default: 366].
    pub suppression_days: Option<u32>,
    /// Which alerts go to which outputs [default: all to all].
    #[schemars(with = "Option<Vec<Map<String, Json>>>")]
    pub routes: Option<Vec<RouteEntry>>,
    #[serde(default)]
    pub deliver: DeliverFile,
    #[serde(default)]
    pub sources: SourcesFile,
    #[serde(default)]
    pub metrics: MetricsFile,
    /// Where alerts go, by a name of your choice.
    #[serde(default, rename = "outputs")]
    #[schemars(with = "BTreeMap<String, OutputFile>")]
    _outputs: IgnoredAny,
    /// `outputs`, read by `output::config`.
    #[serde(skip)]
    pub outputs: BTreeMap<String, OutputFile>,
    #[serde(skip)]
    pub path: PathBuf,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignaturesFile {
    /// Refuse packs that are not signed with one of the keys [default: false].
    #[serde(default)]
    pub required: bool,
    /// Public keys of minisign: 56 characters that begin with RW.
    #[serde(default)]
    pub public_keys: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackConfig {
    /// Values for the `config:` names that the pack declares.
    #[serde(default)]
    pub config: Map<String, Json>,
}

/// What a site changes about a rule without editing it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    pub enabled: Option<bool>,
    pub dedup_period_minutes: Option<u32>,
    pub threshold: Option<u32>,
    /// Instead of the rule's own.
    #[schemars(with = "Option<String>")]
    pub severity: Option<Severity>,
    /// Names of outputs; wins over `destinations()` of the rule and over `routes`. An empty list sends nothing.
    pub destinations: Option<Vec<String>>,
    /// Severity and destinations for some accounts: the first entry whose `accounts` and `environments` hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Map<String, Json>>")]
    pub by_account: Vec<AccountAdjustment>,
}

/// What `iota watch` tells monitoring.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsFile {
    /// Address and port on which metrics and probes are answered, such as 127.0.0.1:9464 [default: none].
    pub listen: Option<String>,
}

/// When deliveries are given up or held back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliverFile {
    /// Attempts, made while the output works, after which a delivery goes to the dead letters [default: 100].
    pub max_attempts: Option<u32>,
    /// Age at which it goes there with the next failure, after the fifth [default: 72h].
    pub max_age: Option<String>,
    /// Alerts of one rule that one output gets in an hour; 0 is no limit [default: 100].
    pub max_per_hour: Option<u32>,
    pub canary: Option<CanaryFile>,
}

/// A test alert at an interval through each output.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryFile {
    /// Such as 1h.
    pub every: String,
    /// Names of outputs [default: all].
    pub outputs: Option<Vec<String>>,
}

impl ConfigFile {
    /// Every output that is named somewhere is configured; a rule's own destinations may name those of other systems.
    fn check_outputs(&self, bytes: &[u8]) -> Result<(), (u64, String)> {
        let check = |name: &String, steps: &[Step<'_>], shown: String| {
            if self.outputs.contains_key(name) {
                return Ok(());
            }
            let line = yaml::line_at(bytes, steps).unwrap_or(1);
            let hint = did_you_mean(name, self.outputs.keys().map(String::as_str));
            Err((line, format!("{shown}: there is no output `{name}`{hint}")))
        };
        for (index, entry) in self.routes.iter().flatten().enumerate() {
            for name in &entry.outputs {
                let steps = [Step::Key("routes"), Step::Item(index), Step::Key("outputs")];
                check(name, &steps, format!("routes[{index}].outputs"))?;
            }
        }
        for (rule, values) in &self.overrides {
            let of_accounts = values.by_account.iter().filter_map(|entry| entry.destinations.as_ref());
            for name in values.destinations.iter().chain(of_accounts).flatten() {
                check(name, &[Step::Key("overrides"), Step::Key(rule)], format!("overrides.{rule}.destinations"))?;
            }
        }
        for name in self.deliver.canary.iter().filter_map(|canary| canary.outputs.as_ref()).flatten() {
            let steps = [Step::Key("deliver"), Step::Key("canary"), Step::Key("outputs")];
            check(name, &steps, "deliver.canary.outputs".to_owned())?;
        }
        Ok(())
    }

    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = fs::read(path).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
        let invalid = |line: u64, message: String| ConfigError::Invalid { path: path.to_owned(), line, message };
        let mut file: Self = yaml::from_yaml(&bytes).map_err(|error| invalid(error.line.max(1), error.message))?;
        file.outputs = output::config::read(&bytes).map_err(|error| invalid(error.line.max(1), error.message))?;
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
        file.check_outputs(&bytes).map_err(|(line, message)| invalid(line, message))?;
        path.clone_into(&mut file.path);
        let directory = path.parent().unwrap_or(Path::new(""));
        for path in file
            .rules
            .iter_mut()
            .flatten()
            .chain(&mut file.engine)
            .chain(file.state.iter_mut().filter(|state| Place::is_path(state)))
            .chain(&mut file.accounts)
            .chain(&mut file.suppressions)
        {
            *path = directory.join(&path);
        }
        Ok(file)
    }
}
