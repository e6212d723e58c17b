//! Groups that tell their alerts as matches come. All of them stay in memory until the input ends: about 140 bytes for one
//! with a single match, about 500 for others.

use super::bodies::Body;
use super::groups::{Groupings, Held, RuleIndex, Tally};
use iota_engine::aggregate::{Change, Group, Sighting};
use iota_engine::alert::Severity;
use iota_engine::event::{Fingerprint, Identity};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Live {
    rules: Arc<Groupings>,
    /// By digest of the group.
    groups: BTreeMap<[u8; 16], Open>,
    repeated: u64,
}

#[derive(Debug)]
enum Open {
    One(One),
    More(Box<Group<Held>>),
}

/// A group with one match, from which it can be made again.
#[derive(Debug)]
struct One {
    rule: RuleIndex,
    identity: Identity,
    fingerprint: Fingerprint,
    ms: i64,
    held: Held,
}

/// Stands in while an error is on its way.
const NONE: Held = Held { body: Body { start: 0, length: 0 }, severity: Severity::Info, goes: false };

impl Live {
    pub(super) fn new(rules: Arc<Groupings>) -> Self {
        Self { rules, groups: BTreeMap::new(), repeated: 0 }
    }

    /// Counts a match and tells what it changed. `held` is asked for only where the alert may need it.
    pub(super) fn add(
        &mut self,
        rule: RuleIndex,
        dedup: &str,
        sighting: &Sighting,
        held: impl FnOnce() -> io::Result<Held>,
    ) -> io::Result<Change<Held>> {
        let key = self.rules.key(rule, dedup);
        let digest = key.digest();
        let new = || Group::new(key, self.rules.get(rule).window);
        let mut group = match self.groups.remove(&digest) {
            None => {
                let held = held()?;
                let mut group = new();
                let change = group.add(sighting, || held);
                let &Sighting { identity, fingerprint, ms, .. } = sighting;
                let open = if sighting.unique.is_none() {
                    Open::One(One { rule, identity, fingerprint, ms, held })
                } else {
                    Open::More(Box::new(group))
                };
                self.groups.insert(digest, open);
                return Ok(change);
            }
            Some(Open::More(group)) => group,
            Some(Open::One(one)) => {
                let One { identity, fingerprint, ms, held, .. } = one;
                let mut group = new();
                group.add(&Sighting { identity, ms, fingerprint, unique: None, variant: false }, || held);
                Box::new(group)
            }
        };
        let mut failed = None;
        let change = group.add(sighting, || {
            held().unwrap_or_else(|error| {
                failed = Some(error);
                NONE
            })
        });
        self.groups.insert(digest, Open::More(group));
        self.repeated += u64::from(change == Change::Duplicate);
        failed.map_or(Ok(change), Err)
    }

    /// What became of all matches.
    pub(super) fn finish(&self) -> Tally {
        let mut tally = Tally { repeated: self.repeated, ..Tally::default() };
        for open in self.groups.values() {
            match open {
                Open::One(one) if self.rules.get(one.rule).window.threshold <= 1 => tally.opened += 1,
                Open::One(_) => tally.below += 1,
                Open::More(group) => {
                    let (found, below) = group.finish();
                    tally.below += below;
                    tally.alerts(found.iter().map(|finding| finding.count));
                }
            }
        }
        tally
    }
}
