//! The builtins and methods that are understood, by name.

use super::pattern::Anchor;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    Len,
    Any,
    All,
    Bool,
    Str,
    Set,
    FrozenSet,
    List,
    Tuple,
    Dict,
    Sorted,
    /// The second argument is a tuple of names of types.
    IsInstance,
    /// `print` and logging: looks at its arguments, and nothing else.
    Print,
    Reduce,
    Compile,
    CompileIgnoringCase,
    Pattern(Anchor),
    Glob,
}

impl Builtin {
    /// By the name of a builtin, or the path of something outside the pack.
    pub(super) fn named(path: &str) -> Option<Self> {
        Some(match path {
            "len" => Self::Len,
            "any" => Self::Any,
            "all" => Self::All,
            "bool" => Self::Bool,
            "str" => Self::Str,
            "set" => Self::Set,
            "frozenset" => Self::FrozenSet,
            "list" => Self::List,
            "tuple" => Self::Tuple,
            "dict" => Self::Dict,
            "sorted" => Self::Sorted,
            "print" | "logging.debug" | "logging.info" | "logging.warning" | "logging.error" | "logging.critical" => Self::Print,
            "functools.reduce" => Self::Reduce,
            "re.compile" => Self::Compile,
            "re.match" => Self::Pattern(Anchor::Match),
            "re.search" => Self::Pattern(Anchor::Search),
            "re.fullmatch" => Self::Pattern(Anchor::FullMatch),
            "fnmatch.fnmatch" | "fnmatch.fnmatchcase" => Self::Glob,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    DeepGet,
    DeepWalk,
    Udm,
    Keys,
    Values,
    Items,
    StartsWith,
    EndsWith,
    Lower,
    Upper,
    Strip,
    LeftStrip,
    RightStrip,
    Split,
    RightSplit,
    Replace,
    Find,
    Count,
    IsDigit,
    RemovePrefix,
    RemoveSuffix,
    Join,
    Union,
    Intersection,
    Pattern(Anchor),
}

impl Method {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "get" => Self::Get,
            "deep_get" => Self::DeepGet,
            "deep_walk" => Self::DeepWalk,
            "udm" => Self::Udm,
            "keys" => Self::Keys,
            "values" => Self::Values,
            "items" => Self::Items,
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            // They differ on non-ASCII text only, which is not asked.
            "lower" | "casefold" => Self::Lower,
            "upper" => Self::Upper,
            "strip" => Self::Strip,
            "lstrip" => Self::LeftStrip,
            "rstrip" => Self::RightStrip,
            "split" => Self::Split,
            "rsplit" => Self::RightSplit,
            "replace" => Self::Replace,
            "find" => Self::Find,
            "count" => Self::Count,
            "isdigit" => Self::IsDigit,
            "removeprefix" => Self::RemovePrefix,
            "removesuffix" => Self::RemoveSuffix,
            "join" => Self::Join,
            "union" => Self::Union,
            "intersection" => Self::Intersection,
            "match" => Self::Pattern(Anchor::Match),
            "search" => Self::Pattern(Anchor::Search),
            "fullmatch" => Self::Pattern(Anchor::FullMatch),
            _ => return None,
        })
    }
}
