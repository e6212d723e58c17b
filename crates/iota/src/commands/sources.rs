//! Which sources `watch` has, and `doctor` looks at: of each kind what the flags name, else what the configuration file does.

use crate::args::WatchArgs;
use anyhow::{Context, bail};
use iota_service::config::{Settings, poll_interval};
use iota_service::source::feed::{FeedConfig, PollConfig, QueueConfig};
use iota_service::source::s3::{Buckets, Location, TrailConfig};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(super) struct Sources {
    pub(super) directories: Vec<PathBuf>,
    pub(super) queues: Vec<QueueConfig>,
    pub(super) polls: Vec<PollConfig>,
    /// Named pipes; `-` is standard input.
    pub(super) streams: Vec<PathBuf>,
    /// Whose objects are read when a message names them; with none, those of every bucket.
    pub(super) named: Vec<TrailConfig>,
    buckets: Buckets,
}

impl Sources {
    pub(super) fn of(args: &WatchArgs, settings: &Settings) -> anyhow::Result<Self> {
        let configured = &settings.sources;
        let directories = if args.events_dir.is_empty() { &configured.events_dirs } else { &args.events_dir };
        let queue = |url: &String| configured.queue(url).map_err(|why| anyhow::anyhow!("--queue-url {why}"));
        let queues = match &args.queue_url[..] {
            [] => configured.queues.clone(),
            urls => urls.iter().map(queue).collect::<anyhow::Result<_>>()?,
        };
        let places: Vec<Location> = match &args.s3[..] {
            [] => configured.s3.clone(),
            urls => urls.iter().map(|url| url.parse()).collect::<Result<_, _>>().context("--s3")?,
        };
        let wanted: BTreeSet<String> = match &args.bucket[..] {
            [] => configured.buckets.iter().map(|trail| trail.bucket.clone()).collect(),
            names => names.iter().cloned().collect(),
        };
        let trail = |name: &String| {
            let configured = configured.buckets.iter().find(|trail| trail.bucket == *name).cloned();
            configured.unwrap_or_else(|| TrailConfig { bucket: name.clone(), ..TrailConfig::default() })
        };
        let named = wanted.iter().map(trail).collect();
        let allowed = (!wanted.is_empty()).then(|| wanted.into_iter().chain(places.iter().map(|place| place.bucket.clone())));
        let buckets = Buckets::new(configured.buckets.clone(), allowed.map(Iterator::collect));
        let interval = match &args.poll_interval {
            Some(text) => poll_interval(text).map_err(|why| anyhow::anyhow!("--poll-interval {why}"))?,
            None => configured.poll_interval,
        };
        let polls: Vec<_> =
            places.iter().map(|at| PollConfig { trail: buckets.trail(&at.bucket, &at.prefix), interval }).collect();
        let buckets = buckets.and_below(polls.iter().map(|poll| poll.trail.clone()));
        let streams: Vec<PathBuf> = args.pipes.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        if streams.len() < args.pipes.len() {
            // Two readers would tear its records apart.
            bail!("a pipe is named twice");
        }
        Ok(Self { directories: directories.clone(), queues, polls, streams, named, buckets })
    }

    /// There is nothing beside directories.
    fn is_directories_only(&self) -> bool {
        self.queues.is_empty() && self.polls.is_empty() && self.streams.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_directories_only() && self.directories.is_empty()
    }

    /// Messages decide alone which buckets are read.
    pub(super) fn reads_every_bucket(&self) -> bool {
        !self.queues.is_empty() && self.buckets.are_all_allowed()
    }

    /// All but the directories.
    pub(super) fn feed(self) -> Option<FeedConfig> {
        let none = self.is_directories_only();
        let Self { queues, polls, streams, buckets, .. } = self;
        (!none).then_some(FeedConfig { queues, polls, streams, buckets, scratch: None })
    }
}
