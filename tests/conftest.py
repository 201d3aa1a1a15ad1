"""What tests of all folders share."""

from __future__ import annotations

import subprocess
from functools import cache

import pytest


@cache
def user_namespaces() -> bool:
    """Whether any can be made: not by a process in a chroot (user_namespaces(7))."""
    return subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode == 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("userns") and not user_namespaces():
        pytest.skip("the kernel refuses user namespaces here, as it does in a chroot")
