//! The databases that keep state.
//! What is kept, and what must hold, is said in `iota_engine::store`.

mod dynamodb;
mod place;
#[cfg(test)]
pub(crate) mod proof;
#[cfg(test)]
pub(crate) mod proof_desk;
mod sqlite;
mod text;

pub use dynamodb::DynamoDb;
pub use place::Place;
pub use sqlite::Sqlite;
