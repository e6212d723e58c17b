//! Formats against published schemas.

use super::{hostile, message, with};
use iota_engine::store::DeliveryAction;
use iota_service::output::format::{Alert, Format, Redaction, cef};
use iota_service::output::{Message, Purpose};
use serde_json::{Value, json};

fn rendered(message: &Message, format: Format, limit: usize) -> Value {
    let bytes = format.render(&Alert::of(message, &Redaction::default()).expect("an alert"), limit);
    assert!(bytes.len() <= limit);
    serde_json::from_slice(&bytes).expect("JSON")
}

fn check(schema: &str, value: &Value) {
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

#[test]
fn findings_fit_the_schema_of_ocsf() {
    let schema = include_str!("../../../../testdata/schemas/ocsf-1.5.0-detection-finding.json");
    let bare = with(&json!({"event": {}, "actor": null, "source_ip": null, "account_id": null, "region": null, "attack": [],
        "tags": [], "description": null, "context": null, "event_id": null}));
    let huge = with(&json!({"event": {"eventName": "x".repeat(100_000)}, "title": "y".repeat(50_000)}));
    for message in [message(), hostile(), bare, huge] {
        for action in [DeliveryAction::Create, DeliveryAction::Update, DeliveryAction::Acknowledge, DeliveryAction::Resolve] {
            for purpose in [Purpose::Alert, Purpose::Test] {
                check(schema, &rendered(&Message { action, purpose, ..message.clone() }, Format::Ocsf, 16 << 10));
                rendered(&Message { action, purpose, ..message.clone() }, Format::Ecs, 16 << 10);
            }
        }
    }
}

#[test]
fn the_native_form_fits_its_schema_also_when_marked() {
    let schema = include_str!("../../../../docs/alert.schema.json");
    for purpose in [Purpose::Alert, Purpose::Test, Purpose::Canary] {
        check(schema, &rendered(&Message { purpose, ..message() }, Format::Alert, usize::MAX));
    }
    let cut = with(&json!({"event": {"eventName": "X", "requestParameters": {"x": "y".repeat(100_000)}}}));
    check(schema, &rendered(&cut, Format::Alert, 20_000));
}

#[test]
fn nothing_breaks_out_of_a_line_of_cef() {
    for message in [message(), hostile()] {
        let line = cef::render(&Alert::of(&message, &Redaction::default()).expect("an alert"));
        assert!(!line.chars().any(char::is_control), "{line:?}");
        // Seven bars that are not escaped end the parts of the header.
        let unescaped = line.replace("\\\\", "").replace("\\|", "");
        assert!(unescaped.split('|').take(7).count() == 7 && line.starts_with("CEF:0|iota|iota|"), "{line}");
        let extension = unescaped.splitn(8, '|').nth(7).expect("an extension").replace("\\=", "");
        let keys: Vec<&str> = extension.split('=').collect();
        for key in &keys[..keys.len() - 1] {
            let key = key.rsplit(' ').next().expect("a word");
            assert!(key.chars().all(|letter| letter.is_ascii_alphanumeric()), "{key:?} in {line}");
        }
    }
}
