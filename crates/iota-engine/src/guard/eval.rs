//! Evaluates rules on one record, or explores them on all. Only the operations listed here and in `methods` are known;
//! none of them has an effect, so a rule that comes to its end here has had none.

use super::constant::{Constant, MAX_INT};
use super::explore::{Explorer, Piece, Symbol};
use super::ir::{
    Arguments, Binary, Clause, Closure, Compare, Expr, Function, FunctionId, Kind, Order, Pattern, Place, Raised, Statement,
    Target,
};
use super::record::{View, may_be_variant};
use super::value::{Result, Stop, Value, equals, order, raise, unknown};
use crate::json::Value as Json;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Nodes that are evaluated for one call of a rule.
const FUEL: u32 = 20_000;
/// Depth of expressions and statements, over all calls: it is the stack of the thread that pays.
const MAX_DEPTH: u32 = 100;
/// Depth of calls.
const MAX_CALLS: u32 = 24;

/// Where the values of fields come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'v, 'r> {
    Record(&'v View<'r>),
    AnyRecord(&'v RefCell<Explorer>),
}

/// What an evaluation may use of the pack.
pub(super) struct Code<'v> {
    pub(super) functions: &'v [Function],
    /// Unified fields: by name the path, or the function that gives it.
    pub(super) fields: &'v BTreeMap<String, UnifiedField>,
    pub(super) plain: bool,
}

#[derive(Debug)]
pub(super) enum UnifiedField {
    /// Member names from the root of the record.
    Path(Vec<String>),
    Method(FunctionId),
    Unknown,
}

pub(super) struct Evaluation<'v, 'r> {
    pub(super) code: Code<'v>,
    pub(super) source: Source<'v, 'r>,
    slots: Vec<Value<'v>>,
    frame: usize,
    fuel: u32,
    calls: u32,
    depth: u32,
    /// The comparison that was made last, and what stopped the evaluation.
    pub(super) compared: Option<Place>,
    pub(super) stopped: Option<Place>,
    pub(super) returned: Option<Place>,
    /// In words, why it stopped.
    pub(super) why: Option<&'v str>,
}

enum Flow<'v> {
    Next,
    Break,
    Continue,
    Return(Value<'v>),
}

impl<'v, 'r> Evaluation<'v, 'r> {
    pub(super) fn new(code: Code<'v>, source: Source<'v, 'r>) -> Self {
        let (slots, frame, fuel, calls, depth) = (Vec::new(), 0, FUEL, 0, 0);
        Self { code, source, slots, frame, fuel, calls, depth, compared: None, stopped: None, returned: None, why: None }
    }

    /// Keeps why the evaluation stopped, where that is not known in more detail.
    pub(super) fn note(&mut self, stop: &Stop) {
        if let Stop::Unknown(why) = stop {
            self.why.get_or_insert(why);
        }
    }

    pub(super) fn explorer(&self) -> Result<std::cell::RefMut<'v, Explorer>> {
        match self.source {
            Source::AnyRecord(explorer) => Ok(explorer.borrow_mut()),
            Source::Record(_) => unknown("a value of a record"),
        }
    }

    /// Calls a function with the event as its only argument, or with none if it takes none.
    pub(super) fn call_with_event(&mut self, function: FunctionId) -> Result<Value<'v>> {
        let takes_event = !self.code.functions[function].parameters.is_empty() || self.code.functions[function].rest.is_some();
        let arguments = if takes_event { vec![Value::Event] } else { Vec::new() };
        self.call(function, arguments, Vec::new())
    }

    fn call(
        &mut self,
        function: FunctionId,
        positional: Vec<Value<'v>>,
        keywords: Vec<(&'v str, Value<'v>)>,
    ) -> Result<Value<'v>> {
        if self.calls == MAX_CALLS {
            return unknown("calls nested too deeply");
        }
        let code = &self.code.functions[function];
        let base = self.slots.len();
        self.slots.resize(base + usize::from(code.slots), Value::Unset);
        let bound = self.bind(code, base, positional, keywords);
        let result = bound.and_then(|()| {
            let caller = std::mem::replace(&mut self.frame, base);
            self.calls += 1;
            let flow = self.block(&code.body);
            self.calls -= 1;
            self.frame = caller;
            flow
        });
        self.slots.truncate(base);
        match result? {
            Flow::Return(value) => match value {
                // It would look at variables of a call that is over.
                Value::Closure { frame, .. } if frame == base => unknown("a function that outlives the call it is made in"),
                value => Ok(value),
            },
            _ => Ok(Value::None),
        }
    }

    fn bind(
        &mut self,
        code: &'v Function,
        base: usize,
        positional: Vec<Value<'v>>,
        keywords: Vec<(&'v str, Value<'v>)>,
    ) -> Result<()> {
        let mut rest = Vec::new();
        let mut parameters = code.parameters.iter().filter(|parameter| !parameter.keyword_only);
        for value in positional {
            match parameters.next() {
                Some(parameter) => self.slots[base + usize::from(parameter.slot)] = value,
                None if code.rest.is_some() => rest.push(value),
                None => return raise(Raised::Type),
            }
        }
        if let Some(slot) = code.rest {
            self.slots[base + usize::from(slot)] = Value::Tuple(rest.into());
        }
        for (name, value) in keywords {
            let parameter = code.parameters.iter().find(|parameter| parameter.name == name && !parameter.positional_only);
            let Some(parameter) = parameter else { return raise(Raised::Type) };
            let slot = &mut self.slots[base + usize::from(parameter.slot)];
            if !matches!(slot, Value::Unset) {
                return raise(Raised::Type);
            }
            *slot = value;
        }
        for parameter in &code.parameters {
            let slot = &mut self.slots[base + usize::from(parameter.slot)];
            if matches!(slot, Value::Unset) {
                match &parameter.default {
                    Some(default) => *slot = Value::of_constant(default),
                    None => return unknown("an argument that is missing, or a default that is not known"),
                }
            }
        }
        Ok(())
    }

    // ---- statements

    fn block(&mut self, statements: &'v [Statement]) -> Result<Flow<'v>> {
        if self.depth == MAX_DEPTH {
            return unknown("statements nested too deeply");
        }
        self.depth += 1;
        let mut flow = Ok(Flow::Next);
        for statement in statements {
            flow = self.statement(statement);
            if !matches!(flow, Ok(Flow::Next)) {
                break;
            }
        }
        self.depth -= 1;
        flow
    }

    fn statement(&mut self, statement: &'v Statement) -> Result<Flow<'v>> {
        match statement {
            Statement::Expr(expr) => {
                self.expr(expr)?;
            }
            Statement::Assign { targets, value } => {
                let value = self.expr(value)?;
                for target in targets {
                    self.store(target, value.clone())?;
                }
            }
            Statement::Return { place, value } => {
                let value = value.as_ref().map_or(Ok(Value::None), |value| self.expr(value))?;
                self.returned = Some(*place);
                return Ok(Flow::Return(value));
            }
            Statement::If { test, then, otherwise } => {
                let branch = if self.test(test)? { then } else { otherwise };
                return self.block(branch);
            }
            Statement::For { target, iterable, body, otherwise, order } => {
                return self.iterate(target, iterable, body, otherwise, *order);
            }
            Statement::Match { subject, cases } => {
                let subject = self.expr(subject)?;
                for case in cases {
                    if self.fits(&case.pattern, &subject)? && case.guard.as_ref().map_or(Ok(true), |guard| self.test(guard))? {
                        return self.block(&case.body);
                    }
                }
            }
            Statement::Try { body, handlers, otherwise } => {
                let depth = (self.slots.len(), self.frame, self.calls);
                match self.block(body) {
                    Ok(Flow::Next) => return self.block(otherwise),
                    Ok(flow) => return Ok(flow),
                    Err(Stop::Raised(raised)) => {
                        let Some(handler) = handlers.iter().find(|handler| handler.catches.contains(&raised)) else {
                            return raise(raised);
                        };
                        (self.frame, self.calls) = (depth.1, depth.2);
                        self.slots.truncate(depth.0);
                        (self.stopped, self.why) = (None, None);
                        return self.block(&handler.body);
                    }
                    Err(stop) => return Err(stop),
                }
            }
            Statement::Assert(test) => {
                if !self.test(test)? {
                    return unknown("an assertion that fails");
                }
            }
            Statement::Pass => {}
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Unknown(place, why) => {
                self.stopped.get_or_insert(*place);
                self.why.get_or_insert(why);
                return unknown("a statement that is not followed");
            }
        }
        Ok(Flow::Next)
    }

    fn iterate(
        &mut self,
        target: &'v Target,
        iterable: &'v Expr,
        body: &'v [Statement],
        otherwise: &'v [Statement],
        order: Order,
    ) -> Result<Flow<'v>> {
        let items = self.expr(iterable)?;
        let shuffled = is_shuffled(&items, order);
        let mut result = None;
        for item in self.items(&items, order != Order::Matters)? {
            self.store(target, item)?;
            let flow = self.block(body).map_err(|stop| of_shuffled(stop, shuffled))?;
            match flow {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Next),
                flow @ Flow::Return(_) if !shuffled => return Ok(flow),
                flow @ Flow::Return(_) => {
                    self.stop_shuffled()?;
                    result = Some(flow);
                }
            }
        }
        if is_shuffled(&items, Order::Matters) {
            // What it holds now is the element that came last.
            self.clear(target);
        }
        result.map_or_else(|| self.block(otherwise), Ok)
    }

    /// One element of a set decides. Python may have come to another one before, which must not raise: on a record all
    /// of them are evaluated; on symbols that would be too much.
    fn stop_shuffled(&self) -> Result<()> {
        match self.source {
            Source::Record(_) => Ok(()),
            Source::AnyRecord(_) => unknown("the order of a set, where an element may raise"),
        }
    }

    fn fits(&mut self, pattern: &'v Pattern, subject: &Value<'v>) -> Result<bool> {
        match pattern {
            Pattern::Anything => Ok(true),
            Pattern::Capture(slot) => {
                self.set(*slot, subject.clone());
                Ok(true)
            }
            Pattern::Equal(expr) => {
                let value = self.expr(expr)?;
                self.equal(subject, &value)
            }
            Pattern::Is(constant) => self.is(subject, &Value::of_constant(constant)),
            Pattern::Sequence(patterns) => {
                // A text is none for `match`; neither is what has no elements.
                let items = match subject {
                    Value::Symbol(_) | Value::Event | Value::Json(Json::Object(_)) => {
                        return unknown("a pattern on such a value");
                    }
                    subject => subject.sequence(),
                };
                let Some(items) = items.filter(|items| items.len() == patterns.len()) else { return Ok(false) };
                for (pattern, item) in patterns.iter().zip(items) {
                    if !self.fits(pattern, &item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Pattern::Either(patterns) => {
                for pattern in patterns {
                    if self.fits(pattern, subject)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn store(&mut self, target: &'v Target, value: Value<'v>) -> Result<()> {
        match target {
            Target::Slot(slot) => self.set(*slot, value),
            Target::Tuple(targets) => {
                let Some(items) = value.sequence() else { return unknown("unpacking of such a value") };
                if items.len() != targets.len() {
                    return raise(Raised::Value);
                }
                for (target, item) in targets.iter().zip(items) {
                    self.store(target, item)?;
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, slot: u16, value: Value<'v>) {
        self.slots[self.frame + usize::from(slot)] = value;
    }

    // ---- expressions

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

    fn kind(&mut self, expr: &'v Expr) -> Result<Value<'v>> {
        match &expr.kind {
            Kind::Constant(constant) => Ok(Value::of_constant(constant)),
            Kind::Local(slot) => match &self.slots[self.frame + usize::from(*slot)] {
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
            Kind::CallLocal { slot, arguments } => {
                let callee = self.slots[self.frame + usize::from(*slot)].clone();
                let (positional, keywords) = self.arguments(arguments)?;
                match callee {
                    Value::Function(function) => self.call(function, positional, keywords),
                    Value::Closure { code, frame } if keywords.is_empty() => self.call_closure(code, frame, positional),
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
            Kind::Function(function) => Ok(Value::Function(*function)),
            Kind::Closure(code) => Ok(Value::Closure { code, frame: self.frame }),
            Kind::Unknown(why) => {
                self.why.get_or_insert(why);
                unknown("an expression that is not followed")
            }
        }
    }

    fn each(&mut self, parts: &'v [Expr]) -> Result<Vec<Value<'v>>> {
        parts.iter().map(|part| self.expr(part)).collect()
    }

    #[expect(clippy::type_complexity, reason = "two lists, as Python has them")]
    fn arguments(&mut self, arguments: &'v Arguments) -> Result<(Vec<Value<'v>>, Vec<(&'v str, Value<'v>)>)> {
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

    pub(super) fn call_closure(&mut self, code: &'v Closure, frame: usize, positional: Vec<Value<'v>>) -> Result<Value<'v>> {
        let enough = positional.len() == code.parameters.len() || code.rest.is_some() && positional.len() > code.parameters.len();
        if frame != self.frame || !enough || self.calls == MAX_CALLS {
            return unknown("a call of a function made elsewhere");
        }
        let mut positional = positional;
        let rest: Vec<Value<'v>> = positional.drain(code.parameters.len()..).collect();
        // Its variables live in the frame it stands in: a call inside a call must not change them.
        let own = self.frame + usize::from(code.own.start)..self.frame + usize::from(code.own.end);
        let saved: Vec<Value<'v>> =
            self.slots[own.clone()].iter_mut().map(|slot| std::mem::replace(slot, Value::Unset)).collect();
        let slots = code.parameters.iter().chain(&code.rest);
        for (slot, value) in slots.zip(positional.into_iter().chain([Value::Tuple(rest.into())])) {
            self.set(*slot, value);
        }
        self.calls += 1;
        let flow = self.block(&code.body);
        self.calls -= 1;
        for (slot, value) in self.slots[own].iter_mut().zip(saved) {
            *slot = value;
        }
        match flow? {
            Flow::Return(Value::Closure { .. }) => unknown("a function that makes a function"),
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }

    fn choose(&mut self, parts: &'v [Expr], until: bool) -> Result<Value<'v>> {
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
    fn comprehend(
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
    fn clear(&mut self, target: &'v Target) {
        match target {
            Target::Slot(slot) => self.set(*slot, Value::Unset),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.clear(target)),
        }
    }

    fn generate(&mut self, clauses: &'v [Clause], order: Order, each: &mut dyn FnMut(&mut Self) -> Result<bool>) -> Result<bool> {
        let Some((clause, inner)) = clauses.split_first() else { return each(self) };
        let iterable = self.expr(&clause.iterable)?;
        let shuffled = is_shuffled(&iterable, order);
        let mut all = true;
        for item in self.items(&iterable, order != Order::Matters)? {
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

    fn element(
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

    /// The elements that iteration gives. Those of a set have an order that only Python knows; `order_free` says that it
    /// does not matter.
    pub(super) fn items(&mut self, value: &Value<'v>, order_free: bool) -> Result<Vec<Value<'v>>> {
        if let Some(items) = value.sequence() {
            return Ok(items);
        }
        match value {
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
                    let name = Value::Text(super::value::Text::Borrowed(name));
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

    pub(super) fn truth(&mut self, value: &Value<'v>) -> Result<bool> {
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
            Value::Json(_) | Value::Matched | Value::Function(_) | Value::Closure { .. } => true,
            Value::Constant(Constant::Pattern(_)) => true,
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

    // ---- comparisons

    fn compare(&mut self, left: &Value<'v>, operator: Compare, right: &Value<'v>) -> Result<bool> {
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
    fn is(&mut self, left: &Value<'v>, right: &Value<'v>) -> Result<bool> {
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

    fn symbol_among(&mut self, symbol: &Symbol, items: &[Constant], hashes: bool) -> Result<bool> {
        if !items.iter().all(Constant::is_hashable) {
            return self.explorer()?.any();
        }
        // A set is asked by hash, which an object or a list does not have.
        let value = if hashes { self.resolved(symbol)? } else { Value::Symbol(symbol.clone()) };
        match &value {
            Value::Symbol(Symbol::Object(_)) if hashes => raise(Raised::Type),
            Value::Symbol(symbol) => self.explorer()?.is_one_of(symbol, items),
            known => {
                let key = known.key()?;
                Ok(items.iter().any(|item| item.equals(&key)))
            }
        }
    }

    fn in_symbol(&mut self, container: &Value<'v>, item: &Value<'v>) -> Result<bool> {
        match (container, item) {
            (Value::Symbol(symbol @ (Symbol::Text(_) | Symbol::Lower(_))), Value::Text(part)) => {
                let question = format!("contains {:?}", String::from_utf8_lossy(part.bytes()));
                self.explorer()?.test_text(symbol, question, None)
            }
            (Value::Symbol(Symbol::AnyText | Symbol::Joined(_)), Value::Text(_)) => self.explorer()?.any(),
            (Value::Symbol(Symbol::Object(_)), Value::Text(_)) => self.explorer()?.any(),
            (Value::None, _) => raise(Raised::Type),
            (Value::Text(_), _) => self.contains(container, item),
            _ => unknown("a search in such a value"),
        }
    }

    /// What a symbol stands for, as far as an operation needs to know it: None, a text or an object.
    pub(super) fn resolved(&mut self, symbol: &Symbol) -> Result<Value<'v>> {
        match symbol {
            Symbol::Field(field) => self.explorer()?.resolve(*field),
            other => Ok(Value::Symbol(other.clone())),
        }
    }

    // ---- reading the record

    /// `object.get(name, default)`
    pub(super) fn get(&mut self, object: &Value<'v>, name: &Value<'v>, default: Value<'v>) -> Result<Value<'v>> {
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

    fn index(&mut self, value: &Value<'v>, index: &Value<'v>) -> Result<Value<'v>> {
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
            (Value::Constant(Constant::Dict(_)), index) if !matches!(index, Value::Symbol(_)) => {
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

    fn joined(&mut self, parts: &'v [Expr]) -> Result<Value<'v>> {
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

    fn binary(&mut self, left: Value<'v>, operator: Binary, right: Value<'v>) -> Result<Value<'v>> {
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

/// Whether elements come in an order that only Python knows, and that may matter because one of them may raise.
fn is_shuffled(items: &Value<'_>, order: Order) -> bool {
    match items {
        Value::Constant(Constant::Set(set) | Constant::FrozenSet(set)) => {
            set.len() > 1 && (order != Order::Uniform || !set.others.is_empty())
        }
        _ => false,
    }
}

/// Where the order is not known, it is not known either what is raised first.
fn of_shuffled(stop: Stop, shuffled: bool) -> Stop {
    match stop {
        Stop::Raised(_) if shuffled => Stop::Unknown("what is raised depends on the order"),
        stop => stop,
    }
}

/// A function made here must not outlive the variables that it looks at.
fn without_closures(items: Vec<Value<'_>>) -> Result<Vec<Value<'_>>> {
    if items.iter().any(|item| matches!(item, Value::Closure { .. })) {
        return unknown("a function in a container");
    }
    Ok(items)
}

fn symbolic_get<'v>(explorer: &RefCell<Explorer>, parent: Option<usize>, name: &[u8], default: Value<'v>) -> Result<Value<'v>> {
    let name = str::from_utf8(name).map_err(|_| Stop::Unknown("a name that is no UTF-8"))?;
    if parent.is_none() && is_supplied(name.as_bytes()) {
        return unknown("a field that is supplied to rules");
    }
    explorer.borrow_mut().get(parent, name, default)
}

/// Whether `get` may find a field that iota supplies to rules, in any spelling.
fn is_supplied(name: &[u8]) -> bool {
    !name.is_ascii() || name.first_chunk::<2>().is_some_and(|start| start.eq_ignore_ascii_case(b"p_"))
}

/// The position that a Python index means.
fn position(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { index + length } else { index };
    usize::try_from(at).ok().filter(|_| at < length)
}

fn slice<'v>(value: &Value<'v>, lower: Option<i64>, upper: Option<i64>) -> Result<Value<'v>> {
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
