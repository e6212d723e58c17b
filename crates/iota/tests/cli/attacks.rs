//! Rules that are not content with their events (`testdata/attacks`), as root and as a user without privileges.

use crate::harness::{Detected, Files, NOW, in_repository, iota, root};
use iota_engine::store::{AlertFilter, Desk};
use iota_service::store::Sqlite;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Write, stderr};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const NOBODY: u32 = 65_534;

/// Who runs iota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    /// Whoever runs the tests.
    Same,
    Nobody,
}

impl User {
    /// Root also plays the user without privileges.
    fn all() -> Vec<Self> {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if is_root {
            return vec![Self::Same, Self::Nobody];
        }
        // Not by a macro, whose output nobody sees while tests succeed.
        let mut seen = stderr().lock();
        writeln!(seen, "attacks: tests are not run as root, so nothing is tried as root").unwrap();
        vec![Self::Same]
    }
}

/// A directory that every user can read, with a binary, input and rules, and one to write to.
struct Place {
    files: Files,
    user: User,
}

impl Place {
    fn new(user: User) -> Self {
        let files = Files::new(&[]);
        let real = fs::read_to_string(root().join("testdata/real-cloudtrail.jsonl")).unwrap();
        let mut input: String = real.lines().take(200).map(|line| format!("{line}\n")).collect();
        input += "{\"eventName\":\"Attack\",\"eventID\":\"a\",\"eventTime\":\"2020-01-01T00:00:00Z\",\"text\":\"control-credential\"}\n";
        input.extend(real.lines().skip(200).take(100).map(|line| format!("{line}\n")));
        files.write("in.jsonl", input.as_bytes());
        files.write("out/.made", b"");
        open_to_all(Path::new(files.root()));
        if user == User::Nobody {
            chown(files.path("out"), Some(NOBODY), Some(NOBODY)).unwrap();
            let (binary, here) = (PathBuf::from(iota().get_program()), files.path("iota"));
            if fs::hard_link(&binary, &here).is_err() {
                fs::copy(&binary, &here).unwrap();
            }
        }
        let place = Self { files, user };
        place.copy("testdata/rules", "rules");
        place
    }

    /// A file or directory of the repository.
    fn copy(&self, from: &str, to: &str) -> String {
        let (from, to) = (root().join(from), PathBuf::from(self.files.path(to)));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        assert!(Command::new("cp").arg("-r").args([&from, &to]).status().unwrap().success());
        open_to_all(Path::new(self.files.root()));
        to.to_str().unwrap().to_owned()
    }

    fn pack(&self, name: &str) -> String {
        self.copy(&format!("testdata/attacks/{name}"), name)
    }

    /// Every pack below a directory of `testdata/attacks`.
    fn packs(&self, name: &str) -> Vec<String> {
        let below = fs::read_dir(self.pack(name)).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
        below.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A command of this user.
    fn command(&self, launcher: &[&str]) -> Command {
        let program = if self.user == User::Nobody { self.files.path("iota").into() } else { iota().get_program().to_owned() };
        let mut command = match launcher {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        in_repository(&mut command);
        command.current_dir(self.files.root()).env("XDG_CACHE_HOME", self.files.path("out/cache"));
        if self.user == User::Nobody {
            command.uid(NOBODY).gid(NOBODY).env("IOTA_PYTHON", python_of_nobody());
        }
        command
    }

    /// A run over `in.jsonl`, with the ordinary rules beside others.
    fn run(&self, launcher: &[&str], packs: &[String], flags: &[&str]) -> Ran {
        let stats = self.files.path("out/stats.json");
        let mut command = self.command(launcher);
        // By a name that is the same wherever the directory is: alerts hold it.
        command.args([
            "run",
            "in.jsonl",
            "--now",
            NOW,
            "--workers",
            "1",
            "--stats",
            &stats,
            "--rules",
            &self.files.path("rules"),
        ]);
        command.args(packs.iter().flat_map(|pack| ["--rules", pack])).args(flags).stdin(Stdio::null());
        command.env("AWS_SECRET_ACCESS_KEY", "planted-credential");
        let output = command.output().unwrap();
        let (stdout, stderr) = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).into();
        let code = output.status.code();
        assert!(code == Some(0) || code == Some(3), "{:?} {code:?}: {stderr}", self.user);
        let stats = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
        let (ordinary, other): (Vec<&str>, Vec<&str>) = stdout.lines().partition(|line| line.contains(r#""pack":"rules""#));
        let ordinary = match Path::new(&self.files.path("out/state")) {
            // What is printed there has the count of when it was sent.
            kept if kept.exists() => ordinary_in(kept),
            _ => ordinary.into_iter().map(|line| format!("{line}\n")).collect(),
        };
        let alerts = other.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        Ran { ordinary, found: Detected { code, alerts, stats, stderr } }
    }
}

struct Ran {
    /// The alerts of the ordinary rules, as printed or as they are in the state.
    ordinary: String,
    /// With the alerts of the others.
    found: Detected,
}

fn ordinary_in(state: &Path) -> String {
    let alerts = Sqlite::open_beside(state).unwrap().alerts(&AlertFilter::default()).unwrap();
    let of_rules = alerts.into_iter().filter(|alert| alert.pack == "rules");
    of_rules.map(|alert| String::from_utf8(alert.json).unwrap() + "\n").collect::<BTreeSet<_>>().into_iter().collect()
}

fn open_to_all(directory: &Path) {
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(directory).status().unwrap().success());
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
}

/// One that is not somewhere below the home of root.
fn python_of_nobody() -> String {
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let of_root = String::from_utf8(asked.stdout).unwrap().trim().to_owned();
    let candidates = [of_root.as_str(), "/usr/bin/python3", "/usr/local/bin/python3"];
    let runs = |python: &&str| {
        let tried = Command::new(python).args(["-c", "import ctypes"]).current_dir("/").uid(NOBODY).gid(NOBODY).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().find(runs);
    found.expect("a Python that every user can run, such as the package python3 has").to_owned()
}

/// Packs share their threads in another way where there is a state.
const WITH_STATE: [&[&str]; 2] = [&[], &["--state", "out/state"]];

/// What the ordinary rules find when they are alone.
fn undisturbed() -> String {
    undisturbed_with(&[])
}

fn undisturbed_with(flags: &[&str]) -> String {
    let ran = Place::new(User::Same).run(&[], &[], flags);
    assert!(ran.ordinary.lines().count() > 3, "{}", ran.found.stderr);
    ran.ordinary
}

/// By attack, what came of it at import and in a call.
fn attempts(found: &Detected) -> BTreeMap<String, [String; 2]> {
    let text = |alert: &Json, place: &str| alert["context"][place].as_str().unwrap().to_owned();
    let of_pack = found.alerts.iter().filter(|alert| alert["pack"] == "denied");
    of_pack
        .map(|alert| (alert["rule_id"].as_str().unwrap().to_owned(), ["import", "call"].map(|place| text(alert, place))))
        .collect()
}

#[track_caller]
fn all_denied(found: &Detected) {
    let attempts = attempts(found);
    let files = fs::read_dir(root().join("testdata/attacks/denied")).unwrap().count();
    assert_eq!(attempts.len(), files - 1, "each has said what came of it: {}", found.stderr);
    assert!(attempts.len() >= 40);
    for (attack, came_of_it) in attempts {
        assert!(came_of_it.iter().all(|text| text.starts_with("denied: ")), "{attack}: {came_of_it:?}");
    }
}

#[test]
fn what_can_be_denied_is_and_other_packs_do_not_notice() {
    for state in WITH_STATE {
        let expected = undisturbed_with(state);
        for user in User::all() {
            let place = Place::new(user);
            let packs = [place.pack("denied")];
            let ran = place.run(&[], &packs, &[&["--rule-timeout", "20s"], state].concat());
            all_denied(&ran.found);
            assert!(ran.ordinary == expected, "{user:?} {state:?}: the results of another pack");
        }
    }
}

/// Seccomp alone is enough: there are kernels without Landlock.
#[test]
fn all_of_it_is_denied_without_landlock_too() {
    let place = Place::new(User::Same);
    let packs = [place.pack("denied")];
    let launcher = root().join("crates/iota/tests/cli/without.py");
    let launcher = ["/usr/bin/env", "python3", launcher.to_str().unwrap(), "landlock"];
    let ran = place.run(&launcher, &packs, &["--rule-timeout", "20s"]);
    assert_eq!(ran.found.stats["python"]["sandbox"]["landlock_abi"], Json::Null);
    all_denied(&ran.found);
}

#[test]
fn the_worker_of_the_source_tree_is_confined_as_well() {
    let place = Place::new(User::Same);
    let (packs, engine) = ([place.pack("denied")], root().join("engines/iota/engine.py"));
    all_denied(&place.run(&[], &packs, &["--rule-timeout", "20s", "--engine", engine.to_str().unwrap()]).found);
}

/// These are not tried unconfined: they would leave this machine, end the worker or harm others.
const ONLY_CONFINED: [&str; 7] = [
    "control_of_engine",
    "exec",
    "exec_by_system_call",
    "memory_taken_offline",
    "metadata_service",
    "mode_changed",
    "name_service",
];
/// These fail without a sandbox as well, for want of memory or stack.
const BOUNDED: [&str; 4] = ["memory", "memory_by_compression", "memory_by_numbers", "recursion"];
/// These may fail without one: it depends on what the kernel has and what the user may.
const DEPENDING: [&str; 12] = [
    "counters_of_the_processor",
    "descriptors_by_number",
    "environ_of_engine",
    "faults_of_pages",
    "file_by_x32",
    "io_uring",
    "key_ring",
    "landlock",
    "limits_of_engine",
    "memory_of_engine",
    "message_queue",
    "threads",
];

/// An attack that nothing keeps from succeeding, and does not, would prove nothing.
#[test]
fn without_a_sandbox_the_attacks_succeed() {
    let place = Place::new(User::Same);
    let packs = [place.pack("denied")];
    let overrides: String = ONLY_CONFINED.iter().map(|attack| format!("  {attack}: {{enabled: false}}\n")).collect();
    let config = place.files.write("iota.yaml", format!("version: 1\noverrides:\n{overrides}").as_bytes());
    let ran = place.run(&[], &packs, &["--rule-timeout", "20s", "--sandbox", "off", "--config", &config]);
    let mut attempts = attempts(&ran.found);
    attempts.retain(|attack, _| !DEPENDING.contains(&attack.as_str()));
    assert!(attempts.len() >= 40, "{}", ran.found.stderr);
    for (attack, came_of_it) in attempts {
        let outcome = if BOUNDED.contains(&attack.as_str()) { "denied: " } else { "succeeded: " };
        assert!(came_of_it.iter().all(|text| text.starts_with(outcome)), "{attack}: {came_of_it:?}");
    }
}

/// What is said of each, by the type of the error of `rule`; without one it only has no effect elsewhere.
const ERRORS: &[(&str, &str)] = &[
    ("abort", "WorkerDied"),
    ("announced_frame", "ProtocolError"),
    ("closed_pipes", "WorkerDied"),
    ("compat_call", "WorkerDied"),
    ("crash", "WorkerDied"),
    ("endless_loop", "TimeoutError"),
    ("endless_parts", "TimeoutError"),
    ("endless_questions", "TimeoutError"),
    ("exit", "WorkerDied"),
    ("forged_counts", "ProtocolError"),
    ("forged_load_report", "ProtocolError"),
    ("forged_progress", "TimeoutError"),
    ("forged_result", "ProtocolError"),
    ("forged_state", "ProtocolError"),
    ("garbage", "ProtocolError"),
    ("large_exception", "ValueError"),
    ("regular_expression", "TimeoutError"),
    ("sleep", "TimeoutError"),
    ("system_exit", "SystemExit"),
];

#[test]
fn what_cannot_be_denied_ends_with_its_pack() {
    for (user, state) in User::all().into_iter().flat_map(|user| WITH_STATE.map(|state| (user, state))) {
        let expected = undisturbed_with(state);
        let place = Place::new(user);
        let packs = place.packs("contained");
        let ran = place.run(&[], &packs, &[&["--rule-timeout", "1s"], state].concat());
        assert!(ran.ordinary == expected, "{user:?} {state:?}: the results of another pack");
        let errors: BTreeMap<String, String> = ran
            .found
            .rule_errors()
            .into_iter()
            .filter(|(_, function, _)| function == "rule")
            .map(|(rule, _, kind)| (rule, kind))
            .collect();
        for (attack, kind) in ERRORS {
            assert_eq!(
                errors.get(&format!("{attack}/{attack}")).map(String::as_str),
                Some(*kind),
                "{attack}: {}",
                ran.found.stderr
            );
        }
        // What it says of itself is cut to the size of anybody's.
        let large = ran.found.alerts.iter().find(|alert| alert["rule_id"] == "large_results").unwrap();
        assert!(large.to_string().len() < 20_000, "{}", large.to_string().len());
        // That a pack changes its own rules shows that the attempt is real.
        let mut rules: BTreeSet<&str> = ran.found.alerts.iter().map(|alert| alert["rule_id"].as_str().unwrap()).collect();
        // Of iota itself, where there is a state.
        assert_eq!(rules.remove("iota.system.rule-error"), !state.is_empty());
        assert_eq!(rules, BTreeSet::from(["large_results", "overridden_by_it"]), "and nobody has forged an alert");
    }
}

/// At import, which is code of the pack as well.
#[test]
fn what_a_top_level_does_ends_with_its_pack() {
    let expected = undisturbed();
    for user in User::all() {
        let place = Place::new(user);
        let mut packs = place.packs("contained");
        // An import has 30 s: see the next test.
        let endless = |pack: &String| ERRORS.iter().any(|(attack, kind)| pack.ends_with(attack) && *kind == "TimeoutError");
        packs.retain(|pack| !endless(pack));
        for pack in &packs {
            let name = pack.rsplit('/').next().unwrap();
            let file = format!("contained/{name}/{name}.py");
            let source = fs::read_to_string(place.files.path(&file)).unwrap();
            place.files.write(&file, format!("{source}\n\nattack()\n").as_bytes());
        }
        let ran = place.run(&[], &packs, &[]);
        assert!(ran.ordinary == expected, "{user:?}: the results of another pack: {}", ran.found.stderr);
        assert!(ran.found.count("/rules_failed") >= 10, "{}", ran.found.stderr);
    }
}

#[test]
fn a_top_level_that_does_not_end_is_ended() {
    let place = Place::new(User::Same);
    let packs = [place.pack("contained/sleep")];
    place.files.write("contained/sleep/sleep.py", b"import time\ntime.sleep(3600)\ndef rule(event):\n    return True\n");
    let ran = place.run(&[], &packs, &[]);
    assert!(ran.ordinary == undisturbed(), "{}", ran.found.stderr);
    assert!(ran.found.stderr.contains("ran longer than 30s"), "{}", ran.found.stderr);
}

/// Whatever it is called, and wherever Python might look for it: in the pack, as the current directory, as the user's home.
const EARLY: &[&str] = &[
    "sitecustomize.py",
    "usercustomize.py",
    "encodings/__init__.py",
    "encodings/utf_8.py",
    "encodings/aliases.py",
    "importlib/__init__.py",
    "importlib/machinery.py",
    "collections/__init__.py",
    "ctypes/__init__.py",
    "iota_worker/__init__.py",
    "iota_worker/main.py",
    "iota_worker/sandbox.py",
    "lib-dynload/struct.py",
    "apport_python_hook.py",
    "_bootlocale.py",
    "java.py",
    "org.py",
    "vms_lib.py",
    "__main__.py",
];

/// Everything a pack can put where something is imported before the sandbox is there writes a file, if it is run.
#[test]
fn nothing_of_a_pack_or_of_its_surroundings_runs_before_the_sandbox() {
    let facts = "import sys; print(' '.join(sorted(sys.stdlib_module_names | set(sys.builtin_module_names)))); \
                 print(sys.implementation.cache_tag, '%d.%d' % sys.version_info[:2])";
    for user in User::all() {
        let place = Place::new(user);
        let python = if user == User::Nobody { python_of_nobody() } else { "python3".to_owned() };
        let asked = Command::new(&python).args(["-c", facts]).output().unwrap();
        let facts = String::from_utf8(asked.stdout).unwrap();
        let (modules, versions) = facts.trim().split_once('\n').unwrap();
        let (tag, version) = versions.split_once(' ').unwrap();
        let written = place.files.path("out/written");
        // In the sandbox it fails, which is nobody's error.
        let writes =
            |name: &str| format!("try:\n    open({written:?}, 'a').write({name:?} + '\\n')\nexcept OSError:\n    pass\n");
        let imports = "import ast, copy, csv, decimal, difflib, email, gzip, html, ipaddress, json, logging, pickle, subprocess, \
                       tempfile, unittest, uuid, zipfile, zoneinfo\n";
        let rule = format!(
            "{imports}def rule(event):\n    return event.get('eventName') == 'Attack'\ndef title(event):\n    return 'source'\n"
        );
        place.files.write("early/zz_rule.py", rule.as_bytes());
        let library = format!("early/.local/lib/python{version}/site-packages");
        for name in modules.split(' ').map(|module| format!("{module}.py")).chain(EARLY.iter().map(|name| (*name).to_owned())) {
            for directory in ["early", "early/sub", &library] {
                place.files.write(&format!("{directory}/{name}"), writes(&name).as_bytes());
            }
        }
        for path in [format!("{library}/early.pth"), "early/early.pth".to_owned(), format!("early/python{version}.pth")] {
            place.files.write(&path, format!("import os; open({written:?}, 'a')\n").as_bytes());
        }
        place.files.write(
            "early/pyvenv.cfg",
            format!("home = {}\ninclude-system-site-packages = true\n", place.files.path("early")).as_bytes(),
        );
        // Compiled from something else, and marked as not to be compared with its source.
        let other = place.files.write("other.py", (writes("compiled") + &rule.replace("'source'", "'compiled'")).as_bytes());
        for to in [format!("early/__pycache__/zz_rule.{tag}.pyc"), "early/zz_rule.pyc".to_owned()] {
            let to = place.files.path(&to);
            let compile = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True, \
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)";
            assert!(Command::new(&python).args(["-c", compile, &other, &to]).status().unwrap().success());
        }
        open_to_all(Path::new(place.files.root()));
        let early = place.files.path("early");
        let mut command = place.command(&[]);
        command.args([
            "run",
            "../in.jsonl",
            "--now",
            NOW,
            "--workers",
            "1",
            "--rules",
            &early,
            "--rules",
            &place.files.path("rules"),
        ]);
        command.current_dir(&early).env("HOME", &early);
        for name in ["PYTHONPATH", "PYTHONUSERBASE", "PYTHONPLATLIBDIR", "PYTHONPYCACHEPREFIX", "LD_LIBRARY_PATH"] {
            command.env(name, &early);
        }
        command
            .env("PYTHONSTARTUP", place.files.path("early/org.py"))
            .env("PYTHONINSPECT", "1")
            .env("PYTHONBREAKPOINT", "org.rule");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!Path::new(&written).exists(), "{user:?}: {}", fs::read_to_string(&written).unwrap());
        let of_pack: Vec<&str> = stdout.lines().filter(|line| line.contains(r#""pack":"early""#)).collect();
        assert_eq!(of_pack.len(), 1, "{user:?}: {stderr}");
        assert!(of_pack[0].contains(r#""title":"source""#), "{}", of_pack[0]);
        // A Python that is less careful runs one of these files, and that is seen.
        let mut careless = Command::new(&python);
        careless.args(["-c", "import org"]).current_dir(&early).env_remove("PYTHONSAFEPATH");
        if user == User::Nobody {
            careless.uid(NOBODY).gid(NOBODY);
        }
        assert!(careless.status().unwrap().success());
        assert_eq!(fs::read_to_string(&written).unwrap(), "org.py\n", "{user:?}");
    }
}

#[test]
fn no_credential_of_the_engine_is_anywhere_a_rule_can_look() {
    for user in User::all() {
        let place = Place::new(user);
        let packs = [place.pack("search")];
        let ran = place.run(&[], &packs, &["--rule-timeout", "60s"]);
        let context = &ran.found.alerts[0]["context"];
        assert_eq!(context["control"], true, "it looks where its own record is: {context}");
        assert!(context["searched"].as_u64().unwrap() > 1 << 20, "{context}");
        assert_eq!(context["found"], Json::Array(Vec::new()), "{user:?}");
    }
}
