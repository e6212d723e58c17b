//! The `iota` binary: arguments in, exit status out. Wires; decides nothing.

mod args;
mod commands;
mod environment;
mod exit;
mod logging;
mod printer;

use args::{Cli, Command};
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = Cli::command().try_get_matches().unwrap_or_else(|error| args::naming_the_variable(error).exit());
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = logging::start(&cli.log).and_then(|()| {
        for (name, meant) in args::mistyped_variables() {
            tracing::warn!("the variable {name} is not read by anything; did you mean {meant}?");
        }
        run(cli, &matches)
    });
    result.unwrap_or_else(|error| Exit::from_error(&error)).into()
}

fn run(cli: Cli, matches: &ArgMatches) -> anyhow::Result<Exit> {
    match cli.command {
        Some(Command::Run(args)) => commands::run::run(&args, args::subcommand(matches)),
        Some(Command::Watch(args)) => commands::watch::watch(&args, args::subcommand(matches)),
        Some(Command::Doctor(args)) => commands::doctor::doctor(&args, args::subcommand(matches)),
        Some(Command::Test(args)) => commands::test::test(&args, args::subcommand(matches)),
        Some(Command::Check(args)) => commands::check::check(&args, args::subcommand(matches)),
        Some(Command::Explain(args)) => commands::explain::explain(&args, args::subcommand(matches)),
        Some(Command::Ingest(args)) => commands::ingest::ingest(&args),
        Some(Command::ValidateLogs(args)) => commands::validate_logs::validate_logs(&args),
        Some(Command::Gaps(args)) => commands::gaps::gaps(&args),
        Some(Command::Alerts(args)) => commands::alerts::alerts(&args, args::subcommand(matches)),
        Some(Command::Dlq(args)) => commands::dlq::dlq(&args, args::subcommand(matches)),
        Some(Command::Suppress(args)) => commands::suppress::suppress(&args, args::subcommand(matches)),
        Some(Command::Outputs(args)) => commands::outputs::outputs(&args, args::subcommand(matches)),
        Some(Command::Audit(args)) => commands::audit::audit(&args, args::subcommand(matches)),
        Some(Command::Config(args)) => commands::config::config(&args, matches),
        Some(Command::Completion(args)) => commands::completion::completion(&args),
        Some(Command::Rules(args)) => commands::rules::rules(&args, args::subcommand(matches)),
        Some(Command::Rerun(args)) => commands::rerun::rerun(&args, args::subcommand(matches)),
        Some(Command::Man(args)) => commands::man::man(&args),
        None => commands::run::original(&cli.original, matches),
    }
}
