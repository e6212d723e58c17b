//! What a pack must not do for its source to mean anything.

use super::Walk;
use crate::guard::names::Name;
use crate::guard::scope::bound_by_import;
use ruff_python_ast::{Alias, Expr, ExprAttribute, ExprCall, Identifier, Keyword, Stmt};

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
const HAZARDOUS_SYS: [&str; 5] = ["modules", "_getframe", "settrace", "setprofile", "_current_frames"];
/// What leads from a generator, a coroutine or an exception to the variables of a module.
const FRAMES: [&str; 8] = ["gi_frame", "cr_frame", "ag_frame", "tb_frame", "f_back", "f_globals", "f_locals", "f_builtins"];
/// What makes logging call code of the pack.
const LOGGING: [&str; 9] = [
    "addHandler",
    "addFilter",
    "setLoggerClass",
    "setLogRecordFactory",
    "setFormatter",
    "setStream",
    "lastResort",
    "dictConfig",
    "fileConfig",
];
/// Lists of a logger or a handler that do so when something is put into them.
const LOGGING_LISTS: [&str; 2] = ["handlers", "filters"];
/// Names with two underscores that are harmless as texts.
const HARMLESS_TEXTS: [&str; 6] = ["__name__", "__doc__", "__class__", "__file__", "__main__", "__all__"];
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
    is_dunder(name) && !HARMLESS_DUNDERS.contains(&name) || FRAMES.contains(&name) || LOGGING.contains(&name)
}

/// The same for a text, from which `getattr` or `type` may make an attribute.
fn is_hazardous_text(text: &str) -> bool {
    is_dunder(text) && !HARMLESS_TEXTS.contains(&text) || FRAMES.contains(&text) || LOGGING.contains(&text)
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__") && !name.contains(' ')
}

/// Whether a dotted path leads to the module `sys`.
pub(super) fn is_sys(path: &str) -> bool {
    path == "sys" || path.ends_with(".sys")
}

impl Walk<'_, '_> {
    /// Looks for what turns the analysis off.
    pub(super) fn check(&mut self, expr: &Expr) {
        match expr {
            // The name of an attribute, for `getattr` and its like.
            Expr::StringLiteral(literal) if is_hazardous_text(literal.value.to_str()) => {
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
                let owner = self.resolve(&attribute.value);
                // What is not followed may be `sys`, or a class that `isinstance` asks.
                let may_be_outside = match &owner {
                    Some(Name::Module(_) | Name::Function(..) | Name::Builtin(_)) => false,
                    Some(Name::Outside(path)) => is_sys(path) || name == "register",
                    _ => true,
                };
                if may_be_outside && (HAZARDOUS_SYS.contains(&name) || name == "register") {
                    self.hazard(attribute, &format!("the attribute `{name}`"));
                }
            }
            _ => {}
        }
    }

    /// Whether a list of what logging calls goes on to somewhere.
    pub(super) fn check_handlers(&mut self, attribute: &ExprAttribute) {
        let name = attribute.attr.as_str();
        let of_pack = match self.resolve(&attribute.value) {
            Some(Name::Module(_) | Name::Class(..)) => true,
            // A module of the same name.
            Some(Name::Outside(path)) => path == "logging",
            _ => false,
        };
        if LOGGING_LISTS.contains(&name) && !of_pack && self.sources.imports_outside("logging") {
            self.hazard(attribute, &format!("the attribute `{name}`"));
        }
    }

    /// Whether logging is told to call code of the pack.
    pub(super) fn check_logging(&mut self, call: &ExprCall) {
        let named = matches!(&*call.func, Expr::Attribute(attribute) if attribute.attr.as_str() == "basicConfig");
        if !named && !matches!(self.resolve(&call.func), Some(Name::Outside(path)) if path == "logging.basicConfig") {
            return;
        }
        let harmless = |keyword: &Keyword| match keyword.arg.as_ref().map(Identifier::as_str) {
            None | Some("handlers") => false,
            Some("stream") => {
                matches!(self.resolve(&keyword.value), Some(Name::Outside(path)) if matches!(path.as_str(), "sys.stdout" | "sys.stderr"))
            }
            Some(_) => true,
        };
        if !call.arguments.keywords.iter().all(harmless) {
            self.hazard(call, "handlers for `logging`");
        }
    }

    pub(super) fn imported(&mut self, statement: &Stmt, name: &str) {
        let first = name.split('.').next().unwrap_or_default();
        if HAZARDOUS_MODULES.contains(&first) {
            self.hazard(statement, &format!("the module `{first}`"));
        }
        if name == "logging.config" {
            self.hazard(statement, "the module `logging.config`");
        }
    }

    pub(super) fn imported_from(&mut self, module: &str, alias: &Alias) {
        let name = alias.name.as_str();
        if module == "sys" && HAZARDOUS_SYS.contains(&name) {
            self.hazard(alias, &format!("`sys.{name}`"));
        }
        let known = self.is_known_as(&bound_by_import(alias), &Name::Outside(format!("{module}.{name}")));
        if module == "logging" && (LOGGING.contains(&name) || name == "config" || name == "basicConfig" && !known) {
            self.hazard(alias, &format!("`logging.{name}`"));
        }
        self.sys_under_another_name(alias, &format!("{module}.{name}"));
    }

    /// What is done with `sys` is only followed under a name of the module.
    pub(super) fn sys_under_another_name(&mut self, alias: &Alias, path: &str) {
        if is_sys(path) && !self.is_known_as(&bound_by_import(alias), &Name::Outside(path.to_owned())) {
            self.hazard(alias, "`sys` under a name that is not followed");
        }
    }
}
