//! `iota ingest` on real records: what it writes, file by file, and what `iota watch` finds in it meanwhile.

use crate::harness::{Seed, Target, gzip, key, moto, root};
use crate::watching::{Watching, alerts, target};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

/// Files below a directory by their paths in it.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, directory: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(directory, directory, &mut found);
    assert!(!found.is_empty(), "{}", directory.display());
    found
}

/// Contents of the files of each hour; their names are made at random.
fn by_hour(directory: &Path) -> BTreeMap<String, Vec<String>> {
    let mut hours: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, content) in files(directory) {
        let (hour, name) = path.rsplit_once('/').unwrap();
        let number = name.strip_prefix("iota_").and_then(|name| name.strip_suffix(".jsonl")).unwrap_or_default();
        assert!(number.len() == 16 && u64::from_str_radix(number, 16).is_ok(), "{path}");
        hours.entry(hour.to_owned()).or_default().push(String::from_utf8(content).unwrap());
    }
    hours
}

/// `testdata/ingest`, which was made without iota.
#[test]
fn the_directories_are_those_of_the_fixture() {
    let mut seed = Seed::default();
    for (key, body) in files(&root().join("testdata/ingest/bucket")) {
        seed.put(&key, &body);
    }
    let target = Target::new();
    let ran = target.ingest(&[&format!("s3://{}", seed.plant())]);
    assert_eq!((ran.code, ran.count("records_duplicate")), (Some(0), 2), "{}", ran.stderr);
    assert_eq!(by_hour(&target.path("events")), by_hour(&root().join("testdata/ingest/events")));
}

/// The log files of the fixture as if they had been delivered now, with records of the last hour: those that are older than
/// a day `iota watch` counts apart.
fn fresh() -> Vec<(String, Vec<u8>)> {
    let now = jiff::Timestamp::now();
    let (mut minutes, mut made) = (BTreeMap::new(), Vec::new());
    for (number, (path, body)) in files(&root().join("testdata/ingest/bucket")).into_iter().enumerate() {
        let mut text = String::new();
        #[expect(clippy::disallowed_types, reason = "a file of this repository")]
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        let mut log: Json = serde_json::from_str(&text).unwrap();
        for record in log["Records"].as_array_mut().unwrap() {
            // One that is delivered twice is the same both times.
            let next = i64::try_from(minutes.len()).unwrap();
            let minute = *minutes.entry(record["eventID"].to_string()).or_insert(next);
            let time = now - jiff::SignedDuration::from_mins(10 + minute);
            record["eventTime"] = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        }
        let parts: Vec<&str> = path.split('/').collect();
        let key = key(parts[1], parts[3], &number.to_string());
        let key = key.replace("2024/07/15", &now.strftime("%Y/%m/%d").to_string());
        made.push((key.replace("20240715T1005Z", &now.strftime("%Y%m%dT%H%MZ").to_string()), gzip(log.to_string().as_bytes())));
    }
    made
}

/// Both at once: what one writes the other reads, and finds what `iota run` finds in the objects themselves.
#[test]
fn what_is_synced_is_watched_meanwhile() {
    let (mut before, mut after) = (Seed::default(), Seed::default());
    for (number, (key, body)) in fresh().into_iter().enumerate() {
        if number.is_multiple_of(2) { &mut before } else { &mut after }.put(&key, &body);
    }
    let bucket = before.plant();
    let url = format!("s3://{bucket}");
    let target = target();
    fs::create_dir(target.path("events")).unwrap();
    // Nothing but what the file system tells.
    let mut watching = Watching::start(&target, &["--events-dir", "events", "--rescan-interval", "1h"]);
    watching.until("watching", |watching| watching.log().contains("/events"));
    let following = target.start(moto(), &["ingest", &url, "--follow", "--poll-interval", "300ms"]);
    let found = |url: &str| {
        let ran = target.run(moto(), &["run", url, "--rules", "rules"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let alert = |line: &str| {
            let alert: Json = serde_json::from_str(line).unwrap();
            (alert["alert_id"].as_str().unwrap().to_owned(), alert["count"].as_u64().unwrap())
        };
        ran.stdout.lines().map(alert).collect::<BTreeSet<_>>()
    };
    let first = found(&url).len();
    watching.until_told(first);
    after.plant_as(&bucket);
    let expected = found(&url);
    assert!(expected.len() > first, "there is more now");
    watching.until_told(expected.len());
    assert_eq!(following.end(), Some(0));
    let told = watching.told().0;
    watching.end();
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "each record is told of once: {told:?}");
    assert_eq!(alerts(&target).into_iter().collect::<BTreeSet<_>>(), expected);
}
