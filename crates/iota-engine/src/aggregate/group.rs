//! One group: the matches of one rule with one dedup key, cut into cells of event time.
//! Emits what changes when a match arrives, or everything at the end.

use super::cell::{Cell, Sighting};
use super::segment::{Segment, segments};
use crate::digest::{digest, hex};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// What a group is grouped by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    pub pack: Arc<str>,
    pub rule: Arc<str>,
    pub dedup: Arc<str>,
}

impl GroupKey {
    /// A function of the group and the cell alone: the same under redelivery, reordering, restarts and replicas.
    /// Hex of the first 16 bytes of SHA-256 over length-prefixed UTF-8: version tag, pack, rule id, dedup key, cell number in decimal.
    fn alert_id(&self, cell: i64) -> String {
        self.id("iota-alert-v1", cell, None)
    }

    /// The same for another kind of alert, told by its tag and what qualifies it.
    pub(crate) fn id(&self, tag: &str, cell: i64, qualifier: Option<&str>) -> String {
        let cell = cell.to_string();
        hex(&digest(tag, self.parts().into_iter().chain([cell.as_bytes()]).chain(qualifier.map(str::as_bytes))))
    }

    /// Names the group in 16 bytes.
    pub fn digest(&self) -> [u8; 16] {
        digest("iota-group-v1", self.parts())
    }

    pub(crate) fn parts(&self) -> [&[u8]; 3] {
        [self.pack.as_bytes(), self.rule.as_bytes(), self.dedup.as_bytes()]
    }
}

/// How a rule's matches are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Length, in milliseconds; at least 1.
    pub ms: i64,
    /// Distinct matches (or `unique` values) within one window that make an alert; at least 1.
    pub threshold: usize,
}

/// Where the cells of a group begin. They are shifted, so that groups do not all roll over on the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    window_ms: i64,
    offset_ms: i64,
}

impl Cut {
    /// `group` is the group's digest.
    pub fn new(group: [u8; 16], window: Window) -> Self {
        let window_ms = window.ms.max(1);
        let head = group.first_chunk().copied().map_or(0, u64::from_be_bytes);
        // The remainder is below window_ms, which is positive.
        let offset_ms = i64::try_from(head % window_ms.unsigned_abs()).unwrap_or(0);
        Self { window_ms, offset_ms }
    }

    /// Number of the cell that an event time falls into.
    pub fn cell(self, ms: i64) -> i64 {
        (ms.saturating_add(self.offset_ms)).div_euclid(self.window_ms)
    }
}

/// An alert of a group, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<B> {
    pub alert_id: String,
    pub count: u64,
    pub first_ms: i64,
    pub last_ms: i64,
    /// Of the earliest match in the alert's first cell; `None` when no match there came with one.
    pub body: Option<B>,
}

/// What one match changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<B> {
    /// Counted before.
    Duplicate,
    /// Counted; too few for an alert so far.
    Below,
    Alerts {
        /// New alerts, each with the ids of those whose matches it took over.
        created: Vec<(Finding<B>, Vec<String>)>,
        /// An older alert that the match now belongs to.
        grown: Option<Finding<B>>,
    },
}

/// A group that takes matches as they come and tells at any time what its alerts are.
///
/// Of a record that came with several values the first to arrive is counted, wherever the others would fall: an alert
/// that was written cannot be taken back. Which one that is depends on the order; `Closing` does not.
#[derive(Debug, Clone)]
pub struct Group<B> {
    key: GroupKey,
    window: Window,
    cut: Cut,
    /// By number. A list, not a map: most groups have one cell, and a map's node has room for eleven.
    cells: Vec<(i64, Cell<B>)>,
    /// Cells that named an alert when they were last looked at.
    alerts: BTreeSet<i64>,
}

impl<B: Clone> Group<B> {
    pub fn new(key: GroupKey, window: Window) -> Self {
        let window = Window { ms: window.ms.max(1), threshold: window.threshold.max(1) };
        let cut = Cut::new(key.digest(), window);
        Self { key, window, cut, cells: Vec::new(), alerts: BTreeSet::new() }
    }

    /// Counts a match without looking for alerts. False if it was counted before.
    pub fn count(&mut self, sighting: &Sighting, body: impl FnOnce() -> B) -> bool {
        if sighting.variant && self.cells.iter().any(|(_, cell)| cell.knows(&sighting.identity)) {
            return false;
        }
        let number = self.cell_of(sighting.ms);
        let at = match self.find(number) {
            Ok(at) => at,
            Err(at) => {
                self.cells.reserve_exact(1 + self.cells.len() / 4);
                self.cells.insert(at, (number, Cell::default()));
                at
            }
        };
        let cell = &mut self.cells[at].1;
        let new = cell.add(sighting, self.window.threshold);
        if new {
            cell.offer(sighting.rank(), body);
        }
        new
    }

    /// Counts a match and tells what it changed.
    pub fn add(&mut self, sighting: &Sighting, body: impl FnOnce() -> B) -> Change<B> {
        if !self.count(sighting, body) {
            return Change::Duplicate;
        }
        let number = self.cell_of(sighting.ms);
        let reach = self.reach(number);
        let (first, last) = (self.cells[reach.start].0, self.cells[reach.end - 1].0);
        let now = segments(each(&self.cells[reach]), self.window.threshold, self.window.ms);
        let before: BTreeSet<i64> = self.alerts.range(first..=last).copied().collect();
        let after: BTreeSet<i64> = now.iter().map(|segment| segment.cell).collect();
        self.alerts.retain(|cell| !before.contains(cell));
        self.alerts.extend(&after);
        let superseded = |segment: &Segment| {
            let taken = segment.with_next.then_some(segment.cell + 1);
            taken.filter(|cell| before.contains(cell)).map(|cell| self.key.alert_id(cell)).into_iter().collect()
        };
        let created: Vec<_> = now
            .iter()
            .filter(|segment| !before.contains(&segment.cell))
            .map(|segment| (self.finding(*segment), superseded(segment)))
            .collect();
        let grown = now
            .iter()
            .find(|segment| before.contains(&segment.cell) && segment.holds(number))
            .map(|segment| self.finding(*segment));
        if created.is_empty() && grown.is_none() { Change::Below } else { Change::Alerts { created, grown } }
    }

    /// All alerts, earliest first, and how many matches never made one.
    pub fn finish(&self) -> (Vec<Finding<B>>, u64) {
        let found: Vec<_> = segments(each(&self.cells), self.window.threshold, self.window.ms)
            .into_iter()
            .map(|segment| self.finding(segment))
            .collect();
        let total: u64 = self.cells.iter().map(|(_, cell)| cell.count).sum();
        let counted: u64 = found.iter().map(|finding| finding.count).sum();
        (found, total - counted)
    }

    pub(super) fn cell_of(&self, ms: i64) -> i64 {
        self.cut.cell(ms)
    }

    pub(super) fn threshold(&self) -> usize {
        self.window.threshold
    }

    /// Cells that were counted elsewhere, by number.
    pub(super) fn set_cells(&mut self, cells: Vec<(i64, Cell<B>)>) {
        self.cells = cells;
    }

    /// Where the cell of this number is, or would be.
    fn find(&self, number: i64) -> Result<usize, usize> {
        self.cells.binary_search_by_key(&number, |(number, _)| *number)
    }

    /// The cells that a match in cell `number` can change: with a threshold of one that cell alone, else the unbroken
    /// run of cells around it.
    fn reach(&self, number: i64) -> Range<usize> {
        let (Ok(at) | Err(at)) = self.find(number);
        let (mut first, mut last) = (at, at);
        let adjoin = |one: usize, next: usize| self.cells[one].0 + 1 == self.cells[next].0;
        if self.window.threshold > 1 {
            while first > 0 && adjoin(first - 1, first) {
                first -= 1;
            }
            while last + 1 < self.cells.len() && adjoin(last, last + 1) {
                last += 1;
            }
        }
        first..last + 1
    }

    fn finding(&self, segment: Segment) -> Finding<B> {
        let (Ok(at) | Err(at)) = self.find(segment.cell);
        let own = &self.cells[at].1;
        let next = segment.with_next.then(|| &self.cells[at + 1].1);
        Finding {
            alert_id: self.key.alert_id(segment.cell),
            count: own.count + next.map_or(0, |cell| cell.count),
            first_ms: own.first(),
            last_ms: next.map_or(own.last, |cell| cell.last.max(own.last)),
            body: own.body().cloned(),
        }
    }
}

fn each<B>(cells: &[(i64, Cell<B>)]) -> impl Iterator<Item = (i64, &Cell<B>)> {
    cells.iter().map(|(number, cell)| (*number, cell))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Fingerprint, Identity};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const MINUTE: i64 = 60_000;

    fn key() -> GroupKey {
        GroupKey { pack: "p".into(), rule: "r".into(), dedup: "d".into() }
    }

    fn sighting(n: u8, ms: i64) -> Sighting {
        Sighting { identity: Identity([n; 16]), ms, fingerprint: Fingerprint([0; 4]), unique: None, variant: false }
    }

    fn window(minutes: i64, threshold: usize) -> Window {
        Window { ms: minutes * MINUTE, threshold }
    }

    /// The alerts of a set of matches, by the definition, from scratch.
    fn group(window: Window, matches: &[Sighting]) -> Group<u8> {
        let mut group = Group::new(key(), window);
        for sighting in matches {
            group.count(sighting, || sighting.identity.0[0]);
        }
        group
    }

    fn at(minutes: &[i64]) -> Vec<Sighting> {
        (0..).zip(minutes).map(|(n, &minute)| sighting(n, minute * MINUTE)).collect()
    }

    #[test]
    fn three_within_an_hour_fire_across_a_cell_edge() {
        let (found, below) = group(window(60, 3), &at(&[0, 40, 61, 62])).finish();
        assert_eq!(found.len(), 1, "40, 61 and 62 lie within 60 minutes");
        assert!(found[0].count >= 3);
        assert_eq!(found[0].count + below, 4);
        assert!(group(window(60, 3), &at(&[0, 59, 119])).finish().0.is_empty(), "no hour holds three");
        assert!(group(window(60, 3), &at(&[0, 30, 60])).finish().0.is_empty(), "the interval is half-open");
        assert_eq!(group(window(60, 3), &at(&[0, 30, 59])).finish().0.len(), 1);
    }

    #[test]
    fn ids_do_not_depend_on_the_order() {
        let matches = at(&[0, 50, 70]);
        let (expected, _) = group(window(60, 1), &matches).finish();
        for order in [[2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1]] {
            let permuted: Vec<_> = order.iter().map(|&n| matches[n].clone()).collect();
            assert_eq!(group(window(60, 1), &permuted).finish().0, expected);
        }
        let twice: Vec<_> = matches.iter().chain(&matches).cloned().collect();
        assert_eq!(group(window(60, 1), &twice).finish().0, expected, "duplicates change nothing");
    }

    #[test]
    fn ids_are_pinned() {
        // A committed id never changes: this one is part of the contract.
        let (found, _) = group(window(60, 1), &at(&[0])).finish();
        assert_eq!(found[0].alert_id, "6707283389de8e67bd4b656b4065e3ea");
    }

    #[test]
    fn a_late_match_supersedes_and_does_not_page_twice() {
        let window = window(60, 3);
        let edge = Cut::new(key().digest(), window).offset_ms;
        // In cell 1, three matches close behind its start; then two just before it, in cell 0.
        let start = window.ms - edge;
        let mut group = Group::new(key(), window);
        for (n, ms) in [(0, start + 1), (1, start + 2)] {
            assert_eq!(group.add(&sighting(n, ms), || n), Change::Below);
        }
        let Change::Alerts { created, grown: None } = group.add(&sighting(2, start + 3), || 2) else { panic!("fires") };
        assert_eq!((created.len(), created[0].1.len()), (1, 0));
        let first_id = created[0].0.alert_id.clone();
        let Change::Alerts { created, .. } = group.add(&sighting(3, start - 1), || 3) else { panic!("moves") };
        assert_eq!(created[0].1, [first_id], "the alert that was paged is named");
        assert_eq!(created[0].0.count, 4);
    }

    #[test]
    fn a_variant_counts_once_in_a_group() {
        let mut group = group(window(60, 1), &at(&[0]));
        let mut variant = sighting(0, 200 * MINUTE);
        variant.variant = true;
        assert_eq!(group.add(&variant, || 9), Change::Duplicate);
    }

    #[test]
    fn distinct_values_count_against_the_threshold() {
        let with = |n: u8, minute: i64, value: &str| Sighting { unique: Some(value.into()), ..sighting(n, minute * MINUTE) };
        let same = [with(0, 0, "a"), with(1, 1, "a"), with(2, 2, "a"), with(3, 3, "b")];
        assert!(group(window(60, 3), &same).finish().0.is_empty());
        let (found, _) = group(window(60, 3), &[with(0, 0, "a"), with(1, 50, "b"), with(2, 59, "c")]).finish();
        assert_eq!(found.len(), 1);
    }

    /// The definition, in its simplest form: some interval of one window holds the threshold.
    fn fires(times: &[i64], window: Window) -> bool {
        let mut times = times.to_vec();
        times.sort_unstable();
        times.windows(window.threshold).any(|run| run[window.threshold - 1] - run[0] < window.ms)
    }

    /// First time, last time and count of each alert, cell by cell as the contract says, from plain lists.
    fn by_definition(matches: &[Sighting], window: Window) -> Vec<(i64, i64, u64)> {
        let cut = Cut::new(key().digest(), window);
        let cell = |ms: i64| cut.cell(ms);
        let mut times: Vec<i64> = matches.iter().map(|sighting| sighting.ms).collect();
        times.sort_unstable();
        let mut found = Vec::new();
        while let Some(&first) = times.first() {
            let own: Vec<i64> = times.iter().copied().filter(|&ms| cell(ms) == cell(first)).collect();
            let both: Vec<i64> = times.iter().copied().filter(|&ms| cell(ms) <= cell(first) + 1).collect();
            let within = |start: i64| times.iter().filter(|&&ms| ms >= start && ms < start + window.ms).count();
            let taken = if own.len() >= window.threshold {
                Some(&own)
            } else {
                own.iter().any(|&start| within(start) >= window.threshold).then_some(&both)
            };
            if let Some(taken) = taken {
                found.push((taken[0], *taken.last().unwrap(), taken.len() as u64));
            }
            let passed = taken.unwrap_or(&own).len();
            times.drain(..passed);
        }
        found
    }

    #[test]
    fn a_match_long_before_does_not_join_a_window_it_is_not_in() {
        // Whatever the cells: 0 is never within an hour of the others.
        for n in 0..60 {
            let minutes: Vec<i64> = [0, 105, 106, 107].iter().map(|minute| minute + n).collect();
            let (found, _) = group(window(60, 3), &at(&minutes)).finish();
            assert_eq!(
                found.iter().map(|finding| (finding.first_ms, finding.count)).collect::<Vec<_>>(),
                [((105 + n) * MINUTE, 3)]
            );
        }
    }

    proptest! {
        #[test]
        fn the_set_decides(
            minutes in proptest::collection::vec(0_i64..400, 1..30),
            threshold in 1_usize..5,
            seed in any::<u32>(),
        ) {
            let window = window(60, threshold);
            let matches = at(&minutes);
            let mut shuffled = matches.clone();
            let length = shuffled.len();
            for n in 0..length {
                shuffled.swap(n, (seed as usize).rotate_left(u32::try_from(n).unwrap()) % length);
            }
            let (found, below) = group(window, &matches).finish();
            let extents: Vec<_> = found.iter().map(|finding| (finding.first_ms, finding.last_ms, finding.count)).collect();
            prop_assert_eq!(extents, by_definition(&matches, window));
            let times: Vec<_> = matches.iter().map(|sighting| sighting.ms).collect();
            prop_assert_eq!(!found.is_empty(), fires(&times, window), "fires iff some interval qualifies");
            prop_assert_eq!(found.iter().map(|finding| finding.count).sum::<u64>() + below, matches.len() as u64);
            prop_assert_eq!(&group(window, &shuffled).finish().0, &found);
            // What was emitted step by step, minus what was superseded, is what stands in the end.
            let mut live = Group::new(key(), window);
            let mut standing = BTreeMap::new();
            for sighting in &shuffled {
                if let Change::Alerts { created, grown } = live.add(sighting, || sighting.identity.0[0]) {
                    for (finding, supersedes) in created {
                        for id in supersedes { standing.remove(&id); }
                        standing.insert(finding.alert_id.clone(), finding);
                    }
                    if let Some(finding) = grown {
                        standing.insert(finding.alert_id.clone(), finding);
                    }
                }
            }
            let ids: BTreeSet<_> = found.iter().map(|finding| finding.alert_id.clone()).collect();
            prop_assert!(ids.iter().all(|id| standing.contains_key(id)), "every final alert was emitted");
        }
    }
}
