//! What is made of a match before it is committed: hidden or not, how severe, under which title, for which outputs.
//! Pure: files come as bytes, and now is an argument.

mod account;
mod adjust;
mod file;
mod glob;
mod names;
mod place;
mod route;
mod suppression;

pub use account::{Account, Accounts};
pub use adjust::{AccountAdjustment, Adjustment};
pub use glob::Globs;
pub use names::{Names, Naming, Unknown};
pub use place::Place;
pub use route::{RouteEntry, Routed, Routes, SentClass};
pub use suppression::{InForce, MAX_DAYS, Seen, Stated, Suppression, WITHHELD, parse_suppressions};

use crate::alert::Severity;
use crate::event::Summary;
use crate::json::Value;
use crate::store::{Class, Route};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Stands in a title for the name of the alert's account.
const ACCOUNT_NAME: &str = "{account_name}";
/// Code points that a title or dedup string may have (docs/alert.schema.json).
const MAX_TEXT: usize = 1000;

/// All that is configured about alerts.
#[derive(Debug, Clone, Default)]
pub struct Triage {
    pub accounts: Accounts,
    pub suppressions: Vec<Suppression>,
    pub routes: Routes,
    /// By rule id.
    pub adjustments: BTreeMap<String, Adjustment>,
}

/// A match, as far as triage looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub pack: &'a str,
    pub rule: &'a str,
    /// Former ids of the rule.
    pub aliases: &'a [String],
    pub tags: &'a [String],
    /// The record, as it was read.
    pub record: &'a [u8],
    pub summary: &'a Summary,
    pub event_ms: i64,
    /// What it is unless it is suppressed.
    pub class: &'a Class,
    pub title: &'a str,
    pub severity: Severity,
    /// What the rule itself says: its `destinations()`, else `OutputIds` of its metadata.
    pub destinations: Option<&'a [String]>,
}

/// What was made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<'a> {
    pub class: Class,
    pub title: Cow<'a, str>,
    pub severity: Severity,
    pub routes: Vec<Route>,
    /// What accounts.yaml says of its account.
    pub account: Option<&'a Account>,
}

impl Triage {
    pub fn decide<'a>(&'a self, subject: &Subject<'a>, now_ms: i64) -> Decision<'a> {
        let id = subject.summary.account_id.as_deref();
        let account = self.accounts.get(id);
        let place = Place { id, account };
        let adjustment = self.adjustments.get(subject.rule);
        let adjustment = adjustment.or_else(|| subject.aliases.iter().find_map(|alias| self.adjustments.get(alias)));
        let severity = adjustment.and_then(|adjustment| adjustment.severity(&place)).unwrap_or(subject.severity);
        let class = match self.suppressing(subject, place, now_ms) {
            Some(suppression) => Class::Suppressed(suppression.id().to_owned()),
            None => subject.class.clone(),
        };
        let own = adjustment.and_then(|adjustment| adjustment.destinations(&place));
        let routes = self.routes.of(&Routed {
            pack: subject.pack,
            rule: subject.rule,
            tags: subject.tags,
            severity,
            class: &class,
            place,
            destinations: own.or(subject.destinations),
        });
        Decision { class, title: titled(subject.title, &place), severity, routes, account }
    }

    /// The first suppression that hides a match.
    fn suppressing(&self, subject: &Subject<'_>, place: Place<'_>, now_ms: i64) -> Option<&Suppression> {
        if self.suppressions.is_empty() {
            return None;
        }
        let record = Value::parse(subject.record);
        let Subject { rule, aliases, summary, event_ms, .. } = *subject;
        let seen = Seen { rule, aliases, record: &record, summary, place, event_ms };
        self.suppressions.iter().find(|suppression| suppression.hides(&seen, now_ms))
    }
}

/// The title with the name of the account: the one of accounts.yaml, else its id.
fn titled<'a>(title: &'a str, place: &Place<'_>) -> Cow<'a, str> {
    let name = || place.account.map(|account| account.name.as_str()).or(place.id);
    naming(title, name)
}

/// The dedup string with the id of the account, which does not change with accounts.yaml: a title is the dedup string of a
/// rule that states none, and alerts of two accounts are two.
pub fn dedup_of(dedup: &str, account_id: impl FnOnce() -> Option<String>) -> Cow<'_, str> {
    naming(dedup, account_id)
}

fn naming<T: AsRef<str>>(text: &str, account: impl FnOnce() -> Option<T>) -> Cow<'_, str> {
    if !text.contains(ACCOUNT_NAME) {
        return Cow::Borrowed(text);
    }
    let account = account();
    let name = account.as_ref().map_or("unknown account", AsRef::as_ref);
    Cow::Owned(text.replace(ACCOUNT_NAME, name).chars().take(MAX_TEXT).collect())
}

#[cfg(test)]
mod tests;
