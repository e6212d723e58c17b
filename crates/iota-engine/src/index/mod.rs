//! Which rules may match a record, decided without running them.
//! Asks the index which rules' conditions on single fields hold, then evaluates what those rules need natively.

mod fields;

use crate::decode::{Record, Span};
use crate::guard::{Decision, Guards, Looked, is_misspelt};
use fields::{FieldIndex, Fields};
use rustc_hash::FxHasher;
use std::collections::BTreeSet;
use std::hash::Hasher;

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

/// Position of a rule among all rules of the run.
type Number = u32;

/// What routing one record needs, so that the next one need not allocate it again.
#[derive(Debug, Default)]
pub struct Scratch {
    values: Vec<Span>,
    numbers: Vec<Number>,
}

/// Finds the candidates of records. Shared by reference between threads.
#[derive(Debug, Default)]
pub struct Router {
    rules: Vec<(u16, u16)>,
    /// By pack; empty when every rule is a candidate of every record.
    guards: Vec<Guards>,
    fields: Fields,
    indices: Vec<FieldIndex>,
    /// Rules that no field tells apart.
    always: Vec<Number>,
    /// Of 2^64, how many skipped pairs are run all the same.
    verified: u64,
}

impl Router {
    /// Every rule is a candidate of every record. `rules` in order of (pack, rule).
    pub fn everything(rules: Vec<(u16, u16)>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// `rules` in order of (pack, rule), `guards` by pack. `verify`: the part of skipped pairs that is run to prove that
    /// they could be, from 0 to 1.
    pub fn new(rules: Vec<(u16, u16)>, guards: Vec<Guards>, verify: f64) -> Self {
        let mut indices: Vec<FieldIndex> = Vec::new();
        let mut always = Vec::new();
        let mut relied_on = BTreeSet::new();
        for (number, (pack, rule)) in (0..).zip(&rules) {
            let guard = guards.get(usize::from(*pack)).and_then(|guards| guards.guard(*rule));
            // A field in another spelling than CloudTrail's would make every record an unusual one, for all rules.
            let guard = guard.filter(|guard| !guard.relied_on.iter().chain(guard.fields()).any(|field| is_misspelt(field)));
            let Some((guard, entries)) = guard.and_then(|guard| Some((guard, guard.entries.as_ref()?))) else {
                always.push(number);
                continue;
            };
            relied_on.extend(guard.relied_on.iter().cloned());
            for entry in entries {
                let field = entry.field();
                relied_on.insert(field[0].clone());
                let at = indices.iter().position(|index| index.is_of(field)).unwrap_or_else(|| {
                    indices.push(FieldIndex::new(field));
                    indices.len() - 1
                });
                indices[at].add(entry, number);
            }
        }
        let fields = Fields::new(relied_on);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of 2^64, saturating")]
        let verified = (verify.clamp(0.0, 1.0) * 2f64.powi(64)) as u64;
        Self { rules, guards, fields, indices, always, verified }
    }

    /// Appends the candidates of a record, ordered by (pack, rule). `scratch` is kept from record to record.
    pub fn route(&self, record: &Record<'_>, scratch: &mut Scratch, candidates: &mut Vec<Candidate>) {
        if self.guards.is_empty() {
            candidates.extend(self.rules.iter().map(|&(pack, rule)| Candidate { pack, rule, verify: false }));
            return;
        }
        let start = candidates.len();
        let mut looked = None;
        if !self.look_up(record, scratch) {
            scratch.numbers.clear();
            scratch.numbers.extend((0..).take(self.rules.len()));
        }
        for &number in &scratch.numbers {
            self.consider(number, record, &mut looked, candidates);
        }
        if self.verified > 0 {
            self.add_verified(record, start, candidates);
        }
    }

    /// What would become of a rule on a record, and why, for those who ask about one.
    pub fn decide(&self, pack: u16, rule: u16, record: &Record<'_>) -> Decision {
        let Some(guards) = self.guards(pack) else { return Decision::Run { because: None } };
        let mut scratch = Scratch::default();
        let found = !self.look_up(record, &mut scratch)
            || scratch.numbers.iter().any(|number| self.rules[*number as usize] == (pack, rule));
        match guards.decide(rule, record) {
            // The index knows better, or rather: it should not.
            Decision::Run { .. } if !found => Decision::Skip { by: guards.by_index(rule) },
            decision => decision,
        }
    }

    pub fn guards(&self, pack: u16) -> Option<&Guards> {
        self.guards.get(usize::from(pack))
    }

    /// Finds the rules whose conditions in the index hold, in order. False when the record is not of the usual shape.
    fn look_up(&self, record: &Record<'_>, Scratch { values, numbers }: &mut Scratch) -> bool {
        numbers.clone_from(&self.always);
        let usual = self.fields.find(record, values)
            && self.indices.iter().all(|index| index.look_up(record, values, &self.fields, numbers).is_some());
        numbers.sort_unstable();
        numbers.dedup();
        usual
    }

    fn consider<'r>(
        &self,
        number: Number,
        record: &Record<'r>,
        looked: &mut Option<Looked<'r>>,
        candidates: &mut Vec<Candidate>,
    ) {
        let (pack, rule) = self.rules[number as usize];
        let guards = &self.guards[usize::from(pack)];
        if !guards.may_skip(rule) || !guards.skips(rule, looked.get_or_insert_with(|| Looked::new(record))) {
            candidates.push(Candidate { pack, rule, verify: false });
        }
    }

    /// Adds a sample of the pairs that are skipped.
    fn add_verified(&self, record: &Record<'_>, start: usize, candidates: &mut Vec<Candidate>) {
        let chosen = candidates.split_off(start);
        let mut chosen = chosen.into_iter().peekable();
        for &(pack, rule) in &self.rules {
            if let Some(candidate) = chosen.next_if(|candidate| (candidate.pack, candidate.rule) == (pack, rule)) {
                candidates.push(candidate);
                continue;
            }
            let mut hash = FxHasher::default();
            // Its place in the input, the same in how many pieces that is read.
            hash.write_u64(record.position.offset);
            hash.write(record.raw);
            hash.write_u32(u32::from(pack) << 16 | u32::from(rule));
            if self.verified == u64::MAX || hash.finish() < self.verified {
                candidates.push(Candidate { pack, rule, verify: true });
            }
        }
    }
}
