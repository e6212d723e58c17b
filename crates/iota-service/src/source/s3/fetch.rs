//! The bytes of one object, whole: an interrupted body is gone on with where it broke off, of the same version.

use super::bucket::{in_region, region_of};
use super::retry::pause;
use super::{Bucket, S3Error};
use crate::aws::{Fault, Verdict, fault_of};
use crate::source::{Data, Input};
use std::collections::HashMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use tempfile::{SpooledData, SpooledTempFile};

/// Where the bytes of an object are kept while it is read.
#[derive(Debug, Clone, Copy)]
pub struct Spool<'a> {
    /// Of temporary files [default: the system's].
    pub directory: Option<&'a Path>,
    /// More than this many bytes are in a temporary file instead of in memory.
    pub memory: usize,
}

impl Default for Spool<'_> {
    fn default() -> Self {
        Self { directory: None, memory: 4 << 20 }
    }
}

impl<'a> Spool<'a> {
    pub fn below(directory: Option<&'a Path>) -> Self {
        Self { directory, ..Self::default() }
    }
}

/// An object that was read to its end.
#[derive(Debug)]
pub struct Fetched {
    /// At its start.
    pub body: SpooledTempFile,
    /// In bytes.
    pub size: u64,
    /// Without its quotes.
    pub etag: String,
    /// `x-amz-meta-*`, without that prefix.
    pub metadata: HashMap<String, String>,
    /// ARN of the key of KMS that it was encrypted with, if it was.
    pub kms_key: Option<String>,
}

/// What has been read of it.
struct Partial {
    fetched: Fetched,
    total: Option<u64>,
}

/// How one request ended.
enum Outcome {
    Complete,
    /// Worth another one.
    Broken(Fault),
    /// To be asked again, in the region that the bucket is in.
    Elsewhere,
    Over(S3Error),
}

impl Bucket {
    /// With `etag`, of this version only.
    pub async fn fetch(&self, key: &str, etag: Option<&str>, spool: Spool<'_>) -> Result<Fetched, S3Error> {
        let body = match spool.directory {
            Some(directory) => tempfile::spooled_tempfile_in(spool.memory, directory),
            None => tempfile::spooled_tempfile(spool.memory),
        };
        let etag = etag.unwrap_or_default().to_owned();
        let mut partial =
            Partial { fetched: Fetched { body, size: 0, etag, metadata: HashMap::new(), kms_key: None }, total: None };
        let mut attempt = 1;
        loop {
            let before = partial.fetched.size;
            match self.go_on(key, &mut partial).await {
                Outcome::Complete => break,
                Outcome::Elsewhere => {}
                Outcome::Over(error) => return Err(error),
                Outcome::Broken(fault) => {
                    // As long as bytes come, the connection is only slow.
                    attempt = if partial.fetched.size > before { 1 } else { attempt };
                    if self.pace.is_last(attempt) {
                        return Err(S3Error::Failed { what: self.url(key), fault });
                    }
                    pause(&self.pace, &fault, attempt).await;
                    attempt += 1;
                }
            }
        }
        partial.fetched.body.rewind().map_err(|why| self.local(key, why))?;
        Ok(partial.fetched)
    }

    async fn go_on(&self, key: &str, partial: &mut Partial) -> Outcome {
        let Partial { fetched, total } = partial;
        let client = self.client();
        let mut request = client.get_object().bucket(&self.name).key(key).set_request_payer(self.payer.clone());
        if !fetched.etag.is_empty() {
            request = request.if_match(format!("\"{}\"", fetched.etag));
        }
        if fetched.size > 0 {
            request = request.range(format!("bytes={}-", fetched.size));
        }
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let status = error.raw_response().map(|answer| answer.status().as_u16());
                let fault = fault_of("s3:GetObject", &error);
                let region = region_of(&fault, error.raw_response());
                if let Some(region) = &region {
                    match self.follow(&client, region).await {
                        Ok(true) => return Outcome::Elsewhere,
                        Ok(false) => {}
                        Err(error) => return Outcome::Over(error),
                    }
                }
                let fault = with_key(in_region(fault, region.as_ref()));
                if status == Some(416) && fetched.size > 0 {
                    // All had come, or other bytes than these are there now: from the start, which tells.
                    return fetched.forget().map_or_else(|why| Outcome::Over(self.local(key, why)), |()| Outcome::Broken(fault));
                }
                return match (status, fault.code.as_deref()) {
                    (_, Some("InvalidObjectState")) => Outcome::Over(S3Error::Archived(self.url(key))),
                    (Some(412), _) => Outcome::Over(S3Error::Changed(self.url(key))),
                    (Some(404), code) if code != Some("NoSuchBucket") => Outcome::Over(S3Error::Missing(self.url(key))),
                    _ if fault.verdict == Verdict::Retry => Outcome::Broken(fault),
                    _ => Outcome::Over(S3Error::Failed { what: self.url(key), fault }),
                };
            }
        };
        if fetched.size > 0 && answer.content_range().is_none() {
            // The whole object again.
            if let Err(why) = fetched.forget() {
                return Outcome::Over(self.local(key, why));
            }
        }
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        total.get_or_insert_with(|| fetched.size + length.unwrap_or_default());
        if fetched.etag.is_empty() {
            answer.e_tag().unwrap_or_default().trim_matches('"').clone_into(&mut fetched.etag);
        }
        fetched.metadata = answer.metadata.take().unwrap_or_default();
        fetched.kms_key = answer.ssekms_key_id.take();
        loop {
            match answer.body.next().await {
                Some(Ok(bytes)) => {
                    if let Err(why) = fetched.body.write_all(&bytes) {
                        return Outcome::Over(self.local(key, why));
                    }
                    fetched.size += bytes.len() as u64;
                }
                Some(Err(error)) => return Outcome::Broken(interrupted(&error.to_string())),
                None => break,
            }
        }
        match *total {
            Some(total) if fetched.size < total => {
                Outcome::Broken(interrupted(&format!("{} of {total} bytes came", fetched.size)))
            }
            _ => Outcome::Complete,
        }
    }

    fn local(&self, key: &str, why: io::Error) -> S3Error {
        S3Error::Local { what: self.url(key), why }
    }
}

impl Fetched {
    /// The object as an input of the pipeline: in memory when it is small, else in its temporary file.
    pub fn into_input(self, url: &str) -> Input {
        let version = Some(self.etag).filter(|etag| !etag.is_empty());
        match self.body.into_inner() {
            SpooledData::InMemory(bytes) => Input::bytes(url, version, bytes.into_inner()),
            SpooledData::OnDisk(file) => {
                let data = Data::Range { file: Arc::new(file), start: 0 };
                let (path, version) = (Path::new(url).into(), version.map(Into::into));
                Input { path, size: self.size, version, data, checkpoint: None, whole_only: false, terms: None }
            }
        }
    }

    /// What was read of it is dropped.
    fn forget(&mut self) -> io::Result<()> {
        self.size = 0;
        self.body.rewind().and_then(|()| self.body.set_len(0))
    }

    /// Back to its start.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.body.seek(SeekFrom::Start(0)).map(|_| ())
    }
}

/// Adds what is needed, when it is the key of KMS that does not work.
fn with_key(mut fault: Fault) -> Fault {
    if fault.code.as_deref().is_some_and(|code| code.starts_with("KMS.")) && fault.verdict != Verdict::Retry {
        fault.why = format!("{}; it takes kms:Decrypt on the key that the object is encrypted with, enabled", fault.why);
    }
    fault
}

fn interrupted(why: &str) -> Fault {
    Fault { verdict: Verdict::Retry, after: None, code: None, why: format!("s3:GetObject: interrupted: {why}") }
}
