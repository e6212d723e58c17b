//! Which accounts and regions a bucket has logs of. Asks with a delimiter, so it costs one request per account and kind,
//! however many objects there are.

use super::{Bucket, S3Error};
use iota_engine::object::{Kind, Root, is_account, is_organization};
use iota_engine::region::is_region;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What is looked for. An empty list is everything.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
    pub kinds: Vec<Kind>,
}

impl Wanted {
    /// All files with records.
    pub fn records() -> Self {
        Self { kinds: Kind::ALL.into_iter().filter(|kind| kind.has_records()).collect(), ..Self::default() }
    }
}

/// The files of one kind of one account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch {
    pub account: String,
    pub region: String,
    pub kind: Kind,
    /// Ends with `REGION/`; a day follows.
    pub prefix: String,
}

/// Requests under way at once.
const PARALLEL: usize = 8;
/// Folders in a row for which the service was down or too slow, each after all retries, until the rest is not tried.
const DOWN: u32 = 8;

/// What was found, and why some folders could not be looked into.
#[derive(Debug, Default)]
pub struct Discovered {
    /// In order.
    pub branches: Vec<Branch>,
    pub failed: Vec<S3Error>,
}

impl Discovered {
    /// All there is, or why not.
    pub fn whole(self) -> Result<Vec<Branch>, S3Error> {
        self.failed.into_iter().next().map_or(Ok(self.branches), Err)
    }

    fn folders(&mut self, found: Result<Vec<String>, S3Error>) -> Vec<String> {
        found.unwrap_or_else(|error| {
            self.failed.push(error);
            Vec::new()
        })
    }
}

/// All branches below a root. Every call looks again, so new accounts and regions are found. A folder that cannot be looked
/// into holds up no other.
pub async fn discover(bucket: &Arc<Bucket>, root: &Root, wanted: &Wanted) -> Discovered {
    let mut found = Discovered::default();
    let mut accounts = Vec::new();
    for path in found.folders(bucket.folders(&root.logs).await) {
        if is_organization(name(&path)) && root.admits(&path) {
            accounts.extend(found.folders(bucket.folders(&path).await));
        } else {
            accounts.push(path);
        }
    }
    let permits = Arc::new(Semaphore::new(PARALLEL));
    let mut tasks = JoinSet::new();
    for path in accounts {
        let account = name(&path).to_owned();
        if !is_account(&account) || !root.admits(&path) || !admits(&wanted.accounts, &account) {
            continue;
        }
        for kind in Kind::ALL.into_iter().filter(|kind| wanted.kinds.is_empty() || wanted.kinds.contains(kind)) {
            let folder = format!("{path}{}/", kind.folder());
            if !root.admits(&folder) {
                continue;
            }
            let (bucket, account, permits) = (Arc::clone(bucket), account.clone(), Arc::clone(&permits));
            tasks.spawn(async move {
                // Never closed.
                let _permit = permits.acquire().await;
                (account, kind, bucket.folders(&folder).await)
            });
        }
    }
    let mut down = 0;
    while down < DOWN
        && let Some(done) = tasks.join_next().await
    {
        let (account, kind, regions) = match done {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        down = if regions.as_ref().is_err_and(S3Error::may_pass) { down + 1 } else { 0 };
        let regions = found.folders(regions);
        found.branches.extend(regions.into_iter().filter_map(|prefix| {
            let region = name(&prefix).to_owned();
            let fits = is_region(&region) && root.admits(&prefix) && admits(&wanted.regions, &region);
            fits.then_some(Branch { account: account.clone(), region, kind, prefix })
        }));
    }
    found.branches.sort();
    found
}

fn admits(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
}

/// The last folder of a path that ends with a slash.
fn name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
