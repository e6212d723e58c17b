//! The binary from outside: arguments and files in, output, exit status and accounting out.

#![expect(
    clippy::unwrap_used,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::cast_possible_truncation,
    reason = "a panic is how a test fails, and its strings are small"
)]

mod alerts;
#[cfg(target_os = "linux")]
mod attacks;
mod audit;
mod bad_input;
mod check_command;
#[cfg(target_os = "linux")]
mod crash;
mod delivery;
mod explain;
mod fast_path;
mod formats;
mod harness;
mod hostile_input;
mod hostile_rules;
mod metrics;
mod outputs;
mod paused_packs;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod sandbox;
mod settings;
mod state;
mod stored;
mod streaming;
mod supply;
mod test_command;
mod threads;
mod triage;
mod watch;
