//! The commands that read buckets, against moto on loopback. Where moto cannot be started the tests fail.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod faults;
mod harness;
mod policies;
mod state;
mod sync;
mod validate;
