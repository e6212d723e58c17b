//! Files and streams.

use super::{hostile, message, output, with};
use iota_service::output::format::{Format, Redaction};
use iota_service::output::{Lines, Message, Output, Purpose, Sent};
use serde_json::json;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[tokio::test]
async fn a_file_is_appended_to_rotated_and_private() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("alerts.jsonl");
    std::fs::write(&path, "{\"cut off").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
    let output = output("type: file, path: alerts.jsonl, rotate_size: 1MiB, rotate_count: 2", directory.path()).await;
    let big = with(&json!({"description": "x".repeat(600 << 10)}));
    for _ in 0..5 {
        assert_eq!(output.send(std::slice::from_ref(&big)).await, [Sent::Delivered]);
    }
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    for name in ["alerts.jsonl", "alerts.jsonl.1", "alerts.jsonl.2"] {
        assert_eq!(read(name).lines().count(), 1, "{name}");
    }
    assert!(!directory.path().join("alerts.jsonl.3").exists());
    // Somebody else's rotation.
    std::fs::rename(&path, directory.path().join("moved")).expect("moved");
    assert_eq!(output.send(&[message()]).await, [Sent::Delivered]);
    assert_eq!(read("alerts.jsonl").lines().count(), 1);
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_line_that_was_cut_off_does_not_take_the_next_one_along() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("alerts.jsonl");
    std::fs::write(&path, "{\"cut off").expect("written");
    let output = output("type: file, path: alerts.jsonl", directory.path()).await;
    assert_eq!(output.send(&[message()]).await, [Sent::Delivered]);
    let text = std::fs::read_to_string(&path).expect("read");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "{\"cut off"));
    assert_eq!(lines[1].as_bytes(), message().json);
}

#[tokio::test]
async fn a_directory_that_is_not_there_closes() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = output("type: file, path: gone/alerts.jsonl", directory.path()).await;
    assert!(matches!(output.send(&[message()]).await[0], Sent::Closed { .. }));
}

struct Broken;

impl io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_closes() {
    let lines = Lines::new(Box::new(Broken), Format::Alert, Redaction::default(), Duration::from_secs(1));
    assert!(matches!(lines.send(&[message()]).await[0], Sent::Closed { .. }));
}

#[tokio::test]
async fn lines_are_as_they_were_in_every_format_marked_and_redacted() {
    for format in ["alert", "ocsf", "ecs"] {
        let directory = tempfile::tempdir().expect("a directory");
        let keys = format!("type: file, path: alerts.jsonl, format: {format}, redact: [event.requestParameters]");
        let output = output(&keys, directory.path()).await;
        assert_eq!(
            output.send(&[Message { purpose: Purpose::Test, ..message() }, hostile()]).await,
            [Sent::Delivered, Sent::Delivered]
        );
        let text = std::fs::read_to_string(directory.path().join("alerts.jsonl")).expect("read");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text}");
        let line: serde_json::Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        insta::assert_json_snapshot!(format!("file_{format}"), line);
    }
}
