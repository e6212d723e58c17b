//! What a site changes about the alerts of a rule: their severity, and where they go.

use super::glob::Globs;
use super::place::Place;
use crate::alert::Severity;
use serde::{Deserialize, Serialize};

/// Severity and destinations of one rule's alerts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Adjustment {
    pub severity: Option<Severity>,
    /// Names of outputs; an empty list sends nothing.
    pub destinations: Option<Vec<String>>,
    /// Win over the above where they hold; of several the first.
    #[serde(default)]
    pub by_account: Vec<AccountAdjustment>,
}

/// The same for some accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountAdjustment {
    /// Ids, or names of accounts.yaml.
    pub accounts: Option<Globs>,
    /// Of accounts.yaml.
    pub environments: Option<Globs>,
    pub severity: Option<Severity>,
    pub destinations: Option<Vec<String>>,
}

impl Adjustment {
    /// Changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn severity(&self, place: &Place<'_>) -> Option<Severity> {
        self.at(place).find_map(|adjustment| adjustment.severity).or(self.severity)
    }

    pub(super) fn destinations<'a>(&'a self, place: &'a Place<'_>) -> Option<&'a [String]> {
        self.at(place).find_map(|adjustment| adjustment.destinations.as_deref()).or(self.destinations.as_deref())
    }

    /// Every name of an output that is mentioned.
    pub fn outputs(&self) -> impl Iterator<Item = &String> {
        let of_accounts = self.by_account.iter().filter_map(|adjustment| adjustment.destinations.as_ref());
        self.destinations.iter().chain(of_accounts).flatten()
    }

    fn at<'a>(&'a self, place: &'a Place<'_>) -> impl Iterator<Item = &'a AccountAdjustment> {
        let here = |adjustment: &&AccountAdjustment| place.is_in(adjustment.accounts.as_ref(), adjustment.environments.as_ref());
        self.by_account.iter().filter(here)
    }
}
