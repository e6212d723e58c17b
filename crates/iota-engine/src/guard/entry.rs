//! The conditions by which the index finds the rules for a record, chosen from what holds on the paths of a rule.
//! Knows nothing of how paths are found.

use super::explore::{Condition, Open};
use serde::Serialize;
use std::collections::BTreeSet;

/// A condition of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "condition")]
pub enum Entry {
    OneOf { field: Vec<String>, values: BTreeSet<String> },
    OneOfIgnoringCase { field: Vec<String>, values: BTreeSet<String> },
    StartsWith { field: Vec<String>, prefixes: BTreeSet<String> },
}

impl Entry {
    /// Member names from the root of the record.
    pub(crate) fn field(&self) -> &[String] {
        let (Self::OneOf { field, .. } | Self::OneOfIgnoringCase { field, .. } | Self::StartsWith { field, .. }) = self;
        field
    }
}

/// What the index has to ask: the best condition of every path, if each has one.
pub(super) fn entries(fields: &[Vec<String>], open: &[Open]) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for path in open {
        let (_, condition) =
            path.iter().filter_map(|condition| Some((rank(fields, condition)?, condition))).min_by_key(|(rank, _)| *rank)?;
        let texts = |texts: &BTreeSet<Box<[u8]>>| -> Option<BTreeSet<String>> {
            texts.iter().map(|text| String::from_utf8(text.to_vec()).ok()).collect()
        };
        let (field, new) = match condition {
            Condition::OneOf(field, values)
            | Condition::OneOfIgnoringCase(field, values)
            | Condition::StartsWith(field, values) => (fields[*field].clone(), texts(values)?),
        };
        let same = entries.iter_mut().find_map(|entry| match (entry, condition) {
            (Entry::OneOf { field: of, values }, Condition::OneOf(..))
            | (Entry::OneOfIgnoringCase { field: of, values }, Condition::OneOfIgnoringCase(..))
            | (Entry::StartsWith { field: of, prefixes: values }, Condition::StartsWith(..))
                if *of == field =>
            {
                Some(values)
            }
            _ => None,
        });
        match (same, condition) {
            (Some(values), _) => values.extend(new),
            (None, Condition::OneOf(..)) => entries.push(Entry::OneOf { field, values: new }),
            (None, Condition::OneOfIgnoringCase(..)) => entries.push(Entry::OneOfIgnoringCase { field, values: new }),
            (None, Condition::StartsWith(..)) => entries.push(Entry::StartsWith { field, prefixes: new }),
        }
    }
    Some(entries)
}

/// How well the index can use a condition: the fewer records it lets through, the better. `None` if it cannot.
fn rank(fields: &[Vec<String>], condition: &Condition) -> Option<(u8, usize)> {
    let of = |field: usize| match fields[field].as_slice() {
        // In the panther dialect such a name may stand for one in ASCII.
        names if !names.iter().all(|name| name.is_ascii()) => u8::MAX,
        [name] if name == "eventName" => 0,
        [_] => 10,
        [_, _] => 20,
        _ => u8::MAX,
    };
    let (rank, size) = match condition {
        Condition::OneOf(field, values) => (of(*field), values.len()),
        Condition::OneOfIgnoringCase(field, values) if of(*field) == 0 => (1, values.len()),
        Condition::StartsWith(field, values) if of(*field) == 0 => (2, values.len()),
        _ => (u8::MAX, 0),
    };
    (rank < u8::MAX).then_some((rank, size))
}
