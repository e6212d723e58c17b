//! Reads plain or gzip bytes, told apart by content, under a cap on the inflated size.
//! Knows nothing of JSON. What it gives never depends on the sizes of the reads.

use super::RejectReason;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// Size of the reads from the underlying source, in bytes.
const READ: usize = 128 << 10;
/// Base-two logarithm of the window of a gzip member (RFC 1951: 32 KiB).
const WINDOW_BITS: u8 = 15;

/// Two bytes decide.
pub(super) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1F, 0x8B])
}

/// What follows the zero bytes that may stand behind a gzip member (as tapes and block devices leave them).
pub(super) fn behind_padding(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[zeros..]
}

/// What reading gave.
pub(super) enum Chunk {
    Bytes(usize),
    End,
    /// The data is damaged or too much; nothing more can be read.
    Damaged(RejectReason),
}

/// A source of inflated bytes.
pub(super) struct Inflate<R: Read> {
    source: Source<R>,
    /// Bytes that may still come out of gzip data.
    left: u64,
    max_inflated: u64,
}

enum Source<R: Read> {
    /// With the first bytes, as far as they were read.
    Unknown(R, Vec<u8>),
    Plain(Input<R>),
    Gzip(Box<Members<R>>),
    Damaged(RejectReason),
    Done,
}

/// A reader with its first bytes put back in front of it.
type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

impl<R: Read> Inflate<R> {
    pub(super) fn new(reader: R, max_inflated: u64) -> Self {
        Self { source: Source::Unknown(reader, Vec::new()), left: max_inflated, max_inflated }
    }

    /// Takes the bytes as they are.
    pub(super) fn plain(reader: R) -> Self {
        let source = Source::Plain(BufReader::with_capacity(READ, Cursor::new(Vec::new()).chain(reader)));
        Self { source, left: 0, max_inflated: 0 }
    }

    /// Gives nothing.
    pub(super) fn nothing() -> Self {
        Self { source: Source::Done, left: 0, max_inflated: 0 }
    }

    /// Reads into `buf`, which is not empty. An error is one of the underlying reader.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<Chunk> {
        self.detect()?;
        let (read, damage) = match &mut self.source {
            Source::Plain(input) => (retry(|| input.read(buf))?, None),
            Source::Gzip(members) => {
                // One byte more than is left tells whether there is too much.
                let room = usize::try_from(self.left).map_or(buf.len(), |left| buf.len().min(left.saturating_add(1)));
                let (read, damage) = members.read(&mut buf[..room])?;
                let too_much = read as u64 > self.left;
                let kept = read - usize::from(too_much);
                self.left -= kept as u64;
                (kept, if too_much { Some(RejectReason::Bomb { limit: self.max_inflated }) } else { damage })
            }
            Source::Damaged(reason) => (0, Some(reason.clone())),
            Source::Unknown(..) | Source::Done => (0, None),
        };
        Ok(match (read, damage) {
            (0, None) => {
                self.source = Source::Done;
                Chunk::End
            }
            (0, Some(reason)) => {
                self.source = Source::Done;
                Chunk::Damaged(reason)
            }
            (_, None) => Chunk::Bytes(read),
            (_, Some(reason)) => {
                self.source = Source::Damaged(reason);
                Chunk::Bytes(read)
            }
        })
    }

    fn detect(&mut self) -> io::Result<()> {
        let Source::Unknown(reader, head) = &mut self.source else { return Ok(()) };
        reader.take(2 - head.len() as u64).read_to_end(head)?;
        if let Source::Unknown(reader, head) = std::mem::replace(&mut self.source, Source::Done) {
            let gzip = is_gzip(&head);
            let input = BufReader::with_capacity(READ, Cursor::new(head).chain(reader));
            self.source = if gzip { Source::Gzip(Box::new(Members::new(input))) } else { Source::Plain(input) };
        }
        Ok(())
    }
}

/// Gzip members, one after another, with padding between and behind them.
/// Inflates by itself, because flate2's readers drop what they had inflated when they meet damage.
struct Members<R: Read> {
    input: Input<R>,
    decompress: Decompress,
    inside: bool,
}

impl<R: Read> Members<R> {
    fn new(input: Input<R>) -> Self {
        Self { input, decompress: Decompress::new_gzip(WINDOW_BITS), inside: true }
    }

    /// Reads into `buf`: how many bytes, and what damage follows them. (0, None) at the end.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<(usize, Option<RejectReason>)> {
        loop {
            retry(|| self.input.fill_buf().map(|_| ()))?;
            let input = self.input.buffer();
            if !self.inside {
                if input.is_empty() {
                    return Ok((0, None));
                }
                let zeros = input.len() - behind_padding(input).len();
                self.input.consume(zeros);
                if !self.input.buffer().is_empty() {
                    self.decompress = Decompress::new_gzip(WINDOW_BITS);
                    self.inside = true;
                }
                continue;
            }
            let (read_before, written_before) = (self.decompress.total_in(), self.decompress.total_out());
            let result = self.decompress.decompress(input, buf, FlushDecompress::None);
            let ended = input.is_empty();
            let size = |bytes: u64| usize::try_from(bytes).expect("at most the length of a slice");
            self.input.consume(size(self.decompress.total_in() - read_before));
            let written = size(self.decompress.total_out() - written_before);
            match result {
                Err(_) => return Ok((written, Some(RejectReason::CorruptGzip))),
                Ok(Status::StreamEnd) => self.inside = false,
                Ok(_) if ended && written == 0 => return Ok((0, Some(RejectReason::TruncatedGzip))),
                Ok(_) => {}
            }
            if written > 0 {
                return Ok((written, None));
            }
        }
    }
}

fn retry<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
