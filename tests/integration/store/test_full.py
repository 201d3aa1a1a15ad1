"""Disks that are full, out of inodes, or must not be written: said clearly, and nothing is lost."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.store.project import Project
from tests.integration.support.namespace import MountNamespace, mount_namespace
from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root


@pytest.fixture
def namespace() -> Iterator[MountNamespace]:
    with mount_namespace() as made:
        yield made


class SmallStore:
    """A store on a tmpfs of a size that can be changed."""

    def __init__(self, directory: Path, namespace: MountNamespace, options: str) -> None:
        self._namespace = namespace
        self._place = directory / "small"
        self._place.mkdir()
        self.namespace_path = namespace.seen(self._place)
        namespace.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", self._place)
        self.jettison = Jettison(
            self._place / "store",
            {"JETTISON_MAX_USED_SPACE": "0", "JETTISON_MIN_FREE_SPACE": "0"},
            prefix=namespace.prefix,
        )

    def remount(self, options: str) -> None:
        self._namespace.run("mount", "-o", f"remount,{options}", self._place)

    def build(self, project: Project) -> subprocess.CompletedProcess[str]:
        return self.jettison("build", "--progress", "plain", *project.flags(), check=False)


# Steps of sizes, so that the disk is full at another moment each time: from a store that cannot
# even be made to one that lacks the last layer's blob.
SIZES = (40, 600, 1500, 2500, 4000, 5500, 7000, 8500)  # kB


def assert_says_full(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    said = done.stderr.lower()
    assert re.search(r"no space left|database or disk is full|no inode free", said), done.stderr[
        -1500:
    ]
    assert last.startswith("error: ")


def test_a_full_disk_at_every_stage(
    namespace: MountNamespace, project: Project, tmp_path: Path
) -> None:
    expected = project.digest(Jettison(tmp_path / "roomy"))
    small = SmallStore(tmp_path, namespace, f"size={SIZES[0]}k")
    failed = 0
    for size in SIZES:
        small.remount(f"size={size}k")
        done = small.build(project)
        if done.returncode == 0:
            break
        failed += 1
        assert_says_full(done)
        checked = small.jettison("check", "--read-data", check=False)
        assert checked.returncode == 0 or size < 100, checked.stdout + checked.stderr
    assert failed > 4
    small.remount("size=64m")
    assert project.digest(small.jettison) == expected
    small.jettison("prune", "--force")
    assert small.jettison("check", "--read-data").stdout == "The store is sound.\n"


def test_no_inodes(namespace: MountNamespace, project: Project, tmp_path: Path) -> None:
    expected = project.digest(Jettison(tmp_path / "roomy"))
    small = SmallStore(tmp_path, namespace, "size=64m,nr_inodes=10")
    for inodes in (10, 40, 80):
        small.remount(f"nr_inodes={inodes}")
        done = small.build(project)
        if done.returncode == 0:
            break
        assert_says_full(done)
    small.remount("nr_inodes=10000")
    assert project.digest(small.jettison) == expected
    assert small.jettison("check", "--read-data").returncode == 0


def test_a_full_disk_says_how_much_is_free_and_what_to_do(
    namespace: MountNamespace, project: Project, tmp_path: Path
) -> None:
    small = SmallStore(tmp_path, namespace, "size=700k")
    done = small.build(project)
    assert_says_full(done)
    assert re.search(r"\d MB free", done.stderr), done.stderr
    assert "jettison prune" in done.stderr


def test_a_full_disk_can_be_pruned(
    namespace: MountNamespace, project: Project, tmp_path: Path
) -> None:
    small = SmallStore(tmp_path, namespace, "size=64m")
    small.jettison("build", *project.flags())
    filler = small.namespace_path / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    small.jettison("prune", "--force", "--all")
    status = os.statvfs(small.namespace_path)
    assert status.f_bavail * status.f_frsize > 1 << 20


def test_a_read_only_store(namespace: MountNamespace, project: Project, tmp_path: Path) -> None:
    small = SmallStore(tmp_path, namespace, "size=64m")
    expected = project.digest(small.jettison)
    small.remount("ro")
    done = small.build(project)
    assert done.returncode == 1
    assert "read-only file system" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    small.remount("rw")
    assert project.digest(small.jettison) == expected


def test_a_store_of_somebody_else(project: Project, tmp_path: Path) -> None:
    own = Jettison(tmp_path / "store")
    own("images")
    tmp_path.chmod(0o755)
    nobody = Jettison(own.store, prefix=["setpriv", "--reuid=65534", "--clear-groups"])
    done = nobody("images", check=False, HOME="/nonexistent")
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert "JETTISON_ROOT" in done.stderr
    assert "Traceback" not in done.stderr
