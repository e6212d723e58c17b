//! Who calls AWS: the credentials that are found, and each role that is to be assumed with them.

use super::clock::Dates;
use super::finding::{Finding, Report};
use super::{PATIENCE, Plan, hurried};
use crate::aws::{Access, Account, Fault, assume, credentials, fault_of, region_of_queue};
use crate::output::OutputFile;
use crate::source::s3::TrailConfig;
use crate::store::Place;

const CHECK: &str = "identity";

pub(super) async fn check(plan: &Plan<'_>, report: &mut Report<'_>) -> Account {
    let accesses = accesses(plan);
    let Some((first, region)) = accesses.first() else { return Account::unknown(None) };
    let mut own = Account::unknown(region.as_deref());
    // The credentials that were found, and then the roles that are assumed with them.
    let found = Access { assume_role: None, ..first.clone() };
    let dates = Dates::default();
    let who = report.within(PATIENCE, CHECK, "credentials", who(&found, region.as_deref(), &dates)).await;
    match who {
        Some(Ok((arn, region))) => {
            own = Account::of(arn.clone());
            report.tell(Finding::ok(CHECK, "credentials", format!("{arn}, region {region}")));
        }
        Some(Err(Fault { why, .. })) => {
            report.tell(Finding::failed(CHECK, "credentials", why).with([credentials()]));
        }
        None => {}
    }
    dates.check("clock of this machine", report);
    for (access, region) in &accesses {
        let Some(role) = &access.assume_role else { continue };
        let same_clock = Dates::default();
        let who = self::who(access, region.as_deref(), &same_clock);
        match report.within(PATIENCE, CHECK, &role.arn, who).await {
            Some(Ok((arn, _))) => report.tell(Finding::ok(CHECK, &role.arn, format!("is assumed as {arn}"))),
            Some(Err(fault)) => {
                let finding = Finding::failed(CHECK, &role.arn, format!("cannot be assumed: {}", fault.why));
                report.tell(finding.with(assume(role, &own)));
            }
            None => {}
        }
    }
    own
}

/// Each way in which AWS is reached, once, with the region that the resource is in.
fn accesses(plan: &Plan<'_>) -> Vec<(Access, Option<String>)> {
    let queues = plan.queues.iter().map(|queue| (queue.access.clone(), region_of_queue(&queue.url).map(str::to_owned)));
    let buckets = plan.buckets.iter().map(|bucket| (TrailConfig::reach(&bucket.trail).access, None));
    let outputs = plan.settings.outputs.values().filter_map(OutputFile::access).map(|access| (access, None));
    // State in a table is reached with what the SDK finds.
    let table = matches!(plan.state, Place::Table(_)).then(|| (Access::default(), None));
    let mut all: Vec<(Access, Option<String>)> = Vec::new();
    for (access, region) in queues.chain(buckets).chain(table).chain(outputs) {
        // That address is not of STS.
        let access = Access { endpoint_url: None, ..access };
        let same = |(other, _): &(Access, _)| match (&other.assume_role, &access.assume_role) {
            (Some(one), Some(other)) => one.arn == other.arn,
            (one, other) => one.is_none() && other.is_none(),
        };
        if !all.iter().any(same) {
            all.push((access, region));
        }
    }
    all
}

/// ARN and region.
async fn who(access: &Access, region: Option<&str>, dates: &Dates) -> Result<(String, String), Fault> {
    let config = match hurried(access).connect(region).await {
        Ok(config) => config,
        Err(error) => {
            let verdict = crate::aws::Verdict::Closed;
            return Err(Fault { verdict, after: None, code: None, why: error.to_string() });
        }
    };
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    let config = aws_sdk_sts::config::Builder::from(&config).interceptor(dates.clone()).build();
    let answer = aws_sdk_sts::Client::from_conf(config).get_caller_identity().send().await;
    let answer = answer.map_err(|error| fault_of("sts:GetCallerIdentity", &error))?;
    Ok((answer.arn.unwrap_or_default(), region))
}
