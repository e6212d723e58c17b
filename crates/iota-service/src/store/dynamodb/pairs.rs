//! Rejects and failed pairs: kept with their bytes until somebody has looked at them, or they are old.

use super::DynamoDb;
use super::body::Apart;
use super::item::{AT, IK, Item, Key, Read, TTL, bytes, item, number, text};
use super::ledger::{of_terms, terms};
use super::query::{Query, SHARDS, listed};
use super::table::{each, wall_ms};
use super::trouble::{Trouble, Work};
use super::write::Write;
use aws_sdk_dynamodb::types::AttributeValue;
use iota_engine::alert::Origin;
use iota_engine::digest::{digest, hex};
use iota_engine::event::Identity;
use iota_engine::store::{Except, FailedPair, KEEP_ALERTS_MS, LeftOut, PairFilter, Reject, RejectFilter};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What the attribute `class`, which the index has, says of a pair that was not run.
const LEFT_OUT: &str = "left_out";
/// How much longer than its pairs a record is kept, in seconds: whoever has just read a pair finds it.
const RECORD_LONGER: i64 = 60 * 60;
/// Ids that are no further apart are looked for together: what stands between them is read for nothing.
const NEAR: i64 = 400;
/// A condition has 300 operators at most.
const MAX_EXCEPT: usize = 50;

/// Where the pair with this id is listed; by the id, so that it is found by it.
fn list_of(id: i64) -> String {
    format!("pair#{}", id.rem_euclid(i64::from(SHARDS)))
}

fn ttl() -> i64 {
    (wall_ms() + KEEP_ALERTS_MS) / 1000
}

impl DynamoDb {
    pub(super) async fn put_rejects(&self, rejects: &[Reject]) -> Work<()> {
        let mut items: BTreeMap<Key, Item> = BTreeMap::new();
        for Reject { origin, reason, line, offset, bytes: raw, at_ms } in rejects {
            let record = origin.record.to_string();
            // Without a version (standard input) two reads are two things.
            let at = at_ms.to_string();
            let version = origin.version.as_deref().filter(|version| !version.is_empty());
            let key = Key::reject(&[&origin.object, version.unwrap_or_default(), &record, version.map_or(&at, |_| "")]);
            let mut reject = item([
                ("object", self.table.keep_text(&key, &origin.object, Some(ttl())).await?),
                ("version", self.table.keep_text(&key, version.unwrap_or_default(), Some(ttl())).await?),
                ("record", number(origin.record)),
                ("reason", text(reason)),
                ("line", number(*line)),
                ("offset", number(*offset)),
                ("bytes", bytes(raw.clone())),
                (IK, text(listed::shard("reject", key.pk.as_bytes()))),
                (AT, number(*at_ms)),
                (TTL, number(ttl())),
            ]);
            reject.extend(key.item());
            items.entry(key).or_insert(reject);
        }
        self.table.put_all(items.into_values().collect()).await
    }

    pub(super) async fn list_rejects(&self, filter: &RejectFilter) -> Work<Vec<Reject>> {
        let query = |ik| Query::listed(ik).between(filter.since_ms, None).limit(filter.limit);
        let mut found = Vec::new();
        for item in self.table.list_whole("reject", query).await? {
            let version = Some(self.table.text(&item, "version").await?).filter(|version| !version.is_empty());
            let (object, record) = (self.table.text(&item, "object").await?, item.number("record")?.cast_unsigned());
            found.push(Reject {
                origin: Origin { object, version, record },
                reason: item.text("reason")?,
                line: item.number("line")?.cast_unsigned(),
                offset: item.number("offset")?.cast_unsigned(),
                bytes: item.bytes_if_any("bytes").ok_or_else(|| item.lacks("bytes"))?.to_vec(),
                at_ms: item.number(AT)?,
            });
        }
        let place = |reject: &Reject| (reject.at_ms, reject.origin.object.clone(), reject.origin.record);
        found.sort_by_key(place);
        Ok(found)
    }

    pub(super) async fn put_failed_pairs(&self, pairs: &[FailedPair]) -> Work<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        // Numbers for all of them; some stay unused where a pair has one.
        let count = i64::try_from(pairs.len()).unwrap_or(i64::MAX);
        let counted = Write::update(Key::last_pair(), "ADD #last :count").with("count", number(count));
        let last = self.table.update(&counted).await?.number("last")?;
        let (ttl, raws) = (ttl(), self.keep_records(pairs).await?);
        let raws = &raws;
        // One pair is in a unit once; if not, the last holds.
        let pairs: BTreeMap<Key, (i64, &FailedPair)> =
            (last - count + 1..).zip(pairs).map(|(id, pair)| (key_of(pair), (id, pair))).collect();
        let puts = pairs.into_iter().map(|(key, (id, pair))| async move {
            let failure = serde_json::to_vec(&pair.failure)?;
            // Of a pair that was kept before, number, terms and time stay.
            let terms = of_terms(pair.terms);
            let kept: Vec<String> = terms.keys().map(|name| format!("#{name} = if_not_exists(#{name}, :{name}), ")).collect();
            let change = "#id = if_not_exists(#id, :id), #ik = if_not_exists(#ik, :ik), #at = if_not_exists(#at, :id), \
                          #pack = :pack, #rule = :rule, #function = :function, #record = :record, #object = :object, \
                          #version = :version, #number = :number, #raw = :raw, #at_ms = if_not_exists(#at_ms, :at_ms), #ttl = :ttl";
            // That it is not run now takes no failure away.
            let failed = match pair.failure {
                Some(_) => "#failure = :failure, #class = :class",
                None => "#failure = if_not_exists(#failure, :failure), #class = if_not_exists(#class, :class)",
            };
            let Origin { object, version, record } = &pair.origin;
            let write = Write::update(key.clone(), format!("SET {}{change}, {failed}", kept.concat()));
            let write = terms.into_iter().fold(write, |write, (name, value)| write.with(&name, value));
            let write = write
                .with("id", number(id))
                .with("ik", text(list_of(id)))
                .with("pack", text(&pair.pack))
                .with("rule", text(&pair.rule))
                .with("function", text(&pair.function))
                .with("record", bytes(pair.record.0))
                .with("object", self.table.keep_text(&key, object, Some(ttl)).await?)
                .with("version", self.table.keep_text(&key, &serde_json::to_string(version)?, Some(ttl)).await?)
                .with("number", number(*record))
                .with("raw", raws[&pair.raw[..]].clone())
                .with("failure", self.table.keep(&key, &failure, Some(ttl)).await?)
                .with("at_ms", number(pair.at_ms))
                .with("class", text(if pair.failure.is_none() { LEFT_OUT } else { "failed" }))
                .with("ttl", number(ttl));
            self.table.write(&write).await
        });
        each(puts, |put| put).await.map(drop)
    }

    /// Writes the bytes of the records, once however many rules failed or were not run on one. They have no owner that they go
    /// with: they are there until they expire, after the last of their pairs.
    async fn keep_records<'p>(&self, pairs: &'p [FailedPair]) -> Work<HashMap<&'p [u8], AttributeValue>> {
        let ttl = ttl() + RECORD_LONGER;
        let (mut items, mut references) = (Vec::new(), HashMap::new());
        for raw in pairs.iter().map(|pair| &pair.raw[..]) {
            if let Entry::Vacant(slot) = references.entry(raw) {
                let apart = Apart::new(&digest("iota-failed-record-v1", [raw]), raw, Some(ttl));
                items.extend(apart.items);
                slot.insert(apart.reference);
            }
        }
        self.table.put_all(items).await?;
        Ok(references)
    }

    pub(super) async fn list_failed_pairs(&self, filter: &PairFilter) -> Work<Vec<FailedPair>> {
        let query = |ik| {
            let query = Query::listed(ik).between(Some(filter.after.saturating_add(1)), None);
            let query = match &filter.rule {
                Some(rule) => query.and("#rule = :rule").with("rule", text(rule)),
                None => query,
            };
            let query = match &filter.left_out {
                Some(except) => without(left_out(query), except),
                None => query,
            };
            // How many are old enough is known when they are read.
            query.limit(filter.limit.filter(|_| filter.since_ms.is_none()))
        };
        let mut listed = self.table.list_whole("pair", query).await?;
        listed.retain(|item| item.number("at_ms").is_ok_and(|at| filter.since_ms.is_none_or(|since| at >= since)));
        listed.truncate(filter.limit.unwrap_or(usize::MAX));
        let (mut pairs, mut raws) = (Vec::new(), self.table.bodies(&listed, "raw").await?);
        for item in &listed {
            pairs.push(self.pair_of(item, raws.shared(item, "raw")?).await?);
        }
        Ok(pairs)
    }

    pub(super) async fn count_left_out(&self) -> Work<Vec<LeftOut>> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (_, item) in self.table.list("pair", |ik| left_out(Query::listed(ik))).await? {
            *counts.entry((item.text("pack")?, item.text("rule")?)).or_default() += 1;
        }
        Ok(counts.into_iter().map(|((pack, rule), calls)| LeftOut { pack, rule, calls }).collect())
    }

    async fn pair_of(&self, item: &Item, raw: Arc<[u8]>) -> Work<FailedPair> {
        let record = item.bytes_if_any("record").and_then(|bytes| bytes.try_into().ok());
        let (object, version) = (self.table.text(item, "object").await?, self.table.text(item, "version").await?);
        let version = serde_json::from_str(&version)?;
        Ok(FailedPair {
            id: item.number("id")?,
            pack: item.text("pack")?,
            rule: item.text("rule")?,
            function: item.text("function")?,
            record: Identity(record.ok_or_else(|| item.lacks("record"))?),
            origin: Origin { object, version, record: item.number("number")?.cast_unsigned() },
            raw,
            terms: terms(item)?,
            failure: serde_json::from_slice(&self.table.body(item, "failure").await?)?,
            at_ms: item.number("at_ms")?,
        })
    }

    pub(super) async fn remove_pairs(&self, ids: &[i64]) -> Work<usize> {
        let ids: BTreeSet<i64> = ids.iter().copied().collect();
        let find = |(list, first, last): (String, i64, i64)| async move {
            self.table.query(&Query::listed(list).between(Some(first), Some(last.saturating_add(1)))).await
        };
        let found = each(ranges(&ids), find).await?;
        let mut removals = Vec::new();
        for item in found.iter().flatten() {
            let id = item.number(AT)?;
            if ids.contains(&id) {
                removals.push(Write::delete(Key::of(item)?).when("#id = :id").with("id", number(id)));
            }
        }
        let remove = |removal: Write| async move {
            match self.table.write(&removal).await {
                Ok(()) => Ok(true),
                Err(Trouble::Changed) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let removed = each(removals, remove).await?;
        Ok(removed.into_iter().filter(|removed| *removed).count())
    }
}

/// Where these ids are listed, with the first and the last of those that are near each other: one query finds them all.
fn ranges(ids: &BTreeSet<i64>) -> Vec<(String, i64, i64)> {
    let mut ranges: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for &id in ids {
        let of_list = ranges.entry(list_of(id)).or_default();
        match of_list.last_mut() {
            Some((_, last)) if id - *last <= NEAR => *last = id,
            _ => of_list.push((id, id)),
        }
    }
    let of_list =
        |(list, ranges): (String, Vec<(i64, i64)>)| ranges.into_iter().map(move |(first, last)| (list.clone(), first, last));
    ranges.into_iter().flat_map(of_list).collect()
}

fn left_out(query: Query) -> Query {
    query.and("#class = :class").with("class", text(LEFT_OUT))
}

fn without(query: Query, except: &Except) -> Query {
    let packs = except.packs.iter().map(|pack| (pack, None));
    let rules = except.rules.iter().map(|(pack, rule)| (pack, Some(rule)));
    packs.chain(rules).take(MAX_EXCEPT).enumerate().fold(query, |query, (number, (pack, rule))| {
        let (of_pack, of_rule) = (format!("pack{number}"), format!("rule{number}"));
        let query = query.with(&of_pack, text(pack));
        match rule {
            None => query.and(&format!("#pack <> :{of_pack}")),
            Some(rule) => query.and(&format!("(#pack <> :{of_pack} OR #rule <> :{of_rule})")).with(&of_rule, text(rule)),
        }
    })
}

fn key_of(pair: &FailedPair) -> Key {
    Key::pair(&[&pair.pack, &pair.rule, &pair.function, &hex(&pair.record.0)])
}
