//! When a delivery that failed is tried again, and when no more.
//! Pure. The schedule is in the store (`due_ms`), so it outlives the process; crates for retries keep theirs in memory.

use super::Policy;
use super::breaker::FAILURES;
use iota_engine::store::{Delivery, Settled};
use std::time::Duration;

/// Before the second attempt; doubled for each one after it.
const FIRST_MS: i64 = 5_000;
/// Between later attempts. Chat and paging services ask for minutes when they throttle.
pub(super) const LONGEST_MS: i64 = 5 * 60 * 1000;
/// The most that an output may ask for with Retry-After: what asks for more is as good as down.
const LONGEST_ASKED_MS: i64 = 60 * 60 * 1000;

/// How long to wait after so many failures in a row (1 or more). `random` is in [0, 1) and spreads the times over the upper half,
/// so that many deliveries that failed together do not come back together.
pub(super) fn backoff_ms(failures: u32, random: f64) -> i64 {
    let doubled = FIRST_MS.saturating_mul(1_i64.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(i64::MAX));
    let full = doubled.min(LONGEST_MS);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "minutes in milliseconds are exact")]
    let spread = (full as f64 * (0.5 + random / 2.0)) as i64;
    spread
}

/// What the other side asked for, in milliseconds.
pub(super) fn asked_ms(after: Option<Duration>) -> i64 {
    after.map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX).min(LONGEST_ASKED_MS))
}

/// What becomes of a delivery whose attempt failed and may succeed later.
pub(super) fn after_failure(
    policy: &Policy,
    delivery: &Delivery,
    why: String,
    after: Option<Duration>,
    now_ms: i64,
    random: f64,
) -> Settled {
    let attempts = delivery.attempts + 1;
    let age_ms = now_ms - delivery.created_ms;
    let max_age_ms = i64::try_from(policy.max_age.as_millis()).unwrap_or(i64::MAX);
    // An age that it has from an outage says nothing of it: it is to have failed more often than an output that goes down.
    if attempts >= policy.max_attempts || age_ms >= max_age_ms && attempts > FAILURES {
        let hours = age_ms / (60 * 60 * 1000);
        return Settled::Dead { why: format!("given up after {attempts} attempts in {hours} h; the last one: {why}") };
    }
    Settled::Retry { due_ms: now_ms + backoff_ms(attempts, random).max(asked_ms(after)), why, counts: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let longest: Vec<i64> = (1..=8).map(|failures| backoff_ms(failures, 0.999_999) / 1000).collect();
        assert_eq!(longest, [4, 9, 19, 39, 79, 159, 299, 299]);
        let shortest: Vec<i64> = (1..=8).map(|failures| backoff_ms(failures, 0.0) / 1000).collect();
        assert_eq!(shortest, [2, 5, 10, 20, 40, 80, 150, 150]);
        assert_eq!(backoff_ms(u32::MAX, 0.0), 150_000);
    }

    #[test]
    fn nobody_is_asked_to_wait_for_days() {
        assert_eq!(asked_ms(Some(Duration::from_secs(30))), 30_000);
        assert_eq!(asked_ms(Some(Duration::MAX)), LONGEST_ASKED_MS);
        assert_eq!(asked_ms(None), 0);
    }
}
