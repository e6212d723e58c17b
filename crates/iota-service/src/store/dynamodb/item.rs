//! Items of the table: keys, attributes, and how they are read.
//! Knows what is kept where, and nothing of how it is asked for.

use super::trouble::{Trouble, Work};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use iota_engine::digest::{digest, hex};
use iota_engine::event::Identity;
use iota_engine::store::{DeliveryId, ObjectVersion};
use std::collections::HashMap;
use std::fmt;

pub(super) type Item = HashMap<String, AttributeValue>;

/// Attributes of the table's key, of the index's key, and of the time from which DynamoDB may delete an item (in seconds).
pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";
pub(super) const IK: &str = "ik";
pub(super) const AT: &str = "at";
pub(super) const TTL: &str = "ttl";

/// The sort key of items that are alone under their partition key.
const ALONE: &str = "-";
/// Longest text that a sort key is made of as it is, in bytes; DynamoDB takes 1,024.
const SORTED: usize = 900;
/// Longest text that is only shown, in bytes: titles have at most 1,000 characters.
const SHORT: usize = 4_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    fn alone(pk: String) -> Self {
        Self::new(pk, ALONE)
    }

    pub(super) fn of(item: &Item) -> Work<Self> {
        Ok(Self { pk: item.text(PK)?, sk: item.text(SK)? })
    }

    pub(super) fn seen(identity: &Identity) -> Self {
        Self::alone(format!("seen#{}", hex(&identity.0)))
    }

    pub(super) fn object(object: &ObjectVersion) -> Self {
        Self::alone(named("object", &[&object.object, &object.version]))
    }

    pub(super) fn checkpoint(key: &str) -> Self {
        let sk = start(key);
        let rest = || hex(&digest("iota-checkpoint-v1", [key.as_bytes()]));
        Self::new("checkpoint", if sk.len() < key.len() { format!("{sk}#{}", rest()) } else { key.to_owned() })
    }

    pub(super) fn cell(group: &[u8; 16], number: i64) -> Self {
        Self::new(format!("group#{}", hex(group)), format!("cell#{number}"))
    }

    pub(super) fn alert(alert_id: &str) -> Self {
        Self::new(format!("alert#{alert_id}"), "alert")
    }

    pub(super) fn content(alert_id: &str) -> Self {
        Self::new(format!("alert#{alert_id}"), "content")
    }

    pub(super) fn delivery(id: &DeliveryId) -> Self {
        Self::new(format!("alert#{}", id.alert_id), format!("delivery#{}#{}", id.output, id.revision))
    }

    /// That an output was to be told of alerts of a rule.
    pub(super) fn told(output: &str, rule: &str) -> Self {
        Self::new("told", format!("{}#{rule}", start(output)))
    }

    pub(super) fn reject(parts: &[&str]) -> Self {
        Self::alone(named("reject", parts))
    }

    pub(super) fn pair(parts: &[&str]) -> Self {
        Self::alone(named("pair", parts))
    }

    pub(super) fn state(pack: &str, kind: &str, key: &str) -> Self {
        Self::alone(named("state", &[pack, kind, key]))
    }

    pub(super) fn applied(pack: &str, rule: &str, record: &Identity, part: usize) -> Self {
        Self::alone(named("applied", &[pack, rule, &hex(&record.0), &part.to_string()]))
    }

    pub(super) fn audit(number: u64) -> Self {
        Self::new("audit", format!("{number:020}"))
    }

    /// The last id that was given to a failed pair.
    pub(super) fn last_pair() -> Self {
        Self::new("table", "last-pair")
    }

    pub(super) fn version() -> Self {
        Self::new("table", "version")
    }

    /// A key as attributes.
    pub(super) fn item(&self) -> Item {
        item([(PK, text(&self.pk)), (SK, text(&self.sk))])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {:?} {:?}", self.pk, self.sk)
    }
}

/// A partition key for a name of any length.
fn named(kind: &str, parts: &[&str]) -> String {
    format!("{kind}#{}", hex(&digest("iota-item-v1", [kind].iter().chain(parts).map(|part| part.as_bytes()))))
}

/// As much of a text as a sort key takes.
pub(super) fn start(text: &str) -> &str {
    first(text, SORTED)
}

/// As much of a text as lists show. Whoever makes records decides how long some texts are, and an item that DynamoDB refuses
/// would hold up its unit for ever; the whole text is in the content of the alert.
pub(super) fn short(text: &str) -> &str {
    first(text, SHORT)
}

/// At most so many bytes, of whole characters.
fn first(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or_default()]
}

/// A rule of a pack, short enough for keys.
pub(super) fn rule_name(pack: &str, rule: &str) -> String {
    hex(&digest("iota-rule-v1", [pack.as_bytes(), rule.as_bytes()])[..8])
}

pub(super) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl TryInto<i64>) -> AttributeValue {
    AttributeValue::N(value.try_into().unwrap_or(i64::MAX).to_string())
}

pub(super) fn bytes(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// Reads attributes; what is missing or of another type is an error that names the item.
pub(super) trait Read {
    fn text_if_any(&self, name: &str) -> Option<&str>;
    fn number_if_any(&self, name: &str) -> Work<Option<i64>>;
    fn bytes_if_any(&self, name: &str) -> Option<&[u8]>;
    fn lacks(&self, name: &str) -> Trouble;

    fn text(&self, name: &str) -> Work<String> {
        self.text_if_any(name).map(str::to_owned).ok_or_else(|| self.lacks(name))
    }

    fn number(&self, name: &str) -> Work<i64> {
        self.number_if_any(name)?.ok_or_else(|| self.lacks(name))
    }
}

impl Read for Item {
    fn text_if_any(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
    }

    fn number_if_any(&self, name: &str) -> Work<Option<i64>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_n().ok().and_then(|number| number.parse().ok());
                number.map(Some).ok_or_else(|| self.lacks(name))
            }
        }
    }

    fn bytes_if_any(&self, name: &str) -> Option<&[u8]> {
        self.get(name).and_then(|value| value.as_b().ok()).map(Blob::as_ref)
    }

    fn lacks(&self, name: &str) -> Trouble {
        let part = |name: &str| self.text_if_any(name).unwrap_or_default().to_owned();
        let key = Key { pk: part(PK), sk: part(SK) };
        Trouble::Damaged { key: key.to_string(), why: format!("attribute `{name}` is missing or damaged") }
    }
}
