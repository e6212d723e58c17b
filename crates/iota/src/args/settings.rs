//! What several commands have: settings that the configuration file knows, too, and where state is.

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args};
use iota_service::config::{Given, Origin, Setting};
use std::path::PathBuf;

/// How rules are run; also settable in the configuration file.
#[derive(Debug, Args, Clone)]
pub(crate) struct PythonArgs {
    /// Configuration file [nothing is read when this is not given]
    #[arg(long, env = "IOTA_CONFIG", value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,
    /// Python 3.11 or newer that runs the rules [default: python3]
    #[arg(long, env = "IOTA_PYTHON", value_name = "PYTHON", help_heading = "Settings")]
    pub(crate) python: Option<String>,
    /// Engine file that Python runs instead of the built-in worker
    #[arg(long, env = "IOTA_ENGINE", value_name = "FILE", help_heading = "Settings")]
    pub(crate) engine: Option<PathBuf>,
    /// How long one rule may take on one record [default: 1s]
    #[arg(long, env = "IOTA_RULE_TIMEOUT", value_name = "TIME", help_heading = "Settings")]
    pub(crate) rule_timeout: Option<String>,
    /// Address space of one worker [default: 512MiB]
    #[arg(long, env = "IOTA_WORKER_MEMORY", value_name = "SIZE", help_heading = "Settings")]
    pub(crate) worker_memory: Option<String>,
    /// What rules are kept from: auto (all that the kernel can), strict (refuse without Landlock), off [default: auto]
    #[arg(long, env = "IOTA_SANDBOX", value_name = "MODE", help_heading = "Settings")]
    pub(crate) sandbox: Option<String>,
}

#[derive(Debug, Args, Clone)]
pub(crate) struct RulesArgs {
    /// Rule directory; may be given several times, each is a pack of its own
    #[arg(long, env = "IOTA_RULES", value_name = "DIR", value_delimiter = ':', action = ArgAction::Append, help_heading = "Settings")]
    pub(crate) rules: Option<Vec<PathBuf>>,
    /// Python workers [default: number of cores]
    #[arg(long, env = "IOTA_WORKERS", value_name = "N", value_parser = parse_workers, help_heading = "Settings")]
    pub(crate) workers: Option<usize>,
    /// Largest record, e.g. 16MiB [default: 16MiB]
    #[arg(long, env = "IOTA_MAX_RECORD", value_name = "SIZE", help_heading = "Settings")]
    pub(crate) max_record: Option<String>,
    /// Most bytes that one gzip input may inflate to [default: 16GiB]
    #[arg(long, env = "IOTA_MAX_INFLATED", value_name = "SIZE", help_heading = "Settings")]
    pub(crate) max_inflated: Option<String>,
    #[command(flatten)]
    pub(crate) python: PythonArgs,
}

/// Where state is kept; also settable in the configuration file.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct StateArgs {
    /// Directory that keeps what was read and found, so that alerts survive crashes and input is read once; or
    /// `dynamodb:TABLE` [default: nothing is kept]
    #[arg(long, env = "IOTA_STATE", value_name = "DIR", help_heading = "Settings")]
    pub(crate) state: Option<PathBuf>,
}

/// What commands need that look at state.
#[derive(Debug, Args, Clone)]
pub(crate) struct DeskArgs {
    /// Configuration file [nothing is read when this is not given]
    #[arg(long, env = "IOTA_CONFIG", value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,
    /// Directory or table of the state, as given to `iota run`; may be in use
    #[arg(long, env = "IOTA_STATE", value_name = "DIR", help_heading = "Settings")]
    pub(crate) state: Option<PathBuf>,
}

impl RulesArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        Given {
            rules: setting(matches, "rules", "IOTA_RULES", self.rules.clone()),
            workers: setting(matches, "workers", "IOTA_WORKERS", self.workers),
            max_record: setting(matches, "max_record", "IOTA_MAX_RECORD", self.max_record.clone()),
            max_inflated: setting(matches, "max_inflated", "IOTA_MAX_INFLATED", self.max_inflated.clone()),
            ..self.python.given(matches)
        }
    }
}

impl PythonArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        Given {
            config: self.config.clone(),
            python: setting(matches, "python", "IOTA_PYTHON", self.python.clone()),
            engine: setting(matches, "engine", "IOTA_ENGINE", self.engine.clone()),
            rule_timeout: setting(matches, "rule_timeout", "IOTA_RULE_TIMEOUT", self.rule_timeout.clone()),
            worker_memory: setting(matches, "worker_memory", "IOTA_WORKER_MEMORY", self.worker_memory.clone()),
            sandbox: setting(matches, "sandbox", "IOTA_SANDBOX", self.sandbox.clone()),
            ..Given::default()
        }
    }
}

impl StateArgs {
    /// Adds it to what else was given.
    pub(crate) fn with(&self, given: Given, matches: &ArgMatches) -> Given {
        Given { state: setting(matches, "state", "IOTA_STATE", self.state.clone()), ..given }
    }
}

impl DeskArgs {
    pub(crate) fn given(&self, matches: &ArgMatches) -> Given {
        let state = setting(matches, "state", "IOTA_STATE", self.state.clone());
        Given { config: self.config.clone(), state, ..Given::default() }
    }
}

/// A flag's value with its origin. `name` is the flag's id, which is its name with `_` for `-`.
pub(super) fn setting<T>(
    matches: &ArgMatches,
    name: &'static str,
    variable: &'static str,
    value: Option<T>,
) -> Option<Setting<T>> {
    // A command without the flag does not even know its name.
    let value = value?;
    let origin = match matches.value_source(name) {
        Some(ValueSource::EnvVariable) => Origin::Environment(variable),
        _ => Origin::Flag(name),
    };
    Some(Setting { value, origin })
}

fn parse_workers(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a number of workers, 1 to 1024, was expected".to_owned())
}
