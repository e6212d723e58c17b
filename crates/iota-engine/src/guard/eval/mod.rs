//! Evaluates rules on one record, or explores them on all. Only the operations listed here and in `operation` are known;
//! none of them has an effect, so a rule that comes to its end here has had none.

mod builtin;
mod compare;
mod expression;
mod find;
mod method;
mod read;
mod statement;
mod text;
mod walk;

use crate::guard::constant::Constant;
use crate::guard::explore::Explorer;
use crate::guard::ir::{Function, FunctionId, Order, Place, Raised};
use crate::guard::record::View;
use crate::guard::value::{Result, Stop, Value, raise, unknown};
use std::cell::RefCell;
use std::collections::BTreeMap;

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
    rounds: Rounds,
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

/// Every call of a function is a round of its own, by number: positions of frames come again.
#[derive(Debug, Clone, Copy, Default)]
struct Rounds {
    /// The last number that was given away.
    last: u32,
    /// Of the function whose frame it is.
    frame: u32,
    /// Of the function that runs in it: that one, or one that is made in it.
    inner: u32,
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
        let rounds = Rounds::default();
        Self { code, source, slots, frame, rounds, fuel, calls, depth, compared: None, stopped: None, returned: None, why: None }
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

    /// Whether inline filters, which read names as they are spelt in either dialect, let the record pass.
    pub(super) fn filter(&mut self, filters: FunctionId) -> Result<bool> {
        let plain = std::mem::replace(&mut self.code.plain, true);
        let passes = self.call_with_event(filters).and_then(|value| self.truth(&value));
        self.code.plain = plain;
        if let Source::AnyRecord(explorer) = self.source {
            // What a name means to the rule, and null, is not what it means to the filters.
            explorer.borrow_mut().forget();
        }
        passes
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
        let Some(code) = self.code.functions.get(function) else { return unknown("a function that is not followed") };
        let base = self.slots.len();
        self.slots.resize(base + usize::from(code.slots), Value::Unset);
        let bound = self.bind(code, base, positional, keywords);
        let result = bound.and_then(|()| {
            let caller = (std::mem::replace(&mut self.frame, base), self.rounds);
            let round = self.next_round();
            (self.rounds.frame, self.rounds.inner) = (round, round);
            self.calls += 1;
            let flow = self.block(&code.body);
            self.calls -= 1;
            self.frame = caller.0;
            self.end_round(caller.1);
            flow
        });
        self.slots.truncate(base);
        match result? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }

    fn next_round(&mut self) -> u32 {
        self.rounds.last += 1;
        self.rounds.last
    }

    fn end_round(&mut self, caller: Rounds) {
        self.rounds = Rounds { last: self.rounds.last, ..caller };
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
            self.slots[base + usize::from(slot)] = Value::Tuple(without_closures(rest)?.into());
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

/// What gets a function out of a container does not know which variables it looks at.
fn without_closures(items: Vec<Value<'_>>) -> Result<Vec<Value<'_>>> {
    if items.iter().any(|item| matches!(item, Value::Closure { .. })) {
        return unknown("a function in a container");
    }
    Ok(items)
}
