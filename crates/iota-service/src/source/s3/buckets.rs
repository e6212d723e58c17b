//! The buckets that objects are read from: which ones may be, and how each is reached. Connections are made when needed.

use super::{Bucket, Reach, S3Error, TrailConfig};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Connections that are kept; names come from messages, which anybody may have sent.
const CONNECTIONS: usize = 1_000;

/// A connection, or the place of one that is being made.
type Connecting = Arc<OnceCell<Arc<Bucket>>>;

/// Name, and the region that it is said to be in: who says a wrong one disturbs nobody else.
type Place = (String, Option<String>);

#[derive(Debug, Default)]
pub struct Buckets {
    configured: Vec<TrailConfig>,
    /// `None`: every one.
    allowed: Option<BTreeSet<String>>,
    connected: Mutex<HashMap<Place, Connecting>>,
}

impl Buckets {
    /// `configured` says how buckets are reached; `allowed` are the names of those that may be read.
    pub fn new(configured: Vec<TrailConfig>, allowed: Option<BTreeSet<String>>) -> Self {
        Self { configured, allowed, connected: Mutex::default() }
    }

    pub fn are_all_allowed(&self) -> bool {
        self.allowed.is_none()
    }

    /// Names of those that may be read, unless it is every one.
    pub fn allowed(&self) -> Option<&BTreeSet<String>> {
        self.allowed.as_ref()
    }

    /// Names of those that the configuration has, in any way.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        let configured = self.configured.iter().map(|trail| trail.bucket.as_str());
        configured.chain(self.allowed.iter().flatten().map(String::as_str))
    }

    pub fn admits(&self, bucket: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(bucket))
    }

    /// Objects below these places are read, too, where those of a bucket are limited to a prefix.
    #[must_use]
    pub fn and_below(mut self, places: impl Iterator<Item = TrailConfig>) -> Self {
        let places: Vec<_> = places.filter(|place| self.configured(&place.bucket).is_some()).collect();
        self.configured.extend(places);
        self
    }

    /// Keys of a bucket are limited to prefixes, and these, forms of one name, begin with none of them.
    pub fn leaves_out(&self, bucket: &str, keys: &[String]) -> bool {
        let begins = |trail: &TrailConfig| keys.iter().any(|key| key.starts_with(trail.prefix.trim_start_matches('/')));
        let mut of_bucket = self.configured.iter().filter(|trail| trail.bucket == bucket).peekable();
        of_bucket.peek().is_some() && !of_bucket.any(begins)
    }

    fn configured(&self, bucket: &str) -> Option<&TrailConfig> {
        self.configured.iter().find(|trail| trail.bucket == bucket)
    }

    /// The trail that delivers to a place, reached as that bucket is.
    pub fn trail(&self, bucket: &str, prefix: &str) -> TrailConfig {
        let configured = self.configured(bucket).cloned().unwrap_or_default();
        TrailConfig { name: String::new(), bucket: bucket.to_owned(), prefix: prefix.to_owned(), ..configured }
    }

    /// `region` is where the bucket is said to be; a region that is configured wins.
    pub async fn get(&self, name: &str, region: Option<&str>) -> Result<Arc<Bucket>, S3Error> {
        let reach = self.configured(name).map_or_else(Reach::default, TrailConfig::reach);
        let region = region.filter(|_| reach.access.region.is_none());
        let connect = async || Bucket::connect_in(name, &reach, region).await.map(Arc::new);
        // One that takes its time to connect holds up nobody who needs another.
        self.connecting(name, region).get_or_try_init(connect).await.map(Arc::clone)
    }

    fn connecting(&self, name: &str, region: Option<&str>) -> Connecting {
        let place = (name.to_owned(), region.map(str::to_owned));
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = connected.get(&place) {
            return Arc::clone(bucket);
        }
        if connected.len() >= CONNECTIONS {
            // Whoever still uses one keeps it.
            connected.retain(|(name, region), _| region.is_none() && self.configured(name).is_some());
        }
        Arc::clone(connected.entry(place).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_from_messages_do_not_fill_the_memory_nor_drive_out_a_configured_bucket() {
        let mine = TrailConfig { bucket: "mine".to_owned(), region: Some("eu-west-1".to_owned()), ..TrailConfig::default() };
        let buckets = Buckets::new(vec![mine], None);
        let first = buckets.get("mine", None).await.unwrap();
        for number in 0..CONNECTIONS * 2 {
            buckets.connecting(&format!("made-up-{number}"), None);
            buckets.connecting("mine", Some(&format!("us-east-{number}")));
        }
        assert!(buckets.connected.lock().unwrap().len() <= CONNECTIONS);
        assert!(Arc::ptr_eq(&first, &buckets.get("mine", Some("us-east-1")).await.unwrap()));
    }

    #[tokio::test]
    async fn a_region_that_a_message_says_counts_for_those_that_say_it() {
        let buckets = Buckets::new(vec![TrailConfig { bucket: "mine".to_owned(), ..TrailConfig::default() }], None);
        let (wrong, right) = (buckets.get("mine", Some("us-east-99")).await, buckets.get("mine", Some("eu-west-1")).await);
        let region = |bucket: &Bucket| bucket.client().config().region().map(ToString::to_string);
        assert_eq!(region(&wrong.unwrap()).as_deref(), Some("us-east-99"));
        assert_eq!(region(&right.unwrap()).as_deref(), Some("eu-west-1"));
    }

    #[tokio::test]
    async fn a_bucket_is_not_followed_on_and_on() {
        let reach = TrailConfig { region: Some("eu-west-1".to_owned()), ..TrailConfig::default() }.reach();
        let bucket = Bucket::connect("b", &reach).await.unwrap();
        assert!(!bucket.follow(&bucket.client(), "eu-west-1.evil.example").await.unwrap(), "that is no region");
        let mut followed = 0;
        for number in 1..100 {
            followed += u32::from(bucket.follow(&bucket.client(), &format!("us-east-{number}")).await.unwrap());
        }
        assert_eq!(followed, 4);
    }

    #[test]
    fn every_prefix_of_a_bucket_counts() {
        let trail = |bucket: &str, prefix: &str| TrailConfig {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            ..TrailConfig::default()
        };
        let buckets = Buckets::new(vec![trail("b", "one"), trail("b", "/two"), trail("c", "")], None);
        let buckets = buckets.and_below([trail("b", "listed"), trail("d", "x")].into_iter());
        for (bucket, keys, out) in [
            ("b", &["one/k"][..], false),
            ("b", &["two/k"], false),
            ("b", &["listed/k"], false),
            ("b", &["three/k"], true),
            ("b", &["%6Fne/k", "one/k"], false),
            ("c", &["any"], false),
            ("d", &["any"], false),
        ] {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(buckets.leaves_out(bucket, &keys), out, "{bucket} {keys:?}");
        }
    }
}
