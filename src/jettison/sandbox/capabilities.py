"""Linux capabilities by name (capabilities(7), <linux/capability.h>)."""

from __future__ import annotations

NAMES = tuple(
    "CAP_" + name
    for name in (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP "
        "LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER "
        "SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
        "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
        "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF "
        "CHECKPOINT_RESTORE"
    ).split()
)
"""Every capability; the index is its number."""

DEFAULT_MASK = 0xA80425FB
"""What Docker and BuildKit give to a container."""


def from_mask(mask: int) -> tuple[str, ...]:
    """The names of the bits set in ``mask``, as CapEff in /proc/PID/status has them."""
    return tuple(name for bit, name in enumerate(NAMES) if mask >> bit & 1)


DEFAULT = from_mask(DEFAULT_MASK)


def current() -> tuple[str, ...]:
    """The capabilities this process has, hence the most it can give."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return from_mask(int(line.split()[1], 16))
    return ()
