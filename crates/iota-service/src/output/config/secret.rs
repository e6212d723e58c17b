//! Secrets: the reference that stands in `iota.yaml`, and the value it stands for.
//! A value is shown by nothing: not by `Debug`, not in errors, not by `config show`.

use super::OutputError;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a reference looks like, for error messages.
const FORMS: &str = "env:NAME, file:/PATH or secretsmanager:ARN";

/// Where a secret is. Written `env:NAME`, `file:/path` (relative to the configuration file when it does not start with
/// `/`), `secretsmanager:ARN` or `secretsmanager:ARN#KEY` for one member of a secret that is a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "ReferenceSchema")]
pub enum Reference {
    Env(String),
    File(PathBuf),
    SecretsManager { arn: String, key: Option<String> },
}

/// A secret by reference: `env:NAME`, `file:/path` or `secretsmanager:ARN`, the last optionally followed by `#KEY`.
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Secret")]
#[expect(dead_code, reason = "only its schema is used")]
struct ReferenceSchema(#[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|secretsmanager:arn:.+)$"))] String);

impl FromStr for Reference {
    type Err = String;

    /// The text is not repeated in the error: it may be the secret itself.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or_default();
        match kind {
            "env" => {
                let valid = |name: &str| {
                    !name.starts_with(|first: char| first.is_ascii_digit())
                        && !name.is_empty()
                        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
                };
                if valid(rest) {
                    Ok(Self::Env(rest.to_owned()))
                } else {
                    Err("env: must be followed by the name of a variable".to_owned())
                }
            }
            "file" if !rest.is_empty() => Ok(Self::File(rest.into())),
            "file" => Err("file: must be followed by a path".to_owned()),
            "secretsmanager" => {
                let (arn, key) = rest.split_once('#').map_or((rest, None), |(arn, key)| (arn, Some(key.to_owned())));
                if arn.starts_with("arn:") && arn.split(':').count() >= 7 && key.as_deref() != Some("") {
                    Ok(Self::SecretsManager { arn: arn.to_owned(), key })
                } else {
                    Err("secretsmanager: must be followed by the ARN of a secret, and optionally #KEY".to_owned())
                }
            }
            _ => Err(format!("a reference to a secret is expected ({FORMS}); secrets themselves do not belong in this file")),
        }
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::SecretsManager { arn, key: None } => write!(f, "secretsmanager:{arn}"),
            Self::SecretsManager { arn, key: Some(key) } => write!(f, "secretsmanager:{arn}#{key}"),
        }
    }
}

/// The value of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// AWS Secrets Manager.
#[async_trait]
pub trait SecretsManager: Send + Sync + fmt::Debug {
    /// The secret string of an ARN as it is now. The error says what AWS answered and which permission is missing.
    async fn secret(&self, arn: &str) -> Result<String, String>;
}

/// What outputs take from their surroundings when they are made.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Reads an environment variable.
    pub environment: &'a (dyn Fn(&str) -> Option<String> + Sync),
    pub secrets_manager: Option<&'a dyn SecretsManager>,
    /// What relative paths are relative to: the directory of the configuration file.
    pub directory: &'a Path,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Surroundings<'_> {
    /// The value of a secret, without white space around it (files end in a newline).
    pub async fn secret(&self, reference: &Reference) -> Result<Secret, OutputError> {
        let fail = |why: String| OutputError::Secret { reference: reference.to_string(), why };
        let value = match reference {
            Reference::Env(name) => (self.environment)(name).ok_or_else(|| fail("the variable is not set".to_owned()))?,
            Reference::File(path) => {
                tokio::fs::read_to_string(self.directory.join(path)).await.map_err(|error| fail(error.to_string()))?
            }
            Reference::SecretsManager { arn, key } => {
                let manager = self
                    .secrets_manager
                    .ok_or_else(|| fail("this command has no access to AWS Secrets Manager; use env: or file:".to_owned()))?;
                let value = manager.secret(arn).await.map_err(fail)?;
                match key {
                    None => value,
                    Some(key) => member(&value, key).map_err(fail)?,
                }
            }
        };
        let value = value.trim();
        if value.is_empty() {
            return Err(fail("it is empty".to_owned()));
        }
        if value.contains(|letter: char| letter.is_control()) {
            return Err(fail("it holds line breaks or control characters".to_owned()));
        }
        Ok(Secret(value.to_owned()))
    }
}

fn member(json: &str, key: &str) -> Result<String, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|_| "it is no JSON object, so it has no keys".to_owned())?;
    match object.get(key) {
        Some(serde_json::Value::String(value)) => Ok(value.clone()),
        Some(_) => Err(format!("the value of {key:?} is no text")),
        None => Err(format!("it has no key {key:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_secrets() {
        let parse = |text: &str| text.parse::<Reference>().map(|reference| reference.to_string());
        let arn = "secretsmanager:arn:aws:secretsmanager:eu-west-1:111122223333:secret:iota-AbCdEf";
        for text in ["env:A_1", "file:/run/secrets/x", "file:x", arn, &format!("{arn}#token")] {
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
        for text in ["xoxb-123-secret", "https://hooks.slack.com/x", "env:", "env:1A", "file:", "secretsmanager:x", ""] {
            let error = parse(text).expect_err("no reference");
            assert!(text.is_empty() || text.ends_with(':') || !error.contains(text), "{error}");
        }
        assert!(parse(&format!("{arn}#")).is_err());
    }

    #[derive(Debug)]
    struct Fixed;

    #[async_trait]
    impl SecretsManager for Fixed {
        async fn secret(&self, arn: &str) -> Result<String, String> {
            if arn.ends_with("json") { Ok(r#"{"token":"inner"}"#.to_owned()) } else { Err("access denied".to_owned()) }
        }
    }

    #[tokio::test]
    async fn values_come_from_where_the_reference_points() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("token"), "from file\n")?;
        std::fs::write(directory.path().join("empty"), "\n")?;
        std::fs::write(directory.path().join("lines"), "a\r\nInjected: header\n")?;
        let environment = |name: &str| (name == "TOKEN").then(|| "from env".to_owned());
        let mut around = Surroundings { environment: &environment, secrets_manager: Some(&Fixed), directory: directory.path() };
        let arn = "secretsmanager:arn:aws:secretsmanager:eu-west-1:111122223333:secret:json";
        for (reference, expected) in [
            ("env:TOKEN".to_owned(), Ok("from env")),
            ("file:token".to_owned(), Ok("from file")),
            (format!("{arn}#token"), Ok("inner")),
            ("env:GONE".to_owned(), Err("env:GONE: the variable is not set")),
            ("file:empty".to_owned(), Err("file:empty: it is empty")),
            ("file:lines".to_owned(), Err("file:lines: it holds line breaks or control characters")),
            ("file:gone".to_owned(), Err("file:gone: No such file or directory (os error 2)")),
        ] {
            let secret = around.secret(&reference.parse()?).await;
            let secret = secret.as_ref().map(Secret::expose).map_err(ToString::to_string);
            assert_eq!(secret, expected.map_err(str::to_owned), "{reference}");
        }
        around.secrets_manager = None;
        let error = around.secret(&arn.parse()?).await.expect_err("no access").to_string();
        assert!(error.ends_with("this command has no access to AWS Secrets Manager; use env: or file:"), "{error}");
        assert_eq!(format!("{:?}", Secret::new("x".to_owned())), "Secret(***)");
        Ok(())
    }
}
