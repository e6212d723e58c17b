//! Builtins and methods that are understood, each as Python has it; on values where that is not certain they stop.

use super::constant::{Constant, Dict, Set};
use super::eval::{Evaluation, Source, UnifiedField};
use super::explore::Symbol;
use super::ir::Raised;
use super::pattern::{Anchor, Pattern, glob};
use super::value::{Result, Stop, Text, Value, raise, unknown};
use crate::json::Value as Json;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    Len,
    Any,
    All,
    Bool,
    Str,
    Set,
    FrozenSet,
    List,
    Tuple,
    Dict,
    Sorted,
    /// The second argument is a tuple of names of types.
    IsInstance,
    /// `print` and logging: looks at its arguments, and nothing else.
    Print,
    Reduce,
    Compile,
    CompileIgnoringCase,
    Pattern(Anchor),
    Glob,
}

impl Builtin {
    /// By the name of a builtin, or the path of something outside the pack.
    pub(super) fn named(path: &str) -> Option<Self> {
        Some(match path {
            "len" => Self::Len,
            "any" => Self::Any,
            "all" => Self::All,
            "bool" => Self::Bool,
            "str" => Self::Str,
            "set" => Self::Set,
            "frozenset" => Self::FrozenSet,
            "list" => Self::List,
            "tuple" => Self::Tuple,
            "dict" => Self::Dict,
            "sorted" => Self::Sorted,
            "print" | "logging.debug" | "logging.info" | "logging.warning" | "logging.error" | "logging.critical" => Self::Print,
            "functools.reduce" => Self::Reduce,
            "re.compile" => Self::Compile,
            "re.match" => Self::Pattern(Anchor::Match),
            "re.search" => Self::Pattern(Anchor::Search),
            "re.fullmatch" => Self::Pattern(Anchor::FullMatch),
            "fnmatch.fnmatch" | "fnmatch.fnmatchcase" => Self::Glob,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    DeepGet,
    Udm,
    Keys,
    Values,
    Items,
    StartsWith,
    EndsWith,
    Lower,
    Upper,
    Strip,
    LeftStrip,
    RightStrip,
    Split,
    RightSplit,
    Replace,
    Find,
    Count,
    IsDigit,
    RemovePrefix,
    RemoveSuffix,
    Join,
    Union,
    Intersection,
    IsDisjoint,
    IsSubset,
    IsSuperset,
    Pattern(Anchor),
}

impl Method {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "get" => Self::Get,
            "deep_get" => Self::DeepGet,
            "udm" => Self::Udm,
            "keys" => Self::Keys,
            "values" => Self::Values,
            "items" => Self::Items,
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            // They differ on non-ASCII text only, which is not asked.
            "lower" | "casefold" => Self::Lower,
            "upper" => Self::Upper,
            "strip" => Self::Strip,
            "lstrip" => Self::LeftStrip,
            "rstrip" => Self::RightStrip,
            "split" => Self::Split,
            "rsplit" => Self::RightSplit,
            "replace" => Self::Replace,
            "find" => Self::Find,
            "count" => Self::Count,
            "isdigit" => Self::IsDigit,
            "removeprefix" => Self::RemovePrefix,
            "removesuffix" => Self::RemoveSuffix,
            "join" => Self::Join,
            "union" => Self::Union,
            "intersection" => Self::Intersection,
            "isdisjoint" => Self::IsDisjoint,
            "issubset" => Self::IsSubset,
            "issuperset" => Self::IsSuperset,
            "match" => Self::Pattern(Anchor::Match),
            "search" => Self::Pattern(Anchor::Search),
            "fullmatch" => Self::Pattern(Anchor::FullMatch),
            _ => return None,
        })
    }
}

type Keywords<'v> = Vec<(&'v str, Value<'v>)>;

impl<'v> Evaluation<'v, '_> {
    pub(super) fn builtin(&mut self, builtin: Builtin, arguments: &[Value<'v>]) -> Result<Value<'v>> {
        match (builtin, arguments) {
            (Builtin::Print, _) => Ok(Value::None),
            (Builtin::Len, [value]) => match value {
                Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => raise(Raised::Type),
                value => {
                    let length = value.length().ok_or(Stop::Unknown("the length of such a value"))?;
                    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
                }
            },
            (Builtin::Any | Builtin::All, [value]) => {
                let all = builtin == Builtin::All;
                for item in self.items(value, true)? {
                    if self.truth(&item)? != all {
                        return Ok(Value::Bool(!all));
                    }
                }
                Ok(Value::Bool(all))
            }
            (Builtin::Bool, [value]) => Ok(Value::Bool(self.truth(value)?)),
            (Builtin::Str, [value]) => match value {
                Value::Text(_) | Value::Symbol(Symbol::Text(_) | Symbol::Lower(_) | Symbol::AnyText | Symbol::Joined(_)) => {
                    Ok(value.clone())
                }
                Value::None => Ok(Value::Text(Text::Borrowed(b"None"))),
                Value::Symbol(Symbol::Field(_) | Symbol::Object(_)) => Ok(Value::Symbol(Symbol::AnyText)),
                _ => unknown("the text of such a value"),
            },
            (Builtin::List, []) => Ok(Value::List([].into())),
            (Builtin::Tuple, []) => Ok(Value::Tuple([].into())),
            (Builtin::List, [value]) => Ok(Value::List(self.items(value, false)?.into())),
            (Builtin::Tuple, [value]) => Ok(Value::Tuple(self.items(value, false)?.into())),
            (Builtin::Sorted, [value]) => {
                let mut texts = Vec::new();
                for item in self.items(value, true)? {
                    let Value::Text(text) = item else { return unknown("sorting of such values") };
                    texts.push(text);
                }
                texts.sort_by(|a, b| a.bytes().cmp(b.bytes()));
                Ok(Value::List(texts.into_iter().map(Value::Text).collect()))
            }
            (Builtin::IsInstance, [value, Value::Constant(Constant::Tuple(types))]) => {
                for name in types {
                    let Constant::Text(name) = name else { return unknown("a type") };
                    if self.is_instance(value, str::from_utf8(name).unwrap_or_default())? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            (Builtin::Reduce, [Value::Closure { code, frame }, items, rest @ ..]) if rest.len() < 2 => {
                let mut items = self.items(items, false)?.into_iter();
                let Some(mut result) = rest.first().cloned().or_else(|| items.next()) else { return raise(Raised::Type) };
                for item in items {
                    result = self.call_closure(code, *frame, vec![result, item])?;
                }
                Ok(result)
            }
            (Builtin::Pattern(anchor), [Value::Text(pattern), value]) => {
                let pattern = compile(pattern, false)?;
                self.find(&pattern, anchor, value)
            }
            (Builtin::Pattern(anchor), [Value::Constant(Constant::Pattern(pattern)), value]) => self.find(pattern, anchor, value),
            (Builtin::Glob, [Value::Text(text), Value::Text(pattern)]) => match glob(text.bytes(), pattern.bytes()) {
                Some(matches) => Ok(Value::Bool(matches)),
                None => unknown("a shell-style pattern on such a text"),
            },
            (Builtin::Glob, [Value::Symbol(symbol), Value::Text(pattern)]) => {
                let symbol = self.text_symbol(symbol)?;
                let pattern = String::from_utf8_lossy(pattern.bytes()).into_owned();
                let prefix = pattern.find(['*', '?', '[']).map_or(pattern.as_str(), |at| &pattern[..at]);
                let prefixes = Some(BTreeSet::from([Box::from(prefix.as_bytes())])).filter(|_| !prefix.is_empty());
                Ok(Value::Bool(self.explorer()?.test_text(&symbol, format!("is like {pattern:?}"), prefixes)?))
            }
            _ => unknown("a call with such arguments"),
        }
    }

    /// What a builtin makes of constants alone: containers and patterns that rules share.
    pub(super) fn constant_call(builtin: Builtin, arguments: &[Constant]) -> Option<Constant> {
        let items = |constant: &Constant| match constant {
            Constant::List(items) | Constant::Tuple(items) => Some(items.to_vec()),
            Constant::Set(set) | Constant::FrozenSet(set) => Some(set.items()),
            Constant::Dict(dict) => Some(dict.entries.iter().map(|(key, _)| key.clone()).collect()),
            _ => None,
        };
        match (builtin, arguments) {
            (Builtin::Set, []) => Some(Constant::Set(Set::default())),
            (Builtin::FrozenSet, []) => Some(Constant::FrozenSet(Set::default())),
            (Builtin::Dict, []) => Some(Constant::Dict(Box::default())),
            (Builtin::Set, [of]) => set_of(items(of)?).map(Constant::Set),
            (Builtin::FrozenSet, [of]) => set_of(items(of)?).map(Constant::FrozenSet),
            (Builtin::Dict, [Constant::Dict(dict)]) => Some(Constant::Dict(dict.clone())),
            (Builtin::Compile | Builtin::CompileIgnoringCase, [Constant::Text(source)]) => {
                let source = str::from_utf8(source).ok()?;
                Some(Constant::Pattern(Box::new(Pattern::new(source, builtin == Builtin::CompileIgnoringCase)?)))
            }
            _ => None,
        }
    }

    /// Whether a value is of a type, by the type's name.
    fn is_instance(&mut self, value: &Value<'v>, name: &str) -> Result<bool> {
        let plain = self.code.plain;
        if let Value::Symbol(symbol) = value {
            return match (symbol, name) {
                (Symbol::Field(_) | Symbol::Object(_), "dict") if !plain => Ok(false),
                (Symbol::Field(field), "str") => self.explorer()?.holds(*field, false),
                (Symbol::Field(field), "dict" | "Mapping") => self.explorer()?.holds(*field, true),
                (Symbol::Parts, _) => Ok(matches!(name, "list" | "Sequence")),
                (Symbol::Object(_), _) => Ok(matches!(name, "dict" | "Mapping")),
                (Symbol::Field(_), _) => self.explorer()?.any(),
                _ => Ok(matches!(name, "str" | "Sequence")),
            };
        }
        Ok(match name {
            "str" => matches!(value, Value::Text(_)),
            "bool" => matches!(value, Value::Bool(_)),
            "int" => {
                matches!(value, Value::Bool(_) | Value::Int(_))
                    || matches!(value, Value::Json(Json::Number(token)) if !token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')))
            }
            "float" => {
                matches!(value, Value::Float(_))
                    || matches!(value, Value::Json(Json::Number(token)) if token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')))
            }
            "dict" => {
                matches!(value, Value::Constant(Constant::Dict(_)))
                    || plain && matches!(value, Value::Event | Value::Json(Json::Object(_)))
            }
            "Mapping" => matches!(value, Value::Constant(Constant::Dict(_)) | Value::Event | Value::Json(Json::Object(_))),
            "list" => {
                matches!(value, Value::Constant(Constant::List(_)) | Value::List(_))
                    || plain && matches!(value, Value::Json(Json::Array(_)))
            }
            "tuple" => matches!(value, Value::Constant(Constant::Tuple(_)) | Value::Tuple(_)),
            "set" => matches!(value, Value::Constant(Constant::Set(_))),
            _ => return unknown("a type"),
        })
    }

    pub(super) fn method(
        &mut self,
        object: &Value<'v>,
        method: Method,
        positional: Vec<Value<'v>>,
        mut keywords: Keywords<'v>,
    ) -> Result<Value<'v>> {
        if method == Method::DeepGet || method == Method::Udm {
            let default = match keywords.as_slice() {
                [] => Value::None,
                [("default", _)] => keywords.remove(0).1,
                _ => return unknown("a call with such arguments"),
            };
            return match method {
                Method::DeepGet => self.deep_get(object, &positional, default),
                _ => self.udm(object, &positional, default),
            };
        }
        if method == Method::Get {
            let mut arguments = positional;
            match keywords.as_slice() {
                [] => {}
                // Only the plain event's `get` of the record takes no keyword; which it is, Python knows.
                _ => return unknown("a call with such arguments"),
            }
            return match arguments.len() {
                1 => self.get(object, &arguments[0], Value::None),
                2 => {
                    let default = arguments.remove(1);
                    self.get(object, &arguments[0], default)
                }
                _ => unknown("a call with such arguments"),
            };
        }
        if !keywords.is_empty() {
            return unknown("a call with such arguments");
        }
        match object {
            Value::Symbol(symbol) => {
                let symbol = match self.resolved(symbol)? {
                    Value::Symbol(symbol) => symbol,
                    known => return self.method(&known, method, positional, keywords),
                };
                self.symbol_method(&symbol, method, &positional)
            }
            Value::Text(text) => self.text_method(text, method, &positional),
            Value::Constant(Constant::Pattern(pattern)) => match (method, positional.as_slice()) {
                (Method::Pattern(anchor), [value]) => self.find(pattern, anchor, value),
                _ => unknown("a method of a pattern"),
            },
            Value::Constant(Constant::Dict(dict)) if positional.is_empty() => match method {
                Method::Keys => Ok(Value::Keys(dict)),
                Method::Values => Ok(Value::Entries(dict.entries.iter().map(|(_, value)| Value::of_constant(value)).collect())),
                Method::Items => Ok(Value::Entries(
                    dict.entries
                        .iter()
                        .map(|(key, value)| Value::Tuple([Value::of_constant(key), Value::of_constant(value)].into()))
                        .collect(),
                )),
                _ => unknown("a method of a dict"),
            },
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => raise(Raised::Attribute),
            _ => unknown("a method of such a value"),
        }
    }

    fn deep_get(&mut self, object: &Value<'v>, names: &[Value<'v>], default: Value<'v>) -> Result<Value<'v>> {
        if !matches!(object, Value::Event) {
            return unknown("`deep_get` of such a value");
        }
        let mut found = object.clone();
        for name in names {
            if !matches!(name, Value::Text(_)) {
                return unknown("a name that is no text");
            }
            if !matches!(found, Value::Event) && !self.is_instance(&found, "Mapping")? {
                return Ok(default);
            }
            found = self.get(&found, name, Value::None)?;
            let nothing = match &found {
                Value::Symbol(symbol) => {
                    // Only a default other than None makes a difference here.
                    !matches!(default, Value::None) && self.explorer()?.is_none(symbol)?
                }
                found => matches!(found, Value::None),
            };
            if nothing {
                return Ok(default);
            }
        }
        Ok(found)
    }

    fn udm(&mut self, object: &Value<'v>, names: &[Value<'v>], default: Value<'v>) -> Result<Value<'v>> {
        let (Value::Event, [Value::Text(name)]) = (object, names) else { return unknown("`udm` of such values") };
        let Some(field) = str::from_utf8(name.bytes()).ok().and_then(|name| self.code.fields.get(name)) else {
            return unknown("a field that no data model names");
        };
        if let Source::Record(view) = self.source
            && (view.get(b"p_log_type").is_some() || view.has_variant(b"p_log_type"))
        {
            return unknown("a record with a log type of its own");
        }
        let value = match field {
            UnifiedField::Unknown => return unknown("a field of a data model that is not followed"),
            UnifiedField::Method(function) => self.call_with_event(*function)?,
            UnifiedField::Path(path) => self.at_path(path)?,
        };
        let nothing = match &value {
            Value::Symbol(symbol) => !matches!(default, Value::None) && self.explorer()?.is_none(symbol)?,
            value => matches!(value, Value::None),
        };
        Ok(if nothing { default } else { value })
    }

    /// The value at a path of member names, exactly spelt; None where there is none.
    fn at_path(&mut self, path: &[String]) -> Result<Value<'v>> {
        let mut found = Value::Event;
        for name in path {
            if !matches!(found, Value::Event) && !self.is_instance(&found, "Mapping")? {
                return Ok(Value::None);
            }
            let name = Value::text(name.as_bytes());
            found = self.get(&found, &name, Value::None)?;
        }
        Ok(found)
    }

    fn find(&mut self, pattern: &Pattern, anchor: Anchor, value: &Value<'v>) -> Result<Value<'v>> {
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

    /// The symbol, once it is certain to be a text.
    fn text_symbol(&mut self, symbol: &Symbol) -> Result<Symbol> {
        match self.resolved(symbol)? {
            Value::Symbol(symbol @ (Symbol::Text(_) | Symbol::Lower(_) | Symbol::AnyText | Symbol::Joined(_))) => Ok(symbol),
            Value::Text(_) => unknown("a text that is known by now"),
            _ => raise(Raised::Type),
        }
    }

    fn symbol_method(&mut self, symbol: &Symbol, method: Method, arguments: &[Value<'v>]) -> Result<Value<'v>> {
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

    fn text_method(&mut self, text: &Text<'v>, method: Method, arguments: &[Value<'v>]) -> Result<Value<'v>> {
        let bytes = text.bytes();
        match (method, arguments) {
            (Method::StartsWith, [affixes]) => {
                Ok(Value::Bool(affixes_of(affixes)?.iter().any(|affix| bytes.starts_with(affix.bytes()))))
            }
            (Method::EndsWith, [affixes]) => {
                Ok(Value::Bool(affixes_of(affixes)?.iter().any(|affix| bytes.ends_with(affix.bytes()))))
            }
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
                for (n, item) in self.items(items, false)?.into_iter().enumerate() {
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
                let end = if method == Method::LeftStrip {
                    bytes.len()
                } else {
                    bytes.iter().rposition(stays).map_or(start, |at| at + 1)
                };
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
}

fn set_of(items: Vec<Constant>) -> Option<Set> {
    let mut set = Set::default();
    for item in items {
        if !item.is_hashable() {
            return None;
        }
        set.insert(item);
    }
    Some(set)
}

fn compile(source: &Text<'_>, ignore_case: bool) -> Result<Pattern> {
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

/// Entries of a dict literal.
pub(super) fn dict_of(entries: Vec<(Constant, Constant)>) -> Option<Constant> {
    let mut dict = Dict::default();
    for (key, value) in entries {
        if !key.is_hashable() {
            return None;
        }
        dict.insert(key, value);
    }
    Some(Constant::Dict(Box::new(dict)))
}

pub(super) fn set_literal(items: Vec<Constant>) -> Option<Constant> {
    set_of(items).map(Constant::Set)
}

/// `|`, `&` and `-` of constant sets and dicts.
pub(super) fn combine(left: &Constant, operator: super::ir::Binary, right: &Constant) -> Option<Constant> {
    use super::ir::Binary;
    match (left, right) {
        (Constant::Set(a), Constant::Set(b) | Constant::FrozenSet(b)) => Some(Constant::Set(combine_sets(a, operator, b)?)),
        (Constant::FrozenSet(a), Constant::Set(b) | Constant::FrozenSet(b)) => {
            Some(Constant::FrozenSet(combine_sets(a, operator, b)?))
        }
        (Constant::Dict(a), Constant::Dict(b)) if operator == Binary::Union => {
            dict_of(a.entries.iter().chain(&b.entries).cloned().collect())
        }
        _ => None,
    }
}

fn combine_sets(a: &Set, operator: super::ir::Binary, b: &Set) -> Option<Set> {
    use super::ir::Binary;
    let items = match operator {
        Binary::Union => a.items().into_iter().chain(b.items()).collect(),
        Binary::Intersection => a.items().into_iter().filter(|item| b.contains(item)).collect(),
        Binary::Subtract => a.items().into_iter().filter(|item| !b.contains(item)).collect(),
        Binary::Add => return None,
    };
    set_of(items)
}
