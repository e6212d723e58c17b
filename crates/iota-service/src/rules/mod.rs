//! Rule directories: read once into snapshots, loaded by Python, ready to be run.
//! Knows nothing of records.

mod directory;
mod files;
mod loaded;
mod names;
mod refused;
mod side_by_side;

pub use directory::{DirectoryError, packs_of, read_snapshot};
pub(crate) use directory::{MAX_ENTRIES, is_read, is_wanted};
pub(crate) use files::{Budget, MAX_FILE, MAX_FILES, read_within};
pub use loaded::{LoadedPack, Python, RulesError, Which, load_packs, read_packs};
pub use names::{UnknownName, unknown_names};
pub use refused::{Refused, part};
