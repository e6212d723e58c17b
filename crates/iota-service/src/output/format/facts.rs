//! What people see of an alert in a chat: chosen fields, one line each. Never the whole record, which can hold secrets.

use super::Alert;
use super::text::{cut_chars, one_line};

/// Most characters of a value.
const MAX_VALUE: usize = 300;
/// Most fields of a message.
const MAX_FIELDS: usize = 20;

/// What is shown unless the configuration chooses.
const USUAL: &[&str] = &[
    "rule_id",
    "account_id",
    "region",
    "actor",
    "source_ip",
    "event.eventSource",
    "event.eventName",
    "event.errorCode",
    "count",
    "first_seen",
    "last_seen",
    "alert_id",
];

/// Fields of an alert, by path.
#[derive(Debug, Clone)]
pub struct Fields(Vec<Vec<String>>);

impl Fields {
    /// Paths such as `actor`, `event.userAgent` or `context.bucket`; the usual ones without a choice. An error names the key
    /// `fields` and says what is wrong with it.
    pub fn new(paths: Option<&[String]>) -> Result<Self, (&'static str, String)> {
        let usual: Vec<String> = USUAL.iter().map(|path| (*path).to_owned()).collect();
        let paths = paths.unwrap_or(&usual);
        if paths.len() > MAX_FIELDS {
            return Err(("fields", format!("at most {MAX_FIELDS} fields fit in a message")));
        }
        let paths = paths.iter().map(|path| {
            let steps: Vec<String> = path.split('.').map(str::to_owned).collect();
            if steps.iter().any(String::is_empty) || steps == ["event"] {
                let why = format!("{path:?} is no field; a field of the alert, event.PATH or context.PATH is expected");
                return Err(("fields", why));
            }
            Ok(steps)
        });
        paths.collect::<Result<_, _>>().map(Self)
    }

    /// Name and value of each field that the alert has, safe to show. The alert's id is always the last.
    pub fn of(&self, alert: &Alert<'_>) -> Vec<(String, String)> {
        let id = vec!["alert_id".to_owned()];
        let paths = self.0.iter().filter(|path| **path != id).chain([&id]);
        paths
            .filter_map(|path| {
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                let value = one_line(&alert.shown(&steps)?);
                let name = steps.last().copied().unwrap_or_default();
                (!value.is_empty()).then(|| (name.to_owned(), cut_chars(&value, MAX_VALUE)))
            })
            .collect()
    }
}

/// What people did or what is new, before a title: nothing for a new alert.
pub fn headline(alert: &Alert<'_>) -> String {
    use iota_engine::store::DeliveryAction::{Acknowledge, Create, Resolve, Update};
    let said = match alert.action {
        Create => "",
        Update => "Again: ",
        Acknowledge => "Acknowledged: ",
        Resolve => "Resolved: ",
    };
    format!("{said}{}", alert.title())
}
