//! Alerts about iota itself: an output that fails, a rule that raises, alerts that were held back.
//! They are matches like all others: kept, grouped, routed and delivered in the same way.

use crate::aggregate::{GroupKey, Sighting, Window};
use crate::alert::{Content, Origin, Severity};
use crate::digest::{digest, hex};
use crate::event::{Fingerprint, Identity, Summary, format_ms};
use crate::store::{Class, Headline, Match, Route};
use crate::triage::{Place, Routed, Routes};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The pack of these alerts.
pub const PACK: &str = "iota";
/// Shows at an interval that an output works.
pub const CANARY: &str = "iota.system.canary";
/// A canary did not get through.
pub const CANARY_ABSENT: &str = "iota.system.canary-absent";
/// Nothing gets through to an output.
pub const OUTPUT_FAILING: &str = "iota.system.output-failing";
/// Alerts were held back by the storm limit.
pub const STORM: &str = "iota.system.storm";
/// A function of a rule raised, or gave the wrong type.
pub const RULE_ERROR: &str = "iota.system.rule-error";
/// A rule is paused because it kept ending its worker, or calls of it were left out.
pub const QUARANTINE: &str = "iota.system.quarantine";
/// A pack is not what somebody signed who may, and signatures are required.
pub const PACK_REFUSED: &str = "iota.system.pack-refused";
/// Rules that have changed are not taken, and those before the change go on.
pub const RULES_NOT_TAKEN: &str = "iota.system.rules-not-taken";

/// A message of a queue is of no known shape, or of one that is not supported.
pub const UNKNOWN_MESSAGE: &str = "iota.system.unknown-message";
/// A message names a bucket that is not to be read.
pub const FOREIGN_BUCKET: &str = "iota.system.foreign-bucket";
/// An object cannot be decoded, however often it is read.
pub const DAMAGED_OBJECT: &str = "iota.system.damaged-object";
/// A message names an object that is not there, or not to be had.
pub const MISSING_OBJECT: &str = "iota.system.missing-object";
/// So many messages of a queue are in flight that it will soon look empty.
pub const CROWDED_QUEUE: &str = "iota.system.crowded-queue";
/// Nothing can be read from a source.
pub const SOURCE_FAILING: &str = "iota.system.source-failing";

/// Sent by `iota outputs test`.
pub const TEST: &str = "iota.system.test";

/// All of them that are routed.
pub const RULES: [&str; 13] = [
    CANARY_ABSENT,
    OUTPUT_FAILING,
    STORM,
    RULE_ERROR,
    QUARANTINE,
    PACK_REFUSED,
    RULES_NOT_TAKEN,
    UNKNOWN_MESSAGE,
    FOREIGN_BUCKET,
    DAMAGED_OBJECT,
    MISSING_OBJECT,
    CROWDED_QUEUE,
    SOURCE_FAILING,
];

/// Those with the same rule and dedup key within an hour are one alert.
const WINDOW_MS: i64 = 60 * 60 * 1000;
/// The same of rules that fail or are not taken, which may go on for long: within a day.
const LONG_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, PartialEq)]
pub struct SystemAlert {
    /// One of the constants above.
    pub rule: &'static str,
    pub dedup: String,
    pub title: String,
    pub severity: Severity,
    pub description: String,
    pub runbook: &'static str,
    pub context: Json,
}

impl SystemAlert {
    /// Where it goes by the routes.
    pub fn routes(&self, routes: &Routes) -> Vec<Route> {
        let (rule, severity, place) = (self.rule, self.severity, Place::default());
        routes.of(&Routed { pack: PACK, rule, tags: &[], severity, class: &Class::Alert, place, destinations: None })
    }

    /// The match that makes the alert. The same alert at the same time is the same match, however often it is committed.
    pub fn to_match(&self, at_ms: i64, routes: Vec<Route>) -> Result<Match, serde_json::Error> {
        let time = at_ms.to_string();
        let identity = digest("iota-system-v1", [self.rule.as_bytes(), self.dedup.as_bytes(), time.as_bytes()]);
        let sighting =
            Sighting { identity: Identity(identity), ms: at_ms, fingerprint: Fingerprint([0; 4]), unique: None, variant: false };
        Ok(Match {
            group: GroupKey { pack: PACK.into(), rule: self.rule.into(), dedup: self.dedup.as_str().into() },
            class: Class::Alert,
            window: Window { ms: self.window_ms(), threshold: 1 },
            sighting,
            routes,
            headline: Headline { title: self.title.clone(), severity: self.severity, account_id: None },
            content: self.content(at_ms)?,
        })
    }

    /// The same where each of many occurrences counts, once: the bytes tell them apart, whenever they are committed.
    pub fn to_counted_match(&self, at_ms: i64, routes: Vec<Route>, occurrence: &[u8]) -> Result<Match, serde_json::Error> {
        let mut found = self.to_match(at_ms, routes)?;
        let identity = digest("iota-system-occurrence-v1", [self.rule.as_bytes(), self.dedup.as_bytes(), occurrence]);
        found.sighting.identity = Identity(identity);
        Ok(found)
    }

    fn window_ms(&self) -> i64 {
        if [RULE_ERROR, RULES_NOT_TAKEN].contains(&self.rule) { LONG_WINDOW_MS } else { WINDOW_MS }
    }

    fn content(&self, at_ms: i64) -> Result<Arc<[u8]>, serde_json::Error> {
        let version = digest("iota-system-rule-v1", [env!("CARGO_PKG_VERSION").as_bytes()]);
        let event = json!({"eventSource": PACK, "eventName": self.rule, "eventTime": format_ms(at_ms)});
        let content = Content {
            rule_id: self.rule.to_owned(),
            title: self.title.chars().take(1000).collect(),
            severity: self.severity,
            dedup: self.dedup.clone(),
            event: raw(&event)?,
            pack: PACK.to_owned(),
            rule_version: hex(&version[..6]),
            event_time: format_ms(at_ms),
            event_time_substituted: false,
            summary: Summary {
                event_id: None,
                account_id: None,
                partition: "aws".to_owned(),
                region: None,
                actor: None,
                source_ip: None,
            },
            context: Some(raw(&self.context)?),
            description: Some(self.description.clone()),
            runbook: Some(self.runbook.to_owned()),
            reference: None,
            tags: Vec::new(),
            attack: Vec::new(),
            author: None,
            destinations: None,
            origin: Origin { object: PACK.to_owned(), version: None, record: 1 },
            account: None,
        };
        Ok(content.to_fields()?.into())
    }
}

fn raw(value: &Json) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(value)
}
