//! How many failures of a rule are kept to be evaluated again.

use std::collections::BTreeMap;

/// Pairs of one rule that are kept in a run, and in `watch` in a round, when it fails. A rule that fails on everything would
/// fill the device in one go; `iota rerun --rule` reads the objects again instead. Pairs that were not run are kept however
/// many they are.
///
/// This is no limit over the life of the state, although a rule that fails for weeks is kept in every round: events that came in
/// messages, through pipes and on standard input are kept nowhere else, and would be lost. A round is limited in what it reads,
/// failures go after some weeks, and a device that is full all the same stops input and loses nothing.
const MOST: u64 = 10_000;

/// Of each rule, in one run or round.
#[derive(Debug, Default)]
pub(super) struct KeptFailures(BTreeMap<String, u64>);

impl KeptFailures {
    /// Counts a failure of a rule, and says whether it is one of those that are kept.
    pub(super) fn may_keep(&mut self, pack: &str, rule: &str) -> bool {
        let count = self.0.entry(format!("{pack}/{rule}")).or_default();
        *count += 1;
        if *count == MOST + 1 {
            tracing::error!(
                "rule {pack}/{rule}: failed on {MOST} records; further ones are counted, but not kept: \
                 once it is repaired, `iota rerun --rule {rule} --since TIME` reads the input again"
            );
        }
        *count <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_kept_up_to_a_number() {
        let mut failures = KeptFailures::default();
        let kept = (0..MOST + 5).filter(|_| failures.may_keep("p", "r")).count();
        assert_eq!(kept as u64, MOST);
        assert!(failures.may_keep("p", "other"));
    }
}
