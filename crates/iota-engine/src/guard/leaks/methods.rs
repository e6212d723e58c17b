//! What the classes of a pack define: the methods that calls may mean, and the operators that are handed an operand.

use super::super::ir::Place;
use super::super::source::{ModuleId, Sources};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprContext, Stmt};
use ruff_text_size::Ranged;
use std::collections::BTreeSet;

const COMPARISONS: [&str; 7] = ["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__"];
/// With the operand on the left, on the right, and in place.
const ARITHMETIC: [&str; 41] = [
    "__add__",
    "__radd__",
    "__iadd__",
    "__sub__",
    "__rsub__",
    "__isub__",
    "__mul__",
    "__rmul__",
    "__imul__",
    "__matmul__",
    "__rmatmul__",
    "__imatmul__",
    "__truediv__",
    "__rtruediv__",
    "__itruediv__",
    "__floordiv__",
    "__rfloordiv__",
    "__ifloordiv__",
    "__mod__",
    "__rmod__",
    "__imod__",
    "__divmod__",
    "__rdivmod__",
    "__pow__",
    "__rpow__",
    "__ipow__",
    "__lshift__",
    "__rlshift__",
    "__ilshift__",
    "__rshift__",
    "__rrshift__",
    "__irshift__",
    "__and__",
    "__rand__",
    "__iand__",
    "__xor__",
    "__rxor__",
    "__ixor__",
    "__or__",
    "__ror__",
    "__ior__",
];

/// A method that decides what an operator does with its other operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overload {
    pub(super) name: &'static str,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct Methods {
    /// All of them.
    pub(super) names: BTreeSet<String>,
    /// The first that a comparison or `in` may call.
    pub(super) comparison: Option<Overload>,
    /// The first that another operator may call.
    pub(super) arithmetic: Option<Overload>,
    module: ModuleId,
    /// The statements that are visited stand in a class, outside of its functions.
    class: bool,
}

impl Methods {
    pub(super) fn of(sources: &Sources) -> Self {
        let mut methods = Self { names: BTreeSet::new(), comparison: None, arithmetic: None, module: 0, class: false };
        for (module, of) in sources.modules.iter().enumerate() {
            methods.module = module;
            methods.visit_body(&of.body);
        }
        methods
    }

    fn add(&mut self, name: &str, node: &impl Ranged) {
        let place = Place { module: self.module, offset: node.range().start() };
        let of = |names: &[&'static str]| names.iter().find(|known| **known == name).map(|name| Overload { name, place });
        self.comparison = self.comparison.or(of(&COMPARISONS));
        self.arithmetic = self.arithmetic.or(of(&ARITHMETIC));
        self.names.insert(name.to_owned());
    }

    fn within(&mut self, class: bool, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.class, class);
        visit(self);
        self.class = outer;
    }
}

impl<'a> Visitor<'a> for Methods {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::ClassDef(_) => self.within(true, |methods| walk_stmt(methods, statement)),
            Stmt::FunctionDef(function) => {
                if self.class {
                    self.add(&function.name, function);
                }
                self.within(false, |methods| walk_stmt(methods, statement));
            }
            Stmt::Import(import) if self.class => {
                import.names.iter().for_each(|alias| self.add(alias.asname.as_ref().unwrap_or(&alias.name), alias));
            }
            Stmt::ImportFrom(import) if self.class => {
                import.names.iter().for_each(|alias| self.add(alias.asname.as_ref().unwrap_or(&alias.name), alias));
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if self.class && name.ctx == ExprContext::Store => self.add(&name.id, name),
            // A class may be made by a call: `type("X", (), {"__eq__": ...})`.
            Expr::StringLiteral(literal) => {
                let name = literal.value.to_str();
                if COMPARISONS.contains(&name) || ARITHMETIC.contains(&name) {
                    self.add(name, literal);
                }
            }
            _ => walk_expr(self, expr),
        }
    }
}
