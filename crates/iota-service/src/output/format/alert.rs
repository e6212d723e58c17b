//! The alert of a message, as outputs read it: its fields, its event, and what takes them out.

use super::super::{Message, Purpose};
use super::json::{self, REDACTED, at, lossy};
use super::text::one_line;
use iota_engine::alert::Severity;
use iota_engine::json::Value;
use iota_engine::store::DeliveryAction;
use std::borrow::Cow;

/// A message's alert, parsed.
#[derive(Debug, Clone)]
pub struct Alert<'a> {
    pub(super) tree: Value<'a>,
    /// As in `Message`.
    pub known_as: &'a str,
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
        Ok(Self { tree, known_as: &message.known_as, purpose: message.purpose, action: message.action })
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
}
