//! Checks pairs that the fast path would have skipped and that were run to prove it.

use super::run::index;
use super::sequence::Job;
use iota_engine::rule::Outcome;
use std::collections::BTreeSet;

/// What running the skipped pairs of one pack and batch showed.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) pairs: u64,
    /// (record, rule, what it did) of pairs that should not have been skipped.
    pub(super) violations: Vec<(u32, u16, String)>,
}

pub(super) fn verify(job: &Job, pack: usize, outcome: &Outcome) -> Verified {
    let mut skipped = BTreeSet::new();
    for (record, at) in (0..).zip(0..job.batch.records().len()) {
        let of_pack = job.batch.candidates(at).iter().filter(|candidate| candidate.verify && candidate.pack == index(pack));
        skipped.extend(of_pack.map(|candidate| (record, candidate.rule)));
    }
    // What was not run in the end proves nothing.
    outcome.not_run.iter().for_each(|pair| _ = skipped.remove(&(pair.record, pair.rule)));
    let mut verified = Verified { pairs: skipped.len() as u64, violations: Vec::new() };
    if skipped.is_empty() {
        return verified;
    }
    let matches = outcome.matches.iter().map(|found| (found.record, found.rule, "it matched".to_owned()));
    let errors = outcome.errors.iter().map(|error| (error.record, error.rule, format!("it raised {}", error.failure.r#type)));
    let states = outcome.state.iter().map(|update| (update.record, update.rule, "it changed its state".to_owned()));
    verified.violations =
        matches.chain(errors).chain(states).filter(|(record, rule, _)| skipped.contains(&(*record, *rule))).collect();
    verified
}
