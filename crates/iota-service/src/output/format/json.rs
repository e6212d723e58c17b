//! JSON of alerts: written token for token as it was read, with parts taken out. Characters that steer terminals are escapes
//! in it, because files and logs are looked at in terminals.

use iota_engine::json::{Value, escape_into};
use iota_engine::text::printable_json;
use std::borrow::Cow;

/// Stands in the place of a value that was taken out.
pub const REDACTED: &str = "[redacted]";

/// Appends a value in its order and with its number tokens.
pub fn write(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(token) => out.extend_from_slice(token),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(out, item);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (n, (name, value)) in members.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write_text(out, name);
                out.push(b':');
                write(out, value);
            }
            out.push(b'}');
        }
    }
}

/// Appends a text with its quotes.
pub fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    let start = out.len();
    escape_into(out, text);
    if let Some(escaped) = printable_json(&out[start..]) {
        out.truncate(start);
        out.extend_from_slice(&escaped);
    }
}

/// A document of the output's own.
pub fn of_document(document: &serde_json::Value) -> Vec<u8> {
    let json = document.to_string().into_bytes();
    printable_json(&json).unwrap_or(json)
}

/// A value as JSON text. Lone surrogates are escapes in it.
pub fn to_string(value: &Value<'_>) -> String {
    let mut out = Vec::new();
    write(&mut out, value);
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Text out of JSON as Rust has it: lone surrogates become U+FFFD.
pub fn lossy(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(text)
}

/// The value at a path of member names.
pub fn at<'v, 'a>(value: &'v Value<'a>, path: &[&str]) -> Option<&'v Value<'a>> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// Puts something else in the place of every value that the path leads to. `*` is every member or item; lists are
/// walked through; all members of the same name count.
pub fn replace<'a>(value: &mut Value<'a>, path: &[&str], with: &Value<'a>) {
    let Some((name, rest)) = path.split_first() else {
        value.clone_from(with);
        return;
    };
    match value {
        Value::Array(items) => {
            let rest = if *name == "*" { rest } else { path };
            for item in items {
                replace(item, rest, with);
            }
        }
        Value::Object(members) => {
            for (_, value) in members.iter_mut().filter(|(key, _)| *name == "*" || key.as_ref() == name.as_bytes()) {
                replace(value, rest, with);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_stay_as_they_were() {
        let json = r#"{"a":[1.0,12345678901234567890,"\ud800",null,true],"a":{"é":""}}"#;
        assert_eq!(to_string(&Value::parse(json.as_bytes())), json);
        assert_eq!(to_string(&Value::parse("{\"\u{9b}\":\"\u{7f}\u{202e}é\"}".as_bytes())), r#"{"\u009b":"\u007f\u202eé"}"#);
    }

    #[test]
    fn what_a_path_leads_to_is_taken_out() {
        for (path, expected) in [
            (&["a", "b"][..], r#"{"a":{"b":"[redacted]","c":2},"l":[{"b":{"x":1}},{"b":2}]}"#),
            (&["l", "b"], r#"{"a":{"b":1,"c":2},"l":[{"b":"[redacted]"},{"b":"[redacted]"}]}"#),
            (&["l", "*"], r#"{"a":{"b":1,"c":2},"l":["[redacted]","[redacted]"]}"#),
            (&["*", "b"], r#"{"a":{"b":"[redacted]","c":2},"l":[{"b":"[redacted]"},{"b":"[redacted]"}]}"#),
            (&["gone"], r#"{"a":{"b":1,"c":2},"l":[{"b":{"x":1}},{"b":2}]}"#),
        ] {
            let json = br#"{"a":{"b":1,"c":2},"l":[{"b":{"x":1}},{"b":2}]}"#;
            let mut value = Value::parse(json);
            replace(&mut value, path, &Value::String(Cow::Borrowed(REDACTED.as_bytes())));
            assert_eq!(to_string(&value), expected);
        }
    }

    proptest! {
        #[test]
        fn anything_is_written_as_utf8(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            to_string(&Value::parse(&bytes));
        }
    }
}
