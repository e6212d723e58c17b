//! Makes an alert's JSON small enough for an output: evidence goes first, and the alert says what was left out.
//! Always succeeds; what remains is an alert with its id, rule and severity.

use super::view::shorten;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Texts are cut to this many characters once leaving out evidence was not enough.
const TEXT: usize = 500;
/// The name of the field that lists what was left out, as paths.
const TRIMMED: &str = "trimmed";
/// Where the evidence is.
const PARTS: [&str; 2] = ["event", "context"];
/// Evidence of fewer bytes saves too little for what it tells.
const WORTH: usize = 200;

type Members = BTreeMap<String, Box<RawValue>>;

/// At most `limit` bytes. `limit` should be 1,024 or more: that is what the smallest form needs.
pub(super) fn fit(json: &[u8], limit: usize) -> Cow<'_, [u8]> {
    if json.len() <= limit {
        return Cow::Borrowed(json);
    }
    let Ok(mut alert) = serde_json::from_slice::<Members>(json) else {
        return Cow::Owned(smallest(&Members::new()));
    };
    let mut trimmed = Vec::new();
    let mut done = |alert: &mut Members, path: String| {
        trimmed.push(path);
        alert.insert(TRIMMED.to_owned(), raw(&trimmed));
        let bytes = serde_json::to_vec(alert).unwrap_or_default();
        (bytes.len() <= limit).then_some(bytes)
    };
    // As raw text: numbers that no machine type holds stay what they are.
    let mut parts: BTreeMap<&str, Members> =
        PARTS.iter().filter_map(|part| Some((*part, serde_json::from_str(alert.get(*part)?.get()).ok()?))).collect();
    for (part, member) in evidence(&parts) {
        let Some(members) = parts.get_mut(part) else { continue };
        members.insert(member.clone(), raw(&json!({ "trimmed": true })));
        alert.insert(part.to_owned(), raw(members));
        if let Some(bytes) = done(&mut alert, format!("{part}.{member}")) {
            return Cow::Owned(bytes);
        }
    }
    for part in PARTS {
        alert.insert(part.to_owned(), raw(&json!({ "trimmed": true })));
        if let Some(bytes) = done(&mut alert, part.to_owned()) {
            return Cow::Owned(bytes);
        }
    }
    for value in alert.values_mut() {
        match serde_json::from_str(value.get()) {
            Ok(Value::String(text)) => *value = raw(&shorten(&text, TEXT)),
            Ok(Value::Array(_)) => *value = raw(&json!([])),
            _ => {}
        }
    }
    done(&mut alert, "texts".to_owned()).map_or_else(|| Cow::Owned(smallest(&alert)), Cow::Owned)
}

/// As `fit`, where the output sends another form of the alert that is to have at most `limit` bytes.
pub(super) fn fit_encoded(json: &[u8], limit: usize, encode: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut encoded = encode(json);
    let mut aim = json.len();
    // An encoding grows a text by at most a constant factor, so this ends at the latest with the smallest form.
    while encoded.len() > limit && aim > 0 {
        aim = (aim.saturating_mul(limit) / encoded.len()).min(aim - 1);
        encoded = encode(&fit(json, aim));
    }
    encoded
}

/// Members of the event and the context that are worth leaving out, the largest first.
fn evidence<'a>(parts: &BTreeMap<&'a str, Members>) -> Vec<(&'a str, String)> {
    let mut found: Vec<_> = parts
        .iter()
        .flat_map(|(part, members)| members.iter().map(|(name, value)| (value.get().len(), *part, name.clone())))
        .filter(|(size, ..)| *size > WORTH)
        .collect();
    found.sort_by_key(|(size, ..)| std::cmp::Reverse(*size));
    found.into_iter().map(|(_, part, name)| (part, name)).collect()
}

fn raw<T: serde::Serialize>(value: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn smallest(alert: &Members) -> Vec<u8> {
    let text = |name: &str| serde_json::from_str::<String>(alert.get(name)?.get()).ok().map(|text| shorten(&text, 40));
    let least = json!({
        "alert_id": text("alert_id"), "action": text("action"), "rule_id": text("rule_id"), "title": text("title"),
        "severity": text("severity"), "trimmed": ["*"],
    });
    serde_json::to_vec(&least).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;

    fn alert(event: &Value, context: &Value, description: &str) -> Vec<u8> {
        let alert = json!({
            "alert_id": "0123456789abcdef0123456789abcdef", "rule_id": "r", "title": "t", "severity": "HIGH",
            "event": event, "context": context, "description": description, "tags": ["a"],
        });
        serde_json::to_vec(&alert).unwrap()
    }

    #[test]
    fn what_fits_is_not_touched() {
        let json = alert(&json!({"n": 1}), &Value::Null, "d");
        assert!(matches!(fit(&json, json.len()), Cow::Borrowed(_)));
    }

    #[test]
    fn the_largest_evidence_goes_first_and_is_named() {
        let event = json!({"eventName": "X", "requestParameters": "p".repeat(5000), "responseElements": "r".repeat(3000)});
        let json = alert(&event, &json!({"a": "c".repeat(1000)}), "d");
        let fitted: Value = serde_json::from_slice(&fit(&json, 5000)).unwrap();
        assert_eq!(fitted["trimmed"], json!(["event.requestParameters"]));
        assert_eq!(fitted["event"]["requestParameters"], json!({"trimmed": true}));
        assert_eq!(fitted["event"]["responseElements"].as_str().unwrap().len(), 3000);
        assert_eq!(fitted["event"]["eventName"], "X");
    }

    #[test]
    fn numbers_that_no_machine_type_holds_survive() {
        let json = format!(r#"{{"rule_id":"r","event":{{"n":123456789012345678901234567890,"x":"{}"}}}}"#, "x".repeat(3000));
        let fitted = String::from_utf8(fit(json.as_bytes(), 1024).into_owned()).unwrap();
        assert!(fitted.contains(r#""n":123456789012345678901234567890"#), "{fitted}");
    }

    #[test]
    fn an_encoding_that_grows_fits_as_well() {
        let json = alert(&json!({"a": "\"".repeat(4000), "b": "x".repeat(3000)}), &Value::Null, "d");
        let encode = |json: &[u8]| serde_json::to_vec(&String::from_utf8_lossy(json)).unwrap();
        let fitted = fit_encoded(&json, 6000, encode);
        assert!(fitted.len() <= 6000 && fitted.len() > 3000, "{}", fitted.len());
        assert!(fit_encoded(&json, 1024, encode).len() <= 1024);
    }

    proptest! {
        #[test]
        fn it_always_fits_and_stays_an_alert(
            parts in proptest::collection::vec(0_usize..4000, 0..8),
            text in ".{0,3000}",
            limit in 1024_usize..20_000,
        ) {
            let members: Map<String, Value> = parts.iter().enumerate().map(|(n, len)| (format!("{n}"), "\u{1}x".repeat(*len).into())).collect();
            let json = alert(&Value::Object(members.clone()), &Value::Object(members), &text);
            let fitted = fit(&json, limit);
            prop_assert!(fitted.len() <= limit, "{} > {limit}", fitted.len());
            let value: Value = serde_json::from_slice(&fitted).unwrap();
            prop_assert_eq!(&value["rule_id"], "r");
            prop_assert_eq!(value.get("trimmed").is_some(), json.len() > limit);
        }
    }
}
