//! Which module constants only ever get read, and whether a pack does what makes reading its source pointless.
//! A list, set or dict counts as constant only when every use of it in the whole pack is one that cannot change it.

mod expression;
mod hazards;
mod imports;
mod methods;
mod reads;

use super::ir::Place;
use super::names::{At, Name};
use super::scope::{Scope, parameter_names};
use super::source::{ModuleId, Sources};
use hazards::HAZARDOUS_SYS;
use methods::{Methods, Overload};
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, Parameters, Stmt};
use ruff_text_size::Ranged;
use std::collections::{BTreeMap, BTreeSet};

/// What the uses of names in a pack tell.
#[derive(Debug, Default)]
pub(in crate::guard) struct Uses {
    /// Constants of which something goes on to somewhere, by the assignment's module and position: how deep in them that
    /// lies, and what may change it first.
    given: BTreeMap<(ModuleId, At), BTreeMap<u32, Change>>,
    /// Where a module is handed around under names that are not followed: any constant of the pack may be changed.
    all_leaked: Option<Place>,
    /// Why nothing of this pack can be analysed.
    pub(in crate::guard) hazard: Option<(Place, String)>,
}

impl Uses {
    pub(in crate::guard) fn of(sources: &Sources) -> Self {
        let mut uses = Self::default();
        let methods = Methods::of(sources);
        for module in 0..sources.modules.len() {
            let mut walk =
                Walk { sources, module, uses: &mut uses, methods: &methods, locals: Vec::new(), class: false, in_method: false };
            walk.visit_body(&sources.modules[module].body);
        }
        uses
    }

    /// What may change the value assigned there, of which so many levels can be changed; `None` if it is only read.
    pub(in crate::guard) fn changed_at(&self, module: ModuleId, at: At, levels: u32) -> Option<Change> {
        let given = self.given.get(&(module, at)).and_then(|given| given.range(..levels).next());
        let anything = self.all_leaked.map(|place| Change { place, operator: None });
        given.map(|(_, change)| *change).or(anything)
    }

    fn give(&mut self, (module, at): (ModuleId, At), depth: u32, change: Change) {
        self.given.entry((module, at)).or_default().entry(depth).or_insert(change);
    }
}

/// What may change a value.
#[derive(Debug, Clone, Copy)]
pub(in crate::guard) struct Change {
    /// Where the value is handed on, or where the operator is defined that it is handed to.
    pub(in crate::guard) place: Place,
    /// The method of a class of the pack that is called for an operator.
    pub(in crate::guard) operator: Option<&'static str>,
}

/// How the value of an expression is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Looked at, and nothing of it kept.
    Read,
    /// What lies so deep in it, and all inside that, goes on to somewhere: it itself at 0, its elements at 1. An operator of
    /// the pack may be what gets it.
    GoesOn(u32, Option<Overload>),
}

impl Use {
    const KEPT: Self = Self::GoesOn(0, None);
    const OPENED: Self = Self::GoesOn(1, None);

    /// How a container is used of which an element is used in this way.
    fn of_element(self) -> Self {
        match self {
            Self::Read => Self::Read,
            Self::GoesOn(depth, to) => Self::GoesOn(depth.saturating_add(1), to),
        }
    }

    /// How a container is used of which another one with the same elements is used in this way.
    fn of_same_elements(self) -> Self {
        match self {
            Self::Read => Self::Read,
            Self::GoesOn(depth, to) => Self::GoesOn(depth.max(1), to),
        }
    }
}

struct Walk<'a, 'u> {
    sources: &'a Sources,
    module: ModuleId,
    uses: &'u mut Uses,
    /// The pack's own classes.
    methods: &'u Methods,
    /// Names that are local, by enclosing function.
    locals: Vec<BTreeSet<String>>,
    /// The statements that are visited stand in the body of a class.
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
        self.sources.reference(self.module, expr, &|name| self.locals.iter().any(|locals| locals.contains(name)))
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
                self.value(&attribute.value, Use::KEPT);
            }
            Expr::Subscript(subscript) => {
                self.value(&subscript.value, Use::KEPT);
                self.value(&subscript.slice, Use::KEPT);
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
                function.decorator_list.iter().for_each(|decorator| self.value(&decorator.expression, Use::KEPT));
                function.returns.iter().for_each(|returns| self.visit_annotation(returns));
                self.function(&function.parameters, &function.body);
            }
            Stmt::ClassDef(_) => {
                let outer = std::mem::replace(&mut self.class, true);
                walk_stmt(self, statement);
                self.class = outer;
            }
            Stmt::Assign(assign) => {
                self.value(&assign.value, Use::KEPT);
                assign.targets.iter().for_each(|target| self.store(target));
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.value(value, Use::KEPT);
                }
                // Evaluated at the top level of a module, and may do anything there.
                self.value(&assign.annotation, Use::KEPT);
                self.store(&assign.target);
            }
            Stmt::AugAssign(assign) => {
                self.value(&assign.target, Use::KEPT);
                let used = self.methods.arithmetic.map_or(Use::OPENED, |to| Use::GoesOn(0, Some(to)));
                self.value(&assign.value, used);
                self.store(&assign.target);
            }
            Stmt::Delete(delete) => delete.targets.iter().for_each(|target| {
                self.value(target, Use::KEPT);
                self.store(target);
            }),
            Stmt::For(iteration) => {
                self.value(&iteration.iter, Use::OPENED);
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
                    self.value(&item.context_expr, Use::KEPT);
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
                for alias in &import.names {
                    if module == "sys" && HAZARDOUS_SYS.contains(&alias.name.as_str()) {
                        self.hazard(statement, &format!("`sys.{}`", alias.name));
                    }
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.value(expr, Use::KEPT);
    }
}
