//! Expressions: what becomes of the values of the constants in them.

use super::methods::Overload;
use super::reads::only_reads;
use super::{Change, Use, Walk};
use crate::guard::names::Name;
use crate::guard::scope::{parameter_names, target_names};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{CmpOp, Comprehension, Expr, ExprCall, ExprContext};
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
                        if let Use::GoesOn(depth, to) = used {
                            let change = match to {
                                Some(Overload { name, place }) => Change { place, operator: Some(name) },
                                None => Change { place: self.place(expr), operator: None },
                            };
                            self.uses.give((module, at), depth, change);
                        }
                    }
                    // Whoever has it can reach, and replace, what is in it.
                    Some(Name::Module(_)) if used != Use::Read => self.hazard(expr, "a module as a value"),
                    _ => {}
                }
                self.check(expr);
                if let Expr::Attribute(attribute) = expr {
                    match self.resolve(&attribute.value) {
                        Some(Name::Module(_)) => {
                            if matches!(self.resolve(expr), Some(Name::Unclear(_))) {
                                self.leak_all(expr);
                            }
                            self.check(&attribute.value);
                        }
                        // `x.attr` of a value that is no module: what it gives is not followed.
                        _ => self.value(&attribute.value, Use::KEPT),
                    }
                }
            }
            Expr::Subscript(subscript) if subscript.ctx == ExprContext::Load => {
                // A slice gives the same elements in a new container, and what a variable is, nobody knows.
                let of_element = matches!(&*subscript.slice, Expr::StringLiteral(_) | Expr::NumberLiteral(_));
                self.value(&subscript.value, if of_element { used.of_element() } else { used.of_same_elements() });
                self.visit_expr(&subscript.slice);
            }
            Expr::Compare(compare) => {
                let used = self.methods.comparison.map_or(Use::Read, |to| Use::GoesOn(0, Some(to)));
                self.value(&compare.left, used);
                match (&*compare.ops, &*compare.comparators) {
                    // A list, set or dict looks into itself: only its elements are handed to what is looked for.
                    ([CmpOp::In | CmpOp::NotIn], [container]) => self.value(container, used.of_element()),
                    (_, comparators) => comparators.iter().for_each(|expr| self.value(expr, used)),
                }
            }
            Expr::BoolOp(operation) => operation.values.iter().for_each(|expr| self.value(expr, used)),
            Expr::UnaryOp(operation) => self.value(&operation.operand, Use::Read),
            Expr::If(conditional) => {
                self.value(&conditional.test, Use::Read);
                self.value(&conditional.body, used);
                self.value(&conditional.orelse, used);
            }
            Expr::BinOp(operation) => {
                let used = self.methods.arithmetic.map_or(Use::OPENED, |to| Use::GoesOn(0, Some(to)));
                self.value(&operation.left, used);
                self.value(&operation.right, used);
            }
            Expr::Starred(starred) => self.value(&starred.value, Use::OPENED),
            Expr::Dict(dict) => {
                for item in &dict.items {
                    match &item.key {
                        Some(key) => {
                            self.value(key, Use::KEPT);
                            self.value(&item.value, Use::KEPT);
                        }
                        None => self.value(&item.value, Use::OPENED),
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
                self.value(&lambda.body, Use::KEPT);
                self.locals.pop();
            }
            // Whatever else: its parts go on to somewhere.
            _ => {
                self.check(expr);
                walk_each(expr, &mut |part| self.value(part, Use::KEPT));
            }
        }
    }

    fn comprehension(&mut self, generators: &'a [Comprehension], elements: &[&'a Expr]) {
        let mut names = BTreeSet::new();
        for generator in generators {
            self.value(&generator.iter, Use::OPENED);
            target_names(&generator.target, &mut names);
            self.store(&generator.target);
            self.locals.push(std::mem::take(&mut names));
            generator.ifs.iter().for_each(|test| self.value(test, Use::Read));
        }
        for element in elements {
            self.value(element, Use::KEPT);
        }
        self.locals.truncate(self.locals.len() - generators.len());
    }

    fn call(&mut self, call: &'a ExprCall, used: Use) {
        let target = self.resolve(&call.func);
        let mut on_arguments = Use::KEPT;
        match (&*call.func, target) {
            (_, Some(Name::Builtin(name))) => {
                // With more than one argument some of them hand out what they were given: `max([], default=X)`.
                let one = call.arguments.args.len() == 1 && call.arguments.keywords.is_empty();
                if READERS.contains(&name.as_str()) && (one || matches!(name.as_str(), "print" | "isinstance" | "zip")) {
                    on_arguments = if matches!(name.as_str(), "len" | "any" | "all" | "isinstance" | "bool" | "str" | "repr") {
                        Use::Read
                    } else {
                        Use::OPENED
                    };
                }
                self.check(&call.func);
            }
            (func, Some(_)) => self.value(func, Use::Read),
            (Expr::Attribute(attribute), None)
                if READING.contains(&attribute.attr.as_str()) && !self.methods.names.contains(attribute.attr.as_str()) =>
            {
                self.check(&call.func);
                self.value(
                    &attribute.value,
                    match attribute.attr.as_str() {
                        // Of dicts only.
                        "get" => used.of_element(),
                        "values" | "items" | "copy" | "union" | "difference" if used != Use::Read => Use::OPENED,
                        // Compared with what is looked for.
                        "index" | "count" => self.methods.comparison.map_or(Use::Read, |to| Use::GoesOn(1, Some(to))),
                        _ => Use::Read,
                    },
                );
                // Methods that only read take other containers as arguments to read them as well.
                on_arguments = if matches!(attribute.attr.as_str(), "get" | "index" | "count") { Use::KEPT } else { Use::OPENED };
            }
            (func, None) => self.value(func, Use::KEPT),
        }
        // A helper of the pack reads its argument, if that is all it does with the parameter.
        let helper = match self.resolve(&call.func) {
            Some(Name::Function(module, at)) => Some((module, at)),
            _ => None,
        };
        let compares = self.methods.comparison.is_none();
        let spread = call.arguments.args.iter().position(Expr::is_starred_expr).unwrap_or(usize::MAX);
        for (position, argument) in call.arguments.args.iter().enumerate() {
            let helper = helper.filter(|_| position < spread);
            let read_only = helper.is_some_and(|(module, at)| only_reads(self.sources, module, at, position, compares));
            self.value(argument, if read_only { Use::OPENED } else { on_arguments });
        }
        call.arguments.keywords.iter().for_each(|keyword| self.value(&keyword.value, on_arguments));
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
