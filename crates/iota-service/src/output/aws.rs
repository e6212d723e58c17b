//! Keys of the outputs in AWS, as iota.yaml has them.

use super::Output;
use super::config::{DEFAULT_TIMEOUT, Kind, OutputError, Surroundings, Wait, Wrong, output_keys};
use super::eventbridge::{EventBridge, EventBridgeConfig};
use super::format::{Format, Redaction};
use super::s3::{S3, S3Config};
use super::securityhub::{SecurityHub, SecurityHubConfig};
use super::sns::{Sns, SnsConfig};
use super::sqs::{Sqs, SqsConfig};
use crate::aws::Access;
use std::path::Path;
use std::sync::Arc;

output_keys! { local
    /// Objects of JSON lines in Amazon S3, under keys by the hour. Needs s3:PutObject, and kms:GenerateDataKey with a key.
    S3File {
        /// Name of the bucket.
        pub bucket: String,
        /// What keys begin with, as in `alerts/` [default: nothing].
        pub prefix: Option<String>,
        /// Form of the alerts [default: alert].
        pub format: Option<Format>,
        /// Compress objects with gzip [default: false].
        pub gzip: Option<bool>,
        /// Id, ARN or alias of a KMS key [default: what the bucket says].
        pub kms_key_id: Option<String>,
        /// Put the bucket's name into the path, for servers that are not AWS [default: false].
        pub path_style: Option<bool>,
        /// Region, role and address where they differ from what the SDK finds.
        pub aws: Option<Access>,
    }
}

output_keys! { local
    /// Messages to an Amazon SNS topic. Needs sns:Publish.
    SnsFile {
        /// The topic; FIFO topics end in `.fifo`.
        pub topic_arn: String,
        /// Role and address where they differ from what the SDK finds.
        pub aws: Option<Access>,
    }
}

output_keys! { local
    /// Messages to an Amazon SQS queue. Needs sqs:SendMessage; with sqs:GetQueueAttributes alerts may be as large as the queue takes.
    SqsFile {
        /// The queue; FIFO queues end in `.fifo`.
        pub queue_url: String,
        /// Region, role and address where they differ from what the SDK finds.
        pub aws: Option<Access>,
    }
}

output_keys! { local
    /// Events to an Amazon EventBridge bus. Needs events:PutEvents.
    EventBridgeFile {
        /// Name or ARN of the bus [default: default].
        pub event_bus: Option<String>,
        /// `source` of the events [default: iota].
        pub source: Option<String>,
        /// Region, role and address where they differ from what the SDK finds.
        pub aws: Option<Access>,
    }
}

output_keys! { local
    /// Findings (ASFF) in AWS Security Hub CSPM. Needs securityhub:BatchImportFindings.
    SecurityHubFile {
        /// The account whose Security Hub is fed, 12 digits in quotes [default: that of the credentials].
        pub account_id: Option<String>,
        /// ARN of the product that findings are of [default: the account's own].
        pub product_arn: Option<String>,
        /// Region, role and address where they differ from what the SDK finds.
        pub aws: Option<Access>,
    }
}

/// The access with the output's time-out, and paths as seen from the configuration file.
fn access(aws: Option<&Access>, timeout: Option<Wait>, directory: &Path) -> Access {
    let mut access = aws.cloned().unwrap_or_default();
    access.timeout = Some(timeout.map_or(DEFAULT_TIMEOUT, |wait| wait.0));
    access.ca_bundle = access.ca_bundle.map(|path| directory.join(path));
    access
}

/// The messages of the outputs begin with the key that is wrong.
fn wrong(keys: &[&'static str], message: &str) -> Wrong {
    let key = keys.iter().find(|key| message.starts_with(&format!("{key}: "))).copied().unwrap_or(keys[0]);
    (key, message.strip_prefix(&format!("{key}: ")).unwrap_or(message).to_owned())
}

macro_rules! kind {
    ($file:ident, $output:ident, $keys:expr) => {
        impl Kind for $file {
            fn check(&self) -> Result<(), Wrong> {
                self.output(Redaction::default(), Path::new("")).map(drop).map_err(|message| wrong(&$keys, &message))
            }

            async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
                let output = self.output(self.redaction()?, around.directory);
                Ok(Arc::new(output.map_err(|message| wrong(&$keys, &message))?))
            }
        }
    };
}

kind!(S3File, S3, ["bucket", "prefix"]);
kind!(SnsFile, Sns, ["topic_arn"]);
kind!(SqsFile, Sqs, ["queue_url"]);
kind!(EventBridgeFile, EventBridge, ["source"]);
kind!(SecurityHubFile, SecurityHub, ["account_id", "product_arn"]);

impl S3File {
    fn output(&self, redact: Redaction, directory: &Path) -> Result<S3, String> {
        let config = S3Config {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone().unwrap_or_default(),
            format: self.format.unwrap_or_default(),
            redact,
            gzip: self.gzip.unwrap_or_default(),
            kms_key_id: self.kms_key_id.clone(),
            path_style: self.path_style.unwrap_or_default(),
            aws: access(self.aws.as_ref(), self.timeout, directory),
        };
        S3::new(config)
    }
}

impl SnsFile {
    fn output(&self, redact: Redaction, directory: &Path) -> Result<Sns, String> {
        let aws = access(self.aws.as_ref(), self.timeout, directory);
        Sns::new(SnsConfig { topic_arn: self.topic_arn.clone(), redact, aws })
    }
}

impl SqsFile {
    fn output(&self, redact: Redaction, directory: &Path) -> Result<Sqs, String> {
        let aws = access(self.aws.as_ref(), self.timeout, directory);
        Sqs::new(SqsConfig { queue_url: self.queue_url.clone(), redact, aws })
    }
}

impl EventBridgeFile {
    fn output(&self, redact: Redaction, directory: &Path) -> Result<EventBridge, String> {
        EventBridge::new(EventBridgeConfig {
            event_bus: self.event_bus.clone().unwrap_or_else(|| "default".to_owned()),
            source: self.source.clone().unwrap_or_else(|| "iota".to_owned()),
            redact,
            aws: access(self.aws.as_ref(), self.timeout, directory),
        })
    }
}

impl SecurityHubFile {
    fn output(&self, redact: Redaction, directory: &Path) -> Result<SecurityHub, String> {
        SecurityHub::new(SecurityHubConfig {
            account_id: self.account_id.clone(),
            product_arn: self.product_arn.clone(),
            redact,
            aws: access(self.aws.as_ref(), self.timeout, directory),
        })
    }
}
