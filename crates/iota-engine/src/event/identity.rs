//! Which record a record is, under redelivery and re-serialisation (docs/ARCHITECTURE.md, Identity).

use crate::decode::Record;
use crate::digest::digest;
use crate::json::Value;
use serde::{Deserialize, Serialize};

/// Match identity: the same for every delivery of one CloudTrail record. A 128-bit digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity(pub [u8; 16]);

/// Digest of a record's value: equal for records that differ only in how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 4]);

impl Identity {
    /// Of (recipientAccountId, `addendum.originalEventID` or eventID). Without a string event id: of the
    /// record's canonical JSON.
    pub fn of(record: &Record<'_>) -> Self {
        let text = |span: crate::decode::Span| span.text(record.raw);
        let original = Some(record.fields.addendum)
            .filter(|span| !span.is_missing())
            .and_then(|span| Value::parse(span.of(record.raw)).text(&["originalEventID"]).map(str::to_owned));
        match original.map(Into::into).or_else(|| text(record.fields.event_id)) {
            Some(event_id) => {
                let account = text(record.fields.recipient_account_id).unwrap_or_default();
                Self(digest("iota-record-v1", [account.as_bytes(), event_id.as_bytes()]))
            }
            None => Self(digest("iota-record-value-v1", [canonical(record.raw).as_slice()])),
        }
    }
}

impl Fingerprint {
    /// Four bytes: a differing value goes unnoticed once in 2^32 redeliveries, and then counts as a plain duplicate.
    pub fn of(record: &Record<'_>) -> Self {
        let [a, b, c, d, ..] = digest("iota-value-v1", [canonical(record.raw).as_slice()]);
        Self([a, b, c, d])
    }
}

fn canonical(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    Value::parse(raw).canonical_into(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Decoder, Item, Limits};

    fn identity(json: &str) -> (Identity, Fingerprint) {
        let mut decoder = Decoder::new(json.as_bytes(), Limits::default());
        match decoder.next().expect("reads from memory") {
            Some(Item::Record(record)) => (Identity::of(&record), Fingerprint::of(&record)),
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn one_record_in_two_serialisations_is_one() {
        let (a, value_a) = identity(r#"{"eventID":"e1","recipientAccountId":"1","n":1.0,"s":"\u00e9"}"#);
        let (b, value_b) = identity(r#"{ "s": "é", "n": 1, "recipientAccountId": "1", "eventID": "\u00651" }"#);
        assert_eq!((a, value_a), (b, value_b));
    }

    #[test]
    fn account_and_event_id_decide() {
        let (a, value_a) = identity(r#"{"eventID":"e1","recipientAccountId":"1","x":1}"#);
        let (variant, value_b) = identity(r#"{"eventID":"e1","recipientAccountId":"1","x":2}"#);
        assert_eq!(a, variant);
        assert_ne!(value_a, value_b);
        assert_ne!(a, identity(r#"{"eventID":"e1","recipientAccountId":"2","x":1}"#).0, "another account");
        assert_ne!(a, identity(r#"{"eventID":"e1"}"#).0);
    }

    #[test]
    fn an_addendum_is_the_event_it_corrects() {
        let (original, _) = identity(r#"{"eventID":"e1","recipientAccountId":"1"}"#);
        let (corrected, _) = identity(r#"{"eventID":"e2","recipientAccountId":"1","addendum":{"originalEventID":"e1"}}"#);
        assert_eq!(original, corrected);
        let (own, _) = identity(r#"{"eventID":"e2","recipientAccountId":"1","addendum":null}"#);
        assert_eq!(own, identity(r#"{"eventID":"e2","recipientAccountId":"1"}"#).0);
    }

    #[test]
    fn without_an_event_id_the_value_decides() {
        let a = identity(r#"{"eventName":"X","eventID":null}"#).0;
        assert_eq!(a, identity(r#"{"eventID":null,"eventName":"X"}"#).0);
        assert_ne!(a, identity(r#"{"eventID":null,"eventName":"Y"}"#).0);
    }
}
