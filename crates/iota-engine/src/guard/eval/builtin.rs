//! Calls of builtins, each as Python has it; on values where that is not certain they stop.

use super::text::compile;
use crate::guard::constant::Constant;
use crate::guard::eval::Evaluation;
use crate::guard::explore::Symbol;
use crate::guard::ir::Raised;
use crate::guard::operation::Builtin;
use crate::guard::pattern::glob;
use crate::guard::value::{Result, Stop, Text, Value, raise, unknown};
use crate::json::Value as Json;
use std::collections::BTreeSet;

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
                for item in value.items(true)? {
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
            (Builtin::List, [value]) => Ok(Value::List(value.items(false)?.into())),
            (Builtin::Tuple, [value]) => Ok(Value::Tuple(value.items(false)?.into())),
            (Builtin::Sorted, [value]) => {
                let mut texts = Vec::new();
                for item in value.items(true)? {
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
            (Builtin::Reduce, [Value::Closure { code, round }, items, rest @ ..]) if rest.len() < 2 => {
                let mut items = items.items(false)?.into_iter();
                let Some(mut result) = rest.first().cloned().or_else(|| items.next()) else { return raise(Raised::Type) };
                for item in items {
                    result = self.call_closure(code, *round, vec![result, item])?;
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

    /// Whether a value is of a type, by the type's name.
    pub(super) fn is_instance(&mut self, value: &Value<'v>, name: &str) -> Result<bool> {
        let plain = self.code.plain;
        if let Value::Symbol(symbol) = value {
            return match (symbol, name) {
                (Symbol::Field(_) | Symbol::Object(_), "dict") if !plain => Ok(false),
                (Symbol::Field(field), "str") => self.explorer()?.holds(*field, false),
                (Symbol::Field(field), "dict" | "Mapping") => self.explorer()?.holds(*field, true),
                (Symbol::Parts, _) => Ok(name == "list"),
                (Symbol::Object(_), _) => Ok(matches!(name, "dict" | "Mapping")),
                (Symbol::Field(_), _) => self.explorer()?.any(),
                _ => Ok(name == "str"),
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
}
