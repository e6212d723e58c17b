//! Load reports on disk: what Python said of a pack, for as long as pack, interpreter and iota stay the same.
//! Losing the cache costs a start of Python, nothing else; so its failures are only logged.

use crate::embedded;
use crate::runner::Program;
use iota_engine::digest::hex;
use iota_engine::rule::Loaded;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Clone)]
pub struct LoadCache {
    directory: PathBuf,
}

impl LoadCache {
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(crate) fn key(program: &Program, header: &Json, snapshot: &[u8; 32]) -> String {
        let mut hash = Sha256::new();
        for part in [
            env!("CARGO_PKG_VERSION").as_bytes(),
            &embedded::modules_json(),
            program.interpreter.stamp().as_bytes(),
            header.to_string().as_bytes(),
            snapshot,
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex(&hash.finalize())
    }

    pub(crate) fn get(&self, key: &str) -> Option<Loaded> {
        let bytes = fs::read(self.path(key)).ok()?;
        serde_json::from_slice(&bytes).inspect_err(|error| tracing::debug!(%error, "ignoring a damaged load report")).ok()
    }

    pub(crate) fn put(&self, key: &str, loaded: &Loaded) {
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.directory)?;
            // Renamed into place, so that a reader never sees half a report.
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            file.write_all(&serde_json::to_vec(loaded)?)?;
            file.persist(self.path(key)).map_err(|error| error.error)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::debug!(%error, directory = %self.directory.display(), "the load report was not cached");
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.directory.join(format!("load-{key}.json"))
    }
}
