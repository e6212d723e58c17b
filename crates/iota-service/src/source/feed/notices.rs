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
/// Things of one kind that are told in that time and that senders of messages can make up: any number of them.
const MOST: usize = 50;

/// What kind of thing is told, and which one.
type Thing = (&'static str, String);

#[derive(Debug)]
pub(super) struct Notices {
    durable: Arc<Durable>,
    told: Mutex<HashMap<Thing, Told>>,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    at: Instant,
    made_up: bool,
}

impl Notices {
    pub(super) fn new(durable: Arc<Durable>) -> Self {
        Self { durable, told: Mutex::default() }
    }

    /// Does nothing when the same was told before.
    pub(super) async fn tell(&self, alert: SystemAlert) {
        self.tell_once(alert, false).await;
    }

    /// The same of something that only messages name: such things take no room from others.
    pub(super) async fn tell_of_a_name(&self, alert: SystemAlert) {
        self.tell_once(alert, true).await;
    }

    async fn tell_once(&self, alert: SystemAlert, made_up: bool) {
        let key = (alert.rule, alert.dedup.clone());
        if !self.is_new(&key, made_up) {
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

    fn is_new(&self, key: &Thing, made_up: bool) -> bool {
        let mut told = self.lock();
        told.retain(|_, told| told.at.elapsed() < TOLD);
        if told.contains_key(key) {
            return false;
        }
        if made_up {
            let others = told.iter().filter(|((rule, _), told)| *rule == key.0 && told.made_up).count();
            if others >= MOST {
                return false;
            }
            if others + 1 == MOST {
                tracing::warn!("{}: {MOST} things that messages name were told of; further ones are not, for a day", key.0);
            }
        }
        told.insert(key.clone(), Told { at: Instant::now(), made_up });
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Thing, Told>> {
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
            notices.tell_of_a_name(alert(shape)).await;
        }
        let told = || store.alerts(&AlertFilter::default()).unwrap().len();
        assert_eq!(told(), 2);
        for shape in 0..MOST * 3 {
            notices.tell_of_a_name(alert(shape)).await;
        }
        assert_eq!(told(), MOST);
        // What nobody made up is told all the same.
        for _ in 0..2 {
            notices.tell(alert(MOST * 4)).await;
        }
        assert_eq!(told(), MOST + 1);
    }
}
