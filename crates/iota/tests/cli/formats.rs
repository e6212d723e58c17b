//! Every shape in which CloudTrail hands out events, from real files.

use crate::harness::{EVERY, Files, detect, root};

#[test]
fn real_files_of_every_shape_are_read() {
    let rules = Files::new(&[("every.py", EVERY)]);
    let mut report = String::new();
    let mut names: Vec<_> =
        std::fs::read_dir(root().join("testdata/formats")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.is_file() && !path.to_string_lossy().ends_with(".md")) {
        let found = detect(&[path.to_str().unwrap(), "--rules", rules.root()]);
        let name = path.file_name().unwrap().to_string_lossy();
        let records = &found.stats["records"];
        report += &format!(
            "{name}: evaluated {}, rejected {}, skipped {}\n",
            records["evaluated"], records["rejected"], records["skipped_by_reason"]
        );
        assert_eq!(found.code, Some(0), "{name}: {}", found.stderr);
    }
    insta::assert_snapshot!(report);
}

#[test]
fn one_event_in_every_wrapping_gives_the_same_alert() {
    let event =
        r#"{"eventVersion":"1.11","eventID":"1","recipientAccountId":"1","eventName":"Same","eventTime":"2024-07-15T00:00:00Z"}"#;
    let text = serde_json::to_string(event).unwrap();
    let shapes = [
        event.to_owned(),
        format!("[{event}]"),
        format!("{{\"Records\":[{event}]}}"),
        format!("{{\n  \"Records\": [\n    {event}\n  ]\n}}\n"),
        format!("{{\"version\":\"0\",\"id\":\"x\",\"detail-type\":\"AWS API Call via CloudTrail\",\"detail\":{event}}}"),
        format!("{{\"Events\":[{{\"EventId\":\"1\",\"CloudTrailEvent\":{text}}}],\"NextToken\":\"t\"}}"),
        format!("{{\"EventId\":\"1\",\"CloudTrailEvent\":{text}}}"),
        format!(
            "{{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"1\",\"logEvents\":[{{\"id\":\"1\",\"timestamp\":0,\"message\":{text}}}]}}"
        ),
    ];
    let files = Files::new(&[("rules/every.py", EVERY)]);
    let mut alerts = Vec::new();
    for (n, shape) in shapes.iter().enumerate() {
        let path = files.write(&format!("{n}.json"), shape.as_bytes());
        let found = detect(&[&path, "--rules", &files.path("rules")]);
        assert_eq!((found.code, found.alerts.len()), (Some(0), 1), "{shape}: {}", found.stderr);
        let alert = &found.alerts[0];
        alerts.push((alert["alert_id"].clone(), alert["title"].clone(), alert["event"].clone()));
    }
    alerts.dedup();
    assert_eq!(alerts.len(), 1);
    let all: Vec<String> = (0..shapes.len()).map(|n| files.path(&format!("{n}.json"))).collect();
    let mut args: Vec<&str> = all.iter().map(String::as_str).collect();
    let rules = files.path("rules");
    args.extend(["--rules", &rules]);
    let found = detect(&args);
    assert_eq!((found.alerts.len(), found.count("/records/duplicates")), (1, shapes.len() as u64 - 1));
}
