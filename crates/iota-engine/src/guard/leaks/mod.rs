//! Which module constants only ever get read, and whether a pack does what makes reading its source pointless.
//! A list, set or dict counts as constant only when every use of it in the whole pack is one that cannot change it.

mod attributes;
mod expression;
mod hazards;
mod imports;
mod reads;

use super::ir::Place;
use super::names::{At, Name};
use super::scope::{Scope, mangled, parameter_names};
use super::source::{ModuleId, Sources};
use attributes::Attributes;
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, Parameters, Stmt};
use ruff_text_size::Ranged;
use std::collections::{BTreeMap, BTreeSet};

/// What the uses of names in a pack tell.
#[derive(Debug, Default)]
pub(in crate::guard) struct Uses {
    /// Constants that something may change, by the assignment's module and position, and what may first.
    leaked: BTreeMap<(ModuleId, At), Place>,
    /// Constants of which an element is handed out.
    opened: BTreeMap<(ModuleId, At), Place>,
    /// Where a module is handed around under names that are not followed: any constant of the pack may be changed.
    all_leaked: Option<Place>,
    /// Why nothing of this pack can be analysed.
    pub(in crate::guard) hazard: Option<(Place, String)>,
    /// The method by which a class of the pack decides what an operator does with its other operand, if one does.
    pub(in crate::guard) operator: Option<String>,
}

impl Uses {
    pub(in crate::guard) fn of(sources: &Sources) -> Self {
        let attributes = Attributes::of(sources.modules.iter().map(|module| module.body.as_slice()));
        let mut uses = Self { operator: attributes.operator().cloned(), ..Self::default() };
        for module in 0..sources.modules.len() {
            let mut walk = Walk {
                sources,
                module,
                uses: &mut uses,
                attributes: &attributes,
                overloads: attributes.operator().is_some(),
                locals: Vec::new(),
                class_name: None,
                class_names: BTreeSet::new(),
                class: false,
                in_method: false,
            };
            walk.visit_body(&sources.modules[module].body);
        }
        uses
    }

    /// Where the value assigned there may be changed; `None` if it is only read. `flat`: its elements cannot be changed.
    pub(in crate::guard) fn changed_at(&self, module: ModuleId, at: At, flat: bool) -> Option<Place> {
        let opened = || self.opened.get(&(module, at)).filter(|_| !flat);
        self.leaked.get(&(module, at)).or_else(opened).or(self.all_leaked.as_ref()).copied()
    }
}

/// How the value of an expression is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Looked at, and nothing of it kept.
    Read,
    /// Its elements go on to somewhere.
    Opened,
    /// It goes on to somewhere itself.
    Kept,
}

struct Walk<'a, 'u> {
    sources: &'a Sources,
    module: ModuleId,
    uses: &'u mut Uses,
    /// What the pack's own objects have.
    attributes: &'u Attributes,
    /// A class of the pack decides what an operator does with its other operand.
    overloads: bool,
    /// Names that are local, by enclosing function.
    locals: Vec<BTreeSet<String>>,
    /// The innermost class around the statements that are visited.
    class_name: Option<&'a str>,
    /// What its body binds, which comes first for what stands in the body itself.
    class_names: BTreeSet<String>,
    /// They stand in the body of a class.
    class: bool,
    /// They stand in a method.
    in_method: bool,
}

impl Walk<'_, '_> {
    fn place(&self, node: &impl Ranged) -> Place {
        Place { module: self.module, offset: node.range().start() }
    }

    fn hazard(&mut self, node: &impl Ranged, what: &str) {
        let place = self.place(node);
        self.uses.hazard.get_or_insert_with(|| (place, what.to_owned()));
    }

    fn resolve(&self, expr: &Expr) -> Option<Name> {
        let is_local = |name: &str| self.locals.iter().any(|locals| locals.contains(name));
        match expr {
            Expr::Name(name) if !is_local(&name.id) => {
                let name = name.id.as_str();
                let mangled = self.class_name.and_then(|class| mangled(class, name));
                match self.sources.name(self.module, mangled.as_deref().unwrap_or(name)) {
                    Name::Function(..) | Name::Builtin(_) if self.class && self.class_names.contains(name) => {
                        Some(Name::Unclear("a name of a class"))
                    }
                    found => Some(found),
                }
            }
            Expr::Attribute(attribute)
                if self.class_name.is_some_and(|class| mangled(class, &attribute.attr).is_some())
                    && matches!(self.resolve(&attribute.value), Some(Name::Module(_))) =>
            {
                Some(Name::Unclear("a name that is private to a class"))
            }
            _ => self.sources.reference(self.module, expr, &is_local),
        }
    }

    fn leak_all(&mut self, node: &impl Ranged) {
        let place = self.place(node);
        self.uses.all_leaked.get_or_insert(place);
    }
}

impl<'a> Walk<'a, '_> {
    fn function(&mut self, parameters: &'a Parameters, body: &'a [Stmt]) {
        self.visit_parameters(parameters);
        let mut names = parameter_names(parameters);
        let scope = Scope::of(body);
        names.extend(scope.bound.into_iter().filter(|name| !scope.elsewhere.contains(name)));
        self.locals.push(names);
        let outer = (self.class, self.in_method);
        self.in_method |= std::mem::take(&mut self.class);
        self.visit_body(body);
        (self.class, self.in_method) = outer;
        self.locals.pop();
    }

    fn store(&mut self, target: &'a Expr) {
        match target {
            Expr::Attribute(attribute) => {
                let of_self = self.in_method && matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == "self");
                if !of_self {
                    self.hazard(attribute, "an assignment to an attribute");
                }
                self.value(&attribute.value, Use::Kept);
            }
            Expr::Subscript(subscript) => {
                self.value(&subscript.value, Use::Kept);
                self.value(&subscript.slice, Use::Kept);
            }
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.store(target)),
            Expr::List(list) => list.elts.iter().for_each(|target| self.store(target)),
            Expr::Starred(starred) => self.store(&starred.value),
            _ => {}
        }
    }
}

impl<'a> Visitor<'a> for Walk<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.value(&decorator.expression, Use::Kept));
                function.returns.iter().for_each(|returns| self.visit_annotation(returns));
                self.function(&function.parameters, &function.body);
            }
            Stmt::ClassDef(class) => {
                let names = std::mem::replace(&mut self.class_names, Scope::of(&class.body).bound);
                let outer = (self.class, self.class_name);
                (self.class, self.class_name) = (true, Some(class.name.as_str()));
                walk_stmt(self, statement);
                (self.class, self.class_name) = outer;
                self.class_names = names;
            }
            Stmt::Assign(assign) => {
                self.value(&assign.value, Use::Kept);
                assign.targets.iter().for_each(|target| self.store(target));
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.value(value, Use::Kept);
                }
                // Evaluated at the top level of a module, and may do anything there.
                self.value(&assign.annotation, Use::Kept);
                self.store(&assign.target);
            }
            Stmt::AugAssign(assign) => {
                self.value(&assign.target, Use::Kept);
                self.value(&assign.value, if self.overloads { Use::Kept } else { Use::Opened });
                self.store(&assign.target);
            }
            Stmt::Delete(delete) => delete.targets.iter().for_each(|target| {
                self.value(target, Use::Kept);
                self.store(target);
            }),
            Stmt::For(iteration) => {
                self.value(&iteration.iter, Use::Opened);
                self.store(&iteration.target);
                self.visit_body(&iteration.body);
                self.visit_body(&iteration.orelse);
            }
            Stmt::If(conditional) => {
                self.value(&conditional.test, Use::Read);
                self.visit_body(&conditional.body);
                for clause in &conditional.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.value(test, Use::Read);
                    }
                    self.visit_body(&clause.body);
                }
            }
            Stmt::With(with) => {
                for item in &with.items {
                    self.value(&item.context_expr, Use::Kept);
                    if let Some(target) = &item.optional_vars {
                        self.store(target);
                    }
                }
                self.visit_body(&with.body);
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.imported(statement, alias.name.as_str());
                    self.import(alias);
                }
            }
            Stmt::ImportFrom(import) if import.level > 0 => self.import_from(import),
            Stmt::ImportFrom(import) => {
                self.import_from(import);
                let module = import.module.as_ref().map(ruff_python_ast::Identifier::as_str).unwrap_or_default();
                self.imported(statement, module);
                import.names.iter().for_each(|alias| self.imported_from(module, alias));
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.value(expr, Use::Kept);
    }
}
