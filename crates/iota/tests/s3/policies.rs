//! The policies that are shipped for these commands grant what the commands call, and nothing that writes.

use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn each_policy_grants_exactly_the_calls_of_its_command() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/iam");
    let read = ["kms:Decrypt", "s3:GetObject", "s3:ListBucket"];
    for (name, expected) in [
        ("ingest.json", read.to_vec()),
        ("gaps.json", read.to_vec()),
        ("validate-logs.json", [&["cloudtrail:ListPublicKeys"][..], &read].concat()),
        ("ingest-init.json", vec!["cloudtrail:DescribeTrails"]),
    ] {
        let policy: Json = serde_json::from_slice(&fs::read(directory.join(name)).unwrap()).unwrap();
        assert_eq!(policy["Version"], "2012-10-17", "{name}");
        let statements = policy["Statement"].as_array().unwrap();
        let actions: BTreeSet<_> = statements.iter().map(|statement| statement["Action"].as_str().unwrap()).collect();
        assert_eq!(actions, expected.into_iter().collect(), "{name}");
        for statement in statements {
            assert_eq!(statement["Effect"], "Allow");
            let open = statement["Resource"] == "*";
            // These two calls know no resources.
            assert_eq!(open, statement["Action"].as_str().unwrap().starts_with("cloudtrail:"), "{name}: {statement}");
        }
    }
}
