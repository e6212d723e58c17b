//! Which outputs an alert goes to.
//! Knows outputs by name only.

use super::glob::Globs;
use super::place::Place;
use crate::alert::Severity;
use crate::store::{Class, Route};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One entry of `routes:`. All conditions that are stated have to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteEntry {
    pub outputs: Vec<String>,
    /// This severe or worse.
    pub severity: Option<Severity>,
    /// Ids.
    pub rules: Option<Globs>,
    /// One of the rule's tags.
    pub tags: Option<Globs>,
    /// Ids, or names of accounts.yaml.
    pub accounts: Option<Globs>,
    /// Of accounts.yaml.
    pub environments: Option<Globs>,
    pub packs: Option<Globs>,
    pub classes: Option<Vec<SentClass>>,
    /// Also when the alert has grown.
    #[serde(default)]
    pub updates: bool,
}

/// The classes of alerts that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SentClass {
    Alert,
    Late,
}

/// What routes look at.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    pub pack: &'a str,
    pub rule: &'a str,
    pub tags: &'a [String],
    pub severity: Severity,
    pub class: &'a Class,
    pub place: Place<'a>,
    /// Outputs that are named for this alert: by an override, else by the rule. `Some` and empty is none at all.
    pub destinations: Option<&'a [String]>,
}

/// The outputs there are, and what each of them is sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Routes {
    outputs: Vec<String>,
    /// `None`: every output gets every alert.
    entries: Option<Vec<RouteEntry>>,
    /// Outputs that are also told when an alert has grown, whatever the entries say.
    growing: BTreeSet<String>,
}

impl Routes {
    pub fn new(outputs: Vec<String>, entries: Option<Vec<RouteEntry>>) -> Self {
        Self { outputs, entries, growing: BTreeSet::new() }
    }

    /// The same, with outputs that are also told when an alert has grown.
    #[must_use]
    pub fn telling_growth(self, growing: BTreeSet<String>) -> Self {
        Self { growing, ..self }
    }

    pub fn is_output(&self, name: &str) -> bool {
        self.outputs.iter().any(|output| output == name)
    }

    /// The outputs that an alert goes to, each once, in the order of the configuration.
    /// Destinations decide alone, unless none of them is an output here: then it is as if there were none stated.
    pub fn of(&self, routed: &Routed<'_>) -> Vec<Route> {
        if !routed.class.is_sent() {
            return Vec::new();
        }
        let named = routed.destinations.filter(|named| named.is_empty() || named.iter().any(|name| self.is_output(name)));
        let taking: Vec<_> = self.entries.iter().flatten().filter(|entry| entry.takes(routed)).collect();
        let route = |output: &String| {
            let entries: Vec<_> = taking.iter().filter(|entry| entry.outputs.contains(output)).collect();
            let goes = match named {
                Some(named) => named.contains(output),
                None => self.entries.is_none() || !entries.is_empty(),
            };
            goes.then(|| Route {
                output: output.clone(),
                updates: self.growing.contains(output) || entries.iter().any(|entry| entry.updates),
            })
        };
        self.outputs.iter().filter_map(route).collect()
    }
}

impl RouteEntry {
    fn takes(&self, routed: &Routed<'_>) -> bool {
        let class = if *routed.class == Class::Late { SentClass::Late } else { SentClass::Alert };
        self.severity.is_none_or(|severity| routed.severity >= severity)
            && self.rules.as_ref().is_none_or(|rules| rules.matches(routed.rule))
            && self.tags.as_ref().is_none_or(|tags| routed.tags.iter().any(|tag| tags.matches(tag)))
            && self.packs.as_ref().is_none_or(|packs| packs.matches(routed.pack))
            && self.classes.as_ref().is_none_or(|classes| classes.contains(&class))
            && routed.place.is_in(self.accounts.as_ref(), self.environments.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::Account;
    use crate::yaml::from_yaml;

    const ENTRIES: &str = "\
- {outputs: [pager], severity: HIGH}
- {outputs: [chat], rules: aws.iam.*, updates: true}
- {outputs: [chat], tags: [credentials, exfil*]}
- {outputs: [lab], accounts: [sandbox-*, '999900001111']}
- {outputs: [prod], environments: prod}
- {outputs: [own], packs: iota}
- {outputs: [archive], classes: [late]}
";

    fn routes() -> Routes {
        let outputs = ["pager", "chat", "lab", "prod", "own", "archive"].map(str::to_owned).to_vec();
        Routes::new(outputs, Some(from_yaml(ENTRIES.as_bytes()).unwrap()))
    }

    fn plain() -> Routed<'static> {
        let place = Place::default();
        Routed { pack: "p", rule: "r", tags: &[], severity: Severity::Low, class: &Class::Alert, place, destinations: None }
    }

    fn names(routed: &Routed<'_>) -> String {
        let name = |route: Route| if route.updates { format!("{}+", route.output) } else { route.output };
        routes().of(routed).into_iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_condition_of_an_entry_has_to_hold_and_any_entry_is_enough() {
        let (tags, other) = (["exfiltration".to_owned()], ["x".to_owned()]);
        let account = |name: &str, environment: &str| Account {
            name: name.to_owned(),
            environment: Some(environment.to_owned()),
            owner: None,
        };
        let (sandbox, prod) = (account("sandbox-7", "dev"), account("main", "prod"));
        let at = |account| Place { id: Some("111122223333"), account: Some(account) };
        for (routed, expected) in [
            (plain(), ""),
            (Routed { severity: Severity::High, ..plain() }, "pager"),
            (Routed { severity: Severity::Critical, rule: "aws.iam.root", ..plain() }, "pager chat+"),
            (Routed { tags: &tags, ..plain() }, "chat"),
            (Routed { tags: &other, ..plain() }, ""),
            (Routed { place: at(&sandbox), ..plain() }, "lab"),
            (Routed { place: Place { id: Some("999900001111"), account: None }, ..plain() }, "lab"),
            (Routed { place: at(&prod), ..plain() }, "prod"),
            (Routed { pack: "iota", ..plain() }, "own"),
            (Routed { class: &Class::Late, ..plain() }, "archive"),
            (Routed { class: &Class::Signal, severity: Severity::Critical, ..plain() }, ""),
            (Routed { class: &Class::Suppressed("s".into()), severity: Severity::Critical, ..plain() }, ""),
        ] {
            assert_eq!(names(&routed), expected, "{routed:?}");
        }
    }

    #[test]
    fn destinations_win_over_routes() {
        let lists = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        for (destinations, expected) in [
            (lists(&["lab", "own"]), "lab own"),
            (lists(&["chat", "gone"]), "chat+"),
            (lists(&[]), ""),
            // Names of another system: better the routes than nobody.
            (lists(&["gone"]), "pager chat+"),
        ] {
            let routed = Routed { severity: Severity::High, rule: "aws.iam.x", destinations: Some(&destinations), ..plain() };
            assert_eq!(names(&routed), expected, "{destinations:?}");
        }
    }

    #[test]
    fn without_routes_every_output_gets_every_alert() {
        let routes = Routes::new(vec!["a".into(), "b".into()], None);
        assert_eq!(routes.of(&plain()).len(), 2);
        assert!(routes.of(&Routed { class: &Class::Signal, ..plain() }).is_empty());
        assert!(Routes::new(vec!["a".into()], Some(Vec::new())).of(&plain()).is_empty(), "an empty list takes nothing");
    }
}
