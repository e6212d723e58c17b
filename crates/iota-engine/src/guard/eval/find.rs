//! What match expressions read of a record, and their tests of addresses.

use crate::guard::address::AddressTest;
use crate::guard::eval::{Evaluation, Source};
use crate::guard::explore::Symbol;
use crate::guard::ir::{Expr, Missing, Slot, Step};
use crate::guard::value::{Result, Stop, Value, unknown};
use crate::json::Value as Json;

impl<'v> Evaluation<'v, '_> {
    /// The answer of a test of what is at a path, or what a path that leads nowhere means.
    pub(super) fn find_in(
        &mut self,
        root: Option<Slot>,
        path: &'v [Step],
        slot: Slot,
        missing: Missing,
        test: &'v Expr,
    ) -> Result<Value<'v>> {
        let root = root.map_or(Value::Event, |slot| self.slot(slot).clone());
        let found = match (self.at_steps(root, path, missing)?, missing) {
            (Some(found), _) => found,
            (None, Missing::Null) => Value::None,
            (None, Missing::Answer(answer)) => return Ok(Value::Bool(answer)),
        };
        self.set(slot, found);
        self.expr(test)
    }

    fn at_steps(&mut self, root: Value<'v>, path: &'v [Step], missing: Missing) -> Result<Option<Value<'v>>> {
        let mut found = root;
        for (at, step) in path.iter().enumerate() {
            // On the way, null leads nowhere just as nothing does.
            let is_told_from_null = missing != Missing::Null && at + 1 == path.len();
            let next = match step {
                Step::Name(name) => self.named(&found, name, is_told_from_null)?,
                Step::Position(position) => self.at_position(&found, *position)?,
            };
            let Some(next) = next else { return Ok(None) };
            found = next;
        }
        Ok(Some(found))
    }

    /// A member by its exact name.
    fn named(&mut self, object: &Value<'v>, name: &'v str, is_told_from_null: bool) -> Result<Option<Value<'v>>> {
        let parent = match object {
            Value::Symbol(Symbol::Field(field) | Symbol::Object(field)) => {
                let field = *field;
                if !self.is_instance(object, "dict")? {
                    return Ok(None);
                }
                Some(field)
            }
            Value::Event if matches!(self.source, Source::AnyRecord(_)) => None,
            Value::Event | Value::Json(Json::Object(_)) => return self.member(object, name.as_bytes()),
            _ => return Ok(None),
        };
        let Source::AnyRecord(explorer) = self.source else { return unknown("a value of a record") };
        let nothing = if is_told_from_null { Value::Unset } else { Value::None };
        let found = super::read::symbolic_get(explorer, parent, name.as_bytes(), nothing)?;
        Ok(Some(found).filter(|found| !matches!(found, Value::Unset)))
    }

    fn at_position(&mut self, list: &Value<'v>, position: i64) -> Result<Option<Value<'v>>> {
        match list {
            Value::Symbol(_) if self.is_instance(list, "list")? => unknown("an element of a list"),
            Value::Json(Json::Array(items)) => {
                Ok(super::read::position(position, items.len()).map(|at| Value::of_json(&items[at])))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn address(&mut self, value: &'v Expr, test: &'v AddressTest) -> Result<Value<'v>> {
        self.compared = Some(value.place);
        let value = self.expr(value)?;
        let passes = match value {
            Value::Text(address) => test.passes(address.bytes()).ok_or(Stop::Unknown("an address that is left to Python"))?,
            Value::Symbol(_) => self.is_instance(&value, "str")? && self.explorer()?.any()?,
            _ => false,
        };
        Ok(Value::Bool(passes))
    }
}
