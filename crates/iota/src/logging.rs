//! Logs on standard error: readable on a terminal, one JSON object per line elsewhere.

use crate::args::{LogArgs, LogFormat};
use crate::environment;
use anyhow::Context;
use iota_engine::text::printable;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;

/// Stands in front of every further line of a message: a line of a log begins with its level.
const MARGIN: &str = "\n      ";

/// Fails on a filter that cannot be read; logs work all the same, so that this can be told.
pub(crate) fn start(args: &LogArgs) -> anyhow::Result<()> {
    let terminal = io::stderr().is_terminal();
    let level = match (args.quiet, args.verbose) {
        (true, _) => "error",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    let parse = |text: &str| EnvFilter::builder().parse(text);
    let given = args.log.as_deref().map_or(Ok(None), |text| parse(text).map(Some));
    let (filter, given) = match given {
        Ok(Some(filter)) => (filter, Ok(())),
        Ok(None) => (parse(level)?, Ok(())),
        Err(error) => (parse(level)?, Err(error)),
    };
    // Where standard error is closed there is nobody to tell.
    let builder = tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter).with_writer(io::stderr);
    let human = match args.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    if human {
        let fields = debug_fn(|writer, field, value| {
            let text = tame(&format!("{value:?}"));
            if field.name() == "message" { write!(writer, "{text}") } else { write!(writer, "{field}={text}") }
        });
        let colors = terminal && !environment::no_color();
        builder.fmt_fields(fields.delimited(" ")).with_ansi(colors).with_target(false).without_time().init();
    } else {
        builder.json().flatten_event(true).init();
    }
    given.with_context(|| {
        let text = args.log.as_deref().unwrap_or_default();
        format!("--log (or IOTA_LOG) {text:?}: a filter such as `debug` or `info,iota_python=debug` was expected")
    })
}

/// Messages hold text from records and rules, which must neither steer a terminal nor look like another message.
fn tame(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join(MARGIN)
}
