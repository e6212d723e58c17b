//! The directory that state is kept in: whether it can be written to, for how long, and by whom it is used.

use super::finding::{Finding, Report};
use crate::store::{Sqlite, StateFile};
use rustix::fs::{Access, access, statvfs};
use std::path::Path;

const CHECK: &str = "state";
/// The journal alone may take 64 MiB.
const LITTLE: u64 = 256 << 20;
/// What a busy week of alerts and failed records may take.
const SCARCE: u64 = 1 << 30;

pub(super) fn check(directory: &Path, report: &mut Report<'_>) {
    let shown = directory.display().to_string();
    let directory = &std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    // Made at the first start, with the directories above it.
    let Some(there) = directory.ancestors().find(|path| path.exists()) else {
        let hint = "name a directory with --state DIR";
        return report.tell(Finding::failed(CHECK, &shown, "no part of the path is there").setting(hint));
    };
    let is_made = there == directory;
    let mend = format!(
        "let the user that iota runs as write there, or name another directory with --state DIR ({} is it)",
        there.display()
    );
    if !there.is_dir() {
        return report.tell(Finding::failed(CHECK, &shown, format!("{} is no directory", there.display())).setting(mend));
    }
    if let Err(why) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
        let found = format!("{} is not writable: {}", there.display(), std::io::Error::from(why));
        report.tell(Finding::failed(CHECK, &shown, found).setting(mend));
    } else if is_made {
        report.tell(Finding::ok(CHECK, &shown, "is writable"));
    } else {
        report.tell(Finding::ok(CHECK, &shown, "will be made at the first start"));
    }
    match statvfs(there) {
        Ok(found) => report.tell(judge_space(
            &shown,
            found.f_bavail.saturating_mul(found.f_frsize),
            found.f_files > 0 && found.f_favail == 0,
        )),
        Err(why) => {
            report.tell(Finding::warning(CHECK, &shown, format!("free space is not known: {}", std::io::Error::from(why))));
        }
    }
    if is_made {
        file(directory, &shown, report);
    }
}

fn judge_space(shown: &str, free: u64, no_files: bool) -> Finding {
    if no_files {
        return Finding::failed(CHECK, shown, "the file system takes no more files")
            .setting("free inodes, or use another volume");
    }
    let found = format!("{} MiB are free", free >> 20);
    match free {
        ..LITTLE => {
            Finding::failed(CHECK, shown, found).setting("free space, or enlarge the volume: without space no input is taken")
        }
        LITTLE..SCARCE => Finding::warning(CHECK, shown, found).setting("free space, or enlarge the volume"),
        _ => Finding::ok(CHECK, shown, found),
    }
}

fn file(directory: &Path, shown: &str, report: &mut Report<'_>) {
    match Sqlite::look(directory) {
        Err(error) => {
            let mend = "use the iota that wrote it, restore a copy, or name another directory with --state DIR";
            report.tell(Finding::failed(CHECK, shown, error.to_string()).setting(mend));
        }
        Ok(StateFile { version: None, .. }) => report.tell(Finding::ok(CHECK, shown, "there is no state yet")),
        Ok(StateFile { version: Some(version), newest, .. }) => {
            let migrates = if version < newest {
                format!(", and is migrated to {newest} at the next start, after a copy")
            } else {
                String::new()
            };
            report.tell(Finding::ok(CHECK, shown, format!("state is of version {version}{migrates}")));
        }
    }
    if let Ok(Some(holder)) = Sqlite::holder(directory) {
        let found = format!("is in use by {holder}: another process that takes input is refused");
        let hint = "that is as it should be when it is the iota that you ask about; two replicas cannot share a directory";
        report.tell(Finding::warning(CHECK, shown, found).setting(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn space_is_judged_by_what_is_written() {
        assert_eq!(judge_space("d", 100 << 20, false).level, Level::Failed);
        assert_eq!(judge_space("d", 500 << 20, false).level, Level::Warning);
        assert_eq!(judge_space("d", 2 << 30, false).level, Level::Ok);
        assert_eq!(judge_space("d", 2 << 30, true).level, Level::Failed);
    }
}
