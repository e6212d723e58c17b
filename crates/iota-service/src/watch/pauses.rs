//! When rules and packs that are paused are tried again: after 1, 5 and 15 minutes, and then every 15. What is left out for
//! another reason, a worker that takes its time to start as a rule, is tried soon.

use crate::pipeline::Paused;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(5);
const WAITS: [Duration; 3] = [MINUTE, MINUTE.saturating_mul(5), MINUTE.saturating_mul(15)];

#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// `None` stands for calls that were left out although nothing of them is paused.
    waiting: BTreeMap<Option<Paused>, Pause>,
    /// What is tried in parts, between which input is read.
    pub(super) trying: Option<Trying>,
}

#[derive(Debug)]
pub(super) struct Trying {
    /// Without what was noted once more meanwhile.
    pub(super) paused: Vec<Option<Paused>>,
    /// The pair that the next part begins behind.
    pub(super) after: i64,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    /// How often it was tried again.
    tries: usize,
    until: Instant,
}

impl Pauses {
    /// At a start nothing is paused, and what an earlier process left out is due.
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: [(None, Pause { tries: 0, until: now })].into(), trying: None }
    }

    /// These are to be tried again some time; what is known of is not put off, and what is being tried does not work.
    pub(super) fn note(&mut self, left_out: impl IntoIterator<Item = Option<Paused>>, now: Instant) {
        for paused in left_out {
            let trying = self.trying.as_mut().map(|trying| &mut trying.paused);
            if let Some(paused) = trying.and_then(|tried| Some(tried.swap_remove(tried.iter().position(|of| *of == paused)?))) {
                self.tried(paused, false, now);
            }
            let wait = if paused.is_some() { WAITS[0] } else { SOON };
            self.waiting.entry(paused).or_insert(Pause { tries: 0, until: now + wait });
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        if self.trying.is_some() {
            return Some(Instant::now());
        }
        self.waiting.values().map(|pause| pause.until).min()
    }

    /// Those to try now.
    pub(super) fn due(&self, now: Instant) -> Vec<Option<Paused>> {
        self.waiting.iter().filter(|(_, pause)| pause.until <= now).map(|(paused, _)| *paused).collect()
    }

    /// It was tried. If it did not work the next try is further away.
    pub(super) fn tried(&mut self, paused: Option<Paused>, works: bool, now: Instant) {
        let Some(pause) = self.waiting.get_mut(&paused) else { return };
        if works {
            self.waiting.remove(&paused);
        } else if paused.is_none() {
            // A pack that takes its time over it, again and again, is paused for that.
            pause.until = now + SOON;
        } else {
            pause.tries += 1;
            pause.until = now + WAITS[pause.tries.min(WAITS.len() - 1)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_further_and_further_apart_until_one_works() {
        let start = Instant::now();
        let minutes = |count: u32| start + MINUTE * count;
        let rule = Some(Paused::Rule((0, 7)));
        let mut pauses = Pauses::new(start);
        assert_eq!(pauses.due(start), [None], "what an earlier process left out");
        pauses.tried(None, true, start);
        assert_eq!(pauses.next_due(), None);
        pauses.note([rule], start);
        for due in [1, 6, 21, 36] {
            let before = minutes(due - 1) + Duration::from_secs(59);
            assert_eq!(pauses.due(before), []);
            // Seen to be paused once more meanwhile.
            pauses.note([rule], minutes(due));
            assert_eq!((pauses.due(minutes(due)), pauses.next_due()), (vec![rule], Some(minutes(due))));
            pauses.tried(rule, false, minutes(due));
        }
        pauses.tried(rule, true, minutes(51));
        pauses.note([rule], minutes(60));
        assert_eq!(pauses.next_due(), Some(minutes(61)), "it begins anew");
        pauses.note([None], minutes(60));
        assert_eq!(pauses.next_due(), Some(minutes(60) + SOON));
        for late in 0..20 {
            let now = minutes(61 + late);
            pauses.tried(None, false, now);
            assert_eq!((pauses.due(now), pauses.due(now + SOON)), (vec![rule], vec![None, rule]), "however often");
        }
    }
}
