//! Whether a test of a rule passed, and why not.
//! Pure: the functions' results come from the worker.

use super::metadata::RuleTest;
use super::runner::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;

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

/// What a verdict needs of a match. The rest is not read: a context may be nested deeper than serde_json builds.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TestMatch {
    pub destinations: Option<Vec<String>>,
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
    use serde_json::{Value as Json, json};

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
    fn destinations_are_compared_when_given() {
        let mut test = test(true);
        test.expected_destinations = Some(vec!["a".into()]);
        assert!(test.reasons(&outcome(json!({"matched": true, "match": {"destinations": ["a"]}}))).is_empty());
        assert_eq!(test.reasons(&outcome(json!({"matched": true, "match": {}}))), [r#"expected destinations ["a"], got []"#]);
    }
}
