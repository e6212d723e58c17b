//! Where packs come from: signatures, and fetching with git from repositories that nobody vouches for.

use crate::harness::{EVERY, Files, Ran, iota, run};
use iota_service::supply::{MANIFEST, Manifest, SIGNATURE};
use minisign::KeyPair;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const RECORD: &str = "{\"eventName\":\"E\",\"eventTime\":\"2020-01-01T00:00:00Z\"}\n";
const HELPER: &str = "X = 1\n";

fn key(pair: &KeyPair) -> String {
    pair.pk.to_base64()
}

/// Signs what is in a pack now.
fn sign(files: &Files, pack: &str, names: &[&str], pair: &KeyPair) {
    let read: Vec<(&str, Vec<u8>)> =
        names.iter().map(|name| (*name, fs::read(files.path(&format!("{pack}/{name}"))).unwrap())).collect();
    let manifest = Manifest::of(read.iter().map(|(name, bytes)| (*name, bytes.as_slice()))).to_string();
    let signature = minisign::sign(Some(&pair.pk), &pair.sk, manifest.as_bytes(), Some("trusted"), Some("untrusted")).unwrap();
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
    said(&verify(&[&good]), 0, "is what was signed");
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
    let all = || {
        let watch = ["watch", "--events-dir", files.root(), "--rules", &pack, "--state", &state, "--config", &yaml];
        [by_run(), run(&["test", &pack, "--config", &yaml]), run(&["check", &pack, "--config", &yaml]), run(&watch)]
    };
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
        command.env("HOME", self.files.path("home")).env("GIT_CONFIG_GLOBAL", config).env("GIT_CONFIG_NOSYSTEM", "1")
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

    fn iota(&self, arguments: &[&str]) -> Ran {
        let mut command = iota();
        // Where the interpreter is found must not depend on the home.
        command.args(arguments).env("IOTA_PYTHON", python()).env("PYENV_ROOT", "/nonexistent");
        self.at_home(&mut command).output().unwrap().into()
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
    assert_eq!(origin.alerts(), ["team third"]);
    let versions = fs::read_dir(origin.files.path("packs/.team.versions")).unwrap().count();
    assert_eq!(versions, 2, "the one in force and the one before");
    origin.files.write("own/r.py", EVERY.as_bytes());
    let ran = origin.iota(&["rules", "pull", &address, &origin.files.path("own")]);
    said(&ran, 1, "was not made by `iota rules pull`");
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
    let sign = ["-c", "gpg.format=ssh", "-c"];
    let with_key = format!("user.signingkey={signer}.pub");
    let signed = |title: &str| {
        origin.files.write("origin/r.py", rule(title).as_bytes());
        origin.git(&["add", "--all"]);
        origin.git(&[&sign[..], &[&with_key, "commit", "--quiet", "-S", "-m", "x"]].concat());
    };
    signed("signed");
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
    origin.files.write(
        "origin/.gitmodules",
        format!("[submodule \"s\"]\n\tpath = s\n\turl = ext::{touch}\n\tupdate = !{touch}\n").as_bytes(),
    );
    origin.git(&["add", "--all"]);
    origin.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},s")]);
    origin.git(&["commit", "--quiet", "-m", "x"]);
    said(&origin.pull(&address, &[]), 1, "the repository holds a submodule");
    let blob = origin.git(&["hash-object", "-w", "r.py"]);
    let listed = origin.files.write("tree", format!("100644 blob {blob}\tconfig\n").as_bytes());
    let tree = |listed: &str| {
        let mut command = Command::new("git");
        command.current_dir(origin.files.path("origin")).args(["mktree"]).stdin(fs::File::open(listed).unwrap());
        String::from_utf8(origin.at_home(&mut command).output().unwrap().stdout).unwrap().trim().to_owned()
    };
    let below = tree(&listed);
    for name in [".git", ".GIT"] {
        origin.files.write("tree", format!("040000 tree {below}\t{name}\n").as_bytes());
        let commit = origin.git(&["commit-tree", "-m", "x", &tree(&listed)]);
        origin.git(&["update-ref", "refs/heads/odd", &commit]);
        said(&origin.pull(&address, &["--branch", "odd"]), 1, "nothing was changed");
    }
    assert!(!Path::new(&marker).exists());
    assert_eq!(origin.alerts(), ["team ok"], "what was pulled first is in force");
}
