//! Reading the record and what is in it.

use super::{Evaluation, Source};
use crate::guard::constant::{Constant, MAX_INT};
use crate::guard::explore::{Explorer, Piece, Symbol};
use crate::guard::ir::{Binary, Expr, Raised};
use crate::guard::record::may_be_variant;
use crate::guard::value::{Result, Stop, Value, raise, unknown};
use crate::json::Value as Json;
use std::cell::RefCell;
use std::rc::Rc;

impl<'v> Evaluation<'v, '_> {
    /// `object.get(name, default)`
    pub(in crate::guard) fn get(&mut self, object: &Value<'v>, name: &Value<'v>, default: Value<'v>) -> Result<Value<'v>> {
        if let Value::Constant(Constant::Dict(dict)) = object {
            if let Value::Symbol(symbol) = name {
                // Which entry it is decides the path.
                let symbol = symbol.clone();
                for (key, value) in &dict.entries {
                    if self.symbol_among(&symbol, std::slice::from_ref(key), true)? {
                        return Ok(Value::of_constant(value));
                    }
                }
                return Ok(default);
            }
            return Ok(dict.get(&name.key()?).map_or(default, Value::of_constant));
        }
        let object = match object {
            Value::Symbol(symbol) => self.resolved(symbol)?,
            other => other.clone(),
        };
        let Value::Text(name) = name else { return unknown("a name that is no text") };
        let found = match &object {
            Value::Event => match self.source {
                Source::AnyRecord(explorer) => return symbolic_get(explorer, None, name.bytes(), default),
                Source::Record(_) => self.member(&object, name.bytes())?,
            },
            Value::Symbol(Symbol::Object(field)) => {
                let field = *field;
                let Source::AnyRecord(explorer) = self.source else { return unknown("a value of a record") };
                return symbolic_get(explorer, Some(field), name.bytes(), default);
            }
            Value::Json(Json::Object(_)) => self.member(&object, name.bytes())?,
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Symbol(Symbol::Text(_)) => {
                return raise(Raised::Attribute);
            }
            _ => return unknown("`get` of such a value"),
        };
        Ok(match found {
            Some(Value::None) if self.code.plain => default,
            Some(value) => value,
            None => default,
        })
    }

    /// A member of an object, or of the record. In the panther dialect other spellings of the name count too, and
    /// which one is found is left to Python.
    pub(super) fn member(&mut self, object: &Value<'v>, name: &[u8]) -> Result<Option<Value<'v>>> {
        let plain = self.code.plain;
        match (object, self.source) {
            (Value::Json(Json::Object(members)), _) => match members.iter().rev().find(|(own, _)| own.as_ref() == name) {
                Some((_, value)) => Ok(Some(Value::of_json(value))),
                None if !plain && members.iter().any(|(own, _)| may_be_variant(own, name)) => unknown("the name in another case"),
                None => Ok(None),
            },
            (Value::Event, _) if is_supplied(name) => unknown("a field that is supplied to rules"),
            (Value::Event, Source::Record(view)) => match view.get(name) {
                Some(found) => Ok(Some(Value::of_json(found))),
                None if !plain && view.has_variant(name) => unknown("the name in another case"),
                None => Ok(None),
            },
            _ => unknown("a member of such a value"),
        }
    }

    pub(super) fn index(&mut self, value: &Value<'v>, index: &Value<'v>) -> Result<Value<'v>> {
        let value = match value {
            Value::Symbol(symbol) => self.resolved(symbol)?,
            other => other.clone(),
        };
        match (&value, index) {
            (Value::Symbol(Symbol::Parts), Value::Int(0 | -1)) => Ok(Value::Symbol(Symbol::AnyText)),
            (Value::Symbol(Symbol::Parts), Value::Int(_)) => {
                if self.explorer()?.any()? {
                    Ok(Value::Symbol(Symbol::AnyText))
                } else {
                    raise(Raised::Index)
                }
            }
            (Value::Event, Value::Text(name)) => {
                if let Source::AnyRecord(explorer) = self.source {
                    let name = str::from_utf8(name.bytes()).map_err(|_| Stop::Unknown("a name that is no UTF-8"))?;
                    if is_supplied(name.as_bytes()) {
                        return unknown("a field that is supplied to rules");
                    }
                    return explorer.borrow_mut().index(None, name);
                }
                let name = name.bytes();
                self.member(&value, name)?.map_or_else(|| raise(Raised::Key), Ok)
            }
            (Value::Json(Json::Object(_)), Value::Text(name)) => {
                self.member(&value, name.bytes())?.map_or_else(|| raise(Raised::Key), Ok)
            }
            (Value::Symbol(Symbol::Object(field)), Value::Text(name)) => {
                let name = str::from_utf8(name.bytes()).map_err(|_| Stop::Unknown("a name that is no UTF-8"))?;
                self.explorer()?.index(Some(*field), name)
            }
            (Value::Constant(Constant::Dict(dict)), Value::Symbol(symbol)) => {
                // Which entry it is decides the path.
                for (key, value) in &dict.entries {
                    if self.symbol_among(symbol, std::slice::from_ref(key), true)? {
                        return Ok(Value::of_constant(value));
                    }
                }
                raise(Raised::Key)
            }
            (Value::Constant(Constant::Dict(_)), index) => {
                let Value::Constant(Constant::Dict(dict)) = value else { return unknown("not a dict") };
                dict.get(&index.key()?).map_or_else(|| raise(Raised::Key), |value| Ok(Value::of_constant(value)))
            }
            (Value::None, _) => raise(Raised::Type),
            (sequence, Value::Int(at)) => {
                if let Value::Text(text) = sequence {
                    if !text.bytes().is_ascii() {
                        return unknown("a character of a text that is not ASCII");
                    }
                    return position(*at, text.bytes().len())
                        .map_or_else(|| raise(Raised::Index), |at| Ok(Value::text(&text.bytes()[at..=at])));
                }
                let Some(items) = sequence.sequence() else { return unknown("an element of such a value") };
                position(*at, items.len()).map_or_else(|| raise(Raised::Index), |at| Ok(items[at].clone()))
            }
            _ => unknown("an element of such a value"),
        }
    }

    pub(super) fn joined(&mut self, parts: &'v [Expr]) -> Result<Value<'v>> {
        let values = self.each(parts)?;
        let mut whole = Vec::new();
        let mut pieces = Vec::new();
        for value in values {
            let value = match value {
                Value::Symbol(symbol) => self.resolved(&symbol)?,
                other => other,
            };
            match value {
                Value::Text(text) => whole.extend_from_slice(text.bytes()),
                Value::None => whole.extend_from_slice(b"None"),
                Value::Bool(value) => whole.extend_from_slice(if value { b"True" } else { b"False" }),
                Value::Int(value) => whole.extend_from_slice(value.to_string().as_bytes()),
                Value::Symbol(symbol) => {
                    if !whole.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut whole).into()));
                    }
                    pieces.push(match symbol {
                        Symbol::Text(field) => Piece::Field(field),
                        Symbol::Lower(_) | Symbol::AnyText | Symbol::Joined(_) | Symbol::Object(_) => Piece::Other,
                        _ => return unknown("a value in a text"),
                    });
                }
                _ => return unknown("a value in a text"),
            }
        }
        if pieces.is_empty() {
            return Ok(Value::text(whole));
        }
        if !whole.is_empty() {
            pieces.push(Piece::Text(whole.into()));
        }
        Ok(Value::Symbol(Symbol::Joined(pieces.into())))
    }

    pub(super) fn binary(&mut self, left: Value<'v>, operator: Binary, right: Value<'v>) -> Result<Value<'v>> {
        let checked = |value: Option<i64>| {
            value.filter(|value| value.abs() <= MAX_INT).map(Value::Int).ok_or(Stop::Unknown("a number that is too large"))
        };
        match (left, operator, right) {
            (Value::Text(a), Binary::Add, Value::Text(b)) => Ok(Value::text([a.bytes(), b.bytes()].concat())),
            (Value::Int(a), Binary::Add, Value::Int(b)) => checked(a.checked_add(b)),
            (Value::Int(a), Binary::Subtract, Value::Int(b)) => checked(a.checked_sub(b)),
            (
                left @ (Value::Constant(Constant::List(_)) | Value::List(_)),
                Binary::Add,
                right @ (Value::Constant(Constant::List(_)) | Value::List(_)),
            ) => {
                let items: Option<Vec<_>> = left.sequence().zip(right.sequence()).map(|(a, b)| [a, b].concat());
                items.map(|items| Value::List(items.into())).ok_or(Stop::Unknown("a sum of lists"))
            }
            (
                left @ (Value::Constant(Constant::Tuple(_)) | Value::Tuple(_)),
                Binary::Add,
                right @ (Value::Constant(Constant::Tuple(_)) | Value::Tuple(_)),
            ) => {
                let items: Option<Vec<_>> = left.sequence().zip(right.sequence()).map(|(a, b)| [a, b].concat());
                items.map(|items| Value::Tuple(items.into())).ok_or(Stop::Unknown("a sum of tuples"))
            }
            (Value::None, Binary::Add, Value::Text(_)) | (Value::Text(_), Binary::Add, Value::None) => raise(Raised::Type),
            (Value::Symbol(a), Binary::Add, Value::Text(b)) => match self.resolved(&a)? {
                Value::Symbol(Symbol::Text(field)) => {
                    Ok(Value::Symbol(Symbol::Joined(Rc::new([Piece::Field(field), Piece::Text(b.bytes().into())]))))
                }
                Value::Symbol(Symbol::AnyText | Symbol::Lower(_) | Symbol::Joined(_)) => Ok(Value::Symbol(Symbol::AnyText)),
                Value::Text(a) => Ok(Value::text([a.bytes(), b.bytes()].concat())),
                _ => unknown("a sum of such values"),
            },
            _ => unknown("an operation on such values"),
        }
    }
}

pub(super) fn symbolic_get<'v>(
    explorer: &RefCell<Explorer>,
    parent: Option<usize>,
    name: &[u8],
    default: Value<'v>,
) -> Result<Value<'v>> {
    let name = str::from_utf8(name).map_err(|_| Stop::Unknown("a name that is no UTF-8"))?;
    if parent.is_none() && is_supplied(name.as_bytes()) {
        return unknown("a field that is supplied to rules");
    }
    explorer.borrow_mut().get(parent, name, default)
}

/// Whether `get` may find a field that iota supplies to rules, in any spelling.
pub(super) fn is_supplied(name: &[u8]) -> bool {
    !name.is_ascii() || name.first_chunk::<2>().is_some_and(|start| start.eq_ignore_ascii_case(b"p_"))
}

/// The position that a Python index means.
pub(super) fn position(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { index + length } else { index };
    usize::try_from(at).ok().filter(|_| at < length)
}
