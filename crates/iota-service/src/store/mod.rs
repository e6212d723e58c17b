//! The databases that keep state.
//! What is kept, and what must hold, is said in `iota_engine::store`.

mod sqlite;

pub use sqlite::Sqlite;
