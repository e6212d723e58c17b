//! Logs on standard error: readable on a terminal, one JSON object per line elsewhere.

use crate::args::{LogArgs, LogFormat};
use crate::environment;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

pub(crate) fn start(args: &LogArgs) {
    let terminal = io::stderr().is_terminal();
    let level = match (args.quiet, args.verbose) {
        (true, _) => "error",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    let filter = EnvFilter::builder().parse_lossy(args.log.as_deref().unwrap_or(level));
    // Where standard error is closed there is nobody to tell.
    let builder = tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter).with_writer(io::stderr);
    let human = match args.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    if human {
        builder.with_ansi(terminal && !environment::no_color()).with_target(false).without_time().init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
