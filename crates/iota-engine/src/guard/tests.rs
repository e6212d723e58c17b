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

/// The guard of a rule whose metadata has these lines, in a pack of this dialect, beside `r.py`.
fn of_metadata(dialect: &str, more: &str, python: &str) -> Guards {
    let files = BTreeMap::from([
        ("pack.yaml".to_owned(), format!("version: 1\nname: p\ndialect: {dialect}\n").into_bytes()),
        ("r.yml".to_owned(), format!("AnalysisType: rule\nRuleID: R\n{more}\n").into_bytes()),
        ("r.py".to_owned(), python.as_bytes().to_vec()),
    ]);
    let pack = Pack::read("p", Snapshot::new(files), "0.1.0");
    let at = pack.rules.iter().position(|rule| rule.id == "R").unwrap_or_else(|| panic!("{more}: {:?}", pack.problems));
    assert_eq!(at, 0);
    Guards::analyse(&pack, &[0])
}

fn is_skipped(guards: Guards, record: &str) -> bool {
    let mut decoder = Decoder::new(record.as_bytes(), Limits::default());
    let Ok(Some(Item::Record(record))) = decoder.next() else { panic!("a record: {record}") };
    matches!(Router::new(vec![(0, 0)], vec![guards], 0.0).decide(0, 0, &record), Decision::Skip { .. })
}

/// A record that an expression matches in Python, and one that it does not and that is therefore skipped.
#[test]
fn match_expressions_mean_what_they_mean_in_python() {
    for (expression, matches, skipped) in [
        ("{Key: eventName, Condition: Equals, Value: A}", r#"{"eventName":"A"}"#, r#"{"eventName":"B"}"#),
        ("{Key: v, Condition: Equals, Value: 1}", r#"{"eventName":"A","v":1.0}"#, r#"{"eventName":"A","v":true}"#),
        ("{Key: v, Condition: Equals, Value: true}", r#"{"eventName":"A","v":true}"#, r#"{"eventName":"A","v":1}"#),
        ("{Key: v, Condition: IEquals, Value: S}", r#"{"eventName":"A","v":"\u017f"}"#, r#"{"eventName":"A","v":"t"}"#),
        ("{Key: v, Condition: Equals, Value: null}", r#"{"eventName":"A"}"#, r#"{"eventName":"A","v":0}"#),
        ("{Key: v, Condition: DoesNotEqual, Value: 1}", r#"{"eventName":"A","v":true}"#, r#"{"eventName":"A","v":1}"#),
        ("{Key: v, Condition: DoesNotContain, Value: a}", r#"{"eventName":"A"}"#, r#"{"eventName":"A","v":["a"]}"#),
        ("{Key: v, Condition: IContains, Value: AB}", r#"{"eventName":"A","v":["x","aB"]}"#, r#"{"eventName":"A","v":["abc"]}"#),
        ("{Key: v, Condition: IsGreaterThan, Value: 1}", r#"{"eventName":"A","v":1.5}"#, r#"{"eventName":"A","v":true}"#),
        ("{Key: v, Condition: IsGreaterThan, Value: a}", r#"{"eventName":"A","v":"b"}"#, r#"{"eventName":"A","v":2}"#),
        ("{Key: v, Condition: IsIn, Values: [1, a]}", r#"{"eventName":"A","v":1}"#, r#"{"eventName":"A","v":true}"#),
        ("{Key: v, Condition: Exists}", r#"{"eventName":"A","v":null}"#, r#"{"eventName":"A"}"#),
        ("{Key: v, Condition: IsNullOrEmpty}", r#"{"eventName":"A","v":{}}"#, r#"{"eventName":"A","v":0}"#),
        (
            "{KeyPath: 'o.l[-1].x', Condition: Equals, Value: a}",
            r#"{"eventName":"A","o":{"l":[0,{"x":"a"}]}}"#,
            r#"{"eventName":"A","o":{"l":"a"}}"#,
        ),
        ("{DeepKey: [o, x], Condition: IsNull}", r#"{"eventName":"A","o":7}"#, r#"{"eventName":"A","o":{"x":7}}"#),
        (
            "{Key: v, Condition: IsIPAddressInCIDR, Value: 10.0.0.0/8}",
            r#"{"eventName":"A","v":"10.9.0.1"}"#,
            r#"{"eventName":"A","v":"s3.amazonaws.com"}"#,
        ),
        (
            "{Key: v, Condition: IsIPAddressNotInCIDR, Value: 10.0.0.0/8}",
            r#"{"eventName":"A","v":7}"#,
            r#"{"eventName":"A","v":"10.0.0.1"}"#,
        ),
        (
            "{Key: v, Condition: AllElements, Expressions: [{Condition: Equals, Value: a}]}",
            r#"{"eventName":"A","v":[]}"#,
            r#"{"eventName":"A","v":["a","b"]}"#,
        ),
        (
            "{Key: v, Condition: NoElement, Expressions: [{Key: x, Condition: IsNull}]}",
            r#"{"eventName":"A","v":"a"}"#,
            r#"{"eventName":"A","v":["a"]}"#,
        ),
        (
            "{Key: v, Condition: OnlyOneElement, Expressions: [{Condition: Equals, Value: 1}]}",
            r#"{"eventName":"A","v":[1,true]}"#,
            r#"{"eventName":"A","v":[1,1]}"#,
        ),
        (
            "{OnlyOne: [{Key: v, Condition: Equals, Value: 1}, {Key: v, Condition: IsGreaterThan, Value: 1}]}",
            r#"{"eventName":"A","v":2}"#,
            r#"{"eventName":"A","v":0}"#,
        ),
        ("{None: [{Key: v, Condition: Equals, Value: 1}]}", r#"{"eventName":"A","v":2}"#, r#"{"eventName":"A","v":1}"#),
        (
            "{Condition: StartsWith, Values: [{Key: v}, {Key: m}]}",
            r#"{"eventName":"A","v":"ab","m":"a"}"#,
            r#"{"eventName":"A","v":"ab","m":null}"#,
        ),
    ] {
        for dialect in ["plain", "panther"] {
            let guards = || of_metadata(dialect, &format!("Detection: [{expression}]"), "");
            assert!(!is_skipped(guards(), matches), "{dialect} {expression}: {matches}");
            assert!(is_skipped(guards(), skipped), "{dialect} {expression}: {skipped}");
        }
    }
}

#[test]
fn match_expressions_give_entries_of_the_index() {
    let entries = |more: &str| {
        let guards = of_metadata("plain", more, "def rule(event):\n    return True\n");
        guards.guard(0).and_then(|guard| guard.entries.clone())
    };
    let one_of = |field: &str, values: &[&str]| Entry::OneOf {
        field: vec![field.to_owned()],
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    for section in ["Detection", "Filename: r.py\nInlineFilters"] {
        let of = |expressions: &str| entries(&format!("{section}: {expressions}"));
        assert_eq!(of("[{Key: eventName, Condition: Equals, Value: A}]"), Some(vec![one_of("eventName", &["A"])]));
        assert_eq!(of("[{Key: eventName, Condition: IsIn, Values: [A, B]}]"), Some(vec![one_of("eventName", &["A", "B"])]));
        let both = "[{Any: [{Key: eventName, Condition: Equals, Value: A}, {Key: eventName, Condition: Equals, Value: B}]}]";
        assert_eq!(of(both), Some(vec![one_of("eventName", &["A", "B"])]));
        assert!(matches!(
            of("[{Key: eventName, Condition: StartsWith, Value: Get}]").as_deref(),
            Some([Entry::StartsWith { .. }])
        ));
        assert!(matches!(
            of("[{Key: eventName, Condition: IEquals, Value: Get}]").as_deref(),
            Some([Entry::OneOfIgnoringCase { .. }])
        ));
        assert_eq!(of("[{Condition: AlwaysTrue}]"), None);
        assert_eq!(of("[{Condition: AlwaysFalse}]"), Some(Vec::new()));
    }
    // A field that is missing passes a filter, and does not match.
    let region = "[{Key: awsRegion, Condition: Equals, Value: A}]";
    assert_eq!(entries(&format!("Detection: {region}")), Some(vec![one_of("awsRegion", &["A"])]));
    assert_eq!(entries(&format!("Filename: r.py\nInlineFilters: {region}")), None);
}

/// What a filter knows of a field is not what the rule reads there.
#[test]
fn a_rule_reads_what_its_filter_does_not_see() {
    let exists = "Filename: r.py\nInlineFilters: [{DeepKey: [requestParameters, x], Condition: Exists}]";
    let rule = "def rule(event):\n    return event.get('requestParameters', {}).get('x', 'd') == 'd'\n";
    assert!(!is_skipped(of_metadata("plain", exists, rule), r#"{"eventName":"A","requestParameters":{"x":null}}"#));
    let missing = "Filename: r.py\nInlineFilters: [{DeepKey: [userIdentity, type], Condition: DoesNotExist}]";
    let rule = "def rule(event):\n    return event.deep_get('userIdentity', 'type', default='none') == 'Root'\n";
    assert!(!is_skipped(of_metadata("panther", missing, rule), r#"{"eventName":"A","userIdentity":{"Type":"Root"}}"#));
    // Nothing of the rule is understood, but its filter is.
    let named = "Filename: r.py\nInlineFilters: [{Key: eventName, Condition: Equals, Value: A}]";
    let rule = "import os\nimport functools\n@functools.cache\ndef rule(event):\n    return setattr(os, 'x', 1)\n";
    assert!(!is_skipped(of_metadata("plain", named, rule), r#"{"eventName":"A"}"#));
    assert!(is_skipped(of_metadata("plain", named, rule), r#"{"eventName":"B"}"#));
}

/// The guards of the rules of a pack of these files, in order of their names.
fn of_files(files: &[(&str, &str)]) -> Guards {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    let pack = Pack::read("p", Snapshot::new(files), "0.1.0");
    let rules: Vec<u16> = (0..).zip(&pack.rules).map(|(index, _)| index).collect();
    Guards::analyse(&pack, &rules)
}

const EQUALS: &str = "class Name:\n    def __init__(self, name):\n        self.name = name\n\n    def __eq__(self, other):\n        return self.name == other\n";

/// What is looked for in a list is handed its elements, and never the list.
#[test]
fn an_operator_of_the_pack_costs_no_constant_in_which_something_is_looked_for() {
    for constant in ["['A', 'B']", "[name for name in ('A', 'B')]", "config('names')", "[*OTHERS, 'B']", "{**{'A': 1}, 'B': 2}"] {
        let good = format!(
            "from iota_rule import config\nOTHERS = ['A']\nNAMES = {constant}\n\ndef rule(event):\n    return event.get('eventName') in NAMES\n"
        );
        let guards = of_files(&[
            ("good.py", &good),
            ("other.py", &format!("{EQUALS}\ndef rule(event):\n    return Name('x') == event.get('eventName')\n")),
            ("pack.yaml", "version: 1\nconfig:\n  names: [A, B]\n"),
        ]);
        let guard = guards.guard(0).expect("analysed");
        assert!(guard.entries.is_some(), "{constant}: {:?}", guard.reasons);
    }
}

#[test]
fn an_operator_that_may_change_a_constant_is_named_with_its_place() {
    let good = "NAMES = ['A']\n\ndef rule(event):\n    return NAMES == event.get('x')\n";
    let guards = of_files(&[("good.py", good), ("other.py", EQUALS)]);
    let reason = guards.guard(0).and_then(|guard| guard.reasons.first()).expect("a reason");
    assert_eq!(
        (reason.path.as_str(), reason.line, reason.why.as_str()),
        (
            "good.py",
            4,
            "a value of the module that other.py:5 may change: an operator of the pack's own, `__eq__`, may be handed it"
        )
    );
}

#[test]
fn what_lies_deeper_in_a_constant_than_what_is_handed_on_stays_constant() {
    let levels = "SEVERITIES = {'A': {'sev': 'HIGH'}, 'B': {'sev': ''}}\nLEVELS = {'A': {'names': ['x']}}\n\ndef rule(event):\n    return ";
    for (expression, skips) in [
        ("SEVERITIES.get(event.get('eventName'), {}).get('sev', '')", true),
        ("SEVERITIES['A']['sev'] == event.get('eventName')", true),
        ("SEVERITIES.get(event.get('eventName'), {})", false),
        ("event.get('eventName') in LEVELS['A'].get('names', [])", true),
        ("LEVELS.get(event.get('eventName'), {})", false),
        ("LEVELS.get(event.get('eventName'), {}).get('names')", false),
    ] {
        let source = format!("{levels}{expression}\n");
        let guards = of_source(&source);
        let guard = guards.guard(0).expect("analysed");
        assert_eq!(guard.skips, skips, "{expression}: {:?}", guard.reasons);
    }
}

#[test]
fn what_is_not_known_is_named_with_its_place() {
    let why = |source: &str| of_source(source).guard(0).expect("analysed").reasons.first().expect("a reason").clone();
    let changed = why(
        "NAMES = ['A']\n\ndef rule(event):\n    return event.get('eventName') in NAMES\n\ndef other():\n    NAMES.append('B')\n",
    );
    assert_eq!((changed.line, changed.why.as_str()), (4, "a value of the module that r.py:7 may change"));
    let made = why("import os\nNAME = os.environ.get('X')\ndef rule(event):\n    return event.get('eventName') == NAME\n");
    assert_eq!((made.line, made.why.as_str()), (4, "a value of the module that its source does not fix: r.py:2"));
    let broken = of_source("def rule(event):\n    return (\n");
    let broken = broken.guard(0).expect("analysed");
    assert!(broken.is_syntax_error && broken.reasons[0].line >= 2, "{:?}", broken.reasons);
    let hazard = of_source("import os\nsetattr(os, 'x', 1)\ndef rule(event):\n    return event.get('eventName') == 'A'\n");
    let hazard = hazard.guard(0).expect("analysed");
    assert!(hazard.is_gap_of_pack && hazard.reasons[0].line == 2, "{:?}", hazard.reasons);
}
