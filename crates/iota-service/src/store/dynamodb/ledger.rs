//! What the pipeline asks for and commits.
//!
//! A unit is written in an order in which a cut between any two steps is repaired by committing the same records again:
//! groups with their alerts, rule state, rejects and failed pairs, and the ledger last, which keeps them from being read
//! again.

use super::DynamoDb;
use super::cells::Known;
use super::group::Group;
use super::item::{AT, IK, Item, Key, Read, TTL, bytes, item, number, text};
use super::query::{Query, listed};
use super::table::{each, wall_ms};
use super::trouble::Work;
use crate::crash_point;
use iota_engine::dedup::Seen;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::store::{
    Checkpoint, Committed, KEEP_ALERTS_MS, KEEP_OBJECTS_MS, Ledger, Match, ObjectVersion, Result, Terms, Unit,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

impl Ledger for DynamoDb {
    fn seen(&self, records: &[(Identity, Fingerprint)]) -> Result<Vec<Seen>> {
        self.wait(async {
            let known = self.fingerprints(records.iter().map(|(identity, _)| *identity)).await?;
            Ok(records.iter().map(|(identity, fingerprint)| judge(known.get(identity), *fingerprint)).collect())
        })
    }

    fn is_finished(&self, object: &ObjectVersion) -> Result<bool> {
        self.wait(async { Ok(self.table.get(&Key::object(object)).await?.is_some()) })
    }

    fn are_finished(&self, objects: &[ObjectVersion]) -> Result<Vec<bool>> {
        self.wait(async {
            let keys: BTreeSet<Key> = objects.iter().map(Key::object).collect();
            let found = self.table.get_all(keys).await?;
            Ok(objects.iter().map(|object| found.contains_key(&Key::object(object))).collect())
        })
    }

    fn commit(&self, unit: &Unit) -> Result<Committed> {
        self.wait(self.commit_unit(unit))
    }

    fn checkpoints(&self, prefix: &str) -> Result<Vec<Checkpoint>> {
        self.wait(async {
            let pk = Key::checkpoint("").pk;
            let found = self.table.query(&Query::under(&pk, prefix)).await?;
            let mut checkpoints = Vec::new();
            for item in &found {
                let (key, value) = (self.table.text(item, "key").await?, self.table.text(item, "value").await?);
                checkpoints.push(Checkpoint { key, value });
            }
            checkpoints.retain(|checkpoint| checkpoint.key.starts_with(prefix));
            checkpoints.sort_by(|one, next| one.key.cmp(&next.key));
            Ok(checkpoints)
        })
    }

    fn rule_state(&self, pack: &str, kind: &str, key: &str) -> Result<serde_json::Value> {
        self.wait(super::rule_state::get(&self.table, pack, kind, key))
    }

    fn retain(&self, now_ms: i64) -> Result<()> {
        self.wait(self.forget_alerts(now_ms))
    }
}

fn judge(known: Option<&Fingerprint>, fingerprint: Fingerprint) -> Seen {
    match known {
        None => Seen::First,
        Some(known) if *known == fingerprint => Seen::Duplicate,
        Some(_) => Seen::Variant,
    }
}

impl DynamoDb {
    /// With what value records were committed.
    async fn fingerprints(&self, records: impl Iterator<Item = Identity>) -> Work<HashMap<Identity, Fingerprint>> {
        let records: BTreeSet<Identity> = records.collect();
        let found = self.table.get_all(records.iter().map(Key::seen)).await?;
        let read = |identity: Identity| {
            let item = found.get(&Key::seen(&identity))?;
            let fingerprint = item.bytes_if_any("fingerprint").and_then(|bytes| bytes.try_into().ok());
            Some(fingerprint.map(|bytes| (identity, Fingerprint(bytes))).ok_or_else(|| item.lacks("fingerprint")))
        };
        records.into_iter().filter_map(read).collect()
    }

    /// Asks the ledger for records of these matches. Returns whether it knows of some.
    pub(super) async fn look_up(&self, matches: &[&Match], records: &[Identity], known: &mut Known) -> Work<bool> {
        let found = self.fingerprints(records.iter().copied()).await?;
        let before = known.repeated.len() + known.variants.len();
        for sighting in matches.iter().map(|found| &found.sighting).filter(|sighting| records.contains(&sighting.identity)) {
            match judge(found.get(&sighting.identity), sighting.fingerprint) {
                Seen::First => {}
                Seen::Duplicate => drop(known.repeated.insert(sighting.identity)),
                Seen::Variant => drop(known.variants.insert(sighting.identity)),
            }
        }
        Ok(known.repeated.len() + known.variants.len() > before)
    }

    async fn commit_unit(&self, unit: &Unit) -> Work<Committed> {
        let committed = self.commit_groups(unit).await?;
        crash_point("commit.alerts");
        super::rule_state::apply(&self.table, unit).await?;
        crash_point("commit.state");
        self.put_rejects(&unit.rejects).await?;
        self.put_failed_pairs(&unit.failed_pairs).await?;
        self.table.put_all(seen(unit)).await?;
        crash_point("commit.seen");
        self.put_finished(unit).await?;
        self.put_checkpoints(unit).await?;
        crash_point("commit.finished");
        Ok(committed)
    }

    async fn commit_groups(&self, unit: &Unit) -> Work<Committed> {
        let mut committed = Committed::default();
        if unit.matches.is_empty() {
            return Ok(committed);
        }
        let matched: HashSet<Identity> = unit.matches.iter().map(|found| found.sighting.identity).collect();
        let of_matches = || unit.seen.iter().filter(|(identity, _)| matched.contains(identity));
        let known = self.fingerprints(of_matches().map(|(identity, _)| *identity)).await?;
        let of = |wanted: Seen| -> HashSet<Identity> {
            let is = |(identity, fingerprint): &&(Identity, Fingerprint)| judge(known.get(identity), *fingerprint) == wanted;
            of_matches().filter(is).map(|(identity, _)| *identity).collect()
        };
        let (repeated, variants) = (of(Seen::Duplicate), of(Seen::Variant));
        let mut groups: BTreeMap<[u8; 16], Vec<&Match>> = BTreeMap::new();
        for found in &unit.matches {
            if repeated.contains(&found.sighting.identity) {
                committed.repeated += 1;
            } else {
                groups.entry(found.class.group(&found.group)).or_default().push(found);
            }
        }
        let of_group = groups.iter().filter_map(|(&id, matches)| {
            let group = Group { store: self, id, now_ms: unit.now_ms, detected_ms: unit.detected_ms, of: matches.first()? };
            Some(group.commit(matches, &variants))
        });
        for done in each(of_group, |commit| commit).await? {
            committed.add(done);
        }
        Ok(committed)
    }
}

/// Each key once, the last one: a request cannot write an item twice.
fn distinct(items: impl Iterator<Item = (Key, Item)>) -> Vec<Item> {
    let items: BTreeMap<Key, Item> = items.collect();
    let with_key = |(key, mut item): (Key, Item)| {
        item.extend(key.item());
        item
    };
    items.into_iter().map(with_key).collect()
}

fn until(keep_ms: i64) -> (String, aws_sdk_dynamodb::types::AttributeValue) {
    (TTL.to_owned(), number((wall_ms() + keep_ms) / 1000))
}

fn seen(unit: &Unit) -> Vec<Item> {
    distinct(unit.seen.iter().map(|(identity, fingerprint)| {
        let mut seen = item([("fingerprint", bytes(fingerprint.0))]);
        seen.extend([until(KEEP_ALERTS_MS)]);
        (Key::seen(identity), seen)
    }))
}

impl DynamoDb {
    async fn put_finished(&self, unit: &Unit) -> Work<()> {
        let ttl = (wall_ms() + KEEP_OBJECTS_MS) / 1000;
        let mut items = Vec::new();
        for object in &unit.finished {
            let key = Key::object(object);
            let mut finished = item([
                ("object", self.table.keep_text(&key, &object.object, Some(ttl)).await?),
                ("version", self.table.keep_text(&key, &object.version, Some(ttl)).await?),
                (IK, text(listed::shard("object", object.object.as_bytes()))),
                (AT, number(unit.now_ms)),
                (TTL, number(ttl)),
            ]);
            finished.extend(of_terms(unit.terms));
            items.push((key, finished));
        }
        self.table.put_all(distinct(items.into_iter())).await
    }

    async fn put_checkpoints(&self, unit: &Unit) -> Work<()> {
        let mut items = Vec::new();
        for checkpoint in &unit.checkpoints {
            let (key, ttl) = (Key::checkpoint(&checkpoint.key), ttl(checkpoint));
            let named = self.table.keep_text(&key, &checkpoint.key, ttl).await?;
            let value = self.table.keep_text(&key, &checkpoint.value, ttl).await?;
            let mut kept = item([("key", named), ("value", value)]);
            kept.extend(ttl.map(|ttl| (TTL.to_owned(), number(ttl))));
            items.push((key, kept));
        }
        self.table.put_all(distinct(items.into_iter())).await
    }
}

/// When a checkpoint expires, if ever, in seconds since the Unix epoch.
fn ttl(checkpoint: &Checkpoint) -> Option<i64> {
    (!checkpoint.is_lasting()).then(|| (wall_ms() + KEEP_OBJECTS_MS) / 1000)
}

/// Terms as attributes; what is not limited is not there.
pub(super) fn of_terms(terms: Terms) -> Item {
    let named = [("late_before", terms.late_before_ms), ("send_from", terms.send_from_ms)];
    named.into_iter().filter_map(|(name, ms)| Some((name.to_owned(), number(ms?)))).collect()
}

pub(super) fn terms(item: &Item) -> Work<Terms> {
    Ok(Terms { late_before_ms: item.number_if_any("late_before")?, send_from_ms: item.number_if_any("send_from")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_when_a_source_is_read_has_no_time_to_live() {
        let checkpoint = |key: &str| Checkpoint { key: key.to_owned(), value: "1".to_owned() };
        assert_eq!(["begin:q", "poll:q"].map(|key| ttl(&checkpoint(key)).is_some()), [false, true]);
    }
}
