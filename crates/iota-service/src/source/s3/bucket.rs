//! A bucket, how it is reached, and its lists.

use super::S3Error;
use super::retry::{Pace, patiently};
use crate::aws::{Access, Fault, fault_of};
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::RequestPayer;
use std::fmt;
use std::str::FromStr;
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
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // Bucket names and the ARNs of access points; anything else would end up in a host name.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(allowed) {
            return Err(LocationError(text.to_owned()));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
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

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketConfig {
    pub location: Location,
    pub reach: Reach,
}

/// One bucket with its connection.
#[derive(Debug)]
pub struct Bucket {
    pub(super) client: Client,
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

/// The largest page that S3 gives.
const PAGE: i32 = 1000;

impl Bucket {
    /// Asks the network for nothing that `Access::connect` does not ask for.
    pub async fn connect(name: &str, reach: &Reach) -> Result<Self, S3Error> {
        let config = reach.access.connect(None).await?;
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(reach.path_style).build();
        let payer = reach.requester_pays.then_some(RequestPayer::Requester);
        Ok(Self { client: Client::from_conf(config), name: name.to_owned(), payer, pace: Pace::default() })
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
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .set_delimiter(delimiter.map(str::to_owned))
            .set_start_after(after.filter(|_| token.is_none()).map(str::to_owned))
            .set_continuation_token(token)
            .set_request_payer(self.payer.clone())
            .max_keys(page);
        let send = || {
            let request = request.clone();
            async move {
                request.send().await.map_err(|error| {
                    let region = error.raw_response().and_then(|answer| answer.headers().get("x-amz-bucket-region"));
                    in_region(fault_of("s3:ListBucket", &error), region)
                })
            }
        };
        patiently(&self.pace, send).await.map_err(|fault| S3Error::Failed { what: self.url(prefix), fault })
    }
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

/// Adds where the bucket is, when that is what is wrong.
pub(super) fn in_region(mut fault: Fault, region: Option<&str>) -> Fault {
    if let (Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"), Some(region)) =
        (fault.code.as_deref(), region)
    {
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
            ("s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/x", "arn:aws:s3:eu-west-1:111122223333:accesspoint", "x"),
        ] {
            assert_eq!(text.parse(), Ok(Location { bucket: bucket.into(), prefix: prefix.into() }), "{text}");
        }
        for text in ["", "b", "s3:/b", "s3://", "s3:///x", "https://b/x", "s3://b@evil/x", "s3://b?x"] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
