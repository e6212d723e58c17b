//! A bucket, how it is reached, and its lists.

use super::S3Error;
use super::retry::{Pace, patiently};
use crate::aws::{Access, Fault, fault_of};
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::RequestPayer;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use iota_engine::region::is_region;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use thiserror::Error;

/// A bucket, and what keys in it begin with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    pub bucket: String,
    pub prefix: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a place in S3 (s3://BUCKET or s3://BUCKET/PREFIX)")]
pub struct LocationError(String);

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| LocationError(text.to_owned()))?;
        let slash = rest.match_indices('/').nth(slashes_in_bucket(rest));
        let (bucket, prefix) = slash.map_or((rest, ""), |(at, _)| (&rest[..at], &rest[at + 1..]));
        // Bucket names and the ARNs of access points; anything else would end up in a host name.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(allowed) {
            return Err(LocationError(text.to_owned()));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Access points are named by ARNs, whose last part is `accesspoint/NAME` or `outpost/ID/accesspoint/NAME`; there may be colons in
/// the place of slashes.
fn slashes_in_bucket(text: &str) -> usize {
    let resource = if text.starts_with("arn:") { text.splitn(6, ':').nth(5) } else { None };
    match resource.and_then(|resource| resource.split_once('/')) {
        Some(("accesspoint", _)) => 1,
        Some(("outpost", _)) => 3,
        _ => 0,
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// How a bucket is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Reach {
    pub access: Access,
    /// `https://HOST/BUCKET/KEY` instead of `https://BUCKET.HOST/KEY`, which most stores that are not AWS ask for.
    pub path_style: bool,
    /// Requests are paid for by the account that makes them.
    pub requester_pays: bool,
}

/// One bucket with its connection.
#[derive(Debug)]
pub struct Bucket {
    client: RwLock<Client>,
    reach: Reach,
    /// How often credentials were asked for anew.
    renewed: AtomicU32,
    /// Held from the look at the client to the new one in its place: none undoes what another has changed.
    changing: tokio::sync::Mutex<()>,
    /// Regions that answers named, at most `FOLLOWED`.
    followed: Mutex<BTreeSet<String>>,
    /// It is asked where somebody said that it is, and no answer has said so.
    hinted: AtomicBool,
    pub name: String,
    pub(super) payer: Option<RequestPayer>,
    pub(super) pace: Pace,
}

/// An object as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// Without its quotes.
    pub etag: String,
    /// In bytes.
    pub size: u64,
}

/// Regions to which a bucket is followed. A bucket is in one; more is somebody who sends us on and on.
const FOLLOWED: usize = 4;
/// The largest page that S3 gives.
const PAGE: i32 = 1000;

impl Bucket {
    /// Asks the network for nothing that `Access::connect` does not ask for.
    pub async fn connect(name: &str, reach: &Reach) -> Result<Self, S3Error> {
        Self::connect_in(name, reach, None).await
    }

    /// `region` is where the bucket is said to be; a region that is configured wins.
    pub async fn connect_in(name: &str, reach: &Reach, region: Option<&str>) -> Result<Self, S3Error> {
        let client = RwLock::new(client(reach, region).await?);
        let payer = reach.requester_pays.then_some(RequestPayer::Requester);
        let hinted = AtomicBool::new(region.is_some() && reach.access.region.is_none() && reach.access.endpoint_url.is_none());
        let (renewed, changing, followed) = (AtomicU32::new(0), tokio::sync::Mutex::default(), Mutex::default());
        let (reach, name, pace) = (reach.clone(), name.to_owned(), Pace::default());
        Ok(Self { client, reach, renewed, changing, followed, hinted, name, payer, pace })
    }

    /// With a configuration that is there already.
    #[cfg(test)]
    pub(crate) fn ready(name: &str, config: &aws_config::SdkConfig) -> Self {
        let (client, name) = (RwLock::new(Client::new(config)), name.to_owned());
        let (reach, followed, hinted) = (Reach::default(), Mutex::default(), AtomicBool::new(false));
        let (renewed, changing) = (AtomicU32::new(0), tokio::sync::Mutex::default());
        Self { client, renewed, changing, reach, followed, hinted, name, payer: None, pace: Pace::default() }
    }

    /// For a look at it: what fails is said soon.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self { pace: Pace::impatient(), ..self }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on in the region that an answer says the bucket is in. False when that is where `asked` was, when it was tried
    /// before, or when the address is one of the configuration's own.
    pub(super) async fn follow(&self, asked: &Client, region: &str) -> Result<bool, S3Error> {
        let in_region = |client: &Client| client.config().region().is_some_and(|here| here.as_ref() == region);
        if in_region(asked) || self.reach.access.endpoint_url.is_some() {
            return Ok(false);
        }
        let _one = self.changing.lock().await;
        if in_region(&self.client()) {
            return Ok(true);
        }
        if !self.is_new(region) {
            return Ok(false);
        }
        tracing::info!("{}: the bucket is in {region}; going on there", self.url(""));
        let access = Access { region: Some(region.to_owned()), ..self.reach.access.clone() };
        let moved = self::client(&Reach { access, ..self.reach.clone() }, None).await?;
        self.hinted.store(false, Ordering::Relaxed);
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = moved;
        Ok(true)
    }

    /// To be asked before a request, and given to `renew` after it.
    pub(super) fn renewals(&self) -> u32 {
        self.renewed.load(Ordering::Acquire)
    }

    /// Goes on with new credentials when an answer says that those of the request have expired: AWS's clock decides, and the
    /// SDK goes by ours. Whoever is told at the same time shares them. False when that was not the reason.
    pub(super) async fn renew(&self, fault: &Fault, before: u32) -> Result<bool, S3Error> {
        if !fault.is_expired() {
            return Ok(false);
        }
        let _one = self.changing.lock().await;
        if self.renewals() == before {
            let here = self.client().config().region().map(ToString::to_string);
            let access = Access { region: here.or_else(|| self.reach.access.region.clone()), ..self.reach.access.clone() };
            let renewed = self::client(&Reach { access, ..self.reach.clone() }, None).await?;
            tracing::info!("{}: the credentials have expired; going on with new ones", self.url(""));
            *self.client.write().unwrap_or_else(PoisonError::into_inner) = renewed;
            self.renewed.store(before.wrapping_add(1), Ordering::Release);
        }
        Ok(true)
    }

    /// After a request that got no answer: goes on without the region that somebody said, which may not exist; an answer then
    /// says where the bucket is. False when that was not the reason, or when no other region is known.
    pub(super) async fn leave_hint(&self, asked: &Client) -> bool {
        let _one = self.changing.lock().await;
        if asked.config().region() != self.client().config().region() {
            return true;
        }
        if !self.hinted.swap(false, Ordering::Relaxed) {
            return false;
        }
        let Ok(client) = client(&self.reach, None).await else { return false };
        tracing::warn!("{}: no answer from {}", self.url(""), asked.config().region().map_or("its region", AsRef::as_ref));
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
        true
    }

    /// The region was not tried before, and may be one.
    fn is_new(&self, region: &str) -> bool {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.len() < FOLLOWED && is_region(region) && followed.insert(region.to_owned())
    }

    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// The folders right below a prefix that ends with a slash, each with that prefix and a slash at its end.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, S3Error> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = self.page(prefix, Some("/"), None, token.take(), PAGE).await?;
            all.extend(page.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The objects below a prefix in order of their keys, from the first one behind `after`. `page` is how many come at
    /// once, at most 1,000.
    pub fn list<'a>(&'a self, prefix: &'a str, after: Option<String>, page: i32) -> Pages<'a> {
        Pages { bucket: self, prefix, after, page: page.clamp(1, PAGE), token: None, done: false }
    }

    async fn page(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        after: Option<&str>,
        token: Option<String>,
        page: i32,
    ) -> Result<ListObjectsV2Output, S3Error> {
        let mut renewed = false;
        loop {
            let (renewals, client) = (self.renewals(), self.client());
            let request = client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(prefix)
                .set_delimiter(delimiter.map(str::to_owned))
                .set_start_after(after.filter(|_| token.is_none()).map(str::to_owned))
                .set_continuation_token(token.clone())
                .set_request_payer(self.payer.clone())
                .max_keys(page);
            let elsewhere = OnceLock::new();
            let send = || {
                let (request, elsewhere) = (request.clone(), &elsewhere);
                async move {
                    request.send().await.map_err(|error| {
                        let fault = fault_of("s3:ListBucket", &error);
                        if let Some(region) = region_of(&fault, error.raw_response()) {
                            let _ = elsewhere.set(region);
                        }
                        fault
                    })
                }
            };
            let fault = match patiently(&self.pace, send).await {
                Ok(page) => return Ok(page),
                Err(fault) => fault,
            };
            if !renewed && self.renew(&fault, renewals).await? {
                renewed = true;
                continue;
            }
            match elsewhere.get() {
                Some(region) if self.follow(&client, region).await? => {}
                region => return Err(S3Error::Failed { what: self.url(prefix), fault: in_region(fault, region) }),
            }
        }
    }
}

async fn client(reach: &Reach, region: Option<&str>) -> Result<Client, S3Error> {
    let config = reach.access.connect(region).await?;
    Ok(Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(reach.path_style).build()))
}

/// A list that is being read.
#[derive(Debug)]
pub struct Pages<'a> {
    bucket: &'a Bucket,
    prefix: &'a str,
    after: Option<String>,
    page: i32,
    token: Option<String>,
    done: bool,
}

impl Pages<'_> {
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>, S3Error> {
        if self.done {
            return Ok(None);
        }
        let answer = self.bucket.page(self.prefix, None, self.after.as_deref(), self.token.take(), self.page).await?;
        self.token = answer.next_continuation_token().map(str::to_owned);
        self.done = self.token.is_none();
        let objects = answer.contents.unwrap_or_default().into_iter().filter_map(|object| {
            Some(Listed {
                key: object.key?,
                etag: object.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
                size: object.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
            })
        });
        Ok(Some(objects.collect()))
    }
}

/// Where the bucket is, when an answer says that it is not where it was looked for.
pub(super) fn region_of(fault: &Fault, answer: Option<&HttpResponse>) -> Option<String> {
    let moved = matches!(
        fault.code.as_deref(),
        Some("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
    );
    let region = answer?.headers().get("x-amz-bucket-region")?;
    moved.then(|| region.to_owned())
}

/// Adds where the bucket is, when that is what is wrong.
pub(super) fn in_region(mut fault: Fault, region: Option<&String>) -> Fault {
    if let Some(region) = region {
        fault.why = format!("{}; the bucket is in {region}: set its region", fault.why);
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_urls() {
        for (text, bucket, prefix) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://b/a/b c+%", "b", "a/b c+%"),
            ("s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/logs", "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs", ""),
            (
                "s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/logs/p/q",
                "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs",
                "p/q",
            ),
            ("s3://arn:aws:s3::111122223333:accesspoint:m.mrap/p/q", "arn:aws:s3::111122223333:accesspoint:m.mrap", "p/q"),
            (
                "s3://arn:aws:s3-outposts:eu-west-1:1:outpost/op-1/accesspoint/logs/p/q",
                "arn:aws:s3-outposts:eu-west-1:1:outpost/op-1/accesspoint/logs",
                "p/q",
            ),
        ] {
            let place: Location = text.parse().unwrap();
            assert_eq!(place, Location { bucket: bucket.into(), prefix: prefix.into() }, "{text}");
            assert_eq!(place.to_string().parse(), Ok(place), "{text}");
        }
        for text in ["", "b", "s3:/b", "s3://", "s3:///x", "https://b/x", "s3://b@evil/x", "s3://b?x"] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
