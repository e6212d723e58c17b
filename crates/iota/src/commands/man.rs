//! `iota man DIR`

use crate::args::{Cli, ManArgs};
use crate::exit::Exit;
use anyhow::{Context, bail};
use clap::CommandFactory;

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    let directory = &args.directory;
    if directory.exists() && !directory.is_dir() {
        bail!("{} is a file; name a directory for the manual pages", directory.display());
    }
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .with_context(|| format!("writing manual pages to {}", directory.display()))?;
    Ok(Exit::Ok)
}
