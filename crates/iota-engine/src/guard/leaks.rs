//! Which module constants only ever get read, and whether a pack does what makes reading its source pointless.
//! A list, set or dict counts as constant only when every use of it in the whole pack is one that cannot change it.

use super::hazards::{HAZARDOUS_MODULES, HAZARDOUS_SYS, HAZARDS, LOGGING, is_hazardous_name};
use super::ir::Place;
use super::names::{At, MAX_HOPS, Name};
use super::reads::only_reads;
use super::source::{Imported, ModuleId, Scope, Sources, bound_by_import};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Alias, Expr, ExprContext, Parameters, Stmt, StmtImportFrom};
use ruff_text_size::Ranged;
use std::collections::BTreeSet;

/// Methods that are handed an operand.
const OPERATORS: [&str; 15] = [
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__contains__",
    "__add__",
    "__radd__",
    "__or__",
    "__ror__",
    "__and__",
    "__rand__",
    "__sub__",
    "__rsub__",
];
/// Methods of lists, sets and dicts that only read, and give nothing that could be changed when the elements cannot.
const READING: [&str; 19] = [
    "get",
    "keys",
    "values",
    "items",
    "copy",
    "index",
    "count",
    "union",
    "intersection",
    "difference",
    "symmetric_difference",
    "issubset",
    "issuperset",
    "isdisjoint",
    "startswith",
    "endswith",
    "join",
    "lower",
    "upper",
];
/// Builtins that read their arguments.
const READERS: [&str; 19] = [
    "set",
    "frozenset",
    "list",
    "tuple",
    "sorted",
    "len",
    "any",
    "all",
    "sum",
    "min",
    "max",
    "enumerate",
    "zip",
    "dict",
    "str",
    "repr",
    "isinstance",
    "bool",
    "print",
];

/// What the uses of names in a pack tell.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Constants that something may change: the assignment's module and position.
    leaked: BTreeSet<(ModuleId, At)>,
    /// Constants of which an element is handed out.
    opened: BTreeSet<(ModuleId, At)>,
    /// A module is handed around under names that are not followed: any constant of the pack may be changed.
    all_leaked: bool,
    /// Why nothing of this pack can be analysed.
    pub(super) hazard: Option<(Place, String)>,
}

impl Uses {
    pub(super) fn of(sources: &Sources) -> Self {
        let mut uses = Self::default();
        let mut methods = Methods::default();
        sources.modules.iter().for_each(|module| methods.visit_body(&module.body));
        let methods = methods.names;
        for module in 0..sources.modules.len() {
            let mut walk =
                Walk { sources, module, uses: &mut uses, methods: &methods, locals: Vec::new(), class: false, in_method: false };
            walk.visit_body(&sources.modules[module].body);
        }
        uses
    }

    /// Whether the value assigned there is only read. `flat`: its elements cannot be changed.
    pub(super) fn is_constant(&self, module: ModuleId, at: At, flat: bool) -> bool {
        !self.all_leaked && !self.leaked.contains(&(module, at)) && (flat || !self.opened.contains(&(module, at)))
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
    /// Names of methods of the pack's own classes.
    methods: &'u BTreeSet<String>,
    /// Names that are local, by enclosing function.
    locals: Vec<BTreeSet<String>>,
    /// The statements that are visited stand in the body of a class.
    class: bool,
    /// They stand in a method.
    in_method: bool,
}

/// Collects the names of functions in classes.
#[derive(Default)]
struct Methods {
    names: BTreeSet<String>,
}

impl<'a> Visitor<'a> for Methods {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::ClassDef(class) = statement {
            let functions = class.body.iter().filter_map(|statement| statement.as_function_def_stmt());
            self.names.extend(functions.map(|function| function.name.as_str().to_owned()));
        }
        walk_stmt(self, statement);
    }
}

impl<'a> Walk<'a, '_> {
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

    /// Visits an expression whose value is used in this way.
    fn value(&mut self, expr: &'a Expr, used: Use) {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) => {
                match self.resolve(expr) {
                    Some(Name::Value(module, at)) => {
                        match used {
                            Use::Read => false,
                            Use::Opened => self.uses.opened.insert((module, at)),
                            Use::Kept => self.uses.leaked.insert((module, at)),
                        };
                    }
                    // Whoever has it can reach, and replace, what is in it.
                    Some(Name::Module(_)) if used != Use::Read => self.hazard(expr, "a module as a value"),
                    _ => {}
                }
                self.check(expr);
                if let Expr::Attribute(attribute) = expr {
                    match self.resolve(&attribute.value) {
                        Some(Name::Module(_)) => {
                            self.uses.all_leaked |= matches!(self.resolve(expr), Some(Name::Unclear(_)));
                            self.check(&attribute.value);
                        }
                        // `x.attr` of a value that is no module: what it gives is not followed.
                        _ => self.value(&attribute.value, Use::Kept),
                    }
                }
            }
            Expr::Subscript(subscript) if subscript.ctx == ExprContext::Load => {
                self.value(&subscript.value, if used == Use::Read { Use::Read } else { Use::Opened });
                self.visit_expr(&subscript.slice);
            }
            Expr::Compare(compare) => {
                let used = if self.overloads() { Use::Kept } else { Use::Read };
                self.value(&compare.left, used);
                compare.comparators.iter().for_each(|expr| self.value(expr, used));
            }
            Expr::BoolOp(operation) => operation.values.iter().for_each(|expr| self.value(expr, used)),
            Expr::UnaryOp(operation) => self.value(&operation.operand, Use::Read),
            Expr::If(conditional) => {
                self.value(&conditional.test, Use::Read);
                self.value(&conditional.body, used);
                self.value(&conditional.orelse, used);
            }
            Expr::BinOp(operation) => {
                let used = if self.overloads() { Use::Kept } else { Use::Opened };
                self.value(&operation.left, used);
                self.value(&operation.right, used);
            }
            Expr::Starred(starred) => self.value(&starred.value, Use::Opened),
            Expr::Dict(dict) => {
                for item in &dict.items {
                    match &item.key {
                        Some(key) => {
                            self.value(key, Use::Kept);
                            self.value(&item.value, Use::Kept);
                        }
                        None => self.value(&item.value, Use::Opened),
                    }
                }
            }
            Expr::FString(_) => walk_each(expr, &mut |part| self.value(part, Use::Read)),
            Expr::Call(call) => self.call(call, used),
            Expr::ListComp(comprehension) => {
                self.comprehension(&comprehension.generators, &[&*comprehension.elt]);
            }
            Expr::SetComp(comprehension) => {
                self.comprehension(&comprehension.generators, &[&*comprehension.elt]);
            }
            Expr::Generator(comprehension) => {
                self.comprehension(&comprehension.generators, &[&*comprehension.elt]);
            }
            Expr::DictComp(comprehension) => {
                let key = comprehension.key.as_deref();
                let parts: Vec<&'a Expr> = key.into_iter().chain([&*comprehension.value]).collect();
                self.comprehension(&comprehension.generators, &parts);
            }
            Expr::Lambda(lambda) => {
                let names = lambda.parameters.as_deref().map(parameter_names).unwrap_or_default();
                if let Some(parameters) = &lambda.parameters {
                    self.visit_parameters(parameters);
                }
                self.locals.push(names);
                self.value(&lambda.body, Use::Kept);
                self.locals.pop();
            }
            // Whatever else: its parts go on to somewhere.
            _ => {
                self.check(expr);
                walk_each(expr, &mut |part| self.value(part, Use::Kept));
            }
        }
    }

    /// Whether a class of the pack decides what an operator does with its other operand.
    fn overloads(&self) -> bool {
        OPERATORS.iter().any(|operator| self.methods.contains(*operator))
    }

    fn comprehension(&mut self, generators: &'a [ruff_python_ast::Comprehension], elements: &[&'a Expr]) {
        let mut names = BTreeSet::new();
        for generator in generators {
            self.value(&generator.iter, Use::Opened);
            target_names(&generator.target, &mut names);
            self.store(&generator.target);
            self.locals.push(std::mem::take(&mut names));
            generator.ifs.iter().for_each(|test| self.value(test, Use::Read));
        }
        for element in elements {
            self.value(element, Use::Kept);
        }
        self.locals.truncate(self.locals.len() - generators.len());
    }

    fn call(&mut self, call: &'a ruff_python_ast::ExprCall, used: Use) {
        let target = self.resolve(&call.func);
        let mut on_arguments = Use::Kept;
        match (&*call.func, target) {
            (_, Some(Name::Builtin(name))) => {
                // With more than one argument some of them hand out what they were given: `max([], default=X)`.
                let one = call.arguments.args.len() == 1 && call.arguments.keywords.is_empty();
                if READERS.contains(&name.as_str()) && (one || matches!(name.as_str(), "print" | "isinstance" | "zip")) {
                    on_arguments = if matches!(name.as_str(), "len" | "any" | "all" | "isinstance" | "bool" | "str" | "repr") {
                        Use::Read
                    } else {
                        Use::Opened
                    };
                }
                self.check(&call.func);
            }
            (func, Some(_)) => self.value(func, Use::Read),
            (Expr::Attribute(attribute), None)
                if READING.contains(&attribute.attr.as_str()) && !self.methods.contains(attribute.attr.as_str()) =>
            {
                self.check(&call.func);
                let gives = matches!(attribute.attr.as_str(), "get" | "values" | "items" | "copy" | "union" | "difference");
                let read = if gives && used != Use::Read { Use::Opened } else { Use::Read };
                self.value(&attribute.value, read);
                // Methods that only read take other containers as arguments to read them as well.
                on_arguments = if matches!(attribute.attr.as_str(), "get" | "index" | "count") { Use::Kept } else { Use::Opened };
            }
            (func, None) => self.value(func, Use::Kept),
        }
        // A helper of the pack reads its argument, if that is all it does with the parameter.
        let helper = match self.resolve(&call.func) {
            Some(Name::Function(module, at)) => Some((module, at)),
            _ => None,
        };
        let spread = call.arguments.args.iter().position(Expr::is_starred_expr).unwrap_or(usize::MAX);
        for (position, argument) in call.arguments.args.iter().enumerate() {
            let helper = helper.filter(|_| position < spread);
            let read_only = helper.is_some_and(|(module, at)| only_reads(self.sources, module, at, position));
            self.value(argument, if read_only { Use::Opened } else { on_arguments });
        }
        call.arguments.keywords.iter().for_each(|keyword| self.value(&keyword.value, on_arguments));
    }

    /// Looks for what turns the analysis off.
    fn check(&mut self, expr: &Expr) {
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
            Stmt::ClassDef(_) => {
                let outer = std::mem::replace(&mut self.class, true);
                walk_stmt(self, statement);
                self.class = outer;
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
                self.value(&assign.value, Use::Opened);
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
        self.value(expr, Use::Kept);
    }
}

impl Walk<'_, '_> {
    /// Whether a name of the module means this, wherever it is used here.
    fn is_known_as(&self, name: &str, target: &Name) -> bool {
        self.locals.is_empty() && self.sources.name(self.module, name) == *target
    }

    /// What is reached through a name that is not followed may be changed unseen.
    fn import(&mut self, alias: &Alias) {
        let whole = alias.asname.is_some();
        let target = match self.sources.import(self.module, &alias.name, whole) {
            Imported::Outside(_) => return,
            Imported::Pack(node) => Name::Module(node),
            Imported::Unclear => Name::Unclear(""),
        };
        self.uses.all_leaked |= !self.is_known_as(&bound_by_import(alias), &target);
    }

    fn import_from(&mut self, import: &StmtImportFrom) {
        let node = match self.sources.import_from(self.module, import) {
            Imported::Outside(_) => return,
            Imported::Pack(node) => node,
            Imported::Unclear => {
                self.uses.all_leaked = true;
                return;
            }
        };
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                let Some(target) = self.sources.module_of(&node) else { continue };
                for name in self.sources.modules[target].bindings.keys().filter(|name| !name.starts_with('_')) {
                    let found = self.sources.name(target, name);
                    if matches!(found, Name::Value(..) | Name::Module(_)) && !self.is_known_as(name, &found) {
                        self.uses.all_leaked = true;
                    }
                }
                continue;
            }
            match self.sources.member(&node, &alias.name, MAX_HOPS) {
                found if self.is_known_as(&bound_by_import(alias), &found) => {}
                Name::Value(module, at) => {
                    self.uses.leaked.insert((module, at));
                }
                Name::Function(..) | Name::Class(..) | Name::Outside(_) | Name::Builtin(_) => {}
                Name::Module(_) | Name::Unclear(_) => self.uses.all_leaked = true,
            }
        }
    }

    fn imported(&mut self, statement: &Stmt, name: &str) {
        let first = name.split('.').next().unwrap_or_default();
        if HAZARDOUS_MODULES.contains(&first) {
            self.hazard(statement, &format!("the module `{first}`"));
        }
    }
}

/// Calls `part` on the expressions directly inside one.
fn walk_each<'a>(expr: &'a Expr, part: &mut dyn FnMut(&'a Expr)) {
    struct Each<'a, 'f> {
        part: &'f mut dyn FnMut(&'a Expr),
    }
    impl<'a> Visitor<'a> for Each<'a, '_> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            (self.part)(expr);
        }
    }
    walk_expr(&mut Each { part }, expr);
}

pub(super) fn parameter_names(parameters: &Parameters) -> BTreeSet<String> {
    parameters.iter().map(|parameter| parameter.name().as_str().to_owned()).collect()
}

pub(super) fn target_names(target: &Expr, names: &mut BTreeSet<String>) {
    match target {
        Expr::Name(name) => {
            names.insert(name.id.as_str().to_owned());
        }
        Expr::Starred(starred) => target_names(&starred.value, names),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| target_names(target, names)),
        Expr::List(list) => list.elts.iter().for_each(|target| target_names(target, names)),
        _ => {}
    }
}
