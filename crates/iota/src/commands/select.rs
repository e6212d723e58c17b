//! Which packs and rules the paths of `test` and `check` mean.

use crate::args::PythonArgs;
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_service::config::{Given, Settings};
use iota_service::rules::{LoadedPack, Which, load_packs, packs_of};
use std::path::{Path, PathBuf};

/// Packs, with the paths below them that were asked for.
pub(super) struct Selection {
    pub(super) packs: Vec<LoadedPack>,
    pub(super) python: iota_service::rules::Python,
    pub(super) settings: Settings,
    /// Canonical.
    paths: Vec<PathBuf>,
}

impl Selection {
    pub(super) fn load(paths: &[PathBuf], args: &PythonArgs, matches: &ArgMatches) -> anyhow::Result<Self> {
        let settings = Settings::resolve(Given { ..args.given(matches) })?;
        let python = super::find_python(&settings, None)?;
        let mut roots: Vec<PathBuf> = Vec::new();
        let mut canonical = Vec::new();
        for path in paths {
            if !path.exists() {
                bail!("{} does not exist", path.display());
            }
            for root in packs_of(path)? {
                if !roots.contains(&root) {
                    roots.push(root);
                }
            }
            canonical.push(path.canonicalize().with_context(|| path.display().to_string())?);
        }
        let packs = load_packs(&roots, &settings, &python, Which::All)?;
        Ok(Self { packs, python, settings, paths: canonical })
    }

    /// Whether a file of a pack was asked for: itself, a directory above it, or the file of the same rule beside it.
    pub(super) fn wants(&self, pack: &LoadedPack, files: &[&str]) -> bool {
        let root = pack.directory.canonicalize().unwrap_or_else(|_| pack.directory.clone());
        files.iter().map(|file| root.join(file)).any(|file| self.paths.iter().any(|path| covers(path, &file)))
    }
}

fn covers(path: &Path, file: &Path) -> bool {
    file.starts_with(path) || (path.is_file() && path.with_extension("") == file.with_extension(""))
}
