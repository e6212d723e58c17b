//! Any text as the source of a rule: its analysis and evaluation end, without a panic.

#![no_main]

use iota_engine::decode::{Decoder, Item, Limits};
use iota_engine::guard::Guards;
use iota_engine::rule::{Pack, Snapshot};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

const RECORDS: &str = include_str!("../../testdata/guards/edge.jsonl");

fuzz_target!(|source: &str| {
    let files = BTreeMap::from([("rule.py".to_owned(), source.as_bytes().to_vec())]);
    let pack = Pack::read("pack", Snapshot::new(files), "0.1.0");
    let rules: Vec<u16> = (0..).take(pack.rules.len()).collect();
    let guards = Guards::analyse(&pack, &rules);
    let mut decoder = Decoder::new(RECORDS.as_bytes(), Limits::default());
    for _ in 0..20 {
        let Ok(Some(Item::Record(record))) = decoder.next() else { continue };
        for &rule in &rules {
            guards.decide(rule, &record);
        }
    }
});
