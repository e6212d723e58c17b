//! What is told of something that does not work: why, what is missing, and what becomes of its input meanwhile.

use crate::aws::{Account, Call, Fault, Remedy, assume, bucket_arn, objects_arn, remedies};
use crate::source::s3::{S3Error, TrailConfig};
use iota_engine::region::partition_of;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) why: String,
    pub(super) missing: Vec<Remedy>,
    /// A sentence with a space before it, or nothing.
    pub(super) meanwhile: String,
}

impl Failing {
    /// Of this machine: its state, its disk.
    pub(super) fn of(why: String) -> Self {
        Self { why, missing: Vec::new(), meanwhile: String::new() }
    }

    /// A call on a queue. `region` is the queue's, if it is known.
    pub(super) fn of_queue(url: &str, region: Option<&str>, fault: &Fault) -> Self {
        let mut parts = url.rsplit('/');
        let (name, owner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or("ACCOUNT"));
        let partition = partition_of(region.unwrap_or_default());
        let arn = format!("arn:{partition}:sqs:{}:{owner}:{name}", region.unwrap_or("REGION"));
        let call = Call { action: "sqs:ReceiveMessage", resource: &arn };
        Self { missing: remedies(fault, call, &Account::unknown(region)), ..Self::of(fault.why.clone()) }
    }

    /// `action` is what was asked of the bucket that a trail delivers to.
    pub(super) fn of_bucket(trail: &TrailConfig, action: &'static str, error: &S3Error) -> Self {
        Self { missing: missing(trail, action, error), ..Self::of(error.to_string()) }
    }
}

fn missing(trail: &TrailConfig, action: &'static str, error: &S3Error) -> Vec<Remedy> {
    let S3Error::Failed { fault, .. } = error else { return Vec::new() };
    let role = trail.reach().access.assume_role;
    let caller = Account::unknown(trail.region.as_deref());
    match (&role, fault.code.as_deref()) {
        (Some(role), _) if fault.is_of_credentials() => return assume(role, &caller).to_vec(),
        (None, _) if fault.is_of_credentials() => {
            let text =
                "give iota credentials: a role of the instance, task or service account, AWS_PROFILE, or AWS_ACCESS_KEY_ID";
            return vec![Remedy::Setting(text.to_owned())];
        }
        (_, Some("NoSuchBucket")) => {
            let text =
                format!("name a bucket that exists instead of {} in sources.buckets or --bucket, or make it", trail.bucket);
            return vec![Remedy::Setting(text)];
        }
        (_, Some(code)) if code.contains("Disabled") || code.contains("InvalidState") => {
            return vec![Remedy::Setting(
                "enable the key that the objects are encrypted with, or cancel its deletion".to_owned(),
            )];
        }
        _ => {}
    }
    let account = role.map_or(caller, |role| Account::of(role.arn));
    let bucket = &trail.bucket;
    let resource = if action == "s3:ListBucket" { bucket_arn(bucket, &account) } else { objects_arn(bucket, "", &account) };
    remedies(fault, Call { action, resource: &resource }, &account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Verdict;

    #[test]
    fn what_is_missing_is_named() {
        let trail = |role: Option<&str>| TrailConfig {
            bucket: "b".to_owned(),
            role_arn: role.map(str::to_owned),
            external_id: role.map(|_| "x".to_owned()),
            ..TrailConfig::default()
        };
        let role = Some("arn:aws-cn:iam::111122223333:role/read");
        let denied = ("s3:GetObject: AccessDenied", Some("AccessDenied"));
        for (role, (why, code), expected) in [
            (None, denied, &["identity that iota runs as", r#""Action":"s3:GetObject""#, r#""arn:aws:s3:::b/*""#][..]),
            (role, denied, &["arn:aws-cn:iam::111122223333:role/read", r#""arn:aws-cn:s3:::b/*""#]),
            (role, ("s3:GetObject: credentials: AccessDenied", None), &["sts:AssumeRole", "external id \"x\""]),
            (None, ("s3:GetObject: no AWS credentials were found", None), &["give iota credentials"]),
            (None, ("s3:GetObject: NoSuchBucket", Some("NoSuchBucket")), &["instead of b in sources.buckets"]),
            (None, ("s3:GetObject: KMS.DisabledException", Some("KMS.DisabledException")), &["enable the key"]),
            (None, ("s3:GetObject: SlowDown", Some("SlowDown")), &[]),
        ] {
            let fault = Fault { verdict: Verdict::Closed, after: None, code: code.map(str::to_owned), why: why.to_owned() };
            let error = S3Error::Failed { what: "s3://b/k".to_owned(), fault };
            let failing = Failing::of_bucket(&trail(role), "s3:GetObject", &error);
            let text = failing.missing.iter().map(|remedy| format!("{remedy};")).collect::<Vec<_>>().concat();
            assert!(expected.iter().all(|part| text.contains(part)) && text.is_empty() == expected.is_empty(), "{why}: {text}");
        }
        let fault = Fault { verdict: Verdict::Closed, after: None, code: Some("AccessDenied".to_owned()), why: "no".to_owned() };
        let point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs";
        let of_point = TrailConfig { bucket: point.to_owned(), ..TrailConfig::default() };
        for (action, expected) in [("s3:ListBucket", point.to_owned()), ("s3:GetObject", format!("{point}/object/*"))] {
            let error = S3Error::Failed { what: String::new(), fault: fault.clone() };
            let text = Failing::of_bucket(&of_point, action, &error).missing[0].to_string();
            assert!(text.contains(&format!(r#""Resource":"{expected}""#)), "{text}");
        }
        let failing = Failing::of_queue("https://sqs.eu-west-1.amazonaws.com/1/q", Some("eu-west-1"), &fault);
        assert!(failing.missing[0].to_string().contains(r#""Resource":"arn:aws:sqs:eu-west-1:1:q""#), "{failing:?}");
    }
}
