//! The way of an event through a batch run: source, decode, dedup, rules, aggregate, alerts.
//! Reading overlaps with evaluation on all workers; results are taken in input order, so the output is always the same.

mod bodies;
mod collect;
mod decode;
mod evaluate;
mod ordered;
mod parts;
mod run;
mod sequence;

pub use collect::{AlertSink, Emit};
pub use run::{Clock, Progress, Run, RunFailure, RunResult};
