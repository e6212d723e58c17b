//! Tests of the value in a variable: equality, texts, containers, order. All of them give a bool.

use super::Writer;
use crate::guard::constant::Constant;
use crate::guard::ir::{Argument, Arguments, Clause, Compare, Expr, Kind, Slot, Target};
use crate::guard::operation::Method;

/// What a value is compared with: what the metadata says, or another value of the record.
pub(super) enum Operand {
    Constant(Constant),
    Slot(Slot),
}

/// Texts as they are, or in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Exact,
    Ignored,
}

/// What a condition asks of a value and an operand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    Equals(Case),
    Affix(Method, Case),
    Contains(Case),
    Ordered(Compare),
}

impl Test {
    /// With whether the condition holds where the test does not.
    pub(super) fn named(condition: &str) -> Option<(Self, bool)> {
        use Case::{Exact, Ignored};
        use Method::{EndsWith, StartsWith};
        Some(match condition {
            "Equals" => (Self::Equals(Exact), false),
            "DoesNotEqual" => (Self::Equals(Exact), true),
            "IEquals" => (Self::Equals(Ignored), false),
            "IDoesNotEqual" => (Self::Equals(Ignored), true),
            "StartsWith" => (Self::Affix(StartsWith, Exact), false),
            "DoesNotStartWith" => (Self::Affix(StartsWith, Exact), true),
            "IStartsWith" => (Self::Affix(StartsWith, Ignored), false),
            "IDoesNotStartWith" => (Self::Affix(StartsWith, Ignored), true),
            "EndsWith" => (Self::Affix(EndsWith, Exact), false),
            "DoesNotEndWith" => (Self::Affix(EndsWith, Exact), true),
            "IEndsWith" => (Self::Affix(EndsWith, Ignored), false),
            "IDoesNotEndWith" => (Self::Affix(EndsWith, Ignored), true),
            "Contains" => (Self::Contains(Exact), false),
            "DoesNotContain" => (Self::Contains(Exact), true),
            "IContains" => (Self::Contains(Ignored), false),
            "IDoesNotContain" => (Self::Contains(Ignored), true),
            "IsGreaterThan" => (Self::Ordered(Compare::Greater), false),
            "IsGreaterThanOrEqual" | "IsGreaterThanOrEquals" => (Self::Ordered(Compare::GreaterOrEqual), false),
            "IsLessThan" => (Self::Ordered(Compare::Less), false),
            "IsLessThanOrEqual" | "IsLessThanOrEquals" => (Self::Ordered(Compare::LessOrEqual), false),
            _ => return None,
        })
    }
}

impl Writer {
    pub(super) fn test(&mut self, test: Test, slot: Slot, operand: &Operand) -> Expr {
        match test {
            Test::Equals(Case::Exact) => self.same(slot, operand),
            Test::Equals(Case::Ignored) => self.same_ignoring_case(slot, operand),
            Test::Affix(method, case) => self.on_texts(slot, operand, case, |writer, value, affix| {
                let arguments = Arguments { positional: vec![Argument { value: affix, spread: false }], keywords: Vec::new() };
                writer.expr(Kind::Method { object: Box::new(value), method, arguments })
            }),
            Test::Contains(case) => self.contains(slot, operand, case),
            Test::Ordered(operator) => self.ordered(slot, operand, operator),
        }
    }

    /// Equality that keeps bools and numbers apart.
    pub(super) fn same(&mut self, slot: Slot, operand: &Operand) -> Expr {
        let (value, other) = (self.local(slot), self.operand(operand));
        match operand {
            Operand::Constant(Constant::Bool(_)) => self.compare(value, Compare::Is, other),
            Operand::Constant(Constant::Int(_) | Constant::Float(_)) => {
                let not_bool = self.is_of(slot, &["bool"]);
                let parts = vec![self.inverted(not_bool, true), self.compare(value, Compare::Equal, other)];
                self.expr(Kind::And(parts))
            }
            Operand::Constant(_) => self.compare(value, Compare::Equal, other),
            Operand::Slot(right) => {
                let (left, right) = (self.is_of(slot, &["bool"]), self.is_of(*right, &["bool"]));
                let alike = self.compare(left, Compare::Equal, right);
                let parts = vec![alike, self.compare(value, Compare::Equal, other)];
                self.expr(Kind::And(parts))
            }
        }
    }

    fn same_ignoring_case(&mut self, slot: Slot, operand: &Operand) -> Expr {
        let texts = self.on_texts(slot, operand, Case::Ignored, |writer, a, b| writer.compare(a, Compare::Equal, b));
        match operand {
            Operand::Constant(Constant::Text(_)) => texts,
            Operand::Constant(_) => self.same(slot, operand),
            Operand::Slot(other) => {
                let (both, same) = (self.are_texts(slot, *other), self.same(slot, operand));
                self.choice(both, texts, same)
            }
        }
    }

    /// A test of two texts; false where one of them is none.
    fn on_texts(
        &mut self,
        slot: Slot,
        operand: &Operand,
        case: Case,
        compare: impl FnOnce(&mut Self, Expr, Expr) -> Expr,
    ) -> Expr {
        let (both, other) = match operand {
            Operand::Constant(Constant::Text(text)) => {
                (self.is_of(slot, &["str"]), self.constant(Constant::Text(in_case(text, case))))
            }
            Operand::Constant(_) => return self.answer(false),
            Operand::Slot(other) => (self.are_texts(slot, *other), self.text_of(*other, case)),
        };
        // The fold of a text that is not ASCII is Python's.
        if case == Case::Ignored && matches!(operand, Operand::Constant(Constant::Text(text)) if !text.is_ascii()) {
            return self.unknown("a text that is not ASCII, in any case");
        }
        let value = self.text_of(slot, case);
        let parts = vec![both, compare(self, value, other)];
        self.expr(Kind::And(parts))
    }

    /// A part of a text, or an element of a list.
    fn contains(&mut self, slot: Slot, operand: &Operand, case: Case) -> Expr {
        let in_text = self.on_texts(slot, operand, case, |writer, whole, part| writer.compare(part, Compare::In, whole));
        let element = self.slot();
        let equal = match case {
            Case::Exact => self.same(element, operand),
            Case::Ignored => self.same_ignoring_case(element, operand),
        };
        let clauses = vec![Clause { target: Target::Slot(element), iterable: self.local(slot), conditions: Vec::new() }];
        let in_list = self.quantified(false, clauses, equal);
        let (list, nowhere) = (self.is_of(slot, &["list"]), self.answer(false));
        let otherwise = self.choice(list, in_list, nowhere);
        let string = self.is_of(slot, &["str"]);
        self.choice(string, in_text, otherwise)
    }

    /// Of two numbers, none of them a bool, or of two texts.
    fn ordered(&mut self, slot: Slot, operand: &Operand, operator: Compare) -> Expr {
        let numbers = ["int", "float"];
        let compare = |writer: &mut Self| {
            let (value, other) = (writer.local(slot), writer.operand(operand));
            writer.compare(value, operator, other)
        };
        match operand {
            Operand::Constant(Constant::Int(_) | Constant::Float(_)) => {
                let (number, bool) = (self.is_of(slot, &numbers), self.is_of(slot, &["bool"]));
                let parts = vec![number, self.inverted(bool, true), compare(self)];
                self.expr(Kind::And(parts))
            }
            Operand::Constant(Constant::Text(_)) => {
                let parts = vec![self.is_of(slot, &["str"]), compare(self)];
                self.expr(Kind::And(parts))
            }
            Operand::Constant(_) => self.answer(false),
            Operand::Slot(other) => {
                let of_both = |writer: &mut Self, types: &[&str]| {
                    let parts = vec![writer.is_of(slot, types), writer.is_of(*other, types)];
                    writer.expr(Kind::And(parts))
                };
                let (both_numbers, both_texts) = (of_both(self, &numbers), of_both(self, &["str"]));
                let (left, right) = (self.is_of(slot, &["bool"]), self.is_of(*other, &["bool"]));
                let parts = vec![self.inverted(left, true), self.inverted(right, true), compare(self)];
                let as_numbers = self.expr(Kind::And(parts));
                let parts = vec![both_texts, compare(self)];
                let as_texts = self.expr(Kind::And(parts));
                self.choice(both_numbers, as_numbers, as_texts)
            }
        }
    }
}

fn in_case(text: &[u8], case: Case) -> Box<[u8]> {
    match case {
        Case::Exact => text.into(),
        Case::Ignored => text.to_ascii_lowercase().into(),
    }
}
