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
    /// Of an object that is larger nothing is kept [default: there is no such size]. In bytes.
    pub most: u64,
}

impl Default for Spool<'_> {
    fn default() -> Self {
        Self { directory: None, memory: 4 << 20, most: u64::MAX }
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
    /// In bytes, as the answer says that began it.
    total: Option<u64>,
    /// It may have so many bytes.
    most: u64,
    /// Credentials that had expired were asked for anew. Once is enough: new ones that have expired are no use.
    renewed: bool,
}

impl Partial {
    /// What was read of it is dropped.
    fn forget(&mut self) -> io::Result<()> {
        (self.fetched.size, self.total) = (0, None);
        self.fetched.body.rewind().and_then(|()| self.fetched.body.set_len(0))
    }
}

/// How one request ended.
enum Outcome {
    Complete,
    /// Worth another one.
    Broken(Fault),
    /// To be asked again at once: in the region that the bucket is in, or with new credentials.
    Again,
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
        let fetched = Fetched { body, size: 0, etag, metadata: HashMap::new(), kms_key: None };
        let mut partial = Partial { fetched, total: None, most: spool.most, renewed: false };
        let (mut attempt, mut reached) = (1, 0);
        loop {
            match self.go_on(key, &mut partial).await {
                Outcome::Complete => break,
                Outcome::Again => {}
                Outcome::Over(error) => return Err(error),
                Outcome::Broken(fault) => {
                    // As long as bytes come, the connection is only slow. Those that came before are no progress: an answer
                    // may break at the same one for ever.
                    if partial.fetched.size > reached {
                        (attempt, reached) = (1, partial.fetched.size);
                    }
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
        let (renewals, client) = (self.renewals(), self.client());
        let fetched = &partial.fetched;
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
                        Ok(true) => return Outcome::Again,
                        Ok(false) => {}
                        Err(error) => return Outcome::Over(error),
                    }
                }
                if !partial.renewed {
                    match self.renew(&fault, renewals).await {
                        Ok(true) => {
                            partial.renewed = true;
                            return Outcome::Again;
                        }
                        Ok(false) => {}
                        Err(error) => return Outcome::Over(error),
                    }
                }
                if status.is_none() && self.leave_hint(&client).await {
                    return Outcome::Again;
                }
                let fault = with_key(in_region(fault, region.as_ref()));
                if status == Some(416) && fetched.size > 0 {
                    // All had come, or other bytes than these are there now: from the start, which tells.
                    return partial.forget().map_or_else(|why| Outcome::Over(self.local(key, why)), |()| Outcome::Broken(fault));
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
            if let Err(why) = partial.forget() {
                return Outcome::Over(self.local(key, why));
            }
        }
        let Partial { fetched, total, most, .. } = partial;
        let too_large = || Outcome::Over(S3Error::TooLarge { what: self.url(key), most: *most });
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        if *total.get_or_insert_with(|| fetched.size.saturating_add(length.unwrap_or_default())) > *most {
            return too_large();
        }
        if fetched.etag.is_empty() {
            answer.e_tag().unwrap_or_default().trim_matches('"').clone_into(&mut fetched.etag);
        }
        fetched.metadata = answer.metadata.take().unwrap_or_default();
        fetched.kms_key = answer.ssekms_key_id.take();
        loop {
            match answer.body.next().await {
                // More than was said.
                Some(Ok(bytes)) if fetched.size + bytes.len() as u64 > *most => return too_large(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::emulator::config;
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Answers as S3 does, with status, length and body by whether a range is asked for and how often it was asked.
    #[derive(Debug, Clone)]
    struct Fake {
        answer: fn(bool, u32) -> (u16, u64, Vec<u8>),
        asked: Arc<AtomicU32>,
    }

    impl HttpConnector for Fake {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let before = self.asked.fetch_add(1, Ordering::Relaxed);
            assert!(before < 100, "asks on and on");
            let range = request.headers().get("range").is_some();
            let (status, length, body) = (self.answer)(range, before);
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            response.headers_mut().insert("content-length", length.to_string());
            if status == 206 {
                response.headers_mut().insert("content-range", "bytes");
            }
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    /// What came of it, and how many requests it took.
    async fn fetch(most: u64, answer: fn(bool, u32) -> (u16, u64, Vec<u8>)) -> (Result<u64, S3Error>, u32) {
        let fake = Fake { answer, asked: Arc::default() };
        let connector = SharedHttpConnector::new(fake.clone());
        let http = http_client_fn(move |_, _| connector.clone());
        let config = config("http://s3.test").into_builder().http_client(http).build();
        let bucket = Bucket::ready("b", &config);
        let fetched = bucket.fetch("k", None, Spool { most, ..Spool::default() }).await;
        (fetched.map(|fetched| fetched.size), fake.asked.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_breaks_at_the_same_byte_is_given_up() {
        let (fetched, asked) =
            fetch(u64::MAX, |range, _| if range { (416, 0, Vec::new()) } else { (200, 100, vec![0; 50]) }).await;
        assert!(matches!(fetched, Err(S3Error::Failed { .. })), "{fetched:?}");
        assert!((10..=11).contains(&asked), "{asked}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_comes_in_many_pieces_is_read_to_its_end() {
        let piece = |range, before: u32| (if range { 206 } else { 200 }, 100 - u64::from(before) * 5, vec![0; 5]);
        let (fetched, asked) = fetch(u64::MAX, piece).await;
        assert_eq!((fetched.unwrap(), asked), (100, 20));
    }

    /// What was said of the size of the one before does not count for another.
    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_shorter_now_is_read_from_its_start() {
        let (fetched, asked) = fetch(u64::MAX, |range, before| match (range, before) {
            (false, 0) => (200, 100, vec![0; 50]),
            (true, _) => (416, 0, Vec::new()),
            (false, _) => (200, 20, vec![0; 20]),
        })
        .await;
        assert_eq!((fetched.unwrap(), asked), (20, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_too_large_is_not_kept() {
        let (fetched, asked) = fetch(99, |_, _| (200, 100, vec![0; 100])).await;
        assert!(matches!(fetched, Err(S3Error::TooLarge { most: 99, .. })) && asked == 1, "{fetched:?} {asked}");
        let (fetched, _) = fetch(100, |_, _| (200, 100, vec![0; 100])).await;
        assert_eq!(fetched.unwrap(), 100);
        // Nor one that has more than it said, or said nothing.
        for said in [50, 0] {
            let answer = if said == 0 { |_, _| (200, 0, vec![0; 100]) } else { |_, _| (200, 50, vec![0; 100]) };
            let (fetched, asked) = fetch(99, answer).await;
            assert!(matches!(fetched, Err(S3Error::TooLarge { most: 99, .. })) && asked == 1, "{said}: {fetched:?} {asked}");
        }
    }
}
