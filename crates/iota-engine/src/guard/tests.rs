use super::*;
use crate::decode::{Decoder, Item, Limits};
use crate::rule::{Pack, Snapshot};
use std::fs;
use std::path::{Path, PathBuf};

fn guards_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/guards")
}

fn files(directory: &Path, below: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            files(&entry.path(), &path, found);
        } else if [".py", ".yml", ".yaml"].iter().any(|end| name.ends_with(end)) {
            found.insert(path, fs::read(entry.path()).expect("a file"));
        }
    }
}

pub(crate) fn read_pack(directory: &Path) -> Pack {
    let mut found = BTreeMap::new();
    files(directory, "", &mut found);
    let name = directory.file_name().expect("a name").to_string_lossy().into_owned();
    Pack::read(&name, Snapshot::new(found), env!("CARGO_PKG_VERSION"))
}

fn analysed(directory: &Path) -> (Pack, Guards) {
    let pack = read_pack(directory);
    let all: Vec<u16> = (0..u16::try_from(pack.rules.len()).expect("few rules")).collect();
    let guards = Guards::analyse(&pack, &all);
    (pack, guards)
}

#[test]
fn guards_are_found_for_the_idioms() {
    let mut missing = Vec::new();
    let mut total = 0;
    for name in ["idioms_plain", "idioms_panther"] {
        let (pack, guards) = analysed(&guards_directory().join(name));
        for (index, rule) in (0..).zip(&pack.rules) {
            if rule.id.is_empty() || !rule.declared && !rule.path().contains("idiom") {
                continue;
            }
            total += 1;
            let guard = guards.guard(index).expect("analysed");
            match &guard.entries {
                Some(_) => {}
                _ => missing
                    .push(format!("{}: skips {} conditional {} {:#?}", rule.id, guard.skips, guard.conditional, guard.reasons)),
            }
        }
    }
    eprintln!("{total} rules, {} without an index:\n{}", missing.len(), missing.join("\n"));
    assert!(missing.len() * 20 <= total);
}

#[test]
#[ignore = "prints"]
fn print_guards() {
    let directory = std::env::var("PACK").expect("PACK");
    let (pack, guards) = analysed(Path::new(&directory));
    for (index, rule) in (0..).zip(&pack.rules) {
        let guard = guards.guard(index).expect("analysed");
        eprintln!(
            "{}: skips {} conditional {} entries {:?} {:?}",
            rule.id, guard.skips, guard.conditional, guard.entries, guard.reasons
        );
    }
}

/// Every rule of `traps_values` has a record on which a careless evaluation would skip it.
#[test]
fn values_are_those_of_python() {
    let records = fs::read(guards_directory().join("traps_values.jsonl")).expect("records");
    let mut decoder = Decoder::new(records.as_slice(), Limits::default());
    let mut skipped = Vec::new();
    let mut count = 0;
    while let Some(item) = decoder.next().expect("readable") {
        let Item::Record(record) = item else { panic!("{item:?}") };
        let text = str::from_utf8(record.raw).expect("UTF-8");
        let trap = serde_json::from_str::<serde_json::Value>(&text.replace(r"\ud800", "")).expect("JSON")["trap"].clone();
        let trap = trap.as_str().expect("a name");
        let wide = guards_directory().join("traps_wide").join(trap.trim_start_matches("trap_"));
        let (pack, guards) = analysed(&if wide.is_dir() { wide } else { guards_directory().join("traps_values") });
        let at = pack.rules.iter().position(|rule| rule.path() == format!("{trap}.py")).expect("its rule");
        let at = u16::try_from(at).expect("few rules");
        if guards.skips(at, &Looked::new(&record)) {
            skipped.push(trap.to_owned());
        }
        count += 1;
    }
    assert!(count > 40 && skipped.is_empty(), "{skipped:?}");
}
