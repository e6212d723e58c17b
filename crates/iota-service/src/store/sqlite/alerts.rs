//! Matches to cells, alerts and deliveries, inside the transaction of their unit.

use super::ledger::integer;
use super::{Trouble, Work};
use crate::crash_point;
use crate::store::text::{known_as, taken_over};
use iota_engine::alert::Severity;
use iota_engine::event::Identity;
use iota_engine::store::{
    AlertChange, Body, Cells, Class, Committed, Created, DeliveryAction, Extent, Match, Opened, Route, StoredGroup, Unit,
    kept_until_ms, updates_between,
};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Adds a delivery, behind what is pending of those that the output knows by the same id.
pub(super) const ADD: &str = "INSERT OR IGNORE INTO deliveries
        (alert_id, output, revision, action, state, created_ms, due_ms, pack, rule, severity, known_as, waits)
    VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?5, ?6, ?7, ?8, ?9,
        EXISTS (SELECT 1 FROM deliveries WHERE alert_id = coalesce(?9, ?1) AND output = ?2 AND state = 'pending' AND known_as IS NULL)
        OR EXISTS (SELECT 1 FROM deliveries WHERE known_as = coalesce(?9, ?1) AND output = ?2 AND state = 'pending'))";

/// `known`: records whose matches were counted before.
pub(super) fn insert(transaction: &Transaction<'_>, unit: &Unit, known: &HashSet<Identity>) -> Work<Committed> {
    let mut committed = Committed::default();
    let mut groups: BTreeMap<[u8; 16], Vec<&Match>> = BTreeMap::new();
    for found in &unit.matches {
        if known.contains(&found.sighting.identity) {
            committed.repeated += 1;
        } else {
            groups.entry(found.class.group(&found.group)).or_default().push(found);
        }
    }
    for (group, matches) in groups {
        insert_group(transaction, unit, &group, &matches, &mut committed)?;
    }
    Ok(committed)
}

fn insert_group(
    transaction: &Transaction<'_>,
    unit: &Unit,
    group: &[u8; 16],
    matches: &[&Match],
    committed: &mut Committed,
) -> Work<()> {
    let Some(first) = matches.first() else { return Ok(()) };
    let mut cells = GroupCells { transaction, group };
    let mut stored = StoredGroup::new(first.group.clone(), first.class.clone(), first.window);
    for found in matches {
        committed.count(stored.add(found, &mut cells)?, &found.class);
    }
    let mut alerts = Alerts { transaction, unit, of: first, claimed: BTreeSet::new(), committed };
    for change in stored.alerts(&mut cells)? {
        alerts.apply(&change)?;
    }
    crash_point("commit.cells");
    let mut put = transaction.prepare_cached(
        "INSERT INTO cells (\"group\", cell, kept, expires_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (\"group\", cell) DO UPDATE SET kept = ?3, expires_ms = ?4",
    )?;
    for (number, kept) in stored.kept()? {
        put.execute(params![group, number, kept, kept_until_ms(unit.now_ms, first.window)])?;
    }
    Ok(())
}

struct GroupCells<'a> {
    transaction: &'a Transaction<'a>,
    group: &'a [u8; 16],
}

impl Cells for GroupCells<'_> {
    type Error = Trouble;

    fn cell(&mut self, number: i64) -> Work<Option<Vec<u8>>> {
        let mut get = self.transaction.prepare_cached("SELECT kept FROM cells WHERE \"group\" = ?1 AND cell = ?2")?;
        Ok(get.query_row(params![self.group, number], |row| row.get(0)).optional()?)
    }

    fn all(&mut self) -> Work<Vec<(i64, Vec<u8>)>> {
        let mut get = self.transaction.prepare_cached("SELECT cell, kept FROM cells WHERE \"group\" = ?1 ORDER BY cell")?;
        let rows = get.query_map([self.group], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The alerts of one group, and what is to be sent of them.
struct Alerts<'a> {
    transaction: &'a Transaction<'a>,
    unit: &'a Unit,
    /// A match of the group.
    of: &'a Match,
    /// Ids that those which stand go by, so far.
    claimed: BTreeSet<String>,
    committed: &'a mut Committed,
}

impl Alerts<'_> {
    fn apply(&mut self, change: &AlertChange) -> Work<()> {
        match change {
            AlertChange::Superseded { alert_id, by, opened } => {
                if let Some(opened) = opened {
                    self.open(alert_id, opened)?;
                }
                let mut set = self.transaction.prepare_cached("UPDATE alerts SET superseded_by = ?2 WHERE alert_id = ?1")?;
                set.execute([alert_id, by])?;
            }
            AlertChange::Stands { alert_id, extent, opened } => {
                let is_new = opened.as_ref().is_some_and(|opened| opened.extent == *extent);
                let mut known_as = match opened {
                    Some(opened) => self.open(alert_id, opened)?,
                    None => None,
                };
                // What was inserted just now has this extent.
                if !(known_as.is_some() && is_new) {
                    known_as = self.grow(alert_id, extent)?;
                }
                self.claimed.extend(known_as);
            }
        }
        Ok(())
    }

    /// Gives the id that it goes by; `None` for an alert that was kept longer than its cells. It is the same alert: nothing is sent
    /// again, and it has what it had.
    fn open(&mut self, alert_id: &str, Opened { body, extent, supersedes }: &Opened) -> Work<Option<String>> {
        let Match { group, class, .. } = self.of;
        let Body { headline, routes, content } = body;
        let suppression = match class {
            Class::Suppressed(by) => Some(by),
            Class::Alert | Class::Late | Class::Signal => None,
        };
        let mut line = match supersedes {
            Some(before) => self.line(before)?,
            None => Vec::new(),
        };
        let is_apart = line.is_empty() || self.part(&mut line)?;
        let mut insert = self.transaction.prepare_cached(
            "INSERT OR IGNORE INTO alerts (alert_id, class, suppression, pack, rule, dedup, title, severity, account_id, status,
                 supersedes, count, first_ms, last_ms, created_ms, detected_ms, routes, content)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'open', ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?;
        let inserted = insert.execute(params![
            alert_id,
            class.name(),
            suppression,
            &*group.pack,
            &*group.rule,
            &*group.dedup,
            headline.title,
            headline.severity as u8,
            headline.account_id,
            serde_json::to_string(&line)?,
            integer(extent.count),
            extent.first_ms,
            extent.last_ms,
            self.unit.now_ms,
            self.unit.detected_ms,
            serde_json::to_string(routes)?,
            content,
        ])?;
        if inserted == 0 {
            let mut set = self.transaction.prepare_cached(
                "UPDATE alerts SET forgotten_count = count, forgotten_first_ms = first_ms, forgotten_last_ms = last_ms
                 WHERE alert_id = ?1",
            )?;
            set.execute([alert_id])?;
            return Ok(None);
        }
        let known_as = known_as(alert_id, &line);
        for route in routes {
            let told = !is_apart && self.is_told(known_as, &route.output)?;
            let ids = (alert_id, line.last().map(String::as_str));
            if !told {
                self.deliver(ids, &route.output, 0, DeliveryAction::Create, headline.severity)?;
            } else if route.updates {
                self.deliver(ids, &route.output, integer(extent.count), DeliveryAction::Update, headline.severity)?;
            }
        }
        self.committed.unrouted += u64::from(class.is_sent() && routes.is_empty() && is_apart);
        let (pack, rule) = (group.pack.clone(), group.rule.clone());
        let (id, class, severity) = (alert_id.to_owned(), class.clone(), headline.severity);
        self.committed.created.push(Created { alert_id: id, class, pack, rule, severity, superseding: !is_apart });
        Ok(Some(known_as.to_owned()))
    }

    /// What an alert supersedes that takes over this one.
    fn line(&self, before: &str) -> Work<Vec<String>> {
        let mut get = self.transaction.prepare_cached("SELECT supersedes FROM alerts WHERE alert_id = ?1")?;
        let its: Option<String> = get.query_row([before], |row| row.get(0)).optional()?;
        let its = its.map(|ids| serde_json::from_str(&ids)).transpose()?.unwrap_or_default();
        Ok(taken_over(before, its))
    }

    /// An alert that was taken over stands again once its matches are no longer another one's, and goes on as what it was told as.
    /// Where one that supersedes these goes by that id as well, it supersedes nothing from now on, and is told as new: then this
    /// is true.
    fn part(&self, supersedes: &mut Vec<String>) -> Work<bool> {
        let Some(known_as) = supersedes.last() else { return Ok(false) };
        // It may be none of those that this commit is about.
        let mut get = self
            .transaction
            .prepare_cached("SELECT 1 FROM alerts WHERE alert_id = ?1 AND superseded_by IS NULL AND supersedes = '[]'")?;
        let parts = self.claimed.contains(known_as) || get.exists([known_as])?;
        if parts {
            supersedes.clear();
        }
        Ok(parts)
    }

    /// Whether an output gets to know of an alert by this id.
    fn is_told(&self, known_as: &str, output: &str) -> Work<bool> {
        let mut get = self.transaction.prepare_cached(
            "SELECT 1 FROM deliveries WHERE (alert_id = ?1 AND known_as IS NULL OR known_as = ?1) AND output = ?2 AND revision = 0",
        )?;
        Ok(get.exists([known_as, output])?)
    }

    /// Gives the id that it goes by.
    fn grow(&mut self, alert_id: &str, extent: &Extent) -> Work<Option<String>> {
        let mut get = self.transaction.prepare_cached(
            "SELECT count, severity, routes, supersedes, forgotten_count, forgotten_first_ms, forgotten_last_ms
             FROM alerts WHERE alert_id = ?1",
        )?;
        let read = |row: &Row<'_>| {
            let texts = (row.get::<_, String>(2)?, row.get::<_, String>(3)?);
            Ok((row.get::<_, i64>(0)?, row.get::<_, u8>(1)?, texts, forgotten(row)?))
        };
        let Some((before, severity, (routes, supersedes), forgotten)) = get.query_row([alert_id], read).optional()? else {
            return Ok(None);
        };
        let mut line: Vec<String> = serde_json::from_str(&supersedes)?;
        let severity = Severity::ALL.get(usize::from(severity)).copied().unwrap_or(Severity::Critical);
        if self.part(&mut line)? {
            let mut set = self.transaction.prepare_cached("UPDATE alerts SET supersedes = ?2 WHERE alert_id = ?1")?;
            set.execute((alert_id, serde_json::to_string(&line)?))?;
            for route in serde_json::from_str::<Vec<Route>>(&routes)? {
                let ids = (alert_id, line.last().map(String::as_str));
                self.deliver(ids, &route.output, 0, DeliveryAction::Create, severity)?;
            }
        }
        let extent = extent.with_forgotten(forgotten);
        let mut set = self.transaction.prepare_cached(
            "UPDATE alerts SET count = ?2, first_ms = ?3, last_ms = ?4, superseded_by = NULL WHERE alert_id = ?1",
        )?;
        set.execute(params![alert_id, integer(extent.count), extent.first_ms, extent.last_ms])?;
        for count in updates_between(before.cast_unsigned(), extent.count) {
            let routes: Vec<Route> = serde_json::from_str(&routes)?;
            for route in routes.iter().filter(|route| route.updates) {
                let ids = (alert_id, line.last().map(String::as_str));
                self.deliver(ids, &route.output, integer(count), DeliveryAction::Update, severity)?;
            }
        }
        Ok(Some(known_as(alert_id, &line).to_owned()))
    }

    /// `known_as`: id that outputs know the alert by, where that is not its own.
    fn deliver(
        &mut self,
        (alert_id, known_as): (&str, Option<&str>),
        output: &str,
        revision: i64,
        action: DeliveryAction,
        severity: Severity,
    ) -> Work<()> {
        let mut insert = self.transaction.prepare_cached(ADD)?;
        let (pack, rule) = (&*self.of.group.pack, &*self.of.group.rule);
        let row = params![alert_id, output, revision, action.name(), self.unit.now_ms, pack, rule, severity as u8, known_as];
        self.committed.deliveries += insert.execute(row)? as u64;
        Ok(())
    }
}

/// What an alert had when its cells were forgotten.
fn forgotten(row: &Row<'_>) -> rusqlite::Result<Option<Extent>> {
    let Some(count) = row.get::<_, Option<i64>>("forgotten_count")? else { return Ok(None) };
    let (first_ms, last_ms) = (row.get("forgotten_first_ms")?, row.get("forgotten_last_ms")?);
    Ok(Some(Extent { count: count.cast_unsigned(), first_ms, last_ms }))
}
