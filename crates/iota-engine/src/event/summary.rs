//! The facts of a record that every alert carries: actor, account, partition, region, source address.

use crate::json::Value;
use crate::region::partition_of;
use serde::Serialize;

/// Taken from a record; a missing or ill-typed field is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub event_id: Option<String>,
    pub account_id: Option<String>,
    pub partition: String,
    pub region: Option<String>,
    pub actor: Option<String>,
    pub source_ip: Option<String>,
}

impl Summary {
    pub fn of(raw: &[u8]) -> Self {
        let record = Value::parse(raw);
        let text = |path: &[&str]| record.text(path).filter(|text| !text.is_empty()).map(str::to_owned);
        let region = text(&["awsRegion"]);
        Self {
            event_id: text(&["eventID"]),
            account_id: text(&["recipientAccountId"]).or_else(|| text(&["userIdentity", "accountId"])),
            partition: partition(text(&["userIdentity", "arn"]).as_deref(), region.as_deref()),
            region,
            actor: record.get("userIdentity").and_then(actor),
            source_ip: text(&["sourceIPAddress"]),
        }
    }
}

/// The AWS partition: the second part of the caller's ARN, else what the region's name says.
fn partition(arn: Option<&str>, region: Option<&str>) -> String {
    let stated =
        arn.and_then(|arn| arn.strip_prefix("arn:")).and_then(|rest| rest.split(':').next()).filter(|name| !name.is_empty());
    stated.unwrap_or_else(|| partition_of(region.unwrap_or_default())).to_owned()
}

/// Who called, in the shortest form that still tells two callers apart.
fn actor(identity: &Value<'_>) -> Option<String> {
    let text = |path: &[&str]| identity.text(path).filter(|text| !text.is_empty());
    // Identity Center: the person on whose behalf a role session acts.
    if let Some(person) = text(&["onBehalfOf", "userId"]) {
        return Some(person.to_owned());
    }
    let arn = text(&["arn"]);
    let arn_resource = arn.and_then(|arn| arn.splitn(6, ':').nth(5));
    let kind = text(&["type"]).unwrap_or_default();
    let name = match kind {
        "Root" => Some("root"),
        "IdentityCenterUser" => text(&["userName"]).or(text(&["userId"])),
        "AWSService" => text(&["invokedBy"]),
        // assumed-role/ROLE/SESSION and federated-user/NAME
        "AssumedRole" => arn_resource.and_then(|resource| resource.strip_prefix("assumed-role/")),
        "FederatedUser" => arn_resource.and_then(|resource| resource.strip_prefix("federated-user/")),
        "IAMUser" | "SAMLUser" | "WebIdentityUser" => text(&["userName"]),
        _ => None,
    };
    name.or(text(&["userName"]))
        .or(arn)
        .or(text(&["principalId"]))
        .or(text(&["invokedBy"]))
        .or(text(&["accountId"]))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_actor() {
        for (identity, expected) in [
            (r#"{"type":"Root","arn":"arn:aws:iam::1:root"}"#, Some("root")),
            (r#"{"type":"IAMUser","userName":"alice","arn":"arn:aws:iam::1:user/alice"}"#, Some("alice")),
            (r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/Admin/bob@x"}"#, Some("Admin/bob@x")),
            (r#"{"type":"FederatedUser","arn":"arn:aws:sts::1:federated-user/carol"}"#, Some("carol")),
            (r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#, Some("ec2.amazonaws.com")),
            (r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/R/s","onBehalfOf":{"userId":"u-1"}}"#, Some("u-1")),
            (r#"{"type":"AWSAccount","principalId":"AIDA","accountId":"1"}"#, Some("AIDA")),
            (r#"{"type":"IAMUser","userName":null,"accountId":"1"}"#, Some("1")),
            ("{}", None),
            ("null", None),
            ("\"text\"", None),
        ] {
            let record = format!(r#"{{"userIdentity":{identity}}}"#);
            assert_eq!(Summary::of(record.as_bytes()).actor.as_deref(), expected, "{identity}");
        }
    }

    #[test]
    fn partitions_are_values() {
        let of = |record: &str| Summary::of(record.as_bytes()).partition;
        assert_eq!(of(r#"{"userIdentity":{"arn":"arn:aws-cn:iam::1:root"},"awsRegion":"cn-north-1"}"#), "aws-cn");
        assert_eq!(of(r#"{"awsRegion":"us-gov-west-1"}"#), "aws-us-gov");
        assert_eq!(of("{}"), "aws");
    }
}
