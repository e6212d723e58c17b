//! Expressions: what becomes of the values of the constants in them.

use super::hazards::is_sys;
use super::reads::only_reads;
use super::{Use, Walk};
use crate::guard::names::Name;
use crate::guard::scope::{parameter_names, target_names};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Comprehension, Expr, ExprCall, ExprContext};
use std::collections::BTreeSet;

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
/// Builtins that make texts and containers.
const MAKING: [&str; 7] = ["dict", "frozenset", "list", "set", "sorted", "str", "tuple"];
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

impl<'a> Walk<'a, '_> {
    /// Visits an expression whose value is used in this way.
    pub(super) fn value(&mut self, expr: &'a Expr, used: Use) {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) => {
                match self.resolve(expr) {
                    Some(Name::Value(module, at)) => {
                        let place = self.place(expr);
                        match used {
                            Use::Read => {}
                            Use::Opened => _ = self.uses.opened.entry((module, at)).or_insert(place),
                            Use::Kept => _ = self.uses.leaked.entry((module, at)).or_insert(place),
                        }
                    }
                    // Whoever has it can reach, and replace, what is in it.
                    Some(Name::Module(_)) if used != Use::Read => self.hazard(expr, "a module as a value"),
                    Some(Name::Outside(path)) if used != Use::Read && is_sys(&path) => self.hazard(expr, "`sys` as a value"),
                    _ => {}
                }
                self.check(expr);
                if let Expr::Attribute(attribute) = expr {
                    if used != Use::Read {
                        self.check_handlers(attribute);
                    }
                    match self.resolve(&attribute.value) {
                        Some(Name::Module(_)) => {
                            if matches!(self.resolve(expr), Some(Name::Unclear(_))) {
                                self.leak_all(expr);
                            }
                            self.check(&attribute.value);
                        }
                        Some(Name::Outside(_)) => self.value(&attribute.value, Use::Read),
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
                let used = if self.overloads { Use::Kept } else { Use::Read };
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
                let used = if self.overloads { Use::Kept } else { Use::Opened };
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

    fn comprehension(&mut self, generators: &'a [Comprehension], elements: &[&'a Expr]) {
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

    fn call(&mut self, call: &'a ExprCall, used: Use) {
        let target = self.resolve(&call.func);
        self.check_logging(call);
        let mut on_arguments = Use::Kept;
        match (&*call.func, target) {
            (_, Some(Name::Builtin(name))) => {
                // With more than one argument some of them hand out what they were given: `max([], default=X)`.
                let one = call.arguments.args.len() == 1 && call.arguments.keywords.is_empty();
                if READERS.contains(&name.as_str()) && (one || matches!(name.as_str(), "print" | "isinstance" | "zip")) {
                    on_arguments = match name.as_str() {
                        // Asks the class of the class.
                        "isinstance" if self.overloads => Use::Kept,
                        "len" | "any" | "all" | "isinstance" | "bool" | "str" | "repr" => Use::Read,
                        _ => Use::Opened,
                    };
                }
                self.check(&call.func);
            }
            (func, Some(_)) => self.value(func, Use::Read),
            (Expr::Attribute(attribute), None)
                if READING.contains(&attribute.attr.as_str())
                    && (!self.attributes.may_be(&attribute.attr) || self.is_container(&attribute.value)) =>
            {
                self.check(&call.func);
                let gives = matches!(attribute.attr.as_str(), "get" | "values" | "items" | "copy" | "union" | "difference");
                // Elements are compared with what they look for.
                let compares = self.overloads && matches!(attribute.attr.as_str(), "index" | "count");
                let read = if gives && used != Use::Read || compares { Use::Opened } else { Use::Read };
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
            let read_only = helper.is_some_and(|(module, at)| !self.overloads && only_reads(self.sources, module, at, position));
            self.value(argument, if read_only { Use::Opened } else { on_arguments });
        }
        call.arguments.keywords.iter().for_each(|keyword| self.value(&keyword.value, on_arguments));
    }
}

impl Walk<'_, '_> {
    /// Whether a value certainly is a text or a container of Python's own, with the methods of one.
    fn is_container(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) => match self.resolve(expr) {
                Some(Name::Value(module, at)) => self.sources.value(module, at).is_some_and(is_display),
                _ => false,
            },
            Expr::Call(call) => matches!(self.resolve(&call.func), Some(Name::Builtin(name)) if MAKING.contains(&name.as_str())),
            _ => is_display(expr),
        }
    }
}

/// Whether an expression is a container, whatever its names mean.
fn is_display(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::List(_)
            | Expr::Set(_)
            | Expr::Dict(_)
            | Expr::Tuple(_)
            | Expr::StringLiteral(_)
            | Expr::FString(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_)
    )
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
