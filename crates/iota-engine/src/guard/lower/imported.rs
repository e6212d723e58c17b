//! Imports inside functions: those of the standard library that stand before everything else of the function.

use super::call::is_mapping;
use super::{Frame, Lowering};
use crate::guard::operation::Builtin;
use crate::guard::scope::{Scope, bound_by_import};
use crate::guard::source::{Imported, ModuleId};
use ruff_python_ast::{Expr, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// Modules that a worker has loaded before a rule is called, because the pack names them, and whose import has no effect.
const HARMLESS: [&str; 14] = [
    "base64",
    "collections",
    "datetime",
    "fnmatch",
    "functools",
    "ipaddress",
    "itertools",
    "json",
    "logging",
    "math",
    "operator",
    "re",
    "string",
    "typing",
];

/// Whether the import cannot fail: of a module, or of something in it that every version of Python has.
fn is_certain(path: &str) -> bool {
    HARMLESS.contains(&path) || Builtin::named(path).is_some() || is_mapping(path)
}

impl Lowering<'_> {
    /// The names that the first statements of a function import, and what they mean; no others can get to them.
    pub(super) fn imported(
        &self,
        module: ModuleId,
        body: &[Stmt],
        scope: &Scope,
        parameters: &BTreeSet<String>,
    ) -> BTreeMap<String, String> {
        let is_text = |statement: &Stmt| matches!(statement, Stmt::Expr(of) if of.value.is_string_literal_expr());
        let mut found = BTreeMap::new();
        for statement in body.iter().skip_while(|statement| is_text(statement)) {
            let imported: Vec<(String, Imported)> = match statement {
                Stmt::Import(import) => import
                    .names
                    .iter()
                    .map(|alias| (bound_by_import(alias), self.sources.import(module, &alias.name, true)))
                    .collect(),
                Stmt::ImportFrom(import) => import
                    .names
                    .iter()
                    .map(|alias| match self.sources.import_from(module, import) {
                        Imported::Outside(path) => (bound_by_import(alias), Imported::Outside(format!("{path}.{}", alias.name))),
                        other => (bound_by_import(alias), other),
                    })
                    .collect(),
                _ => break,
            };
            let mut paths = Vec::new();
            for (name, what) in imported {
                let once = scope.count.get(&name) == Some(&1) && !parameters.contains(&name) && !scope.elsewhere.contains(&name);
                match what {
                    Imported::Outside(path) if once && is_certain(&path) => paths.push((name, path)),
                    _ => return found,
                }
            }
            found.extend(paths);
        }
        found
    }
}

impl Frame {
    /// The dotted path of an expression that names something imported by the function.
    pub(super) fn imported_path(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) if self.slot(&name.id).is_none() => self.imported.get(name.id.as_str()).cloned(),
            Expr::Attribute(attribute) => Some(format!("{}.{}", self.imported_path(&attribute.value)?, attribute.attr)),
            _ => None,
        }
    }
}
