//! The way of an event through a batch run: source, decode, dedup, rules, aggregate, alerts.
//! Reading overlaps with evaluation on all workers; results are taken in input order, so the output is always the same.

mod bodies;
mod collect;
mod commit;
mod decode;
mod deferred;
mod describe;
mod durable;
mod evaluate;
mod failures;
mod gather;
mod groups;
mod journal;
mod lanes;
mod live;
mod ordered;
mod packed;
mod parts;
mod persist;
mod rerun;
mod run;
mod scratch;
mod sequence;
mod sort;
mod state;
mod system;
mod trouble;
mod verify;

pub use collect::{AlertSink, Emit};
pub use durable::Durable;
pub use iota_python::Stop;
pub use persist::persist;
pub use rerun::{Rerun, RerunResult};
pub use run::{Clock, Engine, FastPath, Keep, Progress, Run, RunFailure, RunResult, State};
pub use sequence::Ended;
pub(crate) use trouble::Paused;
