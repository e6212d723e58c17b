//! Groups matches when the input has ended, in memory that does not depend on how many matches and groups there are: matches
//! are sorted by group outside memory, groups are closed one by one, and their alerts are sorted into the order of output.
//!
//! What comes out is a function of the set of matches. Of a record that came with several values the one with the
//! smallest (time, fingerprint) counts in its group.

use super::bodies::Body;
use super::groups::{Groupings, Held, RuleIndex, Tally};
use super::packed::{Unpack, put_i64, put_text};
use super::scratch::damaged;
use super::sort::{Sorted, Sorter};
use iota_engine::aggregate::{Closing, Cut, Finding, Rank, Sighting};
use iota_engine::alert::Severity;
use iota_engine::event::{Fingerprint, Identity};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// How much is kept in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Bytes of matches, and again of alerts, before they are written to a temporary file.
    pub(super) sort_bytes: usize,
    /// Cells whose smallest match is remembered, at about 60 bytes each.
    pub(super) cells: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { sort_bytes: 16 << 20, cells: 100_000 }
    }
}

#[derive(Debug)]
pub(super) struct Gather {
    rules: Arc<Groupings>,
    room: Room,
    matches: Sorter,
    /// The smallest match that came with a body, by group and cell: those behind it need none. Forgotten now and then,
    /// which costs a body more than needed.
    smallest: HashMap<([u8; 16], i64), Rank>,
}

impl Gather {
    pub(super) fn new(rules: Arc<Groupings>, room: Room) -> Self {
        Self { rules, room, matches: Sorter::new(room.sort_bytes), smallest: HashMap::new() }
    }

    /// `held` is asked for only where the alert may need it.
    pub(super) fn add(
        &mut self,
        rule: RuleIndex,
        dedup: &str,
        sighting: &Sighting,
        held: impl FnOnce() -> io::Result<Held>,
    ) -> io::Result<()> {
        let group = self.rules.key(rule, dedup).digest();
        let cell = (group, Cut::new(group, self.rules.get(rule).window).cell(sighting.ms));
        let rank = sighting.rank();
        let held = if self.smallest.get(&cell).is_none_or(|smallest| rank < *smallest) {
            if self.smallest.len() >= self.room.cells {
                self.smallest.clear();
            }
            self.smallest.insert(cell, rank);
            Some(held()?)
        } else {
            None
        };
        self.matches.push(&pack_match(rule, dedup, sighting, held))
    }

    /// Closes all groups, and is empty then.
    pub(super) fn finish(&mut self) -> io::Result<(Tally, Findings)> {
        let Self { rules, room, .. } = self;
        self.smallest = HashMap::new();
        let mut matches = std::mem::replace(&mut self.matches, Sorter::new(room.sort_bytes)).finish()?;
        let findings = Sorter::new(room.sort_bytes);
        let mut closer = Closer { rules: Arc::clone(rules), open: None, findings, tally: Tally::default() };
        while let Some(item) = matches.next()? {
            closer.take(&item)?;
        }
        closer.close()?;
        Ok((closer.tally, Findings(closer.findings.finish()?)))
    }
}

/// Takes matches in the order of their groups.
struct Closer {
    rules: Arc<Groupings>,
    open: Option<(RuleIndex, String, Closing<Held>)>,
    findings: Sorter,
    tally: Tally,
}

impl Closer {
    fn take(&mut self, item: &[u8]) -> io::Result<()> {
        let (rule, dedup, sighting, held) = unpack_match(item)?;
        if self.open.as_ref().is_none_or(|(of, key, _)| (*of, key) != (rule, &dedup)) {
            self.close()?;
            let closing = Closing::new(self.rules.key(rule, &dedup), self.rules.get(rule).window);
            self.open = Some((rule, dedup, closing));
        }
        if let Some((.., closing)) = &mut self.open {
            closing.add(&sighting, held);
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let Some((rule, dedup, closing)) = self.open.take() else { return Ok(()) };
        let closed = closing.finish();
        self.tally.below += closed.below;
        self.tally.repeated += closed.repeated;
        self.tally.alerts(closed.findings.iter().map(|finding| finding.count));
        let rank = self.rules.get(rule).rank;
        closed.findings.iter().try_for_each(|finding| self.findings.push(&pack_finding(rank, rule, &dedup, finding)?))
    }
}

/// Alerts by first event time, rule id and dedup key.
#[derive(Debug)]
pub(super) struct Findings(Sorted);

impl Findings {
    pub(super) fn next(&mut self) -> io::Result<Option<(RuleIndex, Finding<Held>)>> {
        self.0.next()?.map(|item| unpack_finding(&item)).transpose()
    }
}

/// Sorts by group, identity, time and fingerprint.
fn pack_match(rule: RuleIndex, dedup: &str, sighting: &Sighting, held: Option<Held>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + dedup.len());
    put_rule(&mut out, rule);
    put_text(&mut out, dedup);
    out.extend_from_slice(&sighting.identity.0);
    put_i64(&mut out, sighting.ms);
    out.extend_from_slice(&sighting.fingerprint.0);
    out.push(u8::from(held.is_some()));
    if let Some(held) = held {
        put_held(&mut out, held);
    }
    if let Some(value) = &sighting.unique {
        put_text(&mut out, value);
    }
    out
}

fn unpack_match(item: &[u8]) -> io::Result<(RuleIndex, String, Sighting, Option<Held>)> {
    let mut item = Unpack(item);
    let rule = rule(&mut item)?;
    let dedup = item.text()?;
    let (identity, ms, fingerprint) = (Identity(item.bytes()?), item.i64()?, Fingerprint(item.bytes()?));
    let held = if item.u8()? == 1 { Some(held(&mut item)?) } else { None };
    let unique = if item.0.is_empty() { None } else { Some(item.text()?) };
    // Which of the values of a record came first does not matter any more.
    Ok((rule, dedup, Sighting { identity, ms, fingerprint, unique, variant: false }, held))
}

/// Sorts by first event time, rule id and dedup key.
fn pack_finding(rank: u32, rule: RuleIndex, dedup: &str, finding: &Finding<Held>) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(128 + dedup.len());
    put_i64(&mut out, finding.first_ms);
    out.extend_from_slice(&rank.to_be_bytes());
    put_text(&mut out, dedup);
    put_rule(&mut out, rule);
    put_text(&mut out, &finding.alert_id);
    out.extend_from_slice(&finding.count.to_be_bytes());
    put_i64(&mut out, finding.last_ms);
    let held = Held::of(finding)?;
    put_held(&mut out, held);
    Ok(out)
}

fn unpack_finding(item: &[u8]) -> io::Result<(RuleIndex, Finding<Held>)> {
    let mut item = Unpack(item);
    let (first_ms, _rank, _dedup) = (item.i64()?, item.u32()?, item.text()?);
    let rule = rule(&mut item)?;
    let (alert_id, count, last_ms) = (item.text()?, item.u64()?, item.i64()?);
    Ok((rule, Finding { alert_id, count, first_ms, last_ms, body: Some(held(&mut item)?) }))
}

fn put_rule(out: &mut Vec<u8>, rule: RuleIndex) {
    out.extend_from_slice(&rule.pack.to_be_bytes());
    out.extend_from_slice(&rule.rule.to_be_bytes());
}

fn rule(item: &mut Unpack<'_>) -> io::Result<RuleIndex> {
    Ok(RuleIndex { pack: item.u32()?, rule: item.u16()? })
}

fn put_held(out: &mut Vec<u8>, held: Held) {
    out.extend_from_slice(&held.body.start.to_be_bytes());
    out.extend_from_slice(&held.body.length.to_be_bytes());
    out.push(held.severity as u8);
    out.push(u8::from(held.goes));
}

fn held(item: &mut Unpack<'_>) -> io::Result<Held> {
    let body = Body { start: item.u64()?, length: item.u32()? };
    let number = item.u8()?;
    let severity = Severity::ALL.into_iter().find(|severity| *severity as u8 == number).ok_or_else(damaged)?;
    Ok(Held { body, severity, goes: item.u8()? == 1 })
}

#[cfg(test)]
mod tests {
    use super::super::groups::Grouping;
    use super::*;
    use iota_engine::aggregate::Window;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;

    /// A match: rule, dedup key, record, value of the record, minute.
    type Match = (u8, u8, u8, u8, i64);

    fn rules() -> Arc<Groupings> {
        let rule = |pack: &str, rule: &str, threshold| Grouping {
            pack: pack.into(),
            rule: rule.into(),
            window: Window { ms: 60 * MINUTE, threshold },
            rank: 0,
        };
        Arc::new(Groupings::ranked(vec![vec![rule("p", "z", 1), rule("p", "b", 3)], vec![rule("q", "a", 2)]]))
    }

    /// Alerts in order: rule, first minute, id, count and which match gave the body.
    type Found = Vec<(RuleIndex, i64, String, u64, u64)>;

    fn gathered(matches: &[Match], room: Room) -> (Tally, Found) {
        let mut gather = Gather::new(rules(), room);
        for &(rule, key, record, value, minute) in matches {
            let index = [(0, 0), (0, 1), (1, 0)].map(|(pack, rule)| RuleIndex { pack, rule })[usize::from(rule % 3)];
            let sighting = Sighting {
                identity: Identity([record; 16]),
                ms: minute * MINUTE,
                fingerprint: Fingerprint([value; 4]),
                // The third rule counts values.
                unique: (rule % 3 == 2).then(|| (record % 3).to_string()),
                variant: false,
            };
            // The place of the body tells the match: record, value and time.
            let start = u64::from(record) << 32 | u64::from(value) << 16 | minute.unsigned_abs();
            let held = Held { body: Body { start, length: 0 }, severity: Severity::High, goes: true };
            gather.add(index, &format!("key {key}"), &sighting, || Ok(held)).unwrap();
        }
        let (tally, mut findings) = gather.finish().unwrap();
        let found = std::iter::from_fn(|| findings.next().unwrap())
            .map(|(rule, finding)| (rule, finding.first_ms, finding.alert_id, finding.count, finding.body.unwrap().body.start))
            .collect();
        (tally, found)
    }

    fn matches() -> impl Strategy<Value = Vec<Match>> {
        proptest::collection::vec((0_u8..3, 0_u8..3, 0_u8..12, 0_u8..3, 0_i64..300), 1..120)
    }

    proptest! {
        #[test]
        fn what_was_on_disk_gives_what_was_in_memory(matches in matches(), sort_bytes in 1_usize..4_000, cells in 1_usize..20) {
            let expected = gathered(&matches, Room::default());
            prop_assert_eq!(&gathered(&matches, Room { sort_bytes, cells }), &expected);
            let (tally, found) = expected;
            prop_assert_eq!(tally.opened + tally.grouped + tally.repeated + tally.below, matches.len() as u64);
            prop_assert_eq!(tally.opened, found.len() as u64);
        }

        #[test]
        fn the_order_of_matches_does_not_matter(
            (matches, shuffled) in matches().prop_flat_map(|matches| (Just(matches.clone()), Just(matches).prop_shuffle())),
        ) {
            prop_assert_eq!(gathered(&matches, Room::default()), gathered(&shuffled, Room::default()));
        }
    }

    #[test]
    fn alerts_come_by_time_then_rule_id_then_key() {
        let (_, found) =
            gathered(&[(0, 2, 1, 0, 9), (0, 1, 2, 0, 9), (0, 0, 3, 0, 10), (2, 0, 4, 0, 9), (2, 0, 5, 0, 9)], Room::default());
        let records: Vec<u64> = found.iter().map(|found| found.4 >> 32).collect();
        assert_eq!(records, [4, 2, 1, 3], "q/a before p/z, key 1 before key 2, minute 9 before minute 10");
    }

    #[test]
    fn the_smallest_of_several_values_counts_wherever_it_comes() {
        let (early, late) = ((0, 0, 7, 1, 10), (0, 0, 7, 2, 250));
        for order in [[early, late], [late, early]] {
            let (tally, found) = gathered(&order, Room::default());
            assert_eq!(found.iter().map(|found| (found.1, found.3)).collect::<Vec<_>>(), [(10 * MINUTE, 1)]);
            assert_eq!(tally.repeated, 1);
        }
    }
}
