//! The measures of Linux: two seccomp filters before the interpreter starts, a third and Landlock before pack code does.
//!
//! The worker takes the second step itself, because until then it has to import modules. From then on no file can be
//! opened, whatever its path; so neither step needs to know where the interpreter and its packages lie.

use super::filter::{self, Program};
use super::{SandboxError, SandboxMode};
use iota_engine::digest::hex;
use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, Scope};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, capabilities_secure_bits,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
};
use serde_json::{Value as Json, json};
use std::io;
use std::os::fd::OwnedFd;
use std::thread;

/// The newest Landlock interface of which everything that can be denied is denied. Older kernels deny what they know.
const NEWEST: ABI = ABI::V10;
/// What a worker may write into a file, in bytes: its last words on standard error while it starts.
const LAST_WORDS: u64 = 64 << 10;

/// Being root means nothing by itself, for ever.
const SECURE_BITS: CapabilitiesSecureBits = CapabilitiesSecureBits::NO_ROOT.union(CapabilitiesSecureBits::NO_ROOT_LOCKED);

/// What is needed to confine any number of workers.
#[derive(Debug)]
pub(crate) struct Confinement {
    /// Installed between fork and exec, in this order.
    outer: [Program; 2],
    /// Installed by the worker.
    inner: Program,
    /// A ruleset without rules: what it handles is denied. The worker enforces it on itself.
    ruleset: Option<(OwnedFd, i32)>,
}

impl Confinement {
    /// What this kernel offers.
    pub(crate) fn find(mode: SandboxMode) -> Result<Option<Self>, SandboxError> {
        let build = |program: Result<Program, filter::Error>| program.map_err(|why| SandboxError::NoSeccomp(why.to_string()));
        filter_a_thread().map_err(|why| SandboxError::NoSeccomp(format!("the kernel takes no seccomp filter ({why})")))?;
        let ruleset = ruleset().zip(landlock_abi());
        if mode == SandboxMode::Strict && ruleset.is_none() {
            return Err(SandboxError::NoLandlock("this kernel has none".to_owned()));
        }
        let outer = [build(filter::before_exec())?, build(filter::no_clone3())?];
        Ok(Some(Self { outer, inner: build(filter::before_pack_code())?, ruleset }))
    }

    pub(crate) fn landlock_abi(&self) -> Option<i32> {
        self.ruleset.as_ref().map(|(_, abi)| *abi)
    }

    /// The Landlock ruleset, for the worker.
    pub(crate) fn ruleset(&self) -> Option<io::Result<OwnedFd>> {
        self.ruleset.as_ref().map(|(ruleset, _)| ruleset.try_clone())
    }

    /// The first step. Runs between fork and exec: makes system calls and nothing else.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(Resource::Core, limit(0))?;
        setrlimit(Resource::Fsize, limit(LAST_WORDS))?;
        drop_capabilities()?;
        self.outer.iter().try_for_each(install)
    }

    /// What the worker is told for the second step.
    pub(crate) fn inner(&self) -> Json {
        let mut bytes = Vec::with_capacity(self.inner.len() * 8);
        for instruction in &self.inner {
            bytes.extend_from_slice(&instruction.code.to_ne_bytes());
            bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
            bytes.extend_from_slice(&instruction.k.to_ne_bytes());
        }
        json!({
            "seccomp": libc::SYS_seccomp,
            "filter": hex(&bytes),
            "landlock": self.ruleset.as_ref().map(|_| libc::SYS_landlock_restrict_self),
        })
    }
}

/// What the filters allow, such as `madvise`, may mean more to who has capabilities: a worker of root is root in name alone.
fn drop_capabilities() -> io::Result<()> {
    let held = capabilities(None)?;
    if (held.permitted | held.inheritable).is_empty() {
        return Ok(());
    }
    if held.effective.contains(CapabilitySet::SETPCAP) {
        // Whatever fails here is of no use to anybody either: no-new-privs comes with the filters, so that the
        // interpreter gets nothing by being started.
        let bits = capabilities_secure_bits().map(|bits| bits | SECURE_BITS);
        let _ = bits.and_then(set_capabilities_secure_bits);
        for number in 0..u64::BITS {
            let capability = CapabilitySet::from_bits_retain(1 << number);
            if remove_capability_from_bounding_set(capability) == Err(Errno::INVAL) {
                break;
            }
        }
    }
    // Ambient ones are always permitted ones, too.
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

/// Other processes of the user cannot read the memory and environment of the engine, nor trace it.
pub(super) fn hide_engine() {
    if let Err(why) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("other processes of this user may be able to read the environment of iota: {why}");
    }
}

fn install(program: &Program) -> io::Result<()> {
    // Not by `Error::into`, which would box: nothing may be allocated here.
    seccompiler::apply_filter(program).map_err(|error| match error {
        seccompiler::Error::Prctl(why) | seccompiler::Error::Seccomp(why) => why,
        _ => io::Error::from_raw_os_error(libc::EINVAL),
    })
}

/// Tries it, on a thread that ends: whatever the reason, a refusal is best known before the first worker.
fn filter_a_thread() -> io::Result<()> {
    let nothing = filter::nothing().map_err(|why| io::Error::other(why.to_string()))?;
    let tried = thread::Builder::new().spawn(move || install(&nothing))?.join();
    tried.unwrap_or_else(|_| Err(io::Error::other("the attempt failed")))
}

/// A ruleset that denies all that the kernel can deny.
fn ruleset() -> Option<OwnedFd> {
    let made = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create);
    made.map_or_else(
        |why| {
            tracing::debug!(%why, "no Landlock ruleset");
            None
        },
        Option::from,
    )
}

#[expect(unsafe_code, reason = "the crate knows the version of the kernel's interface, but does not tell it")]
fn landlock_abi() -> Option<i32> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call reads no memory and makes nothing.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    i32::try_from(abi).ok().filter(|abi| *abi > 0)
}
