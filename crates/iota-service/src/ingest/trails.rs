//! The trails of an account, as a configuration names them.

use crate::aws::{Access, Fault, fault_of};
use crate::source::s3::TrailConfig;

/// Of the account and region of the credentials. Trails that several regions show are named once.
pub async fn trails_of_account() -> Result<Vec<TrailConfig>, TrailsError> {
    let config = Access::default().connect(None).await?;
    let client = aws_sdk_cloudtrail::Client::new(&config);
    let answer = client.describe_trails().include_shadow_trails(true).send().await;
    let answer = answer.map_err(|error| TrailsError::Api(fault_of("cloudtrail:DescribeTrails", &error)))?;
    let trail = |trail: aws_sdk_cloudtrail::types::Trail| {
        Some(TrailConfig {
            name: trail.name.unwrap_or_default(),
            bucket: trail.s3_bucket_name?,
            prefix: trail.s3_key_prefix.unwrap_or_default(),
            ..TrailConfig::default()
        })
    };
    let mut trails: Vec<_> = answer.trail_list.unwrap_or_default().into_iter().filter_map(trail).collect();
    trails.sort_by(|a, b| (&a.bucket, &a.prefix).cmp(&(&b.bucket, &b.prefix)));
    trails.dedup_by(|a, b| (&a.bucket, &a.prefix) == (&b.bucket, &b.prefix));
    Ok(trails)
}

#[derive(Debug, thiserror::Error)]
pub enum TrailsError {
    #[error(transparent)]
    Access(#[from] crate::aws::AccessError),
    #[error("{}", .0.why)]
    Api(Fault),
}
