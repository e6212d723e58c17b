//! `AnalysisType: rule`: from metadata as written to a rule, with what it takes from the rule it is derived from.

use super::super::definition::{Code, Dialect, Rule, WINDOW_MINUTES};
use super::super::metadata::{RuleFile, RuleTest, TestFile};
use super::super::pack::Unloaded;
use super::super::snapshot::Snapshot;
use super::{Declared, Reader, beside, same_stem};
use crate::alert::Severity;
use crate::event::LOG_TYPE;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Where the metadata of a rule stands.
struct Written<'a> {
    path: &'a str,
    /// The metadata file that `Filename` is relative to.
    code_path: &'a str,
    /// That of the rule this one is derived from.
    base: Option<String>,
    /// All of it could be read.
    whole: bool,
}

impl Reader {
    pub(super) fn rules(&mut self, snapshot: &Snapshot) {
        let bases: BTreeMap<String, (String, RuleFile, bool)> = self
            .rule_files
            .iter()
            .filter_map(|of| Some((of.file.rule_id.as_ref()?.value.clone(), (of.path.clone(), of.file.clone(), of.whole))))
            .collect();
        for Declared { path, mut file, whole } in std::mem::take(&mut self.rule_files) {
            // Whatever is wrong with the metadata: the code must not run without it.
            self.claimed.insert(same_stem(&path));
            self.claimed.extend(file.filename.as_ref().map(|name| beside(&path, &name.value)));
            let Some(base) = file.base_detection.clone() else {
                self.rule(snapshot, Written { path: &path, code_path: &path, base: None, whole }, file);
                continue;
            };
            let message = match bases.get(&base.value) {
                None => format!("BaseDetection: there is no rule `{}` in the pack", base.value),
                Some((_, other, _)) if other.base_detection.is_some() => {
                    format!("BaseDetection `{}` is a derived rule itself", base.value)
                }
                Some((_, _, false)) => format!("BaseDetection: the metadata of rule `{}` has errors", base.value),
                Some((base_path, other, true)) => {
                    let own_code = file.filename.is_some() || file.detection.is_some();
                    let code_path = if own_code { &path } else { base_path };
                    file = file.over(other);
                    self.rule(snapshot, Written { path: &path, code_path, base: Some(base_path.clone()), whole }, file);
                    continue;
                }
            };
            self.pack.error("bad-metadata", &path, base.referenced.line(), None, message);
        }
    }

    fn rule(&mut self, snapshot: &Snapshot, written: Written<'_>, file: RuleFile) {
        let Written { path, code_path, base, whole } = written;
        let line = file.rule_id.as_ref().map_or(1, |id| id.referenced.line());
        let stem =
            |path: &str| path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or(path, |(stem, _)| stem).to_owned();
        let same_stem = same_stem(path);
        let code = match (&file.filename, &file.detection) {
            (Some(name), None) => Code::Python(beside(code_path, &name.value)),
            (None, Some(detection)) => Code::Detection(detection.clone()),
            (None, None) if snapshot.get(&same_stem).is_some() => Code::Python(same_stem.clone()),
            // It may be in what could not be read.
            (None, None) if !whole => return,
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
        if let Code::Python(python) = &code
            && snapshot.get(python).is_none()
        {
            let line = file.filename.as_ref().map_or(line, |name| name.referenced.line());
            self.pack.error("missing-file", path, line, Some(&id), format!("Filename: there is no {python} in the pack"));
            return;
        }
        let mut usable = whole;
        let severity = match file.severity.as_ref().map(|severity| (severity, severity.value.parse::<Severity>())) {
            None => None,
            Some((_, Ok(severity))) => Some(severity),
            Some((severity, Err(error))) => {
                self.pack.error("bad-severity", path, severity.referenced.line(), Some(&id), error.to_string());
                usable = false;
                None
            }
        };
        let dialect = self.dialect.unwrap_or(if file.rule_id.is_some() { Dialect::Panther } else { Dialect::Plain });
        for (name, value) in [("DedupPeriodMinutes", &file.dedup_period_minutes), ("Threshold", &file.threshold)] {
            if let Some(zero) = value.as_ref().filter(|value| value.value == 0) {
                self.pack.error("bad-metadata", path, zero.referenced.line(), Some(&id), format!("{name} must be at least 1"));
                usable = false;
            }
        }
        if let Some(types) =
            file.log_types.as_ref().filter(|types| !types.is_empty() && !types.iter().any(|name| name == LOG_TYPE))
        {
            // Other names may be other logs; this one is a slip that would turn the rule off.
            if let Some(name) = types.iter().find(|name| name.eq_ignore_ascii_case(LOG_TYPE)) {
                let message = format!("unknown log type `{name}`; did you mean `{LOG_TYPE}`?");
                self.pack.error("bad-metadata", path, line, Some(&id), message);
                usable = false;
            } else if usable {
                let reason = format!("LogTypes {}: iota reads {LOG_TYPE}", types.join(", "));
                self.pack.skipped.push(Unloaded { path: path.to_owned(), id: Some(id), reason });
                return;
            }
        }
        let tests = self.tests(path, &id, file.tests.unwrap_or_default());
        let rule = Rule {
            id,
            dialect,
            code,
            metadata: Some(path.to_owned()),
            base,
            line,
            declared: true,
            enabled: file.enabled.unwrap_or(true),
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
            output_ids: file.output_ids.unwrap_or_default(),
            aliases: file.aliases.unwrap_or_default(),
            inline_filters: file.inline_filters.unwrap_or(Json::Null),
            dynamic_severities: file.dynamic_severities.unwrap_or(Json::Null),
            alert_title: file.alert_title,
            alert_context: file.alert_context.unwrap_or(Json::Null),
            group_by: file.group_by.unwrap_or(Json::Null),
            tests,
            version: String::new(),
        };
        if usable { self.pack.rules.push(rule) } else { self.pack.unusable.push(rule) }
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
}
