//! A record as rules are evaluated on it: top-level members parsed when they are asked for.

use crate::decode::Record;
use crate::json::{Value as Json, unescape};
use std::cell::OnceCell;

#[derive(Debug)]
pub(super) struct View<'r> {
    record: Record<'r>,
    parsed: Vec<OnceCell<Json<'r>>>,
}

impl<'r> View<'r> {
    pub(super) fn new(record: &Record<'r>) -> Self {
        Self { record: *record, parsed: vec![const { OnceCell::new() }; record.members.len()] }
    }

    /// The top-level member of this name; the last one, as in Python.
    pub(super) fn get(&self, name: &[u8]) -> Option<&Json<'r>> {
        let members = self.record.members;
        let at = members.iter().rposition(|member| {
            let own = member.name.of(self.record.raw);
            own == name || own.contains(&b'\\') && unescape(own).as_ref() == name
        })?;
        Some(self.parsed[at].get_or_init(|| Json::parse(members[at].value.of(self.record.raw))))
    }

    /// Whether there is a member whose name might be this one in another case.
    pub(super) fn has_variant(&self, name: &[u8]) -> bool {
        self.record.members.iter().any(|member| may_be_variant(&unescape(member.name.of(self.record.raw)), name))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.record.members.is_empty()
    }
}

/// Whether Python's `lower()` may make the two names equal. Names that are not both ASCII count as if it did.
pub(super) fn may_be_variant(own: &[u8], name: &[u8]) -> bool {
    own != name && (!own.is_ascii() || !name.is_ascii() || own.eq_ignore_ascii_case(name))
}
