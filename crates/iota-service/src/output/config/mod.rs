//! `outputs:` of iota.yaml: what each output is configured by, read with errors that name line and key.
//! Every kind of output has its own keys in its own file; this one only knows which kinds there are.

mod endpoint;
mod secret;
mod value;

pub use endpoint::Endpoint;
pub use secret::{Reference, Secret, SecretsManager, Surroundings};
pub use value::{Address, HostPort, Size, Text, Wait};
pub(super) use value::{below, built_in, secret_url, shown_url};

use super::Output;
use super::aws::{EventBridgeFile, S3File, SecurityHubFile, SnsFile, SqsFile};
use super::file::FileFile;
use super::fluent_forward::FluentForwardFile;
use super::fluent_http::FluentHttpFile;
use super::pagerduty::PagerDutyFile;
use super::slack::SlackFile;
use super::splunk::SplunkFile;
use super::stdout::StdoutFile;
use super::syslog::SyslogFile;
use super::teams::TeamsFile;
use super::webhook::WebhookFile;
use super::wiz::WizFile;
use iota_engine::text::did_you_mean;
use iota_engine::yaml::{self, YamlError};
use schemars::JsonSchema;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why an output could not be made from its configuration.
#[derive(Debug, Error)]
pub enum OutputError {
    #[error("{reference}: {why}")]
    Secret { reference: String, why: String },
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("{key}: {why}")]
    Invalid { key: &'static str, why: String },
}

/// A key of an output and what is wrong with its value.
pub(super) type Wrong = (&'static str, String);

impl From<Wrong> for OutputError {
    fn from((key, why): Wrong) -> Self {
        Self::Invalid { key, why }
    }
}

/// What every kind of output can be asked.
pub(super) trait Kind {
    /// How long an attempt may take when the configuration does not say.
    fn default_timeout(&self) -> Duration {
        DEFAULT_TIMEOUT
    }

    /// What is wrong with keys together, beyond what each of them says by itself.
    fn check(&self) -> Result<(), Wrong> {
        Ok(())
    }

    /// Reads secrets and certificates. Opens no connection.
    fn build(&self, name: &str, around: &Surroundings<'_>) -> impl Future<Output = Result<Arc<dyn Output>, OutputError>> + Send;
}

/// Declares the keys of a kind of output: those that every output has, those of its transport (`http`, `tls` or `local`),
/// and its own.
macro_rules! output_keys {
    (http $(#[$meta:meta])* $name:ident { $($own:tt)* }) => {
        output_keys! { tls $(#[$meta])* $name {
            /// HTTP proxy, by address or reference. Without it `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count.
            pub proxy: Option<$crate::output::config::Address>,
            $($own)*
        } }

        impl $name {
            fn transport(&self) -> $crate::output::http::Transport<'_> {
                $crate::output::http::Transport {
                    timeout: self.timeout.map_or_else(|| $crate::output::config::Kind::default_timeout(self), |wait| wait.0),
                    proxy: self.proxy.as_ref(),
                    ca_file: self.ca_file.as_deref(),
                }
            }
        }
    };
    (tls $(#[$meta:meta])* $name:ident { $($own:tt)* }) => {
        output_keys! { local $(#[$meta])* $name {
            /// PEM file with certificates of authorities that are trusted besides those of the system.
            pub ca_file: Option<std::path::PathBuf>,
            $($own)*
        } }
    };
    (local $(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* pub $key:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            #[serde(rename = "type", skip_serializing)]
            #[schemars(skip)]
            _kind: serde::de::IgnoredAny,
            /// How long one attempt may take [default: 10s].
            pub timeout: Option<$crate::output::config::Wait>,
            /// Most alerts of one rule that this output gets in an hour; the others are summed up in one message. 0 is no
            /// limit. CRITICAL alerts are not limited.
            pub max_per_hour: Option<u32>,
            /// Also send an alert again when it has grown to 10, 100, 1000 and 10000 matches [default: false].
            pub updates: Option<bool>,
            /// Paths that are left out of alerts, as in `event.requestParameters`.
            pub redact: Option<Vec<String>>,
            $($(#[$doc])* pub $key: $type,)*
        }

        impl $name {
            /// What its alerts lose, or what is wrong with a path.
            pub(in $crate::output) fn redaction(
                &self,
            ) -> Result<$crate::output::format::Redaction, $crate::output::config::Wrong> {
                let paths = self.redact.as_deref().unwrap_or_default();
                $crate::output::format::Redaction::new(paths).map_err(|why| ("redact", why))
            }
        }
    };
}
pub(super) use output_keys;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:literal $variant:ident($file:ty),)*) => {
        /// The keys of one output, as its `type` has them.
        #[derive(Debug, Clone, Serialize, JsonSchema)]
        #[serde(tag = "type")]
        pub enum OutputFile {
            $($(#[$doc])* #[serde(rename = $name)] $variant(Box<$file>),)*
        }

        impl OutputFile {
            /// All values of `type`.
            pub const KINDS: &'static [&'static str] = &[$($name),*];

            /// Its `type`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            fn read<'de, M: MapAccess<'de>>(kind: &str, map: &mut M) -> Result<Option<Self>, M::Error> {
                Ok(match kind {
                    $($name => Some(Self::$variant(map.next_value()?)),)*
                    _ => None,
                })
            }

            fn check(&self) -> Result<(), Wrong> {
                match self { $(Self::$variant(file) => file.redaction().and_then(|_| file.check()),)* }
            }

            /// How long one attempt may take.
            pub fn timeout(&self) -> Duration {
                match self { $(Self::$variant(file) => file.timeout.map_or_else(|| file.default_timeout(), |wait| wait.0),)* }
            }

            /// Most alerts of one rule in an hour; `None` where the configuration does not say, 0 for no limit.
            pub fn max_per_hour(&self) -> Option<u32> {
                match self { $(Self::$variant(file) => file.max_per_hour,)* }
            }

            /// Whether alerts are sent again when they have grown.
            pub fn updates(&self) -> bool {
                match self { $(Self::$variant(file) => file.updates,)* }.unwrap_or(false)
            }

            /// Makes the output: reads its secrets and certificates, opens no connection. Cheap, and may be done again to
            /// pick up secrets that were rotated.
            pub async fn build(&self, name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
                match self { $(Self::$variant(file) => file.build(name, around).await,)* }
            }
        }
    };
}

kinds! {
    /// Standard output: one JSON object per line. Not acknowledged.
    "stdout" Stdout(StdoutFile),
    /// A file of JSON lines, rotated by size.
    "file" File(FileFile),
    /// Any HTTP endpoint, signed as Standard Webhooks says.
    "webhook" Webhook(WebhookFile),
    /// Slack: an incoming webhook, or a bot that posts to a channel.
    "slack" Slack(SlackFile),
    /// PagerDuty, Events API v2.
    "pagerduty" PagerDuty(PagerDutyFile),
    /// Splunk, HTTP Event Collector.
    "splunk" Splunk(SplunkFile),
    /// Microsoft Teams, by a workflow with a webhook trigger. Not acknowledged.
    "teams" Teams(TeamsFile),
    /// Syslog as RFC 5424 over TLS or TCP. Not acknowledged.
    "syslog" Syslog(SyslogFile),
    /// fluent-bit, input `http`.
    "fluent_http" FluentHttp(FluentHttpFile),
    /// fluent-bit or Fluentd, input `forward`.
    "fluent_forward" FluentForward(FluentForwardFile),
    /// Wiz. Experimental: its contract for detections is not public. Not acknowledged.
    "wiz" Wiz(WizFile),
    /// Objects in Amazon S3.
    "s3" S3(S3File),
    /// An Amazon SNS topic.
    "sns" Sns(SnsFile),
    /// An Amazon SQS queue.
    "sqs" Sqs(SqsFile),
    /// An Amazon EventBridge bus.
    "eventbridge" EventBridge(EventBridgeFile),
    /// AWS Security Hub CSPM.
    "securityhub" SecurityHub(SecurityHubFile),
}

pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads `outputs:` of the whole file. Other keys are not looked at.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, OutputFile>, YamlError> {
    let types: Peek = yaml::from_yaml(bytes)?;
    let types: BTreeMap<String, Option<String>> =
        types.outputs.unwrap_or_default().into_iter().map(|(name, output)| (name, output.kind)).collect();
    for (name, kind) in &types {
        let wrong = |key: Option<&str>, message: String| {
            let steps = [Some("outputs"), Some(name), key];
            let steps: Vec<_> = steps.into_iter().flatten().map(yaml::Step::Key).collect();
            YamlError { line: yaml::line_at(bytes, &steps).unwrap_or(1), message, unknown_key: false }
        };
        let kinds = OutputFile::KINDS;
        if !is_name(name) {
            let message =
                format!("outputs.{}: names consist of letters, digits, `-` and `_`", iota_engine::text::printable(name));
            return Err(wrong(None, message));
        }
        match kind {
            None => return Err(wrong(None, format!("outputs.{name}: key `type` is missing; one of {}", kinds.join(", ")))),
            Some(kind) if !kinds.contains(&kind.as_str()) => {
                let hint = did_you_mean(kind, kinds.iter().copied());
                return Err(wrong(Some("type"), format!("outputs.{name}.type: `{kind}` is none of {}{hint}", kinds.join(", "))));
            }
            Some(_) => {}
        }
    }
    let outputs = yaml::from_yaml_seed(bytes, File(&types))?;
    for (name, output) in &outputs {
        if let Err((key, message)) = output.check() {
            let steps = [yaml::Step::Key("outputs"), yaml::Step::Key(name), yaml::Step::Key(key)];
            let line = yaml::line_at(bytes, &steps).unwrap_or(1);
            return Err(YamlError { line, message: format!("outputs.{name}.{key}: {message}"), unknown_key: false });
        }
    }
    Ok(outputs)
}

/// Names stand in tables, in the identity of deliveries and in file names.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

#[derive(Deserialize)]
struct Peek {
    outputs: Option<BTreeMap<String, PeekOutput>>,
}

#[derive(Deserialize)]
struct PeekOutput {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Reads the file again when the type of each output is known, so that its keys are read as that type has them and errors
/// keep their line.
struct File<'a>(&'a BTreeMap<String, Option<String>>);

impl<'de> DeserializeSeed<'de> for File<'_> {
    type Value = BTreeMap<String, OutputFile>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = BTreeMap<String, OutputFile>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut outputs = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "outputs" && !self.0.is_empty() {
                outputs = map.next_value_seed(Named(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(outputs)
    }
}

struct Named<'a>(&'a BTreeMap<String, Option<String>>);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = BTreeMap<String, OutputFile>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Named<'_> {
    type Value = BTreeMap<String, OutputFile>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut outputs = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let kind = self.0.get(&name).and_then(Option::as_deref).unwrap_or_default();
            if let Some(output) = OutputFile::read(kind, &mut map)? {
                outputs.insert(name, output);
            }
        }
        Ok(outputs)
    }
}

/// The keys of all outputs as `config show` lists them: references instead of secrets, addresses without their path.
pub fn shown(outputs: &BTreeMap<String, OutputFile>) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (name, output) in outputs {
        if let Ok(serde_json::Value::Object(keys)) = serde_json::to_value(output) {
            let keys = keys.into_iter().filter(|(_, value)| !value.is_null());
            rows.extend(keys.map(|(key, value)| match value {
                serde_json::Value::String(text) => (format!("outputs.{name}.{key}"), text),
                value => (format!("outputs.{name}.{key}"), value.to_string()),
            }));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = read(text.as_bytes()).expect_err("wrong on purpose");
        format!("{}: {}", error.line, error.message)
    }

    #[test]
    fn errors_name_line_and_key() {
        for (text, expected) in [
            ("outputs:\n  a: {}\n", "2: outputs.a: key `type` is missing; one of "),
            ("outputs:\n  a:\n    type: fil\n", "3: outputs.a.type: `fil` is none of "),
            ("outputs:\n  a:\n    path: x\n    type: file\n    pth: y\n", "5: unknown key `pth`; did you mean `path`?"),
            ("outputs:\n  a:\n    type: file\n    path: x\n    timout: y\n", "5: unknown key `timout`; did you mean `timeout`?"),
            ("outputs:\n  a:\n    type: file\n", "3: key `path` is missing"),
            ("outputs:\n  a:\n    type: stdout\n    timeout: soon\n", "4: outputs.a.timeout: a duration such as 500ms"),
            ("outputs:\n  a:\n    type: stdout\n    timeout: 2h\n", "4: outputs.a.timeout: must be more than 0 and at most 2m"),
            (
                "outputs:\n  a:\n    type: stdout\n    redact: [alert_id]\n",
                "4: outputs.a.redact: \"alert_id\" cannot be redacted",
            ),
            (
                "outputs:\n  a:\n    type: s3\n    bucket: b\n    redact: [alert_id]\n",
                "5: outputs.a.redact: \"alert_id\" cannot be redacted",
            ),
            (
                "outputs:\n  a:\n    type: file\n    path: x\n    rotate_size: 1KiB\n",
                "5: outputs.a.rotate_size: must be at least",
            ),
            (
                "outputs:\n  a:\n    type: webhook\n    url: https://x.example\n    headers:\n      Authorization: Bearer s3cret\n",
                "6: outputs.a.headers: the value of authorization looks like a secret",
            ),
            (
                "outputs:\n  a:\n    type: webhook\n    url: https://x.example\n    signing_keys: [whsec_s3cret]\n",
                "5: outputs.a.signing_keys[0]: a reference to a secret is expected",
            ),
            ("outputs:\n  a b: {type: stdout}\n", "2: outputs.a b: names consist of letters"),
            ("outputs: [a]\n", "1: outputs: a mapping is expected"),
        ] {
            let error = error(text);
            assert!(error.starts_with(expected), "{text}\ngave {error}\nnot  {expected}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_file_without_outputs_has_none() {
        for text in ["version: 1\n", "version: 1\noutputs:\n", "version: 1\noutputs: {}\n"] {
            assert!(read(text.as_bytes()).expect("fine").is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let text = "outputs:\n  hook:\n    type: webhook\n    url: https://x.example/t0ken?sig=t0ken\n    signing_keys: [env:KEY]\n    timeout: 2s\n";
        let outputs = read(text.as_bytes()).expect("fine");
        let rows: Vec<_> = shown(&outputs).into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let expected = [
            "outputs.hook.type = webhook",
            "outputs.hook.timeout = 2s",
            "outputs.hook.url = https://x.example/...",
            r#"outputs.hook.signing_keys = ["env:KEY"]"#,
        ];
        assert_eq!(rows, expected);
        assert!(!format!("{outputs:?}").contains("t0ken"));
        assert_eq!((outputs["hook"].timeout(), outputs["hook"].updates()), (Duration::from_secs(2), false));
    }
}
