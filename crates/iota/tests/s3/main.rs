//! What has to do with AWS, against moto on loopback: buckets, outputs, secrets. Where moto cannot be started the tests fail.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod aws;
mod backlog;
mod deployment;
mod doctor;
mod faults;
mod gaps;
mod harness;
mod outputs;
mod policies;
mod poll;
mod proxy;
mod queue;
mod queue_faults;
mod shelf;
mod state;
mod sync;
mod synced;
mod validate;
mod watching;
