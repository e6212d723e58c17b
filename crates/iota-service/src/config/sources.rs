//! `sources:` of iota.yaml: what `iota watch` reads, and how buckets are reached.

use super::file::{ConfigError, ConfigFile};
use super::setting::parse_duration;
use crate::aws::Access;
use crate::source::feed::QueueConfig;
use crate::source::s3::{Location, TrailConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From one list of a bucket to the next.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(60);

/// What `iota watch` reads.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcesFile {
    /// Queues of Amazon SQS that tell of new objects, or hold events of EventBridge.
    #[serde(default)]
    pub queues: Vec<QueueFile>,
    /// Places that are listed for new objects: s3://BUCKET or s3://BUCKET/PREFIX.
    #[serde(default)]
    pub s3: Vec<String>,
    /// From one list to the next [default: 1m].
    pub poll_interval: Option<String>,
    /// Directories, relative to the file.
    #[serde(default)]
    pub events_dirs: Vec<PathBuf>,
    /// How buckets are reached. When there are any, objects of other buckets are not read, whatever a message says.
    #[serde(default)]
    pub buckets: Vec<TrailConfig>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueFile {
    pub url: String,
    /// How long a message is hidden from others at a time, 1s to 11h; what is in work is hidden anew [default: 2m].
    pub visibility_timeout: Option<String>,
    /// Region, role and address where they differ from what the SDK finds.
    pub aws: Option<Access>,
}

/// Checked.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    pub queues: Vec<QueueConfig>,
    pub s3: Vec<Location>,
    pub poll_interval: Duration,
    pub events_dirs: Vec<PathBuf>,
    pub buckets: Vec<TrailConfig>,
}

impl SourceSettings {
    pub(super) fn new(file: &ConfigFile) -> Result<Self, ConfigError> {
        let directory = file.path.parent().unwrap_or(Path::new(""));
        let sources = &file.sources;
        let fail = |name: &'static str, message: String| ConfigError::Setting { name, message };
        for trail in &sources.buckets {
            trail.check().map_err(|message| fail("sources.buckets", message))?;
        }
        let queue = |queue: &QueueFile| {
            let mut access = queue.aws.clone().unwrap_or_default();
            access.ca_bundle = access.ca_bundle.map(|path| directory.join(path));
            let visibility = match &queue.visibility_timeout {
                Some(text) => parse_duration(text).map_err(|why| format!("visibility_timeout {text:?}: {why}"))?,
                None => QueueConfig::VISIBILITY,
            };
            if !(Duration::from_secs(1)..=Duration::from_secs(11 * 60 * 60)).contains(&visibility) {
                return Err("visibility_timeout must be between 1s and 11h".to_owned());
            }
            Ok(QueueConfig { access, visibility, ..queue_of(&queue.url)? })
        };
        let queues = sources.queues.iter().map(queue).collect::<Result<_, _>>().map_err(|why| fail("sources.queues", why))?;
        let place = |text: &String| text.parse().map_err(|error: crate::source::s3::LocationError| error.to_string());
        Ok(Self {
            queues,
            s3: sources.s3.iter().map(place).collect::<Result<_, _>>().map_err(|why| fail("sources.s3", why))?,
            poll_interval: match &sources.poll_interval {
                Some(text) => poll_interval(text).map_err(|why| fail("sources.poll_interval", why))?,
                None => POLL_INTERVAL,
            },
            events_dirs: sources.events_dirs.iter().map(|path| directory.join(path)).collect(),
            buckets: sources.buckets.clone(),
        })
    }

    /// Names and values, for `config show`.
    pub(super) fn shown(&self) -> impl Iterator<Item = (String, String)> {
        let list = |name: &str, values: Vec<String>| (!values.is_empty()).then(|| (format!("sources.{name}"), values.join(", ")));
        [
            list("queues", self.queues.iter().map(|queue| queue.url.clone()).collect()),
            list("s3", self.s3.iter().map(Location::to_string).collect()),
            list("events_dirs", self.events_dirs.iter().map(|path| path.display().to_string()).collect()),
            list("buckets", self.buckets.iter().map(|trail| trail.bucket.clone()).collect()),
        ]
        .into_iter()
        .flatten()
    }

    /// The queue as it is configured, or as it stands.
    pub fn queue(&self, url: &str) -> Result<QueueConfig, String> {
        self.queues.iter().find(|queue| queue.url == url).cloned().map_or_else(|| queue_of(url), Ok)
    }
}

fn queue_of(url: &str) -> Result<QueueConfig, String> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(format!("{url:?} is not the URL of a queue (https://sqs.REGION.amazonaws.com/ACCOUNT/NAME)"));
    }
    Ok(QueueConfig { url: url.to_owned(), access: Access::default(), visibility: QueueConfig::VISIBILITY })
}

/// A second at least.
pub fn poll_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text).map_err(|why| format!("{text:?}: {why}"))?;
    if interval < Duration::from_secs(1) { Err(format!("{text:?}: must be at least 1s")) } else { Ok(interval) }
}

#[cfg(test)]
mod tests {
    use super::super::{Given, Settings};
    use super::*;

    fn read(text: &str) -> Result<SourceSettings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("iota.yaml");
        std::fs::write(&path, format!("version: 1\nsources:\n{text}")).unwrap();
        let settings = Settings::resolve(Given { config: Some(path), ..Given::default() });
        settings.map(|settings| settings.sources).map_err(|error| error.to_string())
    }

    #[test]
    fn sources_are_read() {
        let text = "  queues:
    - {url: 'https://sqs.eu-west-1.amazonaws.com/1/q', visibility_timeout: 30s, aws: {region: eu-west-1}}
  s3: ['s3://logs/p']
  poll_interval: 5m
  events_dirs: [events]
  buckets:
    - {bucket: logs, region: eu-central-1, role_arn: 'arn:aws:iam::111122223333:role/r', external_id: x, path_style: true}
";
        let sources = read(text).unwrap();
        assert_eq!(sources.queues[0].visibility, Duration::from_secs(30));
        assert_eq!(sources.queues[0].access.region.as_deref(), Some("eu-west-1"));
        assert_eq!(sources.queue(&sources.queues[0].url), Ok(sources.queues[0].clone()));
        assert_eq!((sources.s3[0].to_string().as_str(), sources.poll_interval), ("s3://logs/p", Duration::from_secs(300)));
        assert!(sources.events_dirs[0].is_absolute());
        let reach = sources.buckets[0].reach();
        assert_eq!(reach.access.assume_role.unwrap().external_id.as_deref(), Some("x"));
        assert!(reach.path_style);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("  queues: [{url: q}]\n", "sources.queues: \"q\" is not the URL of a queue"),
            ("  queues: [{url: 'https://q', visibility_timeout: 12h}]\n", "visibility_timeout must be between 1s and 11h"),
            ("  queues: [{url: 'https://q', visible_timeout: 12h}]\n", "did you mean `visibility_timeout`"),
            ("  s3: [logs]\n", "sources.s3: \"logs\" is not a place in S3"),
            ("  poll_interval: 10ms\n", "sources.poll_interval: \"10ms\": must be at least 1s"),
            ("  buckets: [{bucket: b, external_id: x}]\n", "external_id needs role_arn"),
            ("  buckets: [{bucket: b, role: x}]\n", "unknown key `role`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
