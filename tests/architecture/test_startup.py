"""What a rebuild with nothing to do imports: no library it does not need (start-up is felt)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[2] / "src")

HEAVY = {
    "asyncio",
    "concurrent.futures",
    "ctypes.util",
    "dataclasses",
    "httpx",
    "isal",
    "json",
    "lzma",
    "rich",
    "shutil",
    "subprocess",
    "tarfile",
    "tempfile",
    "zlib_ng",
    "zstandard",
    "jettison.export.archive",
    "jettison.fs.decompress",
    "jettison.fs.extract",
    "jettison.fs.tarwrite",
    "jettison.image",
    "jettison.registry",
    "jettison.lint.engine",
    "jettison.sandbox.container",
    "jettison.sandbox.runtime",
    "jettison.solve.copying",
    "jettison.solve.remote",
    "jettison.solve.running",
}

PROGRAM = """
import sys
import threading
from jettison.cli.main import run
threads = []
threading.setprofile(lambda *_: threads.append(threading.current_thread().name))
status = run(sys.argv[1:])
assert not status, status
print("\\n".join([*sorted(sys.modules), *(f"thread {name}" for name in set(threads))]))
"""


STAGES = """\
FROM base AS build
WORKDIR /src
COPY file .
RUN ["/made"]
FROM base
COPY --from=build /src/file /file
CMD ["/made"]
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A context whose Dockerfile builds on an image of the store, and runs a program of it."""
    (tmp_path / "base").mkdir()
    shutil.copy("/bin/busybox", tmp_path / "base" / "made")
    (tmp_path / "base" / "Dockerfile").write_text("FROM scratch\nCOPY made /true\n")
    (tmp_path / "file").write_text("content")
    (tmp_path / "Dockerfile").write_text(STAGES.replace("/made", "/true"))
    build(tmp_path, "base", "base")
    build(tmp_path, ".", "x")
    return tmp_path


def build(directory: Path, context: str, name: str) -> str:
    """Build in a process of its own; what PROGRAM prints."""
    flags = ["--progress", "plain", "-t", name]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "build", *flags, context],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": SOURCE, "JETTISON_ROOT": str(directory / "store")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.root
def test_a_no_op_rebuild_imports_nothing_heavy_and_starts_no_thread(directory: Path) -> None:
    loaded = set(build(directory, ".", "x").splitlines())
    assert "jettison.solve.solver" in loaded
    assert loaded & HEAVY == set()
    assert [line for line in loaded if line.startswith("thread ")] == []


@pytest.mark.root
def test_a_no_op_rebuild_changes_no_document_of_the_store(directory: Path) -> None:
    def versions() -> dict[str, int]:
        names = ("index.json", "cache.db")
        return {name: (directory / "store" / name).stat().st_mtime_ns for name in names}

    before = versions()
    build(directory, ".", "x")
    assert versions() == before
