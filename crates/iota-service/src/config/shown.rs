//! What the configuration file says of alerts and rules, key by key, for `config show`.

use super::file::ConfigFile;
use serde::Serialize;
use serde_json::{Value as Json, json};

/// Names such as `routes[0].outputs`, and values. Has nothing of `outputs`, which hold secrets.
pub(super) fn written(file: &ConfigFile) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (rule, values) in &file.overrides {
        flatten(&format!("overrides.{rule}"), &as_json(values), &mut rows);
    }
    for (name, path) in [("accounts", &file.accounts), ("suppressions", &file.suppressions)] {
        rows.extend(path.as_ref().map(|path| (name.to_owned(), path.display().to_string())));
    }
    flatten("suppression_days", &json!(file.suppression_days), &mut rows);
    match &file.routes {
        // Not the same as no routes: nothing is sent.
        Some(entries) if entries.is_empty() => rows.push(("routes".to_owned(), "[]".to_owned())),
        entries => flatten("routes", &as_json(entries), &mut rows),
    }
    flatten("deliver", &as_json(&file.deliver), &mut rows);
    rows
}

fn as_json(value: &impl Serialize) -> Json {
    // Keys are text: nothing here cannot be written.
    serde_json::to_value(value).unwrap_or_default()
}

/// A row for everything that is no mapping and no list of mappings.
fn flatten(name: &str, value: &Json, rows: &mut Vec<(String, String)>) {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Json::Null => {}
        Json::Object(keys) => keys.iter().for_each(|(key, value)| flatten(&format!("{name}.{key}"), value, rows)),
        Json::Array(items) if !items.is_empty() && items.iter().all(Json::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), item, rows);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            rows.push((name.to_owned(), items.iter().map(text).collect::<Vec<_>>().join(", ")));
        }
        value => rows.push((name.to_owned(), text(value))),
    }
}
