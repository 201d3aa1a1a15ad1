"""doctor on hosts that lack something, made here: what it says, and that it says how to mend it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison
from tests.integration.support.users import User, ordinary_user

pytestmark = [pytest.mark.root, pytest.mark.userns]

WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]


@pytest.fixture(scope="module")
def account() -> Iterator[User]:
    with ordinary_user() as made:
        yield made


@contextmanager
def below(user: User) -> Iterator[Path]:
    """A directory of the user's, and outside of pytest's, which is root's alone."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        yield user.own(Path(place))


def diagnose(runner: Jettison) -> tuple[int, dict[str, tuple[bool, str, str]]]:
    """The status, and by name: whether it is well, the detail, the mending."""
    done = runner("doctor", "--format", "json", check=False)
    checks = json.loads(done.stdout)
    return done.returncode, {c["Name"]: (c["OK"], c["Detail"], c["Mend"]) for c in checks}


def test_nothing_is_missing_for_a_user_with_ids(account: User) -> None:
    status, checks = diagnose(account.jettison())
    well = ("subordinate ids", "newuidmap, newgidmap", "isolation", "overlay", "store")
    assert [name for name in well if not checks[name][0]] == []
    assert status == (0 if all(ok for ok, _, _ in checks.values()) else 1)


def test_no_subordinate_ids() -> None:
    with ordinary_user(sub_ids=False) as poor:
        status, checks = diagnose(poor.jettison())
        assert status == 1
        ok, detail, mend = checks["subordinate ids"]
        assert not ok
        assert f"0 user ids and 0 group ids for {poor.name}" in detail
        subprocess.run(mend.split(), check=True)  # what it says does mend it
        status, checks = diagnose(poor.jettison())
        assert checks["subordinate ids"][0]
        assert checks["isolation"] == (True, "mount namespace, as a user namespace", "")


def test_no_tools_to_map_them_with(account: User) -> None:
    runner = account.jettison()
    runner.prefix = [*account.prefix, "PATH=/nonexistent"]
    _, checks = diagnose(runner)
    assert checks["newuidmap, newgidmap"] == (
        False, "newuidmap and newgidmap not found", "apt-get install uidmap",
    )  # fmt: skip
    assert checks["runtime"] == (False, "no OCI runtime installed", "apt-get install runc")


def test_tools_without_privilege(account: User) -> None:
    with below(account) as place:
        for name in ("newuidmap", "newgidmap"):
            (place / name).write_text("#!/bin/sh\nexit 1\n")
            (place / name).chmod(0o755)
        runner = account.jettison().having({"PATH": f"{place}:{os.environ['PATH']}"})
        _, checks = diagnose(runner)
        assert checks["newuidmap, newgidmap"] == (
            False, f"{place}/newuidmap has no privilege", f"chmod u+s {place}/newuidmap",
        )  # fmt: skip


def test_a_process_that_may_gain_no_privileges(account: User) -> None:
    runner = account.jettison()
    runner.prefix = [*account.prefix, "setpriv", "--no-new-privs"]
    _, checks = diagnose(runner)
    ok, detail, mend = checks["newuidmap, newgidmap"]
    assert (ok, detail) == (False, "this process may gain no privileges (no_new_privs)")
    assert "no-new-privileges" in mend
    assert "only one user id is mapped" in checks["isolation"][1]


def test_user_namespaces_are_forbidden(tmp_path: Path) -> None:
    """The limit is that of a user namespace around, so that the host's stays what it is."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    prefix = ["unshare", "-Ur", "sh", "-c", forbid, "sh", *WITHOUT_CAPABILITIES, "env"]
    runner = Jettison(tmp_path / "store", prefix=prefix)
    status, checks = diagnose(runner)
    assert status == 1
    mend = "sysctl user.max_user_namespaces=15000"
    assert checks["user namespaces"] == (False, "user.max_user_namespaces is 0", mend)
    assert checks["isolation"][2] == mend
    failed = runner("build", str(tmp_path), check=False)
    assert failed.returncode == 1
    assert mend in failed.stderr


def test_a_store_on_an_overlay(tmp_path: Path, account: User) -> None:
    """As inside a container without a volume: nothing can be mounted on it, so files are copied."""
    with below(account) as place:
        for name in ("lower", "upper", "work", "merged", "upper/home"):
            (place / name).mkdir()
        account.own(place)
        mount = (
            f"mount -t overlay overlay -o lowerdir={place}/lower,upperdir={place}/upper,"
            f'workdir={place}/work {place}/merged && exec "$@"'
        )
        prefix = ["unshare", "-m", "sh", "-c", mount, "sh", *account.prefix]
        runner = Jettison(
            place / "merged/home/store", account.environ, prefix, account.jettison().python
        )
        _, checks = diagnose(runner)
        ok, detail, mend = checks["overlay"]
        assert "is used instead (overlay: cannot mount the layers" in detail
        assert ok == detail.startswith("fuse-overlayfs")
        assert ok or "JETTISON_ROOT" in mend
        (place / "Dockerfile").write_text(
            "FROM scratch\nCOPY busybox /bin/\n"
            'RUN ["/bin/busybox", "mkdir", "/gone"]\n'
            'RUN ["/bin/busybox", "sh", "-c", "rmdir /gone && echo x > /made"]\n'
        )
        subprocess.run(["cp", "/bin/busybox", place], check=True)
        account.own(place / "busybox")
        done = runner.build(place, "--progress", "plain", "-o", f"type=local,dest={place}/out")
        assert "root file systems are made by" in done.stderr
        assert sorted(p.name for p in (place / "out").iterdir()) == [
            "bin", "dev", "made", "proc", "sys",
        ]  # fmt: skip


def test_a_file_system_that_is_named_is_used(tmp_path: Path) -> None:
    _, checks = diagnose(Jettison(tmp_path / "s", {"JETTISON_SNAPSHOTTER": "copy"}))
    assert checks["overlay"] == (True, "copy is used, as JETTISON_SNAPSHOTTER says", "")
    _, checks = diagnose(Jettison(tmp_path / "s", {"JETTISON_SNAPSHOTTER": "btrfs"}))
    assert checks["overlay"][:2] == (False, "JETTISON_SNAPSHOTTER is 'btrfs'")
