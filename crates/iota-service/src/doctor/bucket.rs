//! A bucket: whether it can be listed, what it has logs of, and whether the newest of them can be read and decrypted.

use super::finding::{Finding, Report};
use super::{BucketPlan, LONG_PATIENCE, PATIENCE, hurried};
use crate::aws::{AccessError, Account, Call, Remedy, assume, bucket_arn, credentials, objects_arn, remedies};
use crate::source::s3::{Branch, Bucket, Listed, Reach, S3Error, Spool, Wanted, discover};
use iota_engine::event::format_ms;
use iota_engine::object::{Day, Object, Root};
use jiff::Timestamp;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Accounts and regions whose newest object is looked for; each costs at least one request.
const BRANCHES: usize = 500;
/// Requests under way at once.
const PARALLEL: usize = 8;
const HOUR_MS: i64 = 60 * 60 * 1_000;
/// Pages of a day that are listed at most, each of 1,000 objects.
const PAGES: usize = 20;

/// What a bucket has logs of.
#[derive(Debug)]
pub(super) struct Logs {
    pub(super) bucket: Arc<Bucket>,
    pub(super) root: Root,
    pub(super) branches: Vec<Last>,
    /// Accounts and regions beyond those.
    pub(super) unseen: usize,
}

/// The newest object of an account and region.
#[derive(Debug, Clone)]
pub(super) struct Last {
    pub(super) branch: Branch,
    /// `None`: there are only folders.
    pub(super) object: Option<Listed>,
    /// In milliseconds since 1970.
    pub(super) delivered_ms: Option<i64>,
}

/// `None` where the bucket cannot even be asked.
pub(super) async fn check(plan: &BucketPlan, account: &Account, report: &mut Report<'_>) -> Option<Logs> {
    let subject = plan.trail.location().to_string();
    let root = Root::of_prefix(&plan.trail.prefix);
    let reach = plan.trail.reach();
    let reach = Reach { access: hurried(&reach.access), ..reach };
    let bucket = match report.within(PATIENCE, "bucket", &subject, Bucket::connect(&plan.trail.bucket, &reach)).await? {
        Ok(bucket) => Arc::new(bucket.impatient()),
        Err(error) => {
            let remedy = match error {
                S3Error::Access(AccessError::NoRegion) => credentials(),
                _ => Remedy::Setting("mend the entry of this bucket".to_owned()),
            };
            report.tell(Finding::failed("bucket", &subject, error.to_string()).with([remedy]));
            return None;
        }
    };
    let wanted = Wanted::records();
    let found = match report.within(LONG_PATIENCE, "bucket", &subject, discover(&bucket, &root, &wanted)).await?.whole() {
        Ok(found) => found,
        Err(error) => {
            report.tell(unlisted(plan, &subject, &error, account));
            return Some(Logs { bucket, root, branches: Vec::new(), unseen: 0 });
        }
    };
    let unseen = found.len().saturating_sub(BRANCHES);
    let regions = found.len();
    if found.is_empty() {
        report.tell(empty(&bucket, &root, &subject).await);
        return Some(Logs { bucket, root, branches: Vec::new(), unseen });
    }
    let mut accounts: Vec<_> = found.iter().map(|branch| branch.account.as_str()).collect();
    accounts.dedup();
    let text = format!("is listed: logs of accounts: {}, of accounts' regions: {regions}", accounts.len());
    report.tell(Finding::ok("bucket", &subject, text));
    let branches = match report.within(LONG_PATIENCE, "bucket", &subject, newest_of_each(&bucket, found)).await? {
        Ok(branches) => branches,
        Err(error) => {
            report.tell(unlisted(plan, &subject, &error, account));
            Vec::new()
        }
    };
    let newest = branches.iter().filter(|last| last.object.is_some()).max_by_key(|last| last.delivered_ms);
    if let Some(object) = newest.and_then(|last| last.object.as_ref()) {
        read(&bucket, object, &subject, account, report).await;
    }
    Some(Logs { bucket, root, branches, unseen })
}

fn unlisted(plan: &BucketPlan, subject: &str, error: &S3Error, account: &Account) -> Finding {
    let resource = bucket_arn(&plan.trail.bucket, account);
    let call = Call { action: "s3:ListBucket", resource: &resource };
    let (is_told, finding) = match error {
        S3Error::Failed { fault, .. } if fault.is_of_credentials() => {
            let remedies = match plan.trail.reach().access.assume_role {
                Some(role) => assume(&role, account).to_vec(),
                None => vec![credentials()],
            };
            (true, Finding::failed("bucket", subject, error.to_string()).with(remedies))
        }
        S3Error::Failed { fault, .. } => {
            let statements = remedies(fault, call, account);
            let denied = !statements.is_empty();
            if denied && !plan.is_listed {
                let found =
                    format!("{error}; so an object that is missing looks like one that is forbidden, and no object is tried");
                (true, Finding::warning("bucket", subject, found).with(statements))
            } else {
                (denied, Finding::failed("bucket", subject, error.to_string()).with(statements))
            }
        }
        _ => (false, Finding::failed("bucket", subject, error.to_string())),
    };
    if is_told { finding } else { finding.setting("check the name, the region and the address of the bucket") }
}

async fn empty(bucket: &Bucket, root: &Root, subject: &str) -> Finding {
    let top = bucket.folders("").await.unwrap_or_default();
    let there = if top.is_empty() { "no folder".to_owned() } else { top.into_iter().take(10).collect::<Vec<_>>().join(" ") };
    let found = format!("no logs of CloudTrail below {}; at the top of the bucket there is {there}", root.within);
    Finding::warning("bucket", subject, found).setting(
        "give the prefix that the trail has, which is what stands before AWSLogs/ in the keys: --s3 s3://BUCKET/PREFIX, or \
         `prefix` in sources.buckets",
    )
}

async fn newest_of_each(bucket: &Arc<Bucket>, found: Vec<Branch>) -> Result<Vec<Last>, S3Error> {
    let permits = Arc::new(Semaphore::new(PARALLEL));
    let mut tasks = JoinSet::new();
    for branch in found.into_iter().take(BRANCHES) {
        let (bucket, permits) = (Arc::clone(bucket), Arc::clone(&permits));
        tasks.spawn(async move {
            // Never closed.
            let _permit = permits.acquire().await;
            let object = newest(&bucket, &branch).await?;
            let delivered_ms = object.as_ref().and_then(|object| delivered_ms(&object.key));
            Ok::<_, S3Error>(Last { branch, object, delivered_ms })
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(last) => all.push(last?),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    all.sort_by(|one, other| one.branch.cmp(&other.branch));
    Ok(all)
}

/// Of the last hour, else today's or yesterday's, else of the last day that there is a folder for.
async fn newest(bucket: &Bucket, branch: &Branch) -> Result<Option<Listed>, S3Error> {
    let now_ms = Timestamp::now().as_millisecond();
    let (today, hour_ago) = (Day::of_ms(now_ms), now_ms - HOUR_MS);
    if Day::of_ms(hour_ago) == today {
        // Names begin with account, folder, region and time, so this skips what a busy day has before.
        let stamp = format_ms(hour_ago).get(..16).unwrap_or_default().replace(['-', ':'], "");
        let folder = format!("{}{today}/", branch.prefix);
        let after = format!("{folder}{}_{}_{}_{stamp}", branch.account, branch.kind.folder(), branch.region);
        if let Some(object) = newest_below(bucket, &folder, Some(after)).await? {
            return Ok(Some(object));
        }
    }
    for day in [today, today.before()] {
        if let Some(object) = newest_below(bucket, &format!("{}{day}/", branch.prefix), None).await? {
            return Ok(Some(object));
        }
    }
    let mut path = branch.prefix.clone();
    // Year, month, day.
    for _ in 0..3 {
        match bucket.folders(&path).await?.into_iter().max() {
            Some(last) => path = last,
            None => return Ok(None),
        }
    }
    newest_below(bucket, &path, None).await
}

async fn newest_below(bucket: &Bucket, prefix: &str, after: Option<String>) -> Result<Option<Listed>, S3Error> {
    let mut pages = bucket.list(prefix, after, 1_000);
    let mut newest: Option<Listed> = None;
    for _ in 0..PAGES {
        let Some(page) = pages.next().await? else { break };
        let files = page.into_iter().filter(|object| object.size > 0 && matches!(Object::of(&object.key), Object::Log(_)));
        newest = newest.into_iter().chain(files).max_by_key(|object| delivered_ms(&object.key));
    }
    Ok(newest)
}

fn delivered_ms(key: &str) -> Option<i64> {
    match Object::of(key) {
        Object::Log(log) => log.delivered_ms.or(Some(log.day.start_ms())),
        _ => None,
    }
}

async fn read(bucket: &Bucket, object: &Listed, subject: &str, account: &Account, report: &mut Report<'_>) {
    let url = bucket.url(&object.key);
    let Some(fetched) = report.within(PATIENCE, "object", &url, bucket.fetch(&object.key, None, Spool::default())).await else {
        return;
    };
    let mut fetched = match fetched {
        Ok(fetched) => fetched,
        Err(S3Error::Failed { fault, .. }) => {
            let resource = objects_arn(&bucket.name, logs_of(&object.key), account);
            let call = Call { action: "s3:GetObject", resource: &resource };
            let finding = Finding::failed("object", &url, fault.why.clone()).with(remedies(&fault, call, account));
            let finding = match fault.code.as_deref() {
                Some(code) if code.contains("Disabled") || code.contains("InvalidState") => {
                    finding.setting("enable the key, or cancel its deletion")
                }
                _ => finding,
            };
            report.tell(finding);
            return;
        }
        Err(error) => {
            report.tell(Finding::failed("object", &url, error.to_string()).setting(format!("look at the objects of {subject}")));
            return;
        }
    };
    let mut head = [0; 2];
    let is_log = fetched.body.read_exact(&mut head).is_ok() && (head == [0x1f, 0x8b] || head[0] == b'{');
    if !is_log {
        report.tell(
            Finding::failed("object", &url, "is neither gzip nor JSON")
                .setting("name the bucket that the trail delivers to; objects must be as CloudTrail has written them"),
        );
        return;
    }
    let key = fetched.kms_key.map_or_else(String::new, |key| format!(", decrypted with {key}"));
    report.tell(Finding::ok("object", &url, format!("is read: {} bytes{key}", fetched.size)));
}

/// What stands before the account in a key: the logs that a policy has to let in.
fn logs_of(key: &str) -> &str {
    match Object::of(key) {
        Object::Log(log) => key.find(&format!("/{}/{}/", log.account, log.kind.folder())).map_or("", |at| &key[..=at]),
        _ => "",
    }
}
