//! Embeds the worker's Python modules: module name -> source text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = from_cargo("CARGO_MANIFEST_DIR")?.join("../../python/iota_worker");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut code = String::from("pub(crate) const MODULES: &[(&str, &str)] = &[\n");
    for file in &files {
        let relative = file.strip_prefix(&root).map_err(io::Error::other)?.with_extension("");
        let parts: Vec<_> = relative.iter().filter_map(|part| part.to_str()).filter(|part| *part != "__init__").collect();
        let name = ["iota_worker"].into_iter().chain(parts).collect::<Vec<_>>().join(".");
        writeln!(code, "    ({name:?}, include_str!({:?})),", file.display().to_string()).map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    fs::write(from_cargo("OUT_DIR")?.join("modules.rs"), code)
}

#[expect(clippy::disallowed_methods, reason = "how Cargo talks to a build script")]
fn from_cargo(name: &str) -> io::Result<PathBuf> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("{name} is not set")))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}
