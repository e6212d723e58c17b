//! What a pack must not do for its source to mean anything.

use super::Walk;
use crate::guard::names::Name;
use ruff_python_ast::{Expr, Stmt};

/// Names whose mere use lets a pack change what its source says.
const HAZARDS: [&str; 13] = [
    "exec",
    "eval",
    "globals",
    "locals",
    "vars",
    "setattr",
    "delattr",
    "compile",
    "__import__",
    "__builtins__",
    "breakpoint",
    "input",
    "__loader__",
];
/// Modules through which it could.
const HAZARDOUS_MODULES: [&str; 8] = ["builtins", "gc", "ctypes", "importlib", "inspect", "unittest", "imp", "code"];
/// The same of attributes of `sys`.
pub(super) const HAZARDOUS_SYS: [&str; 5] = ["modules", "_getframe", "settrace", "setprofile", "_current_frames"];
/// What makes logging call code of the pack.
const LOGGING: [&str; 4] = ["addHandler", "addFilter", "setLoggerClass", "setLogRecordFactory"];
/// Attributes with two underscores that are harmless to read.
const HARMLESS_DUNDERS: [&str; 11] = [
    "__name__",
    "__doc__",
    "__class__",
    "__file__",
    "__hash__",
    "__eq__",
    "__len__",
    "__contains__",
    "__str__",
    "__repr__",
    "__iter__",
];

/// `__globals__` and the like, but for those that are harmless to read.
fn is_hazardous_name(name: &str) -> bool {
    let dunder = name.len() > 4 && name.starts_with("__") && name.ends_with("__");
    dunder && !name.contains(' ') && !HARMLESS_DUNDERS.contains(&name) && name != "__main__"
}

impl Walk<'_, '_> {
    /// Looks for what turns the analysis off.
    pub(super) fn check(&mut self, expr: &Expr) {
        match expr {
            // The name of an attribute, for `getattr` and its like.
            Expr::StringLiteral(literal) if is_hazardous_name(literal.value.to_str()) => {
                self.hazard(literal, &format!("the name `{}`", literal.value.to_str()));
            }
            Expr::Name(name)
                if HAZARDS.contains(&name.id.as_str()) && !self.locals.iter().any(|locals| locals.contains(name.id.as_str())) =>
            {
                self.hazard(name, &format!("`{}`", name.id));
            }
            Expr::Attribute(attribute) => {
                let name = attribute.attr.as_str();
                // A class calling what it overrides.
                let of_super = matches!(&*attribute.value, Expr::Call(call) if call.func.as_name_expr().is_some_and(|name| name.id.as_str() == "super"));
                if is_hazardous_name(name) && !of_super {
                    self.hazard(attribute, &format!("the attribute `{name}`"));
                }
                if LOGGING.contains(&name) {
                    self.hazard(attribute, &format!("`{name}`"));
                }
                if HAZARDOUS_SYS.contains(&name)
                    && matches!(self.resolve(&attribute.value), Some(Name::Outside(path)) if path == "sys" || path.ends_with(".sys"))
                {
                    self.hazard(attribute, &format!("`sys.{name}`"));
                }
            }
            _ => {}
        }
    }

    pub(super) fn imported(&mut self, statement: &Stmt, name: &str) {
        let first = name.split('.').next().unwrap_or_default();
        if HAZARDOUS_MODULES.contains(&first) {
            self.hazard(statement, &format!("the module `{first}`"));
        }
    }
}
