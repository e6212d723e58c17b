//! What the order of elements means for a loop, where only Python knows it.

use super::constants_of;
use crate::guard::ir::{Clause, Compare, Expr, Kind, Order, Slot, Statement, Target};
use crate::guard::operation::Method;
use ruff_python_ast::{self as ast, Stmt};

/// Whether a loop does the same whatever the order of its elements: nothing in it is kept from one round to the next,
/// and all it can return is one and the same constant.
pub(super) fn is_order_free(body: &[Stmt]) -> bool {
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
pub(super) fn binds(expr: &ast::Expr) -> bool {
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
pub(super) fn order_of(clauses: &[Clause], element: &Expr) -> Order {
    match clauses {
        [Clause { target: Target::Slot(slot), conditions, .. }] if conditions.is_empty() && is_uniform(element, *slot) => {
            Order::Uniform
        }
        _ => Order::Free,
    }
}

impl Statement {
    /// Marks a loop over whose elements the order does not matter unless one of them raises.
    pub(super) fn in_any_order(mut self, free: bool) -> Self {
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
