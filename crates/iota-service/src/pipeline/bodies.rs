//! Contents of alerts that wait for their group to close: in memory up to a bound, then in a temporary file.
//! Append-only; what is replaced stays behind until the run ends.

use super::scratch::Scratch;
use std::io;

/// Bytes kept in memory before the rest goes to disk.
const IN_MEMORY: usize = 2 << 20;

#[derive(Debug, Default)]
pub(super) struct Bodies {
    memory: Vec<u8>,
    disk: Scratch,
}

/// Where a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Body {
    /// Offset in memory, or behind it on disk.
    pub(super) start: u64,
    pub(super) length: u32,
}

impl Bodies {
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<Body> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        if self.disk.len() == 0 && self.memory.len() + bytes.len() <= IN_MEMORY {
            let start = self.memory.len() as u64;
            self.memory.extend_from_slice(bytes);
            return Ok(Body { start, length });
        }
        let start = self.memory.len() as u64 + self.disk.len();
        self.disk.append(bytes)?;
        Ok(Body { start, length })
    }

    pub(super) fn get(&self, body: Body) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; body.length as usize];
        if let Some(at) = body.start.checked_sub(self.memory.len() as u64) {
            self.disk.read_exact_at(&mut bytes, at)?;
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
        let kept: Vec<(Body, Vec<u8>)> = [b"first".to_vec(), big, b"second".to_vec(), b"x".to_vec(), b"third".to_vec()]
            .into_iter()
            .map(|bytes| Ok((bodies.put(&bytes)?, bytes)))
            .collect::<io::Result<_>>()?;
        assert!(bodies.disk.len() > 0);
        for (body, bytes) in kept {
            assert_eq!(bodies.get(body)?, bytes);
        }
        Ok(())
    }
}
