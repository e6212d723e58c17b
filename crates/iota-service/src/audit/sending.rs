//! What a process can say of what is configured, and where alerts may go by it; no value that may be a secret.

use crate::config::Settings;
use iota_engine::digest::{digest, hex};
use iota_engine::event::format_ms;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Read at a start alone: a reload changes nothing of it.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    /// That there is no configuration file: then nothing that one would say is in force.
    pub(super) unconfigured: bool,
    /// `null`: every output gets every alert. `None` where nothing is sent by them.
    pub(super) routes: Option<Json>,
    /// By name: kind, and a digest of all settings. `None` where nothing is sent to them.
    pub(super) outputs: Option<BTreeMap<String, Json>>,
    /// From when on alerts are sent; `null` is all of them. `None` where nobody can say so.
    pub(super) no_send_before: Option<Json>,
}

impl Sending {
    /// Of a process that tells alerts where no output is.
    pub fn nowhere(settings: &Settings) -> Self {
        Self { unconfigured: !settings.configured, ..Self::default() }
    }

    /// Of a process that tells alerts as it is configured.
    pub fn of(settings: &Settings) -> Self {
        let routes = serde_json::to_value(&settings.alerts.routes).unwrap_or_default();
        let output = |(name, file): (&String, &crate::output::OutputFile)| {
            // An address may hold a token.
            let all = serde_json::to_vec(file).unwrap_or_default();
            let settings = hex(&digest("iota-output-settings-v1", [all.as_slice()])[..6]);
            (name.clone(), json!({"type": file.kind(), "settings": settings}))
        };
        let outputs = settings.outputs.iter().map(output).collect();
        Self { routes: Some(routes), outputs: Some(outputs), ..Self::nowhere(settings) }
    }

    /// The same for input as it arrives.
    #[must_use]
    pub fn live(self, no_send_before_ms: Option<i64>) -> Self {
        Self { no_send_before: Some(no_send_before_ms.map_or(Json::Null, |ms| format_ms(ms).into())), ..self }
    }
}
