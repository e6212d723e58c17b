//! Finding the Python interpreter. Whether it is new enough only it can say, when it is started.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum InterpreterError {
    #[error("no Python interpreter `{0}` on the PATH; install Python 3.11 or newer, or name one with --python")]
    NotFound(String),
    #[error("{0} is not an executable file; name a Python 3.11 or newer with --python")]
    NotExecutable(PathBuf),
    #[error("{path} does not start Python; name a Python 3.11 or newer with --python: {why}")]
    Broken { path: PathBuf, why: String },
}

/// An interpreter that exists.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// What workers are started with. Symbolic links are kept: a virtual environment is told by them.
    pub path: PathBuf,
}

impl Interpreter {
    /// Finds `name` (a path, or a command looked up on `path_variable`).
    pub fn find(name: &str, path_variable: Option<&std::ffi::OsStr>) -> Result<Self, InterpreterError> {
        let path = if name.contains('/') {
            PathBuf::from(name)
        } else {
            std::env::split_paths(path_variable.unwrap_or_default())
                .map(|directory| directory.join(name))
                .find(|candidate| is_executable(candidate))
                .ok_or_else(|| InterpreterError::NotFound(name.to_owned()))?
        };
        if !is_executable(&path) {
            return Err(InterpreterError::NotExecutable(path));
        }
        if is_script(&path) { Self::behind(&path) } else { Ok(Self { path }) }
    }

    /// A script in front of the interpreter (a version manager's shim) may need the user's environment, which workers
    /// do not get: it is asked once for what it starts.
    fn behind(script: &Path) -> Result<Self, InterpreterError> {
        executable_of(script).map(|path| Self { path })
    }

    /// Whether it is a Python at all.
    pub fn check(&self) -> Result<(), InterpreterError> {
        executable_of(&self.path).map(drop)
    }

    /// Changes when the interpreter is replaced.
    pub fn stamp(&self) -> String {
        let metadata = fs::metadata(&self.path).ok();
        let modified =
            metadata.as_ref().and_then(|metadata| metadata.modified().ok()).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        format!(
            "{}|{}|{}",
            self.path.display(),
            modified.map_or(0, |age| age.as_nanos()),
            metadata.map_or(0, |metadata| metadata.len())
        )
    }
}

/// What an interpreter says it is.
fn executable_of(program: &Path) -> Result<PathBuf, InterpreterError> {
    let broken = |why: String| InterpreterError::Broken { path: program.to_owned(), why };
    let output = Command::new(program)
        // Isolated: variables of Python, or the current directory, may lead to files of a pack.
        .args(["-I", "-c", "import sys; sys.stdout.write(sys.executable)"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| broken(error.to_string()))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && is_executable(&path) {
        return Ok(path);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(broken(if said.is_empty() { format!("it ended with {}", output.status) } else { said }))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

fn is_script(path: &Path) -> bool {
    let mut head = [0; 2];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && &head == b"#!"
}
