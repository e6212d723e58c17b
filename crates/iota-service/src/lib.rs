//! Everything that touches the world: configuration, sources, rule directories, the pipeline, state, outputs, accounting.
//! Decides nothing about rules or alerts; that is the engine's part.

pub mod aws;
pub mod config;
pub mod deliver;
mod crash;
pub mod ingest;
pub mod output;
pub mod pipeline;
pub mod rules;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod watch;

pub use crash::crash_point;
