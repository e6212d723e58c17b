//! Runs a command that is not trusted to end, or to say little: with a deadline, in a process group that ends as a whole,
//! and within limits of disk and memory. Knows nothing of git.

use super::GitError;
use iota_python::Stop;
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a command is asked whether it is still wanted.
const TICK: Duration = Duration::from_millis(50);
/// As much of what a command said last is kept.
const SAID: i64 = 4096;
/// What a shell returns for a command that it does not find.
const NOT_FOUND: i32 = 127;

/// How long commands may go on, all of them together, and what each of their processes may take.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) deadline: Instant,
    /// When somebody asks for an end.
    pub(super) stop: Arc<Stop>,
    /// Bytes of a file.
    pub(super) file: u64,
    /// Bytes of memory.
    pub(super) memory: u64,
}

/// Why a command was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Deadline,
    Stopped,
}

/// A command that ended by itself.
#[derive(Debug)]
pub(super) struct Ended<T> {
    pub(super) status: ExitStatus,
    /// The last lines of its standard error.
    pub(super) said: String,
    pub(super) read: T,
}

impl Bounds {
    /// A program under these limits. Limits that are stricter already stay.
    pub(super) fn command(&self, program: &str) -> Command {
        // In units of 512 bytes and 1 KiB. There is no other way to set them before the program is there.
        let (file, memory) = (self.file.div_ceil(512).to_string(), self.memory.div_ceil(1024).to_string());
        let script = "ulimit -f \"$1\"; ulimit -d \"$2\"; shift 2; exec \"$@\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh", &file, &memory, program].map(OsStr::new));
        command
    }

    /// Runs a command, called `what` in errors, to its end. `read` gets what it writes to its standard output; an error of
    /// it ends the command.
    pub(super) fn run<T>(
        &self,
        what: &str,
        command: &mut Command,
        input: &[u8],
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, GitError>,
    ) -> Result<Ended<T>, GitError> {
        let broken = |error| GitError::Io(what.to_owned(), error);
        // A file and no pipe: what stays behind on purpose, such as a shared connection of ssh, may keep it open.
        let mut said = tempfile::tempfile().map_err(broken)?;
        let errors = said.try_clone().map_err(broken)?;
        let mut child = command
            .process_group(0)
            .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(GitError::NoGit)?;
        let group = Pid::from_child(&child);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (running, has_ended) = channel::<()>();
        let (read, cut, status) = thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            let watching = scope.spawn(move || self.watch(group, &has_ended));
            let read = match stdout {
                Some(stdout) => read(&mut BufReader::new(stdout)),
                None => Err(broken(io::Error::other("no pipe"))),
            };
            if read.is_err() {
                end(group);
            }
            // It is still to be waited for, so its number cannot be that of another group yet.
            let _ = retry_on_intr(|| waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
            drop(running);
            let cut = watching.join().ok().flatten();
            end(group);
            (read, cut, child.wait())
        });
        let (status, said) = (status.map_err(broken)?, tail(&mut said).map_err(broken)?);
        match (cut, read) {
            (Some(Cut::Deadline), _) => Err(GitError::TooSlow),
            (Some(Cut::Stopped), _) => Err(GitError::Stopped),
            _ if status.code() == Some(NOT_FOUND) => Err(GitError::NoGit(io::Error::new(io::ErrorKind::NotFound, said))),
            // When it ended by itself, what it said explains more.
            (None, Err(error)) if status.signal().is_some() || status.success() => Err(error),
            (None, Err(_)) => Err(GitError::Failed { what: what.to_owned(), said }),
            (None, Ok(read)) => Ok(Ended { status, said, read }),
        }
    }

    fn watch(&self, group: Pid, has_ended: &Receiver<()>) -> Option<Cut> {
        loop {
            let cut = if self.stop.is_requested() {
                Some(Cut::Stopped)
            } else {
                (Instant::now() >= self.deadline).then_some(Cut::Deadline)
            };
            if cut.is_some() {
                end(group);
                return cut;
            }
            if has_ended.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
                return None;
            }
        }
    }
}

/// Whoever is in it still.
fn end(group: Pid) {
    // There is nothing to do about a group that is gone.
    let _ = kill_process_group(group, Signal::KILL);
}

/// The last lines.
fn tail(said: &mut File) -> io::Result<String> {
    let length = said.seek(SeekFrom::End(0))?;
    said.seek(SeekFrom::End(-SAID.min(i64::try_from(length).unwrap_or(SAID))))?;
    let mut bytes = Vec::new();
    said.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let last: Vec<&str> = text.trim().lines().rev().take(5).collect();
    Ok(last.into_iter().rev().collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(time: Duration) -> Bounds {
        Bounds { deadline: Instant::now() + time, stop: Arc::default(), file: 1 << 20, memory: 256 << 20 }
    }

    fn shell(bounds: &Bounds, script: &str) -> Command {
        let mut command = bounds.command("sh");
        command.args(["-c", script]);
        command
    }

    fn everything(output: &mut dyn BufRead) -> Result<String, GitError> {
        let mut text = String::new();
        output.read_to_string(&mut text).map_err(|error| GitError::Io("output".to_owned(), error))?;
        Ok(text)
    }

    fn is_alive(pid: &str) -> bool {
        // One that is dead and was not waited for has no command line.
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    #[test]
    fn what_is_read_written_and_said_arrives() {
        let bounds = bounds(Duration::from_secs(60));
        let ended =
            bounds.run("test", &mut shell(&bounds, "cat; echo one >&2; echo two >&2; exit 3"), b"in", everything).unwrap();
        assert_eq!((ended.status.code(), ended.read.as_str(), ended.said.as_str()), (Some(3), "in", "one; two"));
        let missing = bounds.run("test", &mut bounds.command("no-such-program"), b"", everything).unwrap_err();
        assert!(matches!(missing, GitError::NoGit(_)), "{missing}");
    }

    #[test]
    fn a_deadline_ends_the_command_and_its_children() {
        let bounds = bounds(Duration::from_millis(500));
        let pids = tempfile::NamedTempFile::new().unwrap();
        let script = format!("sleep 1000 & echo $! $$ > {}; wait", pids.path().display());
        let error = bounds.run("test", &mut shell(&bounds, &script), b"", everything).unwrap_err();
        assert!(matches!(error, GitError::TooSlow), "{error}");
        let pids = std::fs::read_to_string(pids.path()).unwrap();
        assert_eq!(pids.split_whitespace().count(), 2, "{pids}");
        // The child of a child is waited for by somebody else, a moment later.
        let given = Instant::now() + Duration::from_secs(20);
        while pids.split_whitespace().any(is_alive) {
            assert!(Instant::now() < given, "{pids} go on");
            thread::yield_now();
        }
    }

    #[test]
    fn what_nobody_reads_any_more_or_asks_to_stop_ends() {
        let bounds = bounds(Duration::from_secs(600));
        let refuse = |output: &mut dyn BufRead| {
            let mut byte = [0];
            output.read_exact(&mut byte).map_err(|error| GitError::Io("output".to_owned(), error))?;
            Err::<(), _>(GitError::Odd("enough".to_owned()))
        };
        let error = bounds.run("test", &mut shell(&bounds, "yes"), b"", refuse).unwrap_err();
        assert_eq!(error.to_string(), "the repository holds enough");
        bounds.stop.request();
        let error = bounds.run("test", &mut shell(&bounds, "sleep 1000"), b"", everything).unwrap_err();
        assert!(matches!(error, GitError::Stopped), "{error}");
    }

    #[test]
    fn files_and_memory_are_limited() {
        let bounds = bounds(Duration::from_secs(60));
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("head -c 4000000 /dev/zero > {}", file.path().display());
        bounds.run("test", &mut shell(&bounds, &script), b"", everything).unwrap();
        assert!(file.path().metadata().unwrap().len() <= 2 << 20);
        // `tail` has to remember a line as long as this.
        let ended =
            bounds.run("test", &mut shell(&bounds, "head -c 900000000 /dev/zero | tail -n 1 | wc -c"), b"", everything).unwrap();
        assert!(ended.read.trim().parse::<u64>().unwrap() < 900_000_000, "{}", ended.said);
    }
}
