//! Statements.

use super::{Evaluation, Flow, MAX_DEPTH, Source, is_shuffled, of_shuffled, without_closures};
use crate::guard::ir::{Expr, Order, Pattern, Raised, Slot, Statement, Target};
use crate::guard::value::{Result, Stop, Value, raise, unknown};
use crate::json::Value as Json;

impl<'v> Evaluation<'v, '_> {
    pub(super) fn block(&mut self, statements: &'v [Statement]) -> Result<Flow<'v>> {
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

    pub(super) fn statement(&mut self, statement: &'v Statement) -> Result<Flow<'v>> {
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
            Statement::Try { body, handlers, otherwise } => match self.block(body) {
                Ok(Flow::Next) => return self.block(otherwise),
                Ok(flow) => return Ok(flow),
                Err(Stop::Raised(raised)) => {
                    let Some(handler) = handlers.iter().find(|handler| handler.catches.contains(&raised)) else {
                        return raise(raised);
                    };
                    (self.stopped, self.why) = (None, None);
                    return self.block(&handler.body);
                }
                Err(stop) => return Err(stop),
            },
            Statement::Append { slot, value } => {
                let value = self.expr(value)?;
                let Value::List(items) = self.slot(*slot) else {
                    return unknown("`append` to such a value");
                };
                let items = items.iter().cloned().chain([value]).collect();
                self.set(*slot, Value::List(without_closures(items)?.into()));
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

    pub(super) fn iterate(
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
        for item in items.items(order != Order::Matters)? {
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
    pub(super) fn stop_shuffled(&self) -> Result<()> {
        match self.source {
            Source::Record(_) => Ok(()),
            Source::AnyRecord(_) => unknown("the order of a set, where an element may raise"),
        }
    }

    pub(super) fn fits(&mut self, pattern: &'v Pattern, subject: &Value<'v>) -> Result<bool> {
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

    pub(super) fn store(&mut self, target: &'v Target, value: Value<'v>) -> Result<()> {
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

    /// A variable of the frame that runs; there are as many as its function has.
    pub(super) fn slot(&self, slot: Slot) -> &Value<'v> {
        self.slots.get(self.frame + usize::from(slot)).unwrap_or(&Value::Unset)
    }

    pub(super) fn set(&mut self, slot: Slot, value: Value<'v>) {
        if let Some(variable) = self.slots.get_mut(self.frame + usize::from(slot)) {
            *variable = value;
        }
    }
}
