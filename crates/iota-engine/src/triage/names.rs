//! Names in routes, overrides and suppressions that nothing has: mostly slips of the pen, by which an alert goes where nobody
//! looks, or a suppression hides nothing. They are told and not refused, because a rule may come later.
//! Pure: who calls knows what there is.

use super::account::Accounts;
use super::adjust::Adjustment;
use super::glob::Globs;
use super::route::RouteEntry;
use super::suppression::Suppression;
use crate::system;
use crate::text::did_you_mean;
use crate::yaml::Step;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Digits of an account id.
const ID_DIGITS: usize = 12;

/// What rules can be told apart by.
#[derive(Debug, Clone, Default)]
pub struct Names<'a> {
    /// Ids.
    pub rules: BTreeSet<&'a str>,
    /// Former ids, with the one that the rule has now.
    pub former: BTreeMap<&'a str, &'a str>,
    pub tags: BTreeSet<&'a str>,
    pub packs: BTreeSet<&'a str>,
}

/// The configuration, as far as it names something.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    pub routes: &'a [RouteEntry],
    /// By rule id.
    pub adjustments: &'a BTreeMap<String, Adjustment>,
    pub suppressions: &'a [Suppression],
    pub accounts: &'a Accounts,
}

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// It stands in the file of suppressions, else in that of the configuration.
    pub in_suppressions: bool,
    /// Leads to where it stands.
    pub steps: Vec<Step<'a>>,
    pub message: String,
}

impl<'a> Naming<'a> {
    /// Every name that nothing has, in the order of the files.
    pub fn unknown(&self, names: &Names<'a>) -> Vec<Unknown<'a>> {
        let mut found = Vec::new();
        let mut look = |steps: &[Step<'a>], globs: Option<&'a Globs>, kind: Kind| {
            for pattern in globs.into_iter().flat_map(Globs::written) {
                let Some(hint) = self.lacks(names, kind, pattern) else { continue };
                let in_suppressions = matches!(steps, [Step::Key("suppressions"), ..]);
                let message = format!("{}: there is no {} `{pattern}`{hint}", shown(steps), kind.noun());
                found.push(Unknown { in_suppressions, steps: steps.to_vec(), message });
            }
        };
        for (index, entry) in self.routes.iter().enumerate() {
            let at = |key| [Step::Key("routes"), Step::Item(index), Step::Key(key)];
            look(&at("rules"), entry.rules.as_ref(), Kind::SentRule);
            look(&at("tags"), entry.tags.as_ref(), Kind::Tag);
            look(&at("accounts"), entry.accounts.as_ref(), Kind::Account);
            look(&at("environments"), entry.environments.as_ref(), Kind::Environment);
            look(&at("packs"), entry.packs.as_ref(), Kind::Pack);
        }
        for (rule, adjustment) in self.adjustments {
            for (index, entry) in adjustment.by_account.iter().enumerate() {
                let at =
                    |key| [Step::Key("overrides"), Step::Key(rule), Step::Key("by_account"), Step::Item(index), Step::Key(key)];
                look(&at("accounts"), entry.accounts.as_ref(), Kind::Account);
                look(&at("environments"), entry.environments.as_ref(), Kind::Environment);
            }
        }
        for (index, suppression) in self.suppressions.iter().enumerate() {
            let at = |key| [Step::Key("suppressions"), Step::Item(index), Step::Key(key)];
            look(&at("rule"), suppression.stated.rule.as_ref(), Kind::HiddenRule);
            look(&at("account"), suppression.stated.account.as_ref(), Kind::Account);
        }
        found
    }

    /// The end of a message, if nothing has the name.
    fn lacks(&self, names: &Names<'a>, kind: Kind, pattern: &str) -> Option<String> {
        let globs = Globs::new([pattern]);
        let none_of = |known: &mut dyn Iterator<Item = &'a str>| {
            let known: Vec<&str> = known.collect();
            (!known.iter().any(|name| globs.matches(name))).then(|| did_you_mean(pattern, known))
        };
        match kind {
            // By the id that the rule has now, and with what iota tells of itself.
            Kind::SentRule => {
                let hint = none_of(&mut names.rules.iter().copied().chain(system::RULES))?;
                let now = names.former.iter().find(|(former, _)| globs.matches(former));
                Some(now.map_or(hint, |(former, now)| format!("; the rule that was `{former}` is `{now}` now")))
            }
            Kind::HiddenRule => none_of(&mut names.rules.iter().chain(names.former.keys()).copied()),
            Kind::Tag => none_of(&mut names.tags.iter().copied()),
            Kind::Pack => none_of(&mut names.packs.iter().copied().chain([system::PACK])),
            // Which accounts there are nobody knows; which names they have accounts.yaml says.
            Kind::Account if may_be_id(pattern) => None,
            Kind::Account => {
                none_of(&mut self.accounts.iter().map(|(_, account)| account.name.as_str())).map(|h| self.of_file(h))
            }
            Kind::Environment => none_of(&mut self.accounts.iter().filter_map(|(_, account)| account.environment.as_deref()))
                .map(|h| self.of_file(h)),
        }
    }

    fn of_file(&self, hint: String) -> String {
        if self.accounts.is_empty() { "; `accounts:` names no file that lists any".to_owned() } else { hint }
    }
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy)]
enum Kind {
    SentRule,
    HiddenRule,
    Tag,
    Pack,
    Account,
    Environment,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::SentRule | Self::HiddenRule => "rule",
            Self::Tag => "rule with the tag",
            Self::Pack => "pack",
            Self::Account => "account",
            Self::Environment => "environment",
        }
    }
}

/// Whether an account can have this id, or one that fits the pattern.
fn may_be_id(pattern: &str) -> bool {
    let fixed = pattern.bytes().filter(|byte| *byte != b'*').count();
    let long_enough = if pattern.contains('*') { fixed <= ID_DIGITS } else { fixed == ID_DIGITS };
    long_enough && pattern.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'?'))
}

/// `routes[0].rules`.
fn shown(steps: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in steps {
        let _ = match step {
            Step::Key(key) if text.is_empty() => write!(text, "{key}"),
            Step::Key(key) => write!(text, ".{key}"),
            Step::Item(index) => write!(text, "[{index}]"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::parse_suppressions;
    use crate::yaml::from_yaml;

    const ACCOUNTS: &str = "version: 1\naccounts:\n  111122223333: {name: shop, environment: production}\n";

    fn told(routes: &str, suppressions: &str, accounts: &str) -> Vec<String> {
        let routes: Vec<RouteEntry> = from_yaml(routes.as_bytes()).unwrap();
        let adjustments: BTreeMap<String, Adjustment> =
            from_yaml(b"a.b: {by_account: [{accounts: shop, severity: LOW}, {environments: prod, severity: LOW}]}").unwrap();
        let text = format!("version: 1\nsuppressions: [{suppressions}]");
        let suppressions = parse_suppressions(text.as_bytes(), 0, 366).unwrap();
        let accounts = Accounts::parse(accounts.as_bytes()).unwrap();
        let naming = Naming { routes: &routes, adjustments: &adjustments, suppressions: &suppressions, accounts: &accounts };
        let names = Names {
            rules: ["aws.iam.root", "a.b"].into(),
            former: [("old.id", "a.b")].into(),
            tags: ["exfiltration"].into(),
            packs: ["shipped"].into(),
        };
        naming
            .unknown(&names)
            .into_iter()
            .map(|unknown| format!("{}{}", u8::from(unknown.in_suppressions), unknown.message))
            .collect()
    }

    #[test]
    fn what_nothing_has_is_told_with_what_may_have_been_meant() {
        let routes = "[{outputs: [o], rules: [aws.iam.*, aws.imm.root, old.id, iota.system.*]}, \
             {outputs: [o], tags: [exfil*, exfiltrate], packs: [ship, iota, shipped]}, \
             {outputs: [o], accounts: [shop, shpo, '111122223333', '999*', '1234'], environments: [production, productions]}]";
        let suppressions =
            "{id: s, rule: [old.id, nothing], account: [schop, '4444????5555'], owner: o, reason: r, expires: 1970-02-01}";
        let expected = [
            "0routes[0].rules: there is no rule `aws.imm.root`; did you mean `aws.iam.root`?",
            "0routes[0].rules: there is no rule `old.id`; the rule that was `old.id` is `a.b` now",
            "0routes[1].tags: there is no rule with the tag `exfiltrate`; did you mean `exfiltration`?",
            "0routes[1].packs: there is no pack `ship`; did you mean `shipped`?",
            "0routes[2].accounts: there is no account `shpo`; did you mean `shop`?",
            "0routes[2].accounts: there is no account `1234`",
            "0routes[2].environments: there is no environment `productions`; did you mean `production`?",
            "0overrides.a.b.by_account[1].environments: there is no environment `prod`; did you mean `production`?",
            "1suppressions[0].rule: there is no rule `nothing`",
            "1suppressions[0].account: there is no account `schop`; did you mean `shop`?",
        ];
        assert_eq!(told(routes, suppressions, ACCOUNTS), expected);
    }

    #[test]
    fn names_of_accounts_need_a_file_that_has_them() {
        let told = told("[{outputs: [o], accounts: ['111122223333', '*']}]", "", "version: 1\n");
        let expected = [
            "0overrides.a.b.by_account[0].accounts: there is no account `shop`; `accounts:` names no file that lists any",
            "0overrides.a.b.by_account[1].environments: there is no environment `prod`; `accounts:` names no file that lists any",
        ];
        assert_eq!(told, expected);
    }
}
