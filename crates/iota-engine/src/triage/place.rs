//! Where something happened: the account, and what accounts.yaml says of it.

use super::account::Account;
use super::glob::Globs;

#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// Id of the account.
    pub id: Option<&'a str>,
    pub account: Option<&'a Account>,
}

impl Place<'_> {
    /// Patterns of account ids or names.
    pub(super) fn is_account(&self, accounts: &Globs) -> bool {
        self.id.is_some_and(|id| accounts.matches(id)) || self.account.is_some_and(|account| accounts.matches(&account.name))
    }

    /// Both hold; what is not stated holds.
    pub(super) fn is_in(&self, accounts: Option<&Globs>, environments: Option<&Globs>) -> bool {
        let environment = self.account.and_then(|account| account.environment.as_deref());
        accounts.is_none_or(|accounts| self.is_account(accounts))
            && environments.is_none_or(|environments| environment.is_some_and(|name| environments.matches(name)))
    }
}
