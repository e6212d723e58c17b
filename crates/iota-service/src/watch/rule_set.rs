//! The rules that run.

use crate::metrics::PausedName;
use crate::pipeline::Paused;
use crate::rules::LoadedPack;
use iota_engine::decode::Limits;
use iota_engine::triage::Triage;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// A set of rules that runs, with what decides about their alerts.
#[derive(Debug)]
pub struct RuleSet {
    pub packs: Vec<LoadedPack>,
    pub limits: Limits,
    pub triage: Arc<Triage>,
    /// Files and directories that all this was read from.
    pub files: Vec<PathBuf>,
    /// When.
    pub read_at: Timestamp,
}

impl RuleSet {
    pub(super) fn name(&self, paused: Paused) -> PausedName {
        match paused {
            Paused::Rule((pack, rule)) => {
                let pack = &self.packs[pack];
                PausedName { kind: "rule", name: format!("{}/{}", pack.pack.name, pack.rule(rule).id) }
            }
            Paused::Pack(pack) => PausedName { kind: "pack", name: self.packs[pack].pack.name.clone() },
        }
    }

    pub(super) fn count(&self) -> usize {
        self.packs.iter().map(|pack| pack.runnable.len()).sum()
    }

    /// Pack and id of the rules that run.
    pub(super) fn ids(&self) -> BTreeSet<(&str, &str)> {
        let rules = self.packs.iter().flat_map(|pack| pack.runnable.iter().map(move |&rule| (pack, rule)));
        rules.map(|(pack, rule)| (pack.pack.name.as_str(), pack.rule(rule).id.as_str())).collect()
    }
}
