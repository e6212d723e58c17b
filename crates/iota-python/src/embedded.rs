//! The worker's own source, carried in the binary.

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// What `python3 -c` runs: reads the modules from its input and starts the worker.
pub(crate) fn bootstrap() -> &'static str {
    MODULES.iter().find(|(name, _)| *name == "iota_worker.bootstrap").map_or("", |(_, source)| source)
}

/// Body of the frame `W`.
pub(crate) fn modules_json() -> Vec<u8> {
    let modules: serde_json::Map<String, serde_json::Value> =
        MODULES.iter().map(|(name, source)| ((*name).to_owned(), (*source).into())).collect();
    serde_json::Value::Object(modules).to_string().into_bytes()
}
