//! The trails that deliver to the buckets: whether they log, what they log, and whether they deliver.

use super::finding::{Finding, Report};
use super::{PATIENCE, Plan, hurried};
use crate::aws::{Access, AccessError, Account, Call, Fault, Verdict, fault_of, region_of_arn, region_of_queue, remedies};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusOutput;
use aws_sdk_cloudtrail::types::{ReadWriteType, Trail};
use iota_engine::event::format_ms;
use jiff::Timestamp;

const CHECK: &str = "trail";
/// Logs come about every five minutes; no delivery for so long is worth a look, in milliseconds.
const SILENT_MS: i64 = 60 * 60 * 1_000;

/// The trails of the account that deliver to the buckets; all of them where no bucket is named.
#[derive(Debug)]
pub(super) struct Trails {
    access: Access,
    found: Vec<Trail>,
}

impl Trails {
    /// What stands before `AWSLogs/` in a bucket.
    pub(super) fn prefix(&self, bucket: &str) -> Option<&str> {
        self.found.iter().find(|trail| trail.s3_bucket_name() == Some(bucket))?.s3_key_prefix()
    }

    /// Topics that are told by CloudTrail itself of what it delivers to a bucket.
    pub(super) fn topics(&self, bucket: &str) -> Vec<String> {
        let of_bucket = self.found.iter().filter(|trail| trail.s3_bucket_name() == Some(bucket));
        of_bucket.filter_map(|trail| trail.sns_topic_arn().map(str::to_owned)).collect()
    }
}

/// `None` where they could not be asked for.
pub(super) async fn describe(plan: &Plan<'_>, account: &Account, report: &mut Report<'_>) -> Option<Trails> {
    // Trails are in the account of whoever asks, or in no account that could be asked.
    let access = hurried(&Access::default());
    let region = plan.queues.iter().find_map(|queue| region_of_queue(&queue.url));
    let ask = async {
        let config = access.connect(region).await.map_err(|error| unconnected(&error))?;
        let answer = Client::new(&config).describe_trails().include_shadow_trails(true).send().await;
        let trails = answer.map_err(|error| fault_of("cloudtrail:DescribeTrails", &error))?.trail_list.unwrap_or_default();
        Ok(trails)
    };
    let found = match report.within(PATIENCE, CHECK, "trails", ask).await? {
        Ok(found) => found,
        Err(fault) => {
            unchecked("trails", &fault, "cloudtrail:DescribeTrails", "*", account, report);
            return None;
        }
    };
    let delivers = |trail: &Trail| {
        plan.buckets.is_empty() || plan.buckets.iter().any(|bucket| Some(bucket.trail.bucket.as_str()) == trail.s3_bucket_name())
    };
    Some(Trails { access, found: found.into_iter().filter(delivers).collect() })
}

pub(super) async fn check(trails: &Trails, plan: &Plan<'_>, account: &Account, report: &mut Report<'_>) {
    for bucket in &plan.buckets {
        if !trails.found.iter().any(|trail| trail.s3_bucket_name() == Some(bucket.trail.bucket.as_str())) {
            let found = "no trail that this account and region see delivers to it; an organization's trail is seen in its own account only";
            let mend =
                "run `iota doctor` there, too, or see `aws cloudtrail describe-trails` and `get-trail-status` in that account";
            report.tell(Finding::warning(CHECK, &bucket.trail.location().to_string(), found).setting(mend));
        }
    }
    for trail in &trails.found {
        one(trail, trails, account, report).await;
    }
}

fn unconnected(error: &AccessError) -> Fault {
    Fault { verdict: Verdict::Closed, after: None, code: None, why: error.to_string() }
}

fn unchecked(subject: &str, fault: &Fault, action: &str, resource: &str, account: &Account, report: &mut Report<'_>) {
    let finding = Finding::warning(CHECK, subject, format!("was not checked: {}", fault.why));
    report.tell(finding.with(remedies(fault, Call { action, resource }, account)));
}

async fn one(trail: &Trail, trails: &Trails, account: &Account, report: &mut Report<'_>) {
    let arn = trail.trail_arn().or(trail.name()).unwrap_or_default();
    for finding in settings(trail, arn) {
        report.tell(finding);
    }
    let region = trail.home_region().or_else(|| region_of_arn(arn));
    let access = Access { region: region.map(str::to_owned), ..trails.access.clone() };
    let client = match access.connect(None).await {
        Ok(config) => Client::new(&config),
        Err(error) => return unchecked(arn, &unconnected(&error), "cloudtrail:GetTrailStatus", arn, account, report),
    };
    let status = client.get_trail_status().name(arn).send();
    match report.within(PATIENCE, CHECK, arn, status).await {
        Some(Ok(status)) => report.tell(judge_status(arn, &status, Timestamp::now().as_millisecond())),
        Some(Err(error)) => {
            let fault = fault_of("cloudtrail:GetTrailStatus", &error);
            unchecked(arn, &fault, "cloudtrail:GetTrailStatus", arn, account, report);
        }
        None => {}
    }
    match report.within(PATIENCE, CHECK, arn, client.get_event_selectors().trail_name(arn).send()).await {
        Some(Ok(selectors)) => report.tell(judge_selectors(arn, &selectors)),
        Some(Err(error)) => {
            let fault = fault_of("cloudtrail:GetEventSelectors", &error);
            unchecked(arn, &fault, "cloudtrail:GetEventSelectors", arn, account, report);
        }
        None => {}
    }
}

fn settings(trail: &Trail, arn: &str) -> Vec<Finding> {
    let update = |flag: &str| format!("aws cloudtrail update-trail --name {arn} {flag}");
    let mut findings = Vec::new();
    for (is_on, found, flag) in [
        (trail.is_multi_region_trail(), "logs one region only: what happens in others is not seen", "--is-multi-region-trail"),
        (
            trail.include_global_service_events(),
            "leaves out global services: IAM, STS and CloudFront are not seen",
            "--include-global-service-events",
        ),
        (
            trail.log_file_validation_enabled(),
            "writes no digest files: `iota validate-logs` has nothing to check, and `iota gaps` knows no lost files",
            "--enable-log-file-validation",
        ),
    ] {
        if is_on == Some(false) {
            findings.push(Finding::warning(CHECK, arn, found).setting(update(flag)));
        }
    }
    let place = match trail.s3_key_prefix() {
        Some(prefix) if !prefix.is_empty() => format!("s3://{}/{prefix}", trail.s3_bucket_name().unwrap_or_default()),
        _ => format!("s3://{}", trail.s3_bucket_name().unwrap_or_default()),
    };
    let key = trail.kms_key_id().map_or_else(|| "encrypted by S3".to_owned(), |key| format!("encrypted with {key}"));
    let topic = trail.sns_topic_arn().map_or_else(|| "no topic".to_owned(), |topic| format!("topic {topic}"));
    let whole = if trail.is_organization_trail() == Some(true) { ", of the whole organization" } else { "" };
    findings.push(Finding::ok(CHECK, arn, format!("delivers to {place}, {key}, {topic}{whole}")));
    findings
}

fn judge_status(arn: &str, status: &GetTrailStatusOutput, now_ms: i64) -> Finding {
    if status.is_logging() != Some(true) {
        return Finding::failed(CHECK, arn, "does not log").setting(format!("aws cloudtrail start-logging --name {arn}"));
    }
    if let Some(error) = status.latest_delivery_error().filter(|error| !error.is_empty()) {
        let mend = "let cloudtrail.amazonaws.com write to the bucket (s3:PutObject, s3:GetBucketAcl in the bucket's policy) and \
                    use its key (kms:GenerateDataKey* in the key's policy); AWS goes on trying for 30 days";
        return Finding::failed(CHECK, arn, format!("cannot deliver: {error}")).setting(mend);
    }
    let delivered_ms = status.latest_delivery_time().and_then(|time| time.to_millis().ok());
    match delivered_ms {
        Some(ms) if now_ms.saturating_sub(ms) < SILENT_MS => {
            Finding::ok(CHECK, arn, format!("logs; last delivery {}", format_ms(ms)))
        }
        Some(ms) => Finding::warning(CHECK, arn, format!("logs, and has delivered nothing since {}", format_ms(ms)))
            .setting("nothing may have happened; otherwise see `aws cloudtrail get-trail-status`"),
        None => Finding::warning(CHECK, arn, "logs, and has not delivered anything yet")
            .setting("wait for a quarter of an hour after it was made, and ask again"),
    }
}

fn judge_selectors(arn: &str, selectors: &GetEventSelectorsOutput) -> Finding {
    let mut management = Vec::new();
    let mut data = Vec::new();
    for selector in selectors.event_selectors() {
        if selector.include_management_events() == Some(true) {
            let which = selector.read_write_type().map_or("All", ReadWriteType::as_str);
            let without = selector.exclude_management_event_sources();
            let without = if without.is_empty() { String::new() } else { format!(" without {}", without.join(", ")) };
            management.push(format!("{which}{without}"));
        }
        data.extend(selector.data_resources().iter().filter_map(|resource| resource.r#type().map(str::to_owned)));
    }
    for selector in selectors.advanced_event_selectors() {
        let values = |field: &str| {
            selector
                .field_selectors()
                .iter()
                .find(|entry| entry.field() == field)
                .map(|entry| entry.equals().to_vec())
                .unwrap_or_default()
        };
        let fields = selector.field_selectors();
        let narrowed = fields.iter().any(|entry| !["eventCategory", "readOnly"].contains(&entry.field()));
        if values("eventCategory").iter().any(|category| category == "Management") {
            let which = match values("readOnly").first().map(String::as_str) {
                Some("true") => "ReadOnly",
                Some("false") => "WriteOnly",
                _ => "All",
            };
            management.push(if narrowed { format!("{which} without some") } else { which.to_owned() });
        } else {
            data.extend(values("resources.type"));
        }
    }
    let data = if data.is_empty() { "no data events".to_owned() } else { format!("data events of {}", data.join(", ")) };
    if management.is_empty() {
        return Finding::failed(CHECK, arn, format!("logs no management events, and {data}: nearly all rules are about those"))
            .setting(put(arn));
    }
    let found = format!("logs management events ({}) and {data}", management.join("; "));
    if management.iter().any(|which| which == "All") {
        Finding::ok(CHECK, arn, found)
    } else {
        Finding::warning(CHECK, arn, format!("{found}: rules about the others see nothing")).setting(put(arn))
    }
}

fn put(arn: &str) -> String {
    let all = r#"'[{"ReadWriteType":"All","IncludeManagementEvents":true}]'"#;
    format!(
        "log all management events beside what is logged now: aws cloudtrail put-event-selectors --trail-name {arn} --event-selectors {all} (replaces the selectors that are there)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use aws_sdk_cloudtrail::primitives::DateTime;
    use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector, EventSelector};

    #[test]
    fn a_trail_logs_and_delivers_or_says_why_not() {
        let now_ms = 1_700_000_000_000;
        let at = |minutes: i64| Some(DateTime::from_millis(now_ms - minutes * 60_000));
        let status = |logging, error: Option<&str>, time| {
            let status = GetTrailStatusOutput::builder().is_logging(logging).set_latest_delivery_error(error.map(str::to_owned));
            judge_status("t", &status.set_latest_delivery_time(time).build(), now_ms)
        };
        assert_eq!(status(true, None, at(4)).level, Level::Ok);
        assert_eq!(status(true, Some(""), at(4)).level, Level::Ok);
        assert_eq!(status(true, None, at(61)).level, Level::Warning);
        assert_eq!(status(true, None, None).level, Level::Warning);
        assert_eq!(status(false, None, at(4)).level, Level::Failed);
        let denied = status(true, Some("AccessDenied"), at(4));
        assert_eq!((denied.level, denied.found.as_str()), (Level::Failed, "cannot deliver: AccessDenied"));
    }

    #[test]
    fn selectors_of_both_kinds_say_what_is_logged() {
        let plain = |kind, management| {
            let selector = EventSelector::builder().read_write_type(kind).include_management_events(management).build();
            judge_selectors("t", &GetEventSelectorsOutput::builder().event_selectors(selector).build())
        };
        assert_eq!(plain(ReadWriteType::All, true).level, Level::Ok);
        assert_eq!(plain(ReadWriteType::WriteOnly, true).level, Level::Warning);
        assert_eq!(plain(ReadWriteType::All, false).level, Level::Failed);
        let advanced = |fields: &[(&str, &str)]| {
            let field =
                |(name, value): &(&str, &str)| AdvancedFieldSelector::builder().field(*name).equals(*value).build().unwrap();
            let selector = AdvancedEventSelector::builder().set_field_selectors(Some(fields.iter().map(field).collect())).build();
            judge_selectors("t", &GetEventSelectorsOutput::builder().advanced_event_selectors(selector.unwrap()).build())
        };
        assert_eq!(advanced(&[("eventCategory", "Management")]).level, Level::Ok);
        assert_eq!(advanced(&[("eventCategory", "Management"), ("readOnly", "false")]).level, Level::Warning);
        let data = advanced(&[("eventCategory", "Data"), ("resources.type", "AWS::S3::Object")]);
        assert_eq!(data.level, Level::Failed);
        assert!(data.found.contains("data events of AWS::S3::Object"), "{}", data.found);
    }
}
