//! The environment variables iota reads, all in one place (those named `IOTA_*` are declared with their flags).

use etcetera::BaseStrategy;
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

/// Who uses the command, for the audit log: the name that `sudo` was used under, else the login name.
pub(crate) fn user_name() -> Option<String> {
    ["SUDO_USER", "LOGNAME", "USER"].into_iter().filter_map(variable).find(|name| !name.is_empty())
}

/// The state directory that systemd has made for the service (`StateDirectory=`).
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn state_directory() -> Option<PathBuf> {
    std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()).map(PathBuf::from)
}
