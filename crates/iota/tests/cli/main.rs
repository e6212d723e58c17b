//! The binary from outside: arguments and files in, output, exit status and accounting out.

mod alerts;
mod bad_input;
mod check_command;
mod formats;
mod harness;
mod hostile_rules;
mod settings;
mod streaming;
mod test_command;
