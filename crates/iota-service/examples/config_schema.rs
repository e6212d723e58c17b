//! Prints the JSON Schema of iota.yaml, as it is published in docs/config.schema.json.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let schema = schemars::schema_for!(iota_service::config::ConfigFile);
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&schema)?)
}
