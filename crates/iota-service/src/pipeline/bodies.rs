//! Contents of alerts that wait for their group to close: in memory up to a bound, then in an unlinked temporary file.
//! Append-only; what is replaced stays behind until the run ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes kept in memory before the rest goes to disk.
const IN_MEMORY: usize = 2 << 20;

#[derive(Debug, Default)]
pub(super) struct Bodies {
    memory: Vec<u8>,
    disk: Option<File>,
    on_disk: u64,
}

impl Body {
    /// Stands in while an error is on its way.
    pub(super) const NONE: Self = Self { start: 0, length: 0 };
}

/// Where a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    /// Offset in memory, or behind it on disk.
    start: u64,
    length: u32,
}

impl Bodies {
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<Body> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        if self.disk.is_none() && self.memory.len() + bytes.len() <= IN_MEMORY {
            let start = self.memory.len() as u64;
            self.memory.extend_from_slice(bytes);
            return Ok(Body { start, length });
        }
        let file = match &mut self.disk {
            Some(file) => file,
            None => self.disk.insert(tempfile::tempfile()?),
        };
        file.write_all_at(bytes, self.on_disk)?;
        let start = self.memory.len() as u64 + self.on_disk;
        self.on_disk += u64::from(length);
        Ok(Body { start, length })
    }

    pub(super) fn get(&self, body: Body) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; body.length as usize];
        let in_memory = self.memory.len() as u64;
        if let (Some(file), Some(at)) = (&self.disk, body.start.checked_sub(in_memory)) {
            file.read_exact_at(&mut bytes, at)?;
        } else {
            let start = usize::try_from(body.start).map_err(io::Error::other)?;
            bytes.copy_from_slice(&self.memory[start..start + body.length as usize]);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_back_from_memory_and_disk() -> io::Result<()> {
        let mut bodies = Bodies::default();
        let big = vec![7; IN_MEMORY - 10];
        let kept: Vec<(Body, Vec<u8>)> =
            [b"first".to_vec(), big, b"second".to_vec(), b"x".to_vec(), Vec::new(), b"third".to_vec()]
                .into_iter()
                .map(|bytes| Ok((bodies.put(&bytes)?, bytes)))
                .collect::<io::Result<_>>()?;
        assert!(bodies.on_disk > 0);
        for (body, bytes) in kept {
            assert_eq!(bodies.get(body)?, bytes);
        }
        Ok(())
    }
}
