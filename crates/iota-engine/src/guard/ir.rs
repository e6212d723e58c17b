//! The form in which rules are evaluated natively: names resolved, constants computed, what is not understood marked.
//! Every node means exactly what its Python does, or is `Unknown`.

use super::address::AddressTest;
use super::constant::Constant;
use super::operation::{Builtin, Method};
use super::source::ModuleId;
use ruff_text_size::TextSize;
use std::borrow::Cow;
use std::ops::Range;

/// Where something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) module: ModuleId,
    pub(super) offset: TextSize,
}

impl Place {
    pub(super) fn new(module: ModuleId, offset: TextSize) -> Self {
        Self { module, offset }
    }
}

/// A local variable, relative to its frame.
pub(super) type Slot = u16;
pub(super) type FunctionId = usize;

#[derive(Debug)]
pub(super) struct Expr {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Constant(Constant),
    Local(Slot),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    If {
        test: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Compare {
        left: Box<Expr>,
        rest: Vec<(Compare, Expr)>,
    },
    Binary {
        left: Box<Expr>,
        operator: Binary,
        right: Box<Expr>,
    },
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Joined(Vec<Expr>),
    Index {
        value: Box<Expr>,
        index: Box<Expr>,
    },
    Slice {
        value: Box<Expr>,
        lower: Option<i64>,
        upper: Option<i64>,
    },
    Assign {
        slot: Slot,
        value: Box<Expr>,
    },
    Call {
        function: FunctionId,
        arguments: Arguments,
    },
    /// Calls what an expression gives: a function in a variable or in a dict.
    CallValue {
        callee: Box<Expr>,
        arguments: Arguments,
    },
    Builtin {
        builtin: Builtin,
        arguments: Vec<Expr>,
    },
    Method {
        object: Box<Expr>,
        method: Method,
        arguments: Arguments,
    },
    /// `any(... for ...)` and `all(... for ...)`.
    Quantified {
        all: bool,
        clauses: Vec<Clause>,
        element: Box<Expr>,
        order: Order,
    },
    /// `next((... for ...), default)`.
    First {
        clauses: Vec<Clause>,
        element: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    /// A list comprehension, or a generator whose consumer takes all of it.
    Collected {
        clauses: Vec<Clause>,
        element: Box<Expr>,
    },
    /// What a match expression reads goes into a variable for its test.
    Find {
        /// The element of a list that is looked at; the record without one.
        root: Option<Slot>,
        path: Vec<Step>,
        slot: Slot,
        missing: Missing,
        test: Box<Expr>,
    },
    /// Whether a value is the text of an address or network that passes the test.
    Address {
        value: Box<Expr>,
        test: AddressTest,
    },
    /// A lambda or nested function; it shares the frame it stands in.
    Closure(Box<Closure>),
    Unknown(Cow<'static, str>),
}

/// One step of the path in a match expression: a name, exactly spelt in either dialect, or a position in a list.
#[derive(Debug)]
pub(super) enum Step {
    Name(String),
    Position(i64),
}

/// What a match expression makes of a path that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The value is null, and tested.
    Null,
    /// Nothing is tested: this is the answer.
    Answer(bool),
}

#[derive(Debug)]
pub(super) struct Closure {
    pub(super) parameters: Vec<Slot>,
    /// `*rest`
    pub(super) rest: Option<Slot>,
    /// Its own variables: parameters, and those of comprehensions in it.
    pub(super) own: Range<Slot>,
    pub(super) body: Vec<Statement>,
}

/// What a loop does with elements that come in an order only Python knows, those of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Matters,
    /// The result is the same in every order, if none of the elements raises.
    Free,
    /// Also, every text raises if one does.
    Uniform,
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Argument>,
    pub(super) keywords: Vec<(String, Expr)>,
}

#[derive(Debug)]
pub(super) struct Argument {
    pub(super) value: Expr,
    /// `*value`
    pub(super) spread: bool,
}

/// One `for` of a comprehension.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) target: Target,
    pub(super) iterable: Expr,
    pub(super) conditions: Vec<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Is,
    IsNot,
    In,
    NotIn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Union,
    Intersection,
}

#[derive(Debug)]
pub(super) enum Target {
    Slot(Slot),
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub(super) enum Statement {
    Expr(Expr),
    Assign {
        targets: Vec<Target>,
        value: Expr,
    },
    Return {
        place: Place,
        value: Option<Expr>,
    },
    If {
        test: Expr,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    For {
        target: Target,
        iterable: Expr,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
        order: Order,
    },
    Match {
        subject: Expr,
        cases: Vec<Case>,
    },
    Try {
        body: Vec<Statement>,
        handlers: Vec<Handler>,
        otherwise: Vec<Statement>,
    },
    /// `name.append(value)` of a list that has no other name.
    Append {
        slot: Slot,
        value: Expr,
    },
    Assert(Expr),
    Pass,
    Break,
    Continue,
    Unknown(Place, Cow<'static, str>),
}

#[derive(Debug)]
pub(super) struct Case {
    pub(super) pattern: Pattern,
    pub(super) guard: Option<Expr>,
    pub(super) body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) enum Pattern {
    Anything,
    Capture(Slot),
    Equal(Expr),
    /// `None`, `True`, `False`
    Is(Constant),
    Either(Vec<Pattern>),
    /// Of this many elements, each of which fits.
    Sequence(Vec<Pattern>),
}

#[derive(Debug)]
pub(super) struct Handler {
    /// What it catches.
    pub(super) catches: Vec<Raised>,
    pub(super) body: Vec<Statement>,
}

/// The exceptions that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raised {
    Key,
    Index,
    Attribute,
    Type,
    Value,
}

impl Raised {
    pub(super) const ALL: [Self; 5] = [Self::Key, Self::Index, Self::Attribute, Self::Type, Self::Value];

    /// The ones that an `except` of this builtin class catches.
    pub(super) fn caught_by(class: &str) -> Option<&'static [Self]> {
        Some(match class {
            "Exception" | "BaseException" => &Self::ALL,
            "LookupError" => &[Self::Key, Self::Index],
            "KeyError" => &[Self::Key],
            "IndexError" => &[Self::Index],
            "AttributeError" => &[Self::Attribute],
            "TypeError" => &[Self::Type],
            "ValueError" => &[Self::Value],
            _ => return None,
        })
    }
}

#[derive(Debug)]
pub(super) struct Function {
    /// Of its `def`.
    pub(super) place: Place,
    pub(super) parameters: Vec<Parameter>,
    /// `*rest`
    pub(super) rest: Option<Slot>,
    /// Size of the frame.
    pub(super) slots: u16,
    pub(super) body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) slot: Slot,
    pub(super) default: Option<Constant>,
    pub(super) positional_only: bool,
    pub(super) keyword_only: bool,
}
