//! Where digest and log files are read from: buckets, or a copy of a bucket in a directory, as `aws s3 sync` makes it.
//!
//! A copy has no metadata, and a digest file's signature is metadata. So beside `KEY` there has to be `KEY.metadata.json`
//! with what `aws s3api head-object --bucket BUCKET --key KEY` prints.

use crate::aws::Verdict;
use crate::source::s3::{Branch, Bucket, Fetched, Range, S3Error, Source, Spool, TrailConfig, Wanted};
use iota_engine::object::{Object, Root};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;
use walkdir::WalkDir;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error(transparent)]
    S3(#[from] S3Error),
    /// It is in another bucket or below another prefix than was asked for, and that place may not be read.
    #[error("{0}")]
    Elsewhere(S3Error),
    #[error("{path}: {why}")]
    Local { path: PathBuf, why: io::Error },
}

#[derive(Debug)]
pub enum LogStore {
    /// Other buckets that digest files name are reached in the same way.
    S3 {
        source: Source,
        trail: Box<TrailConfig>,
        others: Mutex<HashMap<String, Arc<Bucket>>>,
    },
    Directory {
        path: PathBuf,
        root: Root,
    },
}

/// As head-object prints it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Head {
    metadata: HashMap<String, String>,
}

/// Limit of what one file may inflate to, in bytes: as for records.
const MAX_INFLATED: u64 = 16 << 30;
/// A digest file lists some hundred bytes for each log file of an hour; more than this is none.
const MAX_DIGEST: u64 = 256 << 20;

impl LogStore {
    pub async fn s3(trail: &TrailConfig) -> Result<Self, S3Error> {
        Ok(Self::S3 { source: Source::connect(trail).await?, trail: Box::new(trail.clone()), others: Mutex::default() })
    }

    pub fn directory(path: &Path) -> Self {
        Self::Directory { path: path.to_owned(), root: Root::of_prefix("") }
    }

    /// The bucket's name, where it is known.
    pub(super) fn bucket(&self) -> Option<&str> {
        match self {
            Self::S3 { source, .. } => Some(&source.bucket.name),
            Self::Directory { .. } => None,
        }
    }

    pub(super) fn url(&self, bucket: &str, key: &str) -> String {
        match self {
            Self::S3 { .. } => format!("s3://{bucket}/{key}"),
            Self::Directory { path, .. } => path.join(key).display().to_string(),
        }
    }

    /// Keys of the files that were delivered in a range, by account and region.
    pub(super) async fn files(
        &self,
        wanted: &Wanted,
        range: Range,
    ) -> Result<BTreeMap<(String, String), Vec<String>>, StoreError> {
        let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
        match self {
            Self::S3 { source, .. } => {
                for branch in source.branches(wanted).await? {
                    let mut files = source.files(&branch, range, 1000);
                    while let Some(page) = files.next().await? {
                        let Branch { account, region, .. } = branch.clone();
                        found.entry((account, region)).or_default().extend(page.into_iter().map(|object| object.key));
                    }
                }
            }
            Self::Directory { path, root } => {
                for entry in WalkDir::new(path).sort_by_file_name() {
                    let entry = entry.map_err(|error| StoreError::Local {
                        path: error.path().unwrap_or(path).to_owned(),
                        why: error.into_io_error().unwrap_or_else(|| io::Error::other("a link back to where it is")),
                    })?;
                    let key = entry.path().strip_prefix(path).ok().and_then(Path::to_str).unwrap_or_default();
                    let Object::Log(log) = Object::of(key) else { continue };
                    let fits = |wanted: &[String], name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
                    let kind = wanted.kinds.is_empty() || wanted.kinds.contains(&log.kind);
                    let named =
                        fits(&wanted.accounts, log.account) && fits(&wanted.regions, log.region) && root.admits(&root.logs);
                    let file = entry.file_type().is_file() && !key.ends_with(".metadata.json");
                    if file && kind && named && range.admits(log.day, log.delivered_ms) {
                        found.entry((log.account.to_owned(), log.region.to_owned())).or_default().push(key.to_owned());
                    }
                }
            }
        }
        Ok(found)
    }

    /// A digest file's uncompressed content and metadata. `None` where there is no such file.
    pub(super) async fn digest(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<(io::Result<Vec<u8>>, HashMap<String, String>)>, StoreError> {
        let content = |body: &mut dyn Read| {
            let mut content = Vec::new();
            inflated(body, MAX_DIGEST, |bytes| content.extend_from_slice(bytes)).map(|()| content)
        };
        Ok(match self.open(bucket, key).await? {
            None => None,
            Some(Opened::S3(mut fetched)) => Some((content(&mut fetched.body), fetched.metadata)),
            Some(Opened::File(mut file)) => {
                let Self::Directory { path, .. } = self else { return Ok(None) };
                let sidecar = path.join(format!("{key}.metadata.json"));
                let head = match fs::read(&sidecar) {
                    Ok(bytes) => {
                        serde_json::from_slice(&bytes).map_err(|why| StoreError::Local { path: sidecar, why: why.into() })?
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Head::default(),
                    Err(why) => return Err(StoreError::Local { path: sidecar, why }),
                };
                Some((content(&mut file), head.metadata))
            }
        })
    }

    /// SHA-256 of a log file's uncompressed content. `None` where there is no such file; the inner error is about its content.
    pub(super) async fn hash(&self, bucket: &str, key: &str) -> Result<Option<io::Result<[u8; 32]>>, StoreError> {
        let Some(opened) = self.open(bucket, key).await? else { return Ok(None) };
        let hashing = tokio::task::spawn_blocking(move || {
            let mut hash = Sha256::new();
            let done = match opened {
                Opened::S3(mut fetched) => inflated(&mut fetched.body, MAX_INFLATED, |bytes| hash.update(bytes)),
                Opened::File(mut file) => inflated(&mut file, MAX_INFLATED, |bytes| hash.update(bytes)),
            };
            done.map(|()| hash.finalize().into())
        });
        Ok(Some(hashing.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))))
    }

    async fn open(&self, bucket: &str, key: &str) -> Result<Option<Opened>, StoreError> {
        match self {
            Self::S3 { .. } => match self.bucket_named(bucket).await?.fetch(key, None, Spool::default()).await {
                Ok(fetched) => Ok(Some(Opened::S3(fetched))),
                Err(S3Error::Missing(_)) => Ok(None),
                Err(error) if self.is_elsewhere(bucket, key) && is_refused(&error) => Err(StoreError::Elsewhere(error)),
                Err(error) => Err(error.into()),
            },
            Self::Directory { path, .. } => {
                // A digest file may name anything; only what is below the directory is opened.
                if !Path::new(key).components().all(|part| matches!(part, Component::Normal(_))) {
                    return Ok(None);
                }
                match File::open(path.join(key)) {
                    Ok(file) => Ok(Some(Opened::File(file))),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(why) => Err(StoreError::Local { path: path.join(key), why }),
                }
            }
        }
    }

    fn is_elsewhere(&self, bucket: &str, key: &str) -> bool {
        match self {
            Self::S3 { source, .. } => bucket != source.bucket.name || !key.starts_with(&source.root.logs),
            Self::Directory { .. } => false,
        }
    }

    async fn bucket_named(&self, name: &str) -> Result<Arc<Bucket>, S3Error> {
        let Self::S3 { source, trail, others } = self else { unreachable!("only asked for S3") };
        if name == source.bucket.name {
            return Ok(Arc::clone(&source.bucket));
        }
        let mut others = others.lock().await;
        if let Some(bucket) = others.get(name) {
            return Ok(Arc::clone(bucket));
        }
        let bucket = Arc::new(Bucket::connect(name, &trail.reach()).await?);
        others.insert(name.to_owned(), Arc::clone(&bucket));
        Ok(bucket)
    }
}

/// S3 has answered that it does not give this object, and will say the same when it is asked again.
fn is_refused(error: &S3Error) -> bool {
    match error {
        S3Error::Failed { fault, .. } => fault.verdict != Verdict::Retry && fault.code.is_some() && !fault.is_expired(),
        S3Error::Archived(_) => true,
        _ => false,
    }
}

enum Opened {
    S3(Fetched),
    File(File),
}

/// Gives the uncompressed content of gzip data, all members, to `take`.
#[expect(clippy::disallowed_types, reason = "capped by what is counted here")]
fn inflated(body: &mut dyn Read, most: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut reader = flate2::read::MultiGzDecoder::new(BufReader::new(body)).take(most + 1);
    let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            count => {
                total += count as u64;
                if total > most {
                    return Err(io::Error::other(format!("inflates to more than {most} bytes")));
                }
                take(&buffer[..count]);
            }
        }
    }
}
