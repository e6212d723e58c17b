//! Values of an evaluation and what Python's operators make of them.
//! An operation whose result is not certain stops the evaluation; it never guesses.

use super::constant::{Constant, Dict, MAX_INT};
use super::explore::Symbol;
use super::ir::{Closure, FunctionId, Raised};
use crate::json::Value as Json;
use std::rc::Rc;

/// Why an evaluation ended before it had a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The rule raises this here.
    Raised(Raised),
    /// What happens here is not known.
    Unknown(&'static str),
}

pub(super) type Result<T> = std::result::Result<T, Stop>;

pub(super) fn unknown<T>(why: &'static str) -> Result<T> {
    Err(Stop::Unknown(why))
}

pub(super) fn raise<T>(what: Raised) -> Result<T> {
    Err(Stop::Raised(what))
}

#[derive(Debug, Clone)]
pub(super) enum Value<'v> {
    /// A local variable without a value.
    Unset,
    None,
    Bool(bool),
    /// At most `MAX_INT` either way.
    Int(i64),
    Float(f64),
    /// WTF-8.
    Text(Text<'v>),
    /// A list or an object of the record, or a number beyond those above.
    Json(&'v Json<'v>),
    /// A container of constants, or a compiled pattern.
    Constant(&'v Constant),
    /// `keys()` of a constant dict.
    Keys(&'v Dict),
    /// `values()` or `items()` of one: no list, it can only be gone through.
    Entries(Rc<[Value<'v>]>),
    List(Rc<[Value<'v>]>),
    Tuple(Rc<[Value<'v>]>),
    /// The whole record.
    Event,
    /// An `re.Match`, of which only is known that it is one.
    Matched,
    Function(FunctionId),
    /// A function made while a rule is evaluated. It looks at the variables of the round of a function it is made in.
    Closure {
        code: &'v Closure,
        round: u32,
    },
    /// Stands for values of many records, while a rule is explored.
    Symbol(Symbol),
}

#[derive(Debug, Clone)]
pub(super) enum Text<'v> {
    Borrowed(&'v [u8]),
    Shared(Rc<[u8]>),
}

impl Text<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'v> Value<'v> {
    pub(super) fn of_json(json: &'v Json<'v>) -> Self {
        match json {
            Json::Null => Self::None,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(token) => number(token).unwrap_or(Self::Json(json)),
            Json::String(text) => Self::Text(Text::Borrowed(text)),
            Json::Array(_) | Json::Object(_) => Self::Json(json),
        }
    }

    pub(super) fn of_constant(constant: &'v Constant) -> Self {
        match constant {
            Constant::None => Self::None,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Float(value) => Self::Float(*value),
            Constant::Text(text) => Self::Text(Text::Borrowed(text)),
            Constant::Function(function) => Self::Function(*function),
            _ => Self::Constant(constant),
        }
    }

    pub(super) fn text(bytes: impl Into<Rc<[u8]>>) -> Self {
        Self::Text(Text::Shared(bytes.into()))
    }

    /// The constant that this is, if it is made of nothing but constants.
    pub(super) fn to_constant(&self) -> Option<Constant> {
        Some(match self {
            Self::None => Constant::None,
            Self::Bool(value) => Constant::Bool(*value),
            Self::Int(value) => Constant::Int(*value),
            Self::Float(value) => Constant::Float(*value),
            Self::Text(text) => Constant::Text(text.bytes().into()),
            Self::Constant(constant) => (*constant).clone(),
            Self::List(items) => Constant::List(items.iter().map(Self::to_constant).collect::<Option<_>>()?),
            Self::Tuple(items) => Constant::Tuple(items.iter().map(Self::to_constant).collect::<Option<_>>()?),
            _ => return None,
        })
    }

    /// A scalar as a constant, for looking it up; `Err` when it cannot be hashed or is not known.
    pub(super) fn key(&self) -> Result<Constant> {
        match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) => Ok(()),
            Self::Tuple(items) => items.iter().try_for_each(|item| item.key().map(drop)),
            Self::Constant(constant) if constant.is_hashable() => Ok(()),
            Self::Json(Json::Array(_) | Json::Object(_)) | Self::List(_) | Self::Event => raise(Raised::Type),
            _ => unknown("a key that is not known"),
        }?;
        self.to_constant().ok_or(Stop::Unknown("a key that is not known"))
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Constant::Bool(*value),
            Self::Int(value) => Constant::Int(*value),
            Self::Float(value) => Constant::Float(*value),
            _ => return None,
        }
        .as_number()
    }

    /// Certainly neither a number, a text nor None.
    fn is_container(&self) -> bool {
        matches!(self, Self::Json(Json::Array(_) | Json::Object(_)) | Self::List(_) | Self::Tuple(_) | Self::Event)
            || matches!(self, Self::Constant(constant) if !matches!(constant, Constant::Pattern(_)))
    }

    /// How many elements a container has, where that does not depend on duplicate names.
    pub(super) fn length(&self) -> Option<usize> {
        Some(match self {
            Self::Text(text) if text.bytes().is_ascii() => text.bytes().len(),
            Self::Json(Json::Array(items)) => items.len(),
            Self::List(items) | Self::Tuple(items) | Self::Entries(items) => items.len(),
            Self::Constant(Constant::List(items) | Constant::Tuple(items)) => items.len(),
            Self::Constant(Constant::Set(set) | Constant::FrozenSet(set)) => set.len(),
            Self::Constant(Constant::Dict(dict)) => dict.entries.len(),
            Self::Keys(dict) => dict.entries.len(),
            _ => return None,
        })
    }

    /// The elements of a list or tuple.
    pub(super) fn sequence(&self) -> Option<Vec<Value<'v>>> {
        Some(match self {
            Self::Json(Json::Array(items)) => items.iter().map(Value::of_json).collect(),
            Self::List(items) | Self::Tuple(items) => items.to_vec(),
            Self::Constant(Constant::List(items) | Constant::Tuple(items)) => items.iter().map(Value::of_constant).collect(),
            _ => return None,
        })
    }

    /// The elements that iteration gives. Those of a set have an order that only Python knows; `order_free` says that it
    /// does not matter.
    pub(super) fn items(&self, order_free: bool) -> Result<Vec<Value<'v>>> {
        if let Some(items) = self.sequence() {
            return Ok(items);
        }
        match self {
            Value::Keys(dict) => Ok(dict.entries.iter().map(|(key, _)| Value::of_constant(key)).collect()),
            Value::Entries(items) => Ok(items.to_vec()),
            Value::Constant(Constant::Dict(dict)) => Ok(dict.entries.iter().map(|(key, _)| Value::of_constant(key)).collect()),
            Value::Constant(Constant::Set(set) | Constant::FrozenSet(set)) if order_free || set.len() < 2 => {
                let mut items: Vec<Value<'v>> = set.texts.iter().map(|text| Value::text(text.as_ref())).collect();
                items.extend(set.others.iter().map(Value::of_constant));
                Ok(items)
            }
            Value::Json(Json::Object(members)) => {
                let mut names: Vec<Value<'v>> = Vec::new();
                for (name, _) in members {
                    let name = Value::Text(Text::Borrowed(name));
                    if !names.iter().any(|known| equals(known, &name) == Ok(true)) {
                        names.push(name);
                    }
                }
                Ok(names)
            }
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => raise(Raised::Type),
            _ => unknown("iteration over such a value"),
        }
    }
}

/// Number tokens as Python reads them; `None` for what a double does not hold exactly.
fn number<'v>(token: &[u8]) -> Option<Value<'v>> {
    let text = str::from_utf8(token).ok()?;
    if token.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        let value: i64 = text.parse().ok()?;
        return (value.unsigned_abs() <= MAX_INT.unsigned_abs()).then_some(Value::Int(value));
    }
    text.parse().ok().map(Value::Float)
}

/// Python's `==`, where it is certain.
#[expect(clippy::match_same_arms, reason = "arms stand in the order in which Python looks at its operands")]
pub(super) fn equals(a: &Value<'_>, b: &Value<'_>) -> Result<bool> {
    use Value::{Bool, Constant as Const, Float, Int, Json as Js, None, Text};
    match (a, b) {
        (None, None) => Ok(true),
        (Text(a), Text(b)) => Ok(a.bytes() == b.bytes()),
        (Bool(_) | Int(_) | Float(_), Bool(_) | Int(_) | Float(_)) => Ok(a.as_number() == b.as_number()),
        (None | Text(_) | Bool(_) | Int(_) | Float(_), None | Text(_) | Bool(_) | Int(_) | Float(_)) => Ok(false),
        // A number beyond what is computed with is still neither None nor a text.
        (Js(Json::Number(_)), None | Text(_)) | (None | Text(_), Js(Json::Number(_))) => Ok(false),
        (Value::Matched, None) | (None, Value::Matched) => Ok(false),
        (container, None | Text(_) | Bool(_) | Int(_) | Float(_)) | (None | Text(_) | Bool(_) | Int(_) | Float(_), container)
            if container.is_container() =>
        {
            Ok(false)
        }
        (Const(Constant::List(items)), Js(Json::Array(found))) | (Js(Json::Array(found)), Const(Constant::List(items)))
            if items.len() != found.len() =>
        {
            Ok(false)
        }
        (Const(Constant::List(a)), Js(Json::Array(b))) | (Js(Json::Array(b)), Const(Constant::List(a))) => {
            all_equal(a.iter().map(Value::of_constant), b.iter().map(Value::of_json))
        }
        (Const(Constant::Dict(dict)), Js(Json::Object(members))) | (Js(Json::Object(members)), Const(Constant::Dict(dict)))
            if dict.entries.is_empty() =>
        {
            Ok(members.is_empty())
        }
        (Const(Constant::List(_)), Js(Json::Object(_)))
        | (Js(Json::Object(_)), Const(Constant::List(_)))
        | (Const(Constant::Dict(_)), Js(Json::Array(_)))
        | (Js(Json::Array(_)), Const(Constant::Dict(_))) => Ok(false),
        (Value::Tuple(a), Value::Tuple(b)) if a.len() == b.len() => all_equal(a.iter().cloned(), b.iter().cloned()),
        (Value::Tuple(a), Value::Tuple(b)) if a.len() != b.len() => Ok(false),
        (Value::Tuple(a), Const(Constant::Tuple(b))) | (Const(Constant::Tuple(b)), Value::Tuple(a)) => {
            Ok(a.len() == b.len() && all_equal(a.iter().cloned(), b.iter().map(Value::of_constant))?)
        }
        _ => unknown("a comparison of containers"),
    }
}

fn all_equal<'v>(a: impl Iterator<Item = Value<'v>>, b: impl Iterator<Item = Value<'v>>) -> Result<bool> {
    for (a, b) in a.zip(b) {
        if !equals(&a, &b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `a < b` and the like; the ordering of two values that have one.
pub(super) fn order(a: &Value<'_>, b: &Value<'_>) -> Result<std::cmp::Ordering> {
    match (a, b) {
        // Code points sort as their UTF-8 does, surrogates in WTF-8 included.
        (Value::Text(a), Value::Text(b)) => Ok(a.bytes().cmp(b.bytes())),
        (Value::None, Value::None | Value::Text(_)) | (Value::Text(_), Value::None) => raise(Raised::Type),
        _ => match (a.as_number(), b.as_number()) {
            (Some(a), Some(b)) => a.partial_cmp(&b).ok_or(Stop::Unknown("not a number")),
            (Some(_), None) if matches!(b, Value::None | Value::Text(_)) => raise(Raised::Type),
            (None, Some(_)) if matches!(a, Value::None | Value::Text(_)) => raise(Raised::Type),
            _ => unknown("an ordering of such values"),
        },
    }
}
