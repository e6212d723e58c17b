//! Explores a rule on all records at once: every question whose answer depends on the record is answered in each possible
//! way, one path after the other. What holds on every path that does not end in a certain False is what the index asks for.

use super::constant::Constant;
use super::ir::Raised;
use super::value::{Result, Value, raise, unknown};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Paths that are explored before the rule is taken for one without an index.
const MAX_PATHS: usize = 2_000;
/// Questions on one path.
const MAX_QUESTIONS: usize = 200;

/// Index of a field that the rule reads.
pub(super) type FieldId = usize;

/// What stands for the values of many records.
#[derive(Debug, Clone)]
pub(super) enum Symbol {
    /// What `get` gives for a field: None where there is none.
    Field(FieldId),
    /// A field that holds a text.
    Text(FieldId),
    /// A field that holds an object.
    Object(FieldId),
    /// The text of a field in lower case.
    Lower(FieldId),
    /// Texts put together.
    Joined(Rc<[Piece]>),
    /// What `split` makes of a text: a list of at least one.
    Parts,
    /// A text of which nothing is known.
    AnyText,
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(Box<[u8]>),
    Field(FieldId),
    Other,
}

/// What a top-level member of a CloudTrail record holds when it is there and not null. A record in which one of them holds
/// something else is not looked up in the index.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Always there, always a text.
    Required,
    Text,
    Object,
}

const SHAPES: &[(&str, Shape)] = &[
    ("eventName", Shape::Required),
    ("eventSource", Shape::Required),
    ("apiVersion", Shape::Text),
    ("awsRegion", Shape::Text),
    ("errorCode", Shape::Text),
    ("errorMessage", Shape::Text),
    ("eventCategory", Shape::Text),
    ("eventID", Shape::Text),
    ("eventTime", Shape::Text),
    ("eventType", Shape::Text),
    ("eventVersion", Shape::Text),
    ("recipientAccountId", Shape::Text),
    ("requestID", Shape::Text),
    ("sharedEventID", Shape::Text),
    ("sourceIPAddress", Shape::Text),
    ("userAgent", Shape::Text),
    ("vpcEndpointAccountId", Shape::Text),
    ("vpcEndpointId", Shape::Text),
    ("addendum", Shape::Object),
    ("additionalEventData", Shape::Object),
    ("edgeDeviceDetails", Shape::Object),
    ("requestParameters", Shape::Object),
    ("responseElements", Shape::Object),
    ("serviceEventDetails", Shape::Object),
    ("tlsDetails", Shape::Object),
    ("userIdentity", Shape::Object),
];

pub(crate) fn shape_of(field: &str) -> Option<Shape> {
    SHAPES.iter().find(|(name, _)| *name == field).map(|(_, shape)| *shape)
}

/// Whether a name differs from one of CloudTrail's in nothing but case.
pub(crate) fn is_misspelt(field: &str) -> bool {
    SHAPES.iter().any(|(name, _)| *name != field && name.eq_ignore_ascii_case(field))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    Text,
    Object,
}

/// What is known of a field on the path that is explored.
#[derive(Debug, Clone, Default)]
struct Fact {
    held: Option<Held>,
    /// `get` with a default gave the default.
    absent: Option<bool>,
    truthy: Option<bool>,
    /// It is one of these texts; of one, it is known.
    within: Option<Rc<BTreeSet<Box<[u8]>>>>,
    not: BTreeSet<Box<[u8]>>,
    /// Answers to other questions.
    answers: BTreeMap<String, bool>,
}

/// A condition on a field that holds on a path and that the index can look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    OneOf(FieldId, Rc<BTreeSet<Box<[u8]>>>),
    OneOfIgnoringCase(FieldId, Rc<BTreeSet<Box<[u8]>>>),
    StartsWith(FieldId, Rc<BTreeSet<Box<[u8]>>>),
}

/// A path that does not end in a certain False: what holds on it.
pub(super) type Open = Vec<Condition>;

#[derive(Debug, Default)]
pub(super) struct Explorer {
    /// Paths of member names from the root of the record.
    pub(super) fields: Vec<Vec<String>>,
    /// The top-level fields whose shape was relied upon.
    pub(super) relied_on: BTreeSet<String>,
    /// (answer, number of answers) of each question so far; replayed up to `at`.
    script: Vec<(u8, u8)>,
    at: usize,
    facts: BTreeMap<FieldId, Fact>,
    conditions: Vec<Condition>,
    explored: usize,
}

impl Explorer {
    /// Starts a path.
    pub(super) fn begin(&mut self) {
        self.at = 0;
        self.facts.clear();
        self.conditions.clear();
    }

    /// Forgets what is known of fields on the path so far. The conditions that hold on it still do.
    pub(super) fn forget(&mut self) {
        self.facts.clear();
    }

    pub(super) fn open_path(&self) -> Open {
        self.conditions.clone()
    }

    /// Moves on to the next path. `None` when there are too many; false when that was the last.
    pub(super) fn advance(&mut self) -> Option<bool> {
        self.explored += 1;
        self.script.truncate(self.at);
        while let Some((answer, answers)) = self.script.pop() {
            if answer + 1 < answers {
                self.script.push((answer + 1, answers));
                return (self.explored < MAX_PATHS).then_some(true);
            }
        }
        Some(false)
    }

    fn choose(&mut self, answers: u8) -> Result<u8> {
        if self.at == self.script.len() {
            if self.at == MAX_QUESTIONS {
                return unknown("too many conditions");
            }
            self.script.push((0, answers));
        }
        let (answer, _) = self.script[self.at];
        self.at += 1;
        Ok(answer)
    }

    fn ask(&mut self) -> Result<bool> {
        Ok(self.choose(2)? == 0)
    }

    /// A question about a field that is answered in the same way when it is asked again.
    fn ask_again(&mut self, field: FieldId, question: String) -> Result<bool> {
        if let Some(answer) = self.facts.get(&field).and_then(|fact| fact.answers.get(&question)) {
            return Ok(*answer);
        }
        let answer = self.ask()?;
        self.fact(field).answers.insert(question, answer);
        Ok(answer)
    }

    fn fact(&mut self, field: FieldId) -> &mut Fact {
        self.facts.entry(field).or_default()
    }

    /// The field below another one, or of the record.
    fn field(&mut self, parent: Option<FieldId>, name: &str) -> FieldId {
        let mut path = parent.map(|parent| self.fields[parent].clone()).unwrap_or_default();
        path.push(name.to_owned());
        self.fields.iter().position(|known| *known == path).unwrap_or_else(|| {
            self.fields.push(path);
            self.fields.len() - 1
        })
    }

    fn shape(&mut self, field: FieldId) -> Option<Shape> {
        let [name] = self.fields[field].as_slice() else { return None };
        let shape = shape_of(name)?;
        let name = name.clone();
        self.relied_on.insert(name);
        Some(shape)
    }

    /// `object.get(name, default)` in either dialect: where they differ, over null, both ways are explored.
    pub(super) fn get<'v>(&mut self, parent: Option<FieldId>, name: &str, default: Value<'v>) -> Result<Value<'v>> {
        let field = self.field(parent, name);
        if self.shape(field) == Some(Shape::Required) {
            return Ok(self.known(field).unwrap_or(Value::Symbol(Symbol::Text(field))));
        }
        if matches!(default, Value::None) {
            return Ok(self.known(field).unwrap_or(Value::Symbol(Symbol::Field(field))));
        }
        if let Some(absent) = self.fact(field).absent {
            return Ok(if absent { default } else { self.known(field).unwrap_or(Value::Symbol(Symbol::Field(field))) });
        }
        if let Some(known) = self.known(field).filter(|known| !matches!(known, Value::None)) {
            return Ok(known);
        }
        let absent = self.choose(2)? == 1;
        self.fact(field).absent = Some(absent);
        if absent { Ok(default) } else { Ok(self.known(field).unwrap_or(Value::Symbol(Symbol::Field(field)))) }
    }

    /// `object[name]`, which raises when there is none.
    pub(super) fn index<'v>(&mut self, parent: Option<FieldId>, name: &str) -> Result<Value<'v>> {
        let field = self.field(parent, name);
        if self.shape(field) != Some(Shape::Required) && self.choose(2)? == 1 {
            return raise(Raised::Key);
        }
        Ok(self.known(field).unwrap_or(Value::Symbol(Symbol::Field(field))))
    }

    /// The value of a field, when the path decides it.
    fn known<'v>(&mut self, field: FieldId) -> Option<Value<'v>> {
        let fact = self.facts.get(&field)?;
        if fact.held == Some(Held::Nothing) {
            return Some(Value::None);
        }
        match &fact.within {
            Some(texts) if texts.len() == 1 => texts.first().map(|text| Value::text(text.as_ref())),
            _ => match fact.held {
                Some(Held::Text) => Some(Value::Symbol(Symbol::Text(field))),
                Some(Held::Object) => Some(Value::Symbol(Symbol::Object(field))),
                _ => None,
            },
        }
    }

    /// Decides what a field holds.
    pub(super) fn resolve<'v>(&mut self, field: FieldId) -> Result<Value<'v>> {
        if let Some(known) = self.known(field) {
            return Ok(known);
        }
        let fact = self.fact(field);
        let may_be_nothing = fact.truthy != Some(true);
        let is_text = fact.within.is_some();
        let options: &[Option<Held>] = match self.shape(field) {
            Some(Shape::Required) => &[Some(Held::Text)],
            _ if is_text => &[Some(Held::Text)],
            Some(Shape::Text) => &[Some(Held::Text), Some(Held::Nothing)],
            Some(Shape::Object) => &[Some(Held::Object), Some(Held::Nothing)],
            None => &[Some(Held::Text), Some(Held::Object), None, Some(Held::Nothing)],
        };
        let options = if may_be_nothing || options.len() == 1 { options } else { &options[..options.len() - 1] };
        let answer = if options.len() == 1 { 0 } else { self.choose(u8::try_from(options.len()).unwrap_or(u8::MAX))? };
        match options[usize::from(answer)] {
            None => unknown("a field that may hold anything"),
            Some(held) => {
                self.fact(field).held = Some(held);
                Ok(self.known(field).unwrap_or(Value::Symbol(Symbol::Text(field))))
            }
        }
    }

    pub(super) fn truth(&mut self, symbol: &Symbol) -> Result<bool> {
        match symbol {
            Symbol::Field(field) | Symbol::Text(field) | Symbol::Object(field) | Symbol::Lower(field) => {
                let fact = self.fact(*field);
                if fact.held == Some(Held::Nothing) {
                    return Ok(false);
                }
                if let Some(texts) = &fact.within
                    && !texts.contains([].as_slice())
                {
                    return Ok(true);
                }
                if let Some(truthy) = fact.truthy {
                    return Ok(truthy);
                }
                let truthy = self.ask()?;
                self.fact(*field).truthy = Some(truthy);
                Ok(truthy)
            }
            Symbol::Parts => Ok(true),
            Symbol::Joined(pieces) if pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if !text.is_empty())) => {
                Ok(true)
            }
            _ => self.ask(),
        }
    }

    /// Whether a field's text is one of `texts`, of which there is at least one.
    fn one_of(&mut self, field: FieldId, texts: &BTreeSet<Box<[u8]>>) -> Result<bool> {
        let fact = self.fact(field);
        let possible: BTreeSet<Box<[u8]>> = match &fact.within {
            Some(within) => within.intersection(texts).cloned().collect(),
            None => texts.difference(&fact.not).cloned().collect(),
        };
        if possible.is_empty() {
            return Ok(false);
        }
        if fact.within.as_ref().is_some_and(|within| within.len() == possible.len()) {
            return Ok(true);
        }
        if self.ask()? {
            let possible = Rc::new(possible);
            let fact = self.fact(field);
            (fact.within, fact.held) = (Some(Rc::clone(&possible)), Some(Held::Text));
            self.conditions.push(Condition::OneOf(field, possible));
            Ok(true)
        } else {
            let fact = self.fact(field);
            if let Some(within) = &fact.within {
                fact.within = Some(Rc::new(within.difference(&possible).cloned().collect()));
            }
            fact.not.extend(possible);
            Ok(false)
        }
    }

    /// Whether what a symbol stands for equals one of `items`.
    pub(super) fn is_one_of(&mut self, symbol: &Symbol, items: &[Constant]) -> Result<bool> {
        let texts: BTreeSet<Box<[u8]>> =
            items.iter().filter_map(|item| if let Constant::Text(text) = item { Some(text.clone()) } else { None }).collect();
        let others = texts.len() < items.len() && items.iter().any(|item| !matches!(item, Constant::Text(_)));
        match symbol {
            Symbol::Object(_) if items.iter().all(Constant::is_hashable) => Ok(false),
            Symbol::Text(field) => Ok(!texts.is_empty() && self.one_of(*field, &texts)?),
            Symbol::Field(field) => {
                if !texts.is_empty() && self.one_of(*field, &texts)? {
                    return Ok(true);
                }
                if !others {
                    return Ok(false);
                }
                let field = *field;
                if items.iter().any(|item| matches!(item, Constant::None)) && self.is_none(&Symbol::Field(field))? {
                    return Ok(true);
                }
                if items.iter().all(|item| matches!(item, Constant::Text(_) | Constant::None)) {
                    return Ok(false);
                }
                match self.shape(field) {
                    Some(Shape::Required | Shape::Text) => Ok(false),
                    _ => self.ask(),
                }
            }
            Symbol::Lower(field) => {
                let lower: BTreeSet<Box<[u8]>> =
                    texts.into_iter().filter(|text| !text.iter().any(u8::is_ascii_uppercase)).collect();
                if lower.is_empty() {
                    return Ok(false);
                }
                let yes = self.ask_again(*field, format!("lower {lower:?}"))?;
                // The index only knows the case of ASCII.
                if yes && lower.iter().all(|text| text.is_ascii()) {
                    self.conditions.push(Condition::OneOfIgnoringCase(*field, Rc::new(lower)));
                }
                Ok(yes)
            }
            Symbol::Joined(pieces) => {
                if texts.is_empty() {
                    return Ok(false);
                }
                let yes = self.ask()?;
                if yes && let Some((field, parts)) = parts_of(pieces, &texts) {
                    self.conditions.push(Condition::OneOf(field, Rc::new(parts)));
                }
                Ok(yes)
            }
            Symbol::AnyText if texts.is_empty() => Ok(false),
            _ => self.ask(),
        }
    }

    /// Whether a field holds an object, or else a text.
    pub(super) fn holds(&mut self, field: FieldId, object: bool) -> Result<bool> {
        let wanted = if object { Held::Object } else { Held::Text };
        let shape = self.shape(field);
        let fact = self.fact(field);
        if let Some(held) = fact.held {
            return Ok(held == wanted);
        }
        if fact.within.is_some() || shape == Some(Shape::Required) {
            return Ok(!object);
        }
        if matches!((shape, object), (Some(Shape::Text), true) | (Some(Shape::Object), false)) {
            return Ok(false);
        }
        let yes = self.ask_again(field, format!("holds {wanted:?}"))?;
        if yes {
            self.fact(field).held = Some(wanted);
        }
        Ok(yes)
    }

    pub(super) fn is_none(&mut self, symbol: &Symbol) -> Result<bool> {
        let Symbol::Field(field) = symbol else { return Ok(false) };
        if matches!(self.shape(*field), Some(Shape::Required)) {
            return Ok(false);
        }
        let fact = self.fact(*field);
        match fact.held {
            Some(held) => Ok(held == Held::Nothing),
            None if fact.truthy == Some(true) || fact.within.is_some() => Ok(false),
            None => {
                let nothing = self.ask_again(*field, "is None".to_owned())?;
                if nothing {
                    self.fact(*field).held = Some(Held::Nothing);
                } else if let Some(shape) = self.shape(*field) {
                    self.fact(*field).held = Some(if shape == Shape::Object { Held::Object } else { Held::Text });
                }
                Ok(nothing)
            }
        }
    }

    /// A question about the text of a field (`startswith`, `in`, a pattern) in words, and the prefixes it asks for.
    pub(super) fn test_text(&mut self, symbol: &Symbol, question: String, prefixes: Option<BTreeSet<Box<[u8]>>>) -> Result<bool> {
        let (Symbol::Text(field) | Symbol::Lower(field)) = symbol else { return self.ask() };
        let question = if matches!(symbol, Symbol::Lower(_)) { format!("lower {question}") } else { question };
        let yes = self.ask_again(*field, question)?;
        if yes
            && matches!(symbol, Symbol::Text(_))
            && let Some(prefixes) = prefixes
        {
            self.conditions.push(Condition::StartsWith(*field, Rc::new(prefixes)));
        }
        Ok(yes)
    }

    pub(super) fn any(&mut self) -> Result<bool> {
        self.ask()
    }
}

/// What the field at one end of joined texts can be, when the whole is one of `texts`: `f"{source}:{name}"`.
fn parts_of(pieces: &[Piece], texts: &BTreeSet<Box<[u8]>>) -> Option<(FieldId, BTreeSet<Box<[u8]>>)> {
    let find = |text: &[u8], separator: &[u8]| -> Vec<usize> { memchr::memmem::find_iter(text, separator).collect() };
    let mut parts = BTreeSet::new();
    match pieces {
        [.., Piece::Text(separator), Piece::Field(field)] => {
            for text in texts {
                // Searching finds no overlapping ones; a separator of one byte has none.
                if separator.len() != 1 {
                    return None;
                }
                parts.extend(find(text, separator).into_iter().map(|at| Box::from(&text[at + 1..])));
            }
            Some((*field, parts))
        }
        [Piece::Field(field), Piece::Text(separator), ..] => {
            for text in texts {
                if separator.len() != 1 {
                    return None;
                }
                parts.extend(find(text, separator).into_iter().map(|at| Box::from(&text[..at])));
            }
            Some((*field, parts))
        }
        _ => None,
    }
}
