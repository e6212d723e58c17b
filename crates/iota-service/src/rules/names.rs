//! Names in the configuration that nothing has, with file and line.

use super::loaded::{LoadedPack, RulesError, other_packs};
use crate::config::{AlertSettings, Settings};
use iota_engine::rule::Pack;
use iota_engine::triage::{Names, Naming, Unknown};
use iota_engine::yaml::line_at;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Where such a name stands, and what it may have been meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    pub path: PathBuf,
    pub line: u64,
    pub message: String,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// Patterns of rules, tags, packs, accounts and environments that fit nothing: neither in the packs that are given nor in the
/// others of the configuration. `now_ms` is for suppressions.
pub fn unknown_names(packs: &[LoadedPack], settings: &Settings, now_ms: i64) -> Result<Vec<UnknownName>, RulesError> {
    let triage = settings.alerts.triage(now_ms)?;
    let AlertSettings { routes, adjustments, .. } = &settings.alerts;
    let naming = Naming {
        routes: routes.as_deref().unwrap_or_default(),
        adjustments,
        suppressions: &triage.suppressions,
        accounts: &triage.accounts,
    };
    let used: Vec<_> = packs.iter().map(|pack| pack.directory.as_path()).collect();
    let others = other_packs(&used, settings)?;
    let names = names(packs.iter().map(|pack| &pack.pack).chain(&others));
    Ok(naming.unknown(&names).into_iter().map(|unknown| placed(unknown, &settings.alerts)).collect())
}

fn names<'a>(packs: impl Iterator<Item = &'a Pack>) -> Names<'a> {
    let mut names = Names::default();
    let mut own = BTreeSet::new();
    for pack in packs {
        names.packs.insert(&pack.name);
        names.rules.extend(pack.known_ids());
        for rule in pack.rules.iter().chain(&pack.unusable) {
            own.insert(rule.id.as_str());
            names.tags.extend(rule.tags.iter().map(String::as_str));
            names.former.extend(rule.aliases.iter().map(|former| (former.as_str(), rule.id.as_str())));
        }
    }
    // A former id that another rule has now means that rule.
    names.former.retain(|former, _| !own.contains(former));
    names.rules.retain(|id| !names.former.contains_key(id));
    names.rules.extend(own);
    names
}

fn placed(Unknown { in_suppressions, steps, message }: Unknown<'_>, alerts: &AlertSettings) -> UnknownName {
    let of_suppressions = alerts.suppressions.as_deref().filter(|_| in_suppressions);
    let path: &Path = of_suppressions.unwrap_or(&alerts.file);
    // It was read a moment ago; should it be gone, the name is still worth telling.
    let line = fs::read(path).ok().and_then(|bytes| line_at(&bytes, &steps)).unwrap_or(1);
    UnknownName { path: path.to_owned(), line, message }
}
