//! That rules, and what decides about their alerts, were read again while iota ran, and taken or refused.

use super::{Who, entry, number};
use crate::rules::LoadedPack;
use iota_engine::digest::hex;
use iota_engine::store::{AuditEntry, Desk, Result};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

const RELOAD: &str = "rules.reload";
const REFUSED: &str = "rules.refused";

/// Rules that ran before, and those that run from now on.
#[derive(Debug, Clone, Copy)]
pub struct Reloaded<'a> {
    pub before: &'a [LoadedPack],
    pub after: &'a [LoadedPack],
    /// What they were read again for.
    pub why: &'a str,
}

/// To be called before the new rules run. Of packs whose files are other ones now, and of those that came or went, it names
/// the digest of the files and the versions of the rules that differ.
pub fn record_reload(desk: &dyn Desk, Reloaded { before, after, why }: Reloaded<'_>, who: Who<'_>) -> Result<()> {
    let (was, is) = (running(before), running(after));
    let (before, after) = (differing(&was, &is), differing(&is, &was));
    let why = Some(why.to_owned());
    desk.record(&AuditEntry { why, before: Some(before), after: Some(after), ..entry(who(), RELOAD, "rules") })
}

/// That rules, or what decides about their alerts, were read again and are not taken. `why` they were read, and why they are
/// `refused`: once until others are taken or the reason is another one, however often somebody writes the same files.
pub fn record_refused(desk: &dyn Desk, (why, refused): (&str, &str), who: Who<'_>) -> Result<()> {
    let (why, after) = (Some(why.to_owned()), Some(json!({"refused": refused})));
    loop {
        let log = desk.audit_log(None)?;
        let last = log.iter().map(|record| &record.entry).rfind(|entry| [RELOAD, REFUSED].contains(&entry.action.as_str()));
        if last.is_some_and(|last| last.action == REFUSED && last.after == after) {
            return Ok(());
        }
        let refused = AuditEntry { why: why.clone(), after: after.clone(), ..entry(who(), REFUSED, "rules") };
        if desk.record_after(number(&log), &[refused])? {
            return Ok(());
        }
    }
}

/// Digest of the snapshot, and the version of each rule that runs.
type OfPack<'a> = (String, BTreeMap<&'a str, &'a str>);

fn running(packs: &[LoadedPack]) -> BTreeMap<&str, OfPack<'_>> {
    packs.iter().map(|pack| (pack.pack.name.as_str(), of_pack(pack))).collect()
}

fn of_pack(pack: &LoadedPack) -> OfPack<'_> {
    let rules = pack.runnable.iter().map(|&index| pack.rule(index));
    (hex(pack.pack.snapshot.digest()), rules.map(|rule| (rule.id.as_str(), rule.version.as_str())).collect())
}

fn differing(these: &BTreeMap<&str, OfPack<'_>>, others: &BTreeMap<&str, OfPack<'_>>) -> Json {
    let mut packs = Map::new();
    for (name, (digest, rules)) in these {
        let other = others.get(name);
        if other.is_some_and(|(other_digest, other_rules)| (other_digest, other_rules) == (digest, rules)) {
            continue;
        }
        let same = |id: &str, version: &str| other.is_some_and(|(_, rules)| rules.get(id) == Some(&version));
        let differ: Map<String, Json> = rules
            .iter()
            .filter(|(id, version)| !same(id, version))
            .map(|(id, version)| ((*id).to_owned(), json!(version)))
            .collect();
        packs.insert((*name).to_owned(), json!({"snapshot": digest, "rules": differ}));
    }
    Json::Object(packs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;
    use iota_engine::store::Actor;

    #[test]
    fn the_same_refusal_is_recorded_once_until_rules_are_taken() {
        let store = Sqlite::memory().unwrap();
        let refuse = |refused: &str| record_refused(&store, ("files changed", refused), &|| Actor::Iota).unwrap();
        let nothing = Reloaded { before: &[], after: &[], why: "files changed" };
        refuse("r.py: bad");
        refuse("r.py: bad");
        refuse("s.py: bad");
        refuse("r.py: bad");
        record_reload(&store, nothing, &|| Actor::Iota).unwrap();
        refuse("r.py: bad");
        refuse("r.py: bad");
        let log = store.audit_log(None).unwrap().into_iter().map(|record| record.entry);
        let told: Vec<_> = log.map(|entry| (entry.action, entry.after.unwrap()["refused"].as_str().map(str::to_owned))).collect();
        let refused = |why: &str| (REFUSED.to_owned(), Some(why.to_owned()));
        let expected = ["r.py: bad", "s.py: bad", "r.py: bad"].map(refused).into_iter();
        let expected = expected.chain([(RELOAD.to_owned(), None), refused("r.py: bad")]);
        assert_eq!(told, expected.collect::<Vec<_>>());
    }
}
