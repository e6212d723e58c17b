//! Standard input and named pipes: what has come is handed on as soon as it is complete. There is no way back to whoever
//! writes: what is in a pipe when the process ends is lost.

use super::Ending;
use super::offer::Offers;
use crate::pipeline::Ended;
use crate::source::Input;
use iota_engine::json::{Ignore, ScanError, Scanned, is_space, scan};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// As much is handed on in one go, about.
const READ: usize = 1 << 20;
/// How soon a request to end is seen.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// How long a value that is not whole waits for its rest.
const GIVE_UP: Duration = Duration::from_secs(60);
/// A value that is larger is handed on as far as it has come: the decoder says what is wrong with it.
const LONGEST: usize = 64 << 20;

/// A pipe, or standard input.
#[derive(Debug)]
pub(super) struct Stream {
    path: PathBuf,
    file: File,
}

impl Stream {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        if path.as_os_str() == "-" {
            // Not `io::stdin()`: what that has buffered, waiting on the descriptor does not see.
            return Ok(Self { path, file: io::stdin().as_fd().try_clone_to_owned()?.into() });
        }
        if !std::fs::metadata(&path)?.file_type().is_fifo() {
            return Err(io::Error::other("is no named pipe; watch a directory with --events-dir"));
        }
        // Also for writing: so that it does not end when a writer has gone and the next one has not come.
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self { path, file })
    }

    /// As it is called in messages.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Until its end, or until the process is to end. Blocks; `handle` is the runtime's.
    pub(super) fn run(mut self, offers: &Offers, stop: &watch::Receiver<Ending>, handle: &Handle) -> io::Result<()> {
        let (mut waiting, mut last) = (Vec::new(), Instant::now());
        tracing::info!("watching {}", self.path.display());
        while *stop.borrow() == Ending::No {
            let more = match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&TICK)) {
                Ok(0) | Err(Errno::INTR) => None,
                Ok(_) => Some(self.read(&mut waiting)?),
                Err(error) => return Err(error.into()),
            };
            if more.is_some() {
                last = Instant::now();
            }
            let ended = more == Some(0);
            let complete = match complete(&waiting) {
                _ if ended => waiting.len(),
                0 if waiting.len() >= LONGEST || last.elapsed() >= GIVE_UP => waiting.len(),
                complete => complete,
            };
            let rest = waiting.split_off(complete);
            let whole = std::mem::replace(&mut waiting, rest);
            if !whole.trim_ascii().is_empty() && !self.hand_on(whole, offers, handle) {
                return Ok(());
            }
            if ended {
                tracing::info!("{}: has ended", self.path.display());
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns how many bytes came.
    fn read(&mut self, waiting: &mut Vec<u8>) -> io::Result<usize> {
        let before = waiting.len();
        waiting.resize(before + READ, 0);
        let read = match self.file.read(&mut waiting[before..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            read => read,
        };
        waiting.truncate(before + *read.as_ref().unwrap_or(&0));
        read
    }

    /// False when nothing more is taken.
    fn hand_on(&self, bytes: Vec<u8>, offers: &Offers, handle: &Handle) -> bool {
        let name = self.name();
        handle.block_on(async {
            let room = offers.room(bytes.len() as u64).await;
            offers.offer(Input::bytes(&name, None, bytes), room).await != Ended::Interrupted
        })
    }
}

/// How many bytes hold only whole values: up to the last line end where lines are values, else up to the end of the last
/// object or list.
fn complete(bytes: &[u8]) -> usize {
    let Some(start) = bytes.iter().position(|byte| !is_space(*byte)) else { return bytes.len() };
    let lines = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let line = &bytes[start..];
    let first = memchr::memchr(b'\n', line).map_or(line, |at| &line[..at]);
    let last = bytes[..lines].trim_ascii_end();
    let last = memchr::memrchr(b'\n', last).map_or(last, |at| &last[at + 1..]);
    if is_value(first) && is_value(last) {
        return lines;
    }
    let mut end = 0;
    while let Some(skip) = bytes[end..].iter().position(|byte| !is_space(*byte)) {
        match scan(bytes, end + skip, &mut Ignore) {
            // A number may go on.
            Ok(Scanned::End(at)) if at < bytes.len() || matches!(bytes[at - 1], b'}' | b']') => end = at,
            Ok(_) | Err(ScanError::Incomplete) => return end,
            // The decoder says what is wrong, line by line.
            Err(ScanError::Invalid { .. }) => return lines,
        }
    }
    bytes.len()
}

/// One whole JSON value.
fn is_value(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    !bytes.is_empty() && scan(bytes, 0, &mut Ignore) == Ok(Scanned::End(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_values_are_handed_on() {
        for (text, expected) in [
            ("", ""),
            ("{\"a\":1}", "{\"a\":1}"),
            ("12", ""),
            ("{\"a\":1}\n{\n\"b\":2,\n", "{\"a\":1}"),
            ("{\"a\":1}\n{\"b\"", "{\"a\":1}\n"),
            ("{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\n{\"b\":2}\n"),
            ("{\n\"a\":1\n}\n{\n", "{\n\"a\":1\n}"),
            ("{\n\"a\":1\n}\n", "{\n\"a\":1\n}\n"),
            ("{\n\"a\":", ""),
            ("[1,\n", ""),
            ("\n{\n", ""),
            ("{\"a\":1}\n{\n\"b\":", "{\"a\":1}"),
            ("\n \n", "\n \n"),
            ("broken\n{\"a\":1}\n{", "broken\n{\"a\":1}\n"),
            ("{broken\n{\"a\":1}\n", "{broken\n{\"a\":1}\n"),
        ] {
            assert_eq!(&text[..complete(text.as_bytes())], expected, "{text:?}");
        }
    }
}
