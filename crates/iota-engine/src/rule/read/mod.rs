//! From the files of a snapshot to a pack: which file is what, and all that is wrong, instead of the first of it.
//! Knows no Python: what it finds may still not load.

mod rules;
mod undeclared;

use super::definition::{Dialect, Rule};
use super::metadata::{DataModel, DataModelFile, GlobalFile, GlobalModule, Head, RuleFile};
use super::pack::{Pack, Unloaded};
use super::pack_file::{PACK_FILES, PackFile};
use super::problem::Level;
use super::snapshot::Snapshot;
use crate::text::did_you_mean;
use crate::yaml::{YamlError, from_yaml, from_yaml_with_all_errors};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

struct Reader {
    pack: Pack,
    dialect: Option<Dialect>,
    /// Each `AnalysisType: rule`.
    rule_files: Vec<Declared>,
    /// Python files that some metadata names.
    claimed: BTreeSet<String>,
}

/// A metadata file of a rule, as far as it can be read.
struct Declared {
    path: String,
    file: RuleFile,
    /// All of it could be read.
    whole: bool,
}

/// Reads a snapshot. `directory_name` names the pack unless its `pack.yaml` does.
pub(super) fn read_pack(directory_name: &str, snapshot: Snapshot, engine_version: &str) -> Pack {
    let mut reader = Reader {
        pack: Pack {
            name: directory_name.to_owned(),
            snapshot: Snapshot::new(BTreeMap::new()),
            config: Map::new(),
            lookup_tables: Map::new(),
            rules: Vec::new(),
            globals: Vec::new(),
            data_models: Vec::new(),
            skipped: Vec::new(),
            unusable: Vec::new(),
            declarations: BTreeSet::new(),
            problems: Vec::new(),
        },
        dialect: None,
        rule_files: Vec::new(),
        claimed: BTreeSet::new(),
    };
    reader.pack_file(&snapshot, engine_version);
    reader.metadata(&snapshot);
    reader.rules(&snapshot);
    reader.undeclared(&snapshot);
    reader.finish(snapshot)
}

impl Reader {
    fn yaml_error(&mut self, path: &str, rule_id: Option<&str>, error: YamlError) {
        let code = if error.unknown_key { "unknown-key" } else { "bad-metadata" };
        self.pack.error(code, path, error.line, rule_id, error.message);
    }

    fn pack_file(&mut self, snapshot: &Snapshot, engine_version: &str) {
        let Some((path, bytes)) = PACK_FILES.iter().find_map(|path| Some((*path, snapshot.get(path)?))) else { return };
        match PackFile::parse(bytes, engine_version) {
            Ok(file) => {
                self.dialect = file.dialect;
                if let Some(name) = file.name {
                    self.pack.name = name;
                }
                self.pack.config = file.config;
                for (name, table) in file.lookup_tables {
                    match lookup_table(snapshot, table) {
                        Ok(rows) => {
                            self.pack.lookup_tables.insert(name, rows);
                        }
                        Err(message) => {
                            self.pack.error("bad-lookup-table", path, 0, None, format!("lookup table `{name}`: {message}"));
                        }
                    }
                }
            }
            Err(error) => self.yaml_error(path, None, error),
        }
    }

    fn metadata(&mut self, snapshot: &Snapshot) {
        for (path, bytes) in snapshot.yaml() {
            let head: Head = match from_yaml(bytes) {
                Ok(head) => head,
                Err(error) => {
                    self.claim_named_by(path, bytes);
                    self.yaml_error(path, None, error);
                    continue;
                }
            };
            let Some(kind) = head.analysis_type else {
                if snapshot.get(&same_stem(path)).is_some() {
                    let message = "no AnalysisType: not read as metadata; add `AnalysisType: rule`".to_owned();
                    self.pack.problem(Level::Warning, "no-analysis-type", path, 1, None, message);
                }
                continue;
            };
            match kind.value.as_str() {
                "rule" => {
                    self.pack.declarations.insert(path.to_owned());
                    let (file, errors) = from_yaml_with_all_errors::<RuleFile>(bytes);
                    match file {
                        Some(file) => {
                            self.rule_files.push(Declared { path: path.to_owned(), file, whole: errors.is_empty() });
                        }
                        None => self.claim_named_by(path, bytes),
                    }
                    for error in errors {
                        self.yaml_error(path, head.rule_id.as_deref(), error);
                    }
                }
                "global" => self.global(path, bytes),
                "datamodel" => self.data_model(snapshot, path, bytes),
                "scheduled_rule" | "correlation_rule" | "policy" | "lookup_table" | "pack" | "saved_query"
                | "scheduled_query" => {
                    self.claim_named_by(path, bytes);
                    let reason = format!("AnalysisType {}: iota runs rules on CloudTrail records only", kind.value);
                    self.pack.skipped.push(Unloaded { path: path.to_owned(), id: head.rule_id, reason });
                }
                other => {
                    self.claim_named_by(path, bytes);
                    let known = ["rule", "global", "datamodel", "scheduled_rule", "correlation_rule", "policy"];
                    let message = format!("unknown AnalysisType `{other}`{}", did_you_mean(other, known));
                    self.pack.error("bad-metadata", path, kind.referenced.line(), None, message);
                }
            }
        }
    }

    /// A Python file belongs to its metadata even when that is broken or not run: it must not run without it.
    fn claim_named_by(&mut self, path: &str, bytes: &[u8]) {
        #[derive(Deserialize)]
        struct Named {
            #[serde(rename = "Filename")]
            filename: Option<String>,
        }
        let filename = from_yaml::<Named>(bytes).ok().and_then(|named| named.filename);
        self.claimed.insert(filename.map_or_else(|| same_stem(path), |name| beside(path, &name)));
    }

    fn global(&mut self, path: &str, bytes: &[u8]) {
        match from_yaml::<GlobalFile>(bytes) {
            Ok(file) => {
                let python = beside(path, &file.filename);
                self.claimed.insert(python.clone());
                self.pack.globals.push(GlobalModule { id: file.global_id, path: python });
            }
            Err(error) => self.yaml_error(path, None, error),
        }
    }

    fn data_model(&mut self, snapshot: &Snapshot, path: &str, bytes: &[u8]) {
        match from_yaml::<DataModelFile>(bytes) {
            Ok(file) if file.enabled == Some(false) => {
                self.pack.skipped.push(Unloaded {
                    path: path.to_owned(),
                    id: Some(file.data_model_id),
                    reason: "disabled".to_owned(),
                });
            }
            Ok(file) => {
                let python = file.filename.map(|name| beside(path, &name));
                self.claimed.extend(python.clone());
                if let Some(missing) = python.as_ref().filter(|python| snapshot.get(python).is_none()) {
                    self.pack.error("missing-file", path, 0, None, format!("Filename: there is no {missing} in the pack"));
                }
                for mapping in file.mappings.iter().filter(|mapping| mapping.path.is_some() == mapping.method.is_some()) {
                    self.pack.error(
                        "bad-metadata",
                        path,
                        0,
                        None,
                        format!("mapping {}: exactly one of Path and Method is needed", mapping.name),
                    );
                }
                let (id, log_types, mappings) = (file.data_model_id, file.log_types, file.mappings);
                self.pack.data_models.push(DataModel { id, path: path.to_owned(), python, log_types, mappings });
            }
            Err(error) => self.yaml_error(path, None, error),
        }
    }

    fn finish(mut self, snapshot: Snapshot) -> Pack {
        self.pack.rules.sort_by(|a, b| (&a.id, a.path()).cmp(&(&b.id, b.path())));
        let mut kept: Vec<Rule> = Vec::new();
        for rule in std::mem::take(&mut self.pack.rules) {
            if let Some(first) = kept.last().filter(|first| first.id == rule.id) {
                let (here, there) = (rule.declaration().to_owned(), first.declaration());
                let message = format!("rule id `{}` is also used by {there}, which comes first; this one does not run", rule.id);
                self.pack.error("duplicate-id", &here, rule.line, Some(&rule.id), message);
                self.pack.unusable.push(rule);
                continue;
            }
            kept.push(rule);
        }
        self.pack.rules = kept;
        self.pack.snapshot = snapshot;
        self.pack.set_versions();
        self.pack
    }
}

/// The Python file with the name of a metadata file.
fn same_stem(metadata: &str) -> String {
    format!("{}.py", metadata.rsplit_once('.').map_or(metadata, |(stem, _)| stem))
}

/// A file named by metadata, relative to the pack.
fn beside(metadata: &str, name: &str) -> String {
    let directory = metadata.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn lookup_table(snapshot: &Snapshot, table: Json) -> Result<Json, String> {
    match table {
        Json::Object(_) => Ok(table),
        Json::String(path) => {
            let bytes = snapshot.get(&path).ok_or_else(|| format!("there is no {path} in the pack"))?;
            // YAML contains JSON.
            let rows: Json = from_yaml(bytes).map_err(|error| format!("{path}:{}: {}", error.line, error.message))?;
            if rows.is_object() { Ok(rows) } else { Err(format!("{path} must be a mapping from key to row")) }
        }
        _ => Err("must be a mapping from key to row, or the path of a file that holds one".to_owned()),
    }
}
