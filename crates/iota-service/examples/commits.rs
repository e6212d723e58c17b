//! What a commit costs: matches per second into a SQLite state on disk, and memory with many open groups. Prints a table.
//!
//! `commits MATCHES DIR`: DIR must not hold a state yet; it is left behind for a look.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use iota_engine::aggregate::{GroupKey, Sighting, Window};
use iota_engine::alert::Severity;
use iota_engine::digest::digest;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::store::{Class, Headline, Ledger, Match, Route, Unit};
use iota_service::store::Sqlite;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Records per unit, as in a run.
const UNIT: u64 = 1_000;
/// Bytes of an alert's content: about the mean of those of the shipped rules on the real records.
const CONTENT: usize = 2_000;

/// How matches fall into groups.
struct Shape {
    name: &'static str,
    /// Number of groups; 0 is one for each match.
    groups: u64,
    threshold: usize,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let matches: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    println!("| matches into | matches/s | CPU s per million | resident MiB (peak) | file MiB |");
    println!("| --- | --- | --- | --- | --- |");
    for shape in [
        Shape { name: "an alert each", groups: 0, threshold: 1 },
        Shape { name: "100 alerts", groups: 100, threshold: 1 },
        Shape { name: "groups that stay open, threshold 2", groups: 0, threshold: 2 },
    ] {
        measure(&shape, matches, &directory.join(shape.name.replace([' ', ','], "-")));
    }
}

fn measure(shape: &Shape, matches: u64, directory: &std::path::Path) {
    let store = Sqlite::open(directory).unwrap_or_else(|error| panic!("{error}"));
    let content: Arc<[u8]> = vec![b'x'; CONTENT].into();
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for unit in 0..matches / UNIT {
        let matches = (unit * UNIT..(unit + 1) * UNIT).map(|n| a_match(shape, n, &content)).collect::<Vec<_>>();
        let seen = matches.iter().map(|found| (found.sighting.identity, found.sighting.fingerprint)).collect();
        let unit = Unit { now_ms: 1_700_000_000_000, seen, matches, ..Unit::default() };
        store.commit(&unit).unwrap_or_else(|error| panic!("{error}"));
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = matches as f64;
    let file = std::fs::metadata(directory.join("iota.db")).map_or(0, |metadata| metadata.len() >> 20);
    println!("| {} | {:.0} | {:.0} | {} | {file} |", shape.name, count / seconds, cpu / count * 1e6, peak_mib());
}

fn a_match(shape: &Shape, n: u64, content: &Arc<[u8]>) -> Match {
    let group = if shape.groups == 0 { n } else { n % shape.groups };
    Match {
        group: GroupKey { pack: "bench".into(), rule: "rule".into(), dedup: group.to_string().as_str().into() },
        class: Class::Alert,
        window: Window { ms: 3_600_000, threshold: shape.threshold },
        sighting: Sighting {
            identity: Identity(digest("bench", [&n.to_be_bytes()[..]])),
            ms: 0,
            fingerprint: Fingerprint([0; 4]),
            unique: None,
            variant: false,
        },
        routes: vec![Route { output: "stdout".to_owned(), updates: false }],
        headline: Headline { title: "a title of some length".to_owned(), severity: Severity::High, account_id: None },
        content: Arc::clone(content),
    }
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    // User and system time, in the 100 ticks a second of Linux.
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() >> 10
}
