//! Annotations of nested functions: Python evaluates them each time it comes to the `def`, and that may raise.

use super::{Frame, Lowering};
use crate::guard::names::Name;
use ruff_python_ast::{AnyParameterRef, Expr, Operator, Parameters, Stmt, StmtFunctionDef};

/// Builtin types, and those of them that take others in brackets.
const TYPES: [&str; 12] = ["bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple", "type"];
const GENERIC: [&str; 6] = ["dict", "frozenset", "list", "set", "tuple", "type"];
/// The same of `typing` and `collections.abc`.
const TYPES_OUTSIDE: [&str; 3] = ["typing.Any", "typing.Mapping", "collections.abc.Mapping"];
const GENERIC_OUTSIDE: [&str; 2] = ["typing.List", "typing.Optional"];

impl Lowering<'_> {
    /// Whether the annotations of a function are certain to be evaluated without raising, and without an effect.
    pub(super) fn annotations_are_harmless(&self, frame: &Frame, function: &StmtFunctionDef) -> bool {
        let is_deferred = || self.sources.modules[frame.module].body.iter().any(is_future_import);
        let mut annotations = parameter_annotations(&function.parameters).chain(function.returns.as_deref());
        function.type_params.is_none() && (annotations.all(|annotation| self.is_harmless(frame, annotation)) || is_deferred())
    }

    fn is_harmless(&self, frame: &Frame, annotation: &Expr) -> bool {
        matches!(annotation, Expr::StringLiteral(_) | Expr::NoneLiteral(_)) || self.is_type(frame, annotation)
    }

    fn is_type(&self, frame: &Frame, expr: &Expr) -> bool {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) => match self.reference(frame, expr) {
                Some(Name::Builtin(name)) => TYPES.contains(&name.as_str()),
                Some(Name::Outside(path)) => TYPES_OUTSIDE.contains(&path.as_str()),
                _ => false,
            },
            Expr::Subscript(subscript) => {
                let parts = match (self.reference(frame, &subscript.value), &*subscript.slice) {
                    (Some(Name::Builtin(name)), Expr::Tuple(parts)) if GENERIC.contains(&name.as_str()) => parts.elts.as_slice(),
                    (Some(Name::Builtin(name)), one) if GENERIC.contains(&name.as_str()) => std::slice::from_ref(one),
                    (Some(Name::Outside(path)), one) if GENERIC_OUTSIDE.contains(&path.as_str()) => std::slice::from_ref(one),
                    _ => return false,
                };
                parts.iter().all(|part| self.is_type(frame, part))
            }
            // One of the two may be None, which has no `|` of its own.
            Expr::BinOp(either) if either.op == Operator::BitOr => match (&*either.left, &*either.right) {
                (one, Expr::NoneLiteral(_)) | (Expr::NoneLiteral(_), one) => self.is_type(frame, one),
                (left, right) => self.is_type(frame, left) && self.is_type(frame, right),
            },
            _ => false,
        }
    }
}

fn parameter_annotations(parameters: &Parameters) -> impl Iterator<Item = &Expr> {
    parameters.iter().filter_map(AnyParameterRef::annotation)
}

/// `from __future__ import annotations`
fn is_future_import(statement: &Stmt) -> bool {
    let Stmt::ImportFrom(import) = statement else { return false };
    import.module.as_ref().is_some_and(|module| module.as_str() == "__future__")
        && import.names.iter().any(|alias| alias.name.as_str() == "annotations")
}
