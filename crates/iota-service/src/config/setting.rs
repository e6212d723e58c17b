//! Resolving settings from their layers.

use super::alerts::AlertSettings;
use super::file::{ConfigError, ConfigFile, Override, PackConfig, SignaturesFile};
use super::shown;
use super::sources::SourceSettings;
use crate::output::{self, OutputFile};
use crate::store::Place;
use crate::supply::PublicKeys;
use iota_engine::decode::Limits;
use iota_python::SandboxMode;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

/// Below this an interpreter with an ordinary pack does not start.
const MIN_WORKER_MEMORY: u64 = 64 << 20;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{}", name.replace('_', "-")),
            Self::Environment(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

/// What the command line and the environment say; `None` where neither does.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub config: Option<PathBuf>,
    pub rules: Option<Setting<Vec<PathBuf>>>,
    pub python: Option<Setting<String>>,
    pub engine: Option<Setting<PathBuf>>,
    pub workers: Option<Setting<usize>>,
    pub rule_timeout: Option<Setting<String>>,
    pub worker_memory: Option<Setting<String>>,
    pub sandbox: Option<Setting<String>>,
    pub max_record: Option<Setting<String>>,
    pub max_inflated: Option<Setting<String>>,
    pub state: Option<Setting<PathBuf>>,
    pub metrics_listen: Option<Setting<String>>,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Settings {
    pub rules: Setting<Vec<PathBuf>>,
    pub python: Setting<String>,
    pub engine: Setting<Option<PathBuf>>,
    pub workers: Setting<usize>,
    pub rule_timeout: Setting<Duration>,
    /// Address space of a worker, in bytes.
    pub worker_memory: Setting<u64>,
    pub sandbox: Setting<SandboxMode>,
    pub max_record: Setting<usize>,
    pub max_inflated: Setting<u64>,
    /// Whether there is a configuration file.
    pub configured: bool,
    /// `None`: nothing is kept.
    pub state: Setting<Option<Place>>,
    /// `None`: metrics are not served.
    pub metrics_listen: Setting<Option<SocketAddr>>,
    pub rule_signatures: RuleSignatures,
    pub packs: BTreeMap<String, PackConfig>,
    pub overrides: BTreeMap<String, Override>,
    pub outputs: BTreeMap<String, OutputFile>,
    pub alerts: AlertSettings,
    pub sources: SourceSettings,
    /// What the file says of alerts and overrides: name and value.
    written: Vec<(String, String)>,
}

/// Who may sign packs, and whether somebody must.
#[derive(Debug, Clone, Default)]
pub struct RuleSignatures {
    pub required: bool,
    pub keys: PublicKeys,
    /// As written.
    shown: Vec<String>,
}

impl RuleSignatures {
    fn new(file: &SignaturesFile) -> Result<Self, ConfigError> {
        let fail = |message: String| ConfigError::Setting { name: "rule_signatures.public_keys", message };
        let keys = PublicKeys::parse(&file.public_keys).map_err(fail)?;
        if file.required && keys.is_empty() {
            return Err(fail("a key is needed where signatures are required".to_owned()));
        }
        Ok(Self { required: file.required, keys, shown: file.public_keys.clone() })
    }
}

impl Settings {
    pub fn resolve(given: Given) -> Result<Self, ConfigError> {
        let file = given.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
        let layer = Layer { path: file.path.clone() };
        let limits = Limits::default();
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let alerts = AlertSettings::new(&file)?;
        let sources = SourceSettings::new(&file)?;
        let written = shown::written(&file);
        let settings = Self {
            configured: given.config.is_some(),
            rules: layer.pick(given.rules, file.rules, Vec::new()),
            python: layer.pick(given.python, file.python, "python3".to_owned()),
            engine: layer.pick(given.engine.map(some), file.engine.map(Some), None),
            workers: layer.pick(given.workers, file.workers, cores),
            rule_timeout: layer.parse("rule_timeout", given.rule_timeout, file.rule_timeout, "1s", parse_duration)?,
            worker_memory: layer.parse("worker_memory", given.worker_memory, file.worker_memory, "512MiB", bytes)?,
            sandbox: layer.parse("sandbox", given.sandbox, file.sandbox, &SandboxMode::Auto.to_string(), str::parse)?,
            max_record: layer.parse("max_record", given.max_record, file.max_record, &limits.max_record.to_string(), |text| {
                usize::try_from(bytes(text)?).map_err(|error| error.to_string())
            })?,
            max_inflated: layer.parse(
                "max_inflated",
                given.max_inflated,
                file.max_inflated,
                &limits.max_inflated.to_string(),
                bytes,
            )?,
            state: place(layer.pick(given.state.map(some), file.state.map(Some), None))?,
            metrics_listen: layer.parse("metrics.listen", given.metrics_listen, file.metrics.listen, "none", listen)?,
            rule_signatures: RuleSignatures::new(&file.rule_signatures)?,
            packs: file.packs,
            overrides: file.overrides,
            alerts,
            sources,
            written,
            outputs: file.outputs,
        };
        let fail = |name, origin: &Origin, message: &str| {
            Err(ConfigError::Setting { name, message: format!("{message} (from {origin})") })
        };
        if !(1..=1024).contains(&settings.workers.value) {
            return fail("workers", &settings.workers.origin, "must be between 1 and 1024");
        }
        if !(1 << 10..=1 << 30).contains(&settings.max_record.value) {
            return fail("max_record", &settings.max_record.origin, "must be between 1KiB and 1GiB");
        }
        if !(MIN_WORKER_MEMORY..=1 << 40).contains(&settings.worker_memory.value) {
            return fail("worker_memory", &settings.worker_memory.origin, "must be between 64MiB and 1TiB");
        }
        if settings.rule_timeout.value.is_zero() || settings.rule_timeout.value > Duration::from_secs(3600) {
            return fail("rule_timeout", &settings.rule_timeout.origin, "must be more than 0 and at most 1h");
        }
        Ok(settings)
    }

    pub fn limits(&self) -> Limits {
        Limits { max_record: self.max_record.value, max_inflated: self.max_inflated.value }
    }

    /// Name, value and origin of each setting, for `config show`.
    pub fn table(&self) -> Vec<(&'static str, String, String)> {
        fn row<T>(name: &'static str, setting: &Setting<T>, show: impl Fn(&T) -> String) -> (&'static str, String, String) {
            (name, show(&setting.value), setting.origin.to_string())
        }
        let paths = |paths: &Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        vec![
            row("rules", &self.rules, paths),
            row("python", &self.python, String::clone),
            row("engine", &self.engine, |path| {
                path.as_ref().map_or_else(|| "embedded".to_owned(), |path| path.display().to_string())
            }),
            row("workers", &self.workers, usize::to_string),
            row("rule_timeout", &self.rule_timeout, |time| format!("{time:?}")),
            row("worker_memory", &self.worker_memory, |bytes| size(*bytes)),
            row("sandbox", &self.sandbox, SandboxMode::to_string),
            row("max_record", &self.max_record, |bytes| size(*bytes as u64)),
            row("max_inflated", &self.max_inflated, |bytes| size(*bytes)),
            row("state", &self.state, |place| place.as_ref().map_or_else(|| "none".to_owned(), Place::to_string)),
            row("metrics.listen", &self.metrics_listen, |address| {
                address.as_ref().map_or_else(|| "none".to_owned(), SocketAddr::to_string)
            }),
        ]
    }

    /// The settings that only the configuration file has: name and value.
    pub fn in_file_only(&self) -> Vec<(String, String)> {
        let packs = self.packs.iter().flat_map(|(pack, of_pack)| {
            of_pack.config.iter().map(move |(name, value)| (format!("packs.{pack}.config.{name}"), value.to_string()))
        });
        let signatures = &self.rule_signatures;
        let required = signatures.required.then(|| ("rule_signatures.required".to_owned(), "true".to_owned()));
        let keys = signatures.shown.iter().map(|key| ("rule_signatures.public_keys".to_owned(), key.clone()));
        let own = required.into_iter().chain(keys).chain(packs).chain(self.written.iter().cloned());
        own.chain(output::config::shown(&self.outputs)).chain(self.sources.shown()).collect()
    }
}

fn some<T>(setting: Setting<T>) -> Setting<Option<T>> {
    Setting { value: Some(setting.value), origin: setting.origin }
}

fn place(Setting { value, origin }: Setting<Option<PathBuf>>) -> Result<Setting<Option<Place>>, ConfigError> {
    match value.as_deref().map(Place::parse).transpose() {
        Ok(value) => Ok(Setting { value, origin }),
        Err(why) => {
            let message = format!("\"{}\" (from {origin}): {why}", value.unwrap_or_default().display());
            Err(ConfigError::Setting { name: "state", message })
        }
    }
}

struct Layer {
    path: PathBuf,
}

impl Layer {
    fn pick<T>(&self, given: Option<Setting<T>>, file: Option<T>, default: T) -> Setting<T> {
        given.unwrap_or_else(|| match file {
            Some(value) => Setting { value, origin: Origin::File(self.path.clone()) },
            None => Setting { value: default, origin: Origin::Default },
        })
    }

    fn parse<T>(
        &self,
        name: &'static str,
        given: Option<Setting<String>>,
        file: Option<String>,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Setting<T>, ConfigError> {
        let text = self.pick(given, file, default.to_owned());
        match parse(&text.value) {
            Ok(value) => Ok(Setting { value, origin: text.origin }),
            Err(why) => Err(ConfigError::Setting { name, message: format!("{:?} (from {}): {why}", text.value, text.origin) }),
        }
    }
}

/// `500ms`, `1s`, `2m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration = text.parse().map_err(|_| "a duration such as 500ms, 1s or 2m was expected".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())
}

fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    let wrong = || "an address and a port such as 127.0.0.1:9464, or none, was expected".to_owned();
    if text == "none" { Ok(None) } else { text.parse().map(Some).map_err(|_| wrong()) }
}

pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>().map(|size| size.0).map_err(|_| "a size such as 512KiB or 16MiB was expected".to_owned())
}

/// As it can be given: no digit is lost.
fn size(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let (unit, name) = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)).unwrap_or((1, "B"));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn sizes_are_shown_as_they_can_be_given() {
        for (number, shown) in
            [(0, "0B"), (1_000, "1000B"), (16 << 20, "16MiB"), (1 << 40, "1TiB"), ((1 << 30) + 1024, "1048577KiB")]
        {
            assert_eq!((size(number).as_str(), bytes(shown)), (shown, Ok(number)));
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("iota.yaml");
        fs::write(
            &path,
            "version: 1\nrules: [packs/a]\nworkers: 3\nrule_timeout: 250ms\npython: python3.12\nstate: dynamodb:iota\n",
        )?;
        let given = Given {
            config: Some(path.clone()),
            workers: Some(Setting { value: 7, origin: Origin::Flag("x") }),
            ..Given::default()
        };
        let settings = Settings::resolve(given)?;
        assert_eq!((settings.workers.value, settings.workers.origin), (7, Origin::Flag("x")));
        assert_eq!((settings.python.value.as_str(), settings.python.origin), ("python3.12", Origin::File(path)));
        assert_eq!(settings.rules.value, [directory.path().join("packs/a")]);
        assert_eq!(settings.state.value, Some(Place::Table("iota".to_owned())));
        assert_eq!(settings.rule_timeout.value, Duration::from_millis(250));
        assert_eq!((settings.max_record.value, settings.max_record.origin), (16 << 20, Origin::Default));
        Ok(())
    }

    #[test]
    fn bad_values_say_what_and_where() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("iota.yaml");
        let message = |text: &str| -> Result<String, std::io::Error> {
            fs::write(&path, text)?;
            let error = Settings::resolve(Given { config: Some(path.clone()), ..Given::default() }).map(|_| ());
            Ok(error.map_or_else(
                |error| error.to_string().replace(&directory.path().display().to_string(), ""),
                |()| "accepted".to_owned(),
            ))
        };
        assert_eq!(message("version: 1\nworkrs: 3\n")?, "/iota.yaml:2: unknown key `workrs`; did you mean `workers`?");
        assert_eq!(message("workers: 3\n")?, "/iota.yaml:1: `version: 1` is missing");
        assert_eq!(message("version: 1\nworkers: 0\n")?, "workers: must be between 1 and 1024 (from /iota.yaml)");
        let zero = message("version: 1\noverrides:\n  a.b:\n    enabled: true\n    threshold: 0\n")?;
        assert_eq!(zero, "/iota.yaml:5: overrides.a.b.threshold: must be at least 1");
        assert_eq!(message("version: 1\nworkers: many\n")?, "/iota.yaml:2: workers: a whole number, 0 or more, is expected");
        assert!(message("version: 1\nrule_timeout: soon\n")?.starts_with("rule_timeout: \"soon\" (from /iota.yaml): a duration"));
        assert!(message("version: 2\n")?.contains("version 2 is not known"));
        let table = message("version: 1\nstate: dynamodb:a/b\n")?;
        assert!(table.starts_with("state: \"dynamodb:a/b\" (from /iota.yaml): the name of a DynamoDB table"), "{table}");
        Ok(())
    }
}
