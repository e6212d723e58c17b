//! What a rule needs of a record, read from its Python source, so that most (rule, record) pairs need no Python.
//!
//! The promise: a pair is only skipped when calling `rule` would return a falsy value of an allowed type, raise nothing and
//! change nothing. A rule is evaluated natively with an allow-list of operations; at anything else the answer is "run it".
//! The same evaluation, with symbols in place of the fields of a record, tells which fields a match needs: the index.
//!
//! ```text
//! source (files, bindings, imports) -> names -> lower (with leaks: what is constant) -> ir -> eval (values, operations)
//!                                                                                        '-> explore: conditions
//! ```

mod address;
mod analysis;
mod constant;
mod depth;
mod entry;
mod eval;
mod explore;
mod expressions;
mod ir;
mod leaks;
mod lower;
mod models;
mod names;
mod operation;
mod pattern;
mod record;
mod scope;
mod source;
mod stdlib;
mod value;

pub use entry::Entry;
pub(crate) use explore::{Shape, is_misspelt, shape_of};
pub use stdlib::is_module_of_python;

use crate::decode::Record;
use eval::{Code, Evaluation, Source, UnifiedField};
use ir::{Function, FunctionId, Place};
use record::View;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use value::{Stop, Value};

/// Why a comparison decides.
pub const NOT_MET: &str = "not met";

/// No place in any file of the pack.
const NOWHERE: Place = Place { module: usize::MAX, offset: ruff_text_size::TextSize::new(0) };

/// What the rules of a pack need.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the guards are what the rest is for")]
pub struct Guards {
    functions: Vec<Function>,
    fields: BTreeMap<String, UnifiedField>,
    guards: BTreeMap<u16, Guard>,
    files: Vec<File>,
}

/// A file of the pack, for naming places in it.
#[derive(Debug)]
struct File {
    path: String,
    text: String,
    /// What to show of a place, by its offset, where its line alone says too little.
    shown: BTreeMap<u32, String>,
}

/// What is known of one rule.
#[derive(Debug, Default)]
pub struct Guard {
    /// Its inline filters; without any, every record gets to `entry`.
    filters: Option<FunctionId>,
    /// Its `rule` function, or its match expressions; `None` where nothing is known of the function.
    entry: Option<FunctionId>,
    /// Line of the `def` of `rule`.
    defined_at: Option<u32>,
    plain: bool,
    /// Why nothing is known of `rule`.
    gap: Option<Reason>,
    /// That reason is one for the whole pack: something in it could change what the source says.
    pub is_gap_of_pack: bool,
    /// That reason is that the file is not Python.
    pub is_syntax_error: bool,
    /// A record of the usual shape is a candidate only if one of these holds. `None`: every record is looked at.
    pub entries: Option<Vec<Entry>>,
    /// Some records are certain not to match.
    pub skips: bool,
    /// Where the analysis ended, and why.
    pub reasons: Vec<Reason>,
    /// Top-level fields whose usual shape `entries` relies on.
    pub(crate) relied_on: BTreeSet<String>,
}

/// A place in the source at which a rule has to be run, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    pub path: String,
    pub line: u32,
    /// The line of the source.
    pub source: String,
    pub why: String,
}

/// How a reason begins that is about the value of a name of a module.
const OF_A_CONSTANT: &str = "a value of the module that ";

impl Reason {
    /// It is about the value of a name of a module: its source does not fix it, or something may change it.
    pub fn is_about_a_constant(&self) -> bool {
        self.why.starts_with(OF_A_CONSTANT)
    }
}

/// What a guard says of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    /// `rule` is certain to return a falsy value; the comparison that decided, as far as there is one.
    Skip { by: Option<Reason> },
    /// It is run: it matches as far as can be told natively, or it is not certain.
    Run { because: Option<Reason> },
}

impl Guard {
    /// Whether the rule could be followed at all; else the first reason says why not.
    pub fn is_analysed(&self) -> bool {
        self.entry.is_some()
    }

    /// The top-level fields that the index asks for.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().flatten().filter_map(|entry| entry.field().first())
    }

    /// Whether the filters stop the record, or `rule` returns a falsy value of an allowed type.
    fn is_certain_not_to_match(&self, evaluation: &mut Evaluation<'_, '_>) -> bool {
        if let Some(filters) = self.filters {
            match evaluation.filter(filters) {
                Ok(false) => return true,
                Ok(true) => {}
                // Filters raise nothing and change nothing: what is not certain may get to `rule`.
                Err(stop) => evaluation.note(&stop),
            }
        }
        let Some(entry) = self.entry else { return false };
        let result = evaluation.call_with_event(entry).and_then(|value| match value {
            Value::Bool(value) => Ok(value),
            value if self.plain => evaluation.truth(&value),
            // In the panther dialect only `False` itself is one.
            _ => Err(Stop::Unknown("a result that is not a bool")),
        });
        match result {
            Ok(truth) => !truth,
            Err(stop) => {
                evaluation.note(&stop);
                false
            }
        }
    }
}

impl Guards {
    pub fn guard(&self, rule: u16) -> Option<&Guard> {
        self.guards.get(&rule)
    }

    fn code(&self, plain: bool) -> Code<'_> {
        Code { functions: &self.functions, fields: &self.fields, plain }
    }

    /// Whether there are records that the rule certainly does not match.
    pub(crate) fn may_skip(&self, rule: u16) -> bool {
        self.guards.get(&rule).is_some_and(|guard| guard.skips)
    }

    /// Whether the rule certainly does not match the record.
    pub(crate) fn skips(&self, rule: u16, record: &Looked<'_>) -> bool {
        let Some(guard) = self.guards.get(&rule).filter(|guard| guard.skips) else { return false };
        guard.is_certain_not_to_match(&mut Evaluation::new(self.code(guard.plain), Source::Record(&record.view)))
    }

    /// The same, with the reason.
    pub fn decide(&self, rule: u16, record: &Record<'_>) -> Decision {
        let Some(guard) = self.guards.get(&rule) else { return Decision::Run { because: None } };
        let view = View::new(record);
        let mut evaluation = Evaluation::new(self.code(guard.plain), Source::Record(&view));
        if guard.is_certain_not_to_match(&mut evaluation) {
            let by = evaluation.compared.or(evaluation.returned);
            return Decision::Skip { by: by.map(|place| self.reason(place, "", NOT_MET)) };
        }
        if guard.gap.is_some() {
            return Decision::Run { because: guard.gap.clone() };
        }
        // A result of the wrong type stops nothing; it is where it was returned.
        let stopped = evaluation.stopped.or(evaluation.returned.filter(|_| evaluation.why.is_some()));
        let because = stopped.map(|place| self.reason(place, "", evaluation.why.unwrap_or("not certain")));
        Decision::Run { because }
    }

    /// The reason where it is the index that knows that a rule does not match.
    pub(crate) fn by_index(&self, rule: u16) -> Option<Reason> {
        let entry = self.guards.get(&rule)?.entry?;
        Some(self.reason(self.functions.get(entry)?.place, "", "no condition of its index holds"))
    }

    /// `path`: the file where the place is in none.
    fn reason(&self, place: Place, path: &str, why: &str) -> Reason {
        let Some(file) = self.files.get(place.module) else {
            return Reason { path: path.to_owned(), line: 1, source: String::new(), why: why.to_owned() };
        };
        let before = file.text.get(..place.offset.to_usize()).unwrap_or_default();
        let line = before.matches('\n').count();
        let of_line = || file.text.lines().nth(line).unwrap_or_default().trim().to_owned();
        let source = file.shown.get(&place.offset.to_u32()).cloned().unwrap_or_else(of_line);
        Reason { path: file.path.clone(), line: u32::try_from(line + 1).unwrap_or(u32::MAX), source, why: why.to_owned() }
    }
}

/// A record that is looked at natively, for any number of rules.
pub(crate) struct Looked<'r> {
    view: View<'r>,
}

impl<'r> Looked<'r> {
    pub(crate) fn new(record: &Record<'r>) -> Self {
        Self { view: View::new(record) }
    }
}

#[cfg(test)]
mod tests;
