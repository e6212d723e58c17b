//! A directory that is watched.

use super::finding::{Finding, Report};
use std::fs;
use std::path::Path;

const CHECK: &str = "directory";

pub(super) fn check(directory: &Path, report: &mut Report<'_>) {
    let shown = directory.display().to_string();
    report.tell(match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Finding::ok(CHECK, &shown, "is read"),
            None => Finding::warning(CHECK, &shown, "is empty").setting("have logs written below it; `iota ingest --follow` can"),
        },
        Err(why) => Finding::failed(CHECK, &shown, format!("cannot be read: {why}"))
            .setting("mount it, and let the user that iota runs as read it and enter the directories below it"),
    });
}
