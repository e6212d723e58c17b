//! The cells of one group while a commit works on it: what was read of them, and what is written in their place.

use super::item::{Item, Key, Read, TTL, bytes, item, number as amount};
use super::query::Query;
use super::table::{Table, is_live, wall_ms};
use super::trouble::Work;
use super::write::Write;
use iota_engine::aggregate::Window;
use iota_engine::event::Identity;
use iota_engine::store::{Cells, Damaged, kept_until_ms};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Most identities beyond those of the cell itself. More can only be those of units that were never finished.
const MOST_RECENT: usize = 8_000;
/// How many there may be until it is looked which of them need not be kept.
const MANY_RECENT: usize = 1_000;

/// A cell as it was read.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Number of the write that made it what it is; `None` when there is no item.
    revision: Option<i64>,
    kept: Option<Vec<u8>>,
    /// Matches that were counted beyond those that the cell remembers, and that the ledger may not have yet.
    pub(super) recent: Vec<Identity>,
}

/// What is known of a group's cells; what is not is asked for by failing.
#[derive(Debug)]
pub(super) struct Loaded {
    group: [u8; 16],
    pub(super) cells: BTreeMap<i64, Held>,
    /// There are no others.
    complete: bool,
    /// Those that what becomes of the matches depends on.
    pub(super) asked: BTreeSet<i64>,
}

#[derive(Debug)]
pub(super) enum Miss {
    Cell(i64),
    All,
    Damaged(Damaged),
}

impl From<Damaged> for Miss {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

impl Cells for Loaded {
    type Error = Miss;

    fn cell(&mut self, number: i64) -> Result<Option<Vec<u8>>, Miss> {
        self.asked.insert(number);
        match self.cells.get(&number) {
            Some(held) => Ok(held.kept.clone()),
            None if self.complete => Ok(None),
            None => Err(Miss::Cell(number)),
        }
    }

    fn all(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Miss> {
        if !self.complete {
            return Err(Miss::All);
        }
        Ok(self.cells.iter().filter_map(|(&number, held)| Some((number, held.kept.clone()?))).collect())
    }
}

impl Loaded {
    pub(super) fn new(group: [u8; 16]) -> Self {
        Self { group, cells: BTreeMap::new(), complete: false, asked: BTreeSet::new() }
    }

    /// Reads cells that were not read yet.
    pub(super) async fn load(&mut self, table: &Table, numbers: impl IntoIterator<Item = i64>) -> Work<()> {
        let numbers: BTreeSet<i64> = numbers.into_iter().filter(|number| !self.cells.contains_key(number)).collect();
        let key = |number: i64| Key::cell(&self.group, number);
        let mut found = table.get_all_with_old(numbers.iter().map(|&number| key(number))).await?;
        for number in numbers {
            let held = match found.remove(&key(number)) {
                Some(item) => read(table, &item).await?,
                None => Held::default(),
            };
            self.cells.insert(number, held);
        }
        Ok(())
    }

    /// Reads what was asked for and not there.
    pub(super) async fn supply(&mut self, table: &Table, miss: Miss) -> Work<()> {
        match miss {
            // The next one is asked for next.
            Miss::Cell(number) => self.load(table, number - 1..=number + 1).await,
            Miss::All => self.load_all(table).await,
            Miss::Damaged(damaged) => Err(damaged.into()),
        }
    }

    async fn load_all(&mut self, table: &Table) -> Work<()> {
        let query = Query::under(&Key::cell(&self.group, 0).pk, "cell#");
        for item in table.query(&query).await? {
            let number = item.number("cell")?;
            if let Entry::Vacant(slot) = self.cells.entry(number) {
                slot.insert(read(table, &item).await?);
            }
        }
        self.complete = true;
        Ok(())
    }

    /// When all cells were read, nobody says which of them matter: those beside the ones that change.
    pub(super) fn depends_around(&mut self, changed: impl Iterator<Item = i64>) {
        if self.complete {
            self.asked.extend(changed.flat_map(|number| [number - 1, number + 1]));
        }
    }

    pub(super) fn knows(&self, number: i64, identity: &Identity) -> bool {
        self.cells.get(&number).is_some_and(|held| held.recent.contains(identity))
    }

    /// Of those counted beyond what the cell remembers, with some that are new: those that the ledger does not have. It is
    /// asked when they have become many.
    async fn recent(&self, table: &Table, number: i64, new: &[Identity]) -> Work<Vec<Identity>> {
        let mut recent = self.cells.get(&number).map(|held| held.recent.clone()).unwrap_or_default();
        if !new.is_empty() && recent.len() >= MANY_RECENT {
            let keys: BTreeSet<Key> = recent.iter().map(Key::seen).collect();
            let seen = table.get_all(keys).await?;
            recent.retain(|identity| !seen.contains_key(&Key::seen(identity)));
        }
        recent.extend_from_slice(new);
        let too_many = recent.len().saturating_sub(MOST_RECENT);
        recent.drain(..too_many);
        Ok(recent)
    }

    /// Writes a cell, if nobody has since it was read.
    pub(super) async fn put(&self, table: &Table, (number, kept): (i64, &[u8]), new: &[Identity], window: Window) -> Work<Write> {
        let key = Key::cell(&self.group, number);
        let revision = self.revision(number);
        let ttl = kept_until_ms(wall_ms(), window) / 1000;
        let recent: Vec<u8> = self.recent(table, number, new).await?.iter().flat_map(|identity| identity.0).collect();
        let mut attributes = item([
            ("cell", amount(number)),
            ("revision", amount(revision.unwrap_or(0) + 1)),
            ("kept", table.keep(&key, kept, Some(ttl)).await?),
            (TTL, amount(ttl)),
        ]);
        if !recent.is_empty() {
            attributes.insert("recent".to_owned(), bytes(recent));
        }
        Ok(unchanged(Write::put(key, attributes), revision))
    }

    /// That a cell is as it was read.
    pub(super) fn check(&self, number: i64) -> Write {
        unchanged(Write::check(Key::cell(&self.group, number)), self.revision(number))
    }

    fn revision(&self, number: i64) -> Option<i64> {
        self.cells.get(&number).and_then(|held| held.revision)
    }
}

fn unchanged(write: Write, revision: Option<i64>) -> Write {
    match revision {
        None => write.when_new(),
        Some(revision) => write.when("#revision = :revision").with("revision", amount(revision)),
    }
}

async fn read(table: &Table, item: &Item) -> Work<Held> {
    let revision = Some(item.number("revision")?);
    if !is_live(item) {
        return Ok(Held { revision, ..Held::default() });
    }
    let recent = item.bytes_if_any("recent").unwrap_or_default();
    let (recent, rest) = recent.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(item.lacks("recent"));
    }
    let recent = recent.iter().map(|bytes| Identity(*bytes)).collect();
    let kept = table.body(item, "kept").await?;
    Ok(Held { revision, kept: Some(kept), recent })
}

/// Records that a unit need not count again, as the ledger tells.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Committed before with the same value.
    pub(super) repeated: HashSet<Identity>,
    /// Committed before with another value.
    pub(super) variants: HashSet<Identity>,
}
