//! What a pack must not do for its source to mean anything.

/// Names whose mere use lets a pack change what its source says.
pub(super) const HAZARDS: [&str; 13] = [
    "exec",
    "eval",
    "globals",
    "locals",
    "vars",
    "setattr",
    "delattr",
    "compile",
    "__import__",
    "__builtins__",
    "breakpoint",
    "input",
    "__loader__",
];
/// Modules through which it could.
pub(super) const HAZARDOUS_MODULES: [&str; 8] = ["builtins", "gc", "ctypes", "importlib", "inspect", "unittest", "imp", "code"];
/// The same of attributes of `sys`.
pub(super) const HAZARDOUS_SYS: [&str; 5] = ["modules", "_getframe", "settrace", "setprofile", "_current_frames"];
/// What makes logging call code of the pack.
pub(super) const LOGGING: [&str; 4] = ["addHandler", "addFilter", "setLoggerClass", "setLogRecordFactory"];
/// Attributes with two underscores that are harmless to read.
const HARMLESS_DUNDERS: [&str; 11] = [
    "__name__",
    "__doc__",
    "__class__",
    "__file__",
    "__hash__",
    "__eq__",
    "__len__",
    "__contains__",
    "__str__",
    "__repr__",
    "__iter__",
];

/// `__globals__` and the like, but for those that are harmless to read.
pub(super) fn is_hazardous_name(name: &str) -> bool {
    let dunder = name.len() > 4 && name.starts_with("__") && name.ends_with("__");
    dunder && !name.contains(' ') && !HARMLESS_DUNDERS.contains(&name) && name != "__main__"
}
