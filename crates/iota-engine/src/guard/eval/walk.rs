//! `deep_walk` of a record: the values at a path of exact names, through all lists on the way.

use crate::guard::constant::Constant;
use crate::guard::eval::{Evaluation, Source};
use crate::guard::value::{Result, Value, equals, unknown};
use crate::json::Value as Json;

/// Values that are told apart; more are left to Python.
const MAX_FOUND: usize = 200;

impl<'v> Evaluation<'v, '_> {
    pub(super) fn deep_walk(
        &mut self,
        object: &Value<'v>,
        names: &[Value<'v>],
        keywords: Vec<(&'v str, Value<'v>)>,
    ) -> Result<Value<'v>> {
        let (mut default, mut wanted) = (Value::None, b"all".to_vec());
        for (name, value) in keywords {
            match (name, value) {
                ("default", value) if is_plain(&value) => default = value,
                ("return_val", Value::Text(text)) => wanted = text.bytes().to_vec(),
                _ => return unknown("a call with such arguments"),
            }
        }
        let (Value::Event, Source::Record(_), [Value::Text(first), rest @ ..]) = (object, self.source, names) else {
            return unknown("`deep_walk` of such a value");
        };
        let mut found = Vec::new();
        if let Some(value) = self.member(&Value::Event, first.bytes())? {
            self.walk(value, rest, &mut found)?;
        }
        Ok(match (found.as_slice(), wanted.as_slice()) {
            ([], b"all" | b"first" | b"last") => default,
            ([first, ..], b"first") | ([first], b"all") => first.clone(),
            ([.., last], b"last") => last.clone(),
            (_, b"all") => Value::List(found.into()),
            _ => return unknown("`deep_walk` for another `return_val`"),
        })
    }

    fn walk(&mut self, value: Value<'v>, names: &[Value<'v>], found: &mut Vec<Value<'v>>) -> Result<()> {
        match (&value, names) {
            (Value::Json(Json::Array(items)), [_, ..]) => {
                for item in items {
                    self.walk(Value::of_json(item), names, found)?;
                }
                Ok(())
            }
            (Value::None, []) => Ok(()),
            (_, []) => self.keep(value, found),
            (Value::Json(Json::Object(_)), [Value::Text(name), rest @ ..]) => match self.member(&value, name.bytes())? {
                Some(below) => self.walk(below, rest, found),
                None => Ok(()),
            },
            (_, [Value::Text(_), ..]) => Ok(()),
            _ => unknown("a name that is no text"),
        }
    }

    /// Adds a value that was not found before.
    fn keep(&self, value: Value<'v>, found: &mut Vec<Value<'v>>) -> Result<()> {
        // In the panther dialect they come out as other types than those of the event.
        if !self.code.plain && matches!(value, Value::Json(_)) {
            return unknown("a list or an object that `deep_walk` finds");
        }
        for other in found.iter() {
            let same_type = match (&value, other) {
                (Value::Json(_), Value::Json(_)) => return unknown("a comparison of containers"),
                (value, other) => std::mem::discriminant(value) == std::mem::discriminant(other),
            };
            if same_type && equals(&value, other)? {
                return Ok(());
            }
        }
        if found.len() == MAX_FOUND {
            return unknown("that many values");
        }
        found.push(value);
        Ok(())
    }
}

/// Whether a default comes back as it was given.
fn is_plain(value: &Value<'_>) -> bool {
    match value {
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Constant(_) => {
            !matches!(value, Value::Constant(Constant::Pattern(_)))
        }
        Value::List(items) | Value::Tuple(items) => items.iter().all(is_plain),
        _ => false,
    }
}
