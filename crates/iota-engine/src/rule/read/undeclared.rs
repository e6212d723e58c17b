//! Python files that no metadata names: rules of the plain dialect when they define `rule`.

use super::super::definition::{Code, Dialect, Rule, WINDOW_MINUTES};
use super::super::pack::Unloaded;
use super::super::snapshot::Snapshot;
use super::Reader;
use serde_json::Value as Json;
use std::collections::BTreeSet;

impl Reader {
    pub(super) fn undeclared(&mut self, snapshot: &Snapshot) {
        let globals: BTreeSet<&str> =
            self.pack.globals.iter().filter_map(|module| module.path.rsplit_once('/').map(|(dir, _)| dir)).collect();
        let mut found = Vec::new();
        for (path, bytes) in snapshot.python() {
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            let helper =
                name.starts_with('_') || directory.split('/').any(|part| part == "helpers") || globals.contains(directory);
            if self.claimed.contains(path) || helper || !defines_rule(bytes) {
                continue;
            }
            if self.dialect == Some(Dialect::Panther) {
                let reason = "no .yml names this file".to_owned();
                self.pack.skipped.push(Unloaded { path: path.to_owned(), id: None, reason });
                continue;
            }
            found.push(plain_rule(path, name.trim_end_matches(".py")));
        }
        self.pack.rules.extend(found);
    }
}

fn plain_rule(path: &str, stem: &str) -> Rule {
    Rule {
        id: stem.to_owned(),
        dialect: Dialect::Plain,
        code: Code::Python(path.to_owned()),
        metadata: None,
        base: None,
        line: 1,
        declared: false,
        enabled: true,
        severity: None,
        description: None,
        runbook: None,
        reference: None,
        author: None,
        tags: Vec::new(),
        attack: Vec::new(),
        window_minutes: WINDOW_MINUTES,
        threshold: 1,
        create_alert: true,
        output_ids: Vec::new(),
        aliases: Vec::new(),
        inline_filters: Json::Null,
        dynamic_severities: Json::Null,
        alert_title: None,
        alert_context: Json::Null,
        group_by: Json::Null,
        tests: Vec::new(),
        version: String::new(),
    }
}

/// Whether a source may define `rule` at its top level. Only a pre-selection: what is a rule CPython decides.
fn defines_rule(source: &[u8]) -> bool {
    source.split(|&byte| byte == b'\n').any(|line| {
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let mut words = line.split(|byte| !word(byte)).filter(|word| !word.is_empty());
        match words.next() {
            Some(b"def" | b"from" | b"import" | b"async" | b"class") => words.any(|word| word == b"rule"),
            Some(b"rule") => {
                let rest = line.trim_ascii_start().strip_prefix(b"rule").unwrap_or_default().trim_ascii_start();
                rest.first().is_some_and(|byte| matches!(byte, b'=' | b':' | b','))
            }
            _ => false,
        }
    })
}
