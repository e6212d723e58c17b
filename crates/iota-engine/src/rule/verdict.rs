//! Whether a test of a rule passed, and why not.
//! Pure: the functions' results come from the worker.

use super::metadata::RuleTest;
use super::runner::Failure;
use crate::alert::Severity;
use crate::guard::Decision;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What a worker is asked to run one rule on.
#[derive(Debug, Serialize)]
pub struct TestRequest<'a> {
    /// Index in the pack.
    pub rule: u16,
    pub log_type: &'a str,
    /// As text: a record may hold what serde_json does not build.
    pub log: &'a RawValue,
    /// `{"name": ..., "value": ...}` each.
    pub mocks: Vec<Json>,
}

/// How a test of a rule came out, as the worker reports it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TestOutcome {
    pub matched: bool,
    /// An inline filter stopped the event before `rule`.
    #[serde(default)]
    pub filtered: bool,
    /// What functions of the rule raised, by their names.
    #[serde(default)]
    pub errors: BTreeMap<String, Failure>,
    /// The match as an alert would carry it.
    #[serde(default)]
    pub r#match: Option<TestMatch>,
    #[serde(default)]
    pub logs: Vec<String>,
}

/// The match as an alert would carry it. The context stays text: it may be nested deeper than serde_json builds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TestMatch {
    pub title: String,
    pub severity: Option<Severity>,
    pub dedup: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<String>,
}

impl TestOutcome {
    /// Why a record with this outcome must not have been skipped by the fast path; nothing when it was not, or may be.
    pub fn skipped_wrongly(&self, decision: &Decision) -> Option<String> {
        let Decision::Skip { by } = decision else { return None };
        let did = match self.errors.get("rule") {
            Some(failure) => format!("rule() raised {}", failure.r#type),
            None if self.matched => "the rule matches".to_owned(),
            None => return None,
        };
        let by = by.as_ref().map(|by| format!(" because of {}:{} `{}`", by.path, by.line, by.source)).unwrap_or_default();
        Some(format!("internal error: the fast path would skip this event{by}, although {did}; please report it"))
    }
}

impl RuleTest {
    /// Why the test failed; empty when it passed.
    ///
    /// Expecting true it passes iff the rule matched and no function raised; expecting false, iff `rule` returned
    /// False without raising.
    pub fn reasons(&self, outcome: &TestOutcome) -> Vec<String> {
        let mut reasons = Vec::new();
        if outcome.matched != self.expected_result {
            let filtered = if outcome.filtered { " (an inline filter stopped the event)" } else { "" };
            reasons.push(format!(
                "expected rule() to return {}, got {}{filtered}",
                python(self.expected_result),
                python(outcome.matched)
            ));
        }
        for (name, failure) in outcome.errors.iter().filter(|(name, _)| self.expected_result || *name == "rule") {
            reasons.push(format!("{name}() raised {}", failure.describe()));
        }
        if let Some(expected) = self.expected_destinations.as_ref().filter(|_| outcome.matched) {
            let found = outcome.r#match.as_ref().and_then(|found| found.destinations.clone()).unwrap_or_default();
            if found != *expected {
                reasons.push(format!("expected destinations {expected:?}, got {found:?}"));
            }
        }
        reasons
    }
}

fn python(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

impl Failure {
    /// One line, and the traceback below it.
    pub fn describe(&self) -> String {
        let place = match (&self.path, self.line) {
            (Some(path), Some(line)) => format!(" at {path}:{line}"),
            _ => String::new(),
        };
        let traceback = self.traceback.trim_end();
        let below = if traceback.is_empty() { String::new() } else { format!("\n{traceback}") };
        format!("{}: {}{place}{below}", self.r#type, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn test(expected_result: bool) -> RuleTest {
        let (log, mocks) = (json!({}), Vec::new());
        RuleTest { name: "t".into(), line: 1, expected_result, log, log_type: None, expected_destinations: None, mocks }
    }

    fn outcome(json: Json) -> TestOutcome {
        serde_json::from_value(json).expect("valid")
    }

    #[test]
    fn a_positive_test_needs_a_match_and_no_exception() {
        let raised = json!({"type": "KeyError", "message": "'x'", "path": "r.py", "line": 3});
        assert!(test(true).reasons(&outcome(json!({"matched": true}))).is_empty());
        assert_eq!(test(true).reasons(&outcome(json!({"matched": false}))), ["expected rule() to return True, got False"]);
        let title = outcome(json!({"matched": true, "errors": {"title": raised}}));
        assert_eq!(test(true).reasons(&title), ["title() raised KeyError: 'x' at r.py:3"]);
    }

    #[test]
    fn a_negative_test_needs_false_without_exception() {
        let raised = json!({"type": "KeyError", "message": "'x'"});
        assert!(test(false).reasons(&outcome(json!({"matched": false}))).is_empty());
        assert_eq!(test(false).reasons(&outcome(json!({"matched": true}))).len(), 1);
        let rule = outcome(json!({"matched": false, "errors": {"rule": raised}}));
        assert_eq!(test(false).reasons(&rule), ["rule() raised KeyError: 'x'"]);
        let title = outcome(json!({"matched": false, "errors": {"title": raised}}));
        assert!(test(false).reasons(&title).is_empty(), "title does not run on what does not match");
    }

    #[test]
    fn only_what_neither_matches_nor_raises_may_be_skipped() {
        let (run, skip) = (Decision::Run { because: None }, Decision::Skip { by: None });
        let matched = outcome(json!({"matched": true}));
        let raised = outcome(json!({"matched": false, "errors": {"rule": {"type": "KeyError", "message": "'x'"}}}));
        let neither = outcome(json!({"matched": false, "errors": {"title": {"type": "KeyError", "message": "'x'"}}}));
        for (outcome, expected) in
            [(&matched, Some("although the rule matches")), (&raised, Some("raised KeyError")), (&neither, None)]
        {
            assert_eq!(outcome.skipped_wrongly(&run), None);
            let told = outcome.skipped_wrongly(&skip);
            assert_eq!(told.is_some(), expected.is_some(), "{told:?}");
            assert!(told.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }

    #[test]
    fn destinations_are_compared_when_given() {
        let mut test = test(true);
        test.expected_destinations = Some(vec!["a".into()]);
        assert!(test.reasons(&outcome(json!({"matched": true, "match": {"destinations": ["a"]}}))).is_empty());
        assert_eq!(test.reasons(&outcome(json!({"matched": true, "match": {}}))), [r#"expected destinations ["a"], got []"#]);
    }
}
