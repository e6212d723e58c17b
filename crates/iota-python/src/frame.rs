//! Frames over pipes (python/iota_worker/PROTOCOL.md), with deadlines on every read and write.
//! Knows nothing of what is in a frame.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Largest frame a worker may send, in bytes. A batch of large alert contexts stays far below.
const MAX_FRAME: usize = 256 << 20;
/// How often a wait looks at the worker's progress.
const TICK: Duration = Duration::from_millis(50);

#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("the worker closed its pipe")]
    Closed,
    #[error("no answer in time")]
    Timeout,
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

/// Decides during a wait whether it has lasted too long.
pub(crate) trait Patience {
    fn is_over(&mut self) -> bool;
}

impl Patience for Instant {
    fn is_over(&mut self) -> bool {
        Instant::now() >= *self
    }
}

#[derive(Debug)]
pub(crate) struct Pipes {
    input: ChildStdin,
    output: ChildStdout,
    /// Bytes read and not yet consumed.
    buffer: Vec<u8>,
}

impl Pipes {
    pub(crate) fn new(input: ChildStdin, output: ChildStdout) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&input, true)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        Ok(Self { input, output, buffer: Vec::new() })
    }

    /// Sends a frame; `parts` are its body, one after another.
    pub(crate) fn send(&mut self, kind: u8, parts: &[&[u8]], patience: &mut impl Patience) -> Result<(), FrameError> {
        let length: usize = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let length = u32::try_from(length).map_err(|_| FrameError::Malformed("more than 4 GiB to send".to_owned()))?;
        let mut head = length.to_le_bytes().to_vec();
        head.push(kind);
        for part in std::iter::once(head.as_slice()).chain(parts.iter().copied()) {
            self.write(part, patience)?;
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8], patience: &mut impl Patience) -> Result<(), FrameError> {
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

    pub(crate) fn receive(&mut self, patience: &mut impl Patience) -> Result<Frame, FrameError> {
        let head = self.fill(5, patience)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = head[4];
        if length == 0 || length > MAX_FRAME {
            return Err(FrameError::Malformed(format!("a frame of {length} bytes")));
        }
        let body = self.fill(4 + length, patience)?[5..].to_vec();
        self.buffer.drain(..4 + length);
        Ok(Frame { kind, body })
    }

    /// Reads until the buffer holds `count` bytes.
    fn fill(&mut self, count: usize, patience: &mut impl Patience) -> Result<&[u8], FrameError> {
        let mut chunk = [0; 16 << 10];
        while self.buffer.len() < count {
            if patience.is_over() {
                return Err(FrameError::Timeout);
            }
            match self.output.read(&mut chunk) {
                Ok(0) => return Err(FrameError::Closed),
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&self.output, PollFlags::IN, patience)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(&self.buffer[..count])
    }
}

fn wait(descriptor: &impl AsFd, flags: PollFlags, patience: &mut impl Patience) -> Result<(), FrameError> {
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    loop {
        match poll(&mut [PollFd::new(descriptor, flags)], Some(&tick)) {
            Ok(0) if patience.is_over() => return Err(FrameError::Timeout),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}
