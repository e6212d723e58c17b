//! What there is in the buckets, in a fixed order, listed ahead of those who download. Keys are never remembered as "the
//! last one": every round lists whole days again, and what is known is left out by key and etag.

use super::{Branch, Bucket, Discovered, Listed, Pages, S3Error, TrailConfig, Wanted, discover};
use iota_engine::object::{Day, Kind, Object, Root};
use std::sync::Arc;
use tokio::sync::mpsc;

/// By the time of delivery, in milliseconds since 1970; the end is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
}

impl Range {
    /// A file without a time in its name is taken if its day is touched.
    pub fn admits(&self, day: Day, delivered_ms: Option<i64>) -> bool {
        let (first, last) = delivered_ms.map_or((day.start_ms(), day.after().start_ms() - 1), |ms| (ms, ms));
        self.from_ms.is_none_or(|from| last >= from) && self.to_ms.is_none_or(|to| first < to)
    }
}

/// A trail with its connection.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub bucket: Arc<Bucket>,
    pub root: Root,
}

impl Source {
    pub async fn connect(trail: &TrailConfig) -> Result<Self, S3Error> {
        let bucket = Arc::new(Bucket::connect(&trail.bucket, &trail.reach()).await?);
        Ok(Self { name: trail.shown(), bucket, root: Root::of_prefix(&trail.prefix) })
    }

    /// What the bucket has logs of: all of it.
    pub async fn branches(&self, wanted: &Wanted) -> Result<Vec<Branch>, S3Error> {
        self.discover(wanted).await.whole()
    }

    /// What the bucket has logs of, as far as it can be listed. Nothing at all is most often a wrong prefix, so it is said.
    pub async fn discover(&self, wanted: &Wanted) -> Discovered {
        let mut found = discover(&self.bucket, &self.root, wanted).await;
        if found.branches.is_empty() && found.failed.is_empty() {
            match self.bucket.folders("").await {
                Ok(top) => {
                    let top: Vec<_> = top.into_iter().take(10).collect();
                    let there = if top.is_empty() { "nothing".to_owned() } else { top.join(" ") };
                    tracing::warn!(
                        "{}: no logs that fit below {}; at the top of the bucket there is {there}",
                        self.name,
                        self.bucket.url(&self.root.within)
                    );
                }
                Err(error) => found.failed.push(error),
            }
        }
        found
    }

    /// The files of a branch that were delivered in a range.
    pub fn files<'a>(&'a self, branch: &'a Branch, range: Range, page: i32) -> Files<'a> {
        // Days are in order of their names, and `0` stands behind every `/`: this is behind the day before.
        let after = range.from_ms.map(|from| format!("{}{}0", branch.prefix, Day::of_ms(from).before()));
        let last = range.to_ms.map(|to| format!("{}{}0", branch.prefix, Day::of_ms(to)));
        let prefix = if self.root.within.starts_with(&branch.prefix) { &self.root.within } else { &branch.prefix };
        Files { pages: self.bucket.list(prefix, after, page), bucket: &self.bucket, kind: branch.kind, range, last, done: false }
    }
}

/// Files of a branch that are being listed.
#[derive(Debug)]
pub struct Files<'a> {
    pages: Pages<'a>,
    bucket: &'a Bucket,
    kind: Kind,
    range: Range,
    /// Nothing behind this key is wanted.
    last: Option<String>,
    done: bool,
}

impl Files<'_> {
    /// A page of them, which may be empty.
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>, S3Error> {
        if self.done {
            return Ok(None);
        }
        let Some(mut page) = self.pages.next().await? else { return Ok(None) };
        self.done = self.last.as_ref().is_some_and(|last| page.last().is_some_and(|object| object.key > *last));
        page.retain(|object| match Object::of(&object.key) {
            Object::Log(log) => log.kind == self.kind && self.range.admits(log.day, log.delivered_ms),
            Object::Other(_) | Object::Folder | Object::Unknown => {
                if object.size > 0 {
                    let url = self.bucket.url(&object.key);
                    tracing::warn!("{url}: is in CloudTrail's folder and is not one of its files; left out");
                }
                false
            }
        });
        Ok(Some(page))
    }
}

/// Branches whose pages are asked for ahead.
const AHEAD: usize = 8;
/// Pages per branch that wait.
const PAGES: usize = 2;

/// A page of a branch, or why there are no more of it.
pub(crate) type Page = Result<Vec<Listed>, S3Error>;

/// Lists branches side by side, each with its range; gives, in order, each branch with the way its pages come.
pub(crate) fn list_ahead(
    source: &Source,
    branches: impl Iterator<Item = (Branch, Range)> + Send + 'static,
    page: i32,
) -> mpsc::Receiver<(Branch, mpsc::Receiver<Page>)> {
    let (branch_sender, branch_receiver) = mpsc::channel(AHEAD);
    let source = source.clone();
    tokio::spawn(async move {
        for (branch, range) in branches {
            let (sender, receiver) = mpsc::channel(PAGES);
            // Nobody wants more.
            if branch_sender.send((branch.clone(), receiver)).await.is_err() {
                return;
            }
            let source = source.clone();
            tokio::spawn(async move {
                let mut files = source.files(&branch, range, page);
                while let Some(page) = files.next().await.transpose() {
                    let failed = page.is_err();
                    if sender.send(page).await.is_err() || failed {
                        return;
                    }
                }
            });
        }
    });
    branch_receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use iota_engine::event::parse_ms;

    #[test]
    fn the_time_of_delivery_decides() {
        let range = Range { from_ms: parse_ms("2024-07-15T10:00:00Z"), to_ms: parse_ms("2024-07-15T11:00:00Z") };
        let day = Day::of_parts("2024", "07", "15").unwrap();
        for (time, expected) in [("09:59:59", false), ("10:00:00", true), ("10:59:59", true), ("11:00:00", false)] {
            assert_eq!(range.admits(day, parse_ms(&format!("2024-07-15T{time}Z"))), expected, "{time}");
        }
        assert!(range.admits(day, None) && !range.admits(day.after(), None) && !range.admits(day.before(), None));
        assert!(Range::default().admits(day, None));
    }
}
