//! What keeps a worker from everything but its two pipes: which measures there are here, and the order they come in.
//! Knows nothing of the protocol beyond what the worker needs to take its own part.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "linux.rs"]
mod system;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "elsewhere.rs"]
mod system;

use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

pub(crate) use system::Confinement;

/// How much confinement of the workers is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxMode {
    /// What the kernel offers, at least seccomp.
    #[default]
    Auto,
    /// Landlock as well.
    Strict,
    /// Rules run like any script of the user.
    Off,
}

impl FromStr for SandboxMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "strict" => Ok(Self::Strict),
            "off" => Ok(Self::Off),
            _ => Err("auto, strict or off was expected".to_owned()),
        }
    }
}

impl fmt::Display for SandboxMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Strict => "strict",
            Self::Off => "off",
        })
    }
}

#[derive(Debug, Error)]
pub enum SandboxError {
    #[error(
        "rules cannot be confined: {0}. Run iota where seccomp is allowed (a container needs a seccomp profile that permits \
         the seccomp system call), or accept rules that can do what your user can with --sandbox=off"
    )]
    NoSeccomp(String),
    #[error("--sandbox=strict needs Landlock, and {0}; use --sandbox=auto to do without it")]
    NoLandlock(String),
}

/// What confines the workers of a run. Decided once, before the first of them.
#[derive(Debug, Clone)]
pub struct Sandbox {
    mode: SandboxMode,
    confinement: Option<Arc<Confinement>>,
}

/// What is in force, for logs and counts.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxLevel {
    pub mode: SandboxMode,
    /// System calls are filtered, and no file can be opened.
    pub seccomp: bool,
    /// The version of the kernel's Landlock interface; none: the kernel has no Landlock, or it is not used.
    pub landlock_abi: Option<i32>,
}

impl Sandbox {
    /// Finds out what the kernel offers. Refuses where that is too little, and says so where nothing was asked for.
    /// The engine itself becomes unreadable for other processes of its user: its environment holds credentials.
    pub fn prepare(mode: SandboxMode) -> Result<Self, SandboxError> {
        system::hide_engine();
        let confinement = match mode {
            SandboxMode::Off => {
                tracing::warn!("--sandbox=off: rules can read files, open connections and start processes as your user does");
                None
            }
            SandboxMode::Auto | SandboxMode::Strict => Confinement::find(mode)?.map(Arc::new),
        };
        Ok(Self { mode, confinement })
    }

    pub fn level(&self) -> SandboxLevel {
        let confinement = self.confinement.as_deref();
        SandboxLevel {
            mode: self.mode,
            seccomp: confinement.is_some(),
            landlock_abi: confinement.and_then(Confinement::landlock_abi),
        }
    }

    pub(crate) fn confinement(&self) -> Option<&Arc<Confinement>> {
        self.confinement.as_ref()
    }
}

impl fmt::Display for SandboxLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seccomp, self.landlock_abi) {
            (false, _) => f.write_str("none"),
            (true, None) => f.write_str("seccomp (this kernel has no Landlock)"),
            (true, Some(abi)) => write!(f, "seccomp and Landlock (ABI {abi})"),
        }
    }
}
