//! Sorts byte strings in bounded memory: sorted runs in a temporary file, merged at the end.
//! The order is that of the bytes. Knows nothing of what they mean.

use super::scratch::Scratch;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

/// Bytes written at once, and read at once from one run, at most.
const CHUNK: usize = 256 << 10;
/// Memory for reading runs back, divided among them.
const MERGE_BYTES: usize = 8 << 20;
/// Bytes of one run that are read at once, at least.
const MIN_CHUNK: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct Sorter {
    /// Bytes held in memory before they are written as a run.
    limit: usize,
    bytes: Vec<u8>,
    /// Start and length of each item in `bytes`.
    items: Vec<(u32, u32)>,
    disk: Scratch,
    /// Where each run starts in the file; it ends where the next one starts.
    runs: Vec<u64>,
}

impl Sorter {
    /// `limit` is in bytes, below 1 GiB; one item may be larger.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), items: Vec::new(), disk: Scratch::default(), runs: Vec::new() }
    }

    pub(super) fn push(&mut self, item: &[u8]) -> io::Result<()> {
        let held = self.bytes.len() + self.items.len() * size_of::<(u32, u32)>();
        if !self.items.is_empty() && held + item.len() > self.limit {
            self.write_run()?;
        }
        let start = u32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        let length = u32::try_from(item.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(item);
        self.items.push((start, length));
        Ok(())
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.items.sort_unstable_by(|a, b| slice(bytes, *a).cmp(slice(bytes, *b)));
    }

    /// Writes what is held as a run: each item behind its length.
    fn write_run(&mut self) -> io::Result<()> {
        self.sort();
        self.runs.push(self.disk.len());
        let mut out = Vec::with_capacity(CHUNK + MIN_CHUNK);
        for item in &self.items {
            out.extend_from_slice(&item.1.to_le_bytes());
            out.extend_from_slice(slice(&self.bytes, *item));
            if out.len() >= CHUNK {
                self.disk.append(&out)?;
                out.clear();
            }
        }
        self.disk.append(&out)?;
        self.bytes.clear();
        self.items.clear();
        Ok(())
    }

    /// The items in order.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(Sorted::Memory { bytes: self.bytes, items: self.items.into_iter() });
        }
        self.write_run()?;
        (self.bytes, self.items) = (Vec::new(), Vec::new());
        let read = (MERGE_BYTES / self.runs.len()).clamp(MIN_CHUNK, CHUNK);
        let ends = self.runs.iter().skip(1).copied().chain([self.disk.len()]);
        let mut runs: Vec<Run> = self.runs.iter().zip(ends).map(|(&at, end)| Run { at, end, read, ..Run::default() }).collect();
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (number, run) in runs.iter_mut().enumerate() {
            if let Some(item) = run.next(&self.disk)? {
                heads.push(Reverse((item, number)));
            }
        }
        Ok(Sorted::Disk { disk: self.disk, runs, heads })
    }
}

fn slice(bytes: &[u8], (start, length): (u32, u32)) -> &[u8] {
    &bytes[start as usize..][..length as usize]
}

/// Items in order.
#[derive(Debug)]
pub(super) enum Sorted {
    Memory { bytes: Vec<u8>, items: std::vec::IntoIter<(u32, u32)> },
    Disk { disk: Scratch, runs: Vec<Run>, heads: BinaryHeap<Reverse<(Vec<u8>, usize)>> },
}

impl Sorted {
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Memory { bytes, items } => Ok(items.next().map(|item| slice(bytes, item).to_vec())),
            Self::Disk { disk, runs, heads } => {
                let Some(Reverse((item, number))) = heads.pop() else { return Ok(None) };
                if let Some(next) = runs[number].next(disk)? {
                    heads.push(Reverse((next, number)));
                }
                Ok(Some(item))
            }
        }
    }
}

/// One run, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// What is not read yet, in the file.
    at: u64,
    end: u64,
    /// Bytes to read at once.
    read: usize,
    buffer: Vec<u8>,
    /// How much of the buffer was used.
    used: usize,
}

impl Run {
    fn next(&mut self, disk: &Scratch) -> io::Result<Option<Vec<u8>>> {
        if self.at == self.end && self.used == self.buffer.len() {
            return Ok(None);
        }
        let mut length = [0; 4];
        length.copy_from_slice(self.take(4, disk)?);
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
        Ok(Some(self.take(length, disk)?.to_vec()))
    }

    fn take(&mut self, length: usize, disk: &Scratch) -> io::Result<&[u8]> {
        let held = self.buffer.len() - self.used;
        if held < length {
            self.buffer.drain(..self.used);
            self.used = 0;
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            let more = (length - held).max(self.read).min(left);
            self.buffer.resize(held + more, 0);
            disk.read_exact_at(&mut self.buffer[held..], self.at)?;
            self.at += more as u64;
        }
        let taken = self.buffer.get(self.used..self.used + length).ok_or_else(super::scratch::damaged)?;
        self.used += length;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(limit: usize, items: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut sorter = Sorter::new(limit);
        for item in items {
            sorter.push(item).unwrap();
        }
        let mut items = sorter.finish().unwrap();
        std::iter::from_fn(|| items.next().unwrap()).collect()
    }

    #[test]
    fn items_larger_than_what_is_read_at_once_come_back() {
        let items = [vec![3; 3 * CHUNK], vec![1], vec![2; 2 * CHUNK], Vec::new()];
        let order = [3, 1, 2, 0].map(|n: usize| items[n].clone());
        assert_eq!(sorted(10, &items), order);
    }

    proptest! {
        #[test]
        fn runs_on_disk_give_the_order_of_memory(
            items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..200),
            limit in 1_usize..2_000,
        ) {
            let mut expected = items.clone();
            expected.sort();
            prop_assert_eq!(&sorted(1 << 20, &items), &expected);
            prop_assert_eq!(&sorted(limit, &items), &expected);
        }
    }
}
