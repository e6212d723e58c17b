//! The buckets that objects are read from: which ones may be, and how each is reached. Connections are made when needed.

use super::{Bucket, Reach, S3Error, TrailConfig};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Connections that are kept; names come from messages, which anybody may have sent.
const CONNECTIONS: usize = 1_000;

#[derive(Debug, Default)]
pub struct Buckets {
    configured: Vec<TrailConfig>,
    /// `None`: every one.
    allowed: Option<BTreeSet<String>>,
    connected: Mutex<HashMap<String, Arc<Bucket>>>,
}

impl Buckets {
    /// `configured` says how buckets are reached; `allowed` are the names of those that may be read.
    pub fn new(configured: Vec<TrailConfig>, allowed: Option<BTreeSet<String>>) -> Self {
        Self { configured, allowed, connected: Mutex::default() }
    }

    pub fn are_all_allowed(&self) -> bool {
        self.allowed.is_none()
    }

    pub fn admits(&self, bucket: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(bucket))
    }

    /// Keys of a bucket are limited to a prefix, and this one does not begin with it.
    pub fn leaves_out(&self, bucket: &str, key: &str) -> bool {
        self.configured(bucket).is_some_and(|trail| !key.starts_with(trail.prefix.trim_start_matches('/')))
    }

    fn configured(&self, bucket: &str) -> Option<&TrailConfig> {
        self.configured.iter().find(|trail| trail.bucket == bucket)
    }

    /// The trail that delivers to a place, reached as that bucket is.
    pub fn trail(&self, bucket: &str, prefix: &str) -> TrailConfig {
        let configured = self.configured(bucket).cloned().unwrap_or_default();
        TrailConfig { name: String::new(), bucket: bucket.to_owned(), prefix: prefix.to_owned(), ..configured }
    }

    /// `region` is where the bucket is said to be.
    pub async fn get(&self, name: &str, region: Option<&str>) -> Result<Arc<Bucket>, S3Error> {
        let mut connected = self.connected.lock().await;
        if let Some(bucket) = connected.get(name) {
            return Ok(Arc::clone(bucket));
        }
        let reach = self.configured(name).map_or_else(Reach::default, TrailConfig::reach);
        let bucket = Arc::new(Bucket::connect_in(name, &reach, region).await?);
        if connected.len() >= CONNECTIONS {
            connected.clear();
        }
        connected.insert(name.to_owned(), Arc::clone(&bucket));
        Ok(bucket)
    }
}
