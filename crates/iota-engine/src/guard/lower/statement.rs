//! Statements.

use super::order::is_order_free;
use super::{Frame, Lowering, MAX_CLAUSES, binary, lists};
use crate::guard::constant::Constant;
use crate::guard::ir::{Case, Closure, Expr, Handler, Kind, Order, Pattern, Place, Raised, Statement, Target};
use crate::guard::names::Name;
use crate::guard::scope::{Scope, bound_by_import, parameter_names};
use ruff_python_ast::{self as ast, ExceptHandler, Singleton, Stmt};
use ruff_text_size::Ranged;

impl<'s> Lowering<'s> {
    pub(super) fn block(&mut self, frame: &mut Frame, statements: &'s [Stmt]) -> Vec<Statement> {
        statements.iter().map(|statement| self.statement(frame, statement)).collect()
    }

    pub(super) fn statement(&mut self, frame: &mut Frame, statement: &'s Stmt) -> Statement {
        let place = Place::new(frame.module, statement.range().start());
        match statement {
            Stmt::Import(import) if import.names.iter().all(|alias| frame.imported.contains_key(&bound_by_import(alias))) => {
                Statement::Pass
            }
            Stmt::ImportFrom(import) if import.names.iter().all(|alias| frame.imported.contains_key(&bound_by_import(alias))) => {
                Statement::Pass
            }
            Stmt::Return(of) => Statement::Return { place, value: of.value.as_deref().map(|value| self.expr(frame, value)) },
            Stmt::Expr(of) => match lists::append(statement).map(|(name, value)| (name, frame.slot(name), value)) {
                Some((name, Some(slot), value)) if frame.lists.contains(name) => {
                    Statement::Append { slot, value: self.expr(frame, value) }
                }
                _ => Statement::Expr(self.expr(frame, &of.value)),
            },
            Stmt::Assign(assign) => {
                let value = self.expr(frame, &assign.value);
                match assign.targets.iter().map(|of| target(frame, of)).collect() {
                    Some(targets) => Statement::Assign { targets, value },
                    None => Statement::Unknown(place, "an assignment to something other than a local variable".into()),
                }
            }
            Stmt::AnnAssign(assign) => match (&assign.value, target(frame, &assign.target)) {
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
            Stmt::For(iteration) if !iteration.is_async => match target(frame, &iteration.target) {
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
            Stmt::Match(of) => self.matching(frame, of),
            Stmt::Try(attempt) if attempt.finalbody.is_empty() && !attempt.is_star => self.attempt(frame, attempt),
            Stmt::Assert(assertion) => Statement::Assert(self.expr(frame, &assertion.test)),
            Stmt::Pass(_) | Stmt::Global(_) => Statement::Pass,
            Stmt::Break(_) => Statement::Break,
            Stmt::Continue(_) => Statement::Continue,
            Stmt::FunctionDef(function) => self.nested(frame, function, place),
            _ => Statement::Unknown(place, what(statement).into()),
        }
    }

    pub(super) fn augmented(&mut self, frame: &mut Frame, assign: &'s ast::StmtAugAssign, place: Place) -> Statement {
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

    pub(super) fn matching(&mut self, frame: &mut Frame, of: &'s ast::StmtMatch) -> Statement {
        let subject = self.expr(frame, &of.subject);
        let mut cases = Vec::new();
        for case in &of.cases {
            let Some(pattern) = self.pattern(frame, &case.pattern) else {
                let place = Place::new(frame.module, case.pattern.range().start());
                return Statement::Unknown(place, "a pattern of `match` that is not followed".into());
            };
            let guard = case.guard.as_deref().map(|guard| self.expr(frame, guard));
            cases.push(Case { pattern, guard, body: self.block(frame, &case.body) });
        }
        Statement::Match { subject, cases }
    }

    pub(super) fn pattern(&mut self, frame: &mut Frame, pattern: &'s ast::Pattern) -> Option<Pattern> {
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

    pub(super) fn attempt(&mut self, frame: &mut Frame, attempt: &'s ast::StmtTry) -> Statement {
        let body = self.block(frame, &attempt.body);
        let otherwise = self.block(frame, &attempt.orelse);
        let mut handlers = Vec::new();
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            let catches = match &handler.type_ {
                None => Some(Raised::ALL.to_vec()),
                Some(class) => self.caught(frame, class),
            };
            let place = Place::new(frame.module, handler.range.start());
            let (catches, body) = match (catches, &handler.name) {
                (Some(catches), None) => (catches, self.block(frame, &handler.body)),
                // It may catch anything, or names what it caught.
                _ => (Raised::ALL.to_vec(), vec![Statement::Unknown(place, "an exception that is looked at".into())]),
            };
            handlers.push(Handler { catches, body });
        }
        Statement::Try { body, handlers, otherwise }
    }

    pub(super) fn caught(&mut self, frame: &Frame, class: &'s ast::Expr) -> Option<Vec<Raised>> {
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
    pub(super) fn nested(&mut self, frame: &mut Frame, function: &'s ast::StmtFunctionDef, place: Place) -> Statement {
        let Some(slot) = frame.slot(&function.name) else {
            return Statement::Unknown(place, "a function that is bound elsewhere".into());
        };
        let scope = Scope::of(&function.body);
        let names = parameter_names(&function.parameters);
        let simple = function.decorator_list.is_empty()
            && !function.is_async
            && !scope.suspends
            && scope.elsewhere.is_empty()
            && scope.bound.iter().all(|name| names.contains(name))
            && self.annotations_are_harmless(frame, function);
        match self.closure(frame, Some(&function.parameters), |lowering, frame| lowering.block(frame, &function.body)) {
            Some(closure) if simple => {
                let value = Expr { place, kind: Kind::Closure(Box::new(closure)) };
                Statement::Assign { targets: vec![Target::Slot(slot)], value }
            }
            _ => Statement::Unknown(place, "a function inside a function".into()),
        }
    }

    pub(super) fn closure(
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
}

pub(super) fn target(frame: &Frame, of: &ast::Expr) -> Option<Target> {
    match of {
        ast::Expr::Name(name) if !frame.elsewhere.contains(name.id.as_str()) => frame.slot(&name.id).map(Target::Slot),
        ast::Expr::Tuple(tuple) => tuple.elts.iter().map(|part| target(frame, part)).collect::<Option<_>>().map(Target::Tuple),
        _ => None,
    }
}

pub(super) fn captures(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Capture(_) => true,
        Pattern::Either(parts) | Pattern::Sequence(parts) => parts.iter().any(captures),
        Pattern::Anything | Pattern::Equal(_) | Pattern::Is(_) => false,
    }
}

/// A statement in words.
pub(super) fn what(statement: &Stmt) -> &'static str {
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
