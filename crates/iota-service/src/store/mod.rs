//! The databases that keep state.
//! What is kept, and what must hold, is said in `iota_engine::store`.

#[cfg(test)]
pub(crate) mod proof;
mod sqlite;

pub use sqlite::{Sqlite, StateFile};
