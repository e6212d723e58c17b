//! What an answer of a worker may say. Rules can write to the pipes of their worker, so nothing in an answer is believed:
//! it may speak of pairs that were asked for, once of each, and be no larger than an honest worker makes it.

use iota_engine::rule::{Failure, MAX_BUILT, Outcome, Pair, RuleError, RuleMatch, TestOutcome};
use std::collections::BTreeSet;

/// What is wrong with an answer.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) String);

/// Largest result of a batch, in bytes, over all frames that it comes in.
const MAX_RESULT: usize = 256 << 20;
/// The worker cuts at so many characters, of up to four bytes: a text of an alert, a message, a traceback, a printed line,
/// a context.
const MAX_TEXT: usize = 4 * 1_000;
const MAX_MESSAGE: usize = 4 * 2_000;
const MAX_TRACEBACK: usize = 4 * 8_000;
const MAX_CONTEXT: usize = 4 * 204_800;
/// Printed lines of a batch, and names of outputs of a match.
const MAX_LINES: usize = 1_000;
const MAX_DESTINATIONS: usize = 10;
/// The functions of a rule.
const FUNCTIONS: [&str; 10] =
    ["rule", "title", "description", "reference", "severity", "runbook", "destinations", "dedup", "alert_context", "unique"];

/// The `Fields` of a match, which is of one of two types.
macro_rules! fields {
    ($found:expr) => {
        Fields {
            title: &$found.title,
            dedup: &$found.dedup,
            description: $found.description.as_deref(),
            reference: $found.reference.as_deref(),
            runbook: $found.runbook.as_deref(),
            unique: $found.unique.as_deref(),
            context: $found.context.as_ref().map(|context| context.get()),
            destinations: $found.destinations.as_deref(),
        }
    };
}

/// While an answer comes in: before more of it is read.
pub(crate) fn check_size(bytes: usize) -> Result<(), Fault> {
    if bytes > MAX_RESULT { Err(Fault(format!("a result of more than {MAX_RESULT} bytes"))) } else { Ok(()) }
}

/// Whether what has come so far can be an answer about so many pairs, and is not too much for memory.
pub(crate) fn check(outcome: &Outcome, pairs: usize) -> Result<(), Fault> {
    if outcome.state.bytes() > MAX_BUILT {
        let bytes = outcome.state.bytes();
        return Err(Fault(format!("changes of state of {bytes} bytes, where there can be {MAX_BUILT}")));
    }
    let counts = [
        ("matches", outcome.matches.len(), pairs),
        ("errors", outcome.errors.len(), pairs * FUNCTIONS.len()),
        ("changes of state", outcome.state.len(), pairs),
        ("printed lines", outcome.logs.len(), MAX_LINES),
    ];
    match counts.iter().find(|(_, count, most)| count > most) {
        Some((what, count, most)) => Err(Fault(format!("{count} {what}, where there can be {most}"))),
        None => Ok(()),
    }
}

/// Turns the worker's record numbers (positions in the frame) into those of the batch, and checks every part.
pub(crate) fn place(outcome: &mut Outcome, pairs: &[Pair]) -> Result<(), Fault> {
    let mut records: Vec<u32> = pairs.iter().map(|pair| pair.record).collect();
    records.dedup();
    let place = |record: &mut u32, rule: u16| {
        let pair = records.get(*record as usize).map(|&record| Pair { record, rule });
        match pair.filter(|pair| pairs.binary_search(pair).is_ok()) {
            Some(pair) => {
                *record = pair.record;
                Ok(pair)
            }
            None => Err(Fault(format!("a result for record {record} and rule {rule}, which were not asked for"))),
        }
    };
    let twice = |pair: Pair| Fault(format!("two results for record {} and rule {}", pair.record, pair.rule));
    let mut decided = BTreeSet::new();
    for found in &mut outcome.matches {
        let pair = place(&mut found.record, found.rule)?;
        check_match(found)?;
        if !decided.insert(pair) {
            return Err(twice(pair));
        }
    }
    let mut failed = BTreeSet::new();
    for error in &mut outcome.errors {
        let pair = place(&mut error.record, error.rule)?;
        let function = check_error(error)?;
        let undecided = function != "rule" || decided.insert(pair);
        if !undecided || !failed.insert((pair, function)) {
            return Err(twice(pair));
        }
    }
    for log in &mut outcome.logs {
        place(&mut log.record, log.rule)?;
        within("a printed line", &log.text, MAX_MESSAGE)?;
    }
    let mut changed = BTreeSet::new();
    for update in outcome.state.iter_mut() {
        let pair = place(&mut update.record, update.rule)?;
        if !changed.insert(pair) {
            return Err(twice(pair));
        }
    }
    match outcome.nanos.keys().find(|&&rule| !pairs.iter().any(|pair| pair.rule == rule)) {
        Some(rule) => Err(Fault(format!("a time for rule {rule}, which was not asked for"))),
        None => Ok(()),
    }
}

/// Whether this can be the answer to a test.
pub(crate) fn check_test(outcome: &TestOutcome) -> Result<(), Fault> {
    if outcome.logs.len() > MAX_LINES {
        return Err(Fault(format!("{} printed lines, where there can be {MAX_LINES}", outcome.logs.len())));
    }
    outcome.logs.iter().try_for_each(|line| within("a printed line", line, MAX_MESSAGE))?;
    for (function, failure) in &outcome.errors {
        known(function)?;
        check_failure(failure)?;
    }
    outcome.r#match.as_ref().map_or(Ok(()), |found| check_fields(&fields!(found)))
}

fn check_match(found: &RuleMatch) -> Result<(), Fault> {
    check_fields(&fields!(found))
}

/// What an alert would carry of a match, of a record or of a test.
struct Fields<'a> {
    title: &'a str,
    dedup: &'a str,
    description: Option<&'a str>,
    reference: Option<&'a str>,
    runbook: Option<&'a str>,
    unique: Option<&'a str>,
    context: Option<&'a str>,
    destinations: Option<&'a [String]>,
}

fn check_fields(fields: &Fields<'_>) -> Result<(), Fault> {
    let texts = [
        ("title", Some(fields.title)),
        ("dedup", Some(fields.dedup)),
        ("description", fields.description),
        ("reference", fields.reference),
        ("runbook", fields.runbook),
        ("unique", fields.unique),
    ];
    for (name, text) in texts {
        within(name, text.unwrap_or_default(), MAX_TEXT)?;
    }
    within("alert_context", fields.context.unwrap_or_default(), MAX_CONTEXT)?;
    let destinations = fields.destinations.unwrap_or_default();
    if destinations.len() > MAX_DESTINATIONS {
        return Err(Fault(format!("{} destinations, where there can be {MAX_DESTINATIONS}", destinations.len())));
    }
    destinations.iter().try_for_each(|name| within("a destination", name, MAX_TEXT))
}

/// The function that failed.
fn check_error(error: &RuleError) -> Result<&'static str, Fault> {
    let function = known(&error.function)?;
    check_failure(&error.failure)?;
    Ok(function)
}

fn known(function: &str) -> Result<&'static str, Fault> {
    let known = FUNCTIONS.into_iter().find(|name| *name == function);
    known.ok_or_else(|| Fault("an error of a function that rules do not have".to_owned()))
}

fn check_failure(failure: &Failure) -> Result<(), Fault> {
    within("the type of an error", &failure.r#type, MAX_TEXT)?;
    within("the message of an error", &failure.message, MAX_MESSAGE)?;
    within("the path of an error", failure.path.as_deref().unwrap_or_default(), MAX_MESSAGE)?;
    within("a traceback", &failure.traceback, MAX_TRACEBACK)
}

fn within(what: &str, text: &str, most: usize) -> Result<(), Fault> {
    let size = text.len();
    if size > most { Err(Fault(format!("{what} of {size} bytes, where there can be {most}"))) } else { Ok(()) }
}
