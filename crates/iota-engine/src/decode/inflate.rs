//! Reads plain or gzip bytes, told apart by content, under a cap on the inflated size.
//! Knows nothing of JSON.

use super::RejectReason;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// Size of the reads from the underlying source, in bytes.
const READ: usize = 128 << 10;

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
    inflated: u64,
    max_inflated: u64,
}

enum Source<R: Read> {
    Unknown(BufReader<Watched<R>>),
    Plain(BufReader<Watched<R>>),
    Gzip(Box<MultiGzDecoder<BufReader<Watched<R>>>>),
    Done,
}

/// Remembers whether an error came from the reader itself and not from the data.
struct Watched<R> {
    reader: R,
    failed: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(buf);
        self.failed |= matches!(&result, Err(error) if error.kind() != io::ErrorKind::Interrupted);
        result
    }
}

impl<R: Read> Inflate<R> {
    pub(super) fn new(reader: R, max_inflated: u64) -> Self {
        let reader = BufReader::with_capacity(READ, Watched { reader, failed: false });
        Self { source: Source::Unknown(reader), inflated: 0, max_inflated }
    }

    /// Reads into `buf`. An error is one of the underlying reader.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<Chunk> {
        if matches!(self.source, Source::Unknown(_)) {
            self.detect()?;
        }
        let (result, failed) = match &mut self.source {
            Source::Unknown(_) | Source::Done => return Ok(Chunk::End),
            Source::Plain(reader) => (retry(|| reader.read(buf)), true),
            Source::Gzip(decoder) => {
                let result = retry(|| decoder.read(buf));
                (result, decoder.get_ref().get_ref().failed)
            }
        };
        match result {
            Ok(0) => {
                self.source = Source::Done;
                Ok(Chunk::End)
            }
            Ok(read) => {
                self.inflated += read as u64;
                if matches!(self.source, Source::Gzip(_)) && self.inflated > self.max_inflated {
                    self.source = Source::Done;
                    return Ok(Chunk::Damaged(RejectReason::Bomb { limit: self.max_inflated }));
                }
                Ok(Chunk::Bytes(read))
            }
            Err(error) if failed => Err(error),
            Err(error) => {
                self.source = Source::Done;
                let truncated = error.kind() == io::ErrorKind::UnexpectedEof;
                Ok(Chunk::Damaged(if truncated { RejectReason::TruncatedGzip } else { RejectReason::CorruptGzip }))
            }
        }
    }

    fn detect(&mut self) -> io::Result<()> {
        let Source::Unknown(reader) = &mut self.source else { return Ok(()) };
        // Two bytes decide. A pipe may hand out one at a time; then the first alone must do.
        let gzip = retry(|| reader.fill_buf().map(|head| head.first() == Some(&0x1F) && head.get(1).is_none_or(|&b| b == 0x8B)))?;
        if let Source::Unknown(reader) = std::mem::replace(&mut self.source, Source::Done) {
            self.source = if gzip { Source::Gzip(Box::new(MultiGzDecoder::new(reader))) } else { Source::Plain(reader) };
        }
        Ok(())
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
