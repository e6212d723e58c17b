//! When to try again what does not work for any input: an outage holds input back, and gives nothing up.

use super::notices::Notices;
use iota_engine::alert::Severity;
use iota_engine::event::format_ms;
use iota_engine::system::{SOURCE_FAILING, SystemAlert};
use iota_engine::text::printable;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The first pause; it doubles up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// How long nothing works before somebody is told.
const ALARM: Duration = Duration::from_secs(5 * 60);
/// How often it is logged again.
const SAY: Duration = Duration::from_secs(5 * 60);

#[derive(Debug)]
pub(super) struct Gate {
    /// The source, as it is called in messages.
    what: String,
    notices: Arc<Notices>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Pauses since it worked last.
    pauses: u32,
    since: Option<(Instant, i64)>,
    until: Option<Instant>,
    said: Option<Instant>,
}

impl Gate {
    pub(super) fn new(what: String, notices: Arc<Notices>) -> Self {
        Self { what, notices, state: Mutex::default() }
    }

    /// Nothing has worked since the last failure: one is tried before the others.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().since.is_some()
    }

    /// Until something may be tried.
    pub(super) async fn wait(&self) {
        let until = self.lock().until;
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    pub(super) fn worked(&self) {
        let mut state = self.lock();
        if let Some((since, _)) = state.since {
            tracing::info!("{}: works again, after {} s", self.what, since.elapsed().as_secs());
            *state = State::default();
            self.notices.forget(SOURCE_FAILING, &self.what);
        }
    }

    /// Something failed that is nobody's own fault. `now_ms` is wall clock.
    pub(super) async fn failed(&self, why: &str, now_ms: i64) {
        let alert = {
            let mut state = self.lock();
            let now = Instant::now();
            let (since, since_ms) = *state.since.get_or_insert((now, now_ms));
            // What failed during a pause was begun before it.
            if state.until.is_none_or(|until| now >= until) {
                let pause = FIRST.saturating_mul(1 << state.pauses.min(16)).min(LONGEST);
                state.pauses += 1;
                state.until = Some(now + pause.mul_f64(0.5 + fastrand::f64() / 2.0));
            }
            if state.said.is_none_or(|said| said.elapsed() >= SAY) {
                state.said = Some(now);
                tracing::error!("{}: {}; input waits until it works again", self.what, printable(why));
            }
            (since.elapsed() >= ALARM).then(|| self.alert(why, since_ms))
        };
        if let Some(alert) = alert {
            self.notices.tell(alert).await;
        }
    }

    fn alert(&self, why: &str, since_ms: i64) -> SystemAlert {
        SystemAlert {
            rule: SOURCE_FAILING,
            dedup: self.what.clone(),
            title: format!("Nothing can be read from {}: {}", self.what, printable(why)),
            severity: Severity::High,
            description: format!(
                "Nothing could be read since {}. Input waits where it is, and is read when it works again.",
                format_ms(since_ms)
            ),
            runbook: "Read the reason in the title. Check credentials, the permissions on queue, bucket and KMS key, and the network. Watch the age of the oldest message against the retention of the queue.",
            context: json!({"source": self.what, "since": format_ms(since_ms), "why": why}),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
