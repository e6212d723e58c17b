//! Patterns whose result is the same here as in Python: a subset of `re`, and shell-style globs.
//! What is outside the subset is not approximated; the caller then runs the rule.

use regex::bytes::{Regex, RegexBuilder};

/// How a pattern is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Match,
    Search,
    FullMatch,
}

/// A compiled pattern. Only asked of ASCII text without line ends, where `$`, `.` and the classes mean the same.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    source: Box<str>,
    ignores_case: bool,
    anchored: Regex,
    search: Regex,
    full: Regex,
}

impl Pattern {
    /// `None` when the pattern is outside the subset.
    pub(super) fn new(source: &str, ignore_case: bool) -> Option<Self> {
        if !is_common(source) {
            return None;
        }
        let build = |text: String| RegexBuilder::new(&text).unicode(false).case_insensitive(ignore_case).build().ok();
        Some(Self {
            source: source.into(),
            ignores_case: ignore_case,
            anchored: build(format!(r"\A(?:{source})"))?,
            search: build(source.to_owned())?,
            full: build(format!(r"\A(?:{source})\z"))?,
        })
    }

    pub(super) fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// What every text that it matches from its start on starts with, if that is more than nothing.
    pub(super) fn prefix(&self) -> Option<&str> {
        let source = self.source.strip_prefix('^').unwrap_or(&self.source);
        let end = source
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | ':' | '/')))
            .unwrap_or(source.len());
        // The last character may be repeated zero times; an alternative may start with something else.
        let end = if source[end..].starts_with(['*', '?', '{']) { end.saturating_sub(1) } else { end };
        (end > 0 && !self.ignores_case && !source.contains('|')).then(|| &source[..end])
    }

    /// Whether it matches; `None` when the text is one on which the two engines may differ.
    pub(super) fn matches(&self, text: &[u8], anchor: Anchor) -> Option<bool> {
        let common = text.iter().all(|byte| matches!(byte, 0x20..0x7F));
        common.then(|| match anchor {
            Anchor::Match => self.anchored.is_match(text),
            Anchor::Search => self.search.is_match(text),
            Anchor::FullMatch => self.full.is_match(text),
        })
    }
}

/// Whether both engines read the pattern in the same way.
#[expect(clippy::match_same_arms, reason = "arms stand in the order in which they are looked at")]
fn is_common(source: &str) -> bool {
    let bytes = source.as_bytes();
    let mut at = 0;
    let mut in_class = false;
    // A repetition may follow, which it may not after an anchor, another repetition or nothing.
    let mut repeatable = false;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        match byte {
            0x20..0x7F => {}
            _ => return false,
        }
        match (byte, in_class) {
            (b'\\', _) => {
                let ok = match next {
                    Some(b'd' | b'w' | b's' | b'D' | b'W' | b'S') => true,
                    // `\B` is left out: Python's does not match the empty text.
                    Some(b'b' | b'A') => !in_class,
                    Some(escaped) => escaped.is_ascii_punctuation() && !matches!(escaped, b'<' | b'>'),
                    None => false,
                };
                if !ok {
                    return false;
                }
                at += 1;
            }
            (b'[', false) => {
                in_class = true;
                if next == Some(b'^') {
                    at += 1;
                }
                // A bracket that closes at once is a member in Python.
                if bytes.get(at + 1) == Some(&b']') {
                    return false;
                }
            }
            // Rust knows nested classes and set operations.
            (b'[', true) => return false,
            (b'&' | b'~' | b'-', true) if next == Some(byte) => return false,
            (b']', true) => in_class = false,
            (b'(', false) if next == Some(b'?') => {
                // Groups without capture only: flags, names and look-around are left alone.
                if bytes.get(at + 2) != Some(&b':') {
                    return false;
                }
                at += 2;
            }
            // A brace that is no repetition is a literal in Python.
            (b'{', false) => {
                let Some(end) = source[at..].find('}') else { return false };
                let counts = &source[at + 1..at + end];
                let number = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
                let ok = match counts.split_once(',') {
                    None => number(counts),
                    Some((low, high)) => number(low) && (high.is_empty() || number(high)),
                };
                if !ok {
                    return false;
                }
                at += end;
            }
            (b'}', false) => return false,
            _ => {}
        }
        let repeats = !in_class && matches!(byte, b'+' | b'*' | b'?' | b'{');
        if repeats {
            // Possessive quantifiers and repeated repetitions; a `?` behind a repetition makes it lazy.
            if !repeatable {
                return false;
            }
            if bytes.get(at + 1) == Some(&b'?') {
                at += 1;
            }
        }
        let anchor = byte == b'\\' && matches!(next, Some(b'b' | b'A'));
        repeatable = !(repeats || anchor || in_class || matches!(byte, b'^' | b'$' | b'(' | b'|'));
        at += 1;
    }
    !in_class
}

/// Whether a name matches a shell-style pattern of `*`, `?` and plain characters, as `fnmatch.fnmatchcase`.
/// `None` when the pattern has brackets, or the text is not ASCII (`?` then counts characters).
pub(super) fn glob(text: &[u8], pattern: &[u8]) -> Option<bool> {
    if pattern.contains(&b'[') || !pattern.is_ascii() || !text.is_ascii() {
        return None;
    }
    // Position after the last star, and in the text where what it stands for ends.
    let (mut star, mut resume) = (None, 0);
    let (mut at, mut of) = (0, 0);
    while at < text.len() {
        match pattern.get(of) {
            Some(b'*') => {
                of += 1;
                (star, resume) = (Some(of), at);
            }
            Some(&byte) if byte == b'?' || byte == text[at] => (at, of) = (at + 1, of + 1),
            _ => {
                let Some(after) = star else { return Some(false) };
                resume += 1;
                (at, of) = (resume, after);
            }
        }
    }
    Some(pattern[of..].iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_that_both_engines_read_alike_are_taken() {
        for good in [r"^Delete", r"arn:aws:iam::\d{12}:role/.*", "(Get|List)", "[A-Za-z0-9_-]+$", r"a{2,3}?", "x?y*z+"] {
            assert!(Pattern::new(good, false).is_some(), "{good}");
        }
        for bad in
            ["(?i)x", "(?=a)", "(?P<n>a)", "a{,3}", "[[a]", "[]a]", r"\Z", r"\x41", "a++", "é", "a{x}", "[a&&b]", r"(a)\1", "a\n"]
        {
            assert!(Pattern::new(bad, false).is_none(), "{bad}");
        }
        let pattern = Pattern::new("^Get", false).expect("common");
        assert_eq!(pattern.matches(b"GetObject", Anchor::Search), Some(true));
        assert_eq!(pattern.matches("Gét".as_bytes(), Anchor::Search), None);
    }

    #[test]
    fn globs_match_as_in_a_shell() {
        for (text, pattern, expected) in [
            ("Describe", "Desc*", true),
            ("abc", "a?c", true),
            ("abc", "a*d", false),
            ("", "*", true),
            ("aXbXc", "a*X*c", true),
            ("a", "a?", false),
        ] {
            assert_eq!(glob(text.as_bytes(), pattern.as_bytes()), Some(expected), "{text} {pattern}");
        }
        assert_eq!(glob(b"a", b"[a]"), None);
    }
}
