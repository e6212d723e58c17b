//! What `deploy/` starts: the manifests' flags are taken by the binary as they stand, and what they promise is there.

use crate::aws::{Bucket, Queue};
use crate::harness::{Target, moto};
use iota_engine::yaml::from_yaml;
use serde_json::Value as Json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").canonicalize().unwrap()
}

/// The documents of a manifest.
fn documents(name: &str) -> Vec<Json> {
    let text = fs::read_to_string(deploy().join("kubernetes").join(name)).unwrap();
    text.split("\n---\n").map(|text| from_yaml(text.as_bytes()).unwrap_or_else(|why| panic!("{name}: {}", why.message))).collect()
}

fn of_kind<'a>(documents: &'a [Json], kind: &str) -> &'a Json {
    let found: Vec<_> = documents.iter().filter(|document| document["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0]
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Starts what a manifest starts, with its paths and places here, and ends it as Kubernetes does.
fn starts_and_ends(name: &str, places: &[(&str, &str)], target: &Target) {
    let documents = documents(name);
    let pod = &of_kind(&documents, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let anywhere = [("0.0.0.0:9464", "127.0.0.1:0")];
    let here = |text: &str| places.iter().chain(&anywhere).fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let args: Vec<String> = texts(&container["args"]).iter().map(|text| here(text)).collect();
    let env = container["env"].as_array().unwrap().iter();
    let env: Vec<_> = env.map(|entry| (entry["name"].as_str().unwrap(), here(entry["value"].as_str().unwrap()))).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = target.command(moto(), &args);
    let log = target.path("log");
    let mut child = command
        .envs(env.clone())
        .stderr(File::create(&log).unwrap())
        .stdout(File::create(target.path("out")).unwrap())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let said = || fs::read_to_string(&log).unwrap();
    while !said().contains("watching ") {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none() && started.elapsed() < Duration::from_secs(60), "{name}: {ended:?} {}", said());
        thread::sleep(Duration::from_millis(30));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let (signalled, grace) = (Instant::now(), pod["terminationGracePeriodSeconds"].as_u64().unwrap());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(signalled.elapsed() < Duration::from_secs(grace), "{name}: {}", said());
        thread::sleep(Duration::from_millis(30));
    };
    assert_eq!(status.code(), Some(0), "{name}: {}", said());
    // The same line asks the doctor.
    let doctor = target.command(moto(), &[&["doctor"], &args[1..]].concat()).envs(env).output().unwrap();
    assert!(
        String::from_utf8(doctor.stdout).unwrap().contains(" failed\n"),
        "{name}: {}",
        String::from_utf8_lossy(&doctor.stderr)
    );
}

#[test]
fn the_manifests_flags_are_taken_as_they_stand() {
    let rules = deploy().join("../rules/aws_cloudtrail");
    let rules = rules.to_str().unwrap();
    let (bucket, queue, target) = (Bucket::new(), Queue::new(50), Target::new());
    let state = target.path("state");
    let places = [
        ("https://sqs.REGION.amazonaws.com/ACCOUNT/cloudtrail", queue.url.as_str()),
        ("TRAIL_BUCKET", &bucket.0),
        ("REGION", "us-east-1"),
        ("/rules/aws_cloudtrail", rules),
        ("/var/lib/iota", state.to_str().unwrap()),
    ];
    starts_and_ends("queue.yaml", &places, &target);
    let target = Target::new();
    let (state, events) = (target.path("state"), target.path("logs"));
    fs::create_dir_all(&events).unwrap();
    let places =
        [("/rules/aws_cloudtrail", rules), ("/var/lib/iota", state.to_str().unwrap()), ("/events", events.to_str().unwrap())];
    starts_and_ends("directory.yaml", &places, &target);
}

#[test]
fn pods_run_alone_and_without_privileges() {
    for name in ["queue.yaml", "directory.yaml"] {
        let documents = documents(name);
        let deployment = &of_kind(&documents, "Deployment")["spec"];
        assert_eq!(
            (&deployment["replicas"], &deployment["strategy"]["type"]),
            (&Json::from(1), &Json::from("Recreate")),
            "{name}"
        );
        let pod = &deployment["template"]["spec"];
        // watch goes on with what is under way for 20 s, and delivers for 5 s more.
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= 30, "{name}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        let container = &pod["containers"][0];
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(texts(&context["capabilities"]["drop"]), ["ALL"], "{name}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        // Probes ask where it listens.
        let port = &container["ports"][0];
        let listen = texts(&container["args"]).iter().skip_while(|arg| *arg != "--metrics-listen").nth(1).cloned().unwrap();
        assert_eq!(listen, format!("0.0.0.0:{}", port["containerPort"]), "{name}");
        for (probe, path) in [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
            let asks = &container[probe]["httpGet"];
            assert_eq!((&asks["path"], &asks["port"]), (&Json::from(path), &port["name"]), "{name} {probe}");
        }
        // Each place that is written to is mounted.
        let mounts: Vec<_> = container["volumeMounts"].as_array().unwrap().iter().map(|mount| &mount["mountPath"]).collect();
        assert!(mounts.contains(&&Json::from("/tmp")) && mounts.contains(&&Json::from("/var/lib/iota")), "{name}");
        let claim = of_kind(&documents, "PersistentVolumeClaim")["metadata"]["name"].clone();
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim), "{name}");
        assert_eq!(pod["serviceAccountName"], of_kind(&documents, "ServiceAccount")["metadata"]["name"], "{name}");
    }
    let queue = documents("queue.yaml");
    let annotations = &of_kind(&queue, "ServiceAccount")["metadata"]["annotations"];
    assert!(annotations["eks.amazonaws.com/role-arn"].is_string());
}

/// What the image runs is a command of the binary, its user is the manifests', and what it copies is there.
#[test]
fn the_image_starts_the_binary_as_the_manifests_user() {
    let text = fs::read_to_string(deploy().join("Dockerfile")).unwrap();
    let line = |word: &str| {
        let found: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(word)).map(str::trim).collect();
        (*found.last().unwrap_or_else(|| panic!("no {word}"))).to_owned()
    };
    assert_eq!(serde_json::from_str::<Vec<String>>(&line("ENTRYPOINT")).unwrap(), ["iota"]);
    let command: Vec<String> = serde_json::from_str(&line("CMD")).unwrap();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    assert_eq!(Target::new().run(moto(), &command).code, Some(0));
    let documents = documents("queue.yaml");
    let pod = &of_kind(&documents, "Deployment")["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(line("USER"), format!("{}:{}", pod["runAsUser"], pod["runAsGroup"]));
    for copied in text.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from")) {
        let from = copied.split(' ').next().unwrap();
        assert!(deploy().join("..").join(from).exists(), "{copied}");
    }
}
