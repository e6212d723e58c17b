//! What the files of this folder have in common.

use crate::yaml::{Step, YamlError, line_at};

/// The only version of these files there is.
const VERSION: u32 = 1;

pub(super) fn problem(line: Option<u64>, message: String) -> YamlError {
    YamlError { line: line.unwrap_or(1), message, unknown_key: false }
}

pub(super) fn check_version(bytes: &[u8], version: Option<u32>) -> Result<(), YamlError> {
    match version {
        Some(VERSION) => Ok(()),
        None => Err(problem(None, format!("`version: {VERSION}` is missing"))),
        Some(other) => {
            let line = line_at(bytes, &[Step::Key("version")]);
            Err(problem(line, format!("version {other} is not known; this iota reads version {VERSION}")))
        }
    }
}
