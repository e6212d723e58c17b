//! The policies that are shipped grant what the code calls, and nothing beyond it.

use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn policy(name: &str) -> Json {
    let path = root().join("deploy/iam").join(name);
    let policy: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(policy["Version"], "2012-10-17", "{name}");
    policy
}

fn statements(policy: &Json) -> &[Json] {
    policy["Statement"].as_array().unwrap()
}

fn actions(policy: &Json) -> BTreeSet<String> {
    statements(policy).iter().map(|statement| statement["Action"].as_str().unwrap().to_owned()).collect()
}

/// The actions of AWS that the code of these files names: every call of the SDK is made with the name of its action.
fn named(paths: &[&str]) -> BTreeSet<String> {
    let is_action = |text: &&str| {
        text.split_once(':').is_some_and(|(service, action)| {
            SERVICES.contains(&service)
                && action.starts_with(|first: char| first.is_ascii_uppercase())
                && action.bytes().all(|byte| byte.is_ascii_alphabetic())
        })
    };
    code(paths).iter().flat_map(|code| code.split('"').filter(is_action).map(str::to_owned).collect::<Vec<_>>()).collect()
}

const SERVICES: [&str; 8] = ["s3", "sqs", "sns", "events", "cloudtrail", "secretsmanager", "securityhub", "dynamodb"];

/// The same where statements for others are named as well: only what calls are made with.
fn called(paths: &[&str]) -> BTreeSet<String> {
    let action = |rest: &str| rest.split('"').next().unwrap().to_owned();
    code(paths).iter().flat_map(|code| code.split("fault_of(\"").skip(1).map(action).collect::<Vec<_>>()).collect()
}

/// Without tests.
fn code(paths: &[&str]) -> Vec<String> {
    let root = root().join("crates/iota-service/src");
    let files = paths.iter().map(|path| root.join(path)).flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
    };
    files.map(read).collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// What KMS is asked for by other services, in the name of whoever asks those: no call of ours names it.
const BY_OTHERS: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_policy_grants_exactly_the_calls_of_its_command() {
    let read = ["s3:GetObject", "s3:ListBucket"];
    let s3 = named(&["source/s3"]);
    assert_eq!(s3, set(&read));
    let queue: BTreeSet<_> = named(&["source/feed"]).union(&s3).cloned().collect();
    let outputs = named(&["output/s3.rs", "output/sns.rs", "output/sqs.rs", "output/eventbridge.rs", "aws/secret.rs"]);
    // Signed without an SDK crate, so its name is put together.
    let outputs: BTreeSet<_> = outputs.into_iter().chain(["securityhub:BatchImportFindings".to_owned()]).collect();
    // Nobody needs a permission to be told who they are; what a queue needs is granted to watch.
    let doctor: BTreeSet<_> = called(&["doctor"])
        .into_iter()
        .filter(|action| action != "sts:GetCallerIdentity" && (!queue.contains(action) || action == "sqs:GetQueueAttributes"))
        .collect();
    for (name, expected, by_others) in [
        ("ingest.json", s3.clone(), 1),
        ("gaps.json", s3.clone(), 1),
        ("polling.json", s3.clone(), 1),
        ("validate-logs.json", s3.union(&named(&["integrity/keys.rs"])).cloned().collect(), 1),
        ("ingest-init.json", named(&["ingest/trails.rs"]), 0),
        ("queue.json", queue.clone(), 1),
        ("outputs.json", outputs, 2),
        ("doctor.json", doctor, 0),
    ] {
        let policy = policy(name);
        let granted = actions(&policy);
        let (keys, granted): (BTreeSet<_>, BTreeSet<_>) =
            granted.into_iter().partition(|action| BY_OTHERS.contains(&action.as_str()));
        assert_eq!((granted, keys.len()), (expected, by_others), "{name}");
        for statement in statements(&policy) {
            let action = statement["Action"].as_str().unwrap();
            assert_eq!(statement["Effect"], "Allow");
            assert!(statement["Principal"].is_null(), "{name}: {statement}");
            // Of these calls AWS knows no resources.
            let open = ["cloudtrail:DescribeTrails", "cloudtrail:ListPublicKeys", "events:ListRuleNamesByTarget"];
            assert_eq!(statement["Resource"] == "*", open.contains(&action), "{name}: {statement}");
        }
    }
}

#[test]
fn keys_of_trails_decrypt_only_what_cloudtrail_has_encrypted() {
    for name in ["ingest.json", "gaps.json", "polling.json", "validate-logs.json", "queue.json"] {
        let policy = policy(name);
        let of_trail = |statement: &&Json| statement["Sid"] == "DecryptOnlyIfTheTrailHasAKey";
        let statement = statements(&policy).iter().find(of_trail).unwrap_or_else(|| panic!("{name}"));
        let trail = &statement["Condition"]["StringEquals"]["kms:EncryptionContext:aws:cloudtrail:arn"];
        assert!(trail.as_str().is_some_and(|arn| arn.starts_with("arn:aws:cloudtrail:")), "{name}: {statement}");
    }
}

#[test]
fn resources_let_in_only_the_bucket_that_tells() {
    for (name, action) in [("queue-policy.json", "sqs:SendMessage"), ("queue-key-policy.json", "kms:GenerateDataKey")] {
        let policy = policy(name);
        let of_service: Vec<_> =
            statements(&policy).iter().filter(|statement| statement["Principal"]["Service"] == "s3.amazonaws.com").collect();
        assert_eq!(of_service.len(), 1, "{name}");
        assert!(of_service[0]["Action"].to_string().contains(action), "{name}");
        let condition = &of_service[0]["Condition"];
        assert!(condition["ArnEquals"]["aws:SourceArn"].is_string(), "{name}");
        assert!(condition["StringEquals"]["aws:SourceAccount"].is_string(), "{name}");
    }
}
