//! Exit statuses: the only place that knows their numbers.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok,
    /// What was asked to be an error: findings (`--fail-on`), failed tests, problems found by `check`.
    Findings,
    /// Usage, configuration, or input that could not be read.
    Usage,
    /// Finished, but records were rejected or rules failed.
    Partial,
    /// Ended by a signal.
    Interrupted(u8),
}

impl Exit {
    /// Reports an error that ended the command. A reader that closed our output is none.
    pub(crate) fn from_error(error: &anyhow::Error) -> Self {
        if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_broken_pipe)) {
            return Self::Ok;
        }
        tracing::error!("{error:#}");
        Self::Usage
    }
}

pub(crate) fn is_broken_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Ok => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
            Exit::Interrupted(signal) => 128 + signal,
        })
    }
}
