//! The last object of each account and region: where CloudTrail has fallen silent.

use super::bucket::{Last, Logs};
use super::finding::{Finding, Report};
use iota_engine::event::format_ms;
use jiff::Timestamp;

/// Logs come about every five minutes (CloudTrail user guide); nothing for so long, in milliseconds, is worth a look.
const SILENT_MS: i64 = 60 * 60 * 1_000;
/// The same of one account and region among many, where often nothing happens for hours.
const STALE_MS: i64 = 24 * 60 * 60 * 1_000;
/// Names that are listed at most.
const NAMED: usize = 20;

pub(super) fn check(logs: &Logs, report: &mut Report<'_>) {
    if let Some(finding) =
        judge(&logs.bucket.url(&logs.root.within), &logs.branches, logs.unseen, Timestamp::now().as_millisecond())
    {
        report.tell(finding);
    }
}

fn judge(subject: &str, branches: &[Last], unseen: usize, now_ms: i64) -> Option<Finding> {
    let newest = branches.iter().filter_map(|last| last.delivered_ms).max()?;
    let age_ms = now_ms.saturating_sub(newest);
    let rest = if unseen > 0 { format!("; {unseen} more accounts' regions were not looked at") } else { String::new() };
    let mut found = format!("last object {}, {} ago{rest}", format_ms(newest), shown(age_ms));
    if age_ms >= SILENT_MS {
        let mend = "if events did happen: see that the trail is logging, that its bucket policy lets cloudtrail.amazonaws.com \
                    write, and that its key lets it encrypt (`aws cloudtrail get-trail-status`)";
        return Some(Finding::warning("delivery", subject, found).setting(mend));
    }
    let stale: Vec<&Last> =
        branches.iter().filter(|last| last.delivered_ms.is_none_or(|ms| now_ms.saturating_sub(ms) >= STALE_MS)).collect();
    if stale.is_empty() {
        return Some(Finding::ok("delivery", subject, found));
    }
    let name = |last: &&Last| {
        let age = last.delivered_ms.map_or_else(|| "never".to_owned(), |ms| format!("{} ago", shown(now_ms - ms)));
        format!("{}/{} {age}", last.branch.account, last.branch.region)
    };
    let names: Vec<_> = stale.iter().take(NAMED).map(name).collect();
    let more = stale.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    found = format!("{found}; nothing for a day from {}{more}", names.join(", "));
    let mend = "nothing may have happened there; otherwise see that the trail is a multi-Region or organization trail and logs";
    Some(Finding::warning("delivery", subject, found).setting(mend))
}

fn shown(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 60 / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use crate::source::s3::Branch;
    use iota_engine::object::Kind;

    const NOW: i64 = 1_700_000_000_000;

    fn last(region: &str, age_minutes: Option<i64>) -> Last {
        let branch = Branch { account: "111122223333".into(), region: region.into(), kind: Kind::Events, prefix: String::new() };
        Last { branch, object: None, delivered_ms: age_minutes.map(|age| NOW - age * 60_000) }
    }

    #[test]
    fn silence_is_told_of_all_and_of_each_account_and_region() {
        let judge = |branches: &[Last]| judge("s3://b/", branches, 0, NOW);
        assert_eq!(judge(&[]), None);
        let fine = judge(&[last("eu-west-1", Some(4)), last("us-east-1", Some(600))]).unwrap();
        assert_eq!((fine.level, fine.found.ends_with("4 min ago")), (Level::Ok, true), "{}", fine.found);
        let silent = judge(&[last("eu-west-1", Some(61)), last("us-east-1", Some(600))]).unwrap();
        assert_eq!((silent.level, silent.found.ends_with("61 min ago")), (Level::Warning, true));
        let stale = judge(&[last("eu-west-1", Some(4)), last("us-east-1", Some(2880)), last("us-east-2", None)]).unwrap();
        assert_eq!(stale.level, Level::Warning);
        let expected = "nothing for a day from 111122223333/us-east-1 2 days ago, 111122223333/us-east-2 never";
        assert!(stale.found.ends_with(expected), "{}", stale.found);
    }
}
