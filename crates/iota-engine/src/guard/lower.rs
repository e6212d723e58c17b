//! Syntax trees to the form that is evaluated: scopes to slots, global names to what they mean, module constants to values.
//! What is not understood becomes `Unknown`, with the reason; it stops an evaluation only when it is reached.

use super::constant::Constant;
use super::eval::{Code, Evaluation, Source};
use super::explore::Explorer;
use super::ir::{
    Argument, Arguments, Binary, Case, Clause, Closure, Compare, Expr, Function, FunctionId, Handler, Kind, Order, Parameter,
    Pattern, Place, Raised, Slot, Statement, Target,
};
use super::leaks::{Uses, parameter_names};
use super::methods::{Builtin, Method, combine, dict_of, set_literal};
use super::names::{At, Name};
use super::source::{ModuleId, Scope, Sources};
use ruff_python_ast::{self as ast, BoolOp, CmpOp, ExceptHandler, Number, Operator, Singleton, Stmt, UnaryOp};
use ruff_text_size::{Ranged, TextSize};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Slots of a frame; nobody needs that many variables.
const MAX_SLOTS: u16 = 2_000;

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
    /// Values of module constants; `None` while one is computed, and where it is not known.
    constants: BTreeMap<(ModuleId, At), Option<Constant>>,
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
}

impl Frame {
    fn new(module: ModuleId) -> Self {
        Self { module, scopes: Vec::new(), elsewhere: BTreeSet::new(), slots: 0, comprehensions: 0 }
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
        let mut names = parameter_names(&function.parameters);
        names.extend(scope.bound.into_keys().filter(|name| !scope.elsewhere.contains(name)));
        frame.add_scope(names);
        frame.elsewhere = scope.elsewhere;
        let parameters = self.parameters(&frame, &function.parameters);
        let rest = function.parameters.vararg.as_ref().and_then(|parameter| frame.slot(&parameter.name));
        let body = self.block(&mut frame, &function.body);
        let body = if frame.slots > MAX_SLOTS {
            vec![Statement::Unknown(self.place(module, function.range.start()), "too many variables".into())]
        } else {
            body
        };
        let place = self.place(module, function.range.start());
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

    fn place(&self, module: ModuleId, offset: TextSize) -> Place {
        Place { module, offset }
    }

    // ---- constants

    /// The value of a module constant, if its source fixes it and nothing in the pack can change it.
    fn constant(&mut self, module: ModuleId, at: At) -> Option<Constant> {
        if let Some(known) = self.constants.get(&(module, at)) {
            return known.clone();
        }
        self.constants.insert((module, at), None);
        if self.constants_under_way == MAX_CONSTANTS {
            return None;
        }
        self.constants_under_way += 1;
        let sources = self.sources;
        let value = sources
            .value(module, at)
            .and_then(|expr| self.constant_expr(module, expr))
            .filter(|value| value.is_immutable() || at.1.is_none() && self.uses.is_constant(module, at, value.is_flat()));
        self.constants_under_way -= 1;
        self.constants.insert((module, at), value.clone());
        value
    }

    /// The value of an expression at the top level of a module.
    fn constant_expr(&mut self, module: ModuleId, expr: &'s ast::Expr) -> Option<Constant> {
        let mut frame = Frame::new(module);
        let lowered = self.expr(&mut frame, expr);
        if let Kind::Constant(constant) = lowered.kind {
            return Some(constant);
        }
        // An expression of constants: evaluated as a rule would, without a record to look at.
        let functions: Vec<Function> = Vec::new();
        let fields = BTreeMap::new();
        let explorer = RefCell::new(Explorer::default());
        let code = Code { functions: &functions, fields: &fields, plain: true };
        let wrapper = Function {
            place: lowered.place,
            parameters: Vec::new(),
            rest: None,
            slots: frame.slots,
            body: vec![Statement::Return { place: lowered.place, value: Some(lowered) }],
        };
        let functions = [wrapper];
        let code = Code { functions: &functions, ..code };
        if !self_contained(&functions[0].body) {
            return None;
        }
        Evaluation::new(code, Source::AnyRecord(&explorer)).call_with_event(0).ok()?.to_constant()
    }

    // ---- statements

    fn block(&mut self, frame: &mut Frame, statements: &'s [Stmt]) -> Vec<Statement> {
        statements.iter().map(|statement| self.statement(frame, statement)).collect()
    }

    fn statement(&mut self, frame: &mut Frame, statement: &'s Stmt) -> Statement {
        let place = self.place(frame.module, statement.range().start());
        match statement {
            Stmt::Return(of) => Statement::Return { place, value: of.value.as_deref().map(|value| self.expr(frame, value)) },
            Stmt::Expr(of) => Statement::Expr(self.expr(frame, &of.value)),
            Stmt::Assign(assign) => {
                let value = self.expr(frame, &assign.value);
                match assign.targets.iter().map(|target| self.target(frame, target)).collect() {
                    Some(targets) => Statement::Assign { targets, value },
                    None => Statement::Unknown(place, "an assignment to something other than a local variable".into()),
                }
            }
            Stmt::AnnAssign(assign) => match (&assign.value, self.target(frame, &assign.target)) {
                (None, Some(_)) => Statement::Pass,
                (Some(value), Some(target)) => Statement::Assign { targets: vec![target], value: self.expr(frame, value) },
                _ => Statement::Unknown(place, "an assignment to something other than a local variable".into()),
            },
            Stmt::AugAssign(assign) => self.augmented(frame, assign, place),
            // Each clause stands inside the one before it.
            Stmt::If(conditional) if conditional.elif_else_clauses.len() > MAX_CLAUSES => {
                Statement::Unknown(place, "an `if` with that many `elif`".into())
            }
            Stmt::If(conditional) => {
                let mut otherwise = Vec::new();
                for clause in conditional.elif_else_clauses.iter().rev() {
                    let body = self.block(frame, &clause.body);
                    otherwise = match &clause.test {
                        None => body,
                        Some(test) => vec![Statement::If { test: self.expr(frame, test), then: body, otherwise }],
                    };
                }
                Statement::If { test: self.expr(frame, &conditional.test), then: self.block(frame, &conditional.body), otherwise }
            }
            Stmt::For(iteration) if !iteration.is_async => match self.target(frame, &iteration.target) {
                Some(target) => Statement::For {
                    target,
                    iterable: self.expr(frame, &iteration.iter),
                    body: self.block(frame, &iteration.body),
                    otherwise: self.block(frame, &iteration.orelse),
                    order: Order::Matters,
                }
                .in_any_order(is_order_free(&iteration.body)),
                None => Statement::Unknown(place, "a loop variable that is not local".into()),
            },
            Stmt::Match(of) => self.matching(frame, of, place),
            Stmt::Try(attempt) if attempt.finalbody.is_empty() && !attempt.is_star => self.attempt(frame, attempt),
            Stmt::Assert(assertion) => Statement::Assert(self.expr(frame, &assertion.test)),
            Stmt::Pass(_) | Stmt::Global(_) => Statement::Pass,
            Stmt::Break(_) => Statement::Break,
            Stmt::Continue(_) => Statement::Continue,
            Stmt::FunctionDef(function) => self.nested(frame, function, place),
            _ => Statement::Unknown(place, what(statement).into()),
        }
    }

    fn augmented(&mut self, frame: &mut Frame, assign: &'s ast::StmtAugAssign, place: Place) -> Statement {
        let slot = assign.target.as_name_expr().and_then(|name| frame.slot(&name.id));
        let (Some(slot), Some(operator)) = (slot, binary(assign.op)) else {
            return Statement::Unknown(place, "an assignment in place".into());
        };
        // Of numbers and texts it makes new ones; a list would change in place, also under its other names.
        let left = Box::new(Expr { place, kind: Kind::Local(slot) });
        let right = Box::new(self.expr(frame, &assign.value));
        let in_place = !matches!(right.kind, Kind::Constant(Constant::Int(_) | Constant::Text(_)) | Kind::Joined(_));
        if in_place {
            return Statement::Unknown(place, "an assignment in place".into());
        }
        let value = Expr { place, kind: Kind::Binary { left, operator, right } };
        Statement::Assign { targets: vec![Target::Slot(slot)], value }
    }

    fn matching(&mut self, frame: &mut Frame, of: &'s ast::StmtMatch, place: Place) -> Statement {
        let subject = self.expr(frame, &of.subject);
        let mut cases = Vec::new();
        for case in &of.cases {
            let Some(pattern) = self.pattern(frame, &case.pattern) else {
                return Statement::Unknown(place, "a pattern of `match` that is not followed".into());
            };
            let guard = case.guard.as_deref().map(|guard| self.expr(frame, guard));
            cases.push(Case { pattern, guard, body: self.block(frame, &case.body) });
        }
        Statement::Match { subject, cases }
    }

    fn pattern(&mut self, frame: &mut Frame, pattern: &'s ast::Pattern) -> Option<Pattern> {
        Some(match pattern {
            ast::Pattern::MatchValue(of) => Pattern::Equal(self.expr(frame, &of.value)),
            ast::Pattern::MatchSingleton(of) => Pattern::Is(match of.value {
                Singleton::None => Constant::None,
                Singleton::True => Constant::Bool(true),
                Singleton::False => Constant::Bool(false),
            }),
            ast::Pattern::MatchOr(of) => {
                let parts: Option<Vec<Pattern>> = of.patterns.iter().map(|pattern| self.pattern(frame, pattern)).collect();
                Pattern::Either(parts.filter(|parts| !parts.iter().any(captures))?)
            }
            ast::Pattern::MatchAs(of) => match (&of.pattern, &of.name) {
                (None, None) => Pattern::Anything,
                (None, Some(name)) => Pattern::Capture(frame.slot(name)?),
                _ => return None,
            },
            ast::Pattern::MatchSequence(of) => {
                // A name inside is only bound when the whole fits: no names, then.
                let parts: Option<Vec<Pattern>> = of.patterns.iter().map(|pattern| self.pattern(frame, pattern)).collect();
                Pattern::Sequence(parts.filter(|parts| !parts.iter().any(captures))?)
            }
            _ => return None,
        })
    }

    fn attempt(&mut self, frame: &mut Frame, attempt: &'s ast::StmtTry) -> Statement {
        let body = self.block(frame, &attempt.body);
        let otherwise = self.block(frame, &attempt.orelse);
        let mut handlers = Vec::new();
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            let catches = match &handler.type_ {
                None => Some(Raised::ALL.to_vec()),
                Some(class) => self.caught(frame, class),
            };
            let place = self.place(frame.module, handler.range.start());
            let (catches, body) = match (catches, &handler.name) {
                (Some(catches), None) => (catches, self.block(frame, &handler.body)),
                // It may catch anything, or names what it caught.
                _ => (Raised::ALL.to_vec(), vec![Statement::Unknown(place, "an exception that is looked at".into())]),
            };
            handlers.push(Handler { catches, body });
        }
        Statement::Try { body, handlers, otherwise }
    }

    fn caught(&mut self, frame: &Frame, class: &'s ast::Expr) -> Option<Vec<Raised>> {
        match class {
            ast::Expr::Tuple(tuple) => {
                let parts: Option<Vec<Vec<Raised>>> = tuple.elts.iter().map(|class| self.caught(frame, class)).collect();
                Some(parts?.concat())
            }
            _ => match self.reference(frame, class)? {
                Name::Builtin(name) => Raised::caught_by(&name).map(<[Raised]>::to_vec),
                _ => None,
            },
        }
    }

    /// A function inside a function, of the simple kind that only computes something from its parameters.
    fn nested(&mut self, frame: &mut Frame, function: &'s ast::StmtFunctionDef, place: Place) -> Statement {
        let Some(slot) = frame.slot(&function.name) else {
            return Statement::Unknown(place, "a function that is bound elsewhere".into());
        };
        let scope = Scope::of(&function.body);
        let names = parameter_names(&function.parameters);
        let simple = function.decorator_list.is_empty()
            && !function.is_async
            && !scope.suspends
            && scope.elsewhere.is_empty()
            && scope.bound.keys().all(|name| names.contains(name));
        match self.closure(frame, Some(&function.parameters), |lowering, frame| lowering.block(frame, &function.body)) {
            Some(closure) if simple => {
                let value = Expr { place, kind: Kind::Closure(Box::new(closure)) };
                Statement::Assign { targets: vec![Target::Slot(slot)], value }
            }
            _ => Statement::Unknown(place, "a function inside a function".into()),
        }
    }

    fn closure(
        &mut self,
        frame: &mut Frame,
        parameters: Option<&'s ast::Parameters>,
        body: impl FnOnce(&mut Self, &mut Frame) -> Vec<Statement>,
    ) -> Option<Closure> {
        let mut names = Vec::new();
        if let Some(parameters) = parameters {
            let simple = parameters.kwarg.is_none()
                && parameters.kwonlyargs.is_empty()
                && parameters.posonlyargs.is_empty()
                && parameters.args.iter().all(|parameter| parameter.default.is_none());
            if !simple {
                return None;
            }
            names.extend(parameters.args.iter().map(|parameter| parameter.name().as_str().to_owned()));
        }
        let first = frame.slots;
        let rest = parameters.and_then(|parameters| parameters.vararg.as_ref()).map(|rest| rest.name.as_str().to_owned());
        frame.add_scope(names.iter().cloned().chain(rest.clone()));
        let parameters = names.iter().filter_map(|name| frame.slot(name)).collect();
        let rest = rest.and_then(|rest| frame.slot(&rest));
        let body = body(self, frame);
        frame.scopes.pop();
        Some(Closure { parameters, rest, own: first..frame.slots, body })
    }

    fn target(&mut self, frame: &Frame, target: &'s ast::Expr) -> Option<Target> {
        match target {
            ast::Expr::Name(name) if !frame.elsewhere.contains(name.id.as_str()) => frame.slot(&name.id).map(Target::Slot),
            ast::Expr::Tuple(tuple) => {
                tuple.elts.iter().map(|target| self.target(frame, target)).collect::<Option<_>>().map(Target::Tuple)
            }
            _ => None,
        }
    }

    // ---- expressions

    fn reference(&self, frame: &Frame, expr: &ast::Expr) -> Option<Name> {
        self.sources.reference(frame.module, expr, &|name| frame.slot(name).is_some())
    }

    fn boxed(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Box<Expr> {
        Box::new(self.expr(frame, expr))
    }

    fn each(&mut self, frame: &mut Frame, parts: &'s [ast::Expr]) -> Vec<Expr> {
        parts.iter().map(|part| self.expr(frame, part)).collect()
    }

    fn expr(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Expr {
        let place = self.place(frame.module, expr.range().start());
        Expr { place, kind: self.kind(frame, expr) }
    }

    fn kind(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Kind {
        use ast::Expr as E;
        match expr {
            E::StringLiteral(literal) => {
                let text = literal.value.to_str();
                // What the parser could not represent, a lone surrogate, it replaces.
                if text.contains('\u{FFFD}') {
                    unknown("a text with a lone surrogate")
                } else {
                    Kind::Constant(Constant::text(text))
                }
            }
            E::NumberLiteral(literal) => match &literal.value {
                Number::Int(value) => match value.as_i64().filter(|value| *value <= super::constant::MAX_INT) {
                    Some(value) => Kind::Constant(Constant::Int(value)),
                    None => unknown("a large number"),
                },
                Number::Float(value) => Kind::Constant(Constant::Float(*value)),
                Number::Complex { .. } => unknown("a complex number"),
            },
            E::BooleanLiteral(literal) => Kind::Constant(Constant::Bool(literal.value)),
            E::NoneLiteral(_) => Kind::Constant(Constant::None),
            E::Name(name) => match frame.slot(&name.id) {
                Some(slot) => Kind::Local(slot),
                None => self.global(frame, expr),
            },
            E::Attribute(_) => self.global(frame, expr),
            E::BoolOp(operation) => {
                let parts = self.each(frame, &operation.values);
                if operation.op == BoolOp::And { Kind::And(parts) } else { Kind::Or(parts) }
            }
            E::UnaryOp(operation) => {
                let operand = self.boxed(frame, &operation.operand);
                match operation.op {
                    UnaryOp::Not => Kind::Not(operand),
                    UnaryOp::USub => Kind::Negative(operand),
                    _ => unknown("an operator that is not followed"),
                }
            }
            E::If(conditional) => Kind::If {
                test: self.boxed(frame, &conditional.test),
                then: self.boxed(frame, &conditional.body),
                otherwise: self.boxed(frame, &conditional.orelse),
            },
            E::Compare(compare) => {
                let left = self.boxed(frame, &compare.left);
                let rest = compare.ops.iter().map(|operator| comparison(*operator));
                Kind::Compare { left, rest: rest.zip(self.each(frame, &compare.comparators)).collect() }
            }
            E::BinOp(operation) => self.operation(frame, operation),
            E::List(list) => self.sequence(frame, &list.elts, |items| Some(Constant::List(items.into())), Kind::List),
            E::Tuple(tuple) => self.sequence(frame, &tuple.elts, |items| Some(Constant::Tuple(items.into())), Kind::Tuple),
            E::Set(set) => self.sequence(frame, &set.elts, set_literal, |_| unknown("a set of values of the record")),
            E::Dict(dict) => self.dict(frame, dict),
            E::FString(string) => self.joined(frame, string),
            E::Subscript(subscript) => self.subscript(frame, subscript),
            E::Named(named) => match named.target.as_name_expr().and_then(|name| frame.slot(&name.id)) {
                Some(slot) => Kind::Assign { slot, value: self.boxed(frame, &named.value) },
                None => unknown("`:=` to something other than a local variable"),
            },
            E::ListComp(of) => {
                self.comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::Collected { clauses, element })
            }
            E::SetComp(of) => self.constant_comprehension(frame, &of.generators, &of.elt),
            // Every run of a comprehension has variables of its own; here they share a slot.
            E::Lambda(_) if frame.comprehensions > 0 => unknown("a lambda in a comprehension"),
            // It would bind a variable of the lambda.
            E::Lambda(lambda) if binds(&lambda.body) => unknown("`:=` in a lambda"),
            E::Lambda(lambda) => {
                let body = |lowering: &mut Self, frame: &mut Frame| {
                    let value = lowering.expr(frame, &lambda.body);
                    vec![Statement::Return { place: value.place, value: Some(value) }]
                };
                match self.closure(frame, lambda.parameters.as_deref(), body) {
                    Some(closure) => Kind::Closure(Box::new(closure)),
                    None => unknown("a lambda with such parameters"),
                }
            }
            E::Call(call) => self.call(frame, call),
            _ => unknown("an expression of a kind that is not followed"),
        }
    }

    /// A name that is not local, or an attribute.
    fn global(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Kind {
        match self.reference(frame, expr) {
            Some(Name::Value(module, at)) => match self.constant(module, at) {
                Some(constant) => Kind::Constant(constant),
                None => unknown("a value of the module that is not known to be constant"),
            },
            Some(Name::Function(module, at)) => match self.function(module, at) {
                Ok(id) => Kind::Function(id),
                Err(why) => unknown(why),
            },
            Some(Name::Unclear(why)) => unknown(why),
            Some(Name::Builtin(_) | Name::Outside(_) | Name::Module(_) | Name::Class(..)) => {
                unknown("a name that is not followed")
            }
            None => unknown("an attribute of a value"),
        }
    }

    fn operation(&mut self, frame: &mut Frame, operation: &'s ast::ExprBinOp) -> Kind {
        let (left, right) = (self.boxed(frame, &operation.left), self.boxed(frame, &operation.right));
        let Some(operator) = binary(operation.op) else { return unknown("an operator that is not followed") };
        if let (Kind::Constant(a), Kind::Constant(b)) = (&left.kind, &right.kind)
            && let Some(both) = combine(a, operator, b)
        {
            return Kind::Constant(both);
        }
        Kind::Binary { left, operator, right }
    }

    fn sequence(
        &mut self,
        frame: &mut Frame,
        elements: &'s [ast::Expr],
        constant: impl FnOnce(Vec<Constant>) -> Option<Constant>,
        dynamic: impl FnOnce(Vec<Expr>) -> Kind,
    ) -> Kind {
        let mut parts = Vec::new();
        for element in elements {
            if let ast::Expr::Starred(starred) = element {
                // `[*CONSTANT, ...]`: of a set the order is not known.
                match self.expr(frame, &starred.value).kind {
                    Kind::Constant(Constant::List(items) | Constant::Tuple(items)) => {
                        let place = self.place(frame.module, starred.range.start());
                        parts.extend(items.into_vec().into_iter().map(|item| Expr { place, kind: Kind::Constant(item) }));
                    }
                    Kind::Constant(Constant::Set(set) | Constant::FrozenSet(set)) if set.len() < 2 || elements.len() == 1 => {
                        let place = self.place(frame.module, starred.range.start());
                        parts.extend(set.items().into_iter().map(|item| Expr { place, kind: Kind::Constant(item) }));
                    }
                    _ => return unknown("`*` of a value that is not constant"),
                }
            } else {
                parts.push(self.expr(frame, element));
            }
        }
        match all_constant(&parts) {
            Some(items) => constant(items).map_or_else(|| unknown("a container of such values"), Kind::Constant),
            None => dynamic(parts),
        }
    }

    fn dict(&mut self, frame: &mut Frame, dict: &'s ast::ExprDict) -> Kind {
        let mut entries = Vec::new();
        for item in &dict.items {
            let value = self.expr(frame, &item.value).kind;
            match (&item.key, value) {
                (Some(key), Kind::Constant(value)) => match self.expr(frame, key).kind {
                    Kind::Constant(key) => entries.push((key, value)),
                    _ => return unknown("a dict of values of the record"),
                },
                (None, Kind::Constant(Constant::Dict(dict))) => entries.extend(dict.entries.iter().cloned()),
                _ => return unknown("a dict of values of the record"),
            }
        }
        dict_of(entries).map_or_else(|| unknown("a dict with such keys"), Kind::Constant)
    }

    fn joined(&mut self, frame: &mut Frame, string: &'s ast::ExprFString) -> Kind {
        let mut parts = Vec::new();
        let literal = |lowering: &Self, frame: &Frame, text: &str, offset: TextSize| {
            let place = lowering.place(frame.module, offset);
            Expr { place, kind: Kind::Constant(Constant::text(text)) }
        };
        for part in string.value.as_slice() {
            match part {
                ast::FStringPart::Literal(text) if text.value.contains('\u{FFFD}') => {
                    return unknown("a text with a lone surrogate");
                }
                ast::FStringPart::Literal(text) => parts.push(literal(self, frame, text, text.range.start())),
                ast::FStringPart::FString(inner) => {
                    for element in &inner.elements {
                        match element {
                            ast::InterpolatedStringElement::Literal(text) => {
                                if text.value.contains('\u{FFFD}') {
                                    return unknown("a text with a lone surrogate");
                                }
                                parts.push(literal(self, frame, &text.value, text.range.start()));
                            }
                            ast::InterpolatedStringElement::Interpolation(value) => {
                                let plain = value.debug_text.is_none()
                                    && value.format_spec.is_none()
                                    && value.conversion == ast::ConversionFlag::None;
                                if !plain {
                                    return unknown("a formatted value");
                                }
                                parts.push(self.expr(frame, &value.expression));
                            }
                        }
                    }
                }
            }
        }
        Kind::Joined(parts)
    }

    fn subscript(&mut self, frame: &mut Frame, subscript: &'s ast::ExprSubscript) -> Kind {
        let value = self.boxed(frame, &subscript.value);
        let ast::Expr::Slice(slice) = &*subscript.slice else {
            return Kind::Index { value, index: self.boxed(frame, &subscript.slice) };
        };
        let mut bound = |bound: &'s Option<Box<ast::Expr>>| match bound {
            None => Some(None),
            Some(expr) => match self.expr(frame, expr).kind {
                Kind::Constant(Constant::Int(at)) => Some(Some(at)),
                Kind::Negative(of) => match of.kind {
                    Kind::Constant(Constant::Int(at)) => Some(Some(-at)),
                    _ => None,
                },
                _ => None,
            },
        };
        match (bound(&slice.lower), bound(&slice.upper), &slice.step) {
            (Some(lower), Some(upper), None) => Kind::Slice { value, lower, upper },
            _ => unknown("a slice with such bounds"),
        }
    }

    fn comprehension(
        &mut self,
        frame: &mut Frame,
        generators: &'s [ast::Comprehension],
        element: &'s ast::Expr,
        make: impl FnOnce(Vec<Clause>, Box<Expr>) -> Kind,
    ) -> Kind {
        let [first, ..] = generators else { return unknown("a comprehension of nothing") };
        // The first iterable is evaluated outside; all targets together are the scope inside.
        let mut iterable = Some(self.expr(frame, &first.iter));
        let mut names = BTreeSet::new();
        for generator in generators {
            super::leaks::target_names(&generator.target, &mut names);
        }
        frame.add_scope(names);
        frame.comprehensions += 1;
        let mut clauses = Vec::new();
        for generator in generators {
            let iterable = iterable.take().unwrap_or_else(|| self.expr(frame, &generator.iter));
            let Some(target) = self.target(frame, &generator.target).filter(|_| !generator.is_async) else { break };
            let conditions = self.each(frame, &generator.ifs);
            clauses.push(Clause { target, iterable, conditions });
        }
        let element = self.boxed(frame, element);
        frame.comprehensions -= 1;
        frame.scopes.pop();
        if clauses.len() < generators.len() {
            return unknown("a comprehension over such a target");
        }
        make(clauses, element)
    }

    /// A set comprehension: only of constants.
    fn constant_comprehension(
        &mut self,
        frame: &mut Frame,
        generators: &'s [ast::Comprehension],
        element: &'s ast::Expr,
    ) -> Kind {
        let kind = self.comprehension(frame, generators, element, |clauses, element| Kind::Collected { clauses, element });
        let place = self.place(frame.module, element.range().start());
        // Evaluated in any order: a set does not show it.
        let body = vec![Statement::Return { place, value: Some(Expr { place, kind }) }];
        if !self_contained(&body) || frame.scopes.iter().any(|scope| !scope.is_empty()) {
            return unknown("a set of values of the record");
        }
        let functions = [Function { place, parameters: Vec::new(), rest: None, slots: frame.slots, body }];
        let (fields, explorer) = (BTreeMap::new(), RefCell::new(Explorer::default()));
        let code = Code { functions: &functions, fields: &fields, plain: true };
        let items =
            Evaluation::new(code, Source::AnyRecord(&explorer)).call_with_event(0).ok().and_then(|value| value.to_constant());
        match items {
            Some(Constant::List(items)) => {
                set_literal(items.into_vec()).map_or_else(|| unknown("a set of such values"), Kind::Constant)
            }
            _ => unknown("a set of such values"),
        }
    }

    // ---- calls

    fn call(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Kind {
        match self.reference(frame, &call.func) {
            Some(Name::Function(module, at)) => match self.function(module, at) {
                Ok(function) => match self.arguments(frame, call) {
                    Some(arguments) => Kind::Call { function, arguments },
                    None => unknown("`**` in a call"),
                },
                Err(why) => unknown(why),
            },
            Some(Name::Builtin(name)) => self.builtin(frame, &name, call),
            Some(Name::Outside(path)) => self.builtin(frame, &path, call),
            Some(Name::Unclear(why)) => unknown(format!("a call of something {why}")),
            Some(Name::Value(..)) => unknown("a call of a value of the module"),
            Some(_) => unknown("a call of something that is not followed"),
            None => match &*call.func {
                ast::Expr::Name(name) => match (frame.slot(&name.id), self.arguments(frame, call)) {
                    (Some(slot), Some(arguments)) => Kind::CallLocal { slot, arguments },
                    _ => unknown("a call of something that is not followed"),
                },
                ast::Expr::Attribute(attribute) => self.method(frame, call, attribute),
                _ => unknown("a call of something that is not followed"),
            },
        }
    }

    fn arguments(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Option<Arguments> {
        let mut arguments = Arguments::default();
        for argument in &call.arguments.args {
            let (value, spread) = match argument {
                ast::Expr::Starred(starred) => (self.expr(frame, &starred.value), true),
                other => (self.expr(frame, other), false),
            };
            arguments.positional.push(Argument { value, spread });
        }
        for keyword in &call.arguments.keywords {
            arguments.keywords.push((keyword.arg.as_ref()?.as_str().to_owned(), self.expr(frame, &keyword.value)));
        }
        Some(arguments)
    }

    fn builtin(&mut self, frame: &mut Frame, path: &str, call: &'s ast::ExprCall) -> Kind {
        let arguments = &call.arguments;
        if path == "iota_rule.config" {
            return self.configured(frame, call);
        }
        if let (Some(ast::Expr::Generator(of)), 1.., true) =
            (arguments.args.first(), arguments.args.len(), arguments.keywords.is_empty())
        {
            if let ("any" | "all", 1) = (path, arguments.args.len()) {
                let all = path == "all";
                let free = !binds(&arguments.args[0]);
                return self.comprehension(frame, &of.generators, &of.elt, |clauses, element| {
                    let order = if free { order_of(&clauses, &element) } else { Order::Matters };
                    Kind::Quantified { all, clauses, element, order }
                });
            }
            if path == "next" && arguments.args.len() <= 2 {
                let otherwise = arguments.args.get(1).map(|otherwise| self.boxed(frame, otherwise));
                // Python evaluates it after the first iterable, and either may raise.
                if otherwise.as_ref().is_some_and(|otherwise| !matches!(otherwise.kind, Kind::Constant(_) | Kind::Local(_))) {
                    return unknown("`next` with such a default");
                }
                return self.comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::First {
                    clauses,
                    element,
                    otherwise,
                });
            }
            if let ("set" | "frozenset", 1) = (path, arguments.args.len()) {
                return match (self.constant_comprehension(frame, &of.generators, &of.elt), path) {
                    (Kind::Constant(Constant::Set(set)), "frozenset") => Kind::Constant(Constant::FrozenSet(set)),
                    (kind, _) => kind,
                };
            }
        }
        if path == "isinstance" {
            return self.is_instance(frame, call);
        }
        let ignore_case = path == "re.compile" && arguments.args.len() == 2 && arguments.keywords.is_empty() && {
            let flag = self.reference(frame, &arguments.args[1]);
            matches!(flag, Some(Name::Outside(name)) if name == "re.IGNORECASE" || name == "re.I")
        };
        let builtin = if ignore_case { Some(Builtin::CompileIgnoringCase) } else { Builtin::named(path) };
        let Some(builtin) = builtin else { return unknown(format!("a call of `{path}`")) };
        if builtin != Builtin::Print && !arguments.keywords.is_empty() {
            return unknown(format!("a call of `{path}` with keywords"));
        }
        let given = if ignore_case { &arguments.args[..1] } else { &arguments.args[..] };
        let logs = builtin == Builtin::Print && path != "print";
        if logs && arguments.args.is_empty() {
            return unknown("a log call without a message");
        }
        if !arguments.keywords.iter().all(|keyword| !logs && is_harmless_for_print(keyword)) {
            return unknown(format!("a call of `{path}` with keywords"));
        }
        let mut lowered = Vec::new();
        for argument in given {
            lowered.push(match argument {
                // All of it is taken at once. Others do not look into it, or do not take one.
                ast::Expr::Generator(of) if matches!(builtin, Builtin::List | Builtin::Tuple | Builtin::Sorted) => {
                    let place = self.place(frame.module, of.range.start());
                    let kind = self
                        .comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::Collected { clauses, element });
                    Expr { place, kind }
                }
                ast::Expr::Starred(_) => return unknown("`*` in a call"),
                other => self.expr(frame, other),
            });
        }
        if let Some(constants) = all_constant(&lowered) {
            if let Some(constant) = Evaluation::constant_call(builtin, &constants) {
                return Kind::Constant(constant);
            }
        } else if matches!(builtin, Builtin::Set | Builtin::FrozenSet | Builtin::Dict) {
            return unknown(format!("`{path}` of values of the record"));
        }
        Kind::Builtin { builtin, arguments: lowered }
    }

    /// `config("name")`: the value that the pack was read with.
    fn configured(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Kind {
        let [name] = &*call.arguments.args else { return unknown("a call of `config` with such arguments") };
        let value = match self.expr(frame, name).kind {
            Kind::Constant(Constant::Text(name)) => str::from_utf8(&name).ok().and_then(|name| self.config.get(name)),
            _ => None,
        };
        match value.and_then(of_config) {
            Some(constant) => Kind::Constant(constant),
            None => unknown("a configured value that is not followed"),
        }
    }

    fn is_instance(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Kind {
        let ([value, types], true) = (&*call.arguments.args, call.arguments.keywords.is_empty()) else {
            return unknown("a call of `isinstance` with such arguments");
        };
        let types: Vec<&ast::Expr> = match types {
            ast::Expr::Tuple(tuple) => tuple.elts.iter().collect(),
            one => vec![one],
        };
        let names: Option<Vec<Constant>> = types
            .into_iter()
            .map(|of| match self.reference(frame, of) {
                Some(Name::Builtin(name))
                    if matches!(name.as_str(), "str" | "dict" | "list" | "bool" | "int" | "float" | "tuple" | "set") =>
                {
                    Some(Constant::text(&name))
                }
                Some(Name::Outside(path)) if matches!(path.as_str(), "collections.abc.Mapping" | "typing.Mapping") => {
                    Some(Constant::text("Mapping"))
                }
                _ => None,
            })
            .collect();
        let Some(names) = names else { return unknown("a type that is not followed") };
        let place = self.place(frame.module, call.range().start());
        let types = Expr { place, kind: Kind::Constant(Constant::Tuple(names.into())) };
        Kind::Builtin { builtin: Builtin::IsInstance, arguments: vec![self.expr(frame, value), types] }
    }

    fn method(&mut self, frame: &mut Frame, call: &'s ast::ExprCall, attribute: &'s ast::ExprAttribute) -> Kind {
        let name = attribute.attr.as_str();
        if matches!(name, "debug" | "info" | "warning" | "error" | "critical") && self.is_logger(frame, &attribute.value) {
            if call.arguments.args.is_empty() || !call.arguments.keywords.is_empty() {
                return unknown("a log call with such arguments");
            }
            let arguments = self.each(frame, &call.arguments.args);
            return Kind::Builtin { builtin: Builtin::Print, arguments };
        }
        let Some(method) = Method::named(name) else { return unknown(format!("the method `{name}`")) };
        let object = self.boxed(frame, &attribute.value);
        // A generator as the only argument is taken as a whole by the methods that take one.
        if let ([ast::Expr::Generator(of)], Method::Join) = (&*call.arguments.args, method) {
            let place = self.place(frame.module, of.range.start());
            let kind =
                self.comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::Collected { clauses, element });
            let arguments =
                Arguments { positional: vec![Argument { value: Expr { place, kind }, spread: false }], keywords: Vec::new() };
            return Kind::Method { object, method, arguments };
        }
        let Some(arguments) = self.arguments(frame, call) else { return unknown("`**` in a call") };
        if let (Kind::Constant(of), Some(given)) = (&object.kind, constants_of(&arguments))
            && let Some(constant) = constant_method(of, method, &given)
        {
            return Kind::Constant(constant);
        }
        Kind::Method { object, method, arguments }
    }

    /// Whether a name is bound to `logging.getLogger(...)`.
    fn is_logger(&mut self, frame: &Frame, expr: &ast::Expr) -> bool {
        let Some(Name::Value(module, at)) = self.reference(frame, expr) else { return false };
        let Some(ast::Expr::Call(call)) = self.sources.value(module, at) else { return false };
        matches!(self.sources.reference(module, &call.func, &|_| false), Some(Name::Outside(path)) if path == "logging.getLogger")
    }
}

fn captures(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Capture(_) => true,
        Pattern::Either(parts) | Pattern::Sequence(parts) => parts.iter().any(captures),
        Pattern::Anything | Pattern::Equal(_) | Pattern::Is(_) => false,
    }
}

/// Set methods on constants that give constants.
fn constant_method(of: &Constant, method: Method, arguments: &[Constant]) -> Option<Constant> {
    let operator = match method {
        Method::Union => Binary::Union,
        Method::Intersection => Binary::Intersection,
        _ => return None,
    };
    let [other] = arguments else { return None };
    let other = match other {
        Constant::List(items) | Constant::Tuple(items) => set_literal(items.to_vec())?,
        other => other.clone(),
    };
    combine(of, operator, &other)
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

fn all_constant(parts: &[Expr]) -> Option<Vec<Constant>> {
    parts.iter().map(|part| if let Kind::Constant(constant) = &part.kind { Some(constant.clone()) } else { None }).collect()
}

/// Values of `config:` as rules get them.
fn of_config(value: &Json) -> Option<Constant> {
    Some(match value {
        Json::Null => Constant::None,
        Json::Bool(value) => Constant::Bool(*value),
        Json::String(text) => Constant::text(text),
        Json::Number(number) => match number.as_i64() {
            Some(value) if value.unsigned_abs() <= super::constant::MAX_INT.unsigned_abs() => Constant::Int(value),
            Some(_) => return None,
            None => Constant::Float(number.as_f64()?),
        },
        Json::Array(items) => Constant::List(items.iter().map(of_config).collect::<Option<_>>()?),
        Json::Object(members) => {
            let entries: Option<Vec<_>> =
                members.iter().map(|(name, value)| Some((Constant::text(name), of_config(value)?))).collect();
            // Its `get` gives the default for a null, which that of a dict does not.
            dict_of(
                entries?.into_iter().map(|entry| (!matches!(entry.1, Constant::None)).then_some(entry)).collect::<Option<_>>()?,
            )?
        }
    })
}

fn comparison(operator: CmpOp) -> Compare {
    match operator {
        CmpOp::Eq => Compare::Equal,
        CmpOp::NotEq => Compare::NotEqual,
        CmpOp::Lt => Compare::Less,
        CmpOp::LtE => Compare::LessOrEqual,
        CmpOp::Gt => Compare::Greater,
        CmpOp::GtE => Compare::GreaterOrEqual,
        CmpOp::Is => Compare::Is,
        CmpOp::IsNot => Compare::IsNot,
        CmpOp::In => Compare::In,
        CmpOp::NotIn => Compare::NotIn,
    }
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

/// Whether a loop does the same whatever the order of its elements: nothing in it is kept from one round to the next,
/// and all it can return is one and the same constant.
fn is_order_free(body: &[Stmt]) -> bool {
    fn returns<'a>(body: &'a [Stmt], found: &mut Vec<&'a ast::Expr>) -> bool {
        body.iter().all(|statement| match statement {
            Stmt::Return(of) => match of.value.as_deref() {
                Some(value @ ast::Expr::BooleanLiteral(_)) => {
                    found.push(value);
                    true
                }
                _ => false,
            },
            Stmt::If(conditional) => {
                !binds(&conditional.test)
                    && returns(&conditional.body, found)
                    && conditional
                        .elif_else_clauses
                        .iter()
                        .all(|clause| clause.test.as_ref().is_none_or(|test| !binds(test)) && returns(&clause.body, found))
            }
            Stmt::Pass(_) | Stmt::Continue(_) => true,
            _ => false,
        })
    }
    let mut found = Vec::new();
    returns(body, &mut found)
        && found.windows(2).all(|pair| match (pair[0], pair[1]) {
            (ast::Expr::BooleanLiteral(a), ast::Expr::BooleanLiteral(b)) => a.value == b.value,
            _ => false,
        })
}

/// Whether an expression has a `:=` in it.
fn binds(expr: &ast::Expr) -> bool {
    struct Binds(bool);
    impl<'a> ast::visitor::Visitor<'a> for Binds {
        fn visit_expr(&mut self, expr: &'a ast::Expr) {
            self.0 |= expr.is_named_expr();
            ast::visitor::walk_expr(self, expr);
        }
    }
    let mut found = Binds(false);
    ast::visitor::Visitor::visit_expr(&mut found, expr);
    found.0
}

/// What the order of a set means for a quantified expression that binds nothing.
fn order_of(clauses: &[Clause], element: &Expr) -> Order {
    match clauses {
        [Clause { target: Target::Slot(slot), conditions, .. }] if conditions.is_empty() && is_uniform(element, *slot) => {
            Order::Uniform
        }
        _ => Order::Free,
    }
}

impl Statement {
    /// Marks a loop over whose elements the order does not matter unless one of them raises.
    fn in_any_order(mut self, free: bool) -> Self {
        if let (true, Self::For { target, body, order, .. }) = (free, &mut self) {
            *order = match (&*target, body.as_slice()) {
                (Target::Slot(slot), [Self::If { test, .. }]) if is_uniform(test, *slot) => Order::Uniform,
                _ => Order::Free,
            };
        }
        self
    }
}

/// Whether a test of a text in a variable raises for every text if for any: it compares the text with something that is
/// the same every time.
fn is_uniform(test: &Expr, slot: Slot) -> bool {
    let same = |expr: &Expr| match &expr.kind {
        Kind::Constant(_) => true,
        Kind::Local(other) => *other != slot,
        Kind::Method { object, method: Method::Get | Method::DeepGet, arguments } => {
            matches!(object.kind, Kind::Local(other) if other != slot) && constants_of(arguments).is_some()
        }
        _ => false,
    };
    let one = |expr: &Expr| matches!(expr.kind, Kind::Local(own) if own == slot);
    let pair = |a: &Expr, b: &Expr| one(a) && same(b) || same(a) && one(b);
    match &test.kind {
        Kind::Not(test) => is_uniform(test, slot),
        Kind::Compare { left, rest } => match rest.as_slice() {
            [(Compare::Equal | Compare::NotEqual | Compare::In | Compare::NotIn, right)] => pair(left, right),
            _ => false,
        },
        Kind::Method { object, method: Method::StartsWith | Method::EndsWith, arguments } => {
            match (arguments.positional.as_slice(), arguments.keywords.as_slice()) {
                ([argument], []) => !argument.spread && pair(object, &argument.value),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Keywords of `print` that neither raise nor write elsewhere.
fn is_harmless_for_print(keyword: &ast::Keyword) -> bool {
    match keyword.arg.as_ref().map(ast::Identifier::as_str) {
        Some("sep" | "end") => keyword.value.is_string_literal_expr() || keyword.value.is_none_literal_expr(),
        Some("flush") => keyword.value.is_boolean_literal_expr(),
        _ => false,
    }
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
        | Kind::CallLocal { .. }
        | Kind::Function(_)
        | Kind::Closure(_)
        | Kind::Unknown(_) => false,
    }
}

/// A statement in words.
fn what(statement: &Stmt) -> &'static str {
    match statement {
        Stmt::While(_) => "a `while` loop",
        Stmt::With(_) => "a `with` statement",
        Stmt::Raise(_) => "a `raise`",
        Stmt::Try(_) => "a `try` with `finally`",
        Stmt::Import(_) | Stmt::ImportFrom(_) => "an import inside a function",
        Stmt::Delete(_) => "a `del`",
        Stmt::ClassDef(_) => "a class inside a function",
        Stmt::Nonlocal(_) => "a `nonlocal`",
        _ => "a statement that is not followed",
    }
}
