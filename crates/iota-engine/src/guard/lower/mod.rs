//! Syntax trees to the form that is evaluated: scopes to slots, global names to what they mean, module constants to values.
//! What is not understood becomes `Unknown`, with the reason; it stops an evaluation only when it is reached.

mod annotation;
mod call;
mod expression;
mod imported;
mod lists;
mod order;
mod statement;

pub(super) use call::of_config;

use crate::guard::OF_A_CONSTANT;
use crate::guard::constant::Constant;
use crate::guard::eval::{Code, Evaluation, Source};
use crate::guard::explore::Explorer;
use crate::guard::ir::{Arguments, Binary, Clause, Expr, Function, FunctionId, Kind, Parameter, Place, Slot, Statement};
use crate::guard::leaks::Uses;
use crate::guard::names::{At, Name};
use crate::guard::scope::{Scope, parameter_names};
use crate::guard::source::{ModuleId, Sources};
use ruff_python_ast::{self as ast, Operator, Stmt};
use ruff_text_size::{Ranged, TextSize};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Slots of a frame; nobody needs that many variables.
pub(super) const MAX_SLOTS: u16 = 2_000;

pub(super) struct Lowering<'s> {
    pub(super) sources: &'s Sources,
    uses: Uses,
    /// `config:` of the pack.
    config: &'s Map<String, Json>,
    functions: Vec<Option<Function>>,
    ids: BTreeMap<(ModuleId, usize), FunctionId>,
    /// Still to be lowered.
    waiting: Vec<(FunctionId, ModuleId, &'s ast::StmtFunctionDef)>,
    /// Constants that are computed for the sake of another one.
    constants_under_way: u32,
    /// Values of module constants, or why they are not known.
    constants: BTreeMap<(ModuleId, At), Result<Constant, String>>,
}

/// Constants that a constant is made of, one from the other.
const MAX_CONSTANTS: u32 = 8;
/// Clauses of one `if`.
const MAX_CLAUSES: usize = 100;

/// A function while it is lowered.
struct Frame {
    module: ModuleId,
    /// Names to slots, innermost scope last.
    scopes: Vec<BTreeMap<String, Slot>>,
    /// Declared `global`: assigning one is an effect.
    elsewhere: BTreeSet<String>,
    slots: Slot,
    /// Comprehensions around the expression that is lowered.
    comprehensions: u32,
    /// Lists that the function builds, and what it imports before anything else: the dotted path by name.
    lists: BTreeSet<String>,
    imported: BTreeMap<String, String>,
}

impl Frame {
    fn new(module: ModuleId) -> Self {
        Self {
            module,
            scopes: Vec::new(),
            elsewhere: BTreeSet::new(),
            slots: 0,
            comprehensions: 0,
            lists: BTreeSet::new(),
            imported: BTreeMap::new(),
        }
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).copied()
    }

    fn add_scope(&mut self, names: impl IntoIterator<Item = String>) {
        let mut scope = BTreeMap::new();
        for name in names {
            let slot = self.slots;
            scope.entry(name).or_insert_with(|| {
                self.slots = self.slots.saturating_add(1);
                slot
            });
        }
        self.scopes.push(scope);
    }
}

fn unknown(why: impl Into<Cow<'static, str>>) -> Kind {
    Kind::Unknown(why.into())
}

impl<'s> Lowering<'s> {
    pub(super) fn new(sources: &'s Sources, config: &'s Map<String, Json>) -> Self {
        let uses = Uses::of(sources);
        Self {
            sources,
            uses,
            config,
            functions: Vec::new(),
            ids: BTreeMap::new(),
            waiting: Vec::new(),
            constants_under_way: 0,
            constants: BTreeMap::new(),
        }
    }

    pub(super) fn hazard(&self) -> Option<&(Place, String)> {
        self.uses.hazard.as_ref()
    }

    pub(super) fn finish(mut self) -> Vec<Function> {
        while let Some((id, module, function)) = self.waiting.pop() {
            self.functions[id] = Some(self.lower_function(module, function));
        }
        // Every id was waiting once.
        self.functions.into_iter().flatten().collect()
    }

    /// The function that a module binds this name to, once and without conditions.
    pub(super) fn top_level(&mut self, module: ModuleId, name: &str) -> Result<FunctionId, String> {
        match self.sources.name(module, name) {
            Name::Function(found, at) if found == module => self.function(module, at).map_err(Into::into),
            Name::Function(..) => Err(format!("`{name}` is defined in another module")),
            Name::Unclear(why) => Err(format!("`{name}`: {why}")),
            _ => Err(format!("`{name}` is not defined with `def`")),
        }
    }

    /// A function that is not written in Python.
    pub(super) fn add(&mut self, function: Function) -> FunctionId {
        self.functions.push(Some(function));
        self.functions.len() - 1
    }

    fn function(&mut self, module: ModuleId, at: usize) -> Result<FunctionId, &'static str> {
        let Stmt::FunctionDef(function) = &self.sources.modules[module].body[at] else { return Err("not a function") };
        if let Some(&id) = self.ids.get(&(module, at)) {
            return Ok(id);
        }
        if !function.decorator_list.is_empty() {
            return Err("a function with a decorator");
        }
        if function.is_async || Scope::of(&function.body).suspends {
            return Err("a generator or an async function");
        }
        if function.parameters.kwarg.is_some() {
            return Err("a function with `**` parameters");
        }
        let id = self.functions.len();
        self.functions.push(None);
        self.ids.insert((module, at), id);
        self.waiting.push((id, module, function));
        Ok(id)
    }

    /// Not while another one is lowered: a chain of calls is as long as the pack likes.
    fn lower_function(&mut self, module: ModuleId, function: &'s ast::StmtFunctionDef) -> Function {
        let mut frame = Frame::new(module);
        let scope = Scope::of(&function.body);
        let parameters = parameter_names(&function.parameters);
        frame.imported = self.imported(module, &function.body, &scope, &parameters);
        let bound = scope.bound.into_iter().filter(|name| !scope.elsewhere.contains(name) && !frame.imported.contains_key(name));
        let bound: BTreeSet<String> = bound.collect();
        let is_builtin = |name: &str| {
            !bound.contains(name) && !parameters.contains(name) && matches!(self.sources.name(module, name), Name::Builtin(_))
        };
        frame.lists = lists::built_lists(&function.body, &is_builtin).difference(&parameters).cloned().collect();
        frame.add_scope(parameters.into_iter().chain(bound));
        frame.elsewhere = scope.elsewhere;
        let parameters = self.parameters(&frame, &function.parameters);
        let rest = function.parameters.vararg.as_ref().and_then(|parameter| frame.slot(&parameter.name));
        let body = self.block(&mut frame, &function.body);
        let body = if frame.slots > MAX_SLOTS {
            vec![Statement::Unknown(Place::new(module, function.range.start()), "too many variables".into())]
        } else {
            body
        };
        let place = Place::new(module, function.range.start());
        Function { place, parameters, rest, slots: frame.slots, body }
    }

    fn parameters(&mut self, frame: &Frame, parameters: &'s ast::Parameters) -> Vec<Parameter> {
        let positional = parameters.posonlyargs.iter().map(|parameter| (parameter, true, false));
        let either = parameters.args.iter().map(|parameter| (parameter, false, false));
        let named = parameters.kwonlyargs.iter().map(|parameter| (parameter, false, true));
        let mut lowered = Vec::new();
        for (parameter, positional_only, keyword_only) in positional.chain(either).chain(named) {
            let name = parameter.name().as_str();
            // Made once, when the function is: what can change may have changed.
            let default = parameter
                .default
                .as_deref()
                .and_then(|default| self.constant_expr(frame.module, default))
                .filter(Constant::is_immutable);
            let slot = frame.slot(name).unwrap_or_default();
            lowered.push(Parameter { name: name.to_owned(), slot, default, positional_only, keyword_only });
        }
        lowered
    }

    // ---- constants

    /// The value of a module constant, if its source fixes it and nothing in the pack can change it; or why it is not known.
    fn constant(&mut self, module: ModuleId, at: At) -> Result<Constant, String> {
        if let Some(known) = self.constants.get(&(module, at)) {
            return known.clone();
        }
        if self.constants_under_way == MAX_CONSTANTS {
            return Err("a value of the module that is made of too many others".to_owned());
        }
        self.constants.insert((module, at), Err("a value of the module that is made of itself".to_owned()));
        self.constants_under_way += 1;
        let value = self.computed(module, at);
        self.constants_under_way -= 1;
        self.constants.insert((module, at), value.clone());
        value
    }

    fn computed(&mut self, module: ModuleId, at: At) -> Result<Constant, String> {
        let sources = self.sources;
        let expr = sources.value(module, at);
        let Some(value) = expr.and_then(|expr| self.constant_expr(module, expr)) else {
            let place = Place { module, offset: expr.map_or_else(TextSize::default, |expr| expr.range().start()) };
            return Err(format!("{OF_A_CONSTANT}its source does not fix: {}", sources.written(place)));
        };
        if value.is_immutable() {
            return Ok(value);
        }
        // Of what a class holds, nobody follows who gets it.
        if at.1.is_some() {
            return Err("a value of a class that could be changed".to_owned());
        }
        match self.uses.changed_at(module, at, value.is_flat()) {
            None => Ok(value),
            Some(place) => {
                let operator = self.uses.operator.as_ref().map(|name| {
                    format!(" (a class of the pack defines `{name}`, so operators count as changing what they are handed)")
                });
                Err(format!("{OF_A_CONSTANT}{} may change{}", sources.written(place), operator.unwrap_or_default()))
            }
        }
    }

    /// The value of an expression at the top level of a module.
    fn constant_expr(&mut self, module: ModuleId, expr: &'s ast::Expr) -> Option<Constant> {
        let mut frame = Frame::new(module);
        let lowered = self.expr(&mut frame, expr);
        if let Kind::Constant(constant) = lowered.kind {
            return Some(constant);
        }
        evaluate_alone(frame.slots, lowered)
    }
}

fn all_constant(parts: &[Expr]) -> Option<Vec<Constant>> {
    parts.iter().map(|part| if let Kind::Constant(constant) = &part.kind { Some(constant.clone()) } else { None }).collect()
}

/// Whether statements call no function of the pack, so that they can be evaluated on their own.
fn self_contained(statements: &[Statement]) -> bool {
    statements.iter().all(|statement| match statement {
        Statement::Return { value: Some(expr), .. } => contains_no_call(expr),
        _ => false,
    })
}

fn contains_no_call(expr: &Expr) -> bool {
    let all = |parts: &[Expr]| parts.iter().all(contains_no_call);
    let clauses_too =
        |clauses: &[Clause]| clauses.iter().all(|clause| contains_no_call(&clause.iterable) && all(&clause.conditions));
    match &expr.kind {
        Kind::Constant(_) | Kind::Local(_) => true,
        Kind::And(parts) | Kind::Or(parts) | Kind::List(parts) | Kind::Tuple(parts) | Kind::Joined(parts) => all(parts),
        Kind::Builtin { arguments, .. } => all(arguments),
        Kind::Not(part) | Kind::Negative(part) | Kind::Slice { value: part, .. } => contains_no_call(part),
        Kind::If { test, then, otherwise } => [test, then, otherwise].into_iter().all(|part| contains_no_call(part)),
        Kind::Compare { left, rest } => contains_no_call(left) && rest.iter().all(|(_, part)| contains_no_call(part)),
        Kind::Binary { left, right, .. } => contains_no_call(left) && contains_no_call(right),
        Kind::Index { value, index } => contains_no_call(value) && contains_no_call(index),
        Kind::Method { object, arguments, .. } => {
            contains_no_call(object)
                && arguments.keywords.is_empty()
                && arguments.positional.iter().all(|argument| contains_no_call(&argument.value))
        }
        Kind::Collected { clauses, element } => clauses_too(clauses) && contains_no_call(element),
        Kind::Quantified { .. }
        | Kind::First { .. }
        | Kind::Assign { .. }
        | Kind::Call { .. }
        | Kind::CallValue { .. }
        | Kind::Find { .. }
        | Kind::Address { .. }
        | Kind::Closure(_)
        | Kind::Unknown(_) => false,
    }
}

fn constants_of(arguments: &Arguments) -> Option<Vec<Constant>> {
    if !arguments.keywords.is_empty() || arguments.positional.iter().any(|argument| argument.spread) {
        return None;
    }
    arguments
        .positional
        .iter()
        .map(|argument| if let Kind::Constant(constant) = &argument.value.kind { Some(constant.clone()) } else { None })
        .collect()
}

fn binary(operator: Operator) -> Option<Binary> {
    Some(match operator {
        Operator::Add => Binary::Add,
        Operator::Sub => Binary::Subtract,
        Operator::BitOr => Binary::Union,
        Operator::BitAnd => Binary::Intersection,
        _ => return None,
    })
}

/// The value of an expression of constants: evaluated as in a rule, without a record to look at.
fn evaluate_alone(slots: Slot, expr: Expr) -> Option<Constant> {
    let place = expr.place;
    let body = vec![Statement::Return { place, value: Some(expr) }];
    if !self_contained(&body) {
        return None;
    }
    let functions = [Function { place, parameters: Vec::new(), rest: None, slots, body }];
    let (fields, explorer) = (BTreeMap::new(), RefCell::new(Explorer::default()));
    let code = Code { functions: &functions, fields: &fields, plain: true };
    Evaluation::new(code, Source::AnyRecord(&explorer)).call_with_event(0).ok()?.to_constant()
}
