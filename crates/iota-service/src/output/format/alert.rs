//! The alert of a message, as formats read it: its fields, its event, and what takes them out or makes them smaller.

use super::super::{Message, Purpose};
use super::json::{self, REDACTED, at, lossy};
use super::text::{cut_bytes, cut_chars, one_line};
use iota_engine::alert::Severity;
use iota_engine::json::Value;
use iota_engine::store::DeliveryAction;
use std::borrow::Cow;

/// Most bytes that a field may have once a payload had to be made smaller.
const SMALL: usize = 512;

/// A message's alert, parsed.
#[derive(Debug, Clone)]
pub struct Alert<'a> {
    tree: Value<'a>,
    pub purpose: Purpose,
    pub action: DeliveryAction,
}

impl<'a> Alert<'a> {
    /// Without what `redact` leads to. An error is a message that is no alert.
    pub fn of(message: &'a Message, redact: &Redaction) -> Result<Self, String> {
        let mut tree = Value::parse(&message.json);
        if tree.text(&["alert_id"]).is_none_or(str::is_empty) {
            return Err("the message is no alert: it has no alert_id".to_owned());
        }
        let redacted = Value::String(Cow::Borrowed(REDACTED.as_bytes()));
        for path in &redact.0 {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            json::replace(&mut tree, &path, &redacted);
        }
        Ok(Self { tree, purpose: message.purpose, action: message.action })
    }

    /// A field's text; empty when it is missing or null.
    pub fn text(&self, field: &str) -> Cow<'_, str> {
        self.shown(&[field]).unwrap_or_default()
    }

    /// The value at a path, in a form for people: text as it is, all else as JSON. None for nothing and null.
    pub fn shown(&self, path: &[&str]) -> Option<Cow<'_, str>> {
        match at(&self.tree, path)? {
            Value::Null => None,
            Value::String(text) => Some(lossy(text)),
            value => Some(Cow::Owned(json::to_string(value))),
        }
    }

    /// Text in the event, e.g. `["userIdentity", "arn"]`. None when missing, empty or no text.
    pub fn event_text(&self, path: &[&str]) -> Option<Cow<'_, str>> {
        match at(self.tree.get("event")?, path)? {
            Value::String(text) if !text.is_empty() => Some(lossy(text)),
            _ => None,
        }
    }

    pub fn event(&self) -> Option<&Value<'a>> {
        self.tree.get("event")
    }

    /// Texts of a list, e.g. `tags`.
    pub fn list(&self, field: &str) -> Vec<Cow<'_, str>> {
        let Some(Value::Array(items)) = self.tree.get(field) else { return Vec::new() };
        items.iter().filter_map(|item| if let Value::String(text) = item { Some(lossy(text)) } else { None }).collect()
    }

    pub fn severity(&self) -> Severity {
        self.text("severity").parse().unwrap_or(Severity::Info)
    }

    pub fn count(&self) -> u64 {
        self.text("count").parse().unwrap_or(1)
    }

    /// A time field in milliseconds since the Unix epoch.
    pub fn time_ms(&self, field: &str) -> Option<i64> {
        self.text(field).parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    }

    /// What marks a message that is no alert.
    pub fn mark(&self) -> &'static str {
        match self.purpose {
            Purpose::Alert => "",
            Purpose::Test => "[TEST] ",
            Purpose::Canary => "[CANARY] ",
        }
    }

    /// The title on one line, marked when this is no alert, safe to show.
    pub fn title(&self) -> String {
        format!("{}{}", self.mark(), one_line(&self.text("title")))
    }

    /// The alert as JSON on one line, at most `limit` bytes (4 KiB at least). What is no alert says so in its title and in
    /// `purpose`. Too large an alert loses its event but for what identifies it, then its context, then the ends of its
    /// texts; `truncated` names the fields.
    pub fn to_json(&self, limit: usize) -> Vec<u8> {
        let mut tree = self.tree.clone();
        self.say_purpose(&mut tree);
        let mut out = Vec::new();
        json::write(&mut out, &tree);
        if out.len() <= limit {
            return out;
        }
        let mut lost = Vec::new();
        for field in ["event", "context"] {
            if let Some(value) = member(&mut tree, field) {
                *value = essence(value);
                lost.push(field.to_owned());
                if written(&mut out, &tree, &lost) <= limit {
                    return out;
                }
            }
        }
        if let Value::Object(members) = &mut tree {
            for (name, value) in members.iter_mut().filter(|(name, _)| name.as_ref() != b"event" && name.as_ref() != b"context") {
                if let Some(smaller) = shortened(value) {
                    lost.push(lossy(name).into_owned());
                    *value = smaller;
                }
            }
        }
        if written(&mut out, &tree, &lost) > limit {
            if let Value::Object(members) = &mut tree {
                members.retain(|(name, _)| ESSENTIAL.iter().any(|kept| name.as_ref() == kept.as_bytes()));
            }
            written(&mut out, &tree, &["event".to_owned(), "and more".to_owned()]);
        }
        out
    }

    fn say_purpose(&self, tree: &mut Value<'a>) {
        let purpose = match self.purpose {
            Purpose::Alert => return,
            Purpose::Test => "test",
            Purpose::Canary => "canary",
        };
        if let Some(title) = member(tree, "title")
            && let Value::String(text) = title
        {
            *title = owned(&format!("{}{}", self.mark(), lossy(text)));
        }
        if let Value::Object(members) = tree {
            members.push((Cow::Borrowed(b"purpose"), owned(purpose)));
        }
    }
}

/// What is left of an alert that is still too large.
const ESSENTIAL: &[&str] = &[
    "schema_version",
    "alert_id",
    "action",
    "detected_at",
    "count",
    "first_seen",
    "last_seen",
    "rule_id",
    "title",
    "severity",
    "pack",
    "event_id",
    "account_id",
    "region",
    "purpose",
];

/// What identifies an event, when the rest of it is taken out.
const OF_EVENT: &[&str] =
    &["eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "eventID", "errorCode", "recipientAccountId"];

fn owned<'a>(text: &str) -> Value<'a> {
    Value::String(Cow::Owned(text.as_bytes().to_vec()))
}

fn member<'v, 'a>(tree: &'v mut Value<'a>, name: &str) -> Option<&'v mut Value<'a>> {
    let Value::Object(members) = tree else { return None };
    members.iter_mut().rev().find(|(key, _)| key.as_ref() == name.as_bytes()).map(|(_, value)| value)
}

fn essence<'a>(value: &Value<'a>) -> Value<'a> {
    let mut kept: Vec<_> = OF_EVENT
        .iter()
        .filter_map(|name| Some((Cow::Borrowed(name.as_bytes()), owned(&cut_bytes(value.text(&[name])?, SMALL)))))
        .collect();
    kept.push((Cow::Borrowed(b"_truncated"), Value::Bool(true)));
    Value::Object(kept)
}

/// A smaller value, if this one is large.
fn shortened<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::String(text) if text.len() > SMALL => Some(owned(&cut_bytes(&lossy(text), SMALL))),
        Value::Array(_) | Value::Object(_) if json::to_string(value).len() > SMALL => Some(match value {
            Value::Array(_) => Value::Array(Vec::new()),
            _ => Value::Object(vec![(Cow::Borrowed(b"_truncated"), Value::Bool(true))]),
        }),
        _ => None,
    }
}

fn written(out: &mut Vec<u8>, tree: &Value<'_>, lost: &[String]) -> usize {
    out.clear();
    json::write(out, tree);
    if out.pop() == Some(b'}') {
        let lost = Value::Array(lost.iter().map(|name| owned(&cut_chars(name, 64))).collect());
        out.extend_from_slice(b",\"truncated\":");
        json::write(out, &lost);
        out.push(b'}');
    }
    out.len()
}

/// Paths of values that an output does not get.
#[derive(Debug, Clone, Default)]
pub struct Redaction(Vec<Vec<String>>);

impl Redaction {
    /// Paths such as `event.requestParameters` or `context.*.token`. Fields that identify the alert stay.
    pub fn new(paths: &[String]) -> Result<Self, String> {
        let paths = paths.iter().map(|path| {
            let steps: Vec<String> = path.split('.').map(str::to_owned).collect();
            let is_content = matches!(steps[0].as_str(), "event" | "context") && steps.len() > 1;
            let is_field = steps.len() == 1 && FIELDS_TO_REDACT.contains(&steps[0].as_str());
            if (is_content || is_field) && steps.iter().all(|step| !step.is_empty()) {
                return Ok(steps);
            }
            let fields = FIELDS_TO_REDACT.join(", ");
            Err(format!("{path:?} cannot be redacted; event.PATH, context.PATH or one of {fields} can"))
        });
        paths.collect::<Result<_, _>>().map(Self)
    }
}

const FIELDS_TO_REDACT: &[&str] = &["event", "context", "actor", "source_ip", "dedup", "description", "account_id", "origin"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;
    use proptest::prelude::*;

    fn parsed(json: &[u8]) -> serde_json::Value {
        serde_json::from_slice(json).expect("JSON")
    }

    #[test]
    fn the_native_form_is_the_alert_as_it_is() {
        let message = sample::message();
        let alert = Alert::of(&message, &Redaction::default()).expect("an alert");
        assert_eq!(alert.to_json(usize::MAX), message.json);
    }

    #[test]
    fn tests_and_canaries_say_what_they_are() {
        for (purpose, title, word) in [(Purpose::Test, "[TEST] ", "test"), (Purpose::Canary, "[CANARY] ", "canary")] {
            let message = Message { purpose, ..sample::message() };
            let alert = parsed(&Alert::of(&message, &Redaction::default()).expect("an alert").to_json(usize::MAX));
            assert!(alert["title"].as_str().is_some_and(|text| text.starts_with(title)));
            assert_eq!(alert["purpose"], word);
        }
    }

    #[test]
    fn too_large_an_alert_loses_its_event_first() {
        let message = sample::with(&[("event", format!(r#"{{"eventName":"X","requestParameters":"{}"}}"#, "x".repeat(100_000)))]);
        let alert = Alert::of(&message, &Redaction::default()).expect("an alert");
        let json = alert.to_json(10_000);
        let small = parsed(&json);
        assert_eq!(small["event"], serde_json::json!({"eventName": "X", "_truncated": true}));
        assert_eq!(small["truncated"], serde_json::json!(["event"]));
        assert_eq!(small["context"], parsed(&message.json)["context"]);
    }

    #[test]
    fn what_is_redacted_is_gone() {
        let redaction = Redaction::new(&["event.userIdentity.*".to_owned(), "source_ip".to_owned()]).expect("paths");
        let message = sample::message();
        let alert = Alert::of(&message, &redaction).expect("an alert");
        let json = parsed(&alert.to_json(usize::MAX));
        assert_eq!(json["source_ip"], REDACTED);
        assert_eq!(json["event"]["userIdentity"]["arn"], REDACTED);
        assert!(Redaction::new(&["alert_id".to_owned()]).is_err());
        assert!(Redaction::new(&["event..x".to_owned()]).is_err());
    }

    proptest! {
        #[test]
        fn truncation_never_fails(
            sizes in proptest::collection::vec(0_usize..6000, 6),
            limit in 4096_usize..20_000,
            letter in any::<char>(),
        ) {
            let long = |n: usize| serde_json::to_string(&letter.to_string().repeat(sizes[n])).expect("text");
            let message = sample::with(&[
                ("event", format!(r#"{{"eventName":{},"requestParameters":{}}}"#, long(0), long(1))),
                ("context", format!(r#"{{"a":{}}}"#, long(2))),
                ("title", long(3)),
                ("dedup", long(4)),
                ("tags", format!("[{}]", long(5))),
            ]);
            let alert = Alert::of(&message, &Redaction::default()).expect("an alert");
            let json = alert.to_json(limit);
            prop_assert!(json.len() <= limit, "{} > {limit}", json.len());
            prop_assert_eq!(&parsed(&json)["alert_id"], &parsed(&message.json)["alert_id"]);
        }
    }
}
