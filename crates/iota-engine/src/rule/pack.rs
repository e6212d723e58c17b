//! A pack: its rules, helpers, data models and everything that is wrong with them, from one snapshot.
//! Collects all problems instead of stopping at the first.

use super::metadata::{DataModel, DataModelFile, GlobalFile, GlobalModule, Head, RuleFile, RuleTest, TestFile};
use super::pack_file::PackFile;
use super::problem::{Level, Problem};
use super::snapshot::{PACK_FILES, Snapshot};
use crate::alert::Severity;
use crate::digest::hex;
use crate::yaml::{YamlError, from_yaml, suggestion};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The log type of the records iota reads.
pub const LOG_TYPE: &str = "AWS.CloudTrail";
/// Window when the metadata states none, in minutes.
const WINDOW_MINUTES: u32 = 60;

/// How strictly a rule's functions and events behave (docs/RULES.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    Plain,
    Panther,
}

/// Where a rule's logic is.
#[derive(Debug, Clone, PartialEq)]
pub enum Code {
    /// A Python file of the pack.
    Python(String),
    /// Match expressions in the metadata.
    Detection(Json),
}

/// A rule as the files describe it.
#[derive(Debug, Clone)]
pub struct Rule {
    pub id: String,
    pub dialect: Dialect,
    pub code: Code,
    /// The metadata file, if there is one.
    pub metadata: Option<String>,
    /// The metadata file of the rule it is derived from.
    pub base: Option<String>,
    /// Line of the rule's id there.
    pub line: u64,
    /// A `.yml` says that this is a rule; otherwise only a `rule` function makes it one.
    pub declared: bool,
    pub enabled: bool,
    pub display_name: Option<String>,
    pub severity: Option<Severity>,
    pub description: Option<String>,
    pub runbook: Option<String>,
    pub reference: Option<String>,
    pub author: Option<String>,
    pub tags: Vec<String>,
    pub attack: Vec<String>,
    pub window_minutes: u32,
    pub threshold: u32,
    /// False: matches are signals, recorded but not alerted.
    pub create_alert: bool,
    pub aliases: Vec<String>,
    pub output_ids: Vec<String>,
    pub inline_filters: Json,
    pub dynamic_severities: Json,
    pub alert_title: Option<String>,
    pub alert_context: Json,
    pub group_by: Json,
    pub tests: Vec<RuleTest>,
    /// Changes whenever what the rule does may change.
    pub version: String,
}

impl Rule {
    /// The files that make the rule: its code, its metadata, the metadata it is derived from.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let metadata = self.metadata.as_deref().filter(|path| *path != self.path());
        std::iter::once(self.path()).chain(metadata).chain(self.base.as_deref())
    }

    /// The file to look at for this rule.
    pub fn path(&self) -> &str {
        match (&self.code, &self.metadata) {
            (Code::Python(path), _) | (Code::Detection(_), Some(path)) => path,
            (Code::Detection(_), None) => "",
        }
    }
}

/// Something in the pack that is not run, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unloaded {
    pub path: String,
    pub id: Option<String>,
    pub reason: String,
}

/// Everything known of a pack before Python has seen it.
#[derive(Debug, Clone)]
pub struct Pack {
    pub name: String,
    pub snapshot: Snapshot,
    pub config: Map<String, Json>,
    pub lookup_tables: Map<String, Json>,
    /// In order of id.
    pub rules: Vec<Rule>,
    pub globals: Vec<GlobalModule>,
    pub data_models: Vec<DataModel>,
    pub skipped: Vec<Unloaded>,
    pub problems: Vec<Problem>,
}

impl Pack {
    /// Reads a snapshot. `directory_name` names the pack unless its `pack.yaml` does.
    pub fn read(directory_name: &str, snapshot: Snapshot, engine_version: &str) -> Self {
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

    /// Overrides `config:` values. Fails on unknown names and on values of another type.
    pub fn configure(&mut self, overrides: &Map<String, Json>) -> Result<(), String> {
        for (name, value) in overrides {
            let Some(default) = self.config.get_mut(name) else {
                let known =
                    suggestion(name, self.config.keys().map(String::as_str)).map(|known| format!("; did you mean `{known}`?"));
                return Err(format!("pack {} has no config value `{name}`{}", self.name, known.unwrap_or_default()));
            };
            let same = |one: &Json, other: &Json| std::mem::discriminant(one) == std::mem::discriminant(other);
            let element = default.as_array().and_then(|list| list.first());
            let odd = element.and_then(|element| value.as_array()?.iter().find(|item| !same(element, item)));
            if let Some((odd, element)) = odd.zip(element) {
                let (pack, kind) = (&self.name, kind(element));
                return Err(format!("config value `{name}` of pack {pack}: every element must be {kind}, not {odd}"));
            }
            if !same(default, value) && !default.is_null() {
                return Err(format!("config value `{name}` of pack {} must be {}, not {value}", self.name, kind(default)));
            }
            *default = value.clone();
        }
        self.set_versions();
        Ok(())
    }

    /// A rule's version covers its own files, every file that is no rule's own (any rule may use it) and the pack's
    /// configuration.
    fn set_versions(&mut self) {
        let own: BTreeSet<&str> = self.rules.iter().flat_map(Rule::files).collect();
        let mut shared = Sha256::new();
        for (path, bytes) in self.snapshot.files().filter(|(path, _)| !own.contains(path)) {
            shared.update(path.as_bytes());
            shared.update(Sha256::digest(bytes));
        }
        shared.update(Json::Object(self.config.clone()).to_string());
        let shared = shared.finalize();
        let versions: Vec<String> = self
            .rules
            .iter()
            .map(|rule| {
                let mut hash = Sha256::new();
                for path in rule.files() {
                    hash.update(Sha256::digest(self.snapshot.get(path).unwrap_or_default()));
                }
                hash.update(shared);
                hex(&hash.finalize()[..6])
            })
            .collect();
        for (rule, version) in self.rules.iter_mut().zip(versions) {
            rule.version = version;
        }
    }

    /// Adds what is not wrong but suspicious, or good to know.
    pub fn lint(&mut self) {
        for rule in self.rules.clone() {
            let path = rule.metadata.as_deref().unwrap_or(rule.path());
            if rule.tests.is_empty() {
                let message = format!("rule `{}` has no test", rule.id);
                self.problem(Level::Warning, "rule-without-test", path, rule.line, Some(&rule.id), message);
            }
            if !rule.enabled {
                self.problem(Level::Note, "disabled", path, rule.line, Some(&rule.id), format!("rule `{}` is disabled", rule.id));
            }
        }
        for skipped in self.skipped.clone() {
            self.problem(Level::Note, "skipped", &skipped.path, 0, skipped.id.as_deref(), format!("not run: {}", skipped.reason));
        }
    }

    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    pub fn error(&mut self, code: &'static str, path: &str, line: u64, rule_id: Option<&str>, message: String) {
        self.problem(Level::Error, code, path, line, rule_id, message);
    }

    pub fn problem(&mut self, level: Level, code: &'static str, path: &str, line: u64, rule_id: Option<&str>, message: String) {
        let rule_id = rule_id.map(str::to_owned);
        self.problems.push(Problem { level, code, pack: self.name.clone(), path: path.to_owned(), line, rule_id, message });
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    }
}

struct Reader {
    pack: Pack,
    dialect: Option<Dialect>,
    /// Path and content of each `AnalysisType: rule`.
    rule_files: Vec<(String, RuleFile)>,
    /// Python files that some metadata names.
    claimed: BTreeSet<String>,
}

impl Reader {
    fn yaml_error(&mut self, path: &str, error: YamlError) {
        let code = if error.unknown_key { "unknown-key" } else { "bad-metadata" };
        self.pack.error(code, path, error.line, None, error.message);
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
            Err(error) => self.yaml_error(path, error),
        }
    }

    fn metadata(&mut self, snapshot: &Snapshot) {
        for (path, bytes) in snapshot.yaml() {
            let head: Head = match from_yaml(bytes) {
                Ok(head) => head,
                Err(error) => {
                    self.claim_named_by(path, bytes);
                    self.yaml_error(path, error);
                    continue;
                }
            };
            let Some(kind) = head.analysis_type else {
                let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
                if snapshot.get(&format!("{stem}.py")).is_some() {
                    let message = "no AnalysisType: not read as metadata; add `AnalysisType: rule`".to_owned();
                    self.pack.problem(Level::Warning, "no-analysis-type", path, 1, None, message);
                }
                continue;
            };
            match kind.value.as_str() {
                "rule" => match from_yaml::<RuleFile>(bytes) {
                    Ok(file) => self.rule_files.push((path.to_owned(), file)),
                    Err(error) => {
                        self.claim_named_by(path, bytes);
                        self.yaml_error(path, error);
                    }
                },
                "global" => self.global(path, bytes),
                "datamodel" => self.data_model(snapshot, path, bytes),
                "scheduled_rule" | "correlation_rule" | "policy" | "lookup_table" | "pack" | "saved_query"
                | "scheduled_query" => {
                    self.claim_named_by(path, bytes);
                    let reason = format!("AnalysisType {}: iota runs rules on CloudTrail records only", kind.value);
                    self.pack.skipped.push(Unloaded { path: path.to_owned(), id: head.rule_id, reason });
                }
                other => {
                    let known = ["rule", "global", "datamodel", "scheduled_rule", "correlation_rule", "policy"];
                    let hint = suggestion(other, known).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
                    let message = format!("unknown AnalysisType `{other}`{hint}");
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
        let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
        self.claimed.insert(filename.map_or_else(|| format!("{stem}.py"), |name| beside(path, &name)));
    }

    fn global(&mut self, path: &str, bytes: &[u8]) {
        match from_yaml::<GlobalFile>(bytes) {
            Ok(file) => {
                let python = beside(path, &file.filename);
                self.claimed.insert(python.clone());
                self.pack.globals.push(GlobalModule { id: file.global_id, path: python });
            }
            Err(error) => self.yaml_error(path, error),
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
            Err(error) => self.yaml_error(path, error),
        }
    }

    fn rules(&mut self, snapshot: &Snapshot) {
        let bases: BTreeMap<String, (String, RuleFile)> = self
            .rule_files
            .iter()
            .filter_map(|(path, file)| Some((file.rule_id.as_ref()?.value.clone(), (path.clone(), file.clone()))))
            .collect();
        for (path, mut file) in std::mem::take(&mut self.rule_files) {
            let Some(base) = file.base_detection.clone() else {
                self.rule(snapshot, &path, &path, None, file);
                continue;
            };
            let message = match bases.get(&base.value) {
                None => format!("BaseDetection: there is no rule `{}` in the pack", base.value),
                Some((_, other)) if other.base_detection.is_some() => {
                    format!("BaseDetection `{}` is a derived rule itself", base.value)
                }
                Some((base_path, other)) => {
                    let own_code = file.filename.is_some() || file.detection.is_some();
                    let code_path = if own_code { path.clone() } else { base_path.clone() };
                    file = file.over(other);
                    self.rule(snapshot, &path, &code_path, Some(base_path.clone()), file);
                    continue;
                }
            };
            self.pack.error("bad-metadata", &path, base.referenced.line(), None, message);
        }
    }

    /// `code_path` is the metadata file that `Filename` is relative to, `base` that of the rule this one is derived from.
    fn rule(&mut self, snapshot: &Snapshot, path: &str, code_path: &str, base: Option<String>, file: RuleFile) {
        let line = file.rule_id.as_ref().map_or(1, |id| id.referenced.line());
        let stem =
            |path: &str| path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or(path, |(stem, _)| stem).to_owned();
        let same_stem = format!("{}.py", path.rsplit_once('.').map_or(path, |(stem, _)| stem));
        let code = match (&file.filename, &file.detection) {
            (Some(name), None) => Code::Python(beside(code_path, &name.value)),
            (None, Some(detection)) => Code::Detection(detection.clone()),
            (None, None) if snapshot.get(&same_stem).is_some() => Code::Python(same_stem.clone()),
            (name, _) => {
                let line = name.as_ref().map_or(line, |name| name.referenced.line());
                self.pack.error("bad-metadata", path, line, None, "exactly one of Filename and Detection is needed".to_owned());
                return;
            }
        };
        let id = match &file.rule_id {
            Some(id) => id.value.clone(),
            None => stem(path),
        };
        if let Code::Python(python) = &code {
            self.claimed.extend([python.clone(), same_stem]);
            if snapshot.get(python).is_none() {
                let line = file.filename.as_ref().map_or(line, |name| name.referenced.line());
                self.pack.error("missing-file", path, line, Some(&id), format!("Filename: there is no {python} in the pack"));
                return;
            }
        }
        let severity = match file.severity.as_ref().map(|severity| (severity, severity.value.parse::<Severity>())) {
            None => None,
            Some((_, Ok(severity))) => Some(severity),
            Some((severity, Err(error))) => {
                self.pack.error("bad-severity", path, severity.referenced.line(), Some(&id), error.to_string());
                return;
            }
        };
        let dialect = self.dialect.unwrap_or(if file.rule_id.is_some() { Dialect::Panther } else { Dialect::Plain });
        for (name, value) in [("DedupPeriodMinutes", &file.dedup_period_minutes), ("Threshold", &file.threshold)] {
            if let Some(zero) = value.as_ref().filter(|value| value.value == 0) {
                self.pack.error("bad-metadata", path, zero.referenced.line(), Some(&id), format!("{name} must be at least 1"));
                return;
            }
        }
        if let Some(types) =
            file.log_types.as_ref().filter(|types| !types.is_empty() && !types.iter().any(|name| name == LOG_TYPE))
        {
            let reason = format!("LogTypes {}: iota reads {LOG_TYPE}", types.join(", "));
            self.pack.skipped.push(Unloaded { path: path.to_owned(), id: Some(id), reason });
            return;
        }
        let tests = self.tests(path, &id, file.tests.unwrap_or_default());
        self.pack.rules.push(Rule {
            id,
            dialect,
            code,
            metadata: Some(path.to_owned()),
            base,
            line,
            declared: true,
            enabled: file.enabled.unwrap_or(true),
            display_name: file.display_name,
            severity,
            description: file.description,
            runbook: file.runbook,
            reference: file.reference,
            author: file.created_by,
            tags: file.tags.unwrap_or_default(),
            attack: file.reports.unwrap_or_default().remove("MITRE ATT&CK").unwrap_or_default(),
            window_minutes: file.dedup_period_minutes.map_or(WINDOW_MINUTES, |minutes| minutes.value),
            threshold: file.threshold.map_or(1, |threshold| threshold.value),
            create_alert: file.create_alert.unwrap_or(true),
            aliases: file.aliases.unwrap_or_default(),
            output_ids: file.output_ids.unwrap_or_default(),
            inline_filters: file.inline_filters.unwrap_or(Json::Null),
            dynamic_severities: file.dynamic_severities.unwrap_or(Json::Null),
            alert_title: file.alert_title,
            alert_context: file.alert_context.unwrap_or(Json::Null),
            group_by: file.group_by.unwrap_or(Json::Null),
            tests,
            version: String::new(),
        });
    }

    fn tests(&mut self, path: &str, id: &str, files: Vec<TestFile>) -> Vec<RuleTest> {
        let mut tests = Vec::new();
        for file in files {
            let (name, line) = (file.name.value, file.name.referenced.line());
            let Some(expected_result) = file.expected_result else {
                let message = format!("test `{name}` has no ExpectedResult");
                self.pack.error("test-without-expectation", path, line, Some(id), message);
                continue;
            };
            let Some(log) = file.log.filter(Json::is_object) else {
                self.pack.error("test-without-log", path, line, Some(id), format!("test `{name}`: Log must be a mapping"));
                continue;
            };
            let (log_type, expected_destinations, mocks) = (file.log_type, file.expected_destinations, file.mocks);
            tests.push(RuleTest { name, line, expected_result, log, log_type, expected_destinations, mocks });
        }
        tests
    }

    /// Python files with a `rule` function that no metadata names: rules of the plain dialect.
    fn undeclared(&mut self, snapshot: &Snapshot) {
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

    fn finish(mut self, snapshot: Snapshot) -> Pack {
        self.pack.rules.sort_by(|a, b| (&a.id, a.path()).cmp(&(&b.id, b.path())));
        let mut kept: Vec<Rule> = Vec::new();
        for rule in std::mem::take(&mut self.pack.rules) {
            if let Some(first) = kept.last().filter(|first| first.id == rule.id) {
                let (here, there) = (
                    rule.metadata.as_deref().unwrap_or(rule.path()).to_owned(),
                    first.metadata.as_deref().unwrap_or(first.path()).to_owned(),
                );
                let message = format!("rule id `{}` is also used by {there}; that one runs, this one does not", rule.id);
                self.pack.error("duplicate-id", &here, rule.line, Some(&rule.id), message);
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
        display_name: None,
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
        aliases: Vec::new(),
        output_ids: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(files: &[(&str, &str)]) -> Pack {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        Pack::read("rules", Snapshot::new(files), "1.2.0")
    }

    fn problems(pack: &Pack) -> Vec<String> {
        pack.problems.iter().map(ToString::to_string).collect()
    }

    const RULE: &str = "def rule(event):\n    return True\n";

    #[test]
    fn plain_files_are_rules_by_their_stem() {
        let pack = pack(&[("a.py", RULE), ("sub/b.py", RULE), ("helpers/c.py", RULE), ("util.py", "X = 1\n"), ("_d.py", RULE)]);
        let ids: Vec<_> = pack.rules.iter().map(|rule| (rule.id.as_str(), rule.dialect, rule.declared)).collect();
        assert_eq!(ids, [("a", Dialect::Plain, false), ("b", Dialect::Plain, false)]);
        assert!(pack.problems.is_empty());
    }

    #[test]
    fn a_rule_id_makes_a_panther_rule_unless_the_pack_says_otherwise() {
        let yml = "AnalysisType: rule\nFilename: code.py\nRuleID: A.B\nSeverity: high\nThreshold: 3\n";
        let alone = pack(&[("x.yml", yml), ("code.py", RULE)]);
        let rule = &alone.rules[0];
        assert_eq!(
            (rule.id.as_str(), rule.dialect, rule.severity, rule.threshold),
            ("A.B", Dialect::Panther, Some(Severity::High), 3)
        );
        let plain = pack(&[("pack.yaml", "version: 1\nname: mine\ndialect: plain\n"), ("x.yml", yml), ("code.py", RULE)]);
        assert_eq!((plain.name.as_str(), plain.rules[0].dialect), ("mine", Dialect::Plain));
    }

    #[test]
    fn problems_name_file_and_line() {
        let pack = pack(&[
            ("pack.yaml", "version: 1\nconfg: {}\n"),
            ("a.yml", "AnalysisType: rule\nRuleID: dup\nFilename: a.py\nSeverity: SEVERE\n"),
            ("a.py", RULE),
            ("b.yml", "AnalysisType: rule\nRuleID: dup\nFilename: b.py\n"),
            ("b.py", RULE),
            ("c.yml", "AnalysisType: rule\nRuleID: dup\nFilename: c.py\nTests:\n  - Name: t\n    Log: {}\n"),
            ("c.py", RULE),
            ("d.yml", "AnalysisType: rule\nRuleID: d\nFilename: missing.py\n"),
            ("e.yml", "AnalysisType: rul\n"),
            ("f.yml", "AnalysisType: rule\n\tbad: tab\n"),
            ("g.yml", "AnalysisType: rule\nRuleID: g\nBaseDetection: nowhere\n"),
        ]);
        insta::assert_snapshot!(problems(&pack).join("\n"));
    }

    #[test]
    fn what_iota_does_not_run_is_listed() {
        let pack = pack(&[
            ("a.yml", "AnalysisType: scheduled_rule\nRuleID: s\nFilename: a.py\nScheduledQueries: [q]\n"),
            ("a.py", RULE),
            ("b.yml", "AnalysisType: rule\nRuleID: okta\nFilename: b.py\nLogTypes: [Okta.SystemLog]\n"),
            ("b.py", RULE),
        ]);
        assert!(pack.rules.is_empty() && pack.problems.is_empty(), "{:?}", problems(&pack));
        let reasons: Vec<_> = pack.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "AnalysisType scheduled_rule: iota runs rules on CloudTrail records only",
                "LogTypes Okta.SystemLog: iota reads AWS.CloudTrail"
            ]
        );
    }

    #[test]
    fn derived_rules_override_their_base() {
        let pack = pack(&[
            (
                "dir/base.yml",
                "AnalysisType: rule\nRuleID: base\nFilename: base.py\nSeverity: LOW\nThreshold: 5\nTests:\n  - {Name: t, ExpectedResult: true, Log: {}}\n",
            ),
            ("dir/base.py", RULE),
            ("derived.yml", "AnalysisType: rule\nRuleID: derived\nBaseDetection: base\nSeverity: HIGH\n"),
        ]);
        let rule = pack.rule("derived").expect("loaded");
        assert_eq!(
            (rule.code.clone(), rule.severity, rule.threshold),
            (Code::Python("dir/base.py".into()), Some(Severity::High), 5)
        );
        assert!(rule.tests.is_empty());
    }

    #[test]
    fn config_overrides_keep_types() {
        let mut pack = pack(&[("pack.yaml", "version: 1\nconfig:\n  trusted: [a]\n  limit: 3\n")]);
        let overrides = |json: &str| serde_json::from_str::<Map<String, Json>>(json).expect("valid");
        assert!(pack.configure(&overrides(r#"{"limit": 5}"#)).is_ok());
        assert_eq!(pack.config["limit"], 5);
        assert_eq!(
            pack.configure(&overrides(r#"{"limit": "x"}"#)).unwrap_err(),
            "config value `limit` of pack rules must be a number, not \"x\""
        );
        assert_eq!(
            pack.configure(&overrides(r#"{"trustd": []}"#)).unwrap_err(),
            "pack rules has no config value `trustd`; did you mean `trusted`?"
        );
    }

    #[test]
    fn the_version_follows_everything_the_rule_may_use() {
        let version = |helper: &str, rule: &str| {
            pack(&[("helpers/h.py", helper), ("a.py", rule), ("b.py", RULE)]).rule("a").expect("loaded").version.clone()
        };
        assert_ne!(version("", RULE), version("X = 1", RULE));
        assert_ne!(version("", RULE), version("", "def rule(event):\n    return False\n"));
        assert_eq!(version("", RULE), version("", RULE));
    }
}
