//! What grouping needs to know of rules, and what it keeps of matches.
//! Shared by `gather` (alerts when the input has ended) and `live` (alerts as they come).

use super::bodies::Body;
use crate::rules::LoadedPack;
use iota_engine::aggregate::{Finding, GroupKey, Window};
use iota_engine::alert::Severity;
use iota_engine::rule::Rule;
use std::io;
use std::sync::Arc;

/// A rule: index of its pack, and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleIndex {
    pub(super) pack: u32,
    pub(super) rule: u16,
}

/// What an alert takes from its earliest match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) body: Body,
    pub(super) severity: Severity,
    /// It is to be told, and not only counted.
    pub(super) goes: bool,
}

impl Held {
    pub(super) fn of(finding: &Finding<Self>) -> io::Result<Self> {
        finding.body.ok_or_else(|| io::Error::other("internal error, please report it: an alert has no event"))
    }
}

/// How a rule groups.
#[derive(Debug, Clone)]
pub(super) struct Grouping {
    pub(super) pack: Arc<str>,
    pub(super) rule: Arc<str>,
    pub(super) window: Window,
    /// Place of the rule among all, by id.
    pub(super) rank: u32,
}

/// By pack and rule.
#[derive(Debug, Clone)]
pub(super) struct Groupings(Vec<Vec<Grouping>>);

impl Groupings {
    pub(super) fn of(packs: &[LoadedPack]) -> Self {
        let grouping = |pack: &Arc<str>, rule: &Rule| Grouping {
            pack: Arc::clone(pack),
            rule: rule.id.as_str().into(),
            window: Window { ms: i64::from(rule.window_minutes) * 60_000, threshold: rule.threshold as usize },
            rank: 0,
        };
        let of_pack = |pack: &LoadedPack| {
            let name = pack.pack.name.as_str().into();
            pack.pack.rules.iter().map(|rule| grouping(&name, rule)).collect()
        };
        Self::ranked(packs.iter().map(of_pack).collect())
    }

    pub(super) fn ranked(mut packs: Vec<Vec<Grouping>>) -> Self {
        let mut all: Vec<&mut Grouping> = packs.iter_mut().flatten().collect();
        all.sort_by(|a, b| a.rule.cmp(&b.rule));
        for (rank, grouping) in (0..).zip(all) {
            grouping.rank = rank;
        }
        Self(packs)
    }

    pub(super) fn get(&self, index: RuleIndex) -> &Grouping {
        &self.0[index.pack as usize][usize::from(index.rule)]
    }

    pub(super) fn key(&self, index: RuleIndex, dedup: &str) -> GroupKey {
        let grouping = self.get(index);
        GroupKey { pack: Arc::clone(&grouping.pack), rule: Arc::clone(&grouping.rule), dedup: dedup.into() }
    }
}

/// What became of the matches that were grouped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) opened: u64,
    pub(super) grouped: u64,
    pub(super) repeated: u64,
    pub(super) below: u64,
}

impl Tally {
    /// Adds the alerts of one group, by their counts.
    pub(super) fn alerts(&mut self, counts: impl Iterator<Item = u64>) {
        for count in counts {
            self.opened += 1;
            self.grouped += count - 1;
        }
    }
}
