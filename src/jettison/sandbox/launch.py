"""Run a command that ends with its parent: the stand-in for util-linux where that is missing.

Run as a file, never imported by jettison: ``python -I -S launch.py [--proc] -- COMMAND …``. With
``--proc`` the process, being the first of its pid namespace, gets a /proc of that namespace.
It imports nothing of jettison and little else, because it starts with every container.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 16384 | 1 << 18
_NOSUID_NODEV_NOEXEC = 2 | 4 | 8


def main(arguments: list[str]) -> None:
    """Set up as asked, then become the command; exit status 125 if that fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    split = arguments.index("--")
    failed = libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if "--proc" in arguments[:split]:
        failed = (
            failed
            or libc.unshare(_CLONE_NEWNS)
            or libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None)
            or libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(_NOSUID_NODEV_NOEXEC), None)
        )
    if failed:
        sys.stderr.write(f"launch: {os.strerror(ctypes.get_errno())}\n")
        sys.exit(125)
    command = arguments[split + 1 :]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
