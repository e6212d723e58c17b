//! A pack: its rules, helpers, data models and everything that is wrong with them, from one snapshot.

use super::definition::Rule;
use super::metadata::{DataModel, GlobalModule};
use super::problem::{Level, Problem};
use super::read::read_pack;
use super::snapshot::Snapshot;
use crate::digest::hex;
use crate::text::did_you_mean;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

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
    /// Rules that do not run because of what is wrong with their metadata. Python can still say what it makes of them.
    pub unusable: Vec<Rule>,
    /// The metadata files that speak of a rule, whatever is wrong with them.
    pub declarations: BTreeSet<String>,
    pub problems: Vec<Problem>,
}

impl Pack {
    /// Reads a snapshot. `directory_name` names the pack unless its `pack.yaml` does.
    pub fn read(directory_name: &str, snapshot: Snapshot, engine_version: &str) -> Self {
        read_pack(directory_name, snapshot, engine_version)
    }

    pub fn configure(&mut self, overrides: &Map<String, Json>) -> Result<(), String> {
        for (name, value) in overrides {
            let Some(default) = self.config.get_mut(name) else {
                let hint = did_you_mean(name, self.config.keys().map(String::as_str));
                return Err(format!("pack {} has no config value `{name}`{hint}", self.name));
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
    pub(super) fn set_versions(&mut self) {
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
            let path = rule.declaration();
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

    /// The ids the pack speaks of: also former ones, and those of rules that are not run or cannot be.
    pub fn known_ids(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().flat_map(|rule| std::iter::once(&rule.id).chain(&rule.aliases)).map(String::as_str);
        let skipped = self.skipped.iter().filter_map(|skipped| skipped.id.as_deref());
        rules.chain(skipped).chain(self.problems.iter().filter_map(|problem| problem.rule_id.as_deref()))
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

#[cfg(test)]
mod tests {
    use super::super::definition::{Code, Dialect};
    use super::*;
    use crate::alert::Severity;

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
    fn everything_that_is_wrong_with_a_rule_is_told_and_it_does_not_run() {
        let yml = "AnalysisType: rule\nRuleID: a\nFilename: a.py\nSeverity: Hihg\nTreshold: 3\nDedupPeriodMinutes: 0\nTags: none\nLogTypes: [aws.cloudtrail]\nTests:\n  - {Name: t, Log: {}}\n";
        let derived = "AnalysisType: rule\nRuleID: b\nBaseDetection: a\n";
        let pack = pack(&[("a.yml", yml), ("a.py", RULE), ("b.yml", derived)]);
        assert_eq!(
            problems(&pack),
            [
                "a.yml:5: error[unknown-key]: unknown key `Treshold`; did you mean `Threshold`?",
                "a.yml:7: error[bad-metadata]: Tags: a list is expected",
                "a.yml:4: error[bad-severity]: \"Hihg\" is not a severity (INFO, LOW, MEDIUM, HIGH, CRITICAL)",
                "a.yml:6: error[bad-metadata]: DedupPeriodMinutes must be at least 1",
                "a.yml:2: error[bad-metadata]: unknown log type `aws.cloudtrail`; did you mean `AWS.CloudTrail`?",
                "a.yml:10: error[test-without-expectation]: test `t` has no ExpectedResult",
                "b.yml:3: error[bad-metadata]: BaseDetection: the metadata of rule `a` has errors",
            ]
        );
        let unusable: Vec<_> = pack.unusable.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!((pack.rules.len(), unusable), (0, vec!["a"]));
        assert_eq!(pack.declarations.len(), 2);
    }

    #[test]
    fn code_does_not_run_without_its_metadata_whatever_is_wrong_with_it() {
        for broken in [
            "AnalysisType: rule\nRuleID: a\nFilename: code.py\nDetection: []\n",
            "AnalysisType: rule\nRuleID: a\nFilename: code.py\nBaseDetection: nowhere\n",
            "AnalysisType: rule\nRuleID: a\nFilename: code.py\nSeverity: SEVERE\n",
            "AnalysisType: rule\nRuleID: a\nFilename: code.py\nTags: none\n",
            "AnalysisType: rul\nRuleID: a\nFilename: code.py\n",
        ] {
            let pack = pack(&[("a.yml", broken), ("code.py", RULE)]);
            assert!(pack.rules.is_empty() && pack.problems.len() == 1, "{broken}: {:?}", pack.rules);
        }
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
