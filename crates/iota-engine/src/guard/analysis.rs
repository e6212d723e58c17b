//! From the files of a pack to its guards: what each rule consists of, and then every path of it.

use super::entry::entries;
use super::eval::{Evaluation, Source};
use super::explore::{Explorer, Open};
use super::expressions::{self, Meaning};
use super::ir::{FunctionId, Place};
use super::lower::Lowering;
use super::models::unified_fields;
use super::source::{Sources, Unreadable};
use super::{File, Guard, Guards, NOWHERE, Reason};
use crate::rule::{Code, Dialect, Pack, Rule};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Reasons that are kept per rule.
const MAX_REASONS: usize = 20;

/// Why nothing is known of a function.
enum Gap {
    /// The file cannot be read.
    File(Unreadable),
    Function(Place, String),
}

/// What a rule consists of.
struct Parts {
    filters: Option<FunctionId>,
    /// Or where the analysis ends before it begins.
    decides: Result<FunctionId, Gap>,
    /// Where it consists of Python.
    is_python: bool,
    plain: bool,
}

impl Guards {
    /// Reads the source of the rules of a pack at the given indices.
    pub fn analyse(pack: &Pack, rules: &[u16]) -> Self {
        let sources = Sources::read(&pack.snapshot, pack.globals.iter().map(|module| (module.id.clone(), module.path.clone())));
        let mut lowering = Lowering::new(&sources, &pack.config);
        let fields = unified_fields(&mut lowering, pack);
        let mut files: Vec<File> = sources
            .modules
            .iter()
            .map(|module| File { path: module.path.clone(), text: module.text.clone(), shown: BTreeMap::new() })
            .collect();
        let of_pack = |index: u16| Some((index, pack.rules.get(usize::from(index))?));
        let parts: Vec<(u16, &Rule, Parts)> = rules
            .iter()
            .filter_map(|&index| of_pack(index))
            .map(|(index, rule)| (index, rule, parts(pack, rule, &sources, &mut lowering, &mut files)))
            .collect();
        let hazard = lowering.hazard().cloned();
        let functions = lowering.finish();
        let mut guards = Self { functions, fields, guards: BTreeMap::new(), files };
        let hazard = match (hazard, sources.unreadable.first_key_value()) {
            (Some((place, what)), _) => Some(guards.reason(place, "", &format!("the pack uses {what}"))),
            (None, Some((path, file))) => {
                let why = format!("a file of the pack cannot be analysed: {}", file.why);
                Some(Reason { path: path.clone(), line: file.line, source: String::new(), why })
            }
            (None, None) => None,
        };
        for (index, rule, parts) in parts {
            let mut guard = Guard { filters: parts.filters, plain: parts.plain, ..Guard::default() };
            match (parts.decides, &hazard) {
                (Ok(entry), None) => guard.entry = Some(entry),
                (Ok(entry), Some(_)) if !parts.is_python => guard.entry = Some(entry),
                // What is wrong with the rule itself comes first.
                (Err(Gap::File(Unreadable { line, why, is_syntax })), _) => {
                    let path = rule.path().to_owned();
                    guard.gap = Some(Reason { path, line, source: String::new(), why });
                    guard.is_syntax_error = is_syntax;
                }
                (Err(Gap::Function(place, why)), hazard) if place == NOWHERE || hazard.is_none() => {
                    guard.gap = Some(guards.reason(place, rule.path(), &why));
                }
                (_, hazard) => (guard.gap, guard.is_gap_of_pack) = (hazard.clone(), true),
            }
            if let Some(entry) = guard.entry.filter(|_| parts.is_python) {
                guard.defined_at = Some(guards.reason(guards.functions[entry].place, rule.path(), "").line);
            }
            guards.explore(&mut guard, rule.path());
            guards.guards.insert(index, guard);
        }
        guards
    }

    /// Gives up a guard when the function that was loaded is not the one that was analysed, by the line of its `def`.
    pub fn confirm(&mut self, rule: u16, defined_at: Option<u32>) {
        let Some(guard) = self.guards.get(&rule) else { return };
        let Some(entry) = guard.entry.filter(|_| defined_at != guard.defined_at) else { return };
        let gap = self.reason(self.functions[entry].place, "", "the function `rule` that was loaded is another one");
        let mut left = Guard { filters: guard.filters, plain: guard.plain, gap: Some(gap), ..Guard::default() };
        self.explore(&mut left, "");
        self.guards.insert(rule, left);
    }

    /// Follows every path of a rule.
    fn explore(&self, guard: &mut Guard, path: &str) {
        let mut reasons: BTreeSet<Reason> = BTreeSet::new();
        if guard.filters.is_some() || guard.entry.is_some() {
            let explorer = RefCell::new(Explorer::default());
            let mut open: Vec<Open> = Vec::new();
            let complete = loop {
                explorer.borrow_mut().begin();
                let mut evaluation = Evaluation::new(self.code(guard.plain), Source::AnyRecord(&explorer));
                if guard.is_certain_not_to_match(&mut evaluation) {
                    guard.skips = true;
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
            guard.entries = complete.then(|| entries(&explorer.fields, &open)).flatten();
            guard.relied_on = explorer.relied_on;
        }
        guard.reasons = guard.gap.iter().cloned().chain(reasons).collect();
    }
}

fn parts(pack: &Pack, rule: &Rule, sources: &Sources, lowering: &mut Lowering<'_>, files: &mut Vec<File>) -> Parts {
    let filters = (!rule.inline_filters.is_null()).then(|| {
        let (section, conditions) = places(pack, rule, ("InlineFilters", &rule.inline_filters), files);
        lowering.add(expressions::lower(&rule.inline_filters, Meaning::Filter, section, conditions))
    });
    match &rule.code {
        Code::Detection(detection) => {
            let (section, conditions) = places(pack, rule, ("Detection", detection), files);
            let entry = lowering.add(expressions::lower(detection, Meaning::Detection, section, conditions));
            Parts { filters, decides: Ok(entry), is_python: false, plain: true }
        }
        Code::Python(path) => {
            let decides = match (sources.module(path), sources.unreadable.get(path)) {
                (Some(module), _) => lowering
                    .top_level(module, "rule")
                    .map_err(|why| Gap::Function(sources.place_of(module, "rule").unwrap_or(NOWHERE), why)),
                (None, Some(file)) => Err(Gap::File(file.clone())),
                (None, None) => Err(Gap::Function(NOWHERE, "the file is not in the pack".to_owned())),
            };
            Parts { filters, decides, is_python: true, plain: rule.dialect == Dialect::Plain }
        }
    }
}

/// Where a section of the metadata stands, and each of the conditions in it: as the text has it, for explanations only.
fn places(pack: &Pack, rule: &Rule, (section, written): (&str, &Json), files: &mut Vec<File>) -> (Place, Vec<Place>) {
    for path in [&rule.metadata, &rule.base].into_iter().flatten() {
        let text = pack.snapshot.get(path).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default();
        let starts_here = |line: &str| {
            line.trim_start_matches('"').strip_prefix(section).is_some_and(|rest| rest.trim_start_matches('"').starts_with(':'))
        };
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if starts_here(line) {
                let module = files.len();
                let place = |offset: usize| Place { module, offset: u32::try_from(offset).unwrap_or_default().into() };
                let names = text[at..].match_indices("Condition").map(|(offset, name)| (at + offset, at + offset + name.len()));
                let keys = names.filter(|(_, end)| text[*end..].trim_start_matches('"').starts_with(':'));
                let conditions: Vec<Place> = keys.map(|(start, _)| place(start)).collect();
                let mut shown = Vec::new();
                expressions::shown(written, &mut shown);
                let shown = conditions.iter().map(|place| place.offset.to_u32()).zip(shown).collect();
                files.push(File { path: path.clone(), text: text.to_owned(), shown });
                return (place(at), conditions);
            }
            at += line.len();
        }
    }
    (NOWHERE, Vec::new())
}
