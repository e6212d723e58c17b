//! Where the kernel does not confine rules, none is run; what is in force is told.

use crate::harness::{EVERY, Files, NOW, Ran, in_repository, iota, root};
use std::process::{Command, Stdio};

/// What says so, if it is run.
const TELLS: &str = "print('imported')\ndef rule(event):\n    return True\n";

/// With rules that nobody has loaded before.
fn files() -> Files {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let tells = format!("# {now:?}\n{TELLS}");
    Files::new(&[("rules/tells.py", &tells), ("in.jsonl", "{\"eventName\":\"x\",\"eventTime\":\"2020-01-01T00:00:00Z\"}\n")])
}

/// On a kernel that lacks something.
fn without(what: &str, args: &[&str]) -> Ran {
    let mut command = Command::new("python3");
    command.arg(root().join("crates/iota/tests/cli/without.py")).arg(what).arg(iota().get_program()).args(args);
    in_repository(&mut command);
    command.stdin(Stdio::null()).output().unwrap().into()
}

fn run_args(files: &Files, flags: &[&str]) -> Vec<String> {
    let (input, rules) = (files.path("in.jsonl"), files.path("rules"));
    let args = ["run", &input, "--rules", &rules, "--now", NOW].map(str::to_owned);
    args.into_iter().chain(flags.iter().map(|flag| (*flag).to_owned())).collect()
}

/// `rules` are not loaded, and the reason is said.
#[track_caller]
fn refused(ran: &Ran, why: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(!ran.stderr.contains("imported"), "no line of a rule runs: {}", ran.stderr);
    for text in why {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    }
}

#[test]
fn without_seccomp_no_rule_is_loaded_by_any_command() {
    let files = files();
    let rules = files.path("rules");
    let file = files.path("rules/tells.py");
    let run = run_args(&files, &[]);
    let run: Vec<&str> = run.iter().map(String::as_str).collect();
    let (input, state) = (files.path("in.jsonl"), files.path("state"));
    for args in [
        &run[..],
        &["test", &rules],
        &["check", &rules],
        &["explain", &file, "--event", &input],
        &["watch", "--events-dir", files.root(), "--rules", &rules, "--state", &state],
    ] {
        let ran = without("seccomp", args);
        refused(&ran, &["rules cannot be confined: the kernel takes no seccomp filter", "--sandbox=off"]);
    }
}

#[test]
fn a_worker_that_cannot_take_its_own_part_loads_nothing() {
    let files = files();
    for (what, why) in [("inner-seccomp", "seccomp"), ("inner-landlock", "landlock")] {
        let args = run_args(&files, &[]);
        let ran = without(what, &args.iter().map(String::as_str).collect::<Vec<_>>());
        refused(&ran, &["the worker cannot be confined", why]);
    }
    // When what the rules say as they are loaded is known from before, the first worker is the first to tell.
    let args = run_args(&files, &[]);
    let known: Ran = iota().args(&args).output().unwrap().into();
    assert_eq!((known.code, known.stdout.lines().count()), (Some(0), 1), "{}", known.stderr);
    let ran = without("inner-seccomp", &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("its rules are not run: the worker cannot be confined"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 omitted call") && !ran.stderr.contains("imported"), "{}", ran.stderr);
}

#[test]
fn strict_refuses_where_there_is_no_landlock_and_auto_says_so() {
    let files = files();
    let strict = run_args(&files, &["--sandbox", "strict"]);
    let ran = without("landlock", &strict.iter().map(String::as_str).collect::<Vec<_>>());
    refused(&ran, &["--sandbox=strict needs Landlock, and this kernel has none; use --sandbox=auto"]);
    let auto = run_args(&files, &[]);
    let ran = without("landlock", &auto.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("sandbox of the rules: seccomp (this kernel has no Landlock)"), "{}", ran.stderr);
}

/// By whoever asks for it, also where there is nothing to confine with.
#[test]
fn off_runs_anywhere_and_is_loud() {
    let files =
        Files::new(&[("rules/every.py", EVERY), ("in.jsonl", "{\"eventName\":\"x\",\"eventTime\":\"2020-01-01T00:00:00Z\"}\n")]);
    let stats = files.path("stats.json");
    let args = run_args(&files, &["--sandbox", "off", "--stats", &stats]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = without("seccomp", &args);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{}", ran.stderr);
    let warning = "--sandbox=off: rules can read files, open connections and start processes as your user does";
    assert!(ran.stderr.contains(warning) && ran.stderr.contains("WARN"), "{}", ran.stderr);
    assert!(ran.stderr.contains("sandbox of the rules: none"), "{}", ran.stderr);
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(stats).unwrap()).unwrap();
    assert_eq!(stats["python"]["sandbox"], serde_json::json!({"mode": "off", "seccomp": false, "landlock_abi": null}));
}

/// Modules of Python try optional imports, and some run what lies in the current directory.
#[test]
fn no_file_of_a_pack_runs_before_the_sandbox_is_there() {
    let files = files();
    let written = files.path("written");
    let rule = "import copy, pickle, subprocess\ntry:\n    import unittest.__main__\nexcept BaseException:\n    pass\n\
                def rule(event):\n    return True\n";
    files.write("rules/r.py", rule.as_bytes());
    for name in ["java", "msvcrt", "nt", "org", "test_x", "winreg"] {
        files.write(&format!("rules/{name}.py"), format!("open({written:?}, 'a').write({name:?})\n").as_bytes());
    }
    let mut command = iota();
    command.args(run_args(&files, &[])).current_dir(files.path("rules")).env("XDG_CACHE_HOME", files.path("cache"));
    let ran: Ran = command.stdin(Stdio::null()).output().unwrap().into();
    assert_eq!(ran.stdout.lines().count(), 2, "both rules are run: {}", ran.stderr);
    assert!(!std::path::Path::new(&written).exists(), "{}", std::fs::read_to_string(&written).unwrap());
}

/// The capabilities of a worker, by what `/proc` says of it while a rule sleeps.
#[test]
fn a_worker_has_no_capabilities_even_as_root() {
    let files = files();
    files.write("rules/sleeps.py", b"import time\ndef rule(event):\n    time.sleep(600)\n");
    let args = run_args(&files, &["--rule-timeout", "10m"]);
    let mut engine = iota().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = std::time::Instant::now();
    let status = loop {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", engine.id())).unwrap();
        let all = std::fs::read_dir(format!("/proc/{}/task", engine.id())).unwrap().flatten();
        let of_threads = all.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let children = of_threads.fold(children, |all, more| all + " " + &more);
        let statuses =
            children.split_whitespace().filter_map(|child| std::fs::read_to_string(format!("/proc/{child}/status")).ok());
        // All filters are there: it runs pack code.
        if let Some(status) = statuses.into_iter().find(|status| status.contains("Seccomp_filters:\t3")) {
            break status;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "no worker was seen");
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    engine.kill().unwrap();
    engine.wait().unwrap();
    let sets = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    for name in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(sets(name), "0000000000000000", "{name}");
    }
    let is_root = sets("Uid:").starts_with("0\t");
    assert!(!is_root || sets("CapBnd:") == "0000000000000000", "{status}");
}
