//! Where packs come from: signatures, and fetching with git from repositories that nobody vouches for.

use crate::harness::{EVERY, Files, Ran, iota, run};
use crate::watch::Watching;
use iota_service::supply::{MANIFEST, Manifest, SIGNATURE};
use minisign::KeyPair;
use serde_json::Value as Json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RECORD: &str = "{\"eventName\":\"E\",\"eventTime\":\"2020-01-01T00:00:00Z\"}\n";
const HELPER: &str = "X = 1\n";

fn key(pair: &KeyPair) -> String {
    pair.pk.to_base64()
}

/// Signs what is in a pack now, as that of a directory with its name.
fn sign(files: &Files, pack: &str, names: &[&str], pair: &KeyPair) {
    sign_as(files, pack, names, pair, &format!("pack:{pack} version:1"));
}

/// With a trusted comment.
fn sign_as(files: &Files, pack: &str, names: &[&str], pair: &KeyPair, comment: &str) {
    let read: Vec<(&str, Vec<u8>)> =
        names.iter().map(|name| (*name, fs::read(files.path(&format!("{pack}/{name}"))).unwrap())).collect();
    let manifest = Manifest::of(read.iter().map(|(name, bytes)| (*name, bytes.as_slice()))).to_string();
    let signature = minisign::sign(Some(&pair.pk), &pair.sk, manifest.as_bytes(), Some(comment), Some("untrusted")).unwrap();
    files.write(&format!("{pack}/{MANIFEST}"), manifest.as_bytes());
    files.write(&format!("{pack}/{SIGNATURE}"), signature.to_string().as_bytes());
}

const NAMES: [&str; 3] = ["README.md", "every.py", "helpers/h.py"];

/// A signed pack.
fn signed(pair: &KeyPair) -> Files {
    let files =
        Files::new(&[("p/every.py", EVERY), ("p/helpers/h.py", HELPER), ("p/README.md", "Rules\n"), ("in.jsonl", RECORD)]);
    sign(&files, "p", &NAMES, pair);
    files
}

#[track_caller]
fn said(ran: &Ran, code: i32, text: &str) {
    assert!(
        ran.code == Some(code) && (ran.stdout.contains(text) || ran.stderr.contains(text)),
        "{text}: {:?} {}{}",
        ran.code,
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn a_pack_is_what_was_signed_or_it_is_said_how_it_differs() {
    let (pair, other) = (KeyPair::generate_unencrypted_keypair().unwrap(), KeyPair::generate_unencrypted_keypair().unwrap());
    let files = signed(&pair);
    let pack = files.path("p");
    let verify = |keys: &[&str]| {
        let flags: Vec<&str> = keys.iter().flat_map(|key| ["--public-key", *key]).collect();
        run(&[&["rules", "verify", &pack][..], &flags].concat())
    };
    let (good, bad) = (key(&pair), key(&other));
    said(&verify(&[&good]), 0, "is what was signed: pack:p version:1\n");
    said(&verify(&[&bad, &good]), 0, "is what was signed");
    said(&verify(&[&bad]), 1, "is by none of the trusted keys");
    said(&verify(&[]), 2, "no key to check with");
    said(&verify(&["RWnonsense"]), 2, "which begins with RW");
    files.write("p/new.py", b"");
    files.write("p/every.py", b"def rule(event):\n    return False\n");
    fs::remove_file(files.path("p/helpers/h.py")).unwrap();
    let ran = verify(&[&good]);
    for text in ["every.py was changed", "helpers/h.py is missing", "new.py is not listed"] {
        said(&ran, 1, text);
    }
    // Signed by nobody, or the manifest alone was changed.
    files.write(&format!("p/{MANIFEST}"), b"0\n");
    said(&verify(&[&good]), 1, "is by none of the trusted keys");
    fs::remove_file(files.path(&format!("p/{SIGNATURE}"))).unwrap();
    said(&verify(&[&good]), 1, "it is not signed: MANIFEST.sha256.minisig is missing");
}

#[test]
fn where_signatures_are_required_nothing_else_runs() {
    let (pair, other) = (KeyPair::generate_unencrypted_keypair().unwrap(), KeyPair::generate_unencrypted_keypair().unwrap());
    let files = signed(&pair);
    let config = |keys: &str| {
        files.write("iota.yaml", format!("version: 1\nrule_signatures: {{required: true, public_keys: [{keys}]}}\n").as_bytes())
    };
    let (pack, input, state, yaml) = (files.path("p"), files.path("in.jsonl"), files.path("state"), config(&key(&pair)));
    let by_run = || run(&["run", &input, "--rules", &pack, "--config", &yaml]);
    let all = || [by_run(), run(&["test", &pack, "--config", &yaml]), run(&["check", &pack, "--config", &yaml])];
    let watch = || run(&["watch", "--events-dir", files.root(), "--rules", &pack, "--state", &state, "--config", &yaml]);
    let ran = by_run();
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{}", ran.stderr);
    // What is not read does not matter here.
    files.write("p/notes.txt", b"mine");
    assert_eq!(by_run().code, Some(0));
    let refused = |text: &str| {
        for ran in all() {
            said(&ran, 2, text);
            assert!(ran.stdout.is_empty() && ran.stderr.contains("rule_signatures.required"), "{}{}", ran.stdout, ran.stderr);
        }
        let ran = watch();
        said(&ran, 2, text);
        said(&ran, 2, "no rule runs; the log says which packs were left out");
        // It tells so before it ends.
        let alert: Json = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((&alert["rule_id"], &alert["severity"]), (&"iota.system.pack-refused".into(), &"CRITICAL".into()));
        fs::remove_dir_all(&state).unwrap();
    };
    files.write("p/new.py", EVERY.as_bytes());
    refused("new.py is not listed");
    fs::remove_file(files.path("p/new.py")).unwrap();
    fs::remove_file(files.path("p/every.py")).unwrap();
    refused("every.py is missing");
    files.write("p/every.py", EVERY.as_bytes());
    files.write("p/helpers/h.py", b"X = 2\n");
    refused("helpers/h.py was changed");
    sign(&files, "p", &NAMES, &other);
    refused("is by none of the trusted keys");
    sign(&files, "p", &NAMES, &pair);
    assert_eq!(by_run().code, Some(0));
    config("");
    said(&by_run(), 2, "rule_signatures.public_keys: a key is needed where signatures are required");
    config("x");
    said(&by_run(), 2, "a key of minisign is expected");
}

/// One pack of two is not what was signed: at a start it is left out, and later what ran before goes on.
#[test]
fn watch_tells_of_packs_that_are_not_what_was_signed() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let rule = |name: &str| {
        format!(
            "def rule(event):\n    return True\ndef title(event):\n    return {name:?} + event['eventID']\ndef dedup(event):\n    return event['eventID']\n"
        )
    };
    let files = Files::new(&[("rules/a.py", &rule("a")), ("other/b.py", &rule("b"))]);
    let yaml = files.write(
        "iota.yaml",
        format!("version: 1\nrule_signatures: {{required: true, public_keys: [{}]}}\n", key(&pair)).as_bytes(),
    );
    sign(&files, "rules", &["a.py"], &pair);
    let other = files.path("other");
    let (left_out, not_taken) = (
        format!("Rules of {other} do not run: it is not what was signed"),
        format!("A change of {other} was not taken: it is not what was signed"),
    );
    let record = |n: usize| format!("{{\"eventName\":\"E\",\"eventID\":\"{n}\",\"eventTime\":\"2020-01-01T00:00:00Z\"}}\n");
    let watching = Watching::start(&files, &["--rules", &other, "--config", &yaml], &[]);
    let gives = |n: usize, titles: &[&str]| {
        files.write(&format!("in/{n}.jsonl"), record(n).as_bytes());
        watching.told(titles);
    };
    gives(1, &[&left_out, "a1"]);
    // Still not signed; what else has changed is taken.
    files.write("rules/a.py", rule("A").as_bytes());
    sign(&files, "rules", &["a.py"], &pair);
    watching.until("read again", |watching| watching.log().matches("the rules were read again").count() == 1);
    gives(2, &["A2", &left_out, "a1"]);
    sign(&files, "other", &["b.py"], &pair);
    watching.until("read again", |watching| watching.log().matches("the rules were read again").count() == 2);
    gives(3, &["A2", "A3", &left_out, "a1", "b3"]);
    // Changed by somebody who cannot sign, and the other pack with it.
    files.write("other/b.py", b"def rule(event):\n    return False\n");
    files.write("rules/a.py", rule("new").as_bytes());
    sign(&files, "rules", &["a.py"], &pair);
    watching.until("refused", |watching| watching.log().contains("b.py was changed"));
    gives(4, &[&not_taken, "A2", "A3", "A4", &left_out, "a1", "b3", "b4"]);
    watching.end();
}

/// A repository, and where its pack is pulled to.
struct Origin {
    files: Files,
}

impl Origin {
    fn new() -> Self {
        let origin = Self { files: Files::new(&[("in.jsonl", RECORD)]) };
        fs::create_dir_all(origin.files.path("origin")).unwrap();
        origin.files.write("home/.gitconfig", b"");
        origin.git(&["init", "--quiet", "--initial-branch", "main"]);
        origin
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command
            .current_dir(self.files.path("origin"))
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments);
        let output = self.at_home(&mut command).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// With nothing of whoever runs the tests.
    fn at_home<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let config = self.files.path("home/.gitconfig");
        command
            .env("HOME", self.files.path("home"))
            .env("GNUPGHOME", self.files.path("home/gnupg"))
            .env("GIT_CONFIG_GLOBAL", config)
            .env("GIT_CONFIG_NOSYSTEM", "1")
    }

    /// Commits files and returns the commit.
    fn commit(&self, files: &[(&str, &str)], flags: &[&str]) -> String {
        for (name, text) in files {
            self.files.write(&format!("origin/{name}"), text.as_bytes());
        }
        self.git(&["add", "--all"]);
        self.git(&[&["commit", "--quiet", "--allow-empty", "-m", "x"][..], flags].concat());
        self.git(&["rev-parse", "HEAD"])
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = iota();
        // Where the interpreter is found must not depend on the home.
        command.args(arguments).env("IOTA_PYTHON", python()).env("PYENV_ROOT", "/nonexistent").stdin(Stdio::null());
        self.at_home(&mut command);
        command
    }

    fn iota(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// What is in the directory of versions, but for the lock.
    fn versions(&self) -> Vec<String> {
        let entries = fs::read_dir(self.files.path("packs/.team.versions")).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        entries.map(name).filter(|name| name != ".lock").collect()
    }

    /// A tree of what `git mktree` reads.
    fn mktree(&self, listed: &str) -> String {
        let listed = self.files.write("tree", listed.as_bytes());
        let mut command = Command::new("git");
        command.current_dir(self.files.path("origin")).args(["mktree"]).stdin(fs::File::open(listed).unwrap());
        let output = self.at_home(&mut command).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn pull(&self, address: &str, flags: &[&str]) -> Ran {
        self.iota(&[&["rules", "pull", address, &self.files.path("packs/team")][..], flags].concat())
    }

    /// Titles of the alerts that the pulled pack gives, with its name.
    fn alerts(&self) -> Vec<String> {
        let ran = self.iota(&["run", &self.files.path("in.jsonl"), "--rules", &self.files.path("packs/team")]);
        let alert = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        ran.stdout
            .lines()
            .map(alert)
            .map(|alert| format!("{} {}", alert["pack"].as_str().unwrap(), alert["title"].as_str().unwrap()))
            .collect()
    }
}

fn python() -> String {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn rule(title: &str) -> String {
    format!("def rule(event):\n    return True\ndef title(event):\n    return {title:?}\n")
}

const TESTED: &str = "AnalysisType: rule\nSeverity: Low\nTests:\n  - {Name: one, ExpectedResult: true, Log: {eventName: E}}\n";

#[test]
fn a_pack_is_fetched_tested_and_put_in_force_in_one_step() {
    let origin = Origin::new();
    let address = origin.files.path("origin");
    let first =
        origin.commit(&[("packs/aws/r.py", &rule("first")), ("packs/aws/r.yml", TESTED), ("other.py", "import nothing")], &[]);
    let path = ["--path", "packs/aws"];
    said(&origin.pull(&address, &path), 0, &format!("commit {first} is in force now (1 test passed)"));
    assert_eq!(origin.alerts(), ["team first"]);
    said(&origin.pull(&format!("file://{address}"), &path), 0, "was in force already");
    // What does not work is not taken.
    for (broken, why) in [
        (rule("second") + "def broken(\n", "SyntaxError"),
        (rule("second").replace("True", "False"), "1 of 1 test failed"),
        ("import os\nos._exit(1)\n".to_owned(), "importing it ended the worker"),
    ] {
        origin.commit(&[("packs/aws/r.py", &broken)], &[]);
        said(&origin.pull(&address, &path), 1, "nothing was changed");
        assert_eq!(origin.alerts(), ["team first"], "{why}");
    }
    let third = origin.commit(&[("packs/aws/r.py", &rule("third"))], &[]);
    origin.git(&["tag", "v3"]);
    said(&origin.pull(&address, &path), 0, &format!("commit {third} is in force now"));
    assert_eq!(origin.alerts(), ["team third"]);
    // Back, by its id, and to a branch and a tag.
    said(&origin.pull(&address, &["--path", "packs/aws", "--commit", &first]), 0, &first);
    assert_eq!(origin.alerts(), ["team first"]);
    said(&origin.pull(&address, &["--path", "packs/aws", "--tag", "v3"]), 0, &third);
    said(&origin.pull(&address, &["--path", "packs/aws", "--branch", "main"]), 0, "was in force already");
    for flags in [["--branch", "none"], ["--tag", "none"], ["--commit", &"0".repeat(40)], ["--path", "nowhere"]] {
        said(&origin.pull(&address, &flags), 1, "nothing was changed");
    }
    said(&origin.pull(&address, &["--path", "packs/aws", "--verify-commit"]), 1, "is trusted here: it has none at all");
    origin.commit(&[("packs/aws/pack.yaml", "name: aws\n")], &[]);
    said(&origin.pull(&address, &[]), 1, "it is no pack but holds some; name one, e.g. --path packs/aws");
    assert_eq!(origin.alerts(), ["team third"]);
    assert_eq!(origin.versions().len(), 2, "the one in force and the one before");
}

#[test]
fn what_somebody_else_has_made_is_not_replaced() {
    let origin = Origin::new();
    let address = origin.files.path("origin");
    origin.commit(&[("r.py", &rule("first"))], &[]);
    origin.files.write("own/r.py", EVERY.as_bytes());
    origin.files.write("file", b"");
    for (name, to) in
        [("to own", "own"), ("to nothing", "nothing"), ("odd", ".other.versions/x/odd"), ("long", ".long.versions/x/y/long")]
    {
        symlink(to, origin.files.path(name)).unwrap();
    }
    // Where versions would be.
    symlink("own", origin.files.path(".new.versions")).unwrap();
    for name in ["own", "file", "to own", "to nothing", "odd", "long", "new"] {
        let before = fs::read_link(origin.files.path(name)).ok();
        let ran = origin.iota(&["rules", "pull", &address, &origin.files.path(name)]);
        said(&ran, 1, "was not made by `iota rules pull`");
        assert_eq!(fs::read_link(origin.files.path(name)).ok(), before);
    }
    assert_eq!(fs::read_dir(origin.files.path("own")).unwrap().count(), 1);
    // Nor removed.
    origin.files.write("packs/.team.versions/notes/mine.txt", b"");
    for title in ["second", "third", "fourth"] {
        origin.commit(&[("r.py", &rule(title))], &[]);
        said(&origin.pull(&address, &[]), 0, "is in force now");
    }
    assert_eq!(origin.alerts(), ["team fourth"]);
    said(&origin.pull(&address, &[]), 0, "the pack has no tests");
    assert_eq!(origin.versions().len(), 3);
    assert!(Path::new(&origin.files.path("packs/.team.versions/notes/mine.txt")).exists());
}

/// Whatever instant it is killed at, one whole version is in force, and the next pull goes through.
#[test]
fn a_pull_that_is_killed_leaves_a_pack_that_works() {
    let origin = Origin::new();
    let address = origin.files.path("origin");
    for (number, point) in ["pull.placed", "pull.switched", "pull.cleaned"].iter().enumerate() {
        let (old, new, next) = (format!("old {number}"), format!("new {number}"), format!("next {number}"));
        for title in [&format!("older {number}"), &old] {
            origin.commit(&[("r.py", &rule(title))], &[]);
            said(&origin.pull(&address, &[]), 0, "is in force now");
        }
        origin.commit(&[("r.py", &rule(&new))], &[]);
        let mut command = origin.command(&["rules", "pull", &address, &origin.files.path("packs/team")]);
        let killed = command.env("IOTA_CRASH", format!("{point}:1")).output().unwrap();
        assert_eq!(killed.status.signal(), Some(9), "{point}: {}", String::from_utf8_lossy(&killed.stderr));
        let expected = if *point == "pull.placed" { &old } else { &new };
        assert_eq!(origin.alerts(), [format!("team {expected}")], "{point}");
        said(&origin.pull(&address, &[]), 0, if *point == "pull.placed" { "is in force now" } else { "was in force already" });
        assert_eq!(origin.alerts(), [format!("team {new}")], "{point}");
        origin.commit(&[("r.py", &rule(&next))], &[]);
        said(&origin.pull(&address, &[]), 0, "is in force now");
        assert_eq!(origin.alerts(), [format!("team {next}")], "{point}");
        assert_eq!(origin.versions().len(), 2, "{point}: {:?}", origin.versions());
    }
    // Half of a version, as a process that was killed while it removed one may have left it.
    let commit = origin.commit(&[("r.py", &rule("last"))], &[]);
    fs::create_dir(origin.files.path(&format!("packs/.team.versions/{commit}"))).unwrap();
    said(&origin.pull(&address, &[]), 0, "is in force now");
    assert_eq!(origin.alerts(), ["team last"]);
}

#[test]
fn two_pulls_do_not_work_on_one_directory() {
    let origin = Origin::new();
    let address = origin.files.path("origin");
    origin.commit(&[("r.py", &rule("first"))], &[]);
    said(&origin.pull(&address, &[]), 0, "is in force now");
    let lock = fs::File::open(origin.files.path("packs/.team.versions/.lock")).unwrap();
    lock.lock().unwrap();
    said(&origin.pull(&address, &[]), 1, "another `iota rules pull` is at work on it");
    drop(lock);
    said(&origin.pull(&address, &[]), 0, "was in force already");
}

/// A few objects that are any number of files, and content that is larger than a pack may be.
#[test]
fn repositories_that_do_not_end_are_read_no_further_than_a_pack_may_go() {
    let origin = Origin::new();
    let address = origin.files.path("origin");
    origin.commit(&[("r.py", &rule("ok"))], &[]);
    said(&origin.pull(&address, &[]), 0, "is in force now");
    let blob = origin.git(&["hash-object", "-w", "r.py"]);
    let empty = origin.mktree("");
    let zeros = |size: u64| {
        let file = fs::File::create(origin.files.path("zeros")).unwrap();
        file.set_len(size).unwrap();
        origin.git(&["hash-object", "-w", &origin.files.path("zeros")])
    };
    let (full, over) = (zeros(16 << 20), zeros((16 << 20) + 1));
    let of = |mode: &str, object: &str, count: usize| {
        let lines = (0..count).map(|number| format!("{mode} {object}\tn{number:02}.py\n"));
        origin.mktree(&lines.collect::<String>())
    };
    // 10^9 each.
    let nested = |mut tree: String| {
        for _ in 0..8 {
            tree = of("040000 tree", &tree, 10);
        }
        tree
    };
    for (tree, why) in [
        (nested(of("100644 blob", &blob, 10)), "a pack may have 20000 files"),
        (nested(of("040000 tree", &empty, 10)), "more than 200000 directories"),
        (of("100644 blob", &over, 1), "16777217 bytes; a file of a pack may have 16777216"),
        (of("100644 blob", &full, 17), "the files of a pack may have 268435456 bytes in all"),
    ] {
        let commit = origin.git(&["commit-tree", "-m", "x", &tree]);
        origin.git(&["update-ref", "refs/heads/bomb", &commit]);
        let ran = origin.pull(&address, &["--branch", "bomb"]);
        said(&ran, 1, why);
        said(&ran, 1, "nothing was changed");
        assert_eq!(origin.versions().len(), 1);
    }
    assert_eq!(origin.alerts(), ["team ok"]);
}

/// What is asked of a server that never answers ends with the pull, and leaves nothing behind.
#[test]
fn an_interrupted_pull_ends_its_git() {
    let origin = Origin::new();
    let pids = origin.files.path("pids");
    let ssh = origin
        .files
        .write("ssh", format!("#!/bin/sh\nsleep 1000 &\necho $$ $! > {pids}.new\nmv {pids}.new {pids}\nwait\n").as_bytes());
    assert!(Command::new("chmod").args(["+x", &ssh]).status().unwrap().success());
    let mut command = origin.command(&["rules", "pull", "ssh://host/x", &origin.files.path("packs/team")]);
    let pull = command.env("GIT_SSH", &ssh).env("GIT_SSH_VARIANT", "ssh").stderr(Stdio::piped()).spawn().unwrap();
    let pids = poll(|| fs::read_to_string(&pids).ok());
    assert!(Command::new("kill").arg(pull.id().to_string()).status().unwrap().success());
    let ended: Ran = pull.wait_with_output().unwrap().into();
    said(&ended, 1, "interrupted; nothing was changed");
    // One that is dead and was not waited for yet has no command line.
    let is_gone = |pid: &str| fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| line.is_empty());
    poll(|| pids.split_whitespace().all(is_gone).then_some(()));
    assert_eq!(origin.versions(), Vec::<String>::new());
}

fn poll<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let given = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < given, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// In a hook of git, and in what git runs otherwise, variables speak of another repository.
#[test]
fn the_environment_of_another_git_changes_nothing() {
    let origin = Origin::new();
    let (address, marker) = (origin.files.path("origin"), origin.files.path("marker"));
    origin.commit(&[("r.py", &rule("ok"))], &[]);
    let mut command = origin.command(&["rules", "pull", &address, &origin.files.path("packs/team")]);
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_SHALLOW_FILE",
        "GIT_NAMESPACE",
        "GIT_QUARANTINE_PATH",
        "GIT_TEMPLATE_DIR",
        "GIT_TRACE",
        "GIT_REF_PARANOIA",
        "GIT_DEFAULT_HASH",
        "GIT_CEILING_DIRECTORIES",
        "GIT_ATTR_SOURCE",
    ] {
        command.env(name, &marker);
    }
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "url.ext::x.insteadOf").env("GIT_CONFIG_VALUE_0", "/");
    let ran: Ran = command.output().unwrap().into();
    said(&ran, 0, "is in force now");
    assert!(!Path::new(&marker).exists());
}

#[test]
fn manifests_and_files_that_are_none_are_refused_at_once() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let files = signed(&pair);
    let (pack, key) = (files.path("p"), key(&pair));
    let yaml =
        files.write("iota.yaml", format!("version: 1\nrule_signatures: {{required: true, public_keys: [{key}]}}\n").as_bytes());
    let pipe = |path: &str| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    for name in [MANIFEST, SIGNATURE] {
        let path = files.path(&format!("p/{name}"));
        let kept = fs::read(&path).unwrap();
        for (make, why) in [
            (&pipe as &dyn Fn(&str), "it is no file"),
            (&|path| symlink("/dev/zero", path).unwrap(), "leads out of the pack, to /dev/zero"),
            (&|path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap(), "1099511627776 bytes"),
            (&|path| fs::write(path, b"\xff").unwrap(), "it is no text"),
        ] {
            fs::remove_file(&path).unwrap();
            make(&path);
            said(&run(&["rules", "verify", &pack, "--public-key", &key]), 1, &format!("{name}: "));
            said(&run(&["rules", "verify", &pack, "--public-key", &key]), 1, why);
            said(&run(&["run", &files.path("in.jsonl"), "--rules", &pack, "--config", &yaml]), 2, why);
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, kept).unwrap();
    }
    said(&run(&["rules", "verify", &pack, "--public-key", &key]), 0, "is what was signed");
    pipe(&files.path("p/pipe.txt"));
    said(&run(&["rules", "verify", &pack, "--public-key", &key]), 1, "pipe.txt: it is no file");
    // Of no use to anybody who runs it.
    assert_eq!(run(&["run", &files.path("in.jsonl"), "--rules", &pack, "--config", &yaml]).code, Some(0));
}

/// All packs of a signer are signed with the same key.
#[test]
fn a_signed_pack_does_not_run_in_the_place_of_another() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let files = signed(&pair);
    let yaml = files.write(
        "iota.yaml",
        format!("version: 1\nrule_signatures: {{required: true, public_keys: [{}]}}\n", key(&pair)).as_bytes(),
    );
    // Also one that calls itself as it was signed, and a link.
    files.write("p/pack.yaml", b"version: 1\nname: p\n");
    sign(&files, "p", &["README.md", "every.py", "helpers/h.py", "pack.yaml"], &pair);
    assert!(Command::new("cp").args(["-r", &files.path("p"), &files.path("copy")]).status().unwrap().success());
    symlink("p", files.path("link")).unwrap();
    let of = |pack: &str| run(&["run", &files.path("in.jsonl"), "--rules", &files.path(pack), "--config", &yaml]);
    assert_eq!(of("p").code, Some(0), "{}", of("p").stderr);
    for name in ["copy", "link"] {
        said(&of(name), 2, &format!("MANIFEST.sha256.minisig is for pack:p, and the directory is called \\\"{name}\\\""));
    }
    sign_as(&files, "copy", &["README.md", "every.py", "helpers/h.py", "pack.yaml"], &pair, "timestamp:1\tfile:x\thashed");
    said(&of("copy"), 2, "does not say which pack it is for");
}

#[test]
fn a_pack_that_is_not_signed_as_asked_is_not_taken() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let origin = Origin::new();
    let address = origin.files.path("origin");
    let yaml = origin.files.write(
        "iota.yaml",
        format!("version: 1\nrule_signatures: {{required: true, public_keys: [{}]}}\n", key(&pair)).as_bytes(),
    );
    origin.commit(&[("r.py", &rule("first"))], &[]);
    said(&origin.pull(&address, &["--config", &yaml]), 1, "it is not signed");
    sign(&origin.files, "origin", &["r.py"], &pair);
    origin.commit(&[], &[]);
    said(&origin.pull(&address, &["--config", &yaml]), 1, "is for pack:origin, and the directory is called");
    sign_as(&origin.files, "origin", &["r.py"], &pair, "pack:team");
    origin.commit(&[], &[]);
    said(&origin.pull(&address, &["--config", &yaml]), 0, "is in force now");
    origin.commit(&[("r.py", &rule("second"))], &[]);
    said(&origin.pull(&address, &["--config", &yaml]), 1, "r.py was changed");
    assert_eq!(origin.alerts(), ["team first"]);
}

#[test]
fn commits_are_trusted_by_the_users_git_and_not_by_that_of_the_repository() {
    let origin = Origin::new();
    let (address, signer) = (origin.files.path("origin"), origin.files.path("home/key"));
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &signer]).status();
    assert!(made.expect("ssh-keygen, of the package openssh-client").success());
    let public = fs::read_to_string(format!("{signer}.pub")).unwrap();
    let signers = origin.files.write("home/signers", format!("t@example.com {public}").as_bytes());
    let allow = format!("[gpg \"ssh\"]\n\tallowedSignersFile = {signers}\n");
    let with_ssh = ["-c", "gpg.format=ssh", "-c"];
    let with_key = format!("user.signingkey={signer}.pub");
    let commit = |title: &str| {
        origin.files.write("origin/r.py", rule(title).as_bytes());
        origin.git(&["add", "--all"]);
        origin.git(&[&with_ssh[..], &[&with_key, "commit", "--quiet", "-S", "-m", "x"]].concat());
    };
    commit("signed");
    // Known to the repository alone.
    fs::write(
        origin.files.path("origin/.git/config"),
        format!("{}{allow}", fs::read_to_string(origin.files.path("origin/.git/config")).unwrap()),
    )
    .unwrap();
    said(&origin.pull(&address, &["--verify-commit"]), 1, "has no signature that is trusted here");
    said(&origin.iota(&["rules", "verify", &address, "--commit"]), 1, "has no signature that is trusted here");
    origin.files.write("home/.gitconfig", allow.as_bytes());
    said(&origin.iota(&["rules", "verify", &address, "--commit"]), 0, "which is signed");
    said(&origin.pull(&address, &["--verify-commit"]), 0, "is in force now");
    // A path is no URL, and a manifest a file like all others.
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    sign(&origin.files, "origin", &["r.py"], &pair);
    commit("signed");
    let odd = origin.files.path("a%41 b?#");
    fs::rename(&address, &odd).unwrap();
    said(&origin.iota(&["rules", "verify", &odd, "--commit"]), 0, "which is signed");
    fs::rename(&odd, &address).unwrap();
    // Not what was committed.
    origin.files.write("origin/r.py", b"X = 1\n");
    origin.files.write("origin/new.py", b"X = 1\n");
    let ran = origin.iota(&["rules", "verify", &address, "--commit"]);
    said(&ran, 1, "r.py was changed");
    said(&ran, 1, "new.py is not listed");
    fs::remove_file(origin.files.path("origin/new.py")).unwrap();
    origin.commit(&[("r.py", &rule("unsigned"))], &[]);
    said(&origin.pull(&address, &["--verify-commit"]), 1, "nothing was changed");
    assert_eq!(origin.alerts(), ["team signed"]);
}

/// A key that got into the key ring somehow is nobody's yet.
#[test]
fn a_key_of_gnupg_has_to_be_trusted_and_not_only_known() {
    let origin = Origin::new();
    let (address, home) = (origin.files.path("origin"), origin.files.path("home/gnupg"));
    fs::create_dir_all(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output = origin.at_home(command.args(arguments)).stdin(Stdio::null()).output();
        let output = output.expect("gpg, of the package gnupg");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let _agent = OnDrop(|| _ = gpg("gpgconf", &["--kill", "all"]));
    gpg("gpg", &["--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "t@example.com", "ed25519", "sign"]);
    origin.files.write("origin/r.py", rule("signed").as_bytes());
    origin.git(&["add", "--all"]);
    origin.git(&["commit", "--quiet", "-St@example.com", "-m", "x"]);
    let trust = |level: u8| {
        let keys = gpg("gpg", &["--batch", "--with-colons", "--list-keys"]);
        let print = keys.lines().find_map(|line| line.strip_prefix("fpr:")).unwrap().trim_matches(':').to_owned();
        let owner = origin.files.write("owner", format!("{print}:{level}:\n").as_bytes());
        gpg("gpg", &["--batch", "--quiet", "--import-ownertrust", &owner]);
    };
    // 2: undefined, 6: ultimate.
    trust(2);
    said(&origin.pull(&address, &["--verify-commit"]), 1, "has no signature that is trusted here");
    // Whoever wants less says so.
    origin.files.write("home/.gitconfig", b"[gpg]\n\tminTrustLevel = undefined\n");
    said(&origin.pull(&address, &["--verify-commit"]), 0, "is in force now");
    origin.files.write("home/.gitconfig", b"");
    trust(6);
    said(&origin.pull(&address, &["--verify-commit"]), 0, "was in force already");
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Nothing of a repository runs outside the sandbox, and nothing of it is written elsewhere.
#[test]
fn hostile_repositories_run_nothing() {
    let origin = Origin::new();
    let (address, marker) = (origin.files.path("origin"), origin.files.path("marker"));
    let touch = format!("touch {marker}");
    origin.commit(&[("r.py", &rule("ok"))], &[]);
    // Hooks, and configuration that names commands, in the repository itself.
    for hook in ["post-checkout", "post-merge", "pre-receive", "reference-transaction", "post-index-change", "fsmonitor-watchman"]
    {
        let path = origin.files.write(&format!("origin/.git/hooks/{hook}"), format!("#!/bin/sh\n{touch}\n").as_bytes());
        assert!(Command::new("chmod").args(["+x", &path]).status().unwrap().success());
    }
    let config = fs::read_to_string(origin.files.path("origin/.git/config")).unwrap();
    let odd = format!(
        "{config}[core]\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n\tpager = {touch}\n[filter \"x\"]\n\tsmudge = {touch}\n\tclean = {touch}\n[uploadpack]\n\tpackObjectsHook = {touch}\n[gpg]\n\tprogram = {touch}\n"
    );
    fs::write(origin.files.path("origin/.git/config"), odd).unwrap();
    origin.files.write("origin/.gitattributes", b"*.py filter=x\n");
    said(&origin.pull(&address, &[]), 0, "is in force now");
    let _ = origin.iota(&["rules", "verify", &address, "--commit"]);
    fs::write(origin.files.path("origin/.git/config"), config).unwrap();
    // Only so that what follows is not disturbed by the hooks of this test.
    fs::remove_dir_all(origin.files.path("origin/.git/hooks")).unwrap();
    assert!(!Path::new(&marker).exists());
    // Addresses and names that are commands or options.
    let ext = format!("ext::sh -c '{touch}'");
    let upload = format!("--upload-pack={touch}");
    let ssh = format!("ssh://-oProxyCommand={touch}/x");
    for address in
        [ext.as_str(), &upload, &ssh, &format!("-oProxyCommand={touch}:x"), "http://127.0.0.1:1/x", "git://127.0.0.1:1/x", ""]
    {
        let ran = origin.iota(&["rules", "pull", "--", address, &origin.files.path("packs/team")]);
        said(&ran, 1, "nothing was changed");
    }
    for flags in [
        ["--branch", upload.as_str()],
        ["--tag", &upload],
        ["--commit", &upload],
        ["--path", "../.."],
        ["--branch", "a:refs/heads/b"],
    ] {
        let flags = [format!("{}={}", flags[0], flags[1])];
        said(&origin.pull(&address, &[&flags[0]]), 1, "nothing was changed");
    }
    // Links, submodules and names that lead elsewhere.
    symlink("/etc/passwd", origin.files.path("origin/link.py")).unwrap();
    origin.commit(&[], &[]);
    said(&origin.pull(&address, &[]), 1, "the repository holds a symbolic link");
    fs::remove_file(origin.files.path("origin/link.py")).unwrap();
    let head = origin.git(&["rev-parse", "HEAD"]);
    let submodule = |more: &str| {
        let modules = format!("[submodule \"s\"]\n\tpath = s\n{more}");
        origin.files.write("origin/.gitmodules", modules.as_bytes());
        origin.git(&["add", "--all"]);
        origin.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},s")]);
        origin.git(&["commit", "--quiet", "-m", "x"]);
        origin.pull(&address, &[])
    };
    // Git itself knows some attacks.
    said(&submodule(&format!("\turl = ext::{touch}\n\tupdate = !{touch}\n")), 1, "disallowed submodule update setting");
    said(&submodule("\turl = https://127.0.0.1:1/x\n"), 1, "the repository holds a submodule");
    let blob = origin.git(&["hash-object", "-w", "r.py"]);
    let below = origin.mktree(&format!("100644 blob {blob}\tconfig\n"));
    for name in [".git", ".GIT"] {
        let commit = origin.git(&["commit-tree", "-m", "x", &origin.mktree(&format!("040000 tree {below}\t{name}\n"))]);
        origin.git(&["update-ref", "refs/heads/odd", &commit]);
        said(&origin.pull(&address, &["--branch", "odd"]), 1, "nothing was changed");
    }
    assert!(!Path::new(&marker).exists());
    assert_eq!(origin.alerts(), ["team ok"], "what was pulled first is in force");
}
