//! What has to do with AWS, against moto on loopback: buckets, outputs, secrets. Where moto cannot be started the tests fail.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod faults;
mod harness;
mod outputs;
mod policies;
mod sync;
mod validate;
