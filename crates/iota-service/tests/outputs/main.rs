//! Outputs against strict fakes on loopback and against real syslog servers.

mod alerts;
mod classify;
mod config;
mod fake;
mod formats;
mod forward;
mod local;
mod payloads;
mod proxy;
mod syslog;
mod takeover;
mod tls;
mod wiz;

use alerts::{hostile, message, with};
use iota_engine::store::{DeliveryAction, DeliveryId};
use iota_service::output::{Message, Output, Purpose, Surroundings, config as output_config};
use std::path::Path;
use std::sync::Arc;

/// The output `out` of a configuration, with its secrets in a directory.
async fn output(keys: &str, directory: &Path) -> Arc<dyn Output> {
    let yaml = format!("outputs:\n  out: {{{keys}}}\n");
    let outputs = output_config::read(yaml.as_bytes()).unwrap_or_else(|error| panic!("{yaml}: {error:?}"));
    let environment = |_: &str| None;
    let around = Surroundings { environment: &environment, secrets_manager: None, directory };
    outputs["out"].build("out", &around).await.unwrap_or_else(|error| panic!("{yaml}: {error}"))
}
