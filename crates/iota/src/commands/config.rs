//! `iota config show`

use crate::args::{ConfigArgs, ConfigCommand, subcommand};
use crate::exit::Exit;
use clap::ArgMatches;
use iota_service::config::Settings;
use std::io::{self, Write};

pub(crate) fn config(args: &ConfigArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let ConfigCommand::Show { origin, rules } = &args.command;
    let settings = Settings::resolve(rules.given(subcommand(matches)))?;
    let mut out = io::stdout().lock();
    for (name, value, from) in settings.table() {
        if *origin {
            writeln!(out, "{name} = {value}  ({from})")?;
        } else {
            writeln!(out, "{name} = {value}")?;
        }
    }
    let file = rules.python.config.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    for (name, value) in settings.in_file_only() {
        if *origin {
            writeln!(out, "{name} = {value}  ({file})")?;
        } else {
            writeln!(out, "{name} = {value}")?;
        }
    }
    Ok(Exit::Ok)
}
