//! Patterns of names: `*` stands for any run of characters, `?` for one.
//! Knows nothing of what is named.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use wildmatch::WildMatch;

/// One or more patterns, of which one has to match. In YAML a single value or a list; case counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Globs(Vec<Glob>);

#[derive(Debug, Clone, PartialEq)]
struct Glob {
    written: String,
    pattern: WildMatch,
}

impl Globs {
    pub fn new<T: Into<String>>(patterns: impl IntoIterator<Item = T>) -> Self {
        let glob = |written: String| Glob { pattern: WildMatch::new(&written), written };
        Self(patterns.into_iter().map(|written| glob(written.into())).collect())
    }

    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|glob| glob.pattern.matches(text))
    }

    /// One of them matches whatever is there.
    pub fn matches_anything(&self) -> bool {
        self.0.iter().any(|glob| glob.written.contains('*') && glob.written.bytes().all(|byte| matches!(byte, b'*' | b'?')))
    }

    /// As they were written.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|glob| glob.written.as_str())
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = |value: Json| match value {
            Json::String(text) => Ok(text),
            // An account id without quotes.
            Json::Number(number) => Ok(number.to_string()),
            _ => Err(D::Error::custom("text, or a list of texts, is expected")),
        };
        let texts = match Json::deserialize(deserializer)? {
            Json::Array(items) => items.into_iter().map(scalar).collect::<Result<Vec<_>, _>>()?,
            value => vec![scalar(value)?],
        };
        if texts.is_empty() || texts.iter().any(String::is_empty) {
            return Err(D::Error::custom("nothing matches an empty list or text"));
        }
        Ok(Self::new(texts))
    }
}

impl Serialize for Globs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|glob| &glob.written))
    }
}

#[cfg(test)]
mod tests {
    use super::Globs;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("aws.iam.*", "aws.iam.root", true),
            ("aws.iam.*", "aws.s3.public", false),
            ("aws.?3.*", "aws.s3.public", true),
            ("*", "", true),
            ("Deploy", "deploy", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--b--", false),
        ] {
            assert_eq!(Globs::new([pattern]).matches(text), expected, "{pattern} {text}");
        }
        assert!(Globs::new(["x", "y"]).matches("y"), "one of them is enough");
    }

    #[test]
    fn what_matches_anything_is_recognised() {
        assert!(Globs::new(["a", "**"]).matches_anything());
        assert!(Globs::new(["?*"]).matches_anything());
        assert!(!Globs::new(["?"]).matches_anything() && !Globs::new(["a*"]).matches_anything());
    }
}
