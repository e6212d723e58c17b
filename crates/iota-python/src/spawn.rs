//! Starting the process of a worker: its arguments, environment and descriptors, what ties it to the engine, its end.
//! Knows nothing of the protocol.

use crate::embedded;
use crate::runner::Program;
use crate::sandbox::Confinement;
use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Descriptors of a worker beside the standard ones: the progress file, and the Landlock ruleset where there is one.
const PROGRESS: i32 = 3;
const RULESET: i32 = 4;

/// The command that starts a worker. The process ends when the thread that spawns it does: whoever calls `spawn` must
/// live as long as the worker is needed.
pub(crate) fn command(program: &Program, progress: &File, output: &File) -> io::Result<Command> {
    let mut command = Command::new(&program.interpreter.path);
    // Not -I: it would ignore the hash seed, and titles made from sets would differ between workers. Not -P but its
    // variable: an interpreter that is too old for it must start, to be told so.
    command.args(["-s", "-B"]);
    match &program.engine {
        Some(file) => command.arg(file),
        None => command.args(["-c", embedded::bootstrap()]),
    };
    command
        .env_clear()
        .envs([("PYTHONHASHSEED", "0"), ("PYTHONSAFEPATH", "1"), ("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("LANG", "C.UTF-8")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(output.try_clone()?)
        .process_group(0);
    let mut descriptors = vec![FdMapping { parent_fd: OwnedFd::from(progress.try_clone()?), child_fd: PROGRESS }];
    let confinement = program.sandbox.confinement();
    if let Some(ruleset) = confinement.and_then(|confinement| confinement.ruleset()) {
        descriptors.push(FdMapping { parent_fd: ruleset?, child_fd: RULESET });
    }
    command.fd_mappings(descriptors).map_err(io::Error::other)?;
    before_exec(&mut command, confinement.cloned());
    Ok(command)
}

/// What the child does before it becomes the interpreter. The only place where code runs between fork and exec: it may
/// make system calls, but neither allocate nor take a lock, which another thread may have held at the fork.
#[expect(unsafe_code, reason = "pre_exec is unsafe: its closure only makes system calls and touches no memory of others")]
fn before_exec(command: &mut Command, confinement: Option<Arc<Confinement>>) {
    let engine = rustix::process::getpid();
    let prepare = move || {
        die_with(engine)?;
        confinement.as_ref().map_or(Ok(()), |confinement| confinement.enter())
    };
    // SAFETY: `die_with` and `enter` make system calls, with numbers and with filters that were computed before.
    unsafe { command.pre_exec(prepare) };
}

/// The kernel kills this process when the thread that started it ends, however that comes: an engine that is killed
/// cannot clean up, and a rule in an endless loop would never see that its input has ended.
#[cfg(target_os = "linux")]
fn die_with(engine: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The engine may have ended before the kernel was told to watch it.
    if rustix::process::getppid() == Some(engine) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
}

/// Other systems cannot tie a process to its parent.
#[cfg(not(target_os = "linux"))]
fn die_with(_engine: Pid) -> io::Result<()> {
    Ok(())
}

/// The process of a worker. It leads a process group: whatever it started ends with it.
#[derive(Debug)]
pub(crate) struct Group {
    /// `None` once it was reaped: from then on its number may be that of another process.
    leader: Option<Child>,
}

impl Group {
    pub(crate) fn new(leader: Child) -> Self {
        Self { leader: Some(leader) }
    }

    /// Whether the process ends by itself in this time. It is not reaped: its number stays its own.
    pub(crate) fn ends_within(&self, time: Duration) -> bool {
        let Some(leader) = &self.leader else { return true };
        let started = Instant::now();
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            if matches!(waitid(WaitId::Pid(Pid::from_child(leader)), look), Ok(Some(_))) {
                return true;
            }
            if started.elapsed() >= time {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills what is left of the group and says how the process ended; `None` when that was said before.
    pub(crate) fn end(&mut self) -> Option<ExitStatus> {
        let mut leader = self.leader.take()?;
        // Either fails where nothing is left to kill.
        let _ = kill_process_group(Pid::from_child(&leader), Signal::KILL);
        // A rule may have moved the process to another group.
        let _ = leader.kill();
        leader.wait().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
