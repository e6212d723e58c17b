//! Which rules may match a record, decided without running them.
//! Knows records and the places of rules; nothing of Python.

use crate::decode::Record;

/// A rule that may match a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Place of the pack in the run.
    pub pack: u16,
    /// Place of the rule in the pack.
    pub rule: u16,
    /// The pair would be skipped; it is run to prove that.
    pub verify: bool,
}

/// Finds the candidates of records. Shared by reference between threads.
#[derive(Debug)]
pub struct Router {
    rules: Vec<Candidate>,
}

impl Router {
    /// Every rule is a candidate of every record. `rules` in order of (pack, rule).
    pub fn everything(rules: Vec<(u16, u16)>) -> Self {
        Self { rules: rules.into_iter().map(|(pack, rule)| Candidate { pack, rule, verify: false }).collect() }
    }

    /// Appends the candidates of a record, ordered by (pack, rule).
    pub fn route(&self, _record: &Record<'_>, candidates: &mut Vec<Candidate>) {
        candidates.extend_from_slice(&self.rules);
    }
}
