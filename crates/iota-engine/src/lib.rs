//! The pure core of iota: bytes and `now` in, alerts out.
//! No files, no network, no clock, no environment, no processes: those live in the crates around it.

pub mod aggregate;
pub mod alert;
pub mod decode;
pub mod dedup;
pub mod digest;
pub mod event;
pub mod guard;
pub mod index;
pub mod json;
pub mod notification;
pub mod object;
pub mod region;
pub mod rule;
pub mod store;
pub mod system;
pub mod text;
pub mod triage;
pub mod yaml;
