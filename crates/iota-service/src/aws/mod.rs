//! How AWS is reached: credentials, region, roles, proxies, and what an error of it means.
//! Knows nothing of alerts or state. Nothing here runs, and nothing asks the network, unless an AWS output, store or
//! secret is configured.

mod access;
mod caller;
mod connection;
#[cfg(test)]
pub(crate) mod emulator;
mod fault;
mod remedy;
mod secret;
mod signed;

pub use access::{Access, AccessError, Role, region_of_arn, region_of_queue};
pub use caller::caller_arn;
pub use connection::Connection;
pub use fault::{Fault, Verdict, fault_of, verdict_of};
pub use remedy::Remedy;
pub(crate) use remedy::{Account, Call, assume, bucket_arn, is_denied, objects_arn, remedies};
pub use secret::Secrets;
pub use signed::Signed;
