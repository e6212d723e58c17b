//! Calls that were left out, mostly because their rule or pack is paused, where no state keeps them: until the input has
//! ended.

use super::sequence::Job;
use super::trouble::RuleOfPack;
use iota_engine::index::Candidate;
use iota_engine::rule::BatchRecord;

/// Bytes of records and their calls that wait, at most; calls on further ones are only counted.
const MOST: usize = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct Deferred {
    records: Vec<Record>,
    bytes: usize,
    /// Some call did not fit.
    overflowed: bool,
}

#[derive(Debug)]
struct Record {
    raw: Box<[u8]>,
    candidates: Vec<Candidate>,
    known: BatchRecord,
}

impl Deferred {
    /// `left_out` are (record, rule) of a batch, in any order. What was run only to prove the fast path is not made up for.
    pub(super) fn add(&mut self, job: &Job, mut left_out: Vec<(u32, RuleOfPack)>) {
        left_out.sort_unstable();
        for of_record in left_out.chunk_by(|one, next| one.0 == next.0) {
            let place = of_record[0].0 as usize;
            let is_left_out = |candidate: &&Candidate| {
                let rule = (usize::from(candidate.pack), candidate.rule);
                !candidate.verify && of_record.iter().any(|(_, left_out)| *left_out == rule)
            };
            let candidates: Vec<Candidate> = job.batch.candidates(place).iter().filter(is_left_out).copied().collect();
            let raw = job.batch.raw(place);
            if candidates.is_empty() {
                continue;
            }
            let bytes = raw.len() + size_of_val(candidates.as_slice());
            if self.bytes + bytes > MOST {
                if !std::mem::replace(&mut self.overflowed, true) {
                    tracing::error!("more calls are left out than can be made up for; with --state DIR they are kept");
                }
                continue;
            }
            self.bytes += bytes;
            self.records.push(Record { raw: raw.into(), candidates, known: job.batch.records()[place] });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All of them, as batches; none are left. Calls of rules that keep state come in the order of the input. Others come
    /// in an order that whoever makes the records does not choose: a row of records made to end a worker then does not
    /// stand in front of all others.
    pub(super) fn take(&mut self, wanted: impl Fn(&Candidate) -> bool, keeps_state: impl Fn(&Candidate) -> bool) -> Vec<Job> {
        self.bytes = 0;
        let mut records = std::mem::take(&mut self.records);
        let mut jobs = Vec::new();
        for in_order in [true, false] {
            if !in_order {
                records.sort_by_key(|record| record.known.identity);
            }
            for record in &records {
                let is_due = |candidate: &&Candidate| wanted(candidate) && keeps_state(candidate) == in_order;
                let candidates: Vec<Candidate> = record.candidates.iter().filter(is_due).copied().collect();
                if !candidates.is_empty() {
                    push(&mut jobs, record, &candidates);
                }
            }
        }
        jobs
    }
}

fn push(jobs: &mut Vec<Job>, record: &Record, candidates: &[Candidate]) {
    if jobs.last().is_none_or(|job| job.batch.is_full()) {
        jobs.push(Job { again: true, ..Job::default() });
    }
    if let Some(last) = jobs.last_mut() {
        last.batch.push(&record.raw, candidates, record.known);
    }
}
