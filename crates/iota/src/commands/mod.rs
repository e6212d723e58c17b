//! One file per command.

pub(crate) mod check;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod explain;
pub(crate) mod man;
mod reach;
pub(crate) mod run;
mod select;
mod state;
pub(crate) mod test;
pub(crate) mod watch;

use crate::environment;
use anyhow::Context;
use iota_service::config::Settings;
use iota_service::rules::Python;

/// The interpreter, before any work is done.
fn find_python(settings: &Settings, now_ms: Option<i64>) -> anyhow::Result<Python> {
    Python::find(settings, now_ms, environment::path().as_deref(), environment::cache_directory()).context("python")
}
