//! What keeps `iota watch` from working, looked for before it does: each check says what it found, and what is missing as
//! the IAM statement or the setting that would mend it. Changes nothing, sends no alert, and asks the network only where
//! something beyond this machine is configured.

mod bucket;
mod clock;
mod delivery;
mod directory;
mod finding;
mod identity;
mod notification;
mod output;
mod python;
mod queue;
mod rules;
mod sandbox;
mod state;
mod table;
mod trail;

pub use crate::aws::Remedy;
pub use finding::{Finding, Level};

use crate::aws::Access;
use crate::config::Settings;
use crate::output::config::Surroundings;
use crate::source::feed::QueueConfig;
use crate::source::s3::TrailConfig;
use crate::store::Place;
use finding::Report;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long the calls of one check may take together; the check is given up then, and the next one begins.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same where a request is made for every account and region.
const LONG_PATIENCE: Duration = Duration::from_secs(90);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);

/// What is to be looked at: what `iota watch` would use.
#[derive(Debug)]
pub struct Plan<'a> {
    pub settings: &'a Settings,
    pub queues: Vec<QueueConfig>,
    pub buckets: Vec<BucketPlan>,
    pub directories: Vec<PathBuf>,
    /// Where state is kept.
    pub state: Place,
    pub surroundings: Surroundings<'a>,
    /// Where commands are looked up.
    pub path_variable: Option<OsString>,
    /// Where load reports are kept.
    pub cache: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct BucketPlan {
    pub trail: TrailConfig,
    /// It is listed for new objects, so it cannot do without `s3:ListBucket`.
    pub is_listed: bool,
}

/// Makes all checks, one after the other, and tells of each finding at once. A check that fails keeps none from being made.
pub async fn examine(plan: &Plan<'_>, tell: &mut dyn FnMut(Finding)) {
    let report = &mut Report::new(tell);
    let account = identity::check(plan, report).await;
    let asks = !plan.queues.is_empty() || !plan.buckets.is_empty();
    let trails = if asks { trail::describe(plan, &account, report).await } else { None };
    let mut logs = Vec::new();
    for bucket in &plan.buckets {
        let mut bucket = bucket.clone();
        // Whoever names a bucket alone does not say where in it the logs are.
        if let Some(trails) = trails.as_ref().filter(|_| !bucket.is_listed && bucket.trail.prefix.is_empty()) {
            trails.prefix(&bucket.trail.bucket).unwrap_or_default().clone_into(&mut bucket.trail.prefix);
        }
        logs.push(bucket::check(&bucket, &account, report).await);
    }
    let mut queues = Vec::new();
    for config in &plan.queues {
        queues.push(queue::check(config, &account, report).await);
    }
    for logs in logs.iter().flatten() {
        let topics = trails.as_ref().map(|trails| trails.topics(&logs.bucket.name)).unwrap_or_default();
        notification::check(logs, &queues, &topics, &account, report).await;
    }
    if let Some(trails) = &trails {
        trail::check(trails, plan, &account, report).await;
    }
    for logs in logs.iter().flatten() {
        delivery::check(logs, report);
    }
    for directory in &plan.directories {
        directory::check(directory, report);
    }
    python::check(plan, report);
    sandbox::check(plan, report);
    rules::check(plan, report);
    match &plan.state {
        Place::Directory(directory) => state::check(directory, report),
        Place::Table(name) => table::check(name, &account, report),
    }
    output::check(plan, report).await;
}

/// With calls that end before the check does.
fn hurried(access: &Access) -> Access {
    Access { timeout: Some(access.timeout.map_or(CALL, |timeout| timeout.min(CALL))), ..access.clone() }
}
