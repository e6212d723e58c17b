//! How long a request is repeated, and how fast. Asks nobody but the caller's function.

use crate::aws::{Fault, Verdict};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

/// Requests for one thing, the first included. With the waits below more than a minute goes by before the last.
const ATTEMPTS: u32 = 10;
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// Shared by all requests to a bucket: where one is told to slow down, all do.
#[derive(Debug)]
pub(crate) struct Pace {
    quiet_until: Mutex<Option<Instant>>,
    attempts: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { quiet_until: Mutex::default(), attempts: ATTEMPTS }
    }
}

impl Pace {
    /// For somebody who waits for the answer: one more attempt and no other.
    pub(super) fn impatient() -> Self {
        Self { attempts: 2, ..Self::default() }
    }

    pub(super) fn is_last(&self, attempt: u32) -> bool {
        attempt >= self.attempts
    }

    async fn wait(&self) {
        let until = *self.quiet_until.lock().await;
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    async fn slow_down(&self, delay: Duration) {
        let mut until = self.quiet_until.lock().await;
        *until = (*until).max(Some(Instant::now() + delay));
    }
}

/// Repeats `request` while it fails in a way that may pass.
pub(crate) async fn patiently<T, F>(pace: &Pace, mut request: impl FnMut() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let mut attempt = 1;
    loop {
        pace.wait().await;
        match request().await {
            Err(fault) if fault.verdict == Verdict::Retry && !pace.is_last(attempt) => {
                pause(pace, &fault, attempt).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Waits before the next attempt, exponentially longer, with half of it at random so that many do not come back at once.
pub(super) async fn pause(pace: &Pace, fault: &Fault, attempt: u32) {
    let most = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST);
    let delay = fault.after.unwrap_or_else(|| most.mul_f64(0.5 + fastrand::f64() / 2.0)).min(LONGEST);
    tracing::debug!("{}; attempt {} in {:.1} s", fault.why, attempt + 1, delay.as_secs_f64());
    if fault.code.as_deref().is_some_and(is_throttle) {
        pace.slow_down(delay).await;
    }
    sleep(delay).await;
}

fn is_throttle(code: &str) -> bool {
    code == "SlowDown" || code.contains("Throttl") || code == "RequestLimitExceeded" || code == "ServiceUnavailable"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(verdict: Verdict, code: &str) -> Fault {
        Fault { verdict, after: None, code: Some(code.to_owned()), why: code.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_repeated_and_what_may_not_is_not() {
        for (verdict, expected) in [(Verdict::Retry, ATTEMPTS), (Verdict::Closed, 1), (Verdict::Refused, 1)] {
            let mut asked = 0;
            let result = patiently(&Pace::default(), || {
                asked += 1;
                std::future::ready(Err::<(), _>(fault(verdict, "InternalError")))
            })
            .await;
            assert!(result.is_err());
            assert_eq!(asked, expected, "{verdict:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_told_to_slow_down_slows_all() {
        let pace = Pace::default();
        let before = Instant::now();
        pause(&pace, &Fault { after: Some(Duration::from_secs(3)), ..fault(Verdict::Retry, "SlowDown") }, 1).await;
        pace.slow_down(Duration::from_secs(5)).await;
        pace.wait().await;
        assert!(before.elapsed() >= Duration::from_secs(8));
    }
}
