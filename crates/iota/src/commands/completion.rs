//! `iota completion SHELL`

use crate::args::{Cli, CompletionArgs};
use crate::exit::Exit;
use clap::CommandFactory;
use std::io::{self, Write};

pub(crate) fn completion(args: &CompletionArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "iota", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Ok)
}
