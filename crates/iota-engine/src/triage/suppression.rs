//! `suppressions.yaml`: what is known and not to be told, for how long, and who says so.
//! A suppression hides matches from people; they are kept, counted and listed all the same.

use super::file::{check_version, problem};
use super::glob::Globs;
use super::place::Place;
use crate::event::{Summary, parse_ms};
use crate::json::Value;
use crate::yaml::{Step, YamlError, from_yaml, line_at};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How far ahead `expires` may lie unless the configuration says otherwise: a year.
pub const MAX_DAYS: u32 = 366;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What one of them hides. All conditions that are stated have to hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suppression {
    #[serde(flatten)]
    pub stated: Stated,
    #[serde(skip)]
    starts_ms: i64,
    #[serde(skip)]
    pub expires_ms: i64,
    #[serde(skip)]
    source_ip: Vec<IpNet>,
    #[serde(skip)]
    fields: Vec<Field>,
}

/// A suppression as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    pub id: String,
    /// Ids of rules, also former ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Globs>,
    /// Ids, or names of accounts.yaml.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Globs>,
    /// `actor` of the alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Globs>,
    /// Addresses or networks that `sourceIPAddress` is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<Globs>,
    /// Path of a field of the record to the values that it may have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Json>,
    pub owner: String,
    pub reason: String,
    /// Event time from which on it hides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// Time at which it ends.
    pub expires: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    path: Vec<String>,
    /// One of them has to hold.
    texts: Globs,
    /// A field that is null or missing will do.
    missing: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Option<u32>,
    #[serde(default)]
    suppressions: Vec<Stated>,
}

/// Whether a suppression is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InForce {
    Pending,
    Active,
    Expired,
}

/// What suppressions look at.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub rule: &'a str,
    /// Former ids of the rule.
    pub aliases: &'a [String],
    pub record: &'a Value<'a>,
    pub summary: &'a Summary,
    pub place: Place<'a>,
    pub event_ms: i64,
}

/// Reads the file. `now_ms` and `max_days` limit how far ahead `expires` may be.
pub fn parse_suppressions(bytes: &[u8], now_ms: i64, max_days: u32) -> Result<Vec<Suppression>, YamlError> {
    let file: File = from_yaml(bytes)?;
    check_version(bytes, file.version)?;
    let mut ids = BTreeSet::new();
    let mut suppressions = Vec::new();
    for (index, stated) in file.suppressions.into_iter().enumerate() {
        let at = |key: Option<&str>| {
            let steps = [Step::Key("suppressions"), Step::Item(index), Step::Key(key.unwrap_or("id"))];
            line_at(bytes, &steps)
        };
        let id = stated.id.clone();
        let fail = |(key, message): (Option<&str>, String)| problem(at(key), format!("suppression `{id}`: {message}"));
        if !ids.insert(id.clone()) {
            return Err(fail((None, "there are two with this id".to_owned())));
        }
        suppressions.push(Suppression::check(stated, now_ms, max_days).map_err(fail)?);
    }
    Ok(suppressions)
}

/// What alerts are listed under that are kept, and not sent because they are too old for that (`--no-send-before`).
pub const WITHHELD: &str = "no-send-before";

type Wrong = (Option<&'static str>, String);

impl Suppression {
    fn check(stated: Stated, now_ms: i64, max_days: u32) -> Result<Self, Wrong> {
        let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if stated.id.is_empty() || stated.id.len() > 100 || !stated.id.bytes().all(name) {
            return Err((Some("id"), "an id has 1 to 100 of the characters a-z A-Z 0-9 . _ -".to_owned()));
        }
        if stated.id == WITHHELD {
            return Err((Some("id"), "this id stands for alerts that --no-send-before withholds; choose another one".to_owned()));
        }
        for (key, text) in [("owner", &stated.owner), ("reason", &stated.reason)] {
            if text.trim().is_empty() {
                return Err((Some(key), format!("`{key}` is empty")));
            }
        }
        let time = |key: &'static str, text: &str| {
            parse_ms(text)
                .ok_or_else(|| (Some(key), format!("{key}: a time such as 2026-12-31 or 2026-12-31T12:00:00Z was expected")))
        };
        let starts_ms = stated.starts.as_deref().map_or(Ok(i64::MIN), |text| time("starts", text))?;
        let expires_ms = time("expires", &stated.expires)?;
        if expires_ms <= starts_ms {
            return Err((Some("expires"), "it expires before it starts".to_owned()));
        }
        if expires_ms > now_ms.saturating_add(i64::from(max_days) * DAY_MS) {
            return Err((Some("expires"), format!("expires: more than {max_days} days ahead (suppression_days)")));
        }
        let source_ip = networks(stated.source_ip.as_ref()).map_err(|message| (Some("source_ip"), message))?;
        let fields = stated.fields.iter().map(|(path, value)| Field::new(path, value));
        let fields = fields.collect::<Result<Vec<_>, _>>().map_err(|message| (Some("fields"), message))?;
        let suppression = Self { stated, starts_ms, expires_ms, source_ip, fields };
        if suppression.matches_everything() {
            return Err((None, "it matches everything; state a rule, account, actor, source_ip or field".to_owned()));
        }
        Ok(suppression)
    }

    pub fn id(&self) -> &str {
        &self.stated.id
    }

    /// No condition that is stated leaves anything out.
    fn matches_everything(&self) -> bool {
        let Stated { rule, account, actor, .. } = &self.stated;
        [rule, account, actor].into_iter().flatten().all(Globs::matches_anything)
            && (self.stated.source_ip.is_none() || self.source_ip.iter().any(|network| network.prefix_len() == 0))
            && self.fields.iter().all(|field| field.texts.matches_anything())
    }

    pub fn in_force(&self, now_ms: i64) -> InForce {
        if now_ms >= self.expires_ms {
            InForce::Expired
        } else if now_ms < self.starts_ms {
            InForce::Pending
        } else {
            InForce::Active
        }
    }

    /// Whether a match is hidden: by the time of its event, and only until the suppression expires by the clock.
    pub fn hides(&self, seen: &Seen<'_>, now_ms: i64) -> bool {
        now_ms < self.expires_ms && self.fits(seen)
    }

    /// As if it did not expire.
    pub fn fits(&self, seen: &Seen<'_>) -> bool {
        let Stated { rule, account, actor, source_ip, .. } = &self.stated;
        let is_rule = |globs: &Globs| globs.matches(seen.rule) || seen.aliases.iter().any(|alias| globs.matches(alias));
        (self.starts_ms..self.expires_ms).contains(&seen.event_ms)
            && rule.as_ref().is_none_or(is_rule)
            && account.as_ref().is_none_or(|globs| seen.place.is_account(globs))
            && actor.as_ref().is_none_or(|globs| seen.summary.actor.as_deref().is_some_and(|actor| globs.matches(actor)))
            && (source_ip.is_none() || self.holds_address(seen.summary.source_ip.as_deref()))
            && self.fields.iter().all(|field| field.holds(seen.record))
    }

    /// A name instead of an address, as AWS services have, is in no network.
    fn holds_address(&self, text: Option<&str>) -> bool {
        let address = text.and_then(|text| text.parse::<IpAddr>().ok());
        address.is_some_and(|address| self.source_ip.iter().any(|network| network.contains(&address.to_canonical())))
    }
}

fn networks(written: Option<&Globs>) -> Result<Vec<IpNet>, String> {
    let network = |text: &str| {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or_else(address);
        network.ok_or_else(|| format!("source_ip: `{text}` is neither an address nor a network such as 10.0.0.0/8"))
    };
    written.into_iter().flat_map(Globs::written).map(network).collect()
}

impl Field {
    fn new(path: &str, value: &Json) -> Result<Self, String> {
        if path.split('.').any(str::is_empty) {
            return Err(format!("fields: `{path}` is no path such as userIdentity.arn"));
        }
        let items = match value {
            Json::Array(items) if !items.is_empty() => items.as_slice(),
            value => std::slice::from_ref(value),
        };
        let mut texts = Vec::new();
        for item in items {
            match item {
                Json::Null => {}
                Json::String(text) => texts.push(text.clone()),
                Json::Number(number) => texts.push(number.to_string()),
                // YAML takes an unquoted Yes for true, and CloudTrail writes both.
                Json::Bool(true) => texts.extend(["true", "True", "yes", "Yes"].map(str::to_owned)),
                Json::Bool(false) => texts.extend(["false", "False", "no", "No"].map(str::to_owned)),
                Json::Array(_) | Json::Object(_) => {
                    return Err(format!("fields.{path}: a value, a pattern, null, or a list of these is expected"));
                }
            }
        }
        let path = path.split('.').map(str::to_owned).collect();
        Ok(Self { path, texts: Globs::new(texts), missing: items.contains(&Json::Null) })
    }

    fn holds(&self, record: &Value<'_>) -> bool {
        let mut values = Vec::new();
        collect(record, &self.path, &mut values);
        if values.iter().all(|value| matches!(value, Value::Null)) {
            return self.missing;
        }
        values.into_iter().filter_map(text).any(|text| self.texts.matches(&text))
    }
}

/// The values at a path; every item of a list is followed.
fn collect<'v, 'a>(value: &'v Value<'a>, path: &[String], found: &mut Vec<&'v Value<'a>>) {
    match (value, path.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, path, found)),
        (value, None) => found.push(value),
        (value, Some((name, rest))) => {
            if let Some(value) = value.get(name) {
                collect(value, rest, found);
            }
        }
    }
}

/// A value as it is compared: CloudTrail writes booleans and numbers now as such and now as text.
fn text<'v>(value: &'v Value<'_>) -> Option<std::borrow::Cow<'v, str>> {
    match value {
        Value::String(text) => Some(String::from_utf8_lossy(text)),
        Value::Number(token) => Some(String::from_utf8_lossy(token)),
        Value::Bool(true) => Some("true".into()),
        Value::Bool(false) => Some("false".into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
