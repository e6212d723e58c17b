//! Match expressions, written in YAML, to the form that is evaluated: what `iota_worker/expressions.py` makes of them.
//! An expression of which only Python knows the meaning is `Unknown`; one that Python rejects is never run at all.

mod compare;
mod path;

use super::address::{AddressTest, address, network};
use super::constant::Constant;
use super::ir::{Arguments, Clause, Compare, Expr, Function, Kind, Missing, Order, Place, Slot, Statement, Step, Target};
use super::lower::{MAX_SLOTS, of_config};
use super::operation::{Builtin, Method};
use compare::{Case, Operand, Test};
use path::{path_of, texts_of};
use serde_json::{Map, Value as Json};

/// Characters of a condition that are shown.
const MOST_SHOWN: usize = 200;

/// What expressions are for, and so what they make of a path that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Of an inline filter: it lets the record pass.
    Filter,
    /// Of a `Detection`: null is tested.
    Detection,
}

/// The function that answers as the expressions do. `section`: where they stand in the metadata; `conditions`: where each
/// of their conditions does, in order.
pub(super) fn lower(expressions: &Json, meaning: Meaning, section: Place, conditions: Vec<Place>) -> Function {
    let (place, conditions) = (section, conditions.into_iter());
    let mut writer = Writer { meaning, root: None, slots: 0, most_slots: 0, place, conditions };
    let value = writer.all(expressions);
    let body = if writer.most_slots > MAX_SLOTS {
        vec![Statement::Unknown(place, "too many match expressions in one another".into())]
    } else {
        vec![Statement::Return { place, value: Some(value) }]
    };
    Function { place, parameters: Vec::new(), rest: None, slots: writer.most_slots.min(MAX_SLOTS), body }
}

/// Each condition with its keys, in the order in which `lower` comes to them, on one line and cut to be read at a glance.
pub(super) fn shown(expressions: &Json, lines: &mut Vec<String>) {
    match expressions {
        Json::Array(items) => items.iter().for_each(|item| shown(item, lines)),
        Json::Object(expression) => {
            if let Some(parts) = COMBINATORS.iter().find_map(|(name, _)| expression.get(*name)) {
                return shown(parts, lines);
            }
            let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let keys = ["Key", "DeepKey", "KeyPath", "Condition", "Value", "Values"];
            let parts = keys.iter().filter_map(|key| Some(format!("{key}: {}", text(expression.get(*key)?))));
            lines.push(parts.collect::<Vec<_>>().join(", ").chars().take(MOST_SHOWN).collect());
            if let Some(of_elements) = expression.get("Expressions") {
                shown(of_elements, lines);
            }
        }
        _ => {}
    }
}

struct Writer {
    meaning: Meaning,
    /// The element of a list that the expressions are about; the record without one.
    root: Option<Slot>,
    /// Variables in use, and the most there were.
    slots: Slot,
    most_slots: Slot,
    /// Of the condition that is lowered.
    place: Place,
    conditions: std::vec::IntoIter<Place>,
}

impl Writer {
    /// A list of expressions, or one: all of them hold.
    fn all(&mut self, expressions: &Json) -> Expr {
        let parts = self.each(expressions);
        self.expr(Kind::And(parts))
    }

    fn each(&mut self, expressions: &Json) -> Vec<Expr> {
        match expressions {
            Json::Array(items) if !items.is_empty() => items.iter().map(|item| self.one(item)).collect(),
            Json::Object(_) => vec![self.one(expressions)],
            _ => vec![self.unknown("what is not a list of match expressions")],
        }
    }

    fn one(&mut self, expression: &Json) -> Expr {
        let Json::Object(expression) = expression else { return self.unknown("what is not a match expression") };
        for (name, combine) in COMBINATORS {
            if let Some(parts) = expression.get(name) {
                let parts = self.each(parts);
                return combine(self, parts);
            }
        }
        if let Some(place) = self.conditions.next() {
            self.place = place;
        }
        match expression.get("Condition").and_then(Json::as_str) {
            Some(condition) => self.condition(condition, expression),
            None => self.unknown("a match expression without a condition"),
        }
    }

    fn condition(&mut self, condition: &str, expression: &Map<String, Json>) -> Expr {
        match condition {
            "AlwaysTrue" => return self.answer(true),
            "AlwaysFalse" => return self.answer(false),
            "AnyElement" | "AllElements" | "OnlyOneElement" | "NoElement" => return self.elements(condition, expression),
            _ => {}
        }
        let test = Test::named(condition);
        if let (Some((test, inverse)), Some(keys)) = (test, expression.get("Values")) {
            return self.two_keys(test, inverse, keys);
        }
        let Some(path) = path_of(expression) else { return self.unknown("a path that is not followed") };
        match condition {
            "Exists" | "DoesNotExist" => {
                let exists = self.answer(condition == "Exists");
                return self.find(path, Missing::Answer(condition != "Exists"), |_, _| exists);
            }
            _ => {}
        }
        let missing = self.missing();
        self.find(path, missing, |writer, slot| match test {
            Some((test, inverse)) => match expression.get("Value").map(of_config) {
                Some(Some(operand)) => {
                    let result = writer.test(test, slot, &Operand::Constant(operand));
                    writer.inverted(result, inverse)
                }
                _ => writer.unknown("a value that is not followed"),
            },
            None => writer.other(condition, slot, expression),
        })
    }

    /// What takes no value, or a list of them.
    fn other(&mut self, condition: &str, slot: Slot, expression: &Map<String, Json>) -> Expr {
        let (result, inverse) = match condition {
            "IsNull" => (self.is_null(slot), false),
            "IsNotNull" => (self.is_null(slot), true),
            "IsNullOrEmpty" => (self.is_null_or_empty(slot), false),
            "IsNotNullOrEmpty" => (self.is_null_or_empty(slot), true),
            "IsIn" => (self.is_in(slot, expression), false),
            "IsNotIn" => (self.is_in(slot, expression), true),
            "IsIPAddress" => (self.address(slot, AddressTest::Address), false),
            "IsIPv4Address" => (self.address(slot, AddressTest::Version4), false),
            "IsIPv6Address" => (self.address(slot, AddressTest::Version6), false),
            "IsIPAddressPrivate" | "IsIPAddressPublic" => (self.address(slot, AddressTest::Range), false),
            "IsIPAddressInCIDR" | "IsIPAddressNotInCIDR" => {
                let networks = texts_of(expression).and_then(|texts| texts.into_iter().map(|text| network(text).ok()?).collect());
                let Some(networks) = networks else { return self.unknown("a network that is not followed") };
                (self.address(slot, AddressTest::Within(networks)), condition == "IsIPAddressNotInCIDR")
            }
            "CIDRContainsIPAddresses" | "CIDRDoesNotContainIPAddresses" => {
                let addresses =
                    texts_of(expression).and_then(|texts| texts.into_iter().map(|text| address(text).ok()?).collect());
                let Some(addresses) = addresses else { return self.unknown("an address that is not followed") };
                (self.address(slot, AddressTest::Holds(addresses)), condition == "CIDRDoesNotContainIPAddresses")
            }
            _ => (self.unknown("a condition that is not followed"), false),
        };
        self.inverted(result, inverse)
    }

    /// Compares the values of two keys.
    fn two_keys(&mut self, test: Test, inverse: bool, keys: &Json) -> Expr {
        let paths = keys.as_array().and_then(|keys| match keys.as_slice() {
            [Json::Object(left), Json::Object(right)] => Some((path_of(left)?, path_of(right)?)),
            _ => None,
        });
        let Some((left, right)) = paths else { return self.unknown("keys that are not followed") };
        let missing = self.missing();
        self.find(left, missing, |writer, left| {
            writer.find(right, missing, |writer, right| {
                let result = writer.test(test, left, &Operand::Slot(right));
                writer.inverted(result, inverse)
            })
        })
    }

    /// Conditions on the elements of a list; what is no list has none, and does not count as an empty one.
    fn elements(&mut self, condition: &str, expression: &Map<String, Json>) -> Expr {
        let Some(path) = path_of(expression) else { return self.unknown("a path that is not followed") };
        let without = condition == "NoElement";
        let missing = Missing::Answer(without || self.meaning == Meaning::Filter);
        self.find(path, missing, |writer, list| {
            let element = writer.slot();
            let outer = (writer.root.replace(element), std::mem::replace(&mut writer.meaning, Meaning::Detection));
            let matches = writer.all(expression.get("Expressions").unwrap_or(&Json::Null));
            (writer.root, writer.meaning) = outer;
            let iterable = writer.local(list);
            let clause = |conditions| vec![Clause { target: Target::Slot(element), iterable, conditions }];
            let decided = match condition {
                "AnyElement" | "NoElement" => {
                    let any = writer.quantified(false, clause(Vec::new()), matches);
                    writer.inverted(any, without)
                }
                "AllElements" => writer.quantified(true, clause(Vec::new()), matches),
                _ => {
                    let clauses = clause(vec![matches]);
                    writer.exactly_one(clauses, element)
                }
            };
            let (is_list, otherwise) = (writer.is_of(list, &["list"]), writer.answer(without));
            writer.choice(is_list, decided, otherwise)
        })
    }

    fn is_null(&mut self, slot: Slot) -> Expr {
        let (value, none) = (self.local(slot), self.constant(Constant::None));
        self.compare(value, Compare::Is, none)
    }

    fn is_null_or_empty(&mut self, slot: Slot) -> Expr {
        let mut parts = vec![self.is_null(slot)];
        for empty in [Constant::text(""), Constant::List(Box::default()), Constant::Dict(Box::default())] {
            let (value, empty) = (self.local(slot), self.constant(empty));
            parts.push(self.compare(value, Compare::Equal, empty));
        }
        self.expr(Kind::Or(parts))
    }

    fn is_in(&mut self, slot: Slot, expression: &Map<String, Json>) -> Expr {
        let values: Option<Vec<Constant>> =
            expression.get("Values").and_then(Json::as_array).and_then(|values| values.iter().map(of_config).collect());
        let Some(values) = values else { return self.unknown("values that are not followed") };
        // Texts are told from everything else by `==`, so `in` does for them.
        let (texts, others): (Vec<_>, Vec<_>) =
            values.into_iter().partition(|value| matches!(value, Constant::Text(_) | Constant::None));
        let (value, list) = (self.local(slot), self.constant(Constant::List(texts.into())));
        let mut parts = vec![self.compare(value, Compare::In, list)];
        for other in others {
            parts.push(self.same(slot, &Operand::Constant(other)));
        }
        self.expr(Kind::Or(parts))
    }

    fn address(&mut self, slot: Slot, test: AddressTest) -> Expr {
        let value = Box::new(self.local(slot));
        self.expr(Kind::Address { value, test })
    }

    // ---- parts of expressions

    fn expr(&self, kind: Kind) -> Expr {
        Expr { place: self.place, kind }
    }

    fn unknown(&self, why: &'static str) -> Expr {
        self.expr(Kind::Unknown(why.into()))
    }

    fn constant(&self, constant: Constant) -> Expr {
        self.expr(Kind::Constant(constant))
    }

    fn answer(&self, answer: bool) -> Expr {
        self.constant(Constant::Bool(answer))
    }

    fn local(&self, slot: Slot) -> Expr {
        self.expr(Kind::Local(slot))
    }

    fn operand(&self, operand: &Operand) -> Expr {
        match operand {
            Operand::Constant(constant) => self.constant(constant.clone()),
            Operand::Slot(slot) => self.local(*slot),
        }
    }

    fn slot(&mut self) -> Slot {
        let slot = self.slots;
        self.slots = self.slots.saturating_add(1);
        self.most_slots = self.most_slots.max(self.slots);
        slot
    }

    fn missing(&self) -> Missing {
        match self.meaning {
            Meaning::Filter => Missing::Answer(true),
            Meaning::Detection => Missing::Null,
        }
    }

    fn find(&mut self, path: Vec<Step>, missing: Missing, test: impl FnOnce(&mut Self, Slot) -> Expr) -> Expr {
        let (root, place) = (self.root, self.place);
        let slot = self.slot();
        let test = Box::new(test(self, slot));
        // Nothing outside the test looks at its variables.
        self.slots = slot;
        Expr { place, kind: Kind::Find { root, path, slot, missing, test } }
    }

    fn compare(&self, left: Expr, operator: Compare, right: Expr) -> Expr {
        self.expr(Kind::Compare { left: Box::new(left), rest: vec![(operator, right)] })
    }

    fn inverted(&self, test: Expr, inverse: bool) -> Expr {
        if inverse { self.expr(Kind::Not(Box::new(test))) } else { test }
    }

    fn choice(&self, test: Expr, then: Expr, otherwise: Expr) -> Expr {
        self.expr(Kind::If { test: Box::new(test), then: Box::new(then), otherwise: Box::new(otherwise) })
    }

    fn is_of(&self, slot: Slot, types: &[&str]) -> Expr {
        let types = self.constant(Constant::Tuple(types.iter().map(|name| Constant::text(name)).collect()));
        self.expr(Kind::Builtin { builtin: Builtin::IsInstance, arguments: vec![self.local(slot), types] })
    }

    fn are_texts(&self, one: Slot, other: Slot) -> Expr {
        self.expr(Kind::And(vec![self.is_of(one, &["str"]), self.is_of(other, &["str"])]))
    }

    /// The text in a variable that holds one.
    fn text_of(&self, slot: Slot, case: Case) -> Expr {
        let object = Box::new(self.local(slot));
        match case {
            Case::Exact => *object,
            Case::Ignored => self.expr(Kind::Method { object, method: Method::Lower, arguments: Arguments::default() }),
        }
    }

    fn quantified(&self, all: bool, clauses: Vec<Clause>, element: Expr) -> Expr {
        self.expr(Kind::Quantified { all, clauses, element: Box::new(element), order: Order::Matters })
    }

    /// Whether the clauses give exactly one element.
    fn exactly_one(&self, clauses: Vec<Clause>, element: Slot) -> Expr {
        let found = self.expr(Kind::Collected { clauses, element: Box::new(self.local(element)) });
        let count = self.expr(Kind::Builtin { builtin: Builtin::Len, arguments: vec![found] });
        self.compare(count, Compare::Equal, self.constant(Constant::Int(1)))
    }
}

/// How expressions are put together, in the order in which Python looks for the keys.
type Combine = fn(&mut Writer, Vec<Expr>) -> Expr;
const COMBINATORS: [(&str, Combine); 4] = [
    ("All", |writer, parts| writer.expr(Kind::And(parts))),
    ("Any", |writer, parts| writer.expr(Kind::Or(parts))),
    ("OnlyOne", |writer, parts| {
        let part = writer.slot();
        let (iterable, holds) = (writer.expr(Kind::Tuple(parts)), writer.local(part));
        writer.exactly_one(vec![Clause { target: Target::Slot(part), iterable, conditions: vec![holds] }], part)
    }),
    ("None", |writer, parts| {
        let any = writer.expr(Kind::Or(parts));
        writer.inverted(any, true)
    }),
];
