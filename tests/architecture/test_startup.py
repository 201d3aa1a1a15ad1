"""What a rebuild with nothing to do imports: no library it does not need (start-up is felt)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "httpx",
    "rich.progress",
    "rich.live",
    "zstandard",
    "tarfile",
    "jettison.sandbox.container",
}

PROGRAM = """
import sys
from jettison.cli.main import main
try:
    status = main()
except SystemExit as stop:
    status = stop.code
assert not status, status
print("\\n".join(sorted(sys.modules)))
"""


@pytest.mark.root
def test_a_no_op_rebuild_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    (tmp_path / "file").write_text("content")
    environ = dict(os.environ, JETTISON_ROOT=str(tmp_path / "store"))
    command = [sys.executable, "-c", PROGRAM, "build", "--progress", "plain", "-t", "x", "."]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
        )
    loaded = set(done.stdout.split())
    assert "jettison.solve.solver" in loaded
    assert not loaded & HEAVY
