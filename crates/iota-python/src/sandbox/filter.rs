//! The seccomp filters: which system calls a worker may make, while it starts and once it runs pack code.
//! Computes programs; installs nothing.

use seccompiler::{
    SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

pub(super) type Program = seccompiler::BpfProgram;
pub(super) type Error = seccompiler::BackendError;

#[cfg(target_arch = "x86_64")]
const HERE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const HERE: TargetArch = TargetArch::aarch64;

/// Flags of `clone` that make a thread, and those that make namespaces.
const CLONE_THREAD: u64 = libc::CLONE_THREAD as u64;
const CLONE_NEW: u64 = 0x7e02_0000;
/// Has one number on every processor; the crate does not know it on aarch64.
const FCHMODAT2: i64 = 452;

type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// What nothing in a worker needs, from its start on: network, other processes, the kernel's doors, changes to files that
/// take a path. Opening files and `execve` it still needs.
pub(super) fn before_exec() -> Result<Program, Error> {
    let mut denied = plain(ANYWHERE_DENIED);
    #[cfg(target_arch = "x86_64")]
    denied.append(&mut plain(X86_64_DENIED));
    // Threads are left.
    denied.insert(libc::SYS_clone, vec![flags(CLONE_THREAD, 0)?]);
    compile(denied, SeccompAction::Allow, SeccompAction::Errno(errno(libc::EPERM)))
}

/// Flags of `clone3` are out of reach of a filter. Told that there is none, the C library takes `clone`.
pub(super) fn no_clone3() -> Result<Program, Error> {
    compile(plain(&[libc::SYS_clone3]), SeccompAction::Allow, SeccompAction::Errno(errno(libc::ENOSYS)))
}

/// All that a running interpreter needs; every other call fails.
pub(super) fn before_pack_code() -> Result<Program, Error> {
    let mut allowed = plain(ALLOWED);
    #[cfg(target_arch = "x86_64")]
    allowed.append(&mut plain(X86_64_ALLOWED));
    allowed.insert(libc::SYS_clone, vec![flags(CLONE_THREAD | CLONE_NEW, CLONE_THREAD)?]);
    allowed.insert(libc::SYS_madvise, ADVICE.iter().map(|advice| is_advice(*advice)).collect::<Result<_, _>>()?);
    // Limits may be asked for, not set, and only one's own.
    let own = SeccompCondition::new(0, Width::Dword, Compare::Eq, 0)?;
    let unset = SeccompCondition::new(2, Width::Qword, Compare::Eq, 0)?;
    allowed.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![own, unset])?]);
    compile(allowed, SeccompAction::Errno(errno(libc::EPERM)), SeccompAction::Allow)
}

/// To see whether the kernel takes a filter at all.
pub(super) fn nothing() -> Result<Program, Error> {
    no_clone3()
}

fn plain(calls: &[i64]) -> Calls {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// The first argument, masked, is `value`.
fn flags(mask: u64, value: u64) -> Result<SeccompRule, Error> {
    SeccompRule::new(vec![SeccompCondition::new(0, Width::Qword, Compare::MaskedEq(mask), value)?])
}

fn is_advice(advice: i32) -> Result<SeccompRule, Error> {
    let advice = u64::from(advice.unsigned_abs());
    SeccompRule::new(vec![SeccompCondition::new(2, Width::Dword, Compare::Eq, advice)?])
}

fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}

fn compile(calls: Calls, otherwise: SeccompAction, matching: SeccompAction) -> Result<Program, Error> {
    SeccompFilter::new(calls, otherwise, matching, HERE)?.try_into()
}

const ANYWHERE_DENIED: &[i64] = &[
    // Network
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    // Other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setaffinity,
    // Shared memory and queues
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgctl,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    // The kernel
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_setup,
    libc::SYS_io_submit,
    libc::SYS_fanotify_init,
    libc::SYS_inotify_init1,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_personality,
    // Namespaces and mounts
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Files by their path
    libc::SYS_open_by_handle_at,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchmod,
    libc::SYS_fchownat,
    libc::SYS_fchown,
    libc::SYS_utimensat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // Identity
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_capset,
];

#[cfg(target_arch = "x86_64")]
const X86_64_DENIED: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_symlink,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_inotify_init,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];

/// Advice that allocators and the stacks of threads give. Not: poisoning pages, which takes them from the machine.
const ADVICE: [i32; 10] = [
    libc::MADV_NORMAL,
    libc::MADV_RANDOM,
    libc::MADV_SEQUENTIAL,
    libc::MADV_WILLNEED,
    libc::MADV_DONTNEED,
    libc::MADV_FREE,
    libc::MADV_HUGEPAGE,
    libc::MADV_NOHUGEPAGE,
    MADV_GUARD_INSTALL,
    MADV_GUARD_REMOVE,
];
/// Of Linux 6.13; the crate does not know them.
const MADV_GUARD_INSTALL: i32 = 102;
const MADV_GUARD_REMOVE: i32 = 103;

const ALLOWED: &[i64] = &[
    // The two pipes, and what is left of other descriptors
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    // Memory
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_membarrier,
    // Threads; `clone` is allowed with conditions, `clone3` is answered by another filter
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // Signals to itself that nobody sends
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Time
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_times,
    libc::SYS_getrusage,
    // Who am I
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrlimit,
    libc::SYS_uname,
    libc::SYS_getrandom,
];

#[cfg(target_arch = "x86_64")]
const X86_64_ALLOWED: &[i64] = &[libc::SYS_poll, libc::SYS_select, libc::SYS_time];
