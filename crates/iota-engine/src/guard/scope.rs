//! The names that a block of Python binds in its own scope.
//! Knows syntax, and nothing of what names mean.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Alias, ExceptHandler, Expr, ExprContext, Parameters, Pattern, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// `import a.b` binds `a`; `as` binds the alias.
pub(super) fn bound_by_import(alias: &Alias) -> String {
    match &alias.asname {
        Some(name) => name.as_str().to_owned(),
        None => alias.name.as_str().split('.').next().unwrap_or_default().to_owned(),
    }
}

/// What a name means inside a class of this name: `__name` is private to it.
pub(super) fn mangled(class: &str, name: &str) -> Option<String> {
    let class = class.trim_start_matches('_');
    let is_private = name.starts_with("__") && !name.ends_with("__") && !name.contains('.');
    (is_private && !class.is_empty()).then(|| format!("_{class}{name}"))
}

/// Collects the names that a block binds in its own scope.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) bound: BTreeSet<String>,
    pub(super) count: BTreeMap<String, u32>,
    /// Declared `global` or `nonlocal` here: not of this scope.
    pub(super) elsewhere: BTreeSet<String>,
    pub(super) star: bool,
    /// It holds `yield` or `await`.
    pub(super) suspends: bool,
    comprehensions: u32,
}

impl Scope {
    /// Of the body of a function.
    pub(super) fn of(body: &[Stmt]) -> Self {
        let mut scope = Self::default();
        scope.visit_body(body);
        scope
    }

    fn bind(&mut self, name: &str) {
        self.bound.insert(name.to_owned());
        *self.count.entry(name.to_owned()).or_default() += 1;
    }
}

impl<'a> Visitor<'a> for Scope {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                self.bind(&function.name);
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                self.visit_parameters(&function.parameters);
                function.returns.iter().for_each(|returns| self.visit_annotation(returns));
            }
            Stmt::ClassDef(class) => {
                self.bind(&class.name);
                class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                if let Some(arguments) = &class.arguments {
                    self.visit_arguments(arguments);
                }
                // What the body of a class binds are attributes.
            }
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.bind(&bound_by_import(alias))),
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    if alias.name.as_str() == "*" {
                        self.star = true;
                    } else {
                        self.bind(&bound_by_import(alias));
                    }
                }
            }
            Stmt::Global(global) => self.elsewhere.extend(global.names.iter().map(|name| name.as_str().to_owned())),
            Stmt::Nonlocal(names) => self.elsewhere.extend(names.names.iter().map(|name| name.as_str().to_owned())),
            Stmt::Try(attempt) => {
                for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    if let Some(name) = &handler.name {
                        self.bind(name);
                    }
                }
                walk_stmt(self, statement);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx != ExprContext::Load && self.comprehensions == 0 => self.bind(&name.id),
            Expr::Named(named) => {
                // Binds in the function even from inside a comprehension.
                if let Expr::Name(name) = named.target.as_ref() {
                    self.bind(&name.id);
                }
                self.visit_expr(&named.value);
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.visit_parameters(parameters);
                }
            }
            Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Await(_) => {
                self.suspends = true;
                walk_expr(self, expr);
            }
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                self.comprehensions += 1;
                walk_expr(self, expr);
                self.comprehensions -= 1;
            }
            _ => walk_expr(self, expr),
        }
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name);
        }
        ruff_python_ast::visitor::walk_pattern(self, pattern);
    }
}

pub(super) fn parameter_names(parameters: &Parameters) -> BTreeSet<String> {
    parameters.iter().map(|parameter| parameter.name().as_str().to_owned()).collect()
}

pub(super) fn target_names(target: &Expr, names: &mut BTreeSet<String>) {
    match target {
        Expr::Name(name) => {
            names.insert(name.id.as_str().to_owned());
        }
        Expr::Starred(starred) => target_names(&starred.value, names),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| target_names(target, names)),
        Expr::List(list) => list.elts.iter().for_each(|target| target_names(target, names)),
        _ => {}
    }
}
