//! Comparisons, membership and identity, of values and of symbols.

use super::{Evaluation, Source};
use crate::guard::constant::Constant;
use crate::guard::explore::Symbol;
use crate::guard::ir::{Compare, Raised};
use crate::guard::value::{Result, Value, equals, order, raise, unknown};
use crate::json::Value as Json;
use std::cmp::Ordering;

impl<'v> Evaluation<'v, '_> {
    pub(super) fn compare(&mut self, left: &Value<'v>, operator: Compare, right: &Value<'v>) -> Result<bool> {
        match operator {
            Compare::Equal => self.equal(left, right),
            Compare::NotEqual => Ok(!self.equal(left, right)?),
            Compare::Is => self.is(left, right),
            Compare::IsNot => Ok(!self.is(left, right)?),
            Compare::In => self.contains(right, left),
            Compare::NotIn => Ok(!self.contains(right, left)?),
            Compare::Less => Ok(order(left, right)? == Ordering::Less),
            Compare::LessOrEqual => Ok(order(left, right)? != Ordering::Greater),
            Compare::Greater => Ok(order(left, right)? == Ordering::Greater),
            Compare::GreaterOrEqual => Ok(order(left, right)? != Ordering::Less),
        }
    }

    pub(super) fn equal(&mut self, left: &Value<'v>, right: &Value<'v>) -> Result<bool> {
        match (left, right) {
            (Value::Symbol(_), Value::Symbol(_)) => self.explorer()?.any(),
            (Value::Symbol(symbol), Value::None) | (Value::None, Value::Symbol(symbol)) => self.explorer()?.is_none(symbol),
            (Value::Symbol(symbol), other) | (other, Value::Symbol(symbol)) => match other.to_constant() {
                Some(constant) if constant.is_hashable() => self.explorer()?.is_one_of(symbol, &[constant]),
                _ => self.explorer()?.any(),
            },
            _ => equals(left, right),
        }
    }

    /// `is` with None, True or False; of other values identity is not known.
    pub(super) fn is(&mut self, left: &Value<'v>, right: &Value<'v>) -> Result<bool> {
        match (left, right) {
            (Value::Symbol(symbol), Value::None) | (Value::None, Value::Symbol(symbol)) => self.explorer()?.is_none(symbol),
            (Value::Symbol(symbol), Value::Bool(_)) | (Value::Bool(_), Value::Symbol(symbol)) => match symbol {
                Symbol::Field(_) => self.explorer()?.any(),
                _ => Ok(false),
            },
            (Value::None, other) | (other, Value::None) => Ok(matches!(other, Value::None)),
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::Bool(_), other) | (other, Value::Bool(_)) if !matches!(other, Value::Symbol(_)) => Ok(false),
            _ => unknown("identity of such values"),
        }
    }

    /// `item in container`
    #[expect(clippy::match_same_arms, reason = "arms stand in the order in which Python looks at its operands")]
    pub(super) fn contains(&mut self, container: &Value<'v>, item: &Value<'v>) -> Result<bool> {
        match (container, item) {
            (Value::Constant(constant), Value::Symbol(symbol)) => {
                let (items, hashes) = match constant {
                    Constant::List(items) | Constant::Tuple(items) => (items.to_vec(), false),
                    Constant::Set(set) | Constant::FrozenSet(set) => (set.items(), true),
                    Constant::Dict(dict) => (dict.entries.iter().map(|(key, _)| key.clone()).collect(), true),
                    _ => return unknown("a search in such a value"),
                };
                self.symbol_among(symbol, &items, hashes)
            }
            (Value::Keys(dict), Value::Symbol(symbol)) => {
                let items: Vec<Constant> = dict.entries.iter().map(|(key, _)| key.clone()).collect();
                self.symbol_among(symbol, &items, true)
            }
            (Value::Keys(dict), item) => Ok(dict.get(&item.key()?).is_some()),
            (Value::List(items) | Value::Tuple(items) | Value::Entries(items), Value::Symbol(symbol)) => {
                let constants: Option<Vec<Constant>> = items.iter().map(Value::to_constant).collect();
                match constants {
                    Some(items) => self.symbol_among(symbol, &items, false),
                    None => self.explorer()?.any(),
                }
            }
            (Value::Constant(Constant::Set(set) | Constant::FrozenSet(set)), Value::Text(text)) => {
                Ok(set.texts.contains(text.bytes()))
            }
            (Value::Constant(Constant::Set(set) | Constant::FrozenSet(set)), item) => Ok(set.contains(&item.key()?)),
            (Value::Constant(Constant::Dict(dict)), Value::Text(text)) => Ok(dict.get_text(text.bytes()).is_some()),
            (Value::Constant(Constant::Dict(dict)), item) => Ok(dict.get(&item.key()?).is_some()),
            (Value::Text(text), Value::Text(part)) => Ok(memchr::memmem::find(text.bytes(), part.bytes()).is_some()),
            (Value::Text(_), Value::Symbol(Symbol::Text(_) | Symbol::Lower(_) | Symbol::AnyText | Symbol::Joined(_))) => {
                self.explorer()?.any()
            }
            (Value::Text(_), Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_)) => raise(Raised::Type),
            (Value::Symbol(symbol), item) => {
                let symbol = self.resolved(symbol)?;
                self.in_symbol(&symbol, item)
            }
            (Value::Event, Value::Text(_)) if matches!(self.source, Source::AnyRecord(_)) => self.explorer()?.any(),
            (Value::Event | Value::Json(Json::Object(_)), Value::Text(name)) => {
                Ok(self.member(container, name.bytes())?.is_some())
            }
            (Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_), _) => raise(Raised::Type),
            // `items()` looks the key up by its hash, `values()` does not.
            (Value::Entries(_), item) if item.key().is_err() => unknown("a search for a value that may have no hash"),
            (sequence, item) => {
                let items = match sequence {
                    Value::Entries(items) => Some(items.to_vec()),
                    sequence => sequence.sequence(),
                };
                let Some(items) = items else { return unknown("a search in such a value") };
                for own in items {
                    if self.equal(&own, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    pub(super) fn symbol_among(&mut self, symbol: &Symbol, items: &[Constant], hashes: bool) -> Result<bool> {
        if !items.iter().all(Constant::is_hashable) {
            return self.explorer()?.any();
        }
        // A set is asked by hash, which an object or a list does not have.
        let value = if hashes { self.resolved(symbol)? } else { Value::Symbol(symbol.clone()) };
        match &value {
            Value::Symbol(Symbol::Object(_) | Symbol::Parts) if hashes => raise(Raised::Type),
            Value::Symbol(symbol) => self.explorer()?.is_one_of(symbol, items),
            known => {
                let key = known.key()?;
                Ok(items.iter().any(|item| item.equals(&key)))
            }
        }
    }

    pub(super) fn in_symbol(&mut self, container: &Value<'v>, item: &Value<'v>) -> Result<bool> {
        match (container, item) {
            (Value::Symbol(symbol @ (Symbol::Text(_) | Symbol::Lower(_))), Value::Text(part)) => {
                let question = format!("contains {:?}", String::from_utf8_lossy(part.bytes()));
                self.explorer()?.test_text(symbol, question, None)
            }
            (Value::Symbol(Symbol::AnyText | Symbol::Joined(_) | Symbol::Object(_)), Value::Text(_)) => self.explorer()?.any(),
            (Value::None, _) => raise(Raised::Type),
            (Value::Text(_), _) => self.contains(container, item),
            _ => unknown("a search in such a value"),
        }
    }

    /// What a symbol stands for, as far as an operation needs to know it: None, a text or an object.
    pub(in crate::guard) fn resolved(&mut self, symbol: &Symbol) -> Result<Value<'v>> {
        match symbol {
            Symbol::Field(field) => self.explorer()?.resolve(*field),
            other => Ok(Value::Symbol(other.clone())),
        }
    }
}
