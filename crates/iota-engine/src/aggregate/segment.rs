//! Cuts the cells of a group into alerts: which cells fire, alone or together with the next one.
//! A pure function of the cells.

use super::cell::Cell;

/// An alert's extent: the cell that names it, and whether the next cell belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) cell: i64,
    pub(crate) with_next: bool,
}

impl Segment {
    pub(crate) fn holds(self, cell: i64) -> bool {
        cell == self.cell || (self.with_next && cell == self.cell + 1)
    }
}

/// From the earliest cell on: a cell that reaches the threshold is an alert; one that does not, but reaches it in some
/// window that starts in it and ends in the next cell, is an alert together with that next cell.
pub(crate) fn segments<'a, B: 'a>(
    cells: impl IntoIterator<Item = (i64, &'a Cell<B>)>,
    threshold: usize,
    window_ms: i64,
) -> Vec<Segment> {
    let mut found = Vec::new();
    let mut cells = cells.into_iter().peekable();
    while let Some((number, cell)) = cells.next() {
        if cell.weight() >= threshold {
            found.push(Segment { cell: number, with_next: false });
            continue;
        }
        if cells.next_if(|&(next, other)| next == number + 1 && crosses(cell, other, threshold, window_ms)).is_some() {
            found.push(Segment { cell: number, with_next: true });
        }
    }
    found
}

/// Whether some half-open interval of one window's length that starts at a match of `cell` holds the threshold.
pub(crate) fn crosses<B>(cell: &Cell<B>, next: &Cell<B>, threshold: usize, window_ms: i64) -> bool {
    if cell.unique.is_empty() && next.unique.is_empty() {
        let times: Vec<i64> = cell.times.iter().chain(&next.times).copied().collect();
        return times.windows(threshold).take(cell.times.len()).any(|run| run[threshold - 1] - run[0] < window_ms);
    }
    // Values: the best starts are those just at the last time of some value in this cell.
    cell.unique.values().any(|&(_, start)| {
        let here = cell.unique.iter().filter(|(_, (_, last))| *last >= start).map(|(value, _)| value);
        let there = next.unique.iter().filter(|(_, (first, _))| *first < start + window_ms).map(|(value, _)| value);
        let mut values: Vec<_> = here.chain(there).collect();
        values.sort_unstable();
        values.dedup();
        values.len() >= threshold
    })
}
