//! The published schema and example of iota.yaml: current, and read alike by the schema and by iota.

use iota_service::config::ConfigFile;
use iota_service::output::OutputFile;
use std::path::{Path, PathBuf};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

#[test]
fn the_published_schema_is_current() {
    let generated = serde_json::to_string_pretty(&schemars::schema_for!(ConfigFile)).expect("JSON") + "\n";
    let published = std::fs::read_to_string(docs("config.schema.json")).unwrap_or_default();
    assert!(generated == published, "run: cargo run -p iota-service --example config_schema > docs/config.schema.json");
}

/// The example with its comment signs taken away: every key that it shows.
fn uncommented() -> String {
    let example = std::fs::read_to_string(docs("config.example.yaml")).expect("the example");
    let lines = example.lines().map(|line| line.strip_prefix("#").filter(|rest| rest.starts_with("    ")).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_good_for_iota_and_for_the_schema_and_shows_every_output() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("iota.yaml");
    for text in [std::fs::read_to_string(docs("config.example.yaml")).expect("the example"), uncommented()] {
        std::fs::write(&path, &text).expect("written");
        let file = ConfigFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let value: serde_json::Value = iota_engine::yaml::from_yaml(text.as_bytes()).expect("YAML");
        let schema = serde_json::to_value(schemars::schema_for!(ConfigFile)).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let kinds: std::collections::BTreeSet<&str> = file.outputs.values().map(OutputFile::kind).collect();
        let missing: Vec<_> = OutputFile::KINDS.iter().filter(|kind| !kinds.contains(*kind)).collect();
        assert!(missing.is_empty(), "no example of {missing:?}");
        for key in ["accounts", "suppressions", "suppression_days", "routes", "overrides", "deliver"] {
            assert!(value.get(key).is_some(), "no example of {key}");
        }
    }
}
