"""Runs command lines in forks of one process that has imported everything, so that each costs
little and has a peak of memory of its own.

As a program it reads one JSON request a line and answers each with one line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.support.runner import SOURCE

_TIMEOUT = 300


@dataclass(frozen=True)
class Outcome:
    """What a command line came to: exit status, both streams, seconds, peak memory in MiB."""

    status: int
    out: str
    err: str
    seconds: float
    peak: int


class Zygote:
    """The other end: ``run`` has a command line run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *words: str | Path, store: Path, stdin: Path | None = None) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "words": [os.fspath(word) for word in words],
            "store": str(store),
            "stdin": str(stdin or "/dev/null"),
        }
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Outcome(**json.loads(self._process.stdout.readline()))


@contextmanager
def zygote() -> Iterator[Zygote]:
    """A process that lives as long as the ``with`` block."""
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.hostile.zygote"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{SOURCE}:{root}"},
    )
    try:
        yield Zygote(process)
    finally:
        process.communicate(timeout=_TIMEOUT)


def _serve() -> None:
    # What commands import; all they do with it happens in the forks.
    import jettison.app.build
    import jettison.cli.commands.build
    import jettison.cli.commands.load
    import jettison.fs.layer  # noqa: F401 - imported to be there

    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.monotonic()
            child = os.fork()
            if child == 0:
                _become(request, out.fileno(), err.fileno())
            _, status, usage = os.wait4(child, 0)
            answer = {
                "status": os.waitstatus_to_exitcode(status),
                "out": _text(out.fileno()),
                "err": _text(err.fileno()),
                "seconds": time.monotonic() - start,
                "peak": usage.ru_maxrss >> 10,
            }
        print(json.dumps(answer), flush=True)


def _become(request: dict[str, str], out: int, err: int) -> None:
    import signal

    from jettison.cli.main import main

    os.environ["JETTISON_ROOT"] = request["store"]
    os.dup2(os.open(request["stdin"], os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin = os.fdopen(0, closefd=False)
    signal.alarm(_TIMEOUT)
    try:
        main(request["words"])
    except SystemExit as exit:
        os._exit(exit.code if isinstance(exit.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(99)


def _text(fd: int) -> str:
    data = os.pread(fd, 1 << 20, 0)
    return data.decode(errors="surrogateescape")


if __name__ == "__main__":
    _serve()
