//! Runs the binary and looks at what it did.

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value as Json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A time that all test records lie before.
pub(crate) const NOW: &str = "2026-01-01T00:00:00Z";

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// `iota`, run in the repository, with no settings from outside.
pub(crate) fn iota() -> Command {
    let mut command = Command::cargo_bin("iota").unwrap();
    in_repository(&mut command);
    command
}

/// Where and with which variables a command runs.
pub(crate) fn in_repository(command: &mut Command) {
    command.current_dir(root()).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).env_remove("SUDO_USER");
    for name in [
        "CONFIG",
        "PYTHON",
        "ENGINE",
        "RULE_TIMEOUT",
        "RULES",
        "WORKERS",
        "MAX_RECORD",
        "MAX_INFLATED",
        "LOG",
        "LOG_FORMAT",
        "STATE",
        "SANDBOX",
        "WORKER_MEMORY",
        "METRICS_LISTEN",
    ] {
        command.env_remove(format!("IOTA_{name}"));
    }
}

/// What one run did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

pub(crate) fn run(args: &[&str]) -> Ran {
    iota().args(args).stdin(Stdio::null()).output().unwrap().into()
}

/// A run over inputs with rules, with its alerts and accounting.
pub(crate) struct Detected {
    pub(crate) code: Option<i32>,
    pub(crate) alerts: Vec<Json>,
    pub(crate) stats: Json,
    pub(crate) stderr: String,
}

impl Detected {
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.stats.pointer(pointer).and_then(Json::as_u64).unwrap_or_else(|| panic!("no {pointer} in {:#}", self.stats))
    }

    pub(crate) fn titles(&self) -> Vec<&str> {
        self.alerts.iter().map(|alert| alert["title"].as_str().expect("a title")).collect()
    }

    /// Rule id and function of each kind of rule error.
    pub(crate) fn rule_errors(&self) -> Vec<(String, String, String)> {
        let text = |error: &Json, name: &str| error[name].as_str().expect("text").to_owned();
        let errors = self.stats["rule_errors"].as_array().expect("a list");
        errors.iter().map(|error| (text(error, "rule"), text(error, "function"), text(error, "type"))).collect()
    }
}

pub(crate) fn detect(args: &[&str]) -> Detected {
    let directory = tempfile::tempdir().unwrap();
    let stats = directory.path().join("stats.json");
    let ran = run(&[&["run", "--now", NOW, "--stats", stats.to_str().unwrap()], args].concat());
    let alerts = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let stats = fs::read(&stats).map_or(Json::Null, |bytes| serde_json::from_slice(&bytes).expect("JSON"));
    Detected { code: ran.code, alerts, stats, stderr: ran.stderr }
}

/// A directory with files in it.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let all = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            all.write(name, text.as_bytes());
        }
        all
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn root(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// A rule that matches every record, titled with its event name.
pub(crate) const EVERY: &str = "def rule(event):\n    return True\n\ndef title(event):\n    return str(event.get('eventName'))\n";

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
