//! Alerts about what sources found: each thing is told once, not with every message.

use crate::pipeline::{Clock, Durable};
use iota_engine::store::Unit;
use iota_engine::system::SystemAlert;
use iota_engine::text::printable;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// How long a thing counts as told.
const TOLD: Duration = Duration::from_secs(24 * 60 * 60);
/// Things of one kind that are told in that time. Senders of messages can make up any number.
const MOST: usize = 50;

#[derive(Debug)]
pub(super) struct Notices {
    durable: Arc<Durable>,
    told: Mutex<HashMap<(&'static str, String), Instant>>,
}

impl Notices {
    pub(super) fn new(durable: Arc<Durable>) -> Self {
        Self { durable, told: Mutex::default() }
    }

    /// Does nothing when the same was told before.
    pub(super) async fn tell(&self, alert: SystemAlert) {
        let key = (alert.rule, alert.dedup.clone());
        if !self.is_new(&key) {
            return;
        }
        tracing::error!("{}", printable(&alert.title));
        if let Err(error) = self.tell_with(alert, Unit::default()).await {
            tracing::error!("{}: could not be recorded: {error}", key.1);
            self.lock().remove(&key);
        }
    }

    /// Tells it in any case, and commits the unit with it.
    pub(super) async fn tell_with(&self, alert: SystemAlert, unit: Unit) -> Result<(), String> {
        let durable = Arc::clone(&self.durable);
        let raised = spawn_blocking(move || durable.raise(&alert, unit, Clock::System.now_ms())).await;
        raised.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn is_new(&self, key: &(&'static str, String)) -> bool {
        let mut told = self.lock();
        told.retain(|_, at| at.elapsed() < TOLD);
        if told.contains_key(key) || told.keys().filter(|(rule, _)| *rule == key.0).count() >= MOST {
            return false;
        }
        told.insert(key.clone(), Instant::now());
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(&'static str, String), Instant>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sqlite;
    use iota_engine::alert::Severity;
    use iota_engine::store::{AlertFilter, Desk};
    use iota_engine::system::UNKNOWN_MESSAGE;

    #[tokio::test]
    async fn a_thing_is_told_once_and_a_flood_of_them_is_not() {
        let store = Arc::new(Sqlite::memory().unwrap());
        let notices = Notices::new(Arc::new(Durable::new(Arc::<Sqlite>::clone(&store), Arc::default(), None)));
        let alert = |shape: usize| SystemAlert {
            rule: UNKNOWN_MESSAGE,
            dedup: shape.to_string(),
            title: format!("shape {shape}"),
            severity: Severity::Medium,
            description: String::new(),
            runbook: "",
            context: serde_json::json!({}),
        };
        for shape in [0, 1, 0, 1] {
            notices.tell(alert(shape)).await;
        }
        let told = || store.alerts(&AlertFilter::default()).unwrap().len();
        assert_eq!(told(), 2);
        for shape in 0..MOST * 3 {
            notices.tell(alert(shape)).await;
        }
        assert_eq!(told(), MOST);
    }
}
