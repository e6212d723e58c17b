//! Aggregation over cells that a store keeps: takes a group's matches one after another, asks for the cells it needs, and
//! says which cells changed and what became of the group's alerts.
//! The same semantics as `aggregate::Group`; knows no database.

use super::alert::Class;
use super::unit::{Headline, Match, Route};
use crate::aggregate::{Cell, Cut, GroupKey, Segment, Window, crosses, segments};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Version of a stored cell; its first byte.
const VERSION: u8 = 1;

/// Bytes that no iota of this version wrote as a cell.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a stored cell cannot be read: {0}")]
pub struct Damaged(String);

/// Where the cells of one group and class are.
pub trait Cells {
    type Error: From<Damaged>;

    /// The cell of this number, as `StoredGroup::kept` gave it.
    fn cell(&mut self, number: i64) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Every cell that there is.
    fn all(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Self::Error>;
}

/// What an alert takes from its earliest match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub headline: Headline,
    pub routes: Vec<Route>,
    /// `Content::to_fields`.
    pub content: Vec<u8>,
}

/// How many matches an alert has, and their event times in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub count: u64,
    pub first_ms: i64,
    pub last_ms: i64,
}

impl Extent {
    /// At least what is known from before: cells are forgotten sooner than alerts, and what comes then is counted in new
    /// ones. Whether it was counted in the old ones nobody can tell, so it is not added.
    #[must_use]
    pub fn with_forgotten(self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        Self {
            count: self.count.max(before.count),
            first_ms: self.first_ms.min(before.first_ms),
            last_ms: self.last_ms.max(before.last_ms),
        }
    }
}

/// An alert that came to be. One that is known already is not new: its cells were forgotten (`Extent::with_forgotten`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub body: Body,
    /// When it was opened; it may have grown since.
    pub extent: Extent,
    /// The alert whose matches it took over.
    pub supersedes: Option<String>,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertChange {
    /// The alert was taken over by another one.
    Superseded { alert_id: String, by: String, opened: Option<Opened> },
    /// It stands, with this extent. Also said where that did not change.
    Stands { alert_id: String, extent: Extent, opened: Option<Opened> },
}

/// What one match did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Counted before.
    Repeated,
    /// Counted; too few for an alert so far.
    Below,
    /// It opened an alert that took over from no other.
    Opened,
    /// It belongs to an alert and did not open it.
    Grouped,
}

#[derive(Debug)]
struct StoredCell {
    cell: Cell<Body>,
    /// There is an alert with this cell's id, or there was.
    named: Named,
    changed: bool,
}

#[derive(Debug)]
enum Named {
    No,
    Before,
    /// Since the cell was loaded.
    Now(Box<Opened>),
}

/// One group of one class.
///
/// A store adds matches, then does what `alerts` says, and writes `kept`: all of it at once, and only while none of the
/// cells that were asked for has changed. Else two that commit at the same time would each miss what the other adds beyond
/// the edge of a cell.
#[derive(Debug)]
pub struct StoredGroup {
    key: GroupKey,
    class: Class,
    window: Window,
    cut: Cut,
    /// What was asked for; `None` where there is no such cell.
    cells: BTreeMap<i64, Option<StoredCell>>,
    /// Nothing more is to be asked for.
    complete: bool,
    /// Around which alerts may have changed.
    looked_at: BTreeSet<i64>,
    /// Cells whose alert was taken over, with the id of the one that did.
    taken: BTreeMap<i64, String>,
}

impl StoredGroup {
    pub fn new(key: GroupKey, class: Class, window: Window) -> Self {
        let window = Window { ms: window.ms.max(1), threshold: window.threshold.max(1) };
        // All classes of a group are cut at the same times.
        let cut = Cut::new(key.digest(), window);
        let (cells, looked_at, taken) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { key, class, window, cut, cells, complete: false, looked_at, taken }
    }

    /// Counts a match, in whatever order they come.
    pub fn add<C: Cells>(&mut self, found: &Match, cells: &mut C) -> Result<Outcome, C::Error> {
        let sighting = &found.sighting;
        if sighting.variant && self.knows(found, cells)? {
            return Ok(Outcome::Repeated);
        }
        let number = self.cut.cell(sighting.ms);
        self.load(number, cells)?;
        let slot = self.cells.entry(number).or_default();
        let stored = slot.get_or_insert_with(|| StoredCell { cell: Cell::default(), named: Named::No, changed: false });
        if !stored.cell.add(sighting, self.window.threshold) {
            return Ok(Outcome::Repeated);
        }
        stored.changed = true;
        if matches!(stored.named, Named::No) {
            stored.cell.offer(sighting.rank(), || Body {
                headline: found.headline.clone(),
                routes: found.routes.clone(),
                content: found.content.to_vec(),
            });
        }
        self.look(number, cells)
    }

    /// Number of the cell that a match counts in.
    pub fn cell_of(&self, found: &Match) -> i64 {
        self.cut.cell(found.sighting.ms)
    }

    /// The cell of a match that was added knows it for good. False where it holds more matches than it remembers: then
    /// the store has to tell a repeated commit.
    pub fn remembers(&self, found: &Match) -> bool {
        self.get(self.cell_of(found)).is_some_and(|stored| stored.cell.knows(&found.sighting.identity))
    }

    /// Tells, from the cells alone, which alerts stand around a cell, and opens those that are not named yet.
    fn look<C: Cells>(&mut self, number: i64, cells: &mut C) -> Result<Outcome, C::Error> {
        self.looked_at.insert(number);
        let mut outcome = Outcome::Below;
        for segment in self.segments(number, cells)? {
            let supersedes = self.supersedes(segment);
            if let Some(by) = supersedes.is_some().then(|| self.id(segment.cell)) {
                self.taken.insert(segment.cell + 1, by);
            }
            self.taken.remove(&segment.cell);
            if self.open(segment, supersedes.clone()) && supersedes.is_none() {
                outcome = Outcome::Opened;
            }
            if outcome == Outcome::Below && segment.holds(number) {
                outcome = Outcome::Grouped;
            }
        }
        Ok(outcome)
    }

    /// What became of the alerts around every match that was added, to be done in this order: an alert can only take over
    /// the one behind it, and that one comes first. To be called once everything was added.
    pub fn alerts<C: Cells>(&mut self, cells: &mut C) -> Result<Vec<AlertChange>, C::Error> {
        let mut standing = BTreeSet::new();
        for number in self.looked_at.clone() {
            standing.extend(self.segments(number, cells)?);
        }
        self.write_together(&standing);
        let opened = |cell: i64| match self.get(cell).map(|stored| &stored.named) {
            Some(Named::Now(opened)) => Some((**opened).clone()),
            _ => None,
        };
        let taken = self.taken.iter().map(|(&cell, by)| {
            let (alert_id, by, opened) = (self.id(cell), by.clone(), opened(cell));
            (cell, AlertChange::Superseded { alert_id, by, opened })
        });
        let standing = standing.iter().map(|&segment| {
            let (alert_id, extent, opened) = (self.id(segment.cell), self.extent(segment), opened(segment.cell));
            (segment.cell, AlertChange::Stands { alert_id, extent, opened })
        });
        let mut changes: Vec<_> = taken.chain(standing).collect();
        changes.sort_by_key(|(cell, _)| Reverse(*cell));
        Ok(changes.into_iter().map(|(_, change)| change).collect())
    }

    /// Both cells of an alert across an edge are written when one of them changes: they are kept equally long, so that none
    /// is forgotten while the alert still counts in the other.
    fn write_together(&mut self, standing: &BTreeSet<Segment>) {
        for segment in standing.iter().filter(|segment| segment.with_next) {
            let both = segment.cell..=segment.cell + 1;
            let is_changed = self.cells.range(both.clone()).any(|(_, stored)| stored.as_ref().is_some_and(|cell| cell.changed));
            let stored = self.cells.range_mut(both).filter_map(|(_, stored)| stored.as_mut());
            stored.for_each(|stored| stored.changed |= is_changed);
        }
    }

    /// The cells that are to be written.
    pub fn kept(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Damaged> {
        for stored in self.cells.values_mut().flatten() {
            // The alert has it now, for good.
            if !matches!(stored.named, Named::No) {
                stored.cell.drop_body();
            }
        }
        let stored = self.cells.iter().filter_map(|(&number, stored)| Some((number, stored.as_ref()?)));
        let changed = stored.filter(|(_, stored)| stored.changed);
        changed
            .map(|(number, stored)| {
                let named = !matches!(stored.named, Named::No);
                let bytes = postcard::to_extend(&(named, &stored.cell), vec![VERSION]);
                Ok((number, bytes.map_err(|error| Damaged(error.to_string()))?))
            })
            .collect()
    }

    /// The record of this match was counted, in whichever cell.
    fn knows<C: Cells>(&mut self, found: &Match, cells: &mut C) -> Result<bool, C::Error> {
        if !self.complete {
            for (number, bytes) in cells.all()? {
                self.insert(number, Some(bytes))?;
            }
            self.complete = true;
        }
        Ok(self.cells.values().flatten().any(|stored| stored.cell.knows(&found.sighting.identity)))
    }

    fn load<C: Cells>(&mut self, number: i64, cells: &mut C) -> Result<Option<&StoredCell>, C::Error> {
        if !self.complete && !self.cells.contains_key(&number) {
            let bytes = cells.cell(number)?;
            self.insert(number, bytes)?;
        }
        Ok(self.get(number))
    }

    /// What was loaded before stays: it may have changed since.
    fn insert(&mut self, number: i64, bytes: Option<Vec<u8>>) -> Result<(), Damaged> {
        if let Entry::Vacant(slot) = self.cells.entry(number) {
            slot.insert(bytes.map(|bytes| StoredCell::read(&bytes)).transpose()?);
        }
        Ok(())
    }

    fn get(&self, number: i64) -> Option<&StoredCell> {
        self.cells.get(&number)?.as_ref()
    }

    fn weight(&self, number: i64) -> usize {
        self.get(number).map_or(0, |stored| stored.cell.weight())
    }

    /// The alerts around a cell: over the unbroken run of cells, as far as what was added to that cell can matter.
    ///
    /// A cell starts afresh when the one before is missing, holds the threshold, or does not reach it together with this
    /// one. That stays so whatever is added, so the run may be cut there.
    fn segments<C: Cells>(&mut self, number: i64, cells: &mut C) -> Result<Vec<Segment>, C::Error> {
        let Window { ms, threshold } = self.window;
        let (mut first, mut last) = (number, number);
        self.load(number, cells)?;
        if threshold > 1 {
            while self.load(first - 1, cells)?.is_some() && self.weight(first - 1) < threshold && self.joins(first - 1) {
                first -= 1;
            }
            while (last == number || self.weight(last) < threshold) && self.load(last + 1, cells)?.is_some() && self.joins(last) {
                last += 1;
            }
        }
        let run = self.cells.range(first..=last).filter_map(|(&number, stored)| Some((number, &stored.as_ref()?.cell)));
        Ok(segments(run, threshold, ms))
    }

    /// A cell and the next one, both loaded, reach the threshold together.
    fn joins(&self, number: i64) -> bool {
        let pair = self.get(number).zip(self.get(number + 1));
        pair.is_some_and(|(one, next)| crosses(&one.cell, &next.cell, self.window.threshold, self.window.ms))
    }

    fn id(&self, cell: i64) -> String {
        self.class.alert_id(&self.key, cell)
    }

    fn supersedes(&self, segment: Segment) -> Option<String> {
        let taken = segment.with_next.then(|| self.get(segment.cell + 1)).flatten()?;
        (!matches!(taken.named, Named::No)).then(|| self.id(segment.cell + 1))
    }

    fn extent(&self, segment: Segment) -> Extent {
        let own = self.get(segment.cell).map(|stored| &stored.cell);
        let next = segment.with_next.then(|| self.get(segment.cell + 1)).flatten().map(|stored| &stored.cell);
        let cells = || own.into_iter().chain(next);
        Extent {
            count: cells().map(|cell| cell.count).sum(),
            first_ms: own.map_or(i64::MAX, Cell::first),
            last_ms: cells().map(|cell| cell.last).max().unwrap_or(i64::MIN),
        }
    }

    /// Opens the alert of a segment. False if it was opened before.
    fn open(&mut self, segment: Segment, supersedes: Option<String>) -> bool {
        let extent = self.extent(segment);
        let Some(stored) = self.cells.get_mut(&segment.cell).and_then(Option::as_mut) else { return false };
        // A cell without a name keeps the body of its earliest match.
        let (Named::No, Some(body)) = (&stored.named, stored.cell.body()) else { return false };
        stored.named = Named::Now(Box::new(Opened { body: body.clone(), extent, supersedes }));
        stored.changed = true;
        true
    }
}

impl StoredCell {
    fn read(bytes: &[u8]) -> Result<Self, Damaged> {
        let (version, rest) = bytes.split_first().ok_or_else(|| Damaged("it is empty".to_owned()))?;
        if *version != VERSION {
            return Err(Damaged(format!("version {version} is not known")));
        }
        let (named, cell) = postcard::from_bytes(rest).map_err(|error| Damaged(error.to_string()))?;
        Ok(Self { cell, named: if named { Named::Before } else { Named::No }, changed: false })
    }
}
