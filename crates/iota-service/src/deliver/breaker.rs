//! Whether an output is tried at all. While nothing gets through, the backlog waits and one delivery at a time finds out
//! whether that has changed. Pure: now is an argument.

/// Failures in a row, over all deliveries, after which an output counts as down.
pub(super) const FAILURES: u32 = 5;
/// Between looking whether it works again: at first, and at most.
const FIRST_PROBE_MS: i64 = 5_000;
const LONGEST_PROBE_MS: i64 = 60_000;
/// An output that is down for so long is worth waking somebody for; most come back before.
const ALARM_AFTER_MS: i64 = 5 * 60 * 1000;
/// Between attempts to raise an alarm that the state does not take.
const ALARM_AGAIN_MS: i64 = 60_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Breaker {
    /// Deliveries flow. So many failed in a row.
    Flowing {
        failures: u32,
    },
    Open(Open),
}

/// Since when, and why, nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) since_ms: i64,
    pub(super) why: String,
    probe_ms: i64,
    probes: u32,
    /// Somebody has to change something; it will not pass by itself.
    permanent: bool,
    alarmed: bool,
    /// An alarm for this reason is not tried before.
    alarm_ms: i64,
}

/// What an answer says of the time before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// At most one attempt in a row had failed.
    Worked,
    /// Several had.
    Faltered,
    /// It was open.
    Down { since_ms: i64 },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Flowing { failures: 0 }
    }
}

impl Breaker {
    /// When something may be sent at the earliest; `None` is at any time.
    pub(super) fn probe_ms(&self) -> Option<i64> {
        match self {
            Self::Flowing { .. } => None,
            Self::Open(open) => Some(open.probe_ms),
        }
    }

    /// Somebody has to change something before anything gets through: so it was said more than once.
    pub(super) fn is_permanent(&self) -> bool {
        matches!(self, Self::Open(open) if open.permanent && open.probes > 1)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// The output answered.
    pub(super) fn succeeded(&mut self) -> Before {
        match std::mem::take(self) {
            Self::Flowing { failures: 0 | 1 } => Before::Worked,
            Self::Flowing { .. } => Before::Faltered,
            Self::Open(Open { since_ms, .. }) => Before::Down { since_ms },
        }
    }

    /// An attempt failed in a way that may pass.
    pub(super) fn failed(&mut self, why: &str, now_ms: i64) {
        match self {
            Self::Flowing { failures } => {
                *failures += 1;
                if *failures >= FAILURES {
                    self.open(why, false, now_ms);
                }
            }
            Self::Open(_) => self.open(why, false, now_ms),
        }
    }

    /// Nothing can be sent until somebody changes something.
    pub(super) fn refused(&mut self, why: &str, now_ms: i64) {
        self.open(why, true, now_ms);
    }

    fn open(&mut self, why: &str, permanent: bool, now_ms: i64) {
        let before = match std::mem::take(self) {
            Self::Flowing { .. } => None,
            Self::Open(open) => Some(open),
        };
        // What was under way when it opened has not found out anything new.
        let is_probe_over = before.as_ref().is_none_or(|open| now_ms >= open.probe_ms);
        let probes = before.as_ref().map_or(0, |open| open.probes);
        let wait_ms = (FIRST_PROBE_MS << probes.min(10)).min(LONGEST_PROBE_MS);
        *self = Self::Open(Open {
            since_ms: before.as_ref().map_or(now_ms, |open| open.since_ms),
            why: why.to_owned(),
            probe_ms: before.as_ref().filter(|_| !is_probe_over).map_or(now_ms + wait_ms, |open| open.probe_ms),
            probes: probes + u32::from(is_probe_over),
            permanent,
            alarmed: before.as_ref().is_some_and(|open| open.alarmed),
            alarm_ms: before.filter(|open| open.why == why).map_or(i64::MIN, |open| open.alarm_ms),
        });
    }

    /// What to raise an alarm about, until it was: at once when it will not pass by itself.
    pub(super) fn alarm(&self, now_ms: i64) -> Option<&Open> {
        match self {
            Self::Open(open)
                if !open.alarmed && now_ms >= open.alarm_ms && (open.permanent || now_ms - open.since_ms >= ALARM_AFTER_MS) =>
            {
                Some(open)
            }
            _ => None,
        }
    }

    /// The alarm could not be raised. For another reason it is tried at once, for the same one after a while.
    pub(super) fn alarm_failed(&mut self, now_ms: i64) {
        if let Self::Open(open) = self {
            open.alarm_ms = now_ms + ALARM_AGAIN_MS;
        }
    }

    /// The alarm was raised: once each time it opens.
    pub(super) fn alarmed(&mut self) {
        if let Self::Open(open) = self {
            open.alarmed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_closes_with_the_first_success() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            (0..FAILURES - 1).for_each(|_| breaker.failed("down", 0));
            assert!(!breaker.is_open());
            assert_eq!(breaker.succeeded(), Before::Faltered, "a success in between starts the count again");
        }
        (0..FAILURES).for_each(|n| breaker.failed("down", n.into()));
        assert_eq!((breaker.is_open(), breaker.probe_ms()), (true, Some(4 + FIRST_PROBE_MS)));
        assert_eq!(breaker.succeeded(), Before::Down { since_ms: 4 });
        assert!(!breaker.is_open());
        breaker.failed("down", 9);
        assert_eq!(breaker.succeeded(), Before::Worked, "a single failure is the delivery's own");
    }

    #[test]
    fn looks_less_and_less_often_and_keeps_when_it_began() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..6 {
            breaker.refused("403", now);
            waits.push((breaker.probe_ms().unwrap() - now) / 1000);
            now = breaker.probe_ms().unwrap();
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
        assert_eq!(breaker.succeeded(), Before::Down { since_ms: 0 });
    }

    #[test]
    fn alarms_once_at_once_or_after_a_while() {
        let mut refused = Breaker::default();
        refused.refused("403", 7);
        assert_eq!(refused.alarm(7).unwrap().why, "403");
        refused.alarm_failed(7);
        refused.refused("403", 8);
        assert_eq!((refused.alarm(8), refused.alarm(6 + ALARM_AGAIN_MS)), (None, None), "it could not be raised");
        assert!(refused.alarm(7 + ALARM_AGAIN_MS).is_some());
        refused.refused("404", 9);
        assert_eq!(refused.alarm(9).unwrap().why, "404", "a change is told at once");
        refused.alarmed();
        refused.refused("403", 10);
        assert_eq!(refused.alarm(1 << 40), None);
        let mut down = Breaker::default();
        (0..FAILURES).for_each(|_| down.failed("reset", 0));
        assert_eq!(down.alarm(ALARM_AFTER_MS - 1), None);
        down.failed("reset", ALARM_AFTER_MS);
        assert_eq!(down.alarm(ALARM_AFTER_MS).unwrap().since_ms, 0);
        down.alarmed();
        assert_eq!(down.alarm(ALARM_AFTER_MS), None);
    }
}
