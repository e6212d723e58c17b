//! Rules that raise, hang, crash, print or return nonsense: each is that rule's error, and the rest goes on.

use crate::harness::{EVERY, Files, NOW, detect, run};
use std::fmt::Write;

/// Records named `E0` .. `E{count-1}`, one of them `boom`.
fn records(count: usize, boom: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let name = if n == boom { "boom".to_owned() } else { format!("E{n}") };
        writeln!(text, r#"{{"eventID":"{n}","eventName":"{name}","eventTime":"2024-07-15T00:00:00Z","userIdentity":{{"type":"Root"}},"list":[1]}}"#).unwrap();
        text
    })
}

/// A rule that does something on the one record, beside a good one: the good one sees every record.
#[track_caller]
fn contained(name: &str, body: &str, kind: &str) {
    let source = format!(
        "import os, sys, time\ndef rule(event):\n    if event.get('eventName') == 'boom':\n        {body}\n    return False\n"
    );
    let files = Files::new(&[("rules/every.py", EVERY), ("rules/hostile.py", &source), ("in.jsonl", &records(300, 150))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--rule-timeout", "500ms"]);
    assert_eq!(found.code, Some(3), "{name}: {}", found.stderr);
    assert_eq!(found.alerts.len(), 300, "{name}: the other rule sees every record");
    let expected = [("rules/hostile".to_owned(), "rule".to_owned(), kind.to_owned())];
    assert_eq!(found.rule_errors(), expected, "{name}");
    assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (1, 0), "{name}");
    assert_eq!(found.stats["rule_errors"][0]["first_record"], 151, "{name}: the record is named");
}

#[test]
fn exceptions_of_every_kind() {
    contained("raise", "raise ValueError('x')", "ValueError");
    contained("exit", "sys.exit(3)", "SystemExit");
    contained("interrupt", "raise KeyboardInterrupt", "KeyboardInterrupt");
    contained("missing key", "event['nope']", "KeyError");
    contained("recursion", "f = lambda g: g(g); f(f)", "RecursionError");
    contained("memory", "bytearray(8 << 30)", "MemoryError");
    contained("mutation", "event['eventName'] = 'x'", "TypeError");
    contained("mutation inside", "event.get('userIdentity').update(type='x')", "TypeError");
    contained("mutation of a list", "event['list'].append(2)", "TypeError");
}

#[test]
fn deaths_and_hangs_are_traced_to_rule_and_record() {
    contained("death", "os._exit(7)", "WorkerDied");
    contained("signal", "os.kill(os.getpid(), 11)", "PermissionError");
    contained("crash", "import ctypes; ctypes.string_at(0)", "WorkerDied");
    contained("endless loop", "\n        while True: pass", "TimeoutError");
    contained("sleep", "time.sleep(60)", "TimeoutError");
    let asks =
        "\n        from panther_detection_helpers.caching import get_counter\n        while True: get_counter(str(time.time()))";
    contained("endless questions", asks, "TimeoutError");
}

#[test]
fn forged_output_is_not_believed() {
    let source = "import os\ndef rule(event):\n    if event.get('eventName') == 'boom':\n        for n in range(3, 64):\n            \
                  try: os.write(n, b'x' * 64)\n            except OSError: pass\n    return False\n";
    let files = Files::new(&[("rules/every.py", EVERY), ("rules/hostile.py", source), ("in.jsonl", &records(100, 50))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--rule-timeout", "500ms"]);
    assert_eq!(found.alerts.len(), 100, "{}", found.stderr);
    assert_eq!(found.stats["rule_errors"][0]["rule"], "rules/hostile");
}

/// An attacker must not be able to switch a rule off with records that end its worker.
#[test]
fn a_rule_that_often_ends_its_worker_is_paused_and_still_run_on_every_record() {
    let dies = "import os\ndef rule(event):\n    if int(event['eventID']) % 3 == 0: os._exit(1)\n    return True\n\
                def dedup(event):\n    return event['eventID']\n";
    let files = Files::new(&[("rules/every.py", EVERY), ("rules/dies.py", dies), ("in.jsonl", &records(60, 0))]);
    let mut seen = Vec::new();
    for (workers, emit) in [("1", "final"), ("4", "first")] {
        let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--workers", workers, "--emit", emit]);
        assert_eq!(found.code, Some(3), "{}", found.stderr);
        // Records 0, 3, 6 ... end it: with the tenth, 27, it is paused; what is behind is run at the end.
        assert!(
            found.stderr.contains(
                "rule rules/dies: has ended 10 workers (the last time: the worker process ended: exit code 1); it is paused"
            ),
            "{}",
            found.stderr
        );
        assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (20, 0), "{}", found.stderr);
        assert_eq!(found.count("/pairs/returned"), 100);
        assert_eq!(found.count("/rules/rules~1dies/matches"), 40, "every record that it matches");
        let mut titles: Vec<String> = found.titles().into_iter().map(str::to_owned).collect();
        titles.sort_unstable();
        seen.push(titles);
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_rule_that_always_hangs_does_not_hold_the_run() {
    let files = Files::new(&[
        ("rules/every.py", EVERY),
        ("rules/hang.py", "def rule(event):\n    while True: pass\n"),
        ("in.jsonl", &records(200, 0)),
    ]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--rule-timeout", "250ms"]);
    assert_eq!((found.code, found.alerts.len()), (Some(3), 200), "{}", found.stderr);
    // Tried once more at the end, which is of no use.
    assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (20, 180));
    assert!(found.stderr.contains("(the last time: it ran longer than 250ms and was stopped); it is paused"), "{}", found.stderr);
    assert_eq!(found.stats["slow_rules"][0]["rule"], "rules/hang");
}

#[test]
fn a_rule_that_was_only_near_is_not_blamed() {
    let late = "import os, threading, time\ndef rule(event):\n    if event.get('eventName') == 'boom':\n        threading.Thread(target=lambda: (time.sleep(0.02), os._exit(5))).start()\n    return False\n";
    let slow = "import time\ndef rule(event):\n    time.sleep(0.01)\n    return True\ndef title(event):\n    return event.get('eventName')\n";
    let files = Files::new(&[("rules/a_late.py", late), ("rules/slow.py", slow), ("in.jsonl", &records(20, 10))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--workers", "1"]);
    assert_eq!(found.alerts.len(), 20, "no match of the innocent rule is lost: {}", found.stderr);
    assert!(found.rule_errors().iter().all(|(rule, _, _)| rule != "rules/slow"), "{:?}", found.rule_errors());
}

/// Leaves the engine too few descriptors for a worker and dies; `then` runs in a process of its own.
#[cfg(target_os = "linux")]
fn takes_descriptors(then: &str) -> String {
    format!(
        "import os, resource, subprocess, sys\ndef rule(event):\n    if event.get('eventName') == 'boom':\n        \
         engine, hard = os.getppid(), resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n        \
         resource.prlimit(engine, resource.RLIMIT_NOFILE, (8, hard))\n        \
         later = f'import resource, time; {then}'\n        \
         subprocess.Popen([sys.executable, '-c', later], start_new_session=True)\n        os._exit(1)\n    return False\n"
    )
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_that_fails_for_want_of_descriptors_is_tried_again() {
    let give_back = "time.sleep(0.5); resource.prlimit({engine}, resource.RLIMIT_NOFILE, ({hard}, {hard}))";
    let hostile = takes_descriptors(give_back);
    let files = Files::new(&[("rules/every.py", EVERY), ("rules/takes.py", &hostile), ("in.jsonl", &records(200, 100))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--workers", "1", "--sandbox", "off"]);
    assert_eq!((found.code, found.alerts.len()), (Some(3), 200), "{}", found.stderr);
    assert_eq!((found.count("/pairs/errored"), found.count("/pairs/not_run")), (1, 0), "{}", found.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_that_keeps_failing_for_want_of_descriptors_does_not_end_the_run() {
    let hostile = takes_descriptors("0");
    let files = Files::new(&[("rules/every.py", EVERY), ("rules/takes.py", &hostile), ("in.jsonl", &records(150, 100))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--workers", "1", "--sandbox", "off"]);
    // Batches of 64: the second and the third get no worker.
    assert_eq!((found.code, found.alerts.len()), (Some(3), 64), "{}", found.stderr);
    // Of the hostile rule only the record that it is interested in needs a worker.
    assert_eq!((found.count("/pairs/returned"), found.count("/pairs/not_run")), (64, 87), "{}", found.stderr);
    assert!(found.stderr.contains("Too many open files"), "{}", found.stderr);
}

#[test]
fn a_result_larger_than_a_frame_is_complete() {
    let large = "def rule(event):\n    return True\ndef title(event):\n    return event['eventName']\n\
                 def alert_context(event):\n    return {'text': 'é' * 200_000}\n";
    let files = Files::new(&[("a/one.py", large), ("a/two.py", large), ("in.jsonl", &records(64, 64))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("a"), "--rule-timeout", "10s"]);
    assert_eq!((found.code, found.alerts.len()), (Some(0), 128), "{}", found.stderr);
    assert!(found.alerts.iter().all(|alert| alert["context"]["text"].as_str().unwrap().len() == 400_000));
}

#[test]
fn a_worker_that_forges_results_is_not_believed() {
    let engine = |frame: &str| {
        format!(
            "import sys\nsys.path.insert(0, {:?})\nimport json, struct\nfrom iota_worker import batch\nreal = batch.Batches.run\n\
             def forged(self, body):\n    answer = real(self, body)\n    result = json.loads(answer[8:])\n    {frame}\n    return answer[:8] + json.dumps(result).encode()\n\
             batch.Batches.run = forged\nfrom iota_worker.main import main\nmain()\n",
            crate::harness::root().join("python")
        )
    };
    for frame in [
        "result['nanos'] = {'999': 1}",
        "result['matches'] *= 2",
        "result['errors'] = [dict(record=0, rule=0, function='rule', type='x', message='y')] * 500",
        "result['matches'].append(dict(result['matches'][0], record=70000))",
    ] {
        let files = Files::new(&[("rules/every.py", EVERY), ("engine.py", &engine(frame)), ("in.jsonl", &records(3, 0))]);
        let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--engine", &files.path("engine.py")]);
        assert_eq!((found.code, found.alerts.len()), (Some(3), 0), "{frame}: {}", found.stderr);
        assert_eq!(found.count("/pairs/errored"), 3, "{frame}: {}", found.stderr);
    }
}

#[test]
fn wrong_results_fall_back_and_are_reported() {
    let source = "def rule(event):\n    return True\ndef title(event):\n    return 'x' * 10_000_000\ndef severity():\n    return 'SEVERE'\n\
                  def dedup(event):\n    return 7\ndef alert_context(event):\n    return {'a': float('nan')}\n";
    let files = Files::new(&[("rules/odd.py", source), ("in.jsonl", &records(1, 0))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.alerts.len()), (Some(3), 1));
    let alert = &found.alerts[0];
    let title = alert["title"].as_str().unwrap();
    assert_eq!((title.len(), title.ends_with("... (truncated)")), (1000, true));
    assert_eq!(alert["severity"], "INFO");
    assert!(alert["context"]["_error"].is_string());
    let functions: Vec<String> = found.rule_errors().into_iter().map(|(_, function, _)| function).collect();
    assert_eq!(functions, ["alert_context", "dedup", "severity"]);
    assert_eq!(found.count("/pairs/errored"), 0, "the rule itself returned");
}

#[test]
fn rules_that_do_not_load_are_named_and_the_others_run() {
    let files = Files::new(&[
        ("rules/every.py", EVERY),
        ("rules/import_error.py", "import nowhere\ndef rule(event):\n    return True\n"),
        ("rules/syntax.py", "def rule(event)\n    return True\n"),
        ("rules/dies.py", "import os\nos._exit(3)\ndef rule(event):\n    return True\n"),
        ("rules/hangs.py", "def rule(event):\n    return True\nraise SystemExit\n"),
        ("rules/arity.py", "def rule(event, other):\n    return True\n"),
        ("in.jsonl", &records(3, 0)),
    ]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules")]);
    assert_eq!((found.code, found.alerts.len(), found.count("/rules_failed")), (Some(3), 3, 5), "{}", found.stderr);
    for (file, why) in [
        ("import_error.py:1", "No module named 'nowhere'"),
        ("syntax.py:1", "SyntaxError"),
        ("dies.py:1", "importing it ended the worker"),
        ("hangs.py:3", "SystemExit"),
        ("arity.py:1", "rule(event, other)"),
    ] {
        assert!(found.stderr.lines().any(|line| line.contains(file) && line.contains(why)), "{file}: {}", found.stderr);
    }
}

#[test]
fn what_rules_print_is_logged_under_their_name() {
    let source = "import logging, sys, os\ndef rule(event):\n    print('printed')\n    logging.warning('logged')\n    sys.stderr.write('written\\n')\n    os.write(1, b'raw')\n    return False\n";
    let files = Files::new(&[("rules/talks.py", source), ("in.jsonl", &records(1, 0))]);
    let ran = run(&["run", &files.path("in.jsonl"), "--rules", &files.path("rules"), "--now", NOW]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    for text in ["printed", "logged", "written"] {
        assert!(ran.stderr.lines().any(|line| line.contains("rules/talks") && line.contains(text)), "{text}: {}", ran.stderr);
    }
}

#[test]
fn rules_see_no_environment() {
    let source = "import os\ndef rule(event):\n    return True\ndef alert_context(event):\n    return dict(os.environ)\n";
    let files = Files::new(&[("rules/env.py", source), ("in.jsonl", &records(1, 0))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules")]);
    let mut names: Vec<&String> = found.alerts[0]["context"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["LANG", "LC_ALL", "PYTHONHASHSEED", "PYTHONSAFEPATH", "TZ"]);
}

#[test]
fn state_is_kept_in_input_order_whatever_the_number_of_workers() {
    let source = "from panther_detection_helpers.caching import increment_counter\ndef rule(event):\n    return increment_counter('k') % 50 == 0\ndef title(event):\n    return event.get('eventName')\n";
    let files = Files::new(&[("rules/counts.py", source), ("in.jsonl", &records(500, 0))]);
    for workers in ["1", "4"] {
        let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("rules"), "--workers", workers]);
        let mut titles = found.titles();
        titles.sort_unstable();
        assert_eq!(
            titles,
            ["E149", "E199", "E249", "E299", "E349", "E399", "E449", "E49", "E499", "E99"],
            "{workers}: {}",
            found.stderr
        );
    }
}

#[test]
fn packs_do_not_share_an_interpreter() {
    let hostile = "import builtins, json\njson.loads = None\nbuiltins.str = None\ndef rule(event):\n    return False\n";
    let files = Files::new(&[("a/hostile.py", hostile), ("b/every.py", EVERY), ("in.jsonl", &records(20, 0))]);
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("a"), "--rules", &files.path("b")]);
    assert_eq!((found.code, found.alerts.len()), (Some(3), 20), "{}", found.stderr);
    assert!(found.stderr.contains("none of its rules run"), "{}", found.stderr);
    let late = "import builtins, json\ndef rule(event):\n    json.dumps = json.loads = builtins.len = None\n    return False\n";
    files.write("a/hostile.py", late.as_bytes());
    let found = detect(&[&files.path("in.jsonl"), "--rules", &files.path("a"), "--rules", &files.path("b")]);
    assert_eq!(found.alerts.len(), 20, "{}", found.stderr);
}

#[test]
fn a_data_model_that_cannot_work_is_a_warning() {
    let model = "AnalysisType: datamodel\nDataModelID: M\nFilename: m.py\nLogTypes: [AWS.CloudTrail]\nMappings:\n  - {Name: bad, Path: \"$.l[?(@.k==1)]\"}\n  - {Name: lost, Method: nope}\n";
    let files = Files::new(&[("m.yml", model), ("m.py", "X = 1\n"), ("every.py", EVERY)]);
    let ran = run(&["check", files.root()]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("m.py") || ran.stdout.contains("m.yml"), "{}", ran.stdout);
    assert!(ran.stdout.contains("warning"), "{}", ran.stdout);
}
