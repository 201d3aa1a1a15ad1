"""Run a command that ends with its parent: the stand-in for util-linux where that is missing.

Run as a file, never imported by jettison: ``python -I -S launch.py [--proc] [--report] --
COMMAND …``. With
``--proc`` the process, being the first of its pid namespace, gets a /proc of that namespace;
without, it can gain no privileges, since that would clear the parent-death signal.
With ``--report`` it says on standard input, a socket, that it is tied to its parent, and waits.
It imports nothing of jettison and little else, because it starts with every container.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 16384 | 1 << 18
_NOSUID_NODEV_NOEXEC = 2 | 4 | 8


def main(arguments: list[str]) -> None:
    """Set up as asked, then become the command; exit status 125 if that fails."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: bytes, target: bytes, kind: "bytes | None", flags: int) -> int:
        return int(libc.mount(source, target, kind, ctypes.c_ulong(flags), None))

    split = arguments.index("--")
    failed = libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if "--proc" not in arguments[:split]:
        failed = failed or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    else:
        failed = failed or libc.unshare(_CLONE_NEWNS)
        failed = failed or mount(b"none", b"/", None, _MS_REC_PRIVATE)
        failed = failed or mount(b"proc", b"/proc", b"proc", _NOSUID_NODEV_NOEXEC)
    if failed:
        sys.stderr.write(f"launch: {os.strerror(ctypes.get_errno())}\n")
        sys.exit(125)
    if "--report" in arguments[:split]:
        os.write(0, b"\n")
        if not os.read(0, 1):
            sys.exit(125)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    command = arguments[split + 1 :]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
