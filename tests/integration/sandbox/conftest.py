"""The Lab, as root and as an unprivileged user."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.conftest import user_namespaces
from tests.integration.sandbox.lab import BUSYBOX, Lab, make_layers


def lacking(what: str) -> NoReturn:
    """Skip for something that could be installed; under CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def user() -> Iterator[int]:
    """The uid of a user made for the tests, with subordinate ids."""
    name = f"jettison-t{os.getpid()}"
    made = subprocess.run(["useradd", "--no-create-home", name], capture_output=True, check=False)
    if made.returncode != 0:
        lacking(f"cannot make a user: {made.stderr.decode()}")
    try:
        yield int(subprocess.run(["id", "-u", name], capture_output=True, check=True).stdout)
    finally:
        subprocess.run(["userdel", name], capture_output=True, check=True)


@pytest.fixture(scope="session")
def places() -> Iterator[dict[str, Lab]]:
    yield {}


@pytest.fixture(params=["root", "rootless"])
def lab(request: pytest.FixtureRequest, places: dict[str, Lab]) -> Iterator[Lab]:
    """A Lab as root, and one as an unprivileged user; skipped where the host cannot."""
    kind = str(request.param)
    if BUSYBOX is None:
        lacking("needs a static busybox")
    if kind == "root" and os.getuid() != 0:
        lacking("needs root")
    if kind == "rootless" and not user_namespaces():
        pytest.skip("the kernel refuses user namespaces here, as it does in a chroot")
    uid = request.getfixturevalue("user") if kind == "rootless" and os.getuid() == 0 else None
    if kind not in places:
        # Not pytest's own directory, which other users cannot enter.
        directory = tempfile.mkdtemp(prefix="jettison-lab-")
        request.session.config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
        os.chmod(directory, 0o755)
        made = Lab(directory, uid, kind == "rootless", ("busybox", "plain"))
        make_layers(made.base)
        if uid is not None:
            subprocess.run(["chown", "-R", "-h", f"{uid}:{uid}", directory], check=True)
        places[kind] = made
    yield places[kind]
