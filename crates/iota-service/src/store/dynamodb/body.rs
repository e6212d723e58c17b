//! Bytes of any length in an attribute: small ones in the item itself, large ones in items of their own, because an item
//! has at most 400 KB.

use super::item::{Item, Key, Read, TTL, bytes, item, number, text};
use super::table::Table;
use super::trouble::{Trouble, Work};
use aws_sdk_dynamodb::types::AttributeValue;
use iota_engine::digest::{digest, hex};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Bytes that an item takes itself. An item with several bodies stays far below 350 KB, and 100 of them fit into a
/// transaction.
const INLINE: usize = 24 << 10;
/// Bytes of one part.
const PART: usize = 300 << 10;

fn parts(pk: &str, count: usize) -> Vec<Key> {
    (0..count).map(|part| Key::new(pk, format!("{part:06}"))).collect()
}

/// Where the parts of a body are, if it is not in the item itself.
fn reference(value: &AttributeValue) -> Option<Vec<Key>> {
    let fields = value.as_m().ok()?;
    let count = fields.get("parts")?.as_n().ok()?.parse().ok()?;
    Some(parts(fields.get("pk")?.as_s().ok()?, count))
}

/// A body in items of its own, and what stands for it in the items that share it.
pub(super) struct Apart {
    pub(super) items: Vec<Item>,
    pub(super) reference: AttributeValue,
}

impl Apart {
    /// `digest` is that of the bytes, so that whoever reads the reference finds exactly them.
    pub(super) fn new(digest: &[u8; 16], body: &[u8], ttl: Option<i64>) -> Self {
        let pk = format!("body#{}", hex(digest));
        let keys = parts(&pk, body.len().div_ceil(PART));
        let part = |(key, part): (&Key, &[u8])| {
            let mut item = key.item();
            item.insert("bytes".to_owned(), bytes(part));
            item.extend(ttl.map(|ttl| (TTL.to_owned(), number(ttl))));
            item
        };
        let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        let reference = AttributeValue::M(item([("pk", text(pk)), ("parts", number(count))]));
        Self { items: keys.iter().zip(body.chunks(PART)).map(part).collect(), reference }
    }
}

impl Table {
    /// Makes the attribute that stands for these bytes in the item `owner`. What is large is written before this returns.
    /// `ttl` is that of the owner.
    pub(super) async fn keep(&self, owner: &Key, body: &[u8], ttl: Option<i64>) -> Work<AttributeValue> {
        if body.len() <= INLINE {
            return Ok(bytes(body));
        }
        let Apart { items, reference } =
            Apart::new(&digest("iota-body-v1", [owner.pk.as_bytes(), owner.sk.as_bytes(), body]), body, ttl);
        self.put_all(items).await?;
        Ok(reference)
    }

    /// The same for a text; a short one is kept as such.
    pub(super) async fn keep_text(&self, owner: &Key, value: &str, ttl: Option<i64>) -> Work<AttributeValue> {
        if value.len() <= INLINE { Ok(text(value)) } else { self.keep(owner, value.as_bytes(), ttl).await }
    }

    /// The text that an attribute stands for.
    pub(super) async fn text(&self, owner: &Item, name: &str) -> Work<String> {
        match owner.text_if_any(name) {
            Some(text) => Ok(text.to_owned()),
            None => String::from_utf8(self.body(owner, name).await?).map_err(|_| owner.lacks(name)),
        }
    }

    /// The bytes that an attribute stands for.
    pub(super) async fn body(&self, owner: &Item, name: &str) -> Work<Vec<u8>> {
        self.bodies([owner], name).await?.of(owner, name)
    }

    /// What several items may share is read once.
    pub(super) async fn bodies<'a>(&self, owners: impl IntoIterator<Item = &'a Item>, name: &str) -> Work<Bodies> {
        let keys: BTreeSet<Key> = owners.into_iter().filter_map(|owner| owner.get(name).and_then(reference)).flatten().collect();
        Ok(Bodies { parts: self.get_all(keys).await?, shared: HashMap::new() })
    }
}

/// Bodies that were read.
pub(super) struct Bodies {
    parts: HashMap<Key, Item>,
    /// Put together, by their parts.
    shared: HashMap<Vec<Key>, Arc<[u8]>>,
}

impl Bodies {
    /// The bytes that an attribute of an item stands for.
    pub(super) fn of(&self, owner: &Item, name: &str) -> Work<Vec<u8>> {
        if let Some(bytes) = owner.bytes_if_any(name) {
            return Ok(bytes.to_vec());
        }
        let mut body = Vec::new();
        for key in owner.get(name).and_then(reference).ok_or_else(|| owner.lacks(name))? {
            let part = self.parts.get(&key).ok_or_else(|| lost(owner, name, &key))?;
            body.extend_from_slice(part.bytes_if_any("bytes").ok_or_else(|| part.lacks("bytes"))?);
        }
        Ok(body)
    }

    /// The same; those that have one body share its bytes.
    pub(super) fn shared(&mut self, owner: &Item, name: &str) -> Work<Arc<[u8]>> {
        let parts = owner.get(name).and_then(reference);
        if let Some(body) = parts.as_ref().and_then(|parts| self.shared.get(parts)) {
            return Ok(Arc::clone(body));
        }
        let body: Arc<[u8]> = self.of(owner, name)?.into();
        self.shared.extend(parts.map(|parts| (parts, Arc::clone(&body))));
        Ok(body)
    }
}

/// The items that hold what an item's attributes stand for.
pub(super) fn parts_of(owner: &Item) -> Vec<Key> {
    let attributes: HashMap<&String, Vec<Key>> =
        owner.iter().filter_map(|(name, value)| Some((name, reference(value)?))).collect();
    attributes.into_values().flatten().collect()
}

fn lost(owner: &Item, name: &str, part: &Key) -> Trouble {
    let key = Key::of(owner).map(|key| key.to_string()).unwrap_or_default();
    Trouble::Damaged { key, why: format!("{part} is missing, a part of attribute `{name}`") }
}
