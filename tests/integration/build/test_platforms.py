"""Steps for platforms that this host cannot run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jettison.model.platform import Platform
from jettison.sandbox.emulate import can_run
from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root

FOREIGN = Platform(architecture="s390x", os="linux")
# The smallest executable that Linux recognises as one for s390x (e_machine 22, big-endian).
ELF_S390X = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16\x00\x00\x00\x01" + bytes(40)


@pytest.mark.skipif(bool(can_run(FOREIGN)), reason="an emulator for s390x is registered here")
def test_a_run_that_needs_an_emulator_says_so_and_where(
    jettison: Jettison, context: Callable[..., Path]
) -> None:
    directory = context("FROM scratch\nCOPY --chmod=755 sh /bin/sh\nRUN true\n")
    (directory / "sh").write_bytes(ELF_S390X)
    done = jettison.build(directory, "--platform", str(FOREIGN), check=False)
    assert done.returncode == 1
    assert "Dockerfile:3" in done.stderr
    assert "linux/s390x" in done.stderr
    assert "emulator" in done.stderr or "architecture" in done.stderr
    assert "Traceback" not in done.stderr
