//! Rules that keep ending their workers, and packs with many such rules, that no worker can be started for, or that others wait
//! for. One is paused, which costs no call: what is left out meanwhile is run later.
//! Decided in the order of the input, so that it does not depend on how many workers there are.

use iota_engine::rule::{Outcome, Pair};
use iota_python::{KILLS, LeftOut, PACK_KILLS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Calls that return, one after another, after which it no longer counts that a rule ended workers before. An attacker
/// who has a rule end its worker now and then does not get it paused.
const FORGIVEN: u64 = 1_000;
/// Workers that the rules of a pack end on one record and that count for the pack, at most. Rules that share a helper may
/// all fail on one record, and nobody is to pause a pack with a few of them.
const RECORD_KILLS: u32 = 10;

/// A rule of a pack, by their places.
pub(crate) type RuleOfPack = (usize, u16);

/// What is not run for now. A pack is one as a whole, whatever is known of its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Paused {
    Rule(RuleOfPack),
    Pack(usize),
}

/// What is paused from now on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// With the record that it was last run on.
    Rule(Pair),
    Pack(Reason),
}

/// Why a pack is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// No worker starts, or others wait for it too long: what a runner said.
    Told(String),
    /// Most of what its rules are called for ends one.
    Killed,
}

/// What is known of rules that ended workers, and of their packs.
#[derive(Debug)]
pub(super) struct Trouble {
    rules: BTreeMap<RuleOfPack, OfRule>,
    packs: Vec<OfPack>,
    /// By pack: tells the runners, so that they need not try.
    left_out: Vec<Arc<LeftOut>>,
}

#[derive(Debug, Default)]
struct OfPack {
    paused: Option<Reason>,
    /// Calls that were made since it was last resumed; `None`: it never was.
    resumed: Option<u64>,
    /// Calls that ended their worker, and calls that returned, since so many had returned that it was forgotten.
    ended: u64,
    returned: u64,
}

impl OfPack {
    /// One call. Returns whether it no longer counts that its rules ended workers before.
    fn call(&mut self, ended_worker: bool) -> bool {
        *(if ended_worker { &mut self.ended } else { &mut self.returned }) += 1;
        let is_forgiven = self.returned >= FORGIVEN;
        if is_forgiven {
            (self.ended, self.returned) = (0, 0);
        }
        is_forgiven
    }
}

#[derive(Debug, Default)]
struct OfRule {
    /// Workers it ended that still count.
    strikes: u32,
    /// Those of them that count for its pack.
    of_pack: u32,
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
                (self.strikes, self.of_pack) = (0, 0);
            }
        }
        self.is_paused = self.strikes >= KILLS;
        self.is_paused
    }
}

impl Trouble {
    pub(super) fn new(packs: usize) -> Self {
        let of_packs = (0..packs).map(|_| OfPack::default()).collect();
        Self { rules: BTreeMap::new(), packs: of_packs, left_out: (0..packs).map(|_| Arc::default()).collect() }
    }

    pub(super) fn left_out(&self) -> &[Arc<LeftOut>] {
        &self.left_out
    }

    /// Whether a rule is not run for now, be it for itself or with its pack.
    pub(super) fn is_paused(&self, rule: RuleOfPack) -> bool {
        self.packs[rule.0].paused.is_some() || self.rules.get(&rule).is_some_and(|of_rule| of_rule.is_paused)
    }

    pub(super) fn is_pack_paused(&self, pack: usize) -> bool {
        self.packs[pack].paused.is_some()
    }

    pub(super) fn paused(&self) -> impl Iterator<Item = Paused> {
        let packs = self.packs.iter().enumerate().filter(|(_, of_pack)| of_pack.paused.is_some());
        let rules = self.rules.iter().filter(|(_, of_rule)| of_rule.is_paused);
        packs.map(|(pack, _)| Paused::Pack(pack)).chain(rules.map(|(rule, _)| Paused::Rule(*rule)))
    }

    /// Those that it is of some use to try once more at once: what was not resumed yet, a rule of which then at least as many
    /// calls returned as ended their worker, a pack that then made many. A rule of a paused pack is of no use.
    pub(super) fn hopeful(&self) -> Vec<Paused> {
        let is_hopeful = |paused: &Paused| match paused {
            Paused::Rule(rule) => {
                let resumed = self.rules.get(rule).and_then(|of_rule| of_rule.resumed.as_ref());
                !self.is_pack_paused(rule.0) && resumed.is_none_or(|resumed| resumed.ended <= resumed.returned)
            }
            Paused::Pack(pack) => self.packs[*pack].resumed.is_none_or(|calls| calls >= FORGIVEN),
        };
        self.paused().filter(is_hopeful).collect()
    }

    /// It is run again.
    pub(super) fn resume(&mut self, paused: Paused) {
        match paused {
            Paused::Rule((pack, rule)) => {
                self.rules.insert((pack, rule), OfRule { resumed: Some(Resumed::default()), ..OfRule::default() });
                self.left_out[pack].remove(rule);
            }
            Paused::Pack(pack) => {
                self.packs[pack] = OfPack { resumed: Some(0), ..OfPack::default() };
                // Those that are paused for themselves stay so.
                self.rules.retain(|rule, of_rule| rule.0 != pack || of_rule.is_paused);
                self.left_out[pack].remove_pack();
            }
        }
    }

    /// Counts the workers that rules of a pack ended. From the one too many on, a rule's pairs, or those of all rules, count as
    /// not run, whether or not a runner was ahead and has run some: so the outcome is the same however many runners there
    /// are. Only where no worker starts, and where a runner gives up a batch in which too many end or that takes too long, what runs
    /// does not depend on the input alone. Returns what is paused from now on.
    pub(super) fn judge(&mut self, pack: usize, given: &[Pair], outcome: &mut Outcome) -> Vec<Pause> {
        let fatal: BTreeSet<Pair> = outcome.errors.iter().filter(|error| error.fatal).map(pair_of).collect();
        let told = outcome.pause.take();
        let mut cuts = Cuts::default();
        let mut pauses = Vec::new();
        match &self.packs[pack].paused {
            Some(Reason::Killed) => cuts.all = Some((0, 0)),
            // Who had a worker has used it.
            Some(Reason::Told(_)) | None => self.count(pack, given, (&fatal, outcome), (&mut cuts, &mut pauses)),
        }
        cuts.cut(given, outcome);
        let of_pack = &mut self.packs[pack];
        if let Some(calls) = &mut of_pack.resumed {
            *calls += (given.len() - outcome.not_run.len()) as u64;
        }
        if let Some(why) = told.filter(|_| of_pack.paused.is_none()) {
            of_pack.paused = Some(Reason::Told(why));
        } else if cuts.all.is_some_and(|cut| cut > (0, 0)) {
            of_pack.paused = Some(Reason::Killed);
            self.left_out[pack].add_pack();
        } else {
            return pauses;
        }
        pauses.extend(of_pack.paused.clone().map(Pause::Pack));
        pauses
    }

    /// Goes through the calls that were made in the order of the input.
    fn count(
        &mut self,
        pack: usize,
        given: &[Pair],
        (fatal, outcome): (&BTreeSet<Pair>, &Outcome),
        (cuts, pauses): (&mut Cuts, &mut Vec<Pause>),
    ) {
        let of_pack = (pack, 0)..=(pack, u16::MAX);
        if fatal.is_empty() && self.rules.range(of_pack.clone()).next().is_none() {
            return;
        }
        for pair in fatal {
            self.rules.entry((pack, pair.rule)).or_default();
        }
        for ((_, rule), _) in self.rules.range(of_pack.clone()).filter(|(_, of_rule)| of_rule.is_paused) {
            cuts.rules.insert(*rule, 0);
        }
        let not_run: BTreeSet<Pair> = outcome.not_run.iter().copied().collect();
        let mut calls: Vec<Pair> = given.iter().filter(|pair| !not_run.contains(pair)).copied().collect();
        calls.sort_unstable();
        let (mut record, mut of_record) = (None, 0);
        for pair in calls {
            if cuts.rules.contains_key(&pair.rule) {
                continue;
            }
            let ended_worker = fatal.contains(&pair);
            if self.packs[pack].call(ended_worker) {
                self.rules.range_mut(of_pack.clone()).for_each(|(_, of_rule)| of_rule.of_pack = 0);
            }
            let Some(of_rule) = self.rules.get_mut(&(pack, pair.rule)) else { continue };
            if record.replace(pair.record) != Some(pair.record) {
                of_record = 0;
            }
            if ended_worker && of_record < RECORD_KILLS {
                of_record += 1;
                of_rule.of_pack += 1;
            }
            if of_rule.call(ended_worker) {
                self.left_out[pack].add(pair.rule);
                cuts.rules.insert(pair.rule, pair.record + 1);
                pauses.push(Pause::Rule(pair));
            }
            if ended_worker && self.mostly_ends_workers(pack) {
                cuts.all = Some((pair.record, u32::from(pair.rule) + 1));
                return;
            }
        }
    }

    /// Whether a pack is of no use as a whole. A few rules that always end their worker are paused for themselves, and no
    /// longer count; the others go on.
    fn mostly_ends_workers(&self, pack: usize) -> bool {
        let rules = self.rules.range((pack, 0)..=(pack, u16::MAX));
        let counted: u32 = rules.filter(|(_, of_rule)| !of_rule.is_paused).map(|(_, of_rule)| of_rule.of_pack).sum();
        counted >= PACK_KILLS && self.packs[pack].returned < self.packs[pack].ended
    }
}

fn pair_of(error: &iota_engine::rule::RuleError) -> Pair {
    Pair { record: error.record, rule: error.rule }
}

/// From where on what rules gave is taken out.
#[derive(Debug, Default)]
struct Cuts {
    /// By rule, from which record on.
    rules: BTreeMap<u16, u32>,
    /// Of all rules, from which (record, rule) on.
    all: Option<(u32, u32)>,
}

impl Cuts {
    fn cut(&self, given: &[Pair], outcome: &mut Outcome) {
        if self.rules.is_empty() && self.all.is_none() {
            return;
        }
        let kept = |record: u32, rule: u16| {
            self.rules.get(&rule).is_none_or(|cut| record < *cut) && self.all.is_none_or(|cut| (record, rule.into()) < cut)
        };
        outcome.matches.retain(|found| kept(found.record, found.rule));
        outcome.errors.retain(|error| kept(error.record, error.rule));
        outcome.logs.retain(|log| kept(log.record, log.rule));
        outcome.state.retain(|update| kept(update.record, update.rule));
        outcome.not_run.retain(|pair| kept(pair.record, pair.rule));
        outcome.not_run.extend(given.iter().filter(|pair| !kept(pair.record, pair.rule)));
    }
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
        let at = paused.first().map(|pause| match pause {
            Pause::Rule(pair) => pair.record,
            Pause::Pack(reason) => panic!("{reason:?}"),
        });
        (at, outcome.not_run.len())
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
            assert_eq!((at, not_run), (Some(27), 172), "batches of {size}");
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
        assert_eq!(calls(&mut trouble, &[true; 8]), (None, 0));
        assert_eq!(calls(&mut trouble, &[false, true, false]), (Some(1), 1));
    }

    #[test]
    fn a_rule_that_was_resumed_is_hopeless_when_it_mostly_ends_its_worker() {
        let mut trouble = Trouble::new(1);
        let rule = Paused::Rule((0, RULE));
        calls(&mut trouble, &[true; 10]);
        assert_eq!(trouble.hopeful(), [rule], "it was not tried again");
        trouble.resume(rule);
        let half: Vec<bool> = (0..60).map(|n| n % 2 == 0).collect();
        assert_eq!(calls(&mut trouble, &half).1, 41);
        assert!(trouble.is_paused((0, RULE)) && trouble.hopeful().is_empty(), "10 ended, 9 returned");
        trouble.resume(rule);
        let third: Vec<bool> = (0..60).map(|n| n % 3 == 0).collect();
        calls(&mut trouble, &third);
        assert_eq!(trouble.hopeful(), [rule]);
    }

    /// A batch of calls of so many rules, each on each record; those named end their worker. Returns what is paused.
    fn calls_of(trouble: &mut Trouble, records: u32, rules: u16, ends: impl Fn(Pair) -> bool) -> (Vec<Pause>, Outcome) {
        let given: Vec<Pair> = (0..records).flat_map(|record| (0..rules).map(move |rule| Pair { record, rule })).collect();
        let failure =
            || Failure { r#type: "WorkerDied".into(), message: String::new(), path: None, line: None, traceback: String::new() };
        let errors = given.iter().filter(|pair| ends(**pair)).map(|pair| RuleError {
            record: pair.record,
            rule: pair.rule,
            function: "rule".into(),
            failure: failure(),
            fatal: true,
        });
        let mut outcome = Outcome { errors: errors.collect(), ..Outcome::default() };
        let pauses = trouble.judge(0, &given, &mut outcome);
        (pauses, outcome)
    }

    #[test]
    fn a_pack_is_paused_when_many_of_its_rules_end_workers_and_not_for_a_few() {
        // Four rules end ten workers each and are paused; the others go on.
        let mut trouble = Trouble::new(1);
        let (pauses, outcome) = calls_of(&mut trouble, 60, 20, |pair| pair.rule < 4);
        assert_eq!((pauses.len(), outcome.not_run.len(), trouble.is_pack_paused(0)), (4, 200, false));
        // All twenty: ten of them count on a record, so that it is fifty in the middle of the fifth.
        let mut trouble = Trouble::new(1);
        let (pauses, outcome) = calls_of(&mut trouble, 60, 20, |_| true);
        assert_eq!((pauses, outcome.errors.len()), (vec![Pause::Pack(Reason::Killed)], 90));
        assert_eq!((outcome.not_run.len(), outcome.not_run[0]), (60 * 20 - 90, Pair { record: 4, rule: 10 }));
        // What a runner that was ahead has run does not count.
        let (pauses, outcome) = calls_of(&mut trouble, 3, 20, |_| false);
        assert_eq!((pauses, outcome.not_run.len()), (Vec::new(), 60));
        assert_eq!((trouble.hopeful(), trouble.is_paused((0, 7))), (vec![Paused::Pack(0)], true));
        trouble.resume(Paused::Pack(0));
        assert_eq!(calls_of(&mut trouble, 3, 20, |_| false).1.not_run.len(), 0);
        assert_eq!(calls_of(&mut trouble, 60, 20, |_| true).0.len(), 1);
        assert!(trouble.hopeful().is_empty(), "little was done before it came to this again");
    }

    /// Rules share a helper, and somebody makes a record for it now and then.
    #[test]
    fn a_few_records_on_which_all_rules_end_workers_pause_nothing() {
        let mut trouble = Trouble::new(1);
        for _ in 0..3 {
            let (pauses, outcome) = calls_of(&mut trouble, 3, 60, |pair| pair.record == 1 && pair.rule < 59);
            assert_eq!((pauses, outcome.errors.len(), outcome.not_run.len()), (Vec::new(), 59, 0));
        }
        // One after the other at first.
        let mut trouble = Trouble::new(1);
        assert_eq!(calls_of(&mut trouble, 3, 60, |_| true).0, []);
        assert_eq!(calls_of(&mut trouble, 60, 60, |_| false).0, []);
        assert_eq!(calls_of(&mut trouble, 3, 60, |_| true).0, [], "the first are forgotten");
        // A pack that was paused is not kept so with one record whenever it is tried.
        let mut trouble = Trouble::new(1);
        assert_eq!(calls_of(&mut trouble, 5, 60, |_| true).0, [Pause::Pack(Reason::Killed)]);
        trouble.resume(Paused::Pack(0));
        let (pauses, outcome) = calls_of(&mut trouble, 5, 60, |pair| pair.record == 0);
        assert_eq!((pauses, outcome.not_run.len()), (Vec::new(), 0));
    }

    #[test]
    fn five_rules_that_always_end_workers_do_not_pause_the_one_beside_them() {
        for places in [0..5, 1..6] {
            let mut trouble = Trouble::new(1);
            for _ in 0..3 {
                let (pauses, outcome) = calls_of(&mut trouble, 60, 6, |pair| places.contains(&pair.rule));
                assert_eq!((pauses.len(), outcome.not_run.len(), trouble.is_pack_paused(0)), (5, 5 * 50, false));
                assert!(outcome.not_run.iter().all(|pair| places.contains(&pair.rule)));
                // As when all of them are due at once.
                for paused in trouble.paused().collect::<Vec<_>>() {
                    trouble.resume(paused);
                }
            }
        }
    }

    #[test]
    fn a_pack_that_no_worker_starts_for_is_paused_and_what_ran_counts() {
        let mut trouble = Trouble::new(2);
        let given = [0, 1].map(|record| Pair { record, rule: RULE });
        let mut outcome = Outcome { not_run: vec![given[1]], pause: Some("why".into()), ..Outcome::default() };
        assert_eq!(trouble.judge(0, &given, &mut outcome), [Pause::Pack(Reason::Told("why".into()))]);
        assert_eq!((outcome.not_run.as_slice(), trouble.hopeful()), (&given[1..], vec![Paused::Pack(0)]));
        // Another thread has a worker.
        let mut outcome = Outcome { pause: Some("again".into()), ..Outcome::default() };
        assert_eq!((trouble.judge(0, &given, &mut outcome), outcome.not_run.len()), (Vec::new(), 0));
        trouble.resume(Paused::Pack(0));
        assert_eq!(trouble.paused().count(), 0);
    }
}
