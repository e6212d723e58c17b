//! Settings: flags over environment over configuration file over default, each with where it came from.
//! Only checked settings leave this folder.

mod alerts;
mod file;
mod setting;
mod sources;

pub use alerts::AlertSettings;
pub use file::{ConfigError, ConfigFile, Override, PackConfig, SignaturesFile};
pub(crate) use setting::bytes;
pub use setting::{Given, Origin, RuleSignatures, Setting, Settings, parse_duration};
pub use sources::{QueueFile, SourceSettings, SourcesFile, poll_interval};
