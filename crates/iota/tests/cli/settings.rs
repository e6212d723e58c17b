//! Flags, environment, configuration file, help, completion, manual pages, and how a missing Python is told.

use crate::harness::{EVERY, Files, iota, run};
use std::collections::BTreeSet;
use std::process::Command;
use std::process::Stdio;

#[test]
fn mistyped_flags_and_keys_are_corrected() {
    let ran = run(&["run", "x", "--ruls", "y"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--rules"), "{}", ran.stderr);
    let files = Files::new(&[("iota.yaml", "version: 1\nworkrs: 2\n")]);
    let ran = run(&["run", "testdata/real-cloudtrail.jsonl", "--rules", "testdata/rules", "--config", &files.path("iota.yaml")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("iota.yaml:2: unknown key `workrs`; did you mean `workers`?"), "{}", ran.stderr);
}

/// Variables that nothing reads are told where they look like a mistake: others may belong to somebody else.
#[test]
fn mistyped_variables_are_told() {
    let show = |name: &str| {
        let output = iota().args(["config", "show"]).env(name, "5").output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    for (name, meant) in
        [("IOTA_WORKER", "IOTA_WORKERS"), ("IOTA_STATE_DIR", "IOTA_STATE"), ("IOTA_INGEST_CONF", "IOTA_INGEST_CONFIG")]
    {
        let told = show(name);
        assert!(told.contains(&format!("the variable {name} is not read by anything; did you mean {meant}?")), "{told}");
    }
    for name in ["IOTA_WORKERS", "IOTA_SERVICE_HOST", "IOTA_PORT_9464_TCP", "IOTA_SLACK_URL", "OTHER_WORKER"] {
        assert_eq!(show(name), "", "{name}");
    }
}

#[test]
fn every_setting_tells_where_it_comes_from() {
    let files = Files::new(&[("iota.yaml", "version: 1\nrules: [packs]\nworkers: 3\nrule_timeout: 2s\n")]);
    let config = files.path("iota.yaml");
    let output = iota()
        .args(["config", "show", "--origin", "--config", &config, "--python", "python3.11"])
        .env("IOTA_WORKERS", "5")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(files.root(), "DIR");
    let expected = "\
rules = DIR/packs  (DIR/iota.yaml)
python = python3.11  (--python)
engine = embedded  (default)
workers = 5  (IOTA_WORKERS)
rule_timeout = 2s  (DIR/iota.yaml)
worker_memory = 512MiB  (default)
sandbox = auto  (default)
max_record = 16MiB  (default)
max_inflated = 16GiB  (default)
state = none  (default)
metrics.listen = none  (default)
";
    assert_eq!(text, expected);
}

#[test]
fn everything_the_file_says_is_shown() {
    let config = "\
version: 1
accounts: accounts.yaml
suppressions: suppressions.yaml
suppression_days: 30
outputs:
  chat: {type: slack, url: env:CHAT_URL}
  out: {type: stdout}
routes:
  - {outputs: [chat, out], severity: HIGH, rules: aws.iam.*, updates: true}
  - {outputs: [out], classes: [late]}
overrides:
  a.b: {threshold: 3, severity: LOW, destinations: [], by_account: [{accounts: prod, severity: CRITICAL, destinations: [chat]}]}
deliver: {max_attempts: 7, max_per_hour: 0, canary: {every: 1h, outputs: [chat]}}
";
    let files = Files::new(&[("iota.yaml", config)]);
    let ran = run(&["config", "show", "--config", &files.path("iota.yaml")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown = ran.stdout.replace(files.root(), "DIR");
    let shown: Vec<&str> = shown.lines().skip_while(|line| !line.starts_with("overrides")).collect();
    insta::assert_snapshot!(shown.join("\n"));
    let none = files.write("none.yaml", b"version: 1\nroutes: []\n");
    assert!(run(&["config", "show", "--config", &none]).stdout.contains("\nroutes = []\n"));
}

#[test]
fn overrides_and_pack_config_reach_the_rules() {
    let rule = "from iota_rule import config\ndef rule(event):\n    return event.get('eventName') in config('names')\n";
    let pack = "version: 1\nname: mine\ndialect: plain\nconfig:\n  names: [A]\n";
    let records = "{\"eventName\":\"A\",\"eventID\":\"1\"}\n{\"eventName\":\"B\",\"eventID\":\"2\"}\n{\"eventName\":\"B\",\"eventID\":\"3\"}\n";
    let files = Files::new(&[("rules/r.py", rule), ("rules/pack.yaml", pack), ("in.jsonl", records)]);
    let alerts = |config: &str| {
        let path = files.write("iota.yaml", format!("version: 1\n{config}").as_bytes());
        let ran = run(&["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--config", &path]);
        (
            ran.code,
            ran.stdout
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["count"].clone())
                .collect::<Vec<_>>(),
            ran.stderr,
        )
    };
    assert_eq!(alerts("").1, [1]);
    assert_eq!(alerts("packs:\n  mine:\n    config:\n      names: [B]\n").1, [2]);
    assert_eq!(alerts("overrides:\n  r:\n    threshold: 2\n").1, [0; 0]);
    assert_eq!(alerts("overrides:\n  r:\n    enabled: false\n").1, [0; 0]);
    let (code, _, stderr) = alerts("packs:\n  mne: {}\noverrides:\n  r: {}\n");
    assert_eq!(code, Some(2));
    assert!(stderr.contains("packs: there is no pack `mne`; did you mean `mine`?"), "{stderr}");
    let (code, _, stderr) = alerts("packs:\n  mine:\n    config:\n      nmes: [B]\n");
    assert_eq!(code, Some(2));
    assert!(stderr.contains("no config value `nmes`; did you mean `names`?"), "{stderr}");
}

#[test]
fn test_and_check_refuse_the_same_configuration_as_run() {
    let yml = "AnalysisType: rule\nFilename: r.py\naliases: [old.name]\nTests:\n  - {Name: t, ExpectedResult: true, Log: {}}\n";
    let files = Files::new(&[
        ("one/r.py", EVERY),
        ("one/r.yml", yml),
        ("one/broken.yml", "AnalysisType: rule\nRuleID: broken\nTags: x\n"),
        ("two/pack.yaml", "version: 1\nconfig:\n  limit: 1\n"),
        ("two/other.py", EVERY),
        ("in.jsonl", "{\"eventName\":\"A\"}\n"),
    ]);
    let told = |config: &str, command: &[&str]| {
        let path = files.write("iota.yaml", format!("version: 1\n{config}").as_bytes());
        let ran = run(&[command, &["--config", &path]].concat());
        (ran.code == Some(2), ran.stderr)
    };
    let (one, two, input) = (files.path("one"), files.path("two"), files.path("in.jsonl"));
    let commands = [&["run", &input, "--rules", &one, "--rules", &two][..], &["check", &one, &two], &["test", &one, &two]];
    for (config, refusal) in [
        ("overrides:\n  r: {threshold: 2}\n  old.name: {}\n  broken: {}\n  other: {}\n", None),
        ("overrides:\n  othr: {}\n", Some("overrides: there is no rule `othr`; did you mean `other`?")),
        ("packs:\n  twoo: {}\n", Some("packs: there is no pack `twoo`; did you mean `two`?")),
        ("packs:\n  two: {config: {limt: 2}}\n", Some("pack two has no config value `limt`; did you mean `limit`?")),
        ("packs:\n  two: {config: {limit: [2]}}\n", Some("config value `limit` of pack two must be a number, not [2]")),
    ] {
        for command in commands {
            let (refused, stderr) = told(config, command);
            assert_eq!(refused, refusal.is_some(), "{config} {command:?}: {stderr}");
            assert!(stderr.contains(refusal.unwrap_or_default()), "{config} {command:?}: {stderr}");
        }
    }
    let both = "rules: [one, two]\noverrides:\n  other: {}\n";
    assert!(!told(both, &["test", &one]).0, "the other pack is one that the file names");
    assert!(told("overrides:\n  other: {}\n", &["test", &one]).0);
}

#[test]
fn overrides_know_rules_by_their_former_ids() {
    let yml = "AnalysisType: rule\nFilename: r.py\naliases: [old.name]\n";
    let files = Files::new(&[("rules/r.py", EVERY), ("rules/r.yml", yml), ("in.jsonl", "{\"eventName\":\"A\"}\n")]);
    let path = files.write("iota.yaml", b"version: 1\noverrides:\n  old.name: {enabled: false}\n");
    let ran = run(&["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--config", &path]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    files.write("rules/new.py", EVERY.as_bytes());
    files.write("rules/new.yml", b"AnalysisType: rule\nRuleID: old.name\nFilename: new.py\n");
    let ran = run(&["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--config", &path]);
    assert!(ran.stdout.contains("\"rule_id\":\"r\"") && ran.stdout.lines().count() == 1, "the rule of that id: {}", ran.stdout);
}

#[test]
fn a_bad_value_names_the_variable_it_came_from() {
    let with = |name: &str, value: &str, args: &[&str]| {
        let output = iota().args(args).env(name, value).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}={value}");
        String::from_utf8(output.stderr).unwrap()
    };
    let rules = ["run", "testdata/real-cloudtrail.jsonl", "--rules", "testdata/rules"];
    let told = with("IOTA_WORKERS", "abc", &rules);
    assert!(told.contains("'IOTA_WORKERS, which stands for --workers <N>': a number of workers, 1 to 1024"), "{told}");
    let told = with("IOTA_LOG_FORMAT", "xml", &rules);
    assert!(told.contains("'IOTA_LOG_FORMAT, which stands for --log-format"), "{told}");
    let told = with("IOTA_WORKERS", "5", &[&rules[..], &["--workers", "many"]].concat());
    assert!(told.contains("for '--workers <N>': a number of workers"), "{told}");
    let told = with("IOTA_WORKERS", "0", &rules);
    assert!(told.contains("workers: must be between 1 and 1024 (from IOTA_WORKERS)"), "{told}");
    let told = with("IOTA_LOG", "iota=loud", &rules);
    assert!(told.contains("IOTA_LOG") && told.contains("info,iota_python=debug"), "{told}");
    let told = with("IOTA_RULE_TIMEOUT", "soon", &rules);
    assert!(told.contains("(from IOTA_RULE_TIMEOUT)"), "{told}");
}

#[test]
fn what_is_no_python_is_told_in_one_line() {
    let ran = run(&["run", "testdata/real-cloudtrail.jsonl", "--rules", "testdata/rules", "--python", "/bin/ls"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("/bin/ls does not start Python; name a Python 3.11 or newer with --python"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("bootstrap") && ran.stderr.len() < 500, "{}", ran.stderr);
}

#[test]
fn a_missing_python_is_told_before_any_work() {
    let ran =
        run(&["run", "testdata/real-cloudtrail.jsonl", "--rules", "testdata/rules", "--python", "python-that-is-not-there"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("no Python interpreter `python-that-is-not-there` on the PATH"), "{}", ran.stderr);
    let ran = run(&["run", "testdata/real-cloudtrail.jsonl", "--rules", "testdata/rules", "--python", "./README.md"]);
    assert!(ran.stderr.contains("README.md is not an executable file"), "{}", ran.stderr);
}

#[test]
fn a_python_that_is_too_old_is_told_as_soon_as_it_starts() {
    let root = crate::harness::root();
    let engine = format!(
        "import sys\nsys.path.insert(0, {:?})\nsys.version_info = (3, 9, 2, 'final', 0)\nfrom iota_worker.main import main\nmain()\n",
        root.join("python")
    );
    let files = Files::new(&[("engine.py", &engine), ("rules/every.py", EVERY)]);
    let ran =
        run(&["run", "testdata/real-cloudtrail.jsonl", "--rules", &files.path("rules"), "--engine", &files.path("engine.py")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("python 3.11 or newer is needed, found 3.9.2"), "{}", ran.stderr);
}

#[test]
fn a_worker_that_is_none_is_told() {
    let files = Files::new(&[("engine.py", "print('hello')\n"), ("rules/every.py", EVERY)]);
    let ran =
        run(&["run", "testdata/real-cloudtrail.jsonl", "--rules", &files.path("rules"), "--engine", &files.path("engine.py")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("the worker"), "{}", ran.stderr);
}

#[test]
fn rules_that_are_not_there_are_a_usage_error() {
    for (args, text) in [
        (&["run", "testdata/real-cloudtrail.jsonl"][..], "no rules given"),
        (&["run", "testdata/real-cloudtrail.jsonl", "--rules", "testdata/formats"][..], "there are no rules"),
        (&["run", "testdata/real-cloudtrail.jsonl", "--rules", "nowhere"], "nowhere does not exist"),
        (&["run", "testdata/real-cloudtrail.jsonl", "--rules", "Cargo.toml"], "Cargo.toml is not a directory"),
        (
            &["run", "testdata/real-cloudtrail.jsonl", "--rules", "rules"],
            "rules is no pack but holds some; name each, e.g. --rules rules/aws_cloudtrail",
        ),
        (&[], "no command given"),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.stderr.contains(text), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn load_reports_are_cached_and_a_damaged_one_is_ignored() {
    let files =
        Files::new(&[("rules/every.py", EVERY), ("in.jsonl", "{\"eventName\":\"A\"}\n"), ("engine.py", "raise SystemExit(9)\n")]);
    let cached = |name: &str| {
        let mut command = iota();
        command.args(["run", &files.path("in.jsonl"), "--rules", &files.path("rules")]).env("XDG_CACHE_HOME", files.path(name));
        command.stdin(Stdio::null()).output().unwrap()
    };
    assert!(cached("cache").status.success());
    let directory = files.path("cache/iota");
    let reports: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(reports.len(), 1);
    std::fs::write(&reports[0], "{broken").unwrap();
    assert!(cached("cache").status.success());
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "the same key");
    files.write("rules/every.py", format!("{EVERY}\nX = 1\n").as_bytes());
    assert!(cached("cache").status.success());
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2, "a changed pack is another key");
    files.write("file", b"");
    assert!(cached("file").status.success(), "a cache that cannot be written is done without");
}

#[test]
fn workers_that_evaluate_are_told_what_the_load_found_out() {
    let rule = "import sys\ndef rule(event):\n    return True\ndef title(event):\n    \
                return 'parses: ' + str('iota_worker.source' in sys.modules)\n";
    let files = Files::new(&[("rules/r.py", rule), ("in.jsonl", "{\"eventName\":\"A\"}\n")]);
    for _ in 0..2 {
        let mut command = iota();
        // In the sandbox the module is loaded all the same: nothing can be loaded later, and errors are looked up with it.
        command.args(["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--sandbox", "off"]);
        let ran = command.env("XDG_CACHE_HOME", files.path("cache")).stdin(Stdio::null()).output().unwrap();
        let alerts = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(alerts.contains("parses: False"), "{alerts}{}", String::from_utf8_lossy(&ran.stderr));
    }
    let report = std::fs::read_dir(files.path("cache/iota")).unwrap().next().unwrap().unwrap().path();
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report["prepared"]["imports"].as_array().unwrap().contains(&"sys".into()), "{report}");
}

#[test]
fn a_load_that_failed_is_tried_again() {
    let files = Files::new(&[
        ("rules/r.py", "import helper_of_mine\ndef rule(event):\n    return True\n"),
        ("in.jsonl", "{\"eventName\":\"A\"}\n"),
    ]);
    let ran = |cache: &str| {
        let mut command = iota();
        command.args(["run", &files.path("in.jsonl"), "--rules", &files.path("rules")]).env("XDG_CACHE_HOME", files.path(cache));
        command.stdin(Stdio::null()).output().unwrap().status.code()
    };
    assert_eq!(ran("cache"), Some(3));
    assert!(!std::path::Path::new(&files.path("cache/iota")).exists(), "nothing was cached");
}

#[test]
fn an_engine_that_is_not_there_is_told() {
    let ran = run(&["run", "testdata/real-cloudtrail.jsonl", "--rules", "testdata/rules", "--engine", "nope.py"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("engine: nope.py is not a file"), "{}", ran.stderr);
}

#[test]
fn help_has_examples() {
    for command in ["run", "test", "check"] {
        let ran = run(&[command, "--help"]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("Examples:"), "{command}");
    }
    assert!(run(&["--help"]).stdout.contains("Exit codes:"));
}

#[test]
fn completion_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&["completion", shell]);
        assert!(ran.code == Some(0) && ran.stdout.contains("iota"), "{shell}");
    }
    let files = Files::new(&[]);
    assert_eq!(run(&["man", &files.path("man")]).code, Some(0));
    let file = files.write("file", b"mine");
    let ran = run(&["man", &file]);
    assert!(ran.code == Some(2) && ran.stderr.contains("is a file; name a directory"), "{}", ran.stderr);
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    let page = std::fs::read_to_string(files.path("man/iota-run.1")).unwrap();
    assert!(page.contains("fail\\-on") || page.contains("fail-on"));
}

#[test]
fn python_starts_only_for_a_rule_that_may_match() {
    // Not a script in front of Python: that would be asked once what it starts.
    let files = Files::new(&[("rules/every.py", EVERY), ("none.json", "{}"), ("one.json", r#"{"eventName":"A"}"#)]);
    let (venv, log) = (files.path("venv"), files.path("starts"));
    assert!(Command::new("python3").args(["-m", "venv", "--without-pip", &venv]).status().unwrap().success());
    let lib = std::fs::read_dir(files.path("venv/lib")).unwrap().next().unwrap().unwrap().file_name();
    let at_start = format!("import os; open({log:?}, 'a').write(str(os.getpid()) + os.linesep)\n");
    files.write(&format!("venv/lib/{}/site-packages/log.pth", lib.to_str().unwrap()), at_start.as_bytes());
    let starts = |input: &str| {
        let python = files.path("venv/bin/python3");
        let ran = run(&["run", &files.path(input), "--rules", &files.path("rules"), "--python", &python]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        // One process may run the line more than once.
        std::fs::read_to_string(&log).unwrap().lines().collect::<BTreeSet<_>>().len()
    };
    assert_eq!(starts("none.json"), 1, "to load the rules");
    assert_eq!(starts("none.json"), 1, "loaded before, and no candidate");
    assert_eq!(starts("one.json"), 2);
}
