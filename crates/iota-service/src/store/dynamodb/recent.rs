//! What this process has just done to deliveries: the index is a little behind, and must not hide an alert that was
//! committed a moment ago, nor offer one that was just delivered.

use iota_engine::store::DeliveryId;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the index may be behind; AWS says that it is mostly a fraction of a second.
const BEHIND: Duration = Duration::from_secs(60);

/// By output, because that is how it is asked for.
type Noted = BTreeMap<String, BTreeMap<DeliveryId, Note>>;

#[derive(Debug, Default)]
pub(super) struct Recent {
    noted: Mutex<Noted>,
}

#[derive(Debug, Clone, Copy)]
struct Note {
    /// Not to be tried before; `None` when it is not pending.
    at_ms: Option<i64>,
    since: Instant,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A delivery is pending from then on, or not at all, as this process wrote or read it.
    pub(super) fn note(&self, id: &DeliveryId, at_ms: Option<i64>) {
        let note = Note { at_ms, since: Instant::now() };
        self.lock().entry(id.output.clone()).or_default().insert(id.clone(), note);
    }

    /// Pending deliveries of an output as the index has them, corrected. `until_ms`: only those that are due by then.
    pub(super) fn correct(&self, output: &str, listed: Vec<(i64, DeliveryId)>, until_ms: i64) -> Vec<(i64, DeliveryId)> {
        let mut noted = self.lock();
        let Some(noted) = noted.get_mut(output) else { return listed };
        noted.retain(|_, note| note.since.elapsed() < BEHIND);
        let mut all: BTreeMap<DeliveryId, i64> = listed.into_iter().map(|(at_ms, id)| (id, at_ms)).collect();
        for (id, note) in noted.iter() {
            match note.at_ms {
                Some(at_ms) => drop(all.insert(id.clone(), at_ms)),
                None => drop(all.remove(id)),
            }
        }
        let mut all: Vec<_> = all.into_iter().map(|(id, at_ms)| (at_ms, id)).filter(|(at_ms, _)| *at_ms <= until_ms).collect();
        all.sort();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_corrected_by_what_was_done_since() {
        let id = |alert: &str| DeliveryId { alert_id: alert.to_owned(), output: "out".to_owned(), revision: 0 };
        let recent = Recent::default();
        assert_eq!(recent.correct("out", vec![(5, id("a"))], 9), [(5, id("a"))]);
        recent.note(&id("a"), None);
        recent.note(&id("b"), Some(7));
        recent.note(&id("c"), Some(50));
        recent.note(&DeliveryId { output: "other".to_owned(), ..id("d") }, Some(1));
        let listed = || vec![(5, id("a")), (8, id("e")), (6, id("c"))];
        assert_eq!(recent.correct("out", listed(), 9), [(7, id("b")), (8, id("e"))]);
        recent.note(&id("a"), Some(9));
        assert_eq!(recent.correct("out", listed(), 9), [(7, id("b")), (8, id("e")), (9, id("a"))]);
    }
}
