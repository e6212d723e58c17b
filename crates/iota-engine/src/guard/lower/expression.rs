//! Expressions.

use super::order::binds;
use super::statement::target;
use super::{Frame, Lowering, all_constant, binary, evaluate_alone, unknown};
use crate::guard::constant::Constant;
use crate::guard::constant::{combine, dict_of, set_literal};
use crate::guard::ir::{Clause, Compare, Expr, Kind, Place, Statement};
use crate::guard::names::Name;
use ruff_python_ast::{self as ast, BoolOp, CmpOp, Number, UnaryOp};
use ruff_text_size::Ranged;
use ruff_text_size::TextSize;
use std::collections::BTreeSet;

impl<'s> Lowering<'s> {
    pub(super) fn reference(&self, frame: &Frame, expr: &ast::Expr) -> Option<Name> {
        if let Some(path) = frame.imported_path(expr) {
            return Some(Name::Outside(path));
        }
        self.sources.reference(frame.module, expr, &|name| frame.slot(name).is_some())
    }

    pub(super) fn boxed(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Box<Expr> {
        Box::new(self.expr(frame, expr))
    }

    pub(super) fn each(&mut self, frame: &mut Frame, parts: &'s [ast::Expr]) -> Vec<Expr> {
        parts.iter().map(|part| self.expr(frame, part)).collect()
    }

    pub(super) fn expr(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Expr {
        let place = Place::new(frame.module, expr.range().start());
        Expr { place, kind: self.kind(frame, expr) }
    }

    pub(super) fn kind(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Kind {
        use ast::Expr as E;
        match expr {
            E::StringLiteral(literal) => {
                let text = literal.value.to_str();
                // What the parser could not represent, a lone surrogate, it replaces.
                if text.contains('\u{FFFD}') {
                    unknown("a text with a lone surrogate")
                } else {
                    Kind::Constant(Constant::text(text))
                }
            }
            E::NumberLiteral(literal) => match &literal.value {
                Number::Int(value) => match value.as_i64().filter(|value| *value <= crate::guard::constant::MAX_INT) {
                    Some(value) => Kind::Constant(Constant::Int(value)),
                    None => unknown("a large number"),
                },
                Number::Float(value) => Kind::Constant(Constant::Float(*value)),
                Number::Complex { .. } => unknown("a complex number"),
            },
            E::BooleanLiteral(literal) => Kind::Constant(Constant::Bool(literal.value)),
            E::NoneLiteral(_) => Kind::Constant(Constant::None),
            E::Name(name) => match frame.slot(&name.id) {
                Some(slot) => Kind::Local(slot),
                None => self.global(frame, expr),
            },
            E::Attribute(_) => self.global(frame, expr),
            E::BoolOp(operation) => {
                let parts = self.each(frame, &operation.values);
                if operation.op == BoolOp::And { Kind::And(parts) } else { Kind::Or(parts) }
            }
            E::UnaryOp(operation) => {
                let operand = self.boxed(frame, &operation.operand);
                match operation.op {
                    UnaryOp::Not => Kind::Not(operand),
                    UnaryOp::USub => Kind::Negative(operand),
                    _ => unknown("an operator that is not followed"),
                }
            }
            E::If(conditional) => Kind::If {
                test: self.boxed(frame, &conditional.test),
                then: self.boxed(frame, &conditional.body),
                otherwise: self.boxed(frame, &conditional.orelse),
            },
            E::Compare(compare) => {
                let left = self.boxed(frame, &compare.left);
                let rest = compare.ops.iter().map(|operator| comparison(*operator));
                Kind::Compare { left, rest: rest.zip(self.each(frame, &compare.comparators)).collect() }
            }
            E::BinOp(operation) => self.operation(frame, operation),
            E::List(list) => self.display(frame, &list.elts, true, |items| Some(Constant::List(items.into())), Kind::List),
            E::Tuple(tuple) => self.display(frame, &tuple.elts, true, |items| Some(Constant::Tuple(items.into())), Kind::Tuple),
            E::Set(set) => self.display(frame, &set.elts, false, set_literal, |_| unknown("a set of values of the record")),
            E::Dict(dict) => self.dict(frame, dict),
            E::FString(string) => self.joined(frame, string),
            E::Subscript(subscript) => self.subscript(frame, subscript),
            E::Named(named) => match named.target.as_name_expr().and_then(|name| frame.slot(&name.id)) {
                Some(slot) => Kind::Assign { slot, value: self.boxed(frame, &named.value) },
                None => unknown("`:=` to something other than a local variable"),
            },
            E::ListComp(of) => {
                self.comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::Collected { clauses, element })
            }
            E::SetComp(of) => self.constant_comprehension(frame, &of.generators, &of.elt),
            // Every run of a comprehension has variables of its own; here they share a slot.
            E::Lambda(_) if frame.comprehensions > 0 => unknown("a lambda in a comprehension"),
            // It would bind a variable of the lambda.
            E::Lambda(lambda) if binds(&lambda.body) => unknown("`:=` in a lambda"),
            E::Lambda(lambda) => {
                let body = |lowering: &mut Self, frame: &mut Frame| {
                    let value = lowering.expr(frame, &lambda.body);
                    vec![Statement::Return { place: value.place, value: Some(value) }]
                };
                match self.closure(frame, lambda.parameters.as_deref(), body) {
                    Some(closure) => Kind::Closure(Box::new(closure)),
                    None => unknown("a lambda with such parameters"),
                }
            }
            E::Call(call) => self.call(frame, call),
            _ => unknown("an expression of a kind that is not followed"),
        }
    }

    /// A name that is not local, or an attribute.
    pub(super) fn global(&mut self, frame: &mut Frame, expr: &'s ast::Expr) -> Kind {
        match self.reference(frame, expr) {
            Some(Name::Value(module, at)) => match self.constant(module, at) {
                Ok(constant) => Kind::Constant(constant),
                Err(why) => unknown(why),
            },
            Some(Name::Function(module, at)) => match self.function(module, at) {
                Ok(id) => Kind::Constant(Constant::Function(id)),
                Err(why) => unknown(why),
            },
            Some(Name::Unclear(why)) => unknown(why),
            Some(Name::Builtin(name) | Name::Outside(name) | Name::Module(name)) => {
                unknown(format!("the name `{name}`, which is not followed"))
            }
            Some(Name::Class(..)) => unknown("a class of the pack"),
            None => unknown("an attribute of a value"),
        }
    }

    pub(super) fn operation(&mut self, frame: &mut Frame, operation: &'s ast::ExprBinOp) -> Kind {
        let (left, right) = (self.boxed(frame, &operation.left), self.boxed(frame, &operation.right));
        let Some(operator) = binary(operation.op) else { return unknown("an operator that is not followed") };
        if let (Kind::Constant(a), Kind::Constant(b)) = (&left.kind, &right.kind)
            && let Some(both) = combine(a, operator, b)
        {
            return Kind::Constant(both);
        }
        Kind::Binary { left, operator, right }
    }

    /// `ordered`: the order of the elements can be seen in what is made of them.
    fn display(
        &mut self,
        frame: &mut Frame,
        elements: &'s [ast::Expr],
        ordered: bool,
        constant: impl FnOnce(Vec<Constant>) -> Option<Constant>,
        dynamic: impl FnOnce(Vec<Expr>) -> Kind,
    ) -> Kind {
        let mut parts = Vec::new();
        for element in elements {
            if let ast::Expr::Starred(starred) = element {
                // `[*CONSTANT, ...]`: of a set the order is not known.
                match self.expr(frame, &starred.value).kind {
                    Kind::Constant(Constant::List(items) | Constant::Tuple(items)) => {
                        let place = Place::new(frame.module, starred.range.start());
                        parts.extend(items.into_vec().into_iter().map(|item| Expr { place, kind: Kind::Constant(item) }));
                    }
                    Kind::Constant(Constant::Set(set) | Constant::FrozenSet(set)) if set.len() < 2 || !ordered => {
                        let place = Place::new(frame.module, starred.range.start());
                        parts.extend(set.items().into_iter().map(|item| Expr { place, kind: Kind::Constant(item) }));
                    }
                    _ => return unknown("`*` of a value that is not constant"),
                }
            } else {
                parts.push(self.expr(frame, element));
            }
        }
        match all_constant(&parts) {
            Some(items) => constant(items).map_or_else(|| unknown("a container of such values"), Kind::Constant),
            None => dynamic(parts),
        }
    }

    pub(super) fn dict(&mut self, frame: &mut Frame, dict: &'s ast::ExprDict) -> Kind {
        let mut entries = Vec::new();
        for item in &dict.items {
            let value = self.expr(frame, &item.value).kind;
            match (&item.key, value) {
                (Some(key), Kind::Constant(value)) => match self.expr(frame, key).kind {
                    Kind::Constant(key) => entries.push((key, value)),
                    _ => return unknown("a dict of values of the record"),
                },
                (None, Kind::Constant(Constant::Dict(dict))) => entries.extend(dict.entries.iter().cloned()),
                _ => return unknown("a dict of values of the record"),
            }
        }
        dict_of(entries).map_or_else(|| unknown("a dict with such keys"), Kind::Constant)
    }

    pub(super) fn joined(&mut self, frame: &mut Frame, string: &'s ast::ExprFString) -> Kind {
        let mut parts = Vec::new();
        let literal = |frame: &Frame, text: &str, offset: TextSize| {
            let place = Place::new(frame.module, offset);
            Expr { place, kind: Kind::Constant(Constant::text(text)) }
        };
        for part in string.value.as_slice() {
            match part {
                ast::FStringPart::Literal(text) if text.value.contains('\u{FFFD}') => {
                    return unknown("a text with a lone surrogate");
                }
                ast::FStringPart::Literal(text) => parts.push(literal(frame, text, text.range.start())),
                ast::FStringPart::FString(inner) => {
                    for element in &inner.elements {
                        match element {
                            ast::InterpolatedStringElement::Literal(text) => {
                                if text.value.contains('\u{FFFD}') {
                                    return unknown("a text with a lone surrogate");
                                }
                                parts.push(literal(frame, &text.value, text.range.start()));
                            }
                            ast::InterpolatedStringElement::Interpolation(value) => {
                                let plain = value.debug_text.is_none()
                                    && value.format_spec.is_none()
                                    && value.conversion == ast::ConversionFlag::None;
                                if !plain {
                                    return unknown("a formatted value");
                                }
                                parts.push(self.expr(frame, &value.expression));
                            }
                        }
                    }
                }
            }
        }
        Kind::Joined(parts)
    }

    pub(super) fn subscript(&mut self, frame: &mut Frame, subscript: &'s ast::ExprSubscript) -> Kind {
        let value = self.boxed(frame, &subscript.value);
        let ast::Expr::Slice(slice) = &*subscript.slice else {
            return Kind::Index { value, index: self.boxed(frame, &subscript.slice) };
        };
        let mut bound = |bound: &'s Option<Box<ast::Expr>>| match bound {
            None => Some(None),
            Some(expr) => match self.expr(frame, expr).kind {
                Kind::Constant(Constant::Int(at)) => Some(Some(at)),
                Kind::Negative(of) => match of.kind {
                    Kind::Constant(Constant::Int(at)) => Some(Some(-at)),
                    _ => None,
                },
                _ => None,
            },
        };
        match (bound(&slice.lower), bound(&slice.upper), &slice.step) {
            (Some(lower), Some(upper), None) => Kind::Slice { value, lower, upper },
            _ => unknown("a slice with such bounds"),
        }
    }

    pub(super) fn comprehension(
        &mut self,
        frame: &mut Frame,
        generators: &'s [ast::Comprehension],
        element: &'s ast::Expr,
        make: impl FnOnce(Vec<Clause>, Box<Expr>) -> Kind,
    ) -> Kind {
        let [first, ..] = generators else { return unknown("a comprehension of nothing") };
        // The first iterable is evaluated outside; all targets together are the scope inside.
        let mut iterable = Some(self.expr(frame, &first.iter));
        let mut names = BTreeSet::new();
        for generator in generators {
            crate::guard::scope::target_names(&generator.target, &mut names);
        }
        frame.add_scope(names);
        frame.comprehensions += 1;
        let mut clauses = Vec::new();
        for generator in generators {
            let iterable = iterable.take().unwrap_or_else(|| self.expr(frame, &generator.iter));
            let Some(of) = target(frame, &generator.target).filter(|_| !generator.is_async) else { break };
            let conditions = self.each(frame, &generator.ifs);
            clauses.push(Clause { target: of, iterable, conditions });
        }
        let element = self.boxed(frame, element);
        frame.comprehensions -= 1;
        frame.scopes.pop();
        if clauses.len() < generators.len() {
            return unknown("a comprehension over such a target");
        }
        make(clauses, element)
    }

    /// A set comprehension: only of constants.
    pub(super) fn constant_comprehension(
        &mut self,
        frame: &mut Frame,
        generators: &'s [ast::Comprehension],
        element: &'s ast::Expr,
    ) -> Kind {
        let kind = self.comprehension(frame, generators, element, |clauses, element| Kind::Collected { clauses, element });
        let place = Place::new(frame.module, element.range().start());
        if frame.scopes.iter().any(|scope| !scope.is_empty()) {
            return unknown("a set of values of the record");
        }
        // Evaluated in any order: a set does not show it.
        let items = evaluate_alone(frame.slots, Expr { place, kind });
        match items {
            Some(Constant::List(items)) => {
                set_literal(items.into_vec()).map_or_else(|| unknown("a set of such values"), Kind::Constant)
            }
            _ => unknown("a set of such values"),
        }
    }
}

pub(super) fn comparison(operator: CmpOp) -> Compare {
    match operator {
        CmpOp::Eq => Compare::Equal,
        CmpOp::NotEq => Compare::NotEqual,
        CmpOp::Lt => Compare::Less,
        CmpOp::LtE => Compare::LessOrEqual,
        CmpOp::Gt => Compare::Greater,
        CmpOp::GtE => Compare::GreaterOrEqual,
        CmpOp::Is => Compare::Is,
        CmpOp::IsNot => Compare::IsNot,
        CmpOp::In => Compare::In,
        CmpOp::NotIn => Compare::NotIn,
    }
}
