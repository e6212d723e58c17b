//! The matches of one group: counted over its cells, and written together with what becomes of its alerts.
//!
//! One transaction writes the cells that changed, the alerts that opened or grew, and their deliveries, on condition that
//! every cell that this depends on is as it was read. So there is no instant at which a cell knows a match whose alert is
//! not there, and two processes that add matches on both sides of an edge cannot both miss the alert across it.

use super::alert::{NewAlert, NewDelivery, alert, forgotten, supersedes};
use super::cells::{Known, Loaded, Miss};
use super::item::{Item, Key, number, text};
use super::table::pause;
use super::trouble::{Trouble, Work};
use super::write::{AT_ONCE, BYTES_AT_ONCE, Write};
use super::{DynamoDb, Target};
use crate::crash_point;
use crate::store::text::{known_as, taken_over};
use iota_engine::alert::Severity;
use iota_engine::event::Identity;
use iota_engine::store::{
    AlertChange, Committed, Created, DeliveryAction, DeliveryId, Extent, Match, Opened, Outcome, StoredGroup, updates_between,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Matches taken at once, to begin with; fewer when what they change does not fit into a transaction.
const MATCHES: usize = 1_000;
/// Attempts while others change the same cells.
const TRIES: u32 = 12;

/// One group of one class, in one unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    pub(super) store: &'a DynamoDb,
    pub(super) id: [u8; 16],
    pub(super) now_ms: i64,
    pub(super) detected_ms: Option<i64>,
    /// Any match of it.
    pub(super) of: &'a Match,
}

/// What some matches do, by the cells as they were read.
struct Counted {
    outcomes: Vec<Outcome>,
    changes: Vec<AlertChange>,
    /// Cells to be written.
    kept: Vec<(i64, Vec<u8>)>,
    /// Counted, and not remembered by their cell.
    beyond: BTreeMap<i64, Vec<Identity>>,
}

/// What is to be written, and what is true once it is.
#[derive(Default)]
struct Plan {
    writes: Vec<Write>,
    committed: Committed,
    /// Deliveries that are added, and when they are due.
    deliveries: Vec<DeliveryId>,
    targets: BTreeSet<Target>,
    /// What alerts that open supersede.
    supersedes: BTreeMap<String, Vec<String>>,
    /// Alerts that this is about, so far, and the ids that those of them go by which stand.
    judged: BTreeSet<String>,
    claimed: BTreeSet<String>,
}

impl Group<'_> {
    /// `variants`: records that the ledger had with another value.
    pub(super) async fn commit(self, mut matches: &[&Match], variants: &HashSet<Identity>) -> Work<Committed> {
        let (mut committed, mut size) = (Committed::default(), MATCHES);
        let variants = matches.iter().map(|found| found.sighting.identity).filter(|identity| variants.contains(identity));
        let mut known = Known { variants: variants.collect(), ..Known::default() };
        while !matches.is_empty() {
            let (some, rest) = matches.split_at(size.min(matches.len()));
            match self.commit_some(some, &mut known).await? {
                Some(done) => {
                    committed.add(done);
                    matches = rest;
                }
                None => size = some.len() / 2,
            }
        }
        Ok(committed)
    }

    /// `None` when it is too much for one transaction.
    async fn commit_some(self, matches: &[&Match], known: &mut Known) -> Work<Option<Committed>> {
        for failures in 0..TRIES {
            // Read anew each time: whatever made the last attempt fail has changed it.
            let mut cells = Loaded::new(self.id);
            let counted = self.count(matches, &mut cells, known).await?;
            let plan = self.plan(&cells, counted, matches).await?;
            let fits = plan.writes.len() <= AT_ONCE && plan.writes.iter().map(Write::size).sum::<usize>() <= BYTES_AT_ONCE;
            if !fits && matches.len() > 1 {
                return Ok(None);
            }
            // Who is told at all is known before there is something to tell.
            self.store.note_targets(&plan.targets).await?;
            match self.store.table.write_all(&plan.writes).await {
                Ok(()) => {
                    crash_point("commit.cells");
                    for id in &plan.deliveries {
                        self.store.recent.note(id, Some(self.now_ms));
                    }
                    return Ok(Some(plan.committed));
                }
                Err(Trouble::Changed) => pause(failures).await,
                Err(error) => return Err(error),
            }
        }
        Err(Trouble::Changed)
    }

    /// Counts the matches over cells that are read as they are needed.
    async fn count(self, matches: &[&Match], cells: &mut Loaded, known: &mut Known) -> Work<Counted> {
        let table = &self.store.table;
        let group = || StoredGroup::new(self.of.group.clone(), self.of.class.clone(), self.of.window);
        let cell_of = group();
        let around = if self.of.window.threshold > 1 { -1..=1 } else { 0..=0 };
        cells.load(table, matches.iter().flat_map(|found| around.clone().map(|by| cell_of.cell_of(found) + by))).await?;
        let mut looked_up = BTreeSet::new();
        loop {
            let counted = match count(group(), matches, cells, known) {
                Ok(counted) => counted,
                Err(miss) => {
                    cells.supply(table, miss).await?;
                    continue;
                }
            };
            // A full cell cannot tell whether it was counted before. The ledger can, if it is asked after the cell was
            // read: what was dropped from the cell's list was in the ledger by then.
            let new: Vec<Identity> = counted.beyond.values().flatten().copied().filter(|id| looked_up.insert(*id)).collect();
            if new.is_empty() || !self.store.look_up(matches, &new, known).await? {
                return Ok(counted);
            }
        }
    }

    async fn plan(self, cells: &Loaded, counted: Counted, matches: &[&Match]) -> Work<Plan> {
        let mut plan = Plan::default();
        for (outcome, found) in counted.outcomes.iter().zip(matches) {
            plan.committed.count(*outcome, &found.class);
        }
        let mut unchanged = cells.asked.clone();
        for (number, kept) in &counted.kept {
            unchanged.remove(number);
            let beyond = counted.beyond.get(number).map(Vec::as_slice).unwrap_or_default();
            plan.writes.push(cells.put(&self.store.table, (*number, kept), beyond, self.of.window).await?);
        }
        // What is said last of an alert holds: a transaction changes an item once.
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        last.extend(counted.changes.iter().enumerate().map(|(at, change)| (id_of(change), at)));
        let before = self.store.table.get_all(last.keys().map(|id| Key::alert(id))).await?;
        for (at, change) in counted.changes.iter().enumerate() {
            let id = id_of(change);
            if last.get(id) == Some(&at) {
                self.apply(&mut plan, change, before.get(&Key::alert(id))).await?;
            }
        }
        if !plan.writes.is_empty() {
            plan.writes.extend(unchanged.into_iter().map(|number| cells.check(number)));
        }
        Ok(plan)
    }

    async fn apply(self, plan: &mut Plan, change: &AlertChange, before: Option<&Item>) -> Work<()> {
        let (alert_id, extent, by, opened) = match change {
            AlertChange::Superseded { alert_id, by, opened } => (alert_id, None, Some(by), opened),
            AlertChange::Stands { alert_id, extent, opened } => (alert_id, Some(*extent), None, opened),
        };
        let stands = extent.is_some();
        let line = match (before, opened) {
            (Some(before), _) => self.change(plan, before, opened.is_some(), (extent, by)).await?,
            (None, Some(opened)) => self.open(plan, alert_id, opened, extent, by).await?,
            // It was kept long enough.
            (None, None) => return Ok(()),
        };
        plan.judged.insert(alert_id.clone());
        if stands {
            plan.claimed.insert(known_as(alert_id, &line).to_owned());
        }
        Ok(())
    }

    /// Gives what it supersedes.
    async fn open(
        self,
        plan: &mut Plan,
        alert_id: &str,
        opened: &Opened,
        extent: Option<Extent>,
        by: Option<&String>,
    ) -> Work<Vec<String>> {
        let Opened { body, extent: first, supersedes } = opened;
        let extent = extent.unwrap_or(*first);
        let mut line = match supersedes {
            Some(before) => self.store.line(before, plan).await?,
            None => Vec::new(),
        };
        let is_apart = line.is_empty() || self.store.part(&mut line, plan).await?;
        let new = NewAlert {
            alert_id,
            of: self.of,
            body,
            extent,
            supersedes: &line,
            superseded_by: by.map(String::as_str),
            now_ms: self.now_ms,
            detected_ms: self.detected_ms,
        };
        plan.writes.extend(new.writes(&self.store.table).await?);
        plan.supersedes.insert(alert_id.to_owned(), line.clone());
        let severity = body.headline.severity;
        for route in &body.routes {
            let told = match supersedes {
                Some(before) if !is_apart => self.store.is_told(known_as(alert_id, &line), before, &route.output, plan).await?,
                _ => false,
            };
            if !told {
                self.deliver(plan, (alert_id, &route.output), 0, DeliveryAction::Create, severity);
            } else if route.updates {
                self.deliver(plan, (alert_id, &route.output), first.count, DeliveryAction::Update, severity);
            }
            for count in updates_between(first.count, extent.count).filter(|_| route.updates) {
                self.deliver(plan, (alert_id, &route.output), count, DeliveryAction::Update, severity);
            }
        }
        let class = self.of.class.clone();
        plan.committed.unrouted += u64::from(class.is_sent() && body.routes.is_empty() && is_apart);
        let (pack, rule) = (self.of.group.pack.clone(), self.of.group.rule.clone());
        let alert_id = alert_id.to_owned();
        plan.committed.created.push(Created { alert_id, class, pack, rule, severity, superseding: !is_apart });
        Ok(line)
    }

    /// An alert that is there already. `is_opened`: its cells were forgotten; it has at least what it had. Gives what it supersedes.
    async fn change(
        self,
        plan: &mut Plan,
        item: &Item,
        is_opened: bool,
        (extent, by): (Option<Extent>, Option<&String>),
    ) -> Work<Vec<String>> {
        let (before, mut line) = (alert(item)?, supersedes(item)?);
        let key = Key::alert(&before.alert_id);
        if let Some(by) = by.filter(|by| before.superseded_by.as_ref() != Some(by)) {
            plan.writes.push(Write::update(key, "SET #superseded_by = :by, #successor = :by").with("by", text(by)).when_there());
            return Ok(line);
        }
        let Some(extent) = extent else { return Ok(line) };
        let is_apart = self.store.part(&mut line, plan).await?;
        let is = Extent { count: before.count, first_ms: before.first_ms, last_ms: before.last_ms };
        let forgotten = if is_opened { Some(is) } else { forgotten(item)? };
        let extent = extent.with_forgotten(forgotten);
        if is == extent && before.superseded_by.is_none() && !is_opened && !is_apart {
            return Ok(line);
        }
        let mut set = "SET #count = :count, #first = :first, #last = :last".to_owned();
        let mut values =
            vec![("count", number(extent.count)), ("first", number(extent.first_ms)), ("last", number(extent.last_ms))];
        if is_opened {
            set.push_str(", #forgotten_count = :was, #forgotten_first = :was_first, #forgotten_last = :was_last");
            values.extend([("was", number(is.count)), ("was_first", number(is.first_ms)), ("was_last", number(is.last_ms))]);
        }
        if is_apart {
            set.push_str(", #supersedes = :line");
            values.push(("line", text(serde_json::to_string(&line)?)));
        }
        let grown = Write::update(key, format!("{set} REMOVE #superseded_by"));
        let grown = values.into_iter().fold(grown, |write, (name, value)| write.with(name, value));
        plan.writes.push(grown.when_there());
        let mut to_tell: Vec<(u64, DeliveryAction, &str)> = Vec::new();
        if is_apart {
            to_tell.extend(before.routes.iter().map(|route| (0, DeliveryAction::Create, route.output.as_str())));
        }
        for count in updates_between(before.count, extent.count) {
            let routes = before.routes.iter().filter(|route| route.updates);
            to_tell.extend(routes.map(|route| (count, DeliveryAction::Update, route.output.as_str())));
        }
        let key = |count: u64, output: &str| {
            let revision = i64::try_from(count).unwrap_or(i64::MAX);
            Key::delivery(&DeliveryId { alert_id: before.alert_id.clone(), output: output.to_owned(), revision })
        };
        // Told before, when cells were forgotten and the alert was not.
        let told = self.store.table.get_all(to_tell.iter().map(|(count, _, output)| key(*count, output))).await?;
        for (count, action, output) in to_tell {
            if !told.contains_key(&key(count, output)) {
                self.deliver(plan, (&before.alert_id, output), count, action, before.severity);
            }
        }
        Ok(line)
    }

    fn deliver(self, plan: &mut Plan, (alert_id, output): (&str, &str), count: u64, action: DeliveryAction, severity: Severity) {
        let revision = i64::try_from(count).unwrap_or(i64::MAX);
        let id = DeliveryId { alert_id: alert_id.to_owned(), output: output.to_owned(), revision };
        // The count at which it opened may be one at which it is told again.
        if plan.deliveries.contains(&id) {
            return;
        }
        let (pack, rule) = (&*self.of.group.pack, &*self.of.group.rule);
        let new = NewDelivery { id: id.clone(), action, pack, rule, severity, now_ms: self.now_ms, asked: false };
        plan.writes.push(new.write());
        plan.deliveries.push(id);
        plan.targets.insert(Target { output: output.to_owned(), pack: pack.to_owned(), rule: rule.to_owned() });
        plan.committed.deliveries += 1;
    }
}

fn id_of(change: &AlertChange) -> &str {
    match change {
        AlertChange::Superseded { alert_id, .. } | AlertChange::Stands { alert_id, .. } => alert_id,
    }
}

fn count(mut group: StoredGroup, matches: &[&Match], cells: &mut Loaded, known: &Known) -> Result<Counted, Miss> {
    let (mut outcomes, mut beyond) = (Vec::with_capacity(matches.len()), BTreeMap::<i64, Vec<Identity>>::new());
    cells.asked.clear();
    for &found in matches {
        let (identity, number) = (found.sighting.identity, group.cell_of(found));
        let counted_now = beyond.get(&number).is_some_and(|beyond| beyond.contains(&identity));
        if known.repeated.contains(&identity) || counted_now || cells.knows(number, &identity) {
            outcomes.push(Outcome::Repeated);
            continue;
        }
        let outcome = if known.variants.contains(&identity) && !found.sighting.variant {
            let mut variant = found.clone();
            variant.sighting.variant = true;
            group.add(&variant, cells)?
        } else {
            group.add(found, cells)?
        };
        if outcome != Outcome::Repeated && !group.remembers(found) {
            beyond.entry(number).or_default().push(identity);
        }
        outcomes.push(outcome);
    }
    let changes = group.alerts(cells)?;
    let kept = group.kept()?;
    cells.depends_around(kept.iter().map(|(number, _)| *number));
    Ok(Counted { outcomes, changes, kept, beyond })
}

impl DynamoDb {
    /// What an alert supersedes that takes over this one, which may be planned and not be there yet.
    async fn line(&self, before: &str, plan: &Plan) -> Work<Vec<String>> {
        let its = match plan.supersedes.get(before) {
            Some(its) => its.clone(),
            None => self.table.get(&Key::alert(before)).await?.map(|item| supersedes(&item)).transpose()?.unwrap_or_default(),
        };
        Ok(taken_over(before, its))
    }

    /// An alert that was taken over stands again once its matches are no longer another one's, and goes on as what it was told as.
    /// Where one that supersedes these goes by that id as well, it supersedes nothing from now on, and is told as new: then this
    /// is true.
    async fn part(&self, line: &mut Vec<String>, plan: &Plan) -> Work<bool> {
        let Some(known) = line.last() else { return Ok(false) };
        let mut parts = plan.claimed.contains(known);
        // It may be none of those that this commit is about.
        if !parts && !plan.judged.contains(known) {
            let item = self.table.get(&Key::alert(known)).await?;
            let stands = |item: &Item| Ok::<_, Trouble>(alert(item)?.superseded_by.is_none() && supersedes(item)?.is_empty());
            parts = item.as_ref().map(stands).transpose()?.unwrap_or(false);
        }
        if parts {
            line.clear();
        }
        Ok(parts)
    }

    /// Whether an output gets to know by this id of an alert, or of one that it took over; also by what is planned.
    async fn is_told(&self, known: &str, alert_id: &str, output: &str, plan: &Plan) -> Work<bool> {
        let (mut line, mut looked_at) = (vec![alert_id.to_owned()], BTreeSet::new());
        while let Some(alert_id) = line.pop() {
            if !looked_at.insert(alert_id.clone()) {
                continue;
            }
            let id = DeliveryId { alert_id: alert_id.clone(), output: output.to_owned(), revision: 0 };
            let (alert, delivery) = (Key::alert(&alert_id), Key::delivery(&id));
            let found: HashMap<Key, Item> = self.table.get_all([alert.clone(), delivery.clone()]).await?;
            let its = match (plan.supersedes.get(&alert_id), found.get(&alert)) {
                (Some(its), _) => its.clone(),
                (None, Some(item)) => supersedes(item)?,
                (None, None) => Vec::new(),
            };
            if known_as(&alert_id, &its) != known {
                continue;
            }
            if plan.deliveries.contains(&id) || found.contains_key(&delivery) {
                return Ok(true);
            }
            line.extend(its);
        }
        Ok(false)
    }
}
