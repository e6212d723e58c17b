//! Worked keys as tables, and properties over made ones.

use super::*;
use proptest::prelude::*;

const DAY: &str = "us-east-1/2024/07/15";
const FILE: &str = "111122223333_CloudTrail_us-east-1_20240715T1005Z_AbCdEfGhIjKlMnOp.json.gz";

fn log(key: &str) -> LogKey<'_> {
    match Object::of(key) {
        Object::Log(log) => log,
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn every_layout_gives_account_region_and_day() {
    let organization = "o-a1b2c3d4e5";
    for (before, prefix, expected) in [
        ("AWSLogs".to_owned(), "", None),
        ("trail/AWSLogs".to_owned(), "trail", None),
        ("a/b c/ü+%41/AWSLogs".to_owned(), "a/b c/ü+%41", None),
        (format!("AWSLogs/{organization}"), "", Some(organization)),
        (format!("trail/AWSLogs/{organization}"), "trail", Some(organization)),
        // Control Tower.
        (format!("{organization}/AWSLogs/{organization}"), organization, Some(organization)),
        // A prefix that looks like the layout itself.
        ("AWSLogs/AWSLogs".to_owned(), "AWSLogs", None),
        ("AWSLogs/999999999999/CloudTrail/AWSLogs".to_owned(), "AWSLogs/999999999999/CloudTrail", None),
        (format!("AWSLogs/{organization}/AWSLogs"), "AWSLogs/o-a1b2c3d4e5", None),
        ("/AWSLogs".to_owned(), "", None),
    ] {
        let key = format!("{before}/111122223333/CloudTrail/{DAY}/{FILE}");
        let log = log(&key);
        assert_eq!((log.prefix, log.organization), (prefix, expected), "{key}");
        assert_eq!((log.account, log.region, log.day.to_string()), ("111122223333", "us-east-1", "2024/07/15".to_owned()));
        assert_eq!((log.kind, log.file), (Kind::Events, FILE));
        assert_eq!(log.delivered_ms, parse_ms("2024-07-15T10:05:00Z"));
    }
}

#[test]
fn folders_tell_kinds_apart() {
    for kind in Kind::ALL {
        let key = format!("AWSLogs/111122223333/{}/eu-west-3/2024/07/15/x.json.gz", kind.folder());
        assert_eq!(log(&key).kind, kind, "{key}");
    }
    assert!(Kind::NetworkActivity.has_records() && !Kind::Insight.has_records() && !Kind::Digest.has_records());
}

#[test]
fn what_is_no_log_file_is_told_what_it_is() {
    for (key, expected) in [
        ("", Object::Folder),
        ("AWSLogs/", Object::Folder),
        ("AWSLogs/111122223333/CloudTrail/", Object::Folder),
        ("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/07/15/", Object::Folder),
        ("AWSLogs/111122223333/Config/us-east-1/2024/7/5/ConfigHistory/111122223333_Config_x.json.gz", Object::Other("Config")),
        ("p/AWSLogs/111122223333/elasticloadbalancing/eu-west-1/2024/07/15/x.log.gz", Object::Other("elasticloadbalancing")),
        ("AWSLogs/o-a1b2c3d4e5/111122223333/vpcflowlogs/eu-west-1/2024/07/15/x.log.gz", Object::Other("vpcflowlogs")),
        ("AWSLogs/111122223333/WAFLogs/eu-west-1/acl/2024/07/15/10/00/x.log.gz", Object::Other("WAFLogs")),
        // In CloudTrail's folder, but not where its files are.
        ("AWSLogs/111122223333/CloudTrail/notes.txt", Object::Other("CloudTrail")),
        ("AWSLogs/111122223333/CloudTrail/us-east-1/2024/7/15/x.json.gz", Object::Other("CloudTrail")),
        ("AWSLogs/111122223333/CloudTrail/us-east-1/2024/02/30/x.json.gz", Object::Other("CloudTrail")),
        ("AWSLogs/111122223333/ConfigWritabilityCheckFile", Object::Unknown),
        ("AWSLogs/1111/CloudTrail/us-east-1/2024/07/15/x.json.gz", Object::Unknown),
        ("AWSLogs/o-short/111122223333/CloudTrail/us-east-1/2024/07/15/x.json.gz", Object::Unknown),
        ("awslogs/111122223333/CloudTrail/us-east-1/2024/07/15/x.json.gz", Object::Unknown),
        ("CloudTrail/us-east-1/2024/07/15/x.json.gz", Object::Unknown),
        ("backup.tar", Object::Unknown),
        ("////////", Object::Folder),
        ("///////x", Object::Unknown),
    ] {
        assert_eq!(Object::of(key), expected, "{key}");
    }
}

#[test]
fn digest_files_name_their_trail() {
    for (file, expected) in [
        ("management_eu-west-1_20240715T100500Z.json.gz", Some(("management", false))),
        ("a_b_us-west-2_c_eu-west-1_20240715T100500Z.json.gz", Some(("a_b_us-west-2_c", false))),
        ("management_eu-west-1_20240715T100500Z_backfill.json.gz", Some(("management", true))),
        ("management_20240715T100500Z.json.gz", None),
        ("x.json.gz", None),
    ] {
        let key = format!(
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/07/15/111122223333_CloudTrail-Digest_us-east-1_{file}"
        );
        let log = log(&key);
        assert_eq!(log.digest().map(|name| (name.trail, name.backfill)), expected, "{file}");
        if expected.is_some() {
            assert_eq!(log.delivered_ms, parse_ms("2024-07-15T10:05:00Z"), "{file}");
        }
    }
    assert_eq!(log(&format!("AWSLogs/111122223333/CloudTrail/{DAY}/{FILE}")).digest(), None);
}

#[test]
fn a_prefix_may_be_that_of_the_trail_or_a_path_below_it() {
    for (prefix, logs, within) in [
        ("", "AWSLogs/", "AWSLogs/"),
        ("/", "AWSLogs/", "AWSLogs/"),
        ("trail", "trail/AWSLogs/", "trail/AWSLogs/"),
        ("trail/x/", "trail/x/AWSLogs/", "trail/x/AWSLogs/"),
        ("AWSLogs", "AWSLogs/", "AWSLogs/"),
        ("AWSLogs/", "AWSLogs/", "AWSLogs/"),
        ("o-a1b2c3d4e5", "o-a1b2c3d4e5/AWSLogs/", "o-a1b2c3d4e5/AWSLogs/"),
        ("o-a1b2c3d4e5/AWSLogs/o-a1b2c3d4e5/", "o-a1b2c3d4e5/AWSLogs/", "o-a1b2c3d4e5/AWSLogs/o-a1b2c3d4e5/"),
        ("p/AWSLogs/111122223333/CloudTrail/eu-west-1/", "p/AWSLogs/", "p/AWSLogs/111122223333/CloudTrail/eu-west-1/"),
        ("AWSLogs/archive", "AWSLogs/archive/AWSLogs/", "AWSLogs/archive/AWSLogs/"),
    ] {
        assert_eq!(Root::of_prefix(prefix), Root { logs: logs.into(), within: within.into() }, "{prefix}");
    }
    let root = Root::of_prefix("AWSLogs/111122223333/");
    assert!(root.admits("AWSLogs/") && root.admits("AWSLogs/111122223333/CloudTrail/"));
    assert!(!root.admits("AWSLogs/444455556666/"));
}

proptest! {
    #[test]
    fn a_key_is_read_as_it_was_made(
        prefix in "([a-zA-Z0-9 +%ü._-]{1,8}|AWSLogs|o-[a-z0-9]{10}|[0-9]{12})(/([a-z+%]{1,5}|AWSLogs|o-[a-z0-9]{10}|[0-9]{12})){0,3}|",
        organization in proptest::option::of("o-[a-z0-9]{10,32}"),
        account in "[0-9]{12}",
        kind in proptest::sample::select(Kind::ALL.to_vec()),
        region in "[a-z]{2}(-[a-z]{3,5}){1,2}-[0-9]{1,2}",
        ms in 1_300_000_000_000i64..4_000_000_000_000,
        file in "[A-Za-z0-9_.+ %ü-]{1,40}",
    ) {
        let day = Day::of_ms(ms);
        let before = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let within = organization.as_ref().map_or(String::new(), |organization| format!("{organization}/"));
        let key = format!("{before}AWSLogs/{within}{account}/{}/{region}/{day}/{file}", kind.folder());
        let log = log(&key);
        prop_assert_eq!(log.prefix, &prefix[..]);
        prop_assert_eq!(log.organization, organization.as_deref());
        prop_assert_eq!((log.account, log.kind, log.region, log.day, log.file), (&account[..], kind, &region[..], day, &file[..]));
    }

    #[test]
    fn no_key_panics(key in "\\PC{0,60}|((AWSLogs|CloudTrail(-Digest)?|o-[a-z0-9]{10}|[0-9]{12}|us-east-1|[0-9]{1,4}|)/){0,9}[a-zA-Z0-9_]{0,9}") {
        let _ = Object::of(&key);
        let _ = Root::of_prefix(&key);
    }

    #[test]
    fn no_file_name_panics(file in "[0-9TZ_.ü-]{0,40}") {
        let key = format!("AWSLogs/111122223333/CloudTrail-Digest/{DAY}/{file}");
        if let Object::Log(log) = Object::of(&key) {
            let _ = log.digest();
        }
    }
}
