//! The commands that read buckets, against moto on loopback. Where moto cannot be started the tests fail.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod aws;
mod faults;
mod harness;
mod policies;
mod poll;
mod proxy;
mod queue;
mod queue_faults;
mod state;
mod sync;
mod validate;
mod watching;
