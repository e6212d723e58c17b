//! How long messages wait until they are received again, so that an outage does not use up the receipts after which a queue
//! moves them to its dead-letter queue.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long SQS takes to have a message back at the latest, from its receipt on; it refuses to hide one for longer.
const LIMIT: Duration = Duration::from_secs(12 * 60 * 60);
/// Kept of that for a clock that goes otherwise and a request that takes its time.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a message is kept in work at most.
pub(super) const LONGEST: Duration = Duration::from_secs(11 * 60 * 60);
/// How long a message that could not be worked off is hidden: the first time, and at most. It doubles with each receipt.
const BACK_OFF: Duration = Duration::from_secs(5);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60 * 60);

/// What a queue allows its messages.
#[derive(Debug, Default)]
pub(in crate::source::feed) struct Receipts {
    /// Receipts after which a message is moved (`maxReceiveCount`); 0 where that is not known, or none is.
    most: AtomicU32,
}

impl Receipts {
    pub(super) fn note(&self, most: Option<u32>) {
        self.most.store(most.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Whoever receives a message again that was received so often moves it.
    pub(super) fn is_last(&self, received: u32) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        most > 0 && received >= most
    }

    /// How long to hide a message that was received so often. In an `outage` the last receipt waits as long as may be.
    pub(super) fn wait(&self, received: u32, outage: bool) -> Duration {
        if outage && self.is_last(received) {
            return LONGEST;
        }
        longest_back_off(received).mul_f64(0.75 + fastrand::f64() / 4.0)
    }

    /// What becomes of messages while they cannot be worked off, as a sentence with a space before it.
    pub(in crate::source::feed) fn meanwhile(&self) -> String {
        let most = self.most.load(Ordering::Relaxed);
        if most == 0 {
            return " Messages are hidden for 5 s to an hour at a time.".to_owned();
        }
        let waits = (1..most).map(longest_back_off).fold(Duration::ZERO, Duration::saturating_add).mul_f64(0.75) + LONGEST;
        let hours = waits.as_secs() / 3600;
        format!(
            " Messages are hidden for 5 s to an hour at a time; SQS moves one to the dead letters after {most} receipts \
             (maxReceiveCount), which takes {hours} hours from its first one at the least, if only this process receives it."
        )
    }
}

fn longest_back_off(received: u32) -> Duration {
    BACK_OFF.saturating_mul(1 << received.saturating_sub(1).min(16)).min(LONGEST_BACK_OFF)
}

/// As long as is wanted, or as SQS allows for a message that was received so long ago.
pub(super) fn allowed(wanted: Duration, in_work: Duration) -> Duration {
    wanted.min(LIMIT.saturating_sub(MARGIN).saturating_sub(in_work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_outage_takes_fewer_receipts_than_a_dead_letter_queue_waits_for() {
        let receipts = Receipts::default();
        let (mut waited, mut received) = (Duration::ZERO, 0);
        while waited < Duration::from_secs(24 * 60 * 60) {
            received += 1;
            waited += receipts.wait(received, true);
        }
        assert!(received < 50, "{received}");
        assert!(receipts.wait(1, true) <= BACK_OFF && receipts.wait(1, true) > BACK_OFF / 2);
    }

    #[test]
    fn the_last_receipt_waits_longest_in_an_outage() {
        let receipts = Receipts::default();
        assert!(receipts.meanwhile().ends_with("an hour at a time."));
        receipts.note(Some(3));
        assert!(receipts.wait(2, true) <= BACK_OFF * 2);
        assert_eq!((receipts.wait(3, true), receipts.wait(4, true)), (LONGEST, LONGEST));
        assert!(receipts.wait(3, false) <= BACK_OFF * 4, "what is its own fault goes to the dead letters");
        receipts.note(Some(50));
        assert!(
            receipts.meanwhile().contains("after 50 receipts (maxReceiveCount), which takes 41 hours"),
            "{}",
            receipts.meanwhile()
        );
    }

    #[test]
    fn nothing_is_asked_for_that_sqs_refuses() {
        let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
        assert_eq!(allowed(hours(2), hours(1)), hours(2));
        for (wanted, in_work) in [(hours(11), hours(3)), (hours(2), hours(11)), (hours(1), LONGEST), (hours(1), hours(13))] {
            assert!(allowed(wanted, in_work) + in_work.min(LIMIT) <= LIMIT, "{wanted:?} {in_work:?}");
        }
        assert!(allowed(LONGEST_BACK_OFF, LONGEST) > LONGEST_BACK_OFF / 2, "what is given back at last is hidden, too");
    }
}
