//! The fields by which rules are found, and what a record has in them.

use super::Number;
use crate::decode::{Record, Span};
use crate::guard::{Entry, Shape, shape_of};
use crate::json::{Members, scan};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::ops::Range;

/// The top-level fields whose values decide, or whose shape is relied upon.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// In order of name length, which tells most names apart.
    names: Vec<(Box<[u8]>, Option<Shape>)>,
    /// Bit n: there is a name of n bytes.
    lengths: u64,
}

impl Fields {
    pub(super) fn new(mut names: BTreeSet<String>) -> Self {
        // Exploring a rule takes these for granted even where it does not ask for them.
        names.extend(["eventName".to_owned(), "eventSource".to_owned()]);
        let names: Vec<(Box<[u8]>, Option<Shape>)> =
            names.into_iter().map(|name| (Box::from(name.as_bytes()), shape_of(&name))).collect();
        let lengths = names.iter().fold(0, |lengths, (name, _)| lengths | 1 << name.len().min(63));
        Self { names, lengths }
    }

    pub(super) fn position(&self, name: &[u8]) -> Option<usize> {
        self.names.iter().position(|(own, _)| own.as_ref() == name)
    }

    /// Puts where the values stand into `values`, by position. False when a field holds something unusual, or a name is written in a way
    /// that may mean one of the fields in some other spelling.
    pub(super) fn find(&self, record: &Record<'_>, values: &mut Vec<Span>) -> bool {
        values.clear();
        values.resize(self.names.len(), Span::default());
        for member in record.members {
            let name = member.name.of(record.raw);
            if !is_plain(name) {
                return false;
            }
            if self.lengths >> name.len().min(63) & 1 == 0 {
                continue;
            }
            for (at, (own, _)) in self.names.iter().enumerate() {
                if own.as_ref() == name {
                    values[at] = member.value;
                } else if own.eq_ignore_ascii_case(name) {
                    return false;
                }
            }
        }
        self.names.iter().zip(values).all(|((_, shape), value)| match (shape, value.of(record.raw).first()) {
            (Some(Shape::Required), first) => first == Some(&b'"'),
            (Some(Shape::Text), first) => matches!(first, None | Some(b'"' | b'n')),
            (Some(Shape::Object), first) => matches!(first, None | Some(b'{' | b'n')),
            (None, _) => true,
        })
    }
}

/// ASCII without a backslash, eight bytes at a time: every member name of every record is asked.
fn is_plain(name: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (chunks, rest) = name.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let odd = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        // High bit of each byte that is a backslash; of others only next to one.
        let difference = word ^ (ONES * u64::from(b'\\'));
        (word | (difference.wrapping_sub(ONES) & !difference)) & HIGH
    };
    chunks.iter().map(odd).fold(odd(&last), |all, word| all | word) == 0
}

/// Rules by a text that they ask for.
type ByText = FxHashMap<Box<[u8]>, Vec<Number>>;

/// The rules that ask for values of one field.
#[derive(Debug)]
pub(super) struct FieldIndex {
    field: Vec<String>,
    equal: ByText,
    equal_ignoring_case: ByText,
    /// By length of the prefix.
    prefixes: Vec<(usize, ByText)>,
}

impl FieldIndex {
    pub(super) fn new(field: &[String]) -> Self {
        let (equal, equal_ignoring_case) = (FxHashMap::default(), FxHashMap::default());
        Self { field: field.to_vec(), equal, equal_ignoring_case, prefixes: Vec::new() }
    }

    pub(super) fn is_of(&self, field: &[String]) -> bool {
        self.field == field
    }

    pub(super) fn add(&mut self, entry: &Entry, number: Number) {
        let put = |map: &mut FxHashMap<Box<[u8]>, Vec<Number>>, value: &str| {
            map.entry(value.as_bytes().into()).or_default().push(number);
        };
        match entry {
            Entry::OneOf { values, .. } => values.iter().for_each(|value| put(&mut self.equal, value)),
            Entry::OneOfIgnoringCase { values, .. } => values.iter().for_each(|value| put(&mut self.equal_ignoring_case, value)),
            Entry::StartsWith { prefixes, .. } => {
                for prefix in prefixes {
                    let at = self.prefixes.iter().position(|(length, _)| *length == prefix.len()).unwrap_or_else(|| {
                        self.prefixes.push((prefix.len(), FxHashMap::default()));
                        self.prefixes.len() - 1
                    });
                    put(&mut self.prefixes[at].1, prefix);
                }
            }
        }
    }

    /// Appends the rules whose condition the record meets. `None` when that cannot be told.
    pub(super) fn look_up(&self, record: &Record<'_>, values: &[Span], fields: &Fields, numbers: &mut Vec<Number>) -> Option<()> {
        let outer = values[fields.position(self.field[0].as_bytes())?].of(record.raw);
        let value = match self.field.as_slice() {
            [_] => outer,
            [_, inner] if outer.first() == Some(&b'{') => inner_value(outer, inner.as_bytes())?,
            _ => return Some(()),
        };
        let Some(text) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return Some(()) };
        if text.contains(&b'\\') {
            return None;
        }
        let mut add = |found: Option<&Vec<Number>>| numbers.extend(found.into_iter().flatten());
        add(self.equal.get(text));
        for (length, prefixes) in &self.prefixes {
            add(text.get(..*length).and_then(|prefix| prefixes.get(prefix)));
        }
        if !self.equal_ignoring_case.is_empty() {
            if !text.is_ascii() {
                return None;
            }
            add(self.equal_ignoring_case.get(text.to_ascii_lowercase().as_slice()));
        }
        Some(())
    }
}

/// The value of a member of an object, empty if there is none; `None` when its name may be written in another way.
fn inner_value<'r>(object: &'r [u8], name: &[u8]) -> Option<&'r [u8]> {
    struct Find<'n> {
        name: &'n [u8],
        found: Range<usize>,
        odd: bool,
    }
    impl Members for Find<'_> {
        fn member(&mut self, buf: &[u8], name: Range<usize>, value: Range<usize>) {
            let name = &buf[name];
            if name == self.name {
                self.found = value;
            } else {
                self.odd |= name.contains(&b'\\') || !name.is_ascii() || name.eq_ignore_ascii_case(self.name);
            }
        }
    }
    let mut find = Find { name, found: 0..0, odd: false };
    // The record was validated as a whole.
    scan(object, 0, &mut find).ok()?;
    (!find.odd).then(|| &object[find.found])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names() {
        for length in 0..20 {
            let name = vec![b'a'; length];
            assert!(is_plain(&name));
            for at in 0..length {
                for byte in [b'\\', 0x80, 0xC3, 0xFF] {
                    let mut odd = name.clone();
                    odd[at] = byte;
                    assert!(!is_plain(&odd), "{odd:?}");
                }
                for byte in 1..0x80 {
                    let mut name = name.clone();
                    name[at] = byte;
                    assert_eq!(is_plain(&name), byte != b'\\');
                }
            }
        }
    }
}
