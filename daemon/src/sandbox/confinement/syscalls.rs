//! Which system calls a confined process may make (seccomp). Lists of what is allowed, never of what is not: a call of tomorrow's kernel is refused.
//!
//! Found by strace over every job of the tests and over each way to end (answer, refusal, panic, no memory, stack used up), with glibc on x86-64; the
//! calls of musl and of aarch64 for the same purposes come from their sources. Calls that one of the two processors does not have stand apart.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What decoding and inference need: bytes through open pipes, memory that is not code, locks, time, randomness, and an end.
const COMPUTING: [c_long; 30] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// How libraries look for what they can do without (the sizes of caches, the number of processors). They get "access denied", as they would on a
/// machine that hides these files, and go on.
const LOOKS: [c_long; 13] = [
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_statx,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_ioctl,
];
#[cfg(target_arch = "x86_64")]
const OLD_LOOKS: [c_long; 5] = [libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const OLD_LOOKS: [c_long; 0] = [];

/// What a program needs besides, from its start on: files (landlock says which), threads, waiting, and what it is.
const RUNNING: [c_long; 74] = [
    libc::SYS_execve,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_readahead,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_msync,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_setaffinity,
    libc::SYS_get_mempolicy,
    libc::SYS_getpriority,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getppid,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_getgroups,
    libc::SYS_times,
    libc::SYS_umask,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigsuspend,
    libc::SYS_sigaltstack,
    libc::SYS_openat,
    libc::SYS_statx,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_clock_nanosleep,
    libc::SYS_flock,
    libc::SYS_mprotect,
];
#[cfg(target_arch = "x86_64")]
const OLD_RUNNING: [c_long; 19] = [
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_getpgrp,
    libc::SYS_arch_prctl,
    libc::SYS_time,
    libc::SYS_getdents,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_RUNNING: [c_long; 0] = [];

/// Holds a worker: what it does not need ends it, so that the daemon sees it.
pub(super) fn filter_worker() -> Result<(), Error> {
    let mut rules = always(COMPUTING.iter().chain(&LOOKS).chain(&OLD_LOOKS));
    let code = not_code()?;
    rules.insert(libc::SYS_mmap, code.clone());
    rules.insert(libc::SYS_mprotect, code);
    rules.insert(libc::SYS_tgkill, vec![to_itself()?]);
    // Asked before a descriptor is closed, in builds that check themselves.
    rules.insert(libc::SYS_fcntl, one_of(1, &[libc::F_GETFD])?);
    // Of two filters the stricter answer counts. This one comes first: the other forbids what it takes to install one.
    let looks = always(LOOKS.iter().chain(&OLD_LOOKS));
    install(looks, SeccompAction::Allow, SeccompAction::Errno(errno(libc::EACCES)))?;
    install(rules, SeccompAction::KillProcess, SeccompAction::Allow)
}

/// Holds a tool: what it may not do fails, since a program that its makers wrote for an open machine tries much and goes on.
pub(super) fn filter_tool() -> Result<(), Error> {
    let mut rules = always(COMPUTING.iter().chain(&RUNNING).chain(&OLD_RUNNING));
    rules.insert(libc::SYS_mmap, Vec::new());
    rules.insert(libc::SYS_tgkill, vec![to_itself()?]);
    // Threads yes; processes and new name spaces no.
    let wanted = word(libc::CLONE_THREAD);
    let spaces = word(
        libc::CLONE_NEWUSER
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP,
    );
    rules.insert(libc::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(wanted | spaces), wanted)?]);
    // Its own limits may be read, and set: the kernel lets nobody raise them.
    rules.insert(libc::SYS_prlimit64, vec![when(0, SeccompCmpOp::Eq, 0)?]);
    rules.insert(libc::SYS_prctl, one_of(0, &[libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_GET_DUMPABLE])?);
    // Not TIOCSTI, which types into a terminal.
    rules.insert(libc::SYS_ioctl, one_of(1, &[TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO])?);
    // The flags of `clone3` lie in memory that a filter cannot read: it is said not to exist, and libraries then use `clone`.
    let unknown = always([libc::SYS_clone3].iter());
    install(unknown, SeccompAction::Allow, SeccompAction::Errno(errno(libc::ENOSYS)))?;
    rules.insert(libc::SYS_clone3, Vec::new());
    install(rules, SeccompAction::Errno(errno(libc::EPERM)), SeccompAction::Allow)
}

// Of the general table of numbers, which both processors use; the types of libc's own constants differ between C libraries.
const TCGETS: i32 = 0x5401;
const TIOCGWINSZ: i32 = 0x5413;
const FIONREAD: i32 = 0x541b;
const FIONBIO: i32 = 0x5421;

fn always<'a>(calls: impl Iterator<Item = &'a c_long>) -> Rules {
    calls.map(|call| (*call, Vec::new())).collect()
}

/// Memory, but none that can be run.
fn not_code() -> Result<Vec<SeccompRule>, BackendError> {
    Ok(vec![when(2, SeccompCmpOp::MaskedEq(word(libc::PROT_EXEC)), 0)?])
}

/// A signal to this process itself, as `abort` sends it.
fn to_itself() -> Result<SeccompRule, BackendError> {
    when(0, SeccompCmpOp::Eq, u64::from(std::process::id()))
}

fn one_of(argument: u8, values: &[i32]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| when(argument, SeccompCmpOp::Eq, word(*value))).collect()
}

/// The lower 32 bits of an argument: every argument that is looked at here is an `int`, whose upper half the kernel ignores.
fn when(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)?])
}

fn word(flags: i32) -> u64 {
    u64::from(flags.cast_unsigned())
}

fn errno(code: i32) -> u32 {
    code.cast_unsigned()
}

/// Holds every thread of this process, for good. `otherwise` is what becomes of calls that no rule is for.
fn install(rules: Rules, otherwise: SeccompAction, matching: SeccompAction) -> Result<(), Error> {
    let filter = SeccompFilter::new(rules, otherwise, matching, ARCH.try_into()?)?;
    apply_filter_all_threads(&BpfProgram::try_from(filter)?)
}
