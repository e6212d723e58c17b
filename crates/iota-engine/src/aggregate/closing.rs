//! One group whose matches are all known: every record counts once, whatever order the matches came in.
//! Counts exactly, in memory that depends on the number of cells only: about 500 bytes each.

use super::cell::{Cell, Sighting};
use super::group::{Finding, Group, GroupKey, Window};
use crate::event::Identity;
use std::collections::BTreeMap;

/// Takes the matches of a group in the order of identity, then time, then fingerprint.
///
/// A record that came with several values counts with the smallest (time, fingerprint). Where its other values fall into
/// another cell they do not count, but may still give that cell's alert its body: so a body is never missed that was left
/// out because a smaller match was there.
#[derive(Debug)]
pub struct Closing<B> {
    group: Group<B>,
    /// A map, unlike in the group: matches come in no order of time.
    cells: BTreeMap<i64, Cell<B>>,
    last: Option<Identity>,
    repeated: u64,
}

/// What a group came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed<B> {
    /// Earliest first.
    pub findings: Vec<Finding<B>>,
    /// Matches that made no alert.
    pub below: u64,
    /// Further values of records that count.
    pub repeated: u64,
}

impl<B: Clone> Closing<B> {
    pub fn new(key: GroupKey, window: Window) -> Self {
        Self { group: Group::new(key, window), cells: BTreeMap::new(), last: None, repeated: 0 }
    }

    /// `body` may be missing when a smaller match of the same cell comes with one.
    pub fn add(&mut self, sighting: &Sighting, body: Option<B>) {
        let cell = self.cells.entry(self.group.cell_of(sighting.ms)).or_default();
        if let Some(body) = body {
            cell.offer(sighting.rank(), || body);
        }
        if self.last.replace(sighting.identity) == Some(sighting.identity) {
            self.repeated += 1;
        } else {
            cell.count_new(sighting, self.group.threshold());
        }
    }

    pub fn finish(mut self) -> Closed<B> {
        self.group.set_cells(self.cells.into_iter().filter(|(_, cell)| cell.count > 0).collect());
        let (findings, below) = self.group.finish();
        Closed { findings, below, repeated: self.repeated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Fingerprint;

    const MINUTE: i64 = 60_000;

    fn seen(n: u8, minute: i64, value: u8) -> Sighting {
        let (identity, fingerprint) = (Identity([n; 16]), Fingerprint([value; 4]));
        Sighting { identity, ms: minute * MINUTE, fingerprint, unique: None, variant: false }
    }

    fn close(threshold: usize, matches: &[Sighting]) -> Closed<u8> {
        let key = GroupKey { pack: "p".into(), rule: "r".into(), dedup: "d".into() };
        let mut closing = Closing::new(key, Window { ms: 60 * MINUTE, threshold });
        for sighting in matches {
            closing.add(sighting, Some(sighting.fingerprint.0[0]));
        }
        closing.finish()
    }

    #[test]
    fn of_several_values_the_earliest_counts() {
        let closed = close(1, &[seen(1, 0, 7), seen(1, 300, 3)]);
        assert_eq!((closed.findings.len(), closed.below, closed.repeated), (1, 0, 1), "one alert, at minute 0");
        assert_eq!((closed.findings[0].first_ms, closed.findings[0].count, closed.findings[0].body), (0, 1, Some(7)));
        let closed = close(1, &[seen(1, 0, 3), seen(1, 0, 7)]);
        assert_eq!((closed.findings[0].count, closed.findings[0].body), (1, Some(3)), "at one time, the smaller fingerprint");
    }

    #[test]
    fn counts_are_exact_however_many_there_are() {
        let mut matches: Vec<Sighting> = (0..250).map(|n| seen(n, 0, 1)).collect();
        matches.push(seen(249, 0, 2));
        let closed = close(1, &matches);
        assert_eq!((closed.findings[0].count, closed.repeated), (250, 1));
    }

    #[test]
    fn a_value_that_counts_elsewhere_makes_no_alert() {
        let closed = close(2, &[seen(1, 0, 1), seen(1, 300, 2), seen(2, 301, 1)]);
        assert_eq!((closed.findings.len(), closed.below, closed.repeated), (0, 2, 1));
    }
}
