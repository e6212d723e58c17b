//! Addresses and names that git would take for something else.

use super::{GitError, PROTOCOLS};

/// A local path becomes one that does not depend on where git runs.
pub(super) fn check_address(address: &str) -> Result<String, GitError> {
    let wrong = || GitError::Address(address.to_owned());
    // `ext::command` is a program of git's; `ssh://[::1]/` is none.
    let names_program = |(name, _): (&str, &str)| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if address.is_empty()
        || address.starts_with('-')
        || address.split_once("::").is_some_and(names_program)
        || address.chars().any(char::is_control)
    {
        return Err(wrong());
    }
    if let Some((scheme, _)) = address.split_once("://") {
        return if PROTOCOLS.split(':').any(|known| known == scheme) { Ok(address.to_owned()) } else { Err(wrong()) };
    }
    // user@host:path
    let is_remote = address.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
    if is_remote {
        return Ok(address.to_owned());
    }
    let path = std::path::absolute(address).map_err(|error| GitError::Io(address.to_owned(), error))?;
    path.into_os_string().into_string().map_err(|_| wrong())
}

pub(super) fn check_name(name: &str, what: &'static str) -> Result<(), GitError> {
    let odd = |character: char| character.is_control() || character.is_whitespace() || "~^:?*[\\".contains(character);
    let wrong = name.is_empty() || name.starts_with(['-', '+', '/']) || name.contains("..") || name.chars().any(odd);
    if wrong { Err(GitError::Name(name.to_owned(), what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_options_are_no_addresses() {
        for address in ["", "-x", "ext::sh -c x", "fd::17", "http://host/x", "git://host/x", "a\nb", "--upload-pack=x"] {
            assert!(check_address(address).is_err(), "{address}");
        }
        for address in ["https://host/x.git", "ssh://git@[::1]:22/x", "git@host:x.git", "/srv/a::b", "file:///srv/x"] {
            assert_eq!(check_address(address).unwrap(), address);
        }
        assert!(check_address("x").unwrap().starts_with('/'));
    }
}
