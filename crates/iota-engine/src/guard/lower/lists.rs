//! Lists that a function builds with `append` and that have no name but one: to evaluate them, appending may make a new list.
//! Knows syntax, and nothing of values.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{CmpOp, Comprehension, Expr, Stmt, UnaryOp};
use std::collections::BTreeSet;

/// Builtins that look at a list and keep nothing of it.
const READERS: [&str; 8] = ["len", "bool", "any", "all", "set", "sorted", "list", "tuple"];

/// The names of a function's body that only ever hold lists made in it, of which nothing but `append` to them, reading
/// them and returning them is asked. `is_builtin`: whether a name means the builtin.
pub(super) fn built_lists(body: &[Stmt], is_builtin: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let mut uses = Uses { is_builtin, appended: BTreeSet::new(), other: BTreeSet::new(), inside: false };
    uses.visit_body(body);
    uses.appended.difference(&uses.other).cloned().collect()
}

/// `name.append(value)`
pub(super) fn append(statement: &Stmt) -> Option<(&str, &Expr)> {
    let Stmt::Expr(statement) = statement else { return None };
    let Expr::Call(call) = &*statement.value else { return None };
    let Expr::Attribute(method) = &*call.func else { return None };
    match (&*method.value, &*call.arguments.args) {
        (Expr::Name(name), [value])
            if method.attr.as_str() == "append" && call.arguments.keywords.is_empty() && !value.is_starred_expr() =>
        {
            Some((name.id.as_str(), value))
        }
        _ => None,
    }
}

struct Uses<'f> {
    is_builtin: &'f dyn Fn(&str) -> bool,
    appended: BTreeSet<String>,
    /// Used in some other way.
    other: BTreeSet<String>,
    /// In a function inside the function.
    inside: bool,
}

impl Uses<'_> {
    /// An expression that is looked at here, and of which nothing is kept.
    fn read(&mut self, expr: &Expr) {
        if self.inside || !expr.is_name_expr() {
            self.visit_expr(expr);
        }
    }

    /// An expression whose truth is asked.
    fn test(&mut self, expr: &Expr) {
        match expr {
            Expr::BoolOp(operation) => operation.values.iter().for_each(|value| self.test(value)),
            Expr::UnaryOp(operation) if operation.op == UnaryOp::Not => self.test(&operation.operand),
            _ => self.read(expr),
        }
    }

    fn makes_list(&self, value: &Expr) -> bool {
        match value {
            Expr::List(_) | Expr::ListComp(_) => true,
            Expr::Call(call) => {
                call.arguments.is_empty()
                    && call.func.as_name_expr().is_some_and(|name| name.id == "list" && (self.is_builtin)("list"))
            }
            _ => false,
        }
    }

    fn appends_to(body: &[Stmt], name: &str) -> bool {
        struct Appends<'n>(&'n str, bool);
        impl<'a> Visitor<'a> for Appends<'_> {
            fn visit_stmt(&mut self, statement: &'a Stmt) {
                self.1 |= append(statement).is_some_and(|(name, _)| name == self.0);
                walk_stmt(self, statement);
            }
        }
        let mut appends = Appends(name, false);
        appends.visit_body(body);
        appends.1
    }
}

impl<'a> Visitor<'a> for Uses<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let (Some((name, value)), false) = (append(statement), self.inside) {
            self.appended.insert(name.to_owned());
            self.visit_expr(value);
            return;
        }
        match statement {
            Stmt::Assign(assign) if assign.targets.len() == 1 && self.makes_list(&assign.value) => {
                self.visit_expr(&assign.value);
                self.read(&assign.targets[0]);
            }
            Stmt::AnnAssign(assign) if assign.value.as_ref().is_some_and(|value| self.makes_list(value)) => {
                assign.value.iter().for_each(|value| self.visit_expr(value));
                self.read(&assign.target);
            }
            Stmt::Return(of) => of.value.iter().for_each(|value| self.read(value)),
            Stmt::If(conditional) => {
                self.test(&conditional.test);
                self.visit_body(&conditional.body);
                for clause in &conditional.elif_else_clauses {
                    clause.test.iter().for_each(|test| self.test(test));
                    self.visit_body(&clause.body);
                }
            }
            Stmt::For(iteration) => {
                self.visit_expr(&iteration.target);
                match iteration.iter.as_name_expr() {
                    Some(name) if Self::appends_to(&iteration.body, &name.id) => self.visit_expr(&iteration.iter),
                    _ => self.read(&iteration.iter),
                }
                self.visit_body(&iteration.body);
                self.visit_body(&iteration.orelse);
            }
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {
                let outer = std::mem::replace(&mut self.inside, true);
                walk_stmt(self, statement);
                self.inside = outer;
            }
            Stmt::Global(global) => self.other.extend(global.names.iter().map(|name| name.as_str().to_owned())),
            Stmt::Nonlocal(names) => self.other.extend(names.names.iter().map(|name| name.as_str().to_owned())),
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => _ = self.other.insert(name.id.as_str().to_owned()),
            Expr::UnaryOp(operation) if operation.op == UnaryOp::Not => self.test(&operation.operand),
            Expr::If(conditional) => {
                self.test(&conditional.test);
                self.visit_expr(&conditional.body);
                self.visit_expr(&conditional.orelse);
            }
            Expr::Compare(compare) => {
                self.visit_expr(&compare.left);
                for (operator, right) in compare.ops.iter().zip(&compare.comparators) {
                    match operator {
                        // In a chain the container goes on to the next comparison.
                        CmpOp::In | CmpOp::NotIn if compare.ops.len() == 1 => self.read(right),
                        _ => self.visit_expr(right),
                    }
                }
            }
            Expr::Call(call) => match &*call.func {
                Expr::Name(name)
                    if READERS.contains(&name.id.as_str())
                        && (self.is_builtin)(&name.id)
                        && call.arguments.keywords.is_empty() =>
                {
                    call.arguments.args.iter().for_each(|argument| self.read(argument));
                }
                _ => walk_expr(self, expr),
            },
            Expr::Lambda(_) => {
                let outer = std::mem::replace(&mut self.inside, true);
                walk_expr(self, expr);
                self.inside = outer;
            }
            _ => walk_expr(self, expr),
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        self.read(&comprehension.iter);
        self.visit_expr(&comprehension.target);
        comprehension.ifs.iter().for_each(|test| self.test(test));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(body: &str) -> Vec<String> {
        let module = ruff_python_parser::parse_module(body).expect("Python").into_suite();
        built_lists(&module, &|_| true).into_iter().collect()
    }

    #[test]
    fn lists_with_one_name() {
        for body in [
            "found = []\nfor x in y:\n    found.append(x)\nif found: pass\nreturn len(found) > 1",
            "found = list()\nfound.append(1)\nreturn any(v == 1 for v in found) or not found or 1 in found",
            "found: list = [1]\nfound.append(2)\nfor v in found: pass\nreturn found",
        ] {
            assert_eq!(built(body), ["found"], "{body}");
        }
        for body in [
            "found = []\nother = found\nfound.append(1)",
            "found = y\nfound.append(1)",
            "found = []\nkeep(found)\nfound.append(1)",
            "found = []\nfor v in found:\n    found.append(v)",
            "found = []\nother = found or []\nfound.append(1)",
            "found = []\nother.append(found)\nfound.append(1)",
            "found = []\nf = lambda: found\nfound.append(1)",
            "found = []\ndef f():\n    return found\nfound.append(1)",
            "found = []\nwith found: pass\nfound.append(1)",
            "found = []\nfound.append(1)\nfound += [2]",
            "found = other = []\nfound.append(1)",
            "found = []\nx = 1 in found in [found]\nfound.append(1)",
            "found = []\nfound.append(1)\nx = found[0]\ny = (found := [])",
            "found = []\nfor found in y: pass\nfound.append(1)",
        ] {
            assert!(!built(body).contains(&"found".to_owned()), "{body}");
        }
    }
}
