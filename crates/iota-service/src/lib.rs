//! Everything that touches the world: configuration, sources, rule directories, the pipeline, state, outputs, accounting.
//! Decides nothing about rules or alerts; that is the engine's part.

pub mod audit;
pub mod aws;
pub mod config;
mod crash;
pub mod deliver;
pub mod doctor;
pub mod ingest;
pub mod integrity;
pub mod metrics;
pub mod output;
pub mod pipeline;
pub mod rules;
pub mod source;
pub mod store;
pub mod supply;
pub mod telemetry;
pub mod watch;

pub use crash::crash_point;
