//! Rule packs: what is in the directory, what the metadata says, which rules there are.
//! Pure: works on a snapshot of the files. Whether a rule *loads* only CPython can say.

mod definition;
mod metadata;
mod pack;
mod pack_file;
mod problem;
mod read;
mod runner;
mod snapshot;
mod state;
mod verdict;

pub use definition::{Code, Dialect, Rule};
pub use metadata::{DataModel, GlobalModule, Mapping, Mock, RuleTest};
pub use pack::{Pack, Unloaded};
pub use pack_file::PACK_FILES;
pub use problem::{Level, Problem};
pub use runner::{
    Batch, BatchRecord, Failure, Loaded, LoadedRule, MAX_BUILT, Outcome, Pair, RuleError, RuleLog, RuleMatch, RuleRunner,
    RuleState, StateUpdate, StateUpdates, Warning,
};
pub use snapshot::Snapshot;
pub use state::MemoryState;
pub use verdict::{TestMatch, TestOutcome, TestRequest};
