//! The outline of an object: where its top-level members of interest stand, and which shapes they hint at.
//! Gathered during the one validating scan; knows nothing of what follows from it.

use crate::json::{Members, unescape};
use std::ops::Range;

/// Where a member's value stands, relative to the start of the record; empty when the member is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(range: &Range<usize>, base: usize) -> Self {
        // Records are limited to max_record, far below 4 GiB.
        let clamp = |at: usize| u32::try_from(at.saturating_sub(base)).unwrap_or(u32::MAX);
        Self { start: clamp(range.start), end: clamp(range.end) }
    }

    pub fn is_missing(self) -> bool {
        self.end == 0
    }

    /// The raw value in the record it was taken from.
    pub fn of(self, record: &[u8]) -> &[u8] {
        record.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The decoded text, if the value is a string.
    pub fn text(self, record: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
        let inside = self.of(record).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        match unescape(inside) {
            std::borrow::Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Into::into),
            std::borrow::Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Into::into),
        }
    }

    /// The value is this string. `text` has nothing that JSON escapes.
    pub(super) fn is_text(self, record: &[u8], text: &str) -> bool {
        let inside = self.of(record).strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        inside.is_some_and(|inside| plain(inside, |inside| inside == text.as_bytes()))
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn first(self, record: &[u8]) -> Option<u8> {
        self.of(record).first().copied()
    }
}

/// The members of a record that the engine itself looks at. Last one wins, as in Python.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields {
    pub event_id: Span,
    pub event_time: Span,
    pub event_name: Span,
    pub event_source: Span,
    pub event_version: Span,
    pub event_type: Span,
    pub event_category: Span,
    pub recipient_account_id: Span,
    pub addendum: Span,
}

/// Names of arrays that may be longer than memory and are therefore split while streaming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// CloudTrail's own files.
    Records,
    /// `aws cloudtrail lookup-events`.
    Events,
    /// CloudWatch Logs subscription payload.
    LogEvents,
    /// Digest file.
    LogFiles,
    /// AWS Config snapshot or history file.
    ConfigurationItems,
}

impl List {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"Records" => Self::Records,
            b"Events" => Self::Events,
            b"logEvents" => Self::LogEvents,
            b"logFiles" => Self::LogFiles,
            b"configurationItems" => Self::ConfigurationItems,
            _ => return None,
        })
    }

    /// Its name, for the lists that must be arrays.
    pub(super) fn required(self) -> Option<&'static str> {
        match self {
            Self::Records => Some("Records"),
            Self::Events => Some("Events"),
            Self::LogEvents => Some("logEvents"),
            Self::LogFiles | Self::ConfigurationItems => None,
        }
    }
}

/// A top-level member of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name as written: inside the quotes, escapes undecoded.
    pub name: Span,
    pub value: Span,
}

/// Everything the scan of one object noted, besides its members.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outline {
    pub(super) fields: Fields,
    pub(super) detail: Span,
    pub(super) detail_type: Span,
    pub(super) cloud_trail_event: Span,
    pub(super) message: Span,
    pub(super) message_type: Span,
    pub(super) digest_start: Span,
    pub(super) service_hint: Option<super::Service>,
    /// The list that the scan stopped at, or met with another type than array.
    pub(super) list: Option<List>,
}

/// Gathers outline and members of an object that starts at `base` in the buffer.
pub(super) struct Outliner<'a> {
    outline: Outline,
    members: &'a mut Vec<Member>,
    base: usize,
    stop_at_lists: bool,
}

impl<'a> Outliner<'a> {
    /// With `stop_at_lists` the scan stops at the value of a `List`.
    pub(super) fn new(base: usize, stop_at_lists: bool, members: &'a mut Vec<Member>) -> Self {
        members.clear();
        Self { outline: Outline::default(), members, base, stop_at_lists }
    }

    pub(super) fn outline(self) -> Outline {
        self.outline
    }
}

impl Members for Outliner<'_> {
    fn before(&mut self, name: &[u8], first: u8) -> bool {
        // What the names of lists start with, written plainly or as an escape.
        if !matches!(name.first(), Some(b'R' | b'E' | b'l' | b'c' | b'\\')) {
            return false;
        }
        match plain(name, List::named) {
            None => false,
            Some(list) => {
                self.outline.list = Some(list);
                self.stop_at_lists && first == b'['
            }
        }
    }

    fn member(&mut self, buf: &[u8], name: Range<usize>, value: Range<usize>) {
        let span = Span::new(&value, self.base);
        self.members.push(Member { name: Span::new(&name, self.base), value: span });
        let name = &buf[name];
        // No name that is looked for has a backslash, so only one that was not found can be written with an escape.
        if !self.outline.note(name, span) && name.contains(&b'\\') {
            self.outline.note(&unescape(name), span);
        }
    }
}

/// Calls `with` with the decoded inside of a string. Hardly any has an escape.
fn plain<T>(inside: &[u8], with: impl FnOnce(&[u8]) -> T) -> T {
    if inside.contains(&b'\\') { with(&unescape(inside)) } else { with(inside) }
}

impl Outline {
    /// True if a member of this name is looked for.
    fn note(&mut self, name: &[u8], value: Span) -> bool {
        let slot = match name {
            b"eventID" => &mut self.fields.event_id,
            b"eventTime" => &mut self.fields.event_time,
            b"eventName" => &mut self.fields.event_name,
            b"eventSource" => &mut self.fields.event_source,
            b"eventVersion" => &mut self.fields.event_version,
            b"eventType" => &mut self.fields.event_type,
            b"eventCategory" => &mut self.fields.event_category,
            b"recipientAccountId" => &mut self.fields.recipient_account_id,
            b"addendum" => &mut self.fields.addendum,
            b"detail" => &mut self.detail,
            b"detail-type" => &mut self.detail_type,
            b"CloudTrailEvent" => &mut self.cloud_trail_event,
            b"message" => &mut self.message,
            b"messageType" => &mut self.message_type,
            b"digestStartTime" => &mut self.digest_start,
            other => {
                let hint = super::Service::hinted_by(other);
                self.service_hint = self.service_hint.or(hint);
                return hint.is_some();
            }
        };
        *slot = value;
        true
    }
}
