//! Why rules that were read again are not taken.

use iota_engine::alert::Severity;
use iota_engine::digest::{digest, hex};
use iota_engine::system::{RULES_NOT_TAKEN, SystemAlert};
use serde_json::json;
use std::fmt::Display;
use std::path::PathBuf;

#[derive(Debug)]
pub struct NotTaken {
    pub why: String,
    /// What somebody has to be told of.
    pub alerts: Vec<SystemAlert>,
    /// What they were read from, where that is known: it is looked at from now on.
    pub files: Option<Vec<PathBuf>>,
}

impl NotTaken {
    /// Somebody is told, once a day for each reason.
    pub fn because(why: &dyn Display) -> Self {
        Self::of(why, why)
    }

    /// The same where the reason is of Python or of the pack, and may be put in other words each time: once a day for each
    /// `what`.
    pub fn of(what: &dyn Display, why: &dyn Display) -> Self {
        let (what, why) = (what.to_string(), why.to_string());
        let alert = SystemAlert {
            rule: RULES_NOT_TAKEN,
            dedup: hex(&digest("iota-rules-not-taken-v1", [what.as_bytes()])),
            title: "A change of the rules was not taken".to_owned(),
            severity: Severity::High,
            description: format!(
                "The rules, or what is set for them, have changed, and are not taken: {why}. Those that ran before go on; a new \
                 start would fail, or run what is there now."
            ),
            runbook: "`iota check` and `iota test` say what is wrong with the rules, the log of iota the rest. Mend it; `iota watch` \
                      then reads all of it again by itself.",
            context: json!({"why": why}),
        };
        Self { why, alerts: vec![alert], files: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_python_says_of_a_file_is_one_reason() {
        let dedup = |not_taken: NotTaken| not_taken.alerts[0].dedup.clone();
        let of_file = |file: &str, why: &str| dedup(NotTaken::of(&file, &why));
        assert_eq!(of_file("p/r.py", "<X at 0x1>"), of_file("p/r.py", "<X at 0x2>"));
        assert_ne!(of_file("p/r.py", "X"), of_file("p/s.py", "X"));
        assert_ne!(dedup(NotTaken::because(&"one")), dedup(NotTaken::because(&"another")));
    }
}
