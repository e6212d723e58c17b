//! An alert as JSON of at most so many bytes. What is large goes first; what identifies the alert stays to the end.

use super::super::Purpose;
use super::Alert;
use super::json::{self, lossy, write_text};
use super::text::{cut_bytes, cut_chars};
use iota_engine::json::Value;
use std::borrow::Cow;

/// Fields whose members go one by one.
const PARTS: [&str; 2] = ["event", "context"];
/// Members of fewer bytes save too little for what they tell.
const WORTH: usize = 200;
/// Most bytes that a text may have once leaving out members was not enough.
const SMALL: usize = 512;
/// Most bytes of a text in the smallest form.
const LEAST: usize = 32;
/// How closely the size of a form is searched for, in bytes.
const SEARCH: usize = 64;
/// Most characters of a name in `truncated`.
const MAX_NAME: usize = 64;

/// What is left of an alert that is still too large with its texts cut.
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
/// The smallest form.
const LAST: &[&str] = &["alert_id", "action", "rule_id", "title", "severity", "purpose"];
/// What identifies an event, when the rest of it is taken out.
const OF_EVENT: &[&str] =
    &["eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "eventID", "errorCode", "recipientAccountId"];

impl<'a> Alert<'a> {
    /// The alert as JSON on one line, of at most `limit` bytes (1 KiB at least). What is no alert says so in its title and in
    /// `purpose`. Too large an alert loses the largest members of its event and context, then the event but for what
    /// identifies it, then the context, then the ends of its texts, then whole fields. `truncated` lists what was left out,
    /// as paths (`*`: whole fields); `{"_truncated": true}` stands in its place.
    pub fn to_json(&self, limit: usize) -> Vec<u8> {
        let alert = self.marked();
        let whole = written(&alert);
        if whole.len() <= limit { whole } else { written(&Smaller::new(alert).fit(limit)) }
    }

    /// As `to_json`, in a form of the output's own that has at most `limit` bytes. It may be larger than the JSON.
    pub(in crate::output) fn encoded(&self, limit: usize, encode: impl Fn(&Value<'_>) -> Vec<u8>) -> Vec<u8> {
        let alert = self.marked();
        let whole = encode(&alert);
        if whole.len() <= limit {
            return whole;
        }
        // How much a form grows depends on what is in it, so the size of the JSON is searched for whose form just fits.
        let (mut fits, mut too_large) = (0, size(&alert));
        let mut best = encode(&Smaller::new(alert.clone()).fit(0));
        while too_large - fits > SEARCH {
            let middle = usize::midpoint(fits, too_large);
            let encoded = encode(&Smaller::new(alert.clone()).fit(middle));
            if encoded.len() <= limit {
                (fits, best) = (middle, encoded);
            } else {
                too_large = middle;
            }
        }
        best
    }

    /// The alert; one that is a test or a canary says so.
    fn marked(&self) -> Value<'a> {
        let mut alert = self.tree.clone();
        let purpose = match self.purpose {
            Purpose::Alert => return alert,
            Purpose::Test => "test",
            Purpose::Canary => "canary",
        };
        if let Some(title) = member(&mut alert, "title")
            && let Value::String(text) = title
        {
            *title = owned(&format!("{}{}", self.mark(), lossy(text)));
        }
        if let Value::Object(members) = &mut alert {
            members.push((Cow::Borrowed(b"purpose"), owned(purpose)));
        }
        alert
    }
}

/// An alert that is being made smaller.
struct Smaller<'a> {
    alert: Value<'a>,
    /// Paths of what was left out.
    lost: Vec<String>,
}

impl<'a> Smaller<'a> {
    fn new(alert: Value<'a>) -> Self {
        Self { alert, lost: Vec::new() }
    }

    /// At most `limit` bytes, or the smallest form.
    fn fit(mut self, limit: usize) -> Value<'a> {
        let steps: [fn(&mut Self); 5] = [
            |smaller| smaller.empty("event"),
            |smaller| smaller.empty("context"),
            Self::cut_texts,
            |smaller| smaller.keep(ESSENTIAL, SMALL),
            |smaller| smaller.keep(LAST, LEAST),
        ];
        let mut fits = self.leave_out_members(limit);
        for step in steps {
            if fits {
                break;
            }
            step(&mut self);
            fits = self.size() <= limit;
        }
        self.said()
    }

    fn said(mut self) -> Value<'a> {
        let lost = self.list();
        if let Value::Object(members) = &mut self.alert {
            members.push((Cow::Borrowed(b"truncated"), lost));
        }
        self.alert
    }

    fn list(&self) -> Value<'a> {
        Value::Array(self.lost.iter().map(|path| owned(path)).collect())
    }

    fn size(&self) -> usize {
        size(&self.alert) + ",\"truncated\":".len() + size(&self.list())
    }

    /// Leaves out members of the event and the context, the largest first, until the alert fits. What identifies the event
    /// stays.
    fn leave_out_members(&mut self, limit: usize) -> bool {
        let mut total = self.size();
        let mut members: Vec<(usize, &str, usize)> = Vec::new();
        for part in PARTS {
            if let Some(Value::Object(found)) = member(&mut self.alert, part) {
                let sizes = found.iter().enumerate().filter(|(_, (name, _))| part != "event" || !identifies(name));
                members.extend(sizes.map(|(place, (_, value))| (size(value), part, place)));
            }
        }
        members.retain(|(size, ..)| *size > WORTH);
        members.sort_by_key(|(size, ..)| std::cmp::Reverse(*size));
        for (was, part, place) in members {
            if total <= limit {
                return true;
            }
            let Some(Value::Object(found)) = member(&mut self.alert, part) else { continue };
            let (name, value) = &mut found[place];
            let path = format!("{part}.{}", cut_chars(&lossy(name), MAX_NAME));
            *value = nothing();
            // One byte for the comma.
            total = total + size(value) + size(&owned(&path)) + 1 - was;
            self.lost.push(path);
        }
        self.size() <= limit
    }

    /// Leaves out the event or the context but for what identifies it.
    fn empty(&mut self, part: &str) {
        let Some(value) = member(&mut self.alert, part).filter(|value| size(value) > WORTH) else { return };
        let mut kept = Vec::new();
        if part == "event" {
            let texts = OF_EVENT.iter().filter_map(|name| Some((name, value.text(&[name])?)));
            kept.extend(texts.map(|(name, text)| (Cow::Borrowed(name.as_bytes()), owned(&cut_bytes(text, SMALL)))));
        }
        kept.push((Cow::Borrowed(&b"_truncated"[..]), Value::Bool(true)));
        *value = Value::Object(kept);
        let inside = format!("{part}.");
        self.lost.retain(|path| !path.starts_with(&inside));
        self.lost.push(part.to_owned());
    }

    /// Cuts long texts and leaves out long lists of all other fields.
    fn cut_texts(&mut self) {
        let Value::Object(members) = &mut self.alert else { return };
        for (name, value) in members.iter_mut().filter(|(name, _)| !PARTS.iter().any(|part| name.as_ref() == part.as_bytes())) {
            let smaller = match value {
                Value::String(text) if text.len() > SMALL => owned(&cut_bytes(&lossy(text), SMALL)),
                Value::Array(_) if size(value) > SMALL => Value::Array(Vec::new()),
                Value::Object(_) if size(value) > SMALL => nothing(),
                _ => continue,
            };
            *value = smaller;
            self.lost.push(cut_chars(&lossy(name), MAX_NAME));
        }
    }

    /// Keeps these fields alone, with their texts cut to so many bytes.
    fn keep(&mut self, fields: &[&str], most: usize) {
        let Value::Object(members) = &mut self.alert else { return };
        members.retain(|(name, _)| fields.iter().any(|kept| name.as_ref() == kept.as_bytes()));
        for (_, value) in members {
            match value {
                Value::String(text) => *value = owned(&cut_bytes(&lossy(text), most)),
                Value::Array(_) | Value::Object(_) => *value = Value::Null,
                _ => {}
            }
        }
        self.lost = vec!["*".to_owned()];
    }
}

fn identifies(name: &[u8]) -> bool {
    OF_EVENT.iter().any(|kept| name == kept.as_bytes())
}

fn nothing<'a>() -> Value<'a> {
    Value::Object(vec![(Cow::Borrowed(b"_truncated"), Value::Bool(true))])
}

fn owned<'a>(text: &str) -> Value<'a> {
    Value::String(Cow::Owned(text.as_bytes().to_vec()))
}

fn member<'v, 'a>(alert: &'v mut Value<'a>, name: &str) -> Option<&'v mut Value<'a>> {
    let Value::Object(members) = alert else { return None };
    members.iter_mut().rev().find(|(key, _)| key.as_ref() == name.as_bytes()).map(|(_, value)| value)
}

fn written(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(&mut out, value);
    out
}

/// Bytes of a value as JSON.
fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(token) => token.len(),
        Value::String(text) => escaped(text),
        Value::Array(items) => 2 + items.len().saturating_sub(1) + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => {
            2 + members.len().saturating_sub(1)
                + members.iter().map(|(name, value)| escaped(name) + 1 + size(value)).sum::<usize>()
        }
    }
}

fn escaped(text: &[u8]) -> usize {
    let mut out = Vec::new();
    write_text(&mut out, text);
    out.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::format::Redaction;
    use crate::output::{Message, sample};
    use proptest::prelude::*;
    use serde_json::json;

    fn fitted(message: &Message, limit: usize) -> Vec<u8> {
        Alert::of(message, &Redaction::default()).expect("an alert").to_json(limit)
    }

    fn parsed(json: &[u8]) -> serde_json::Value {
        serde_json::from_slice(json).expect("JSON")
    }

    /// A form that grows: the JSON as a text in JSON.
    fn quoted(alert: &Value<'_>) -> Vec<u8> {
        serde_json::to_vec(&String::from_utf8_lossy(&written(alert))).expect("JSON")
    }

    #[test]
    fn what_fits_is_not_touched() {
        let message = sample::message();
        assert_eq!(fitted(&message, message.json.len()), message.json);
        let smaller = parsed(&fitted(&message, message.json.len() - 1));
        assert_eq!(smaller["truncated"].as_array().map(Vec::len), Some(1), "{smaller:#}");
    }

    #[test]
    fn tests_and_canaries_say_what_they_are_at_every_size() {
        for (purpose, title, word) in [(Purpose::Test, "[TEST] ", "test"), (Purpose::Canary, "[CANARY] ", "canary")] {
            for limit in [usize::MAX, 3000, 1024] {
                let alert = parsed(&fitted(&Message { purpose, ..sample::message() }, limit));
                assert!(alert["title"].as_str().is_some_and(|text| text.starts_with(title)), "{alert:#}");
                assert_eq!(alert["purpose"], word);
            }
        }
    }

    #[test]
    fn the_largest_members_go_first_and_are_named_and_what_identifies_the_event_stays() {
        let event = json!({"eventName": "X", "requestParameters": "p".repeat(5000), "responseElements": "r".repeat(3000),
            "eventSource": "s".repeat(300)});
        let message = sample::with(&json!({"event": event, "context": {"a": "c".repeat(1000)}}));
        let alert = parsed(&fitted(&message, 8000));
        assert_eq!(alert["truncated"], json!(["event.requestParameters"]));
        assert_eq!(alert["event"]["requestParameters"], json!({"_truncated": true}));
        assert_eq!(alert["event"]["responseElements"], "r".repeat(3000));
        let once_more = fitted(&message, 5000);
        let alert = parsed(&fitted(&message, once_more.len() - 1));
        assert_eq!(alert["truncated"], json!(["event.requestParameters", "event.responseElements", "context.a"]));
        assert_eq!(alert["event"]["eventSource"], "s".repeat(300));
    }

    #[test]
    fn an_event_of_many_small_members_goes_as_a_whole() {
        let members: serde_json::Map<_, _> = (0..1000).map(|n| (format!("k{n}"), "v".repeat(100).into())).collect();
        let mut event = serde_json::Value::Object(members);
        event["eventName"] = "X".into();
        let alert = parsed(&fitted(&sample::with(&json!({"event": event})), 10_000));
        assert_eq!(alert["event"], json!({"eventName": "X", "_truncated": true}));
        assert_eq!(alert["truncated"], json!(["event"]));
        assert_eq!(alert["context"], parsed(&sample::message().json)["context"]);
    }

    #[test]
    fn numbers_that_no_machine_type_holds_survive() {
        let mut message = sample::with(&json!({"event": {"n": "N", "x": "x".repeat(5000)}}));
        let token = "123456789012345678901234567890";
        message.json = String::from_utf8(message.json).expect("UTF-8").replace("\"N\"", token).into_bytes();
        let json = String::from_utf8(fitted(&message, 4000)).expect("UTF-8");
        assert!(json.contains(&format!("\"n\":{token}")), "{json}");
    }

    #[test]
    fn an_encoding_that_grows_fits_as_well() {
        let message = sample::with(&json!({"event": {"a": "\"".repeat(4000), "b": "x".repeat(6000)}}));
        let alert = Alert::of(&message, &Redaction::default()).expect("an alert");
        let large = alert.encoded(12_000, quoted);
        assert!(large.len() <= 12_000 && large.len() > 6000, "{}", large.len());
        assert!(alert.encoded(1024, quoted).len() <= 1024);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn it_always_fits_and_stays_an_alert(
            sizes in proptest::collection::vec(0_usize..6000, 6),
            parts in proptest::collection::vec(0_usize..4000, 0..8),
            limit in 1024_usize..20_000,
            letter in any::<char>(),
        ) {
            let long = |n: usize| letter.to_string().repeat(sizes[n]);
            let mut event: serde_json::Map<String, serde_json::Value> =
                parts.iter().enumerate().map(|(n, len)| (format!("\u{1}{letter}{n}"), "\u{1}x".repeat(*len).into())).collect();
            event.insert("eventName".to_owned(), long(0).into());
            event.insert("requestParameters".to_owned(), long(1).into());
            let message = sample::with(&json!({"event": event, "context": {"a": long(2)}, "title": long(3), "dedup": long(4),
                "tags": [long(5)]}));
            let whole = fitted(&message, usize::MAX);
            let json = fitted(&message, limit);
            prop_assert!(json.len() <= limit, "{} > {limit}", json.len());
            let alert = parsed(&json);
            prop_assert_eq!(&alert["alert_id"], &parsed(&message.json)["alert_id"]);
            prop_assert_eq!(alert.get("truncated").is_some(), whole.len() > limit);
            let encoded = Alert::of(&message, &Redaction::default()).expect("an alert").encoded(limit, quoted);
            prop_assert!(encoded.len() <= limit, "{} > {limit}", encoded.len());
        }

    }

    proptest! {
        #[test]
        fn sizes_are_those_of_what_is_written(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let value = Value::parse(&bytes);
            prop_assert_eq!(size(&value), written(&value).len());
        }
    }
}
