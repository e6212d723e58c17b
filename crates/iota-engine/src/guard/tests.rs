use super::*;
use crate::decode::{Decoder, Item, Limits};
use crate::index::Router;
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
                _ => missing.push(format!("{}: skips {} {:#?}", rule.id, guard.skips, guard.reasons)),
            }
        }
    }
    // Rules in the idioms of a survey of public packs: 95 of 100 have to be found.
    assert_eq!(total, 100);
    assert!(
        missing.len() <= 5,
        "{}",
        missing.join(
            "
"
        )
    );
}

#[test]
fn a_function_that_is_not_the_analysed_one_is_not_trusted() {
    let source = b"LIMIT = 1\n\ndef rule(event):\n    return event.get('eventName') == 'X'\n";
    let files = BTreeMap::from([("r.py".to_owned(), source.to_vec())]);
    let pack = Pack::read("p", Snapshot::new(files), "0");
    let mut guards = Guards::analyse(&pack, &[0]);
    guards.confirm(0, Some(3));
    assert!(guards.guard(0).is_some_and(|guard| guard.skips && guard.entries.is_some()));
    guards.confirm(0, None);
    assert!(guards.guard(0).is_some_and(|guard| !guard.skips && guard.entries.is_none()));
}

fn of_source(source: &str) -> Guards {
    let files = BTreeMap::from([("r.py".to_owned(), source.as_bytes().to_vec())]);
    Guards::analyse(&Pack::read("p", Snapshot::new(files), "0"), &[0])
}

#[test]
fn deep_nesting_ends_the_analysis_and_nothing_else() {
    for (before, after) in [
        ("not ", ""),
        ("-", ""),
        ("(", ")"),
        ("[", "]"),
        ("x + ", ""),
        ("lambda: ", ""),
        ("x if y else ", ""),
        ("f(", ")"),
        ("x and not ", ""),
    ] {
        for depth in [50, 1_000, 20_000] {
            let expr = format!("{}x{}", before.repeat(depth), after.repeat(depth));
            of_source(&format!("def rule(event):\n    x = 1\n    return {expr}\n"));
            of_source(&format!("X = {expr}\ndef rule(event):\n    return X\n"));
        }
    }
    for (part, depth) in [(".a", 20_000), ("[0]", 20_000), ("()", 20_000), (" + x", 20_000), (" == x", 20_000)] {
        of_source(&format!("def rule(event):\n    x = 1\n    return x{}\n", part.repeat(depth)));
    }
    for depth in [20, 90, 1_000] {
        let nested: Vec<String> = (0..depth).map(|level| format!("{}if event:\n", " ".repeat(level + 1))).collect();
        let nested = nested.concat();
        of_source(&format!("def rule(event):\n{nested}{}return 1\n", " ".repeat(depth + 1)));
        let elifs = "    elif event:\n        pass\n".repeat(depth * 20);
        of_source(&format!("def rule(event):\n    if event:\n        pass\n{elifs}"));
    }
}

#[test]
fn deep_evaluation_ends_before_the_stack_does() {
    let helper = |n| format!("def f{n}(x):\n    return {}f{}(x)\n", "not ".repeat(80), n + 1);
    let helpers = (0..40).map(helper).collect::<Vec<String>>().concat();
    let guards = of_source(&format!("{helpers}def f40(x):\n    return x\ndef rule(event):\n    return f0(event)\n"));
    let mut decoder = crate::decode::Decoder::new(&br#"{"eventName":"X"}"#[..], crate::decode::Limits::default());
    let Ok(Some(crate::decode::Item::Record(record))) = decoder.next() else { panic!("a record") };
    assert!(matches!(guards.decide(0, &record), Decision::Run { .. }));
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
        // By the index, or by what comes behind it.
        let router = Router::new(vec![(0, at)], vec![guards], 0.0);
        if matches!(router.decide(0, at, &record), Decision::Skip { .. }) {
            skipped.push(trap.to_owned());
        }
        count += 1;
    }
    assert!(count > 40 && skipped.is_empty(), "{skipped:?}");
}
