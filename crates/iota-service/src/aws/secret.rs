//! Secrets that are kept in AWS Secrets Manager: `secretsmanager:ARN` or `secretsmanager:ARN#KEY`.
//! Knows nothing of who needs them.

use super::access::{Access, AccessError, region_of_arn};
use super::fault::{Fault, fault_of};
use async_trait::async_trait;
use std::fmt::Debug;
use std::str::FromStr;
use thiserror::Error;

/// How configuration names a secret.
const SCHEME: &str = "secretsmanager:";

/// Names a secret, and a member of it where the secret is a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// ARN, complete or without the six characters at its end; or a name.
    pub id: String,
    pub key: Option<String>,
}

/// Why there is no secret. Never contains any of it.
#[derive(Debug, Error)]
pub enum SecretError {
    #[error("{0:?} is not a secret's reference (secretsmanager:ARN or secretsmanager:ARN#KEY)")]
    NotAReference(String),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("{}", .0.why)]
    Failed(Fault),
    #[error("the secret {id} {why}")]
    Unusable { id: String, why: String },
}

/// Where secrets come from.
#[async_trait]
pub trait Secrets: Send + Sync + Debug {
    /// The secret's text, as it is now.
    async fn get(&self, reference: &Reference) -> Result<String, SecretError>;
}

impl FromStr for Reference {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let fail = || SecretError::NotAReference(text.to_owned());
        let rest = text.strip_prefix(SCHEME).ok_or_else(fail)?;
        let (id, key) = rest.split_once('#').map_or((rest, None), |(id, key)| (id, Some(key)));
        if id.is_empty() || key == Some("") || text.chars().any(char::is_whitespace) {
            return Err(fail());
        }
        Ok(Self { id: id.to_owned(), key: key.map(str::to_owned) })
    }
}

/// The real ones. Needs `secretsmanager:GetSecretValue`, and `kms:Decrypt` for a key of one's own.
#[derive(Debug, Clone, Default)]
pub struct SecretsManager {
    pub access: Access,
}

#[async_trait]
impl Secrets for SecretsManager {
    async fn get(&self, reference: &Reference) -> Result<String, SecretError> {
        let config = self.access.connect(region_of_arn(&reference.id)).await?;
        let answer = aws_sdk_secretsmanager::Client::new(&config).get_secret_value().secret_id(&reference.id).send().await;
        let answer = answer.map_err(|error| SecretError::Failed(fault_of("secretsmanager:GetSecretValue", &error)))?;
        read(reference, answer.secret_string())
    }
}

fn read(reference: &Reference, text: Option<&str>) -> Result<String, SecretError> {
    let fail = |why: String| SecretError::Unusable { id: reference.id.clone(), why };
    let text = text.ok_or_else(|| fail("is binary; a text is needed".to_owned()))?;
    let Some(key) = &reference.key else { return Ok(text.to_owned()) };
    // What serde says of bad JSON may quote the secret.
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| fail("is no JSON object, so it has no keys".to_owned()))?;
    let value = members.get(key).ok_or_else(|| fail(format!("has no key {key:?}")))?;
    value.as_str().map(str::to_owned).ok_or_else(|| fail(format!("holds no text under {key:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:iota/slack-AbCdEf";

    #[test]
    fn references_name_secret_and_key() {
        let parse = |text: &str| text.parse::<Reference>();
        assert_eq!(parse(&format!("{SCHEME}{ARN}")).unwrap(), Reference { id: ARN.into(), key: None });
        assert_eq!(parse(&format!("{SCHEME}{ARN}#url")).unwrap(), Reference { id: ARN.into(), key: Some("url".into()) });
        for wrong in ["", "secretsmanager:", "secretsmanager:#k", "secretsmanager:a#", "env:X", "secretsmanager:a b"] {
            assert!(matches!(parse(wrong), Err(SecretError::NotAReference(_))), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said_without_it() {
        let reference = Reference { id: "s".into(), key: Some("k".into()) };
        assert_eq!(read(&reference, Some(r#"{"k":"hush"}"#)).unwrap(), "hush");
        for text in [Some("hush"), Some(r#"{"hush":1}"#), Some(r#"{"k":{"hush":1}}"#), Some(r#"["hush"]"#), None] {
            let error = read(&reference, text).unwrap_err().to_string();
            assert!(error.starts_with("the secret s ") && !error.contains("hush"), "{error}");
        }
    }
}
