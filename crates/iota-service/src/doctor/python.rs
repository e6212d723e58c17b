//! The interpreter that runs the rules: its version, and the modules of its standard library that the worker needs.

use super::Plan;
use super::finding::{Finding, Report};
use iota_python::Interpreter;
use serde::Deserialize;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const CHECK: &str = "python";
/// An interpreter says what it is in a few hundredths of a second.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// What the worker imports; small distributions leave some of it out.
const ASK: &str = "
import importlib, json, sys
missing = []
for name in '_ast bisect ctypes datetime decimal fcntl functools gc importlib.machinery importlib.util io ipaddress linecache \
mmap os posixpath re resource signal stat struct time types warnings zoneinfo'.split():
    try:
        importlib.import_module(name)
    except Exception:
        missing.append(name)
print(json.dumps({'version': list(sys.version_info[:3]), 'missing': missing}))
";

#[derive(Debug, Deserialize)]
struct Said {
    version: (u32, u32, u32),
    missing: Vec<String>,
}

pub(super) fn check(plan: &Plan<'_>, report: &mut Report<'_>) {
    let name = &plan.settings.python.value;
    if let Some(engine) = plan.settings.engine.value.as_ref().filter(|engine| !engine.is_file()) {
        let shown = engine.display().to_string();
        report
            .tell(Finding::failed(CHECK, &shown, "the engine file is not there").setting("name another one with --engine FILE"));
    }
    let hint = "install Python 3.11 or newer, or name one with --python";
    report.tell(match Interpreter::find(name, plan.path_variable.as_deref()) {
        Err(error) => Finding::failed(CHECK, name, error.to_string()).setting(hint),
        Ok(Interpreter { path }) => {
            let shown = path.display().to_string();
            match ask(&path) {
                Ok(said) => judge(&shown, &said),
                Err(why) => Finding::failed(CHECK, &shown, why).setting(hint),
            }
        }
    });
}

fn judge(shown: &str, said: &Said) -> Finding {
    let (major, minor, patch) = said.version;
    let version = format!("Python {major}.{minor}.{patch}");
    if (major, minor) < (3, 11) {
        return Finding::failed(CHECK, shown, format!("is {version}; 3.11 or newer is needed"))
            .setting("name another one with --python");
    }
    if said.missing.is_empty() {
        return Finding::ok(CHECK, shown, format!("{version}, with all modules that the worker needs"));
    }
    let missing = said.missing.join(", ");
    Finding::failed(CHECK, shown, format!("{version} lacks modules: {missing}"))
        .setting("install the whole standard library (on Debian libpython3-stdlib, not python3-minimal alone)")
}

fn ask(path: &Path) -> Result<Said, String> {
    let started = Instant::now();
    let mut child = Command::new(path)
        .args(["-I", "-c", ASK])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| format!("does not start: {why}"))?;
    let status = loop {
        match child.try_wait().map_err(|why| why.to_string())? {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("says nothing within {} s", PATIENCE.as_secs()));
            }
            None => thread::sleep(LOOK),
        }
    };
    // Far less than a pipe holds, so it could not be kept from ending.
    let mut text = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut text).map_err(|why| why.to_string())?;
    }
    serde_json::from_str(&text).map_err(|_| format!("does not run Python: it ended with {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn an_interpreter_is_judged_by_its_version_and_modules() {
        let said = |version, missing: &[&str]| Said { version, missing: missing.iter().map(|name| (*name).to_owned()).collect() };
        assert_eq!(judge("p", &said((3, 11, 0), &[])).level, Level::Ok);
        assert_eq!(judge("p", &said((3, 10, 9), &[])).level, Level::Failed);
        let small = judge("p", &said((3, 13, 1), &["ctypes", "zoneinfo"]));
        assert_eq!((small.level, small.found.as_str()), (Level::Failed, "Python 3.13.1 lacks modules: ctypes, zoneinfo"));
    }
}
