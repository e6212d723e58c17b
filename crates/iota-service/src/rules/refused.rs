//! Packs that may not run because nobody who may sign packs has signed them as they are.

use super::directory::{DirectoryError, read_snapshot};
use super::loaded::RulesError;
use crate::config::Settings;
use crate::supply::check_snapshot;
use iota_engine::alert::Severity;
use iota_engine::rule::Snapshot;
use iota_engine::system::{PACK_REFUSED, SystemAlert};
use serde_json::json;
use std::path::{Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("rules: {}: {why} (rule_signatures.required is set)", directory.display())]
pub struct Refused {
    pub directory: PathBuf,
    pub why: String,
}

/// Whether a pack that was read may run.
pub(super) fn check(directory: &Path, snapshot: &Snapshot, settings: &Settings) -> Result<(), Refused> {
    let signatures = &settings.rule_signatures;
    if !signatures.required {
        return Ok(());
    }
    let checked = check_snapshot(directory, snapshot, &signatures.keys);
    checked.map(drop).map_err(|why| Refused { directory: directory.to_owned(), why: why.to_string() })
}

/// Those of the packs that may run, and the others. Where no signatures are required, all may.
pub fn part(directories: &[PathBuf], settings: &Settings) -> Result<(Vec<PathBuf>, Vec<Refused>), RulesError> {
    if !settings.rule_signatures.required {
        return Ok((directories.to_vec(), Vec::new()));
    }
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    for directory in directories {
        let checked = match read_snapshot(directory) {
            Ok(snapshot) => check(directory, &snapshot, settings),
            // What cannot be read is not what was signed.
            Err(DirectoryError::Unreadable { why, .. }) => Err(Refused { directory: directory.clone(), why }),
            Err(error) => return Err(error.into()),
        };
        match checked {
            Ok(()) => allowed.push(directory.clone()),
            Err(why) => refused.push(why),
        }
    }
    Ok((allowed, refused))
}

impl Refused {
    /// Says that its rules do not run at all.
    pub fn left_out(&self) -> SystemAlert {
        self.alert(
            "left out",
            format!("Rules of {} do not run: it is not what was signed", self.directory.display()),
            Severity::Critical,
            "Nothing that these rules look for is found until the pack verifies. What comes meanwhile counts as read.",
        )
    }

    /// Says that what ran before goes on.
    pub fn not_taken(&self) -> SystemAlert {
        self.alert(
            "not taken",
            format!("A change of {} was not taken: it is not what was signed", self.directory.display()),
            Severity::High,
            "The rules that ran before the change go on, those of all packs; a new start would leave this pack out.",
        )
    }

    fn alert(&self, state: &str, title: String, severity: Severity, means: &str) -> SystemAlert {
        let directory = self.directory.display().to_string();
        SystemAlert {
            rule: PACK_REFUSED,
            dedup: format!("{directory} {state}"),
            title,
            severity,
            description: format!("{}. {means}", self.why),
            runbook: "Find out who has changed the pack: `iota rules verify DIR` names every file that differs. Put the signed \
                      version back, or have the change signed; `iota watch` then reads it by itself. `iota rerun --rule RULE` \
                      runs a rule over what was read while it was left out.",
            context: json!({"directory": directory, "why": self.why}),
        }
    }
}
