//! What an alert says of the match it is made of.

use super::sequence::Job;
use crate::rules::LoadedPack;
use crate::source::Inputs;
use iota_engine::alert::{Content, Origin};
use iota_engine::event::{Summary, format_ms};
use iota_engine::json::minify;
use iota_engine::rule::{BatchRecord, Rule, RuleMatch};
use iota_engine::store::{Class, Route};
use iota_engine::triage::{Decision, Subject, Triage, dedup_of};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A match, with all that is known around it.
#[derive(Clone, Copy)]
pub(super) struct Described<'a> {
    pub(super) pack: &'a LoadedPack,
    pub(super) rule: &'a Rule,
    pub(super) found: &'a RuleMatch,
    pub(super) job: &'a Job,
    pub(super) inputs: Inputs<'a>,
}

/// What triage made of a match.
pub(super) struct Judged {
    pub(super) class: Class,
    pub(super) routes: Vec<Route>,
    /// With the title, severity and account that the alert has.
    pub(super) content: Content,
}

impl<'a> Described<'a> {
    pub(super) fn record(&self) -> &'a BatchRecord {
        &self.job.batch.records()[self.found.record as usize]
    }

    pub(super) fn raw(&self) -> &'a [u8] {
        self.job.batch.raw(self.found.record as usize)
    }

    /// What its group is known by.
    pub(super) fn dedup(&self) -> Cow<'a, str> {
        dedup_of(&self.found.dedup, || Summary::of(self.raw()).account_id)
    }

    fn content(&self) -> Result<Content, serde_json::Error> {
        let Self { pack, rule, found, inputs, .. } = *self;
        let (record, raw) = (self.record(), self.raw());
        let event = String::from_utf8_lossy(&minify(raw)).into_owned();
        let own = |own: &Option<String>, stated: &Option<String>| {
            own.clone().filter(|text| !text.is_empty()).or_else(|| stated.clone())
        };
        Ok(Content {
            rule_id: rule.id.clone(),
            title: found.title.clone(),
            severity: found.severity,
            dedup: self.dedup().into_owned(),
            event: RawValue::from_string(event)?,
            pack: pack.pack.name.clone(),
            rule_version: rule.version.clone(),
            event_time: format_ms(record.time.ms),
            event_time_substituted: record.time.substituted,
            summary: Summary::of(raw),
            context: found.context.clone(),
            description: own(&found.description, &rule.description),
            runbook: own(&found.runbook, &rule.runbook),
            reference: own(&found.reference, &rule.reference),
            tags: rule.tags.clone(),
            attack: rule.attack.clone(),
            author: rule.author.clone(),
            destinations: found.destinations.clone(),
            origin: Origin { object: inputs.of(record.unit).name(), version: None, record: record.number },
            account: None,
        })
    }

    /// `class` is what the match is unless it is suppressed.
    pub(super) fn judged(&self, triage: &Triage, class: &Class, now_ms: i64) -> Result<Judged, serde_json::Error> {
        let Self { pack, rule, found, .. } = *self;
        let mut content = self.content()?;
        let Decision { class, title, severity, routes, account } = triage.decide(
            &Subject {
                pack: &pack.pack.name,
                rule: &rule.id,
                aliases: &rule.aliases,
                tags: &rule.tags,
                record: self.raw(),
                summary: &content.summary,
                event_ms: self.record().time.ms,
                class,
                title: &found.title,
                severity: found.severity,
                destinations: rule.destinations(found.destinations.as_deref()),
            },
            now_ms,
        );
        (content.title, content.severity, content.account) = (title.into_owned(), severity, account.cloned());
        Ok(Judged { class, routes, content })
    }
}
