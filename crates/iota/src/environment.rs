//! The environment variables iota reads, all in one place (those named `IOTA_*` are declared with their flags).

use etcetera::BaseStrategy;
use nix::unistd::{User, getuid};
use std::ffi::OsString;
use std::path::PathBuf;

/// Where commands are looked up.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// Colours are unwanted (<https://no-color.org>).
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Where load reports are kept: `$XDG_CACHE_HOME/iota`, or what stands for it. `None` without a home directory.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|strategy| strategy.cache_dir().join("iota"))
}

/// A variable that the configuration file refers to (`env:NAME`).
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The rest of the names of all variables that begin so.
pub(crate) fn beginning_with(start: &str) -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter_map(|name| name.strip_prefix(start).map(str::to_owned)).collect()
}

/// Who uses the command, for the audit log: the name of the process's real user, whatever the environment says.
pub(crate) fn user_name() -> String {
    let uid = getuid();
    let name = User::from_uid(uid).ok().flatten().map_or_else(|| format!("uid {uid}"), |user| user.name);
    // Who has become root could write anything anywhere, so sudo is believed.
    match variable("SUDO_USER").filter(|before| uid.is_root() && !before.is_empty()) {
        Some(before) => format!("{name} (sudo by {before})"),
        None => name,
    }
}

/// The state directory that systemd has made for the service (`StateDirectory=`).
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn state_directory() -> Option<PathBuf> {
    std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()).map(PathBuf::from)
}
