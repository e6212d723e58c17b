//! Starting the process of a worker: its arguments, environment and descriptors, and what ties it to the engine.
//! Knows nothing of the protocol.

use crate::embedded;
use crate::runner::Program;
use command_fds::{CommandFdExt, FdMapping};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

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
    let parent_fd = OwnedFd::from(progress.try_clone()?);
    command.fd_mappings(vec![FdMapping { parent_fd, child_fd: 3 }]).map_err(io::Error::other)?;
    before_exec(&mut command);
    Ok(command)
}

/// What the child does before it becomes the interpreter. The only place where code runs between fork and exec: it may
/// make system calls, but neither allocate nor take a lock, which another thread may have held at the fork.
#[expect(unsafe_code, reason = "pre_exec is unsafe: its closure only makes system calls and touches no memory of others")]
fn before_exec(command: &mut Command) {
    let engine = rustix::process::getpid();
    // SAFETY: `die_with` makes two system calls; its argument is a number.
    unsafe { command.pre_exec(move || die_with(engine)) };
}

/// The kernel kills this process when the thread that started it ends, however that comes: an engine that is killed
/// cannot clean up, and a rule in an endless loop would never see that its input has ended.
#[cfg(target_os = "linux")]
fn die_with(engine: rustix::process::Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // The engine may have ended before the kernel was told to watch it.
    if rustix::process::getppid() == Some(engine) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
}

/// Other systems cannot tie a process to its parent.
#[cfg(not(target_os = "linux"))]
fn die_with(_engine: rustix::process::Pid) -> io::Result<()> {
    Ok(())
}
