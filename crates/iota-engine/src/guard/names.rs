//! What a global name of a module means once the whole pack is loaded.
//! Follows imports across modules; whatever has more than one explanation is `Unclear`.

use super::scope::Scope;
use super::source::{Binding, Imported, ModuleId, Sources};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, Stmt};

/// Imports that are followed from one name to the next, at most.
pub(super) const MAX_HOPS: u32 = 16;

/// Position of a statement in a module and, in a class there, in its body.
pub(super) type At = (usize, Option<usize>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// The `def` at this position of a module.
    Function(ModuleId, usize),
    Class(ModuleId, usize),
    /// The assignment at this position of a module.
    Value(ModuleId, At),
    /// A module or package of the pack.
    Module(String),
    /// Something of another module, by its dotted path: `re.match`.
    Outside(String),
    Builtin(String),
    Unclear(&'static str),
}

impl Sources {
    pub(super) fn name(&self, module: ModuleId, name: &str) -> Name {
        self.follow(module, name, MAX_HOPS)
    }

    fn follow(&self, module: ModuleId, name: &str, hops: u32) -> Name {
        let found = self.followed(module, name, hops);
        // Whoever imports a module of a package sets the package's global name to it.
        match self.package(module).and_then(|node| self.child(&node, name)) {
            Some(child) if found != Name::Module(child.clone()) => Name::Unclear("a name that a module in the package takes"),
            _ => found,
        }
    }

    fn followed(&self, module: ModuleId, name: &str, hops: u32) -> Name {
        if hops == 0 {
            return Name::Unclear("imports in a circle");
        }
        let source = &self.modules[module];
        let starred = if source.star { self.starred(module, name, hops) } else { None };
        match (source.bindings.get(name), starred) {
            (Some(Binding::Once(at)), None) => self.bound(module, *at, name, hops),
            (Some(Binding::Unclear), None) if source.is_rebound(name) => Name::Unclear("a global that functions assign"),
            (Some(Binding::Unclear), None) => Name::Unclear("bound more than once, or under a condition"),
            (None, Some(found)) => found,
            (Some(_), Some(_)) => Name::Unclear("`import *` may bind it too"),
            (None, None) if name.starts_with("__") => Name::Unclear("a name of the module itself"),
            (None, None) => Name::Builtin(name.to_owned()),
        }
    }

    fn bound(&self, module: ModuleId, at: usize, name: &str, hops: u32) -> Name {
        match &self.modules[module].body[at] {
            Stmt::FunctionDef(_) => Name::Function(module, at),
            Stmt::ClassDef(_) => Name::Class(module, at),
            Stmt::Assign(_) | Stmt::AnnAssign(_) => Name::Value(module, (at, None)),
            Stmt::Import(import) => {
                let found = import.names.iter().find_map(|alias| match &alias.asname {
                    Some(own) => (own.as_str() == name).then(|| self.import(module, &alias.name, true)),
                    None => (alias.name.split('.').next() == Some(name)).then(|| self.import(module, &alias.name, false)),
                });
                match found {
                    Some(Imported::Pack(node)) => Name::Module(node),
                    Some(Imported::Outside(path)) => Name::Outside(path),
                    Some(Imported::Unclear) | None => Name::Unclear("an import that is not followed"),
                }
            }
            Stmt::ImportFrom(import) => {
                let item = import.names.iter().find(|alias| alias.asname.as_ref().unwrap_or(&alias.name).as_str() == name);
                let Some(item) = item else { return Name::Unclear("an import that is not followed") };
                match self.import_from(module, import) {
                    Imported::Pack(node) => self.member(&node, &item.name, hops - 1),
                    Imported::Outside(path) => Name::Outside(format!("{path}.{}", item.name)),
                    Imported::Unclear => Name::Unclear("an import that is not followed"),
                }
            }
            _ => Name::Unclear("bound in a way that is not followed"),
        }
    }

    /// What an attribute of a pack module is.
    pub(super) fn member(&self, node: &str, name: &str, hops: u32) -> Name {
        let module = self.module_of(node);
        let child = self.child(node, name);
        let bound = module.filter(|&module| {
            self.modules[module].bindings.contains_key(name) || self.modules[module].star && !name.starts_with("__")
        });
        match (bound, child) {
            (Some(module), None) => match self.follow(module, name, hops) {
                Name::Builtin(_) => Name::Unclear("the module has no such name"),
                found => found,
            },
            (None, Some(_)) if module.is_some_and(|module| self.modules[module].bindings.contains_key("__getattr__")) => {
                Name::Unclear("the module makes its names when asked for them")
            }
            (None, Some(child)) => Name::Module(child),
            // Importing the child sets the attribute anew.
            (Some(_), Some(_)) => Name::Unclear("both a name of the package and a module in it"),
            (None, None) => Name::Unclear("the module has no such name"),
        }
    }

    /// What the `import *` statements of a module bind a name to.
    fn starred(&self, module: ModuleId, name: &str, hops: u32) -> Option<Name> {
        let source = &self.modules[module];
        let statements = source.body.iter().filter_map(|statement| match statement {
            Stmt::ImportFrom(import) if import.names.iter().any(|alias| alias.name.as_str() == "*") => Some(import),
            _ => None,
        });
        let mut found = None;
        let mut any = false;
        for import in statements {
            any = true;
            let Imported::Pack(node) = self.import_from(module, import) else {
                return Some(Name::Unclear("`import *` from outside the pack"));
            };
            if self.child(&node, name).is_some() {
                return Some(Name::Unclear("`import *` may bind a module of the package"));
            }
            let Some(target) = self.module_of(&node) else { continue };
            if self.reaches(target, module) {
                return Some(Name::Unclear("`import *` from a module that may not be complete by then"));
            }
            let target_source = &self.modules[target];
            if target_source.bindings.contains_key("__all__") || target_source.star {
                return Some(Name::Unclear("`import *` from a module that decides what it hands out"));
            }
            if name.starts_with('_') || !target_source.bindings.contains_key(name) {
                continue;
            }
            if found.is_some() {
                return Some(Name::Unclear("bound by more than one `import *`"));
            }
            found = Some(self.follow(target, name, hops - 1));
        }
        if any { found } else { Some(Name::Unclear("`import *` under a condition")) }
    }

    /// What an expression that is a name or a chain of attributes of modules means.
    /// `is_local` says which names are local variables. `None` when the expression is something else.
    pub(super) fn reference(&self, module: ModuleId, expr: &Expr, is_local: &dyn Fn(&str) -> bool) -> Option<Name> {
        match expr {
            Expr::Name(name) if !is_local(&name.id) => Some(self.name(module, &name.id)),
            Expr::Attribute(attribute) => match self.reference(module, &attribute.value, is_local)? {
                Name::Module(node) => match self.member(&node, &attribute.attr, MAX_HOPS) {
                    // It is an attribute only once it is imported.
                    Name::Module(child)
                        if self.child(&node, &attribute.attr).as_ref() == Some(&child) && !self.loads(module, &child) =>
                    {
                        Some(Name::Unclear("a module that is not imported here"))
                    }
                    found => Some(found),
                },
                Name::Outside(path) => Some(Name::Outside(format!("{path}.{}", attribute.attr))),
                Name::Class(module, at) => Some(self.class_attribute(module, at, &attribute.attr)),
                _ => None,
            },
            _ => None,
        }
    }

    /// An attribute of a class that only holds values: `class Names: ROOT = "Root"`.
    fn class_attribute(&self, module: ModuleId, at: usize, name: &str) -> Name {
        let Stmt::ClassDef(class) = &self.modules[module].body[at] else { return Name::Unclear("not a class") };
        let plain = class.decorator_list.is_empty()
            && class.arguments.as_ref().is_none_or(|arguments| arguments.args.is_empty() && arguments.keywords.is_empty());
        let only_values = class.body.iter().all(|statement| match statement {
            Stmt::Assign(assign) => assign.targets.len() == 1 && assign.targets[0].is_name_expr(),
            Stmt::AnnAssign(assign) => assign.target.is_name_expr(),
            Stmt::Expr(expr) => expr.value.is_string_literal_expr(),
            Stmt::Pass(_) => true,
            _ => false,
        });
        if name.starts_with("__") {
            return Name::Unclear("a name that is private to its class");
        }
        if !plain || !only_values {
            return Name::Unclear("an attribute of a class that holds more than values");
        }
        let named = |statement: &Stmt| match statement {
            Stmt::Assign(assign) => assign.targets[0].as_name_expr().is_some_and(|target| target.id.as_str() == name),
            Stmt::AnnAssign(assign) => {
                assign.value.is_some() && assign.target.as_name_expr().is_some_and(|target| target.id.as_str() == name)
            }
            _ => false,
        };
        let mut found = class.body.iter().enumerate().filter(|(_, statement)| named(statement));
        match (found.next(), found.next()) {
            // Names in it mean those of the class first.
            (Some((inner, _)), None) if self.value(module, (at, Some(inner))).is_some_and(reads_no_name_of(&class.body)) => {
                Name::Value(module, (at, Some(inner)))
            }
            _ => Name::Unclear("an attribute of a class that is not bound once"),
        }
    }

    /// The expression that a `Name::Value` is assigned from.
    pub(super) fn value(&self, module: ModuleId, (at, inner): At) -> Option<&Expr> {
        let statement = &self.modules[module].body[at];
        let statement = match (statement, inner) {
            (Stmt::ClassDef(class), Some(inner)) => class.body.get(inner)?,
            (statement, _) => statement,
        };
        match statement {
            Stmt::Assign(assign) => Some(&assign.value),
            Stmt::AnnAssign(assign) => assign.value.as_deref(),
            _ => None,
        }
    }
}

/// Whether an expression reads no name that a body binds.
fn reads_no_name_of(body: &[Stmt]) -> impl Fn(&Expr) -> bool {
    struct Reads<'s> {
        bound: &'s Scope,
        found: bool,
    }
    impl<'a> Visitor<'a> for Reads<'_> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.found |= expr.as_name_expr().is_some_and(|name| self.bound.bound.contains(name.id.as_str()));
            walk_expr(self, expr);
        }
    }
    let bound = Scope::of(body);
    move |expr| {
        let mut reads = Reads { bound: &bound, found: false };
        reads.visit_expr(expr);
        !reads.found
    }
}
