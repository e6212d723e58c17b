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

/// All branches below a root, in order. Every call looks again, so new accounts and regions are found.
pub async fn branches(bucket: &Arc<Bucket>, root: &Root, wanted: &Wanted) -> Result<Vec<Branch>, S3Error> {
    let mut accounts = Vec::new();
    for path in bucket.folders(&root.logs).await? {
        if is_organization(name(&path)) && root.admits(&path) {
            accounts.extend(bucket.folders(&path).await?);
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
                let regions = bucket.folders(&folder).await?;
                Ok::<_, S3Error>((account, kind, regions))
            });
        }
    }
    let mut found = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (account, kind, regions) = match done {
            Ok(done) => done?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        found.extend(regions.into_iter().filter_map(|prefix| {
            let region = name(&prefix).to_owned();
            let fits = is_region(&region) && root.admits(&prefix) && admits(&wanted.regions, &region);
            fits.then_some(Branch { account: account.clone(), region, kind, prefix })
        }));
    }
    found.sort();
    Ok(found)
}

fn admits(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
}

/// The last folder of a path that ends with a slash.
fn name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
