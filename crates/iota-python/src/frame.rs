//! Frames over pipes (python/iota_worker/PROTOCOL.md), with deadlines on every read and write.
//! Knows nothing of what is in a frame.

use crate::patience::{Over, Patience};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;
use thiserror::Error;

/// Largest frame a worker may send, in bytes. It hands large results on in parts of about 1 MiB; what is left is what
/// one pair, the lines of a batch or the report of a load may hold.
const MAX_FRAME: usize = 32 << 20;
/// Room in the pipe to a worker, in bytes: that for a batch of the largest usual size.
#[cfg(target_os = "linux")]
const PIPE: usize = 512 << 10;
/// How often a wait looks at the worker's progress.
const TICK: Duration = Duration::from_millis(50);

#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("the worker closed its pipe")]
    Closed,
    #[error(transparent)]
    Over(#[from] Over),
    #[error("malformed frame: {0}")]
    Malformed(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A frame of a worker.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Pipes {
    input: ChildStdin,
    output: ChildStdout,
}

impl Pipes {
    pub(crate) fn new(input: ChildStdin, output: ChildStdout) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&input, true)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        #[cfg(target_os = "linux")]
        hold_a_batch(&input);
        Ok(Self { input, output })
    }

    /// Sends a frame; `parts` are its body, one after another.
    pub(crate) fn send(&mut self, kind: u8, parts: &[&[u8]], patience: &mut Patience<'_>) -> Result<(), FrameError> {
        let length: usize = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let length = u32::try_from(length).map_err(|_| FrameError::Malformed("more than 4 GiB to send".to_owned()))?;
        let mut head = length.to_le_bytes().to_vec();
        head.push(kind);
        for part in std::iter::once(head.as_slice()).chain(parts.iter().copied()) {
            self.write(part, patience)?;
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8], patience: &mut Patience<'_>) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            match self.input.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&self.input, PollFlags::OUT, patience)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(FrameError::Closed),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    pub(crate) fn receive(&mut self, patience: &mut Patience<'_>) -> Result<Frame, FrameError> {
        let mut head = [0; 5];
        self.read(&mut head, patience)?;
        let [length @ .., kind] = head;
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 || length > MAX_FRAME {
            return Err(FrameError::Malformed(format!("a frame of {length} bytes, the limit is {MAX_FRAME}")));
        }
        let mut body = vec![0; length - 1];
        self.read(&mut body, patience)?;
        Ok(Frame { kind, body })
    }

    fn read(&mut self, mut into: &mut [u8], patience: &mut Patience<'_>) -> Result<(), FrameError> {
        while !into.is_empty() {
            // What is there counts, also when the engine is late to look: only a wait tries the patience.
            match self.output.read(into) {
                Ok(0) => return Err(FrameError::Closed),
                Ok(read) => into = &mut into[read..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&self.output, PollFlags::IN, patience)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Makes room for a whole batch, so that the worker finds all of it without waiting for this side in between.
#[cfg(target_os = "linux")]
fn hold_a_batch(input: &ChildStdin) {
    // A user may have no more room for pipes; what there is serves, too.
    if let Err(error) = rustix::pipe::fcntl_setpipe_size(input, PIPE) {
        tracing::debug!(%error, "the pipe to a worker stays small");
    }
}

/// Waits for one tick at most.
fn wait(descriptor: &impl AsFd, flags: PollFlags, patience: &mut Patience<'_>) -> Result<(), FrameError> {
    if let Some(over) = patience.over() {
        return Err(over.into());
    }
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    match poll(&mut [PollFd::new(descriptor, flags)], Some(&tick)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(io::Error::from(error).into()),
    }
}
