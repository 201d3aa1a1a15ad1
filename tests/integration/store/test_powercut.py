"""A power cut, made by shutting an ext4 down without flushing anything, journal included."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.store.project import Project
from tests.integration.support.namespace import MountNamespace, mount_namespace
from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root

# FS_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH (fs/ext4/ext4.h)
SHUTDOWN = """
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))
"""
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Machine:
    """A file system that loses its power, and boots."""

    def __init__(self, directory: Path, namespace: MountNamespace) -> None:
        self.namespace = namespace
        self._image = directory / "disk"
        self._disk = directory / "mounted"
        self._boot = directory / "boot"
        self._boots = 0
        self._disk.mkdir()
        with self._image.open("wb") as file:
            file.truncate(256 << 20)
        subprocess.run(["mkfs.ext4", "-q", self._image], check=True)
        self.jettison = Jettison(self._disk / "store", prefix=namespace.prefix)
        self.power_on()

    @property
    def store(self) -> Path:
        return self.namespace.seen(self.jettison.store)

    def power_on(self) -> None:
        self._boots += 1
        boot = self._boot.with_name(f"boot-{self._boots}")
        boot.write_text(f"boot {self._boots}\n")
        # Written back when asked or after an hour, so that everything unsynced is lost.
        self.namespace.run("mount", "-o", "loop,commit=3600", self._image, self._disk)
        self.namespace.run("mount", "--bind", boot, BOOT_ID)

    def power_off(self, *, clean: bool = False) -> None:
        if not clean:
            self.namespace.run(sys.executable, "-c", SHUTDOWN, self._disk)
        self.namespace.run("umount", self._disk)
        self.namespace.run("umount", BOOT_ID)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    directory = tmp_path / "machine"
    directory.mkdir()
    with mount_namespace() as namespace:
        yield Machine(directory, namespace)


def layers(machine: Machine) -> set[str]:
    return {path.name for path in (machine.store / "layers").iterdir()}


def database(machine: Machine) -> Path:
    return machine.jettison.store / "cache.db"


UNSYNCED = """
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM layers WHERE boot NOT NULL")
print(rows.fetchone()[0])
"""


def cached(jettison: Jettison, project: Project) -> int:
    return jettison("build", "--progress", "plain", *project.flags()).stderr.count(" CACHED\n")


def test_a_finished_build_outlives_a_power_cut(machine: Machine, project: Project) -> None:
    before = project.digest(machine.jettison)
    for _ in range(10):  # a busy disk is not waited for; then a later build does it
        if machine.namespace.run(sys.executable, "-c", UNSYNCED, database(machine)) == "0\n":
            break
        machine.jettison("build", "--no-cache", *project.flags())
    kept = layers(machine)
    machine.power_off()
    machine.power_on()
    assert machine.jettison("check", "--read-data").returncode == 0
    assert project.digest(machine.jettison) == before
    assert cached(machine.jettison, project) > 5
    assert layers(machine) == kept


def test_a_build_that_lost_its_power_leaves_nothing_that_is_trusted(
    machine: Machine, project: Project, tmp_path: Path
) -> None:
    """At several moments: whatever is cut, the next build comes out right."""
    expected = project.digest(Jettison(tmp_path / "undisturbed"))
    for delay in (0.5, 0.9, 1.4):
        build = subprocess.Popen(
            machine.jettison.command("build", "--no-cache", *project.flags()),
            env=machine.jettison.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        build.kill()
        build.wait()
        time.sleep(0.1)  # its containers' processes end
        machine.power_off()
        machine.power_on()
        sound = machine.jettison("check", "--read-data", check=False)
        assert sound.returncode == 0, sound.stdout
        assert project.digest(machine.jettison) == expected
        machine.jettison("prune", "--force")  # whatever the build had no time to sweep
        assert machine.jettison("check", "--read-data").stdout == "The store is sound.\n"


def test_what_was_not_synced_is_not_trusted_after_any_boot(
    machine: Machine, project: Project
) -> None:
    """Layers are damaged behind the store's back, as a power cut may; only a sync vouches."""
    expected = project.digest(machine.jettison)
    script = (
        "import sqlite3,sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute(\"UPDATE layers SET boot = 'boot 1'\"); c.commit()"
    )
    machine.namespace.run(sys.executable, "-c", script, database(machine))
    for file in (machine.store / "layers").glob("*/one"):
        file.write_bytes(b"")
    before = layers(machine)
    machine.power_off(clean=True)
    machine.power_on()
    shown = machine.jettison("check", check=False)
    assert shown.returncode == 0
    assert shown.stdout.count("was not synced before the reboot") == len(before)
    assert project.digest(machine.jettison) == expected
    assert not {name for name in before if name.startswith("s")} & layers(machine)
