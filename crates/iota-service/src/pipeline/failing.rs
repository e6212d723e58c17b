//! Rules that fail on records, as far as nobody was told of it: each is told of once a day, however often it fails.

use super::system::failing;
use super::trouble::RuleOfPack;
use crate::rules::LoadedPack;
use iota_engine::alert::Origin;
use iota_engine::rule::RuleError;
use iota_engine::system::SystemAlert;
use std::collections::BTreeMap;

/// How long nothing more is told of a rule.
const QUIET_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Default)]
pub(super) struct Failing(BTreeMap<RuleOfPack, OfRule>);

#[derive(Debug, Default)]
struct OfRule {
    told_ms: Option<i64>,
    untold: Option<Untold>,
}

/// Failures since a rule was last told of.
#[derive(Debug)]
pub(super) struct Untold {
    pub(super) count: u64,
    pub(super) first: RuleError,
    pub(super) origin: Origin,
}

impl Failing {
    /// `origin` is asked for with the first failure alone.
    pub(super) fn note(&mut self, rule: RuleOfPack, error: &RuleError, origin: impl FnOnce() -> Origin) {
        let of_rule = self.0.entry(rule).or_default();
        let first = || Untold { count: 0, first: error.clone(), origin: origin() };
        of_rule.untold.get_or_insert_with(first).count += 1;
    }

    /// It was told of in another way.
    pub(super) fn told(&mut self, rule: RuleOfPack, now_ms: i64) {
        self.0.insert(rule, OfRule { told_ms: Some(now_ms), untold: None });
    }

    /// What is to be told now; it counts as told then.
    pub(super) fn due(&mut self, packs: &[LoadedPack], now_ms: i64) -> Vec<SystemAlert> {
        let is_due = |of_rule: &OfRule| of_rule.told_ms.is_none_or(|told_ms| now_ms >= told_ms + QUIET_MS);
        let mut alerts = Vec::new();
        for (&(pack, rule), of_rule) in self.0.iter_mut().filter(|(_, of_rule)| is_due(of_rule)) {
            if let Some(untold) = of_rule.untold.take() {
                of_rule.told_ms = Some(now_ms);
                alerts.push(failing(&packs[pack], rule, &untold));
            }
        }
        alerts
    }
}
