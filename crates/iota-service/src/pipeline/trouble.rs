//! Rules that keep ending their workers. One is paused, which costs no call: what is left out meanwhile is run later.
//! Decided in the order of the input, so that it does not depend on how many workers there are.

use iota_engine::rule::{Outcome, Pair};
use iota_python::{KILLS, LeftOut};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Calls that return, one after another, after which it no longer counts that a rule ended workers before. An attacker
/// who has a rule end its worker now and then does not get it paused.
const FORGIVEN: u64 = 1_000;

/// A rule of a pack, by their places.
pub(crate) type RuleOfPack = (usize, u16);

/// What is known of rules that ended workers.
#[derive(Debug)]
pub(super) struct Trouble {
    rules: BTreeMap<RuleOfPack, OfRule>,
    /// By pack: tells the runners, so that they need not try.
    left_out: Vec<Arc<LeftOut>>,
}

#[derive(Debug, Default)]
struct OfRule {
    /// Workers it ended that still count.
    strikes: u32,
    /// Calls that returned since the last of them.
    well: u64,
    is_paused: bool,
    /// Since it was last resumed; `None`: it never was.
    resumed: Option<Resumed>,
}

#[derive(Debug, Default)]
struct Resumed {
    returned: u64,
    ended: u64,
}

impl OfRule {
    /// One call. Returns whether the rule is to be paused.
    fn call(&mut self, ended_worker: bool) -> bool {
        if let Some(resumed) = &mut self.resumed {
            *(if ended_worker { &mut resumed.ended } else { &mut resumed.returned }) += 1;
        }
        if ended_worker {
            self.strikes += 1;
            self.well = 0;
        } else {
            self.well += 1;
            if self.well >= FORGIVEN {
                self.strikes = 0;
            }
        }
        self.is_paused = self.strikes >= KILLS;
        self.is_paused
    }
}

impl Trouble {
    pub(super) fn new(packs: usize) -> Self {
        Self { rules: BTreeMap::new(), left_out: (0..packs).map(|_| Arc::default()).collect() }
    }

    pub(super) fn left_out(&self) -> &[Arc<LeftOut>] {
        &self.left_out
    }

    pub(super) fn is_paused(&self, rule: RuleOfPack) -> bool {
        self.rules.get(&rule).is_some_and(|of_rule| of_rule.is_paused)
    }

    pub(super) fn paused(&self) -> impl Iterator<Item = RuleOfPack> {
        self.rules.iter().filter(|(_, of_rule)| of_rule.is_paused).map(|(rule, _)| *rule)
    }

    /// It is paused, and since it was resumed more of its calls ended their worker than returned: trying it once more at
    /// once is of no use.
    pub(super) fn is_hopeless(&self, rule: RuleOfPack) -> bool {
        let of_rule = self.rules.get(&rule).filter(|of_rule| of_rule.is_paused);
        of_rule.and_then(|of_rule| of_rule.resumed.as_ref()).is_some_and(|resumed| resumed.ended > resumed.returned)
    }

    /// It is run again.
    pub(super) fn resume(&mut self, (pack, rule): RuleOfPack) {
        self.rules.insert((pack, rule), OfRule { resumed: Some(Resumed::default()), ..OfRule::default() });
        self.left_out[pack].remove(rule);
    }

    /// Counts the workers that rules of a pack ended. From the one too many on, a rule's pairs count as not run, whether or
    /// not a runner was ahead and has run some: so the outcome is the same however many runners there are. Returns the
    /// rules that are paused from now on, with the last record that they were run on.
    pub(super) fn judge(&mut self, pack: usize, given: &[Pair], outcome: &mut Outcome) -> Vec<Pair> {
        let fatal: BTreeSet<Pair> = outcome.errors.iter().filter(|error| error.fatal).map(pair_of).collect();
        for pair in &fatal {
            self.rules.entry((pack, pair.rule)).or_default();
        }
        // From which record on a rule is left out.
        let mut cuts: BTreeMap<u16, u32> = BTreeMap::new();
        let mut paused = Vec::new();
        for (&(_, rule), of_rule) in self.rules.range_mut((pack, 0)..=(pack, u16::MAX)) {
            if of_rule.is_paused {
                cuts.insert(rule, 0);
                continue;
            }
            let not_run: BTreeSet<Pair> = outcome.not_run.iter().copied().filter(|pair| pair.rule == rule).collect();
            let called = given.iter().filter(|pair| pair.rule == rule && !not_run.contains(pair));
            let last = called.into_iter().find(|pair| of_rule.call(fatal.contains(pair)));
            if let Some(last) = last {
                self.left_out[pack].add(rule);
                cuts.insert(rule, last.record + 1);
                paused.push(*last);
            }
        }
        cut(&cuts, given, outcome);
        paused
    }
}

fn pair_of(error: &iota_engine::rule::RuleError) -> Pair {
    Pair { record: error.record, rule: error.rule }
}

/// Takes out what rules gave from some record on.
fn cut(cuts: &BTreeMap<u16, u32>, given: &[Pair], outcome: &mut Outcome) {
    if cuts.is_empty() {
        return;
    }
    let kept = |record: u32, rule: u16| cuts.get(&rule).is_none_or(|cut| record < *cut);
    outcome.matches.retain(|found| kept(found.record, found.rule));
    outcome.errors.retain(|error| kept(error.record, error.rule));
    outcome.logs.retain(|log| kept(log.record, log.rule));
    outcome.state.retain(|update| kept(update.record, update.rule));
    outcome.not_run.retain(|pair| kept(pair.record, pair.rule));
    outcome.not_run.extend(given.iter().filter(|pair| !kept(pair.record, pair.rule)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use iota_engine::rule::{Failure, RuleError};

    const RULE: u16 = 3;

    /// A batch of calls of one rule; `true` ends the worker. Returns on which record the rule was paused.
    fn calls(trouble: &mut Trouble, calls: &[bool]) -> (Option<u32>, usize) {
        let given: Vec<Pair> = (0..).zip(calls).map(|(record, _)| Pair { record, rule: RULE }).collect();
        let failure =
            || Failure { r#type: "WorkerDied".into(), message: String::new(), path: None, line: None, traceback: String::new() };
        let errors = given.iter().zip(calls).filter(|(_, ends)| **ends).map(|(pair, _)| RuleError {
            record: pair.record,
            rule: RULE,
            function: "rule".into(),
            failure: failure(),
            fatal: true,
        });
        let mut outcome = Outcome { errors: errors.collect(), ..Outcome::default() };
        let paused = trouble.judge(0, &given, &mut outcome);
        (paused.first().map(|pair| pair.record), outcome.not_run.len())
    }

    #[test]
    fn a_rule_is_paused_at_the_same_call_however_the_calls_are_cut_into_batches() {
        for size in [1, 7, 64, 1_000] {
            let mut trouble = Trouble::new(1);
            let all: Vec<bool> = (0..200).map(|n| n % 3 == 0).collect();
            let mut not_run = 0;
            let mut at = None;
            for (batch, part) in all.chunks(size).enumerate() {
                let (paused, left_out) = calls(&mut trouble, part);
                not_run += left_out;
                at = at.or(paused.map(|record| batch * size + record as usize));
            }
            assert_eq!((at, not_run), (Some(57), 142), "batches of {size}");
        }
    }

    #[test]
    fn what_ends_a_worker_now_and_then_is_forgiven() {
        let mut trouble = Trouble::new(1);
        for _ in 0..100 {
            let mut part = vec![false; 1_000];
            part.push(true);
            assert_eq!(calls(&mut trouble, &part), (None, 0));
        }
        assert_eq!(calls(&mut trouble, &[true; 18]), (None, 0));
        assert_eq!(calls(&mut trouble, &[false, true, false]), (Some(1), 1));
    }

    #[test]
    fn a_rule_that_was_resumed_is_hopeless_when_it_mostly_ends_its_worker() {
        let mut trouble = Trouble::new(1);
        calls(&mut trouble, &[true; 20]);
        assert!(trouble.is_paused((0, RULE)) && !trouble.is_hopeless((0, RULE)), "it was not tried again");
        trouble.resume((0, RULE));
        let half: Vec<bool> = (0..60).map(|n| n % 2 == 0).collect();
        assert_eq!(calls(&mut trouble, &half).1, 21);
        assert!(trouble.is_paused((0, RULE)) && trouble.is_hopeless((0, RULE)), "20 ended, 19 returned");
        trouble.resume((0, RULE));
        let third: Vec<bool> = (0..60).map(|n| n % 3 == 0).collect();
        calls(&mut trouble, &third);
        assert!(trouble.is_paused((0, RULE)) && !trouble.is_hopeless((0, RULE)));
    }
}
