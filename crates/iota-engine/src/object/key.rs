//! Parses the keys of objects: `[prefix/]AWSLogs/[o-ORG/]ACCOUNT/SERVICE/REGION/YYYY/MM/DD/FILE`, as the CloudTrail user
//! guide has it. Read from the right, because a prefix may hold `AWSLogs`, an organization id or anything else.

use super::Day;
use crate::event::parse_ms;
use crate::region::is_region;

/// The path component under which AWS services write their logs.
const LOGS: &str = "AWSLogs";

/// What a key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object<'a> {
    /// A file of CloudTrail.
    Log(LogKey<'a>),
    /// A file of another service, with the name of its folder (`Config`, `elasticloadbalancing`, `vpcflowlogs`).
    Other(&'a str),
    /// Stands for a folder: ends with a slash. Consoles make them, empty.
    Folder,
    /// Nothing of the kinds above.
    Unknown,
}

/// A key of CloudTrail, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey<'a> {
    /// What stands before `AWSLogs/`, without the slash at its end.
    pub prefix: &'a str,
    pub organization: Option<&'a str>,
    pub account: &'a str,
    pub kind: Kind,
    pub region: &'a str,
    /// Of the delivery, which may be weeks after the events.
    pub day: Day,
    /// Of the delivery, from the stamp in the file's name, in milliseconds since 1970.
    pub delivered_ms: Option<i64>,
    pub file: &'a str,
}

/// Which of CloudTrail's folders a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Management and data events.
    Events,
    /// Network activity events: ordinary records.
    NetworkActivity,
    Insight,
    Aggregated,
    Digest,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Events, Kind::NetworkActivity, Kind::Insight, Kind::Aggregated, Kind::Digest];

    /// The folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Events => "CloudTrail",
            Self::NetworkActivity => "CloudTrail-NetworkActivity",
            Self::Insight => "CloudTrail-Insight",
            Self::Aggregated => "CloudTrail-Aggregated",
            Self::Digest => "CloudTrail-Digest",
        }
    }

    fn of_folder(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == name)
    }

    /// Its files hold ordinary records.
    pub fn has_records(self) -> bool {
        matches!(self, Self::Events | Self::NetworkActivity)
    }
}

impl<'a> Object<'a> {
    pub fn of(key: &'a str) -> Self {
        if key.ends_with('/') || key.is_empty() {
            return Self::Folder;
        }
        if let Some(log) = LogKey::of(key) {
            return Self::Log(log);
        }
        other_service(key).map_or(Self::Unknown, Self::Other)
    }
}

impl<'a> LogKey<'a> {
    fn of(key: &'a str) -> Option<Self> {
        let mut parts = key.rsplitn(8, '/');
        let mut next = || parts.next();
        let (file, day, month, year) = (next()?, next()?, next()?, next()?);
        let (region, folder, account, rest) = (next()?, next()?, next()?, next()?);
        let (day, kind) = (Day::of_parts(year, month, day)?, Kind::of_folder(folder)?);
        if file.is_empty() || !is_region(region) || !is_account(account) {
            return None;
        }
        let (before, last) = rest.rsplit_once('/').unwrap_or(("", rest));
        let (prefix, organization) = match last {
            LOGS => (before, None),
            organization if is_organization(organization) => {
                let (prefix, logs) = before.rsplit_once('/').unwrap_or(("", before));
                (logs == LOGS).then_some((prefix, Some(organization)))?
            }
            _ => return None,
        };
        Some(Self { prefix, organization, account, kind, region, day, delivered_ms: stamp_ms(file), file })
    }

    /// The trail that a digest file is of; `None` for other files, and for names that are not those of digest files.
    pub fn digest(&self) -> Option<DigestName<'a>> {
        if self.kind != Kind::Digest {
            return None;
        }
        // ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOME-REGION_STAMP[_backfill].json.gz; a trail's name may hold `_`.
        let name = self.file.split_once(".json").map_or(self.file, |(name, _)| name);
        let (name, backfill) = name.strip_suffix("_backfill").map_or((name, false), |name| (name, true));
        let rest = name.strip_prefix(self.account)?.strip_prefix("_CloudTrail-Digest_")?;
        let rest = rest.strip_prefix(self.region)?.strip_prefix('_')?;
        let (rest, _stamp) = rest.rsplit_once('_')?;
        let (trail, home_region) = rest.rsplit_once('_')?;
        (is_region(home_region) && !trail.is_empty()).then_some(DigestName { trail, home_region, backfill })
    }
}

/// What the name of a digest file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DigestName<'a> {
    pub trail: &'a str,
    pub home_region: &'a str,
    /// Made later, for hours whose digests could not be delivered in time.
    pub backfill: bool,
}

/// The time in a name, `_YYYYMMDDTHHMMZ` or, in digest files, `_YYYYMMDDTHHMMSSZ`. The last one, since trails may be named
/// like a time.
fn stamp_ms(file: &str) -> Option<i64> {
    file.split(['_', '.']).rev().find_map(|part| {
        let stamp = part.strip_suffix('Z')?;
        let (date, time) = stamp.split_once('T')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if date.len() != 8 || !matches!(time.len(), 4 | 6) || !digits(date) || !digits(time) {
            return None;
        }
        let seconds = if time.len() == 6 { &time[4..] } else { "00" };
        parse_ms(&format!("{}-{}-{}T{}:{}:{seconds}Z", &date[..4], &date[4..6], &date[6..], &time[..2], &time[2..4]))
    })
}

/// The folder of a service right behind the last account under `AWSLogs`.
fn other_service(key: &str) -> Option<&str> {
    let parts: Vec<&str> = key.split('/').collect();
    (0..parts.len()).rev().filter(|&at| parts[at] == LOGS).find_map(|at| {
        let organization = parts.get(at + 1).is_some_and(|part| is_organization(part));
        let account = at + 1 + usize::from(organization);
        let service = parts.get(account + 1).filter(|_| parts.len() > account + 2)?;
        (is_account(parts[account]) && !service.is_empty()).then_some(*service)
    })
}

/// An AWS account id: twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An organization's id: `o-` and 10 to 32 lower-case letters or digits (Organizations API reference).
pub fn is_organization(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// Where listing begins, from what a user gives as prefix: the prefix of a trail, or any path below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Ends with `AWSLogs/`.
    pub logs: String,
    /// What keys have to start with; at least as long as `logs` when the user gave a path below it.
    pub within: String,
}

impl Root {
    pub fn of_prefix(prefix: &str) -> Self {
        let prefix = prefix.trim_start_matches('/');
        let parts: Vec<&str> = prefix.split('/').collect();
        // A last `AWSLogs` that only an account or organization stands behind is the one; otherwise it belongs to the prefix.
        let behind =
            |at: usize| parts.get(at + 1).is_none_or(|next| next.is_empty() || is_account(next) || is_organization(next));
        let control_tower =
            |at: usize| parts.get(at + 1).is_some_and(|next| is_organization(next)) && parts.get(at + 2) == Some(&LOGS);
        let at = (0..parts.len()).rev().find(|&at| parts[at] == LOGS && behind(at) && !control_tower(at));
        if let Some(at) = at {
            let logs = format!("{}/", parts[..=at].join("/"));
            let within = if prefix.len() < logs.len() { logs.clone() } else { prefix.to_owned() };
            return Self { logs, within };
        }
        let prefix = prefix.trim_end_matches('/');
        let logs = if prefix.is_empty() { format!("{LOGS}/") } else { format!("{prefix}/{LOGS}/") };
        Self { within: logs.clone(), logs }
    }

    /// Keys that begin with this path may be wanted.
    pub fn admits(&self, path: &str) -> bool {
        path.starts_with(&self.within) || self.within.starts_with(path)
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
