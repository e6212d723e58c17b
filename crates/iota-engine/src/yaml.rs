//! Reading YAML, with errors that name the line, the key and what was expected.
//! Knows no particular file.

use crate::text::did_you_mean;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options, Spanned};
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

/// Why a YAML file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// From 1; 0 when unknown.
    pub line: u64,
    pub message: String,
    /// The error is a key that nothing reads.
    pub unknown_key: bool,
}

/// How deep a file may be nested: reading recurses, and each level takes kilobytes of stack.
const MAX_NESTING: usize = 64;

fn options() -> Options {
    // An account id may start with a zero.
    serde_saphyr::options! {
        with_snippet: false,
        leading_zero_numbers_as_strings: true,
        budget: serde_saphyr::budget! { max_depth: MAX_NESTING, flow_nesting_limit: MAX_NESTING + 1 },
    }
}

/// Reads one document. Unknown keys are errors where the type denies them.
pub fn from_yaml<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, YamlError> {
    from_yaml_seed(bytes, PhantomData::<T>)
}

/// The same with a seed, for documents whose type depends on what was read of them before.
pub fn from_yaml_seed<T, S>(bytes: &[u8], seed: S) -> Result<T, YamlError>
where
    S: for<'de> DeserializeSeed<'de, Value = T>,
{
    read(bytes, seed).map_err(|(error, _)| error)
}

/// Reads one document and everything that is wrong with it: a key at its top that is unknown, or whose value is wrong, is
/// an error and left out, and the rest is read on. `None` where nothing can be read.
pub fn from_yaml_with_all_errors<T: DeserializeOwned>(bytes: &[u8]) -> (Option<T>, Vec<YamlError>) {
    let mut left_out = BTreeSet::new();
    let mut errors = Vec::new();
    loop {
        match read(bytes, Without { left_out: &left_out, rest: PhantomData::<T> }) {
            Ok(value) => return (Some(value), errors),
            Err((error, key)) => {
                // A key that is there twice is so also when it is left out.
                let again = errors.last() == Some(&error);
                if !again {
                    errors.push(error);
                }
                if again || !key.is_some_and(|key| left_out.insert(key)) {
                    return (None, errors);
                }
            }
        }
    }
}

/// An error comes with the key at the top of the document that it is about, if it is about one.
fn read<T, S>(bytes: &[u8], seed: S) -> Result<T, (YamlError, Option<String>)>
where
    S: for<'de> DeserializeSeed<'de, Value = T>,
{
    let text = str::from_utf8(bytes).map_err(|error| {
        let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() as u64 + 1;
        (YamlError { line, message: "not valid UTF-8".to_owned(), unknown_key: false }, None)
    })?;
    let mut key = String::new();
    let mut top = None;
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |document| {
        let mut track = serde_path_to_error::Track::new();
        let read = seed.deserialize(serde_path_to_error::Deserializer::new(document, &mut track));
        read.inspect_err(|_| {
            let path = track.path();
            key = shown_path(&path);
            top = path.iter().next().map(ToString::to_string);
        })
    });
    read.map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let error = error.without_snippet();
        let unknown_key = matches!(error, Error::SerdeUnknownField { .. });
        let top = match error {
            Error::SerdeUnknownField { field, .. } if key.is_empty() => Some(field.clone()),
            _ => top,
        };
        let message = match expectation(error) {
            Some(expected) if key.is_empty() => expected,
            Some(expected) => format!("{key}: {expected}"),
            None => reworded(error),
        };
        (YamlError { line, message, unknown_key }, top)
    })
}

/// The keys that lead to a value, as in `Tests[0].Name`; empty for the whole document.
fn shown_path(path: &serde_path_to_error::Path) -> String {
    if path.iter().next().is_none() {
        return String::new();
    }
    let shown = path.to_string();
    // `Spanned` puts its value behind a member of this name.
    shown.strip_suffix(".value").map(str::to_owned).unwrap_or(shown)
}

/// What was expected instead of the value, in the words of YAML.
fn expectation(error: &Error) -> Option<String> {
    let expected = match error {
        Error::Unexpected { expected, .. } => *expected,
        Error::InvalidScalar { ty, .. } => *ty,
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let hint = did_you_mean(variant, expected.iter().copied());
            return Some(format!("`{variant}` is none of {}{hint}", expected.join(", ")));
        }
        // What the type itself says of a value that it does not take.
        Error::Message { msg, .. } => return Some(msg.clone()),
        _ => return None,
    };
    Some(match expected {
        "sequence start" => "a list is expected".to_owned(),
        "mapping start" => "a mapping is expected".to_owned(),
        "string scalar" => "text is expected; put it in quotes if YAML takes it for something else".to_owned(),
        "boolean" => "true or false is expected".to_owned(),
        "u32" => format!("a whole number from 0 to {} is expected", u32::MAX),
        "u64" => "a whole number, 0 or more, is expected".to_owned(),
        other => format!("{other} is expected"),
    })
}

fn reworded(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`{}", did_you_mean(field, expected.iter().copied()))
        }
        Error::SerdeMissingField { field, .. } => format!("key `{field}` is missing"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("key `{key}` is there twice"),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => format!("nested more than {MAX_NESTING} levels deep"),
        Error::Budget { breach: BudgetBreach::Nodes { nodes: count } | BudgetBreach::Events { events: count }, .. } => {
            format!("a file may hold {} values; this one holds more", count - 1)
        }
        // The line is reported apart.
        other => {
            let message = other.render();
            message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text).to_owned()
        }
    }
}

/// Reads a mapping without some of its keys.
struct Without<'k, R> {
    left_out: &'k BTreeSet<String>,
    rest: R,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Without<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.rest.deserialize(Without { left_out: self.left_out, rest: deserializer })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Without<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.rest.deserialize_any(Without { left_out: self.left_out, rest: visitor })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.rest.deserialize_struct(name, fields, Without { left_out: self.left_out, rest: visitor })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Without<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rest.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.rest.visit_map(Without { left_out: self.left_out, rest: map })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Without<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        loop {
            match self.rest.next_key_seed(KeyWithout { left_out: self.left_out, seed: &mut seed })? {
                None => return Ok(None),
                Some(Some(key)) => return Ok(Some(key)),
                Some(None) => _ = self.rest.next_value::<IgnoredAny>()?,
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

/// Reads a key, unless it is one that is left out.
struct KeyWithout<'k, K> {
    left_out: &'k BTreeSet<String>,
    /// There until a key was read.
    seed: &'k mut Option<K>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for KeyWithout<'_, K> {
    type Value = Option<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for KeyWithout<'_, K> {
    type Value = Option<K::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        if self.left_out.contains(key) {
            return Ok(None);
        }
        self.seed.take().map(|seed| seed.deserialize(key.into_deserializer())).transpose()
    }
}

/// A step on the way to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

/// The line, from 1, of the value that the steps lead to, or of the last one on the way that is there.
pub fn line_at(bytes: &[u8], steps: &[Step<'_>]) -> Option<u64> {
    let text = str::from_utf8(bytes).ok()?;
    (1..=steps.len()).rev().find_map(|length| {
        let follow = Follow(&steps[..length]);
        serde_saphyr::with_deserializer_from_str_with_options(text, options(), |document| follow.deserialize(document)).ok()?
    })
}

/// Reads nothing but the line of one value.
struct Follow<'a>(&'a [Step<'a>]);

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            let value: Spanned<IgnoredAny> = serde::Deserialize::deserialize(deserializer)?;
            return Ok(Some(value.referenced.line()));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Follow<'_> {
    type Value = Option<u64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut line = None;
        while let Some(key) = map.next_key::<String>()? {
            if self.0[0] == Step::Key(&key) {
                line = map.next_value_seed(Follow(&self.0[1..]))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(line)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut line = None;
        for index in 0.. {
            if self.0[0] == Step::Item(index) {
                let Some(found) = list.next_element_seed(Follow(&self.0[1..]))? else { break };
                line = found;
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        _list: Option<Vec<String>>,
        _number: Option<Spanned<u32>>,
        flag: Option<bool>,
        name: Option<Spanned<String>>,
        _kind: Option<Kind>,
        items: Option<Vec<Item>>,
        _map: Option<BTreeMap<String, Vec<String>>>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        _value: Spanned<u32>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
        Panther,
    }

    #[test]
    fn errors_name_the_key_and_what_is_expected() {
        let error = |text: &str| {
            let error = from_yaml::<File>(text.as_bytes()).expect_err("wrong on purpose");
            format!("{}: {}", error.line, error.message)
        };
        for (text, expected) in [
            ("\n_list: text\n", "2: _list: a list is expected"),
            ("_list:\n  - a\n  - [b]\n", "3: _list[1]: text is expected; put it in quotes if YAML takes it for something else"),
            ("_number: many\n", "1: _number: a whole number from 0 to 4294967295 is expected"),
            ("_number: -1\n", "1: _number: a whole number from 0 to 4294967295 is expected"),
            ("flag: perhaps\n", "1: flag: true or false is expected"),
            ("name: [a]\n", "1: name: text is expected; put it in quotes if YAML takes it for something else"),
            ("_kind: pantter\n", "1: _kind: `pantter` is none of plain, panther; did you mean `panther`?"),
            ("items:\n  - _value: 1\n  - _value: x\n", "3: items[1]._value: a whole number from 0 to 4294967295 is expected"),
            ("items:\n  - {}\n", "2: key `_value` is missing"),
            ("_map: {a: b}\n", "1: _map.a: a list is expected"),
            ("- a\n", "1: a mapping is expected"),
            ("_lits: []\n", "1: unknown key `_lits`; did you mean `_list`?"),
            ("flag: true\nflag: true\n", "2: key `flag` is there twice"),
        ] {
            assert_eq!(error(text), expected);
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_the_rest_is_read() {
        let text = b"_lits: []\n_number: many\nname: n\nitems:\n  - _value: x\nflag: true\nother:\n  - 1\n";
        let (file, errors) = from_yaml_with_all_errors::<File>(text);
        let errors: Vec<_> = errors.into_iter().map(|error| format!("{}: {}", error.line, error.message)).collect();
        assert_eq!(
            errors,
            [
                "1: unknown key `_lits`; did you mean `_list`?",
                "2: _number: a whole number from 0 to 4294967295 is expected",
                "5: items[0]._value: a whole number from 0 to 4294967295 is expected",
                "7: unknown key `other`",
            ]
        );
        let file = file.expect("the rest");
        assert_eq!((file.flag, file.name.map(|name| name.referenced.line()), file.items.is_none()), (Some(true), Some(3), true));
        let (file, errors) = from_yaml_with_all_errors::<File>(b"_lits: []\nflag: true\nflag: true\n");
        assert!(file.is_none() && errors.len() == 2, "nothing is read of a file with a key twice: {errors:?}");
    }

    #[test]
    fn what_is_too_deep_or_too_large_is_said_in_words() {
        let nested = |levels: usize, open: &str, close: &str| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        let read = |text: &str| from_yaml::<serde_json::Value>(text.as_bytes()).map(drop).map_err(|error| error.message);
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            assert_eq!(read(&nested(MAX_NESTING, open, close)), Ok(()));
            let message = read(&nested(MAX_NESTING + 1, open, close)).expect_err("too deep");
            assert_eq!(message, "nested more than 64 levels deep");
            assert!(read(&nested(100_000, open, close)).is_err(), "and nothing worse");
        }
        let message = read(&format!("[{}]", "1, ".repeat(300_000))).expect_err("too many");
        assert_eq!(message, "a file may hold 250000 values; this one holds more");
    }

    #[test]
    fn lines_are_found_by_the_way_that_leads_there() {
        let text = b"a:\n  - b: 1\n    c:\n      - x\n      - y\n  - d: {e: 1,\n    f: 2}\n";
        let line = |steps: &[Step<'_>]| line_at(text, steps);
        assert_eq!(line(&[Step::Key("a"), Step::Item(0), Step::Key("c"), Step::Item(1)]), Some(5));
        assert_eq!(line(&[Step::Key("a"), Step::Item(1), Step::Key("d"), Step::Key("f")]), Some(7));
        assert_eq!(line(&[Step::Key("a"), Step::Item(1), Step::Key("gone")]), Some(6), "as far as it goes");
        assert_eq!(line(&[Step::Key("gone")]), None);
    }
}
