"""Docker's default system call filter, as data, rendered for the OCI runtime.

The facts are those of Docker's profile: everything not named fails with EPERM; what a container
could use against the host (mounting, tracing others, modules, clocks …) is tied to the
capability that governs it. Grouped here by what the calls are for.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

ALWAYS = {
    "files by name": """
        access chdir chmod chown chown32 creat execve execveat faccessat faccessat2 fchdir fchmodat
        fchmodat2 fchownat fstatat64 futimesat getcwd lchown lchown32 link linkat lstat lstat64
        mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 readlink
        readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink
        symlinkat truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64
        utimes""",
    "open files": """
        cachestat close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate
        fchmod fchown fchown32 fcntl fcntl64 fdatasync flock fstat fstat64 fstatfs fstatfs64 fsync
        ftruncate ftruncate64 getdents getdents64 ioctl _llseek lseek pipe pipe2 pread64 preadv
        preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync
        sync_file_range syncfs tee vmsplice write writev""",
    "extended attributes": """
        fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr
        listxattrat llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr
        setxattrat""",
    "waiting for descriptors": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64
        select signalfd signalfd4""",
    "watching files": """
        fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch""",
    "asynchronous input and output": """
        io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit
        ioprio_get ioprio_set""",
    "mounts, to look at": "listmount statmount",
    "sockets": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom
        recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown
        socketcall socketpair""",
    "memory": """
        brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2
        mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc
        pkey_free pkey_mprotect remap_file_pages""",
    "processes": """
        exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrlimit getrusage
        getsid gettid kill pause pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease
        rt_sigqueueinfo rt_tgsigqueueinfo setpgid setpriority setrlimit setsid sysinfo tgkill times
        tkill ugetrlimit uname vfork wait4 waitid waitpid""",
    "scheduling": """
        sched_getaffinity sched_getattr sched_getparam sched_get_priority_max
        sched_get_priority_min sched_getscheduler sched_rr_get_interval
        sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
        sched_setscheduler sched_yield""",
    "threads": """
        futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list
        get_thread_area rseq set_robust_list set_thread_area set_tid_address""",
    "signals": """
        restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend
        rt_sigtimedwait rt_sigtimedwait_time64 sigaltstack sigprocmask sigreturn uretprobe""",
    "identity": """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
        getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid
        setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32
        setresuid setresuid32 setreuid setreuid32 setuid setuid32""",
    "own restrictions": """
        landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp""",
    "time": """
        adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
        clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep
        setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
        timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
        timerfd_settime timerfd_settime64""",
    "messages and shared memory": """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
        mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop
        semtimedop_time64 shmat shmctl shmdt shmget""",
    "the machine": "getrandom riscv_hwprobe",
    # Safe since Linux 4.8, where tracing can no longer change a filtered call on its way.
    "tracing of own processes": "process_vm_readv process_vm_writev ptrace",
}

WITH_CAPABILITY = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
        lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog
        umount umount2 unshare""",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": """
        kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace""",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}

_ARM = """
    arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"""
ON_ARCHITECTURE = {
    "ppc64le": "sync_file_range2 swapcontext",
    "arm": _ARM,
    "arm64": _ARM,
    "amd64": "arch_prctl modify_ldt",
    "386": "modify_ldt",
    "s390x": "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
    "riscv64": "riscv_flush_icache",
}

FILTER_ARCHITECTURES = {
    "amd64": ("X86_64", "X86", "X32"),
    "arm64": ("AARCH64", "ARM"),
    "mips64": ("MIPS64", "MIPS", "MIPS64N32"),
    "mips64le": ("MIPSEL64", "MIPSEL", "MIPSEL64N32"),
    "s390x": ("S390X", "S390"),
    "riscv64": ("RISCV64",),
    "loong64": ("LOONGARCH64",),
}
"""The calling conventions a filter covers, by the host's architecture (absent: its own only)."""

_NEW_NAMESPACES = 0x7E020000
"""All CLONE_NEW* flags but CLONE_NEWTIME."""
_AF_ALG, _AF_VSOCK = 38, 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_EPERM, _ENOSYS = 1, 38


def profile(capabilities: Collection[str], architecture: str) -> dict[str, Any]:
    """The ``linux.seccomp`` object for a container with ``capabilities``.

    ``architecture`` is the host's, in OCI terms (``amd64``). Names that the host's libseccomp does
    not know are skipped by the runtimes.
    """
    names = {name for group in ALWAYS.values() for name in group.split()}
    for capability, group in WITH_CAPABILITY.items():
        if capability in capabilities:
            names.update(group.split())
    names.update(ON_ARCHITECTURE.get(architecture, "").split())
    rules: list[dict[str, Any]] = [{"names": sorted(names), "action": "SCMP_ACT_ALLOW"}]
    rules += [_allow("socket", 0, *condition) for condition in _socket_conditions()]
    rules += [_allow("personality", 0, value, "SCMP_CMP_EQ") for value in _PERSONALITIES]
    if "CAP_SYS_ADMIN" not in capabilities:
        flags = 1 if architecture == "s390x" else 0
        rules.append(_allow("clone", flags, _NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ"))
        # clone3 takes its flags in memory, where no filter can look; ENOSYS makes libc use clone.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    covered = FILTER_ARCHITECTURES.get(architecture, ())
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": [f"SCMP_ARCH_{name}" for name in covered],
        "syscalls": rules,
    }


def _socket_conditions() -> list[tuple[int, str]]:
    """Every address family but AF_ALG and AF_VSOCK, which reach past the container."""
    return [
        (_AF_ALG, "SCMP_CMP_LT"),
        (_AF_ALG + 1, "SCMP_CMP_EQ"),
        (_AF_VSOCK, "SCMP_CMP_GT"),
    ]


def _allow(name: str, index: int, value: int, op: str) -> dict[str, Any]:
    argument: dict[str, Any] = {"index": index, "value": value, "op": op}
    if op == "SCMP_CMP_MASKED_EQ":
        argument["valueTwo"] = 0
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}
