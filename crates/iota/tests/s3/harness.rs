//! moto, its content, and the binary.

use assert_cmd::cargo::CommandCargoExt;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) const DAY: &str = "2024/07/15";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Address of the one moto of this test process. It ends with the process, whose pipe it reads.
pub(crate) fn moto() -> &'static str {
    static MOTO: OnceLock<(Child, ChildStdin, String)> = OnceLock::new();
    let start = || {
        let started = Command::new(root().join(".venv/bin/python"))
            .arg(root().join("tools/moto_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = started.unwrap_or_else(|why| panic!(".venv/bin/python: {why}; `make .venv/ready` installs moto"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().expect("moto did not start; `make .venv/ready` installs it");
        let stdin = child.stdin.take().unwrap();
        (child, stdin, format!("http://127.0.0.1:{port}"))
    };
    &MOTO.get_or_init(start).2
}

/// What a script of this directory says that is given this.
pub(crate) fn python(script: &str, asked: &Json) -> String {
    let mut python = Command::new(root().join(".venv/bin/python"))
        .arg(root().join("crates/iota/tests/s3").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Objects of one bucket.
#[derive(Default)]
pub(crate) struct Seed {
    pub(crate) objects: Vec<Json>,
    pub(crate) kms: bool,
    pub(crate) trails: Vec<&'static str>,
}

impl Seed {
    pub(crate) fn put(&mut self, key: &str, body: &[u8]) -> &mut Self {
        self.objects.push(json!({"key": key, "body": BASE64_STANDARD.encode(body)}));
        self
    }

    /// Makes the bucket and gives its name.
    pub(crate) fn plant(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("logs-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.plant_as(&bucket);
        bucket
    }

    pub(crate) fn plant_as(&self, bucket: &str) {
        let asked =
            json!({"endpoint": moto(), "bucket": bucket, "kms": self.kms, "objects": self.objects, "trails": self.trails});
        python("seed.py", &asked);
    }
}

/// The key of a log file in a bucket without prefix.
pub(crate) fn key(account: &str, region: &str, name: &str) -> String {
    format!("AWSLogs/{account}/CloudTrail/{region}/{DAY}/{account}_CloudTrail_{region}_20240715T1005Z_{name}.json.gz")
}

pub(crate) fn record(id: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.09","eventID":"{id}","eventName":"X","eventTime":"2024-07-15T09:5{}:00Z","n":1e400000}}"#,
        id.len() % 10
    )
    .replace("1e400000", "12345678901234567890")
}

pub(crate) fn log(ids: &[&str]) -> Vec<u8> {
    let records: Vec<_> = ids.iter().map(|id| record(id)).collect();
    gzip(format!(r#"{{"Records":[{}]}}"#, records.join(",")).as_bytes())
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A directory to sync into, and where S3 is, if not at the endpoint of the command.
pub(crate) struct Target(pub(crate) tempfile::TempDir, pub(crate) Option<String>);

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) stats: Json,
}

impl Ran {
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.stats[name].as_u64().unwrap_or_else(|| panic!("no {name}: {} {}", self.stats, self.stderr))
    }

    /// The sums that must always hold.
    pub(crate) fn check(&self) -> &Self {
        let skipped: u64 = self.stats["records_skipped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        let parts = self.count("records_written") + self.count("records_duplicate") + self.count("records_rejected") + skipped;
        assert_eq!(self.count("records_read"), parts, "{}", self.stats);
        self
    }
}

pub(crate) struct Running(Child);

impl Running {
    /// As SIGTERM ends it.
    pub(crate) fn end(mut self) -> Option<i32> {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Target {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), None)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, endpoint: &str, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("iota").unwrap();
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "IOTA_INGEST_CONFIG", "IOTA_LOG", "HTTP_PROXY", "http_proxy"] {
            command.env_remove(name);
        }
        command
            .current_dir(self.0.path())
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")])
            .env("AWS_ENDPOINT_URL", endpoint)
            .envs(self.1.iter().map(|url| ("AWS_ENDPOINT_URL_S3", url)))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(args)
            .stdin(Stdio::null());
        command
    }

    /// Something that goes on until it is ended.
    pub(crate) fn start(&self, endpoint: &str, args: &[&str]) -> Running {
        Running(self.command(endpoint, args).spawn().unwrap())
    }

    pub(crate) fn run(&self, endpoint: &str, args: &[&str]) -> Ran {
        let output = self.command(endpoint, args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        // Nothing in it yet: somebody else is at work here.
        let stats =
            fs::read(self.path("stats.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr), stats }
    }

    pub(crate) fn ingest(&self, args: &[&str]) -> Ran {
        self.ingest_from(moto(), args)
    }

    pub(crate) fn ingest_from(&self, endpoint: &str, args: &[&str]) -> Ran {
        let ran = self.run(endpoint, &[&["ingest", "--stats", "stats.json"], args].concat());
        if ran.stats != Json::Null {
            ran.check();
        }
        ran
    }

    /// Each line of the events directory with the directory that it is in, sorted.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        collect(&self.path("events"), &self.path("events"), &mut all);
        all.sort();
        all
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let id = |line: &str| serde_json::from_str::<Json>(line).unwrap()["eventID"].as_str().unwrap().to_owned();
        let mut ids: Vec<_> = self.lines().iter().map(|(_, line)| id(line)).collect();
        ids.sort();
        ids
    }
}

fn collect(root: &Path, directory: &Path, all: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, all);
        } else {
            let place = path.parent().unwrap().strip_prefix(root).unwrap().display().to_string();
            all.extend(fs::read_to_string(&path).unwrap().lines().map(|line| (place.clone(), line.to_owned())));
        }
    }
}
