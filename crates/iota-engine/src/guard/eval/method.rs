//! Calls of methods: those of the event, of dicts, and on to those of texts.

use super::text::text_method;
use crate::guard::constant::Constant;
use crate::guard::eval::{Evaluation, Source, UnifiedField};
use crate::guard::ir::Raised;
use crate::guard::operation::Method;
use crate::guard::value::{Result, Value, raise, unknown};

/// By name.
type Keywords<'v> = Vec<(&'v str, Value<'v>)>;

impl<'v> Evaluation<'v, '_> {
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
        if method == Method::DeepWalk {
            return self.deep_walk(object, &positional, keywords);
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
            Value::Text(text) => text_method(text, method, &positional),
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

    pub(super) fn deep_get(&mut self, object: &Value<'v>, names: &[Value<'v>], default: Value<'v>) -> Result<Value<'v>> {
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

    pub(super) fn udm(&mut self, object: &Value<'v>, names: &[Value<'v>], default: Value<'v>) -> Result<Value<'v>> {
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
    pub(super) fn at_path(&mut self, path: &[String]) -> Result<Value<'v>> {
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
}
