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

#![allow(clippy::match_same_arms, reason = "arms stand in the order in which Python looks at its operands")]
#![allow(clippy::unused_self, clippy::self_only_used_in_recursion, reason = "the steps of one walk are methods of it")]
#![allow(clippy::items_after_statements, reason = "a visitor stands in the function that it is for")]

mod constant;
mod depth;
mod eval;
mod explore;
mod hazards;
mod ir;
mod leaks;
mod lower;
mod names;
mod operation;
mod pattern;
mod reads;
mod record;
mod source;
mod stdlib;
mod value;

pub(crate) use explore::{Shape, is_misspelt, shape_of};

use crate::decode::Record;
use crate::rule::{Code as RuleCode, Dialect, Pack};
use eval::{Code, Evaluation, Source, UnifiedField};
use explore::{Condition, Explorer, Open};
use ir::{Function, FunctionId, Place};
use lower::Lowering;
use record::View;
use serde::Serialize;
use source::Sources;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use value::Stop;

/// Reasons that are kept per rule.
const MAX_REASONS: usize = 20;

/// Where the analysis of a rule ends before it begins, and why.
type Gap = (Option<Place>, String);

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
}

/// What is known of one rule.
#[derive(Debug)]
pub struct Guard {
    /// Its `rule` function; `None` when nothing is known.
    entry: Option<FunctionId>,
    /// Line of its `def`.
    defined_at: Option<u32>,
    plain: bool,
    /// A record of the usual shape is a candidate only if one of these holds. `None`: every record is looked at.
    pub entries: Option<Vec<Entry>>,
    /// Some records are certain not to match.
    pub skips: bool,
    /// Where the analysis ended, and why.
    pub reasons: Vec<Reason>,
    /// Top-level fields whose usual shape `entries` relies on.
    pub(crate) relied_on: BTreeSet<String>,
}

impl Guard {
    /// Whether the rule could be followed at all; else the one reason says why not.
    pub fn is_analysed(&self) -> bool {
        self.entry.is_some()
    }
}

/// A condition of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "condition")]
pub enum Entry {
    OneOf { field: Vec<String>, values: BTreeSet<String> },
    OneOfIgnoringCase { field: Vec<String>, values: BTreeSet<String> },
    StartsWith { field: Vec<String>, prefixes: BTreeSet<String> },
}

impl Entry {
    /// Member names from the root of the record.
    pub(crate) fn field(&self) -> &[String] {
        let (Self::OneOf { field, .. } | Self::OneOfIgnoringCase { field, .. } | Self::StartsWith { field, .. }) = self;
        field
    }
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
    /// The top-level fields that the index asks for.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().flatten().filter_map(|entry| entry.field().first())
    }
}

impl Guards {
    /// Reads the source of the rules of a pack at the given indices.
    pub fn analyse(pack: &Pack, rules: &[u16]) -> Self {
        let sources = Sources::read(&pack.snapshot, pack.globals.iter().map(|module| (module.id.clone(), module.path.clone())));
        let mut lowering = Lowering::new(&sources, &pack.config);
        let fields = unified_fields(&mut lowering, pack);
        let entries: Vec<(u16, bool, Result<FunctionId, Gap>)> = rules
            .iter()
            .filter_map(|&index| Some((index, pack.rules.get(usize::from(index))?)))
            .map(|(index, rule)| {
                let entry = match &rule.code {
                    RuleCode::Detection(_) => Err((None, "the rule is made of match expressions".to_owned())),
                    RuleCode::Python(path) => match sources.module(path) {
                        Some(module) => lowering.top_level(module, "rule").map_err(|why| (sources.place_of(module, "rule"), why)),
                        None => Err((
                            None,
                            "the file is not UTF-8, not Python, or nests too deeply; `iota check` says more".to_owned(),
                        )),
                    },
                };
                (index, rule.dialect == Dialect::Plain, entry)
            })
            .collect();
        let hazard = lowering.hazard().cloned().or_else(|| {
            let path = sources.unreadable.first()?;
            Some((Place { module: usize::MAX, offset: 0.into() }, format!("{path}, a file that cannot be analysed")))
        });
        let functions = lowering.finish();
        let files = sources.modules.iter().map(|module| File { path: module.path.clone(), text: module.text.clone() }).collect();
        let mut guards = Self { functions, fields, guards: BTreeMap::new(), files };
        for (index, plain, entry) in entries {
            let path = pack.rules[usize::from(index)].path();
            let nowhere = Place { module: usize::MAX, offset: 0.into() };
            let guard = match (entry, &hazard) {
                // What is wrong with the rule itself comes first.
                (Err((None, why)), _) => guards.unguarded(plain, guards.reason(nowhere, path, &why)),
                (_, Some((place, what))) => {
                    guards.unguarded(plain, guards.reason(*place, path, &format!("the pack uses {what}")))
                }
                (Err((Some(place), why)), None) => guards.unguarded(plain, guards.reason(place, path, &why)),
                (Ok(entry), None) => guards.explore(entry, plain, path),
            };
            guards.guards.insert(index, guard);
        }
        guards
    }

    /// Gives up a guard when the function that was loaded is not the one that was analysed, by the line of its `def`.
    pub fn confirm(&mut self, rule: u16, defined_at: Option<u32>) {
        let Some(guard) = self.guards.get(&rule) else { return };
        let Some(entry) = guard.entry.filter(|_| defined_at != guard.defined_at) else { return };
        let place = self.functions[entry].place;
        let reason = self.reason(place, "", "the function `rule` that was loaded is another one");
        let unguarded = self.unguarded(guard.plain, reason);
        self.guards.insert(rule, unguarded);
    }

    pub fn guard(&self, rule: u16) -> Option<&Guard> {
        self.guards.get(&rule)
    }

    fn unguarded(&self, plain: bool, reason: Reason) -> Guard {
        let reasons = vec![reason];
        Guard { entry: None, defined_at: None, plain, entries: None, skips: false, reasons, relied_on: BTreeSet::new() }
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
        let Some(guard) = self.guards.get(&rule) else { return false };
        let Some(entry) = guard.entry.filter(|_| guard.skips) else { return false };
        let mut evaluation = Evaluation::new(self.code(guard.plain), Source::Record(&record.view));
        returns_false(&mut evaluation, entry, guard.plain)
    }

    /// The same, with the reason.
    pub fn decide(&self, rule: u16, record: &Record<'_>) -> Decision {
        let Some(guard) = self.guards.get(&rule) else { return Decision::Run { because: None } };
        let Some(entry) = guard.entry else { return Decision::Run { because: guard.reasons.first().cloned() } };
        let view = View::new(record);
        let mut evaluation = Evaluation::new(self.code(guard.plain), Source::Record(&view));
        if returns_false(&mut evaluation, entry, guard.plain) {
            let by = evaluation.compared.or(evaluation.returned);
            return Decision::Skip { by: by.map(|place| self.reason(place, "", "not met")) };
        }
        // A result of the wrong type stops nothing; it is where it was returned.
        let stopped = evaluation.stopped.or(evaluation.returned.filter(|_| evaluation.why.is_some()));
        let because = stopped.map(|place| self.reason(place, "", evaluation.why.unwrap_or("not certain")));
        Decision::Run { because }
    }

    fn reason(&self, place: Place, path: &str, why: &str) -> Reason {
        let Some(file) = self.files.get(place.module) else {
            return Reason { path: path.to_owned(), line: 1, source: String::new(), why: why.to_owned() };
        };
        let before = file.text.get(..place.offset.to_usize()).unwrap_or_default();
        let line = before.matches('\n').count();
        let source = file.text.lines().nth(line).unwrap_or_default().trim().to_owned();
        Reason { path: file.path.clone(), line: u32::try_from(line + 1).unwrap_or(u32::MAX), source, why: why.to_owned() }
    }

    /// Follows every path of a rule.
    fn explore(&self, entry: FunctionId, plain: bool, path: &str) -> Guard {
        let explorer = RefCell::new(Explorer::default());
        let mut open: Vec<Open> = Vec::new();
        let mut reasons = BTreeSet::new();
        let mut skips = false;
        let complete = loop {
            explorer.borrow_mut().begin();
            let mut evaluation = Evaluation::new(self.code(plain), Source::AnyRecord(&explorer));
            if returns_false(&mut evaluation, entry, plain) {
                skips = true;
            } else {
                open.push(explorer.borrow().open_path());
                if let (Some(place), Some(why)) = (evaluation.stopped.or(evaluation.returned), evaluation.why)
                    && reasons.len() < MAX_REASONS
                {
                    reasons.insert(self.reason(place, path, why));
                }
            }
            match explorer.borrow_mut().advance() {
                Some(true) => {}
                Some(false) => break true,
                None => break false,
            }
        };
        let explorer = explorer.into_inner();
        let entries = complete.then(|| entries(&explorer.fields, &open)).flatten();
        Guard {
            entry: Some(entry),
            defined_at: Some(self.reason(self.functions[entry].place, path, "").line),
            plain,
            entries,
            skips,
            reasons: reasons.into_iter().collect(),
            relied_on: explorer.relied_on,
        }
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

/// Whether `rule` returns a falsy value of an allowed type. In the panther dialect only `False` itself is one.
fn returns_false(evaluation: &mut Evaluation<'_, '_>, entry: FunctionId, plain: bool) -> bool {
    let result = evaluation.call_with_event(entry).and_then(|value| match value {
        value::Value::Bool(value) => Ok(value),
        value if plain => evaluation.truth(&value),
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

/// What the index has to ask: the best condition of every path, if each has one.
fn entries(fields: &[Vec<String>], open: &[Open]) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for path in open {
        let (_, condition) =
            path.iter().filter_map(|condition| Some((rank(fields, condition)?, condition))).min_by_key(|(rank, _)| *rank)?;
        let texts = |texts: &BTreeSet<Box<[u8]>>| -> Option<BTreeSet<String>> {
            texts.iter().map(|text| String::from_utf8(text.to_vec()).ok()).collect()
        };
        let (field, new) = match condition {
            Condition::OneOf(field, values)
            | Condition::OneOfIgnoringCase(field, values)
            | Condition::StartsWith(field, values) => (fields[*field].clone(), texts(values)?),
        };
        let same = entries.iter_mut().find_map(|entry| match (entry, condition) {
            (Entry::OneOf { field: of, values }, Condition::OneOf(..))
            | (Entry::OneOfIgnoringCase { field: of, values }, Condition::OneOfIgnoringCase(..))
            | (Entry::StartsWith { field: of, prefixes: values }, Condition::StartsWith(..))
                if *of == field =>
            {
                Some(values)
            }
            _ => None,
        });
        match (same, condition) {
            (Some(values), _) => values.extend(new),
            (None, Condition::OneOf(..)) => entries.push(Entry::OneOf { field, values: new }),
            (None, Condition::OneOfIgnoringCase(..)) => entries.push(Entry::OneOfIgnoringCase { field, values: new }),
            (None, Condition::StartsWith(..)) => entries.push(Entry::StartsWith { field, prefixes: new }),
        }
    }
    Some(entries)
}

/// How well the index can use a condition: the fewer records it lets through, the better. `None` if it cannot.
fn rank(fields: &[Vec<String>], condition: &Condition) -> Option<(u8, usize)> {
    let of = |field: usize| match fields[field].as_slice() {
        [name] if name == "eventName" => 0,
        [_] => 10,
        [_, _] => 20,
        _ => u8::MAX,
    };
    let (rank, size) = match condition {
        Condition::OneOf(field, values) => (of(*field), values.len()),
        Condition::OneOfIgnoringCase(field, values) if of(*field) == 0 => (1, values.len()),
        Condition::StartsWith(field, values) if of(*field) == 0 => (2, values.len()),
        _ => (u8::MAX, 0),
    };
    (rank < u8::MAX).then_some((rank, size))
}

/// The unified fields of the pack's data models for CloudTrail.
fn unified_fields(lowering: &mut Lowering<'_>, pack: &Pack) -> BTreeMap<String, UnifiedField> {
    let mut fields = BTreeMap::new();
    for model in pack.data_models.iter().filter(|model| model.log_types.iter().any(|log| log == crate::event::LOG_TYPE)) {
        for mapping in &model.mappings {
            let field = match (&mapping.path, &mapping.method) {
                (Some(path), _) => plain_path(path).map_or(UnifiedField::Unknown, UnifiedField::Path),
                (None, Some(method)) => {
                    let module = model.python.as_deref().and_then(|path| lowering.sources.module(path));
                    match module.map(|module| lowering.top_level(module, method)) {
                        Some(Ok(function)) => UnifiedField::Method(function),
                        _ => UnifiedField::Unknown,
                    }
                }
                (None, None) => UnifiedField::Unknown,
            };
            fields.insert(mapping.name.clone(), field);
        }
    }
    fields
}

/// The member names of a path that has nothing but them: `userIdentity.arn`, `$.userIdentity.arn`.
fn plain_path(path: &str) -> Option<Vec<String>> {
    let path = path.trim();
    let path = path.strip_prefix("$.").unwrap_or(path);
    let names: Vec<String> = path.split('.').map(str::to_owned).collect();
    let plain =
        |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    names.iter().all(plain).then_some(names)
}

#[cfg(test)]
mod tests;
