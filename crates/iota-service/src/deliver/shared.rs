//! What the tasks of delivery share: the store, the clock, and how alerts about iota itself are raised.

use super::{Clock, Policy};
use iota_engine::store::{Result, Route, Store, StoreError, Unit};
use iota_engine::system::SystemAlert;
use iota_engine::triage::Routes;
use std::panic::resume_unwind;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: Policy,
    pub(super) routes: Routes,
    /// Names of the outputs that are delivered to.
    pub(super) outputs: Vec<String>,
    /// How often the store is asked for what other processes have added.
    pub(super) poll_ms: i64,
    /// There may be something new to deliver.
    pub(super) wake: Arc<Notify>,
}

/// Who is to get an alert about iota itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    /// Whoever the routes say, without this output: the alert is about it.
    AllBut(&'a str),
    Only(&'a str),
}

impl Shared {
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Works on the store, which blocks, apart from the tasks that wait for outputs.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        match spawn_blocking(move || work(&*store)).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => Err(StoreError::Unavailable { what: "state".to_owned(), why: error.to_string() }),
        }
    }

    /// Commits an alert about iota itself that goes to other outputs than the routes say. Returns whether it is a new one.
    pub(super) async fn raise_to(self: &Arc<Self>, alert: SystemAlert, to: To<'_>, at_ms: i64) -> Result<bool> {
        let routes = self.routes_of(&alert, to);
        if routes.is_empty() {
            tracing::error!("{}: there is no output to tell this to", alert.title);
        }
        let found = alert.to_match(at_ms, routes)?;
        let unit = Unit { now_ms: self.now_ms(), matches: vec![found], ..Unit::default() };
        let committed = self.ask(move |store| store.commit(&unit)).await?;
        self.wake.notify_waiters();
        Ok(!committed.created.is_empty())
    }

    fn routes_of(&self, alert: &SystemAlert, to: To<'_>) -> Vec<Route> {
        let route = |output: &str| Route { output: output.to_owned(), updates: false };
        match to {
            To::Only(output) => vec![route(output)],
            To::AllBut(output) => {
                let mut routes = alert.routes(&self.routes);
                routes.retain(|route| route.output != output);
                if routes.is_empty() {
                    routes = self.outputs.iter().filter(|name| *name != output).map(|name| route(name)).collect();
                }
                routes
            }
        }
    }
}
