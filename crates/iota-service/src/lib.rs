//! Everything that touches the world: configuration, sources, rule directories, the pipeline, accounting.
//! Decides nothing about rules or alerts; that is the engine's part.

pub mod config;
pub mod pipeline;
pub mod rules;
pub mod source;
pub mod telemetry;
