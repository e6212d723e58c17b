//! The way of an event through a batch run: source, decode, dedup, rules, aggregate, alerts.
//! Reading overlaps with evaluation on all workers; results are taken in input order, so the output is always the same.

mod bodies;
mod collect;
mod evaluate;
mod gather;
mod groups;
mod live;
mod packed;
mod read;
mod run;
mod scratch;
mod sort;

pub use collect::{AlertSink, Emit};
pub use run::{Clock, Progress, Run, RunFailure, RunResult};
