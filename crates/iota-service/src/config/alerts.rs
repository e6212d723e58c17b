//! What is configured about alerts: names of accounts, suppressions, routes, overrides, and when deliveries are given up.

use super::file::{ConfigError, ConfigFile};
use super::setting::parse_duration;
use crate::deliver::{CanarySchedule, Policy};
use iota_engine::triage::{Accounts, Adjustment, MAX_DAYS, RouteEntry, Suppression, Triage, parse_suppressions};
use iota_engine::yaml::YamlError;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Checked, but for the files of accounts and suppressions, which are read when they are needed.
#[derive(Debug, Clone)]
pub struct AlertSettings {
    pub accounts: Option<PathBuf>,
    pub suppressions: Option<PathBuf>,
    pub suppression_days: u32,
    /// `None`: every output gets every alert.
    pub routes: Option<Vec<RouteEntry>>,
    /// By rule id.
    pub adjustments: BTreeMap<String, Adjustment>,
    pub policy: Policy,
    /// The configuration file; empty where there is none.
    pub file: PathBuf,
    /// Its directory.
    pub directory: PathBuf,
}

impl AlertSettings {
    pub(super) fn new(file: &ConfigFile) -> Result<Self, ConfigError> {
        let adjustment = |(rule, values): (&String, &super::Override)| {
            let (severity, destinations) = (values.severity, values.destinations.clone());
            let adjustment = Adjustment { severity, destinations, by_account: values.by_account.clone() };
            (!adjustment.is_empty()).then(|| (rule.clone(), adjustment))
        };
        Ok(Self {
            accounts: file.accounts.clone(),
            suppressions: file.suppressions.clone(),
            suppression_days: file.suppression_days.unwrap_or(MAX_DAYS),
            routes: file.routes.clone(),
            adjustments: file.overrides.iter().filter_map(adjustment).collect(),
            policy: policy(file)?,
            file: file.path.clone(),
            directory: file.path.parent().unwrap_or(Path::new("")).to_owned(),
        })
    }

    /// Reads the files. The routes are for whoever knows where alerts can go.
    pub fn triage(&self, now_ms: i64) -> Result<Triage, ConfigError> {
        let accounts = match &self.accounts {
            Some(path) => Accounts::parse(&read(path)?).map_err(|error| invalid(path, error))?,
            None => Accounts::default(),
        };
        let suppressions = match &self.suppressions {
            Some(path) => self.suppressions_of(path, now_ms)?,
            None => Vec::new(),
        };
        Ok(Triage { accounts, suppressions, adjustments: self.adjustments.clone(), ..Triage::default() })
    }

    pub fn suppressions_of(&self, path: &Path, now_ms: i64) -> Result<Vec<Suppression>, ConfigError> {
        parse_suppressions(&read(path)?, now_ms, self.suppression_days).map_err(|error| invalid(path, error))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })
}

fn invalid(path: &Path, error: YamlError) -> ConfigError {
    ConfigError::Invalid { path: path.to_owned(), line: error.line.max(1), message: error.message }
}

fn policy(file: &ConfigFile) -> Result<Policy, ConfigError> {
    let default = Policy::default();
    let time = |name: &'static str, text: &str, least: Duration| {
        let fail = |message: String| ConfigError::Setting { name, message: format!("{text:?}: {message}") };
        let time = parse_duration(text).map_err(fail)?;
        if time < least { Err(fail(format!("must be at least {least:?}"))) } else { Ok(time) }
    };
    let deliver = &file.deliver;
    let canary = deliver.canary.as_ref().map(|canary| {
        let every = time("deliver.canary.every", &canary.every, Duration::from_secs(60))?;
        let outputs = canary.outputs.clone().unwrap_or_else(|| file.outputs.keys().cloned().collect());
        Ok(CanarySchedule { every, outputs })
    });
    let max_age = deliver.max_age.as_ref().map(|text| time("deliver.max_age", text, Duration::from_secs(60)));
    let limits = file.outputs.iter().filter_map(|(name, output)| Some((name.clone(), output.max_per_hour()?)));
    Ok(Policy {
        max_attempts: deliver.max_attempts.unwrap_or(default.max_attempts).max(1),
        max_age: max_age.transpose()?.unwrap_or(default.max_age),
        storm_limit: deliver.max_per_hour.unwrap_or(default.storm_limit),
        storm_limits: limits.collect(),
        canary: canary.transpose()?,
    })
}
