//! Expressions.

use super::{Evaluation, Flow, MAX_CALLS, MAX_DEPTH, Source, is_shuffled, of_shuffled, without_closures};
use crate::guard::constant::Constant;
use crate::guard::explore::Symbol;
use crate::guard::ir::{Arguments, Clause, Closure, Expr, Kind, Order, Raised, Target};
use crate::guard::value::{Result, Stop, Value, raise, unknown};
use crate::json::Value as Json;

impl<'v> Evaluation<'v, '_> {
    pub(super) fn test(&mut self, expr: &'v Expr) -> Result<bool> {
        let value = self.expr(expr)?;
        self.truth(&value)
    }

    pub(super) fn expr(&mut self, expr: &'v Expr) -> Result<Value<'v>> {
        if self.fuel == 0 {
            return unknown("too much to evaluate");
        }
        self.fuel -= 1;
        self.depth += 1;
        let result = if self.depth > MAX_DEPTH { unknown("an expression nested too deeply") } else { self.kind(expr) };
        self.depth -= 1;
        if result.is_err() {
            self.stopped.get_or_insert(expr.place);
        }
        result
    }

    pub(super) fn kind(&mut self, expr: &'v Expr) -> Result<Value<'v>> {
        match &expr.kind {
            Kind::Constant(constant) => Ok(Value::of_constant(constant)),
            Kind::Local(slot) => match self.slot(*slot) {
                Value::Unset => unknown("a variable that has no value"),
                value => Ok(value.clone()),
            },
            Kind::And(parts) => self.choose(parts, false),
            Kind::Or(parts) => self.choose(parts, true),
            Kind::Not(part) => Ok(Value::Bool(!self.test(part)?)),
            Kind::Negative(part) => match self.expr(part)? {
                Value::Int(value) => Ok(Value::Int(-value)),
                Value::Float(value) => Ok(Value::Float(-value)),
                _ => unknown("the negative of such a value"),
            },
            Kind::If { test, then, otherwise } => {
                let branch = if self.test(test)? { then } else { otherwise };
                self.expr(branch)
            }
            Kind::Compare { left, rest } => {
                let mut left = self.expr(left)?;
                let mut result = true;
                for (operator, right) in rest {
                    let right = self.expr(right)?;
                    result = self.compare(&left, *operator, &right)?;
                    self.compared = Some(expr.place);
                    if !result {
                        break;
                    }
                    left = right;
                }
                Ok(Value::Bool(result))
            }
            Kind::Binary { left, operator, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.binary(left, *operator, right)
            }
            Kind::List(parts) => Ok(Value::List(without_closures(self.each(parts)?)?.into())),
            Kind::Tuple(parts) => Ok(Value::Tuple(without_closures(self.each(parts)?)?.into())),
            Kind::Joined(parts) => self.joined(parts),
            Kind::Index { value, index } => {
                let (value, index) = (self.expr(value)?, self.expr(index)?);
                self.index(&value, &index)
            }
            Kind::Slice { value, lower, upper } => {
                let value = self.expr(value)?;
                slice(&value, *lower, *upper)
            }
            Kind::Assign { slot, value } => {
                let value = self.expr(value)?;
                self.set(*slot, value.clone());
                Ok(value)
            }
            Kind::Call { function, arguments } => {
                let (positional, keywords) = self.arguments(arguments)?;
                self.call(*function, positional, keywords)
            }
            Kind::CallValue { callee, arguments } => {
                let callee = self.expr(callee)?;
                let (positional, keywords) = self.arguments(arguments)?;
                match callee {
                    Value::Function(function) => self.call(function, positional, keywords),
                    Value::Closure { code, round } if keywords.is_empty() => self.call_closure(code, round, positional),
                    _ => unknown("a call of such a value"),
                }
            }
            Kind::Builtin { builtin, arguments } => {
                let arguments = self.each(arguments)?;
                self.builtin(*builtin, &arguments)
            }
            Kind::Method { object, method, arguments } => {
                let object = self.expr(object)?;
                // Python looks the method up first, and may raise then.
                let (positional, keywords) = self.arguments(arguments).map_err(|stop| of_shuffled(stop, true))?;
                self.method(&object, *method, positional, keywords)
            }
            Kind::Quantified { all, clauses, element, order } => {
                let mut result = *all;
                self.comprehend(clauses, *order, &mut |evaluation| {
                    let truth = evaluation.test(element)?;
                    if truth != *all {
                        result = truth;
                    }
                    Ok(truth == *all)
                })?;
                Ok(Value::Bool(result))
            }
            Kind::First { clauses, element, otherwise } => {
                let otherwise = otherwise.as_deref().map(|otherwise| self.expr(otherwise)).transpose()?;
                let mut found = None;
                self.comprehend(clauses, Order::Matters, &mut |evaluation| {
                    found = Some(evaluation.expr(element)?);
                    Ok(false)
                })?;
                found.or(otherwise).ok_or(Stop::Unknown("`next` of nothing"))
            }
            Kind::Collected { clauses, element } => {
                let mut items = Vec::new();
                self.comprehend(clauses, Order::Matters, &mut |evaluation| {
                    items.push(evaluation.expr(element)?);
                    Ok(true)
                })?;
                Ok(Value::List(without_closures(items)?.into()))
            }
            Kind::Find { root, path, slot, missing, test } => self.find_in(*root, path, *slot, *missing, test),
            Kind::Address { value, test } => self.address(value, test),
            Kind::Closure(code) => Ok(Value::Closure { code, round: self.rounds.inner }),
            Kind::Unknown(why) => {
                self.why.get_or_insert(why);
                unknown("an expression that is not followed")
            }
        }
    }

    pub(super) fn each(&mut self, parts: &'v [Expr]) -> Result<Vec<Value<'v>>> {
        parts.iter().map(|part| self.expr(part)).collect()
    }

    #[expect(clippy::type_complexity, reason = "two lists, as Python has them")]
    pub(super) fn arguments(&mut self, arguments: &'v Arguments) -> Result<(Vec<Value<'v>>, Vec<(&'v str, Value<'v>)>)> {
        let mut positional = Vec::with_capacity(arguments.positional.len());
        for argument in &arguments.positional {
            let value = self.expr(&argument.value)?;
            if argument.spread {
                let Some(items) = value.sequence() else { return unknown("`*` of such a value") };
                positional.extend(items);
            } else {
                positional.push(value);
            }
        }
        let keywords: Result<Vec<_>> =
            arguments.keywords.iter().map(|(name, value)| Ok((name.as_str(), self.expr(value)?))).collect();
        Ok((positional, keywords?))
    }

    pub(in crate::guard) fn call_closure(
        &mut self,
        code: &'v Closure,
        round: u32,
        positional: Vec<Value<'v>>,
    ) -> Result<Value<'v>> {
        let enough = positional.len() == code.parameters.len() || code.rest.is_some() && positional.len() > code.parameters.len();
        // Its variables are those of the round it is made in, which has to be the one that runs, or that of the whole frame.
        let is_here = round == self.rounds.inner || round == self.rounds.frame;
        if !is_here || !enough || self.calls == MAX_CALLS {
            return unknown("a call of a function made elsewhere");
        }
        let mut positional = positional;
        let rest = without_closures(positional.drain(code.parameters.len()..).collect())?;
        // Its variables live in the frame it stands in: a call inside a call must not change them.
        let own = self.frame + usize::from(code.own.start)..self.frame + usize::from(code.own.end);
        let Some(variables) = self.slots.get_mut(own.clone()) else { return unknown("variables of another frame") };
        let saved: Vec<Value<'v>> = variables.iter_mut().map(|slot| std::mem::replace(slot, Value::Unset)).collect();
        let slots = code.parameters.iter().chain(&code.rest);
        for (slot, value) in slots.zip(positional.into_iter().chain([Value::Tuple(rest.into())])) {
            self.set(*slot, value);
        }
        let caller = self.rounds;
        self.rounds.inner = self.next_round();
        self.calls += 1;
        let flow = self.block(&code.body);
        self.calls -= 1;
        self.end_round(caller);
        for (slot, value) in self.slots.get_mut(own).into_iter().flatten().zip(saved) {
            *slot = value;
        }
        match flow? {
            Flow::Return(Value::Closure { .. }) => unknown("a function that makes a function"),
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }

    pub(super) fn choose(&mut self, parts: &'v [Expr], until: bool) -> Result<Value<'v>> {
        let Some((last, first)) = parts.split_last() else { return unknown("no operands") };
        for part in first {
            let value = self.expr(part)?;
            if self.truth(&value)? == until {
                return Ok(value);
            }
        }
        self.expr(last)
    }

    /// Runs `each` for every element of a comprehension, until it gives false.
    pub(super) fn comprehend(
        &mut self,
        clauses: &'v [Clause],
        order: Order,
        each: &mut dyn FnMut(&mut Self) -> Result<bool>,
    ) -> Result<bool> {
        for clause in clauses {
            self.clear(&clause.target);
        }
        self.generate(clauses, order, each)
    }

    /// Variables of a comprehension have no value when it starts.
    pub(super) fn clear(&mut self, target: &'v Target) {
        match target {
            Target::Slot(slot) => self.set(*slot, Value::Unset),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.clear(target)),
        }
    }

    pub(super) fn generate(
        &mut self,
        clauses: &'v [Clause],
        order: Order,
        each: &mut dyn FnMut(&mut Self) -> Result<bool>,
    ) -> Result<bool> {
        let Some((clause, inner)) = clauses.split_first() else { return each(self) };
        let iterable = self.expr(&clause.iterable)?;
        let shuffled = is_shuffled(&iterable, order);
        let mut all = true;
        for item in iterable.items(order != Order::Matters)? {
            self.store(&clause.target, item)?;
            let go_on = self.element(clause, inner, order, each).map_err(|stop| of_shuffled(stop, shuffled))?;
            if !go_on {
                if !shuffled {
                    return Ok(false);
                }
                self.stop_shuffled()?;
                all = false;
            }
        }
        Ok(all)
    }

    pub(super) fn element(
        &mut self,
        clause: &'v Clause,
        inner: &'v [Clause],
        order: Order,
        each: &mut dyn FnMut(&mut Self) -> Result<bool>,
    ) -> Result<bool> {
        for condition in &clause.conditions {
            if !self.test(condition)? {
                return Ok(true);
            }
        }
        self.generate(inner, order, each)
    }

    pub(in crate::guard) fn truth(&mut self, value: &Value<'v>) -> Result<bool> {
        Ok(match value {
            Value::Unset => return unknown("a variable that has no value"),
            Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.bytes().is_empty(),
            Value::Json(Json::Array(items)) => !items.is_empty(),
            Value::Json(Json::Object(members)) => !members.is_empty(),
            // Beyond what is computed with, and so not zero.
            Value::Json(_)
            | Value::Matched
            | Value::Function(_)
            | Value::Closure { .. }
            | Value::Constant(Constant::Pattern(_)) => true,
            Value::Constant(_) | Value::Keys(_) | Value::Entries(_) | Value::List(_) | Value::Tuple(_) => {
                value.length() != Some(0)
            }
            // Fields that are supplied to rules are members of a panther event.
            Value::Event => match self.source {
                Source::Record(view) => !self.code.plain || !view.is_empty(),
                Source::AnyRecord(_) => true,
            },
            Value::Symbol(symbol) => self.explorer()?.truth(symbol)?,
        })
    }
}

pub(super) fn slice<'v>(value: &Value<'v>, lower: Option<i64>, upper: Option<i64>) -> Result<Value<'v>> {
    let bounds = |length: usize| {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let clamp = |at: i64| (if at < 0 { at + length } else { at }).clamp(0, length);
        let (lower, upper) = (clamp(lower.unwrap_or(0)), clamp(upper.unwrap_or(length)));
        let at = |at: i64| usize::try_from(at).unwrap_or(0);
        at(lower)..at(upper.max(lower))
    };
    match value {
        Value::Text(text) if text.bytes().is_ascii() => Ok(Value::text(&text.bytes()[bounds(text.bytes().len())])),
        Value::Symbol(Symbol::Text(_) | Symbol::Lower(_) | Symbol::AnyText) => Ok(Value::Symbol(Symbol::AnyText)),
        Value::None | Value::Int(_) | Value::Bool(_) | Value::Float(_) => raise(Raised::Type),
        Value::List(items) => Ok(Value::List(items[bounds(items.len())].into())),
        Value::Tuple(items) => Ok(Value::Tuple(items[bounds(items.len())].into())),
        _ => unknown("a part of such a value"),
    }
}
