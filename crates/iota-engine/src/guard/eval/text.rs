//! Methods of texts and patterns, of one record or of a symbol.

use crate::guard::constant::Constant;
use crate::guard::eval::Evaluation;
use crate::guard::explore::Symbol;
use crate::guard::ir::Raised;
use crate::guard::operation::Method;
use crate::guard::pattern::{Anchor, Pattern};
use crate::guard::value::{Result, Stop, Text, Value, raise, unknown};
use std::collections::BTreeSet;

impl<'v> Evaluation<'v, '_> {
    pub(super) fn find(&mut self, pattern: &Pattern, anchor: Anchor, value: &Value<'v>) -> Result<Value<'v>> {
        let matches = match value {
            Value::Text(text) => pattern.matches(text.bytes(), anchor).ok_or(Stop::Unknown("a pattern on such a text"))?,
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => return raise(Raised::Type),
            Value::Symbol(symbol) => {
                let symbol = self.text_symbol(symbol)?;
                let prefixes = (anchor != Anchor::Search || pattern.source().starts_with('^'))
                    .then(|| pattern.prefix())
                    .flatten()
                    .map(|prefix| BTreeSet::from([Box::from(prefix.as_bytes())]));
                let question = format!("matches {anchor:?} {:?} {}", pattern.source(), pattern.ignores_case());
                self.explorer()?.test_text(&symbol, question, prefixes)?
            }
            _ => return unknown("a pattern on such a value"),
        };
        Ok(if matches { Value::Matched } else { Value::None })
    }

    /// The symbol, if it is certain to be a text; what else it may be (null, an object, parts of a text) is refused with a
    /// `TypeError` by all that asks for one: patterns and `fnmatch`.
    pub(super) fn text_symbol(&mut self, symbol: &Symbol) -> Result<Symbol> {
        match self.resolved(symbol)? {
            Value::Symbol(symbol @ (Symbol::Text(_) | Symbol::Lower(_) | Symbol::AnyText | Symbol::Joined(_))) => Ok(symbol),
            Value::Text(_) => unknown("a text that is known by now"),
            _ => raise(Raised::Type),
        }
    }

    pub(super) fn symbol_method(&mut self, symbol: &Symbol, method: Method, arguments: &[Value<'v>]) -> Result<Value<'v>> {
        match symbol {
            Symbol::Text(_) | Symbol::Lower(_) | Symbol::AnyText | Symbol::Joined(_) => {}
            _ => return unknown("a method of such a value"),
        }
        match (method, arguments) {
            (Method::Lower, []) => Ok(Value::Symbol(match symbol {
                Symbol::Text(field) | Symbol::Lower(field) => Symbol::Lower(*field),
                _ => Symbol::AnyText,
            })),
            (Method::Upper | Method::Strip | Method::LeftStrip | Method::RightStrip, [])
            | (Method::Replace, [Value::Text(_), Value::Text(_)])
            | (
                Method::RemovePrefix | Method::RemoveSuffix | Method::Strip | Method::LeftStrip | Method::RightStrip,
                [Value::Text(_)],
            ) => Ok(Value::Symbol(Symbol::AnyText)),
            (Method::IsDigit, []) => Ok(Value::Bool(self.explorer()?.any()?)),
            (Method::Split | Method::RightSplit, [Value::Text(separator)] | [Value::Text(separator), Value::Int(_)])
                if !separator.bytes().is_empty() =>
            {
                Ok(Value::Symbol(Symbol::Parts))
            }
            (Method::StartsWith | Method::EndsWith, [affixes]) => {
                let affixes = affixes_of(affixes)?;
                let set: BTreeSet<Box<[u8]>> = affixes.iter().map(|text| Box::from(text.bytes())).collect();
                let shown: Vec<_> = set.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
                let (word, prefixes) =
                    if method == Method::StartsWith { ("starts with", Some(set)) } else { ("ends with", None) };
                let prefixes = prefixes.filter(|set| !set.contains([].as_slice()));
                Ok(Value::Bool(self.explorer()?.test_text(symbol, format!("{word} {shown:?}"), prefixes)?))
            }
            _ => unknown("a method of a text that is not known"),
        }
    }
}

pub(super) fn text_method<'v>(text: &Text<'v>, method: Method, arguments: &[Value<'v>]) -> Result<Value<'v>> {
    let bytes = text.bytes();
    match (method, arguments) {
        (Method::StartsWith, [affixes]) => {
            Ok(Value::Bool(affixes_of(affixes)?.iter().any(|affix| bytes.starts_with(affix.bytes()))))
        }
        (Method::EndsWith, [affixes]) => Ok(Value::Bool(affixes_of(affixes)?.iter().any(|affix| bytes.ends_with(affix.bytes())))),
        (Method::Replace, [Value::Text(from), Value::Text(to)]) if !from.bytes().is_empty() => {
            let mut out = Vec::new();
            let mut at = 0;
            while let Some(found) = memchr::memmem::find(&bytes[at..], from.bytes()) {
                out.extend_from_slice(&bytes[at..at + found]);
                out.extend_from_slice(to.bytes());
                at += found + from.bytes().len();
            }
            out.extend_from_slice(&bytes[at..]);
            Ok(Value::text(out))
        }
        (Method::RemovePrefix, [Value::Text(affix)]) => Ok(Value::text(bytes.strip_prefix(affix.bytes()).unwrap_or(bytes))),
        (Method::RemoveSuffix, [Value::Text(affix)]) if !affix.bytes().is_empty() => {
            Ok(Value::text(bytes.strip_suffix(affix.bytes()).unwrap_or(bytes)))
        }
        (Method::Join, [items]) => {
            let mut out = Vec::new();
            for (n, item) in items.items(false)?.into_iter().enumerate() {
                let Value::Text(item) = item else { return unknown("a join of such values") };
                if n > 0 {
                    out.extend_from_slice(bytes);
                }
                out.extend_from_slice(item.bytes());
            }
            Ok(Value::text(out))
        }
        (Method::Split | Method::RightSplit, [Value::Text(separator), limit @ ..]) if !separator.bytes().is_empty() => {
            let limit = match limit {
                [] => usize::MAX,
                [Value::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
                _ => return unknown("a split with such arguments"),
            };
            Ok(Value::List(split(bytes, separator.bytes(), limit, method == Method::RightSplit).into()))
        }
        _ if !bytes.is_ascii() => unknown("a method on text that is not ASCII"),
        (Method::Lower, []) => Ok(Value::text(bytes.to_ascii_lowercase())),
        (Method::Upper, []) => Ok(Value::text(bytes.to_ascii_uppercase())),
        (Method::IsDigit, []) => Ok(Value::Bool(!bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit))),
        (Method::Strip | Method::LeftStrip | Method::RightStrip, rest) => {
            let strips = |byte: u8| match rest {
                // Python's white space below 128: \t \n \v \f \r, the separators 0x1C to 0x1F, and space.
                [] => Some(matches!(byte, 9..=13 | 28..=32)),
                [Value::Text(set)] if set.bytes().is_ascii() => Some(set.bytes().contains(&byte)),
                _ => None,
            };
            if strips(b' ').is_none() {
                return unknown("a strip with such arguments");
            }
            let stays = |byte: &u8| strips(*byte) != Some(true);
            let start = if method == Method::RightStrip { 0 } else { bytes.iter().position(stays).unwrap_or(bytes.len()) };
            let end =
                if method == Method::LeftStrip { bytes.len() } else { bytes.iter().rposition(stays).map_or(start, |at| at + 1) };
            Ok(Value::text(&bytes[start..end.max(start)]))
        }
        (Method::Find, [Value::Text(part)]) => {
            let at = memchr::memmem::find(bytes, part.bytes());
            Ok(Value::Int(at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
        }
        (Method::Count, [Value::Text(part)]) if !part.bytes().is_empty() => {
            Ok(Value::Int(i64::try_from(memchr::memmem::find_iter(bytes, part.bytes()).count()).unwrap_or(i64::MAX)))
        }
        _ => unknown("a method of a text"),
    }
}

pub(super) fn compile(source: &Text<'_>, ignore_case: bool) -> Result<Pattern> {
    str::from_utf8(source.bytes())
        .ok()
        .and_then(|source| Pattern::new(source, ignore_case))
        .ok_or(Stop::Unknown("a pattern that is not known to mean the same here"))
}

/// The argument of `startswith` and `endswith`: a text, or a tuple of them.
fn affixes_of<'v>(value: &Value<'v>) -> Result<Vec<Text<'v>>> {
    match value {
        Value::Text(text) => Ok(vec![text.clone()]),
        Value::Tuple(_) | Value::Constant(Constant::Tuple(_)) => value
            .sequence()
            .unwrap_or_default()
            .into_iter()
            .map(|item| match item {
                Value::Text(text) => Ok(text),
                // What is no text raises, but only if no affix before it fits.
                _ => unknown("an affix that is not known to be a text"),
            })
            .collect(),
        Value::Symbol(_) => unknown("an affix that is not known"),
        _ => raise(Raised::Type),
    }
}

fn split<'v>(bytes: &[u8], separator: &[u8], limit: usize, from_right: bool) -> Vec<Value<'v>> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    if from_right {
        while parts.len() < limit
            && let Some(at) = memchr::memmem::rfind(rest, separator)
        {
            parts.push(Value::text(&rest[at + separator.len()..]));
            rest = &rest[..at];
        }
        parts.push(Value::text(rest));
        parts.reverse();
    } else {
        while parts.len() < limit
            && let Some(at) = memchr::memmem::find(rest, separator)
        {
            parts.push(Value::text(&rest[..at]));
            rest = &rest[at + separator.len()..];
        }
        parts.push(Value::text(rest));
    }
    parts
}
