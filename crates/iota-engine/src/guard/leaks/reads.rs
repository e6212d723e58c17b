//! Whether a function of the pack does nothing with a parameter but look into it.

use crate::guard::source::{ModuleId, Sources};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{CmpOp, Expr, Stmt};

/// Whether a function of the pack does nothing with a positional parameter but look into it: the parameter stands only
/// on the right of `in`, is iterated over, or is asked for its length. `compares`: it may also be compared, because no class
/// of the pack is handed what it is compared with.
pub(super) fn only_reads(sources: &Sources, module: ModuleId, at: usize, position: usize, compares: bool) -> bool {
    let Stmt::FunctionDef(function) = &sources.modules[module].body[at] else { return false };
    let parameter = function.parameters.posonlyargs.iter().chain(&function.parameters.args).nth(position);
    let Some(parameter) = parameter else { return false };
    let mut reads = Reads { name: parameter.name().as_str(), compares, fine: true };
    reads.visit_body(&function.body);
    reads.fine && function.decorator_list.is_empty()
}

/// Looks for uses of a name that are more than reading.
struct Reads<'n> {
    name: &'n str,
    compares: bool,
    fine: bool,
}

impl<'a> Visitor<'a> for Reads<'_> {
    fn visit_annotation(&mut self, _annotation: &'a Expr) {}

    fn visit_expr(&mut self, expr: &'a Expr) {
        let own = self.name;
        let is_it = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id.as_str() == own);
        match expr {
            Expr::Name(name) if name.id.as_str() == self.name => self.fine = false,
            Expr::Compare(compare) => {
                let looks_inside = matches!(&*compare.ops, [CmpOp::In | CmpOp::NotIn]);
                let compares = self.compares;
                let right = compare.comparators.iter().map(|part| (part, looks_inside || compares));
                for (part, may_be_it) in std::iter::once((&*compare.left, compares)).chain(right) {
                    if !(may_be_it && is_it(part)) {
                        self.visit_expr(part);
                    }
                }
            }
            _ => walk_expr(self, expr),
        }
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::For(iteration) if matches!(&*iteration.iter, Expr::Name(name) if name.id.as_str() == self.name) => {
                self.visit_expr(&iteration.target);
                self.visit_body(&iteration.body);
                self.visit_body(&iteration.orelse);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a ruff_python_ast::Comprehension) {
        if !matches!(&comprehension.iter, Expr::Name(name) if name.id.as_str() == self.name) {
            self.visit_expr(&comprehension.iter);
        }
        self.visit_expr(&comprehension.target);
        comprehension.ifs.iter().for_each(|test| self.visit_expr(test));
    }
}
