//! `accounts.yaml`: what the accounts are called, what they are for, and whose they are.
//! Knows nothing of AWS: an account is its id.

use super::file::{check_version, problem};
use crate::yaml::{Step, YamlError, from_yaml, line_at};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: String,
    pub environment: Option<String>,
    pub owner: Option<String>,
}

/// By account id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts(BTreeMap<String, Account>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Option<u32>,
    #[serde(default)]
    accounts: BTreeMap<String, Account>,
}

impl Accounts {
    pub fn parse(bytes: &[u8]) -> Result<Self, YamlError> {
        let file: File = from_yaml(bytes)?;
        check_version(bytes, file.version)?;
        for (id, account) in &file.accounts {
            let line = line_at(bytes, &[Step::Key("accounts"), Step::Key(id)]);
            if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(problem(line, format!("accounts: `{id}` is not an account id (12 digits)")));
            }
            if account.name.is_empty() {
                return Err(problem(line, format!("accounts.{id}: `name` is empty")));
            }
        }
        Ok(Self(file.accounts))
    }

    pub fn get(&self, id: Option<&str>) -> Option<&Account> {
        self.0.get(id?)
    }

    /// With their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Account)> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_quoted_or_not() {
        let text = "version: 1\naccounts:\n  \"111122223333\": {name: prod, environment: production, owner: payments}\n  012345678901: {name: old}\n";
        let accounts = Accounts::parse(text.as_bytes()).unwrap();
        assert_eq!(accounts.get(Some("111122223333")).unwrap().name, "prod");
        assert_eq!(accounts.get(Some("012345678901")).unwrap().name, "old");
        assert_eq!((accounts.get(Some("1")), accounts.get(None)), (None, None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("accounts: {}\n", "1: `version: 1` is missing"),
            ("version: 1\naccounts:\n  \"1111\": {name: a}\n", "3: accounts: `1111` is not an account id (12 digits)"),
            ("version: 1\naccounts:\n  \"111122223333\": {nam: a}\n", "3: unknown key `nam`; did you mean `name`?"),
            ("version: 1\naccounts:\n  \"111122223333\": {name: \"\"}\n", "3: accounts.111122223333: `name` is empty"),
        ] {
            let error = Accounts::parse(text.as_bytes()).unwrap_err();
            assert_eq!(format!("{}: {}", error.line, error.message), expected);
        }
    }
}
