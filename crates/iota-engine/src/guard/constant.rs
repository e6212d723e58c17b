//! Values of module constants: the same in every call, shared by all threads.

use super::ir::{Binary, FunctionId};
use super::pattern::Pattern;
use rustc_hash::{FxHashMap, FxHashSet};

/// Largest integer that a double holds exactly, and so the largest the analysis computes with.
pub(super) const MAX_INT: i64 = 1 << 53;

#[derive(Debug, Clone)]
pub(super) enum Constant {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// WTF-8, as everywhere.
    Text(Box<[u8]>),
    List(Box<[Constant]>),
    Tuple(Box<[Constant]>),
    Set(Set),
    FrozenSet(Set),
    Dict(Box<Dict>),
    Pattern(Box<Pattern>),
    /// A function of the pack.
    Function(FunctionId),
}

impl Constant {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().into())
    }

    /// Nothing that gets hold of it can change it.
    pub(super) fn is_immutable(&self) -> bool {
        match self {
            Self::List(_) | Self::Set(_) | Self::Dict(_) => false,
            Self::Tuple(items) => items.iter().all(Self::is_immutable),
            _ => true,
        }
    }

    /// How many levels of it, counted from the outside, hold something that can be changed: 0 for a text, 1 for a list of
    /// texts, 2 for a dict of such lists.
    pub(super) fn changeable_levels(&self) -> u32 {
        let inside = match self {
            Self::List(items) | Self::Tuple(items) => items.iter().map(Self::changeable_levels).max(),
            Self::Dict(dict) => dict.entries.iter().map(|(_, value)| value.changeable_levels()).max(),
            _ => None,
        };
        if self.is_immutable() { 0 } else { 1 + inside.unwrap_or(0) }
    }

    /// A set or dict may hold it, and `equals` knows it. Patterns, frozensets and functions have a hash too, but nobody looks
    /// for one.
    pub(super) fn is_hashable(&self) -> bool {
        match self {
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            Self::FrozenSet(_) | Self::Pattern(_) | Self::Function(_) => false,
            _ => self.is_immutable(),
        }
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            #[expect(clippy::cast_precision_loss, reason = "at most MAX_INT")]
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Python's `==` on what can be hashed.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Tuple(a), Self::Tuple(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b)),
            #[expect(clippy::float_cmp, reason = "Python compares exactly too")]
            _ => matches!((self.as_number(), other.as_number()), (Some(a), Some(b)) if a == b),
        }
    }
}

/// The elements of a set. Their order is Python's secret.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    pub(super) texts: FxHashSet<Box<[u8]>>,
    pub(super) others: Vec<Constant>,
}

impl Set {
    /// Adds a hashable element.
    pub(super) fn insert(&mut self, item: Constant) {
        match item {
            Constant::Text(text) => {
                self.texts.insert(text);
            }
            item if !self.others.iter().any(|other| other.equals(&item)) => self.others.push(item),
            _ => {}
        }
    }

    pub(super) fn contains(&self, item: &Constant) -> bool {
        match item {
            Constant::Text(text) => self.texts.contains(text),
            item => self.others.iter().any(|other| other.equals(item)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.others.len()
    }

    /// Sorted, so that whatever is made of them does not depend on a hash.
    pub(super) fn items(&self) -> Vec<Constant> {
        let mut texts: Vec<_> = self.texts.iter().cloned().collect();
        texts.sort_unstable();
        texts.into_iter().map(Constant::Text).chain(self.others.iter().cloned()).collect()
    }
}

/// A dict, in the order of insertion.
#[derive(Debug, Clone, Default)]
pub(super) struct Dict {
    pub(super) entries: Vec<(Constant, Constant)>,
    texts: FxHashMap<Box<[u8]>, usize>,
}

impl Dict {
    /// Adds an entry with a hashable key; of equal keys the first stays, with the last value.
    pub(super) fn insert(&mut self, key: Constant, value: Constant) {
        if let Some(at) = self.position(&key) {
            self.entries[at].1 = value;
            return;
        }
        if let Constant::Text(text) = &key {
            self.texts.insert(text.clone(), self.entries.len());
        }
        self.entries.push((key, value));
    }

    fn position(&self, key: &Constant) -> Option<usize> {
        match key {
            Constant::Text(text) => self.texts.get(text).copied(),
            key => self.entries.iter().position(|(other, _)| other.equals(key)),
        }
    }

    pub(super) fn get(&self, key: &Constant) -> Option<&Constant> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    pub(super) fn get_text(&self, key: &[u8]) -> Option<&Constant> {
        self.texts.get(key).map(|at| &self.entries[*at].1)
    }
}

pub(super) fn set_of(items: Vec<Constant>) -> Option<Set> {
    let mut set = Set::default();
    for item in items {
        if !item.is_hashable() {
            return None;
        }
        set.insert(item);
    }
    Some(set)
}

/// Entries of a dict literal.
pub(super) fn dict_of(entries: Vec<(Constant, Constant)>) -> Option<Constant> {
    let mut dict = Dict::default();
    for (key, value) in entries {
        if !key.is_hashable() {
            return None;
        }
        dict.insert(key, value);
    }
    Some(Constant::Dict(Box::new(dict)))
}

pub(super) fn set_literal(items: Vec<Constant>) -> Option<Constant> {
    set_of(items).map(Constant::Set)
}

/// `|`, `&` and `-` of constant sets and dicts.
pub(super) fn combine(left: &Constant, operator: Binary, right: &Constant) -> Option<Constant> {
    match (left, right) {
        (Constant::Set(a), Constant::Set(b) | Constant::FrozenSet(b)) => Some(Constant::Set(combine_sets(a, operator, b)?)),
        (Constant::FrozenSet(a), Constant::Set(b) | Constant::FrozenSet(b)) => {
            Some(Constant::FrozenSet(combine_sets(a, operator, b)?))
        }
        (Constant::Dict(a), Constant::Dict(b)) if operator == Binary::Union => {
            dict_of(a.entries.iter().chain(&b.entries).cloned().collect())
        }
        _ => None,
    }
}

fn combine_sets(a: &Set, operator: Binary, b: &Set) -> Option<Set> {
    let items = match operator {
        Binary::Union => a.items().into_iter().chain(b.items()).collect(),
        Binary::Intersection => a.items().into_iter().filter(|item| b.contains(item)).collect(),
        Binary::Subtract => a.items().into_iter().filter(|item| !b.contains(item)).collect(),
        Binary::Add => return None,
    };
    set_of(items)
}
