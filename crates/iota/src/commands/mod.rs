//! One file per command.

pub(crate) mod alerts;
pub(crate) mod audit;
mod buckets;
pub(crate) mod check;
pub(crate) mod completion;
pub(crate) mod config;
mod desk;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gaps;
pub(crate) mod ingest;
pub(crate) mod man;
mod objects;
pub(crate) mod outputs;
mod reach;
mod reload;
pub(crate) mod rerun;
pub(crate) mod rules;
pub(crate) mod run;
mod select;
mod setup;
mod signals;
mod sources;
mod state;
pub(crate) mod suppress;
pub(crate) mod test;
pub(crate) mod validate_logs;
pub(crate) mod watch;

use crate::environment;
use anyhow::Context;
use iota_service::config::Settings;
use iota_service::rules::Python;

/// The interpreter, before any work is done.
fn find_python(settings: &Settings, now_ms: Option<i64>) -> anyhow::Result<Python> {
    Python::find(settings, now_ms, environment::path().as_deref(), environment::cache_directory()).context("python")
}
