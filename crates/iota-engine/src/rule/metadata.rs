//! The YAML beside rules: the full key set of Panther-style metadata. Unknown keys are errors.
//! Raw types first (`*File`); only checked ones leave this folder.

use serde::Deserialize;
use serde_json::Value as Json;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Just enough of any metadata file to know what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    #[serde(rename = "AnalysisType")]
    pub(super) analysis_type: Option<Spanned<String>>,
    #[serde(rename = "RuleID")]
    pub(super) rule_id: Option<String>,
}

/// `AnalysisType: rule`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RuleFile {
    #[serde(rename = "AnalysisType")]
    _analysis_type: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) filename: Option<Spanned<String>>,
    pub(super) detection: Option<Json>,
    #[serde(rename = "RuleID")]
    pub(super) rule_id: Option<Spanned<String>>,
    pub(super) log_types: Option<Vec<String>>,
    pub(super) severity: Option<Spanned<String>>,
    pub(super) description: Option<String>,
    #[serde(rename = "DisplayName")]
    _display_name: Option<String>,
    pub(super) dedup_period_minutes: Option<Spanned<u32>>,
    pub(super) threshold: Option<Spanned<u32>>,
    pub(super) inline_filters: Option<Json>,
    pub(super) reference: Option<String>,
    pub(super) runbook: Option<String>,
    #[serde(rename = "Status")]
    _status: Option<String>,
    #[serde(rename = "SummaryAttributes")]
    _summary_attributes: Option<Vec<String>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) reports: Option<BTreeMap<String, Vec<String>>>,
    pub(super) tests: Option<Vec<TestFile>>,
    pub(super) output_ids: Option<Vec<String>>,
    pub(super) create_alert: Option<bool>,
    pub(super) created_by: Option<String>,
    pub(super) base_detection: Option<Spanned<String>>,
    pub(super) dynamic_severities: Option<Json>,
    pub(super) alert_title: Option<String>,
    pub(super) alert_context: Option<Json>,
    pub(super) group_by: Option<Json>,
    #[serde(rename = "aliases", alias = "Aliases")]
    pub(super) aliases: Option<Vec<String>>,
}

impl RuleFile {
    /// A derived rule: its own keys over those of its base. Tests are never inherited.
    pub(super) fn over(self, base: &RuleFile) -> RuleFile {
        let base = base.clone();
        let code = self.filename.is_none() && self.detection.is_none();
        RuleFile {
            _analysis_type: None,
            enabled: self.enabled.or(base.enabled),
            filename: if code { base.filename } else { self.filename },
            detection: if code { base.detection } else { self.detection },
            rule_id: self.rule_id,
            log_types: self.log_types.or(base.log_types),
            severity: self.severity.or(base.severity),
            description: self.description.or(base.description),
            _display_name: None,
            dedup_period_minutes: self.dedup_period_minutes.or(base.dedup_period_minutes),
            threshold: self.threshold.or(base.threshold),
            inline_filters: self.inline_filters.or(base.inline_filters),
            reference: self.reference.or(base.reference),
            runbook: self.runbook.or(base.runbook),
            _status: None,
            _summary_attributes: None,
            tags: self.tags.or(base.tags),
            reports: self.reports.or(base.reports),
            tests: self.tests,
            output_ids: self.output_ids.or(base.output_ids),
            create_alert: self.create_alert.or(base.create_alert),
            created_by: self.created_by.or(base.created_by),
            base_detection: self.base_detection,
            dynamic_severities: self.dynamic_severities.or(base.dynamic_severities),
            alert_title: self.alert_title.or(base.alert_title),
            alert_context: self.alert_context.or(base.alert_context),
            group_by: self.group_by.or(base.group_by),
            aliases: self.aliases,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TestFile {
    pub(super) name: Spanned<String>,
    pub(super) expected_result: Option<bool>,
    pub(super) log: Option<Json>,
    pub(super) log_type: Option<String>,
    pub(super) expected_destinations: Option<Vec<String>>,
    #[serde(default)]
    pub(super) mocks: Vec<Mock>,
}

/// Replaces a name in the rule's module for one test.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mock {
    pub object_name: String,
    pub return_value: Json,
}

/// One test of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    pub name: String,
    pub line: u64,
    pub expected_result: bool,
    pub log: Json,
    pub log_type: Option<String>,
    pub expected_destinations: Option<Vec<String>>,
    pub mocks: Vec<Mock>,
}

/// `AnalysisType: global`: a module that rules import by its id.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GlobalFile {
    #[serde(rename = "AnalysisType")]
    _analysis_type: String,
    #[serde(rename = "GlobalID")]
    pub(super) global_id: String,
    pub(super) filename: String,
    #[serde(rename = "Description")]
    _description: Option<String>,
    #[serde(rename = "DisplayName")]
    _display_name: Option<String>,
    #[serde(rename = "Tags")]
    _tags: Option<Vec<String>>,
    #[serde(rename = "Reference")]
    _reference: Option<String>,
    #[serde(rename = "Enabled")]
    _enabled: Option<bool>,
    #[serde(rename = "CreatedBy")]
    _created_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalModule {
    pub id: String,
    pub path: String,
}

/// `AnalysisType: datamodel`: names for `event.udm`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DataModelFile {
    #[serde(rename = "AnalysisType")]
    _analysis_type: String,
    #[serde(rename = "DataModelID")]
    pub(super) data_model_id: String,
    pub(super) filename: Option<String>,
    pub(super) log_types: Vec<String>,
    pub(super) mappings: Vec<Mapping>,
    pub(super) enabled: Option<bool>,
    #[serde(rename = "DisplayName")]
    _display_name: Option<String>,
    #[serde(rename = "Description")]
    _description: Option<String>,
    #[serde(rename = "CreatedBy")]
    _created_by: Option<String>,
}

/// A name and where its value comes from: a JSON path or a function of the data model's module.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Mapping {
    pub name: String,
    pub path: Option<String>,
    pub method: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataModel {
    pub id: String,
    pub path: String,
    pub python: Option<String>,
    pub log_types: Vec<String>,
    pub mappings: Vec<Mapping>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::from_yaml;

    #[test]
    fn unknown_keys_name_the_line_and_the_likely_key() {
        let yaml = b"AnalysisType: rule\nRuleID: a\nServerity: HIGH\n";
        let error = from_yaml::<RuleFile>(yaml).expect_err("a misspelt key");
        assert_eq!((error.line, error.message.as_str()), (3, "unknown key `Serverity`; did you mean `Severity`?"));
        let error = from_yaml::<RuleFile>(b"Tests:\n  - Name: x\n    Expected: true\n").expect_err("nested");
        assert_eq!((error.line, error.unknown_key), (3, true));
    }

    #[test]
    fn logs_keep_their_types() {
        let yaml = br#"
Tests:
  - Name: types
    ExpectedResult: true
    Log:
      text: "123456789012"
      number: 123456789012
      big: 9007199254740993
      float: 1.5
      no: null
      tilde: ~
      list: [true, "true", yes-text]
      nested: {"a": {"b": []}}
      stamp: 2024-07-15T00:00:00Z
      country: "NO"
      account: 012345678901
"#;
        let file: RuleFile = from_yaml(yaml).expect("valid");
        let log = file.tests.expect("tests")[0].log.clone().expect("log");
        let expected = serde_json::json!({
            "text": "123456789012", "number": 123_456_789_012_i64, "big": 9_007_199_254_740_993_i64, "float": 1.5,
            "no": null, "tilde": null, "list": [true, "true", "yes-text"], "nested": {"a": {"b": []}},
            "stamp": "2024-07-15T00:00:00Z", "country": "NO", "account": "012345678901",
        });
        assert_eq!(log, expected);
    }

    #[test]
    fn duplicate_keys_are_errors() {
        assert!(from_yaml::<RuleFile>(b"RuleID: a\nRuleID: b\n").is_err());
    }
}
