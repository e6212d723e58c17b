//! Rule packs: what is in the directory, what the metadata says, which rules there are.
//! Pure: works on a snapshot of the files. Whether a rule *loads* only CPython can say.

mod metadata;
mod pack;
mod pack_file;
mod problem;
mod runner;
mod snapshot;
mod state;
mod verdict;

pub use metadata::{DataModel, GlobalModule, Mapping, Mock, RuleTest};
pub use pack::{Code, Dialect, Pack, Rule, Unloaded};
pub use problem::{Level, Problem};
pub use runner::{
    Batch, BatchRecord, Failure, Loaded, LoadedRule, Outcome, Pair, RuleError, RuleLog, RuleMatch, RuleRunner, RuleState,
    StateUpdate, Warning,
};
pub use snapshot::Snapshot;
pub use state::MemoryState;
pub use verdict::TestOutcome;
