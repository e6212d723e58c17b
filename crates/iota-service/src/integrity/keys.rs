//! The public keys that digest files are verified with: from `cloudtrail:ListPublicKeys` of their region, or from files.

use crate::aws::{Access, AccessError, Account, Call, Fault, fault_of, remedies};
use crate::source::s3::{Pace, patiently};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use aws_sdk_cloudtrail::primitives::DateTime;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum KeyError {
    #[error("{path}: {why}")]
    File { path: PathBuf, why: String },
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("public keys of {region}: {}{missing}; where the region is closed to you, give them with --public-keys", fault.why)]
    Api {
        region: String,
        fault: Fault,
        /// What would let the call pass, each behind a semicolon.
        missing: String,
    },
}

/// By fingerprint: PKCS #1 in DER.
#[derive(Debug, Default)]
pub struct PublicKeys {
    keys: HashMap<String, Vec<u8>>,
    /// Where further keys come from; `None` when those of files are all.
    api: Option<Access>,
    asked: HashSet<String>,
}

/// As `aws cloudtrail list-public-keys` prints it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyFile {
    public_key_list: Vec<FileKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FileKey {
    value: String,
    fingerprint: String,
}

impl PublicKeys {
    pub fn of_api(access: Access) -> Self {
        Self { api: Some(access), ..Self::default() }
    }

    /// What `aws cloudtrail list-public-keys --region REGION` printed, one file for each region.
    pub fn of_files(paths: &[PathBuf]) -> Result<Self, KeyError> {
        let mut all = Self::default();
        for path in paths {
            all.add_file(path)?;
        }
        Ok(all)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), KeyError> {
        let fail = |why: String| KeyError::File { path: path.to_owned(), why };
        let bytes = fs::read(path).map_err(|why| fail(why.to_string()))?;
        let file: KeyFile = serde_json::from_slice(&bytes)
            .map_err(|why| fail(format!("not what `aws cloudtrail list-public-keys` prints: {why}")))?;
        for FileKey { value, fingerprint } in file.public_key_list {
            let key = BASE64_STANDARD.decode(&value).map_err(|why| fail(format!("key {fingerprint}: {why}")))?;
            self.keys.insert(fingerprint, key);
        }
        Ok(())
    }

    /// Asks for the keys of a region that were in use in that time, once. The span is in milliseconds since 1970.
    pub async fn load(&mut self, region: &str, from_ms: i64, to_ms: i64) -> Result<(), KeyError> {
        let Some(access) = &self.api else { return Ok(()) };
        if !self.asked.insert(region.to_owned()) {
            return Ok(());
        }
        let config = Access { region: Some(region.to_owned()), ..access.clone() }.connect(None).await?;
        let client = aws_sdk_cloudtrail::Client::new(&config);
        let (from, to) = (DateTime::from_millis(from_ms), DateTime::from_millis(to_ms));
        let (call, pace) = (Call { action: "cloudtrail:ListPublicKeys", resource: "*" }, Pace::default());
        let mut token: Option<String> = None;
        loop {
            let request = client.list_public_keys().start_time(from).end_time(to).set_next_token(token.take());
            let ask = || async { request.clone().send().await.map_err(|error| fault_of(call.action, &error)) };
            let answer = patiently(&pace, ask).await.map_err(|fault| {
                let missing = remedies(&fault, call, &Account::unknown(Some(region)));
                let missing = missing.iter().map(|remedy| format!("; {remedy}")).collect::<Vec<_>>().concat();
                KeyError::Api { region: region.to_owned(), fault, missing }
            })?;
            for key in answer.public_key_list.unwrap_or_default() {
                if let (Some(fingerprint), Some(value)) = (key.fingerprint, key.value) {
                    self.keys.insert(fingerprint, value.into_inner());
                }
            }
            token = answer.next_token;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// `None` where the key is not known.
    pub fn verify(&self, fingerprint: &str, text: &str, signature: &[u8]) -> Option<bool> {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.keys.get(fingerprint)?);
        Some(key.verify(text.as_bytes(), signature).is_ok())
    }
}

/// Bytes of hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_whole_or_not() {
        assert_eq!(unhex("00fFa1"), Some(vec![0, 255, 161]));
        for text in ["0", "0g", "é0"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_no_list_of_keys_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        for text in ["{}", "[]", r#"{"PublicKeyList":[{"Value":"!","Fingerprint":"f"}]}"#] {
            fs::write(&path, text).unwrap();
            assert!(PublicKeys::of_files(std::slice::from_ref(&path)).unwrap_err().to_string().contains("keys.json: "), "{text}");
        }
    }
}
