//! A bucket and how it is reached, as configuration files have it.

use super::{Location, Reach};
use crate::aws::{Access, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where one trail delivers to, and how that bucket is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrailConfig {
    /// For messages only.
    pub name: String,
    pub bucket: String,
    /// What stands before `AWSLogs/`, or any path below that.
    pub prefix: String,
    /// Of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub path_style: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requester_pays: bool,
}

impl TrailConfig {
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let place = format!("s3://{}", self.bucket).parse::<Location>();
        if !place.is_ok_and(|place| place.bucket == self.bucket) {
            return Err(format!("trail {:?}: {:?} is not a bucket", self.name, self.bucket));
        }
        if self.external_id.is_some() && self.role_arn.is_none() {
            return Err(format!("trail {:?}: external_id needs role_arn", self.name));
        }
        Ok(())
    }

    /// What it is called in messages.
    pub fn shown(&self) -> String {
        if self.name.is_empty() { self.location().to_string() } else { self.name.clone() }
    }

    pub fn location(&self) -> Location {
        Location { bucket: self.bucket.clone(), prefix: self.prefix.clone() }
    }

    pub fn reach(&self) -> Reach {
        let role = |arn: &String| Role { arn: arn.clone(), external_id: self.external_id.clone(), session_name: None };
        Reach {
            access: Access {
                region: self.region.clone(),
                endpoint_url: self.endpoint_url.clone(),
                assume_role: self.role_arn.as_ref().map(role),
                ca_bundle: None,
                timeout: None,
            },
            path_style: self.path_style,
            requester_pays: self.requester_pays,
        }
    }
}
