"""The entry point: run a command, turn whatever it raises into a message and an exit status.

Exit statuses: 0 done; 1 the build, or what it was asked for, is at fault; 2 the command line is;
70 jettison is (EX_SOFTWARE); 130 interrupted. ``jettison run`` gives the container's own status.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from jettison.cli.group import LazyGroup
from jettison.cli.output import OutputClosed
from jettison.cli.signals import last_words, terminate_like_interrupt

COMMANDS = {
    "build": "Build an image from a Dockerfile",
    "lint": "Check Dockerfiles, and mend what can be mended",
    "run": "Run a command in a container made from an image",
    "base": "Compose base images of signed Debian packages",
    "pull": "Fetch an image from a registry",
    "push": "Send an image to a registry",
    "images": "List the images in the store",
    "inspect": "Show everything about an image as JSON",
    "why": "Say why a file is in an image",
    "tag": "Give an image another name",
    "rm": "Remove images from the store",
    "save": "Write images to an archive",
    "load": "Read images from an archive",
    "prune": "Remove dangling images and build cache",
    "check": "Verify the store, and mend what can be mended",
    "login": "Store credentials for a registry",
    "logout": "Forget the credentials for a registry",
    "doctor": "Say what this host can do, and how to mend what it cannot",
    "completion": "Print the completion script for a shell",
    "version": "Print the version",
}
"""Every command with its summary; a command's module is imported only when it runs."""

GROUPS = (
    ("Build and run", ("build", "lint", "run", "base")),
    ("Images", ("images", "inspect", "why", "tag", "rm", "save", "load", "prune", "check")),
    ("Registries", ("pull", "push", "login", "logout")),
    ("This program", ("doctor", "completion", "version")),
)
INTERRUPTED = 130
COMPLETE_VARIABLE = "_JETTISON_COMPLETE"

cli = LazyGroup(
    summaries=COMMANDS,
    groups=GROUPS,
    aliases={"rmi": "rm"},
    package="jettison.cli.commands",
    help="Build container images that ship only what runs: no daemon, no root.",
)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run ``argv`` (default: the process's own) and exit."""
    status = run(sys.argv[1:] if argv is None else argv)
    interrupted = status == INTERRUPTED  # threads may hang: nobody shall wait for them
    if interrupted or (status == 0 and threading.active_count() == 1):
        # Everything is closed. Taking the interpreter down would only free its memory, piece by
        # piece, which takes a tenth of the time of a build that finds everything in the cache; and
        # the alarm that bounds leaving after Ctrl-C would meet Python without its handlers.
        with contextlib.suppress(OSError, ValueError):  # sys.exit says what is wrong, and how
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    sys.exit(status)


def run(argv: Sequence[str]) -> int:
    """Run ``argv``; the exit status. Errors are printed, never raised."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # file names need not be UTF-8
    terminate_like_interrupt()
    try:
        status = _dispatch(argv)
        sys.stdout.flush()
    except OutputClosed:
        return _output_closed()
    except BrokenPipeError:
        return _output_closed() if _stdout_is_closed() else _failed(argv)
    except BaseException:  # SystemExit, Cancelled and KeyboardInterrupt too: all end in a status
        last_words()
        return _failed(argv)
    return status


def _dispatch(argv: Sequence[str]) -> int:
    if COMPLETE_VARIABLE in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "jettison", COMPLETE_VARIABLE, os.environ[COMPLETE_VARIABLE])
    with cli.make_context("jettison", list(argv)) as context:
        return cli.invoke(context) or 0


def _failed(argv: Sequence[str]) -> int:
    from jettison.cli.errors import report

    error = sys.exc_info()[1]
    assert error is not None
    return report(error, argv, sys.stderr, os.environ)


def _stdout_is_closed() -> bool:
    """Whether standard output is a pipe or socket whose other end is gone (poll(2))."""
    import select

    poll = select.poll()
    poll.register(1, 0)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))


def _output_closed() -> int:
    """Whoever read our output has gone: say nothing, also not when Python flushes at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    return 1
