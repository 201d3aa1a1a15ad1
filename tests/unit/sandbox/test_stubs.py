import os
import time
from pathlib import Path

import pytest

from jettison.errors import SandboxError
from jettison.sandbox.stubs import MountPoints

OLD = 1_000_000_000_123_456_789


def tree(root: Path) -> list[str]:
    lines = []
    for path in sorted(root.rglob("*")):
        kind = "dir" if path.is_dir() else "file"
        lines.append(f"/{path.relative_to(root)}: {kind} {path.stat().st_mode & 0o7777:04o}")
    return lines


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("proc", "dev", "sys", "etc"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "etc", ns=(OLD, OLD))
    os.utime(tmp_path, ns=(OLD, OLD))
    return tmp_path


BARE = ["/dev: dir 0755", "/etc: dir 0755", "/proc: dir 0755", "/sys: dir 0755"]


def test_points_exist_inside_and_vanish_after(root: Path) -> None:
    with MountPoints(str(root), [("/etc/hosts", False), ("/a/b/c", True)]):
        assert tree(root) == [
            *("/a: dir 0755", "/a/b: dir 0755", "/a/b/c: dir 0755", "/dev: dir 0755"),
            *("/etc: dir 0755", "/etc/hosts: file 0644", "/proc: dir 0755", "/sys: dir 0755"),
        ]
    assert tree(root) == BARE


def test_times_of_the_directories_around_stay(root: Path) -> None:
    with MountPoints(str(root), [("/etc/hosts", False), ("/a/b", True)]):
        assert (root / "etc").stat().st_mtime_ns == OLD
    assert (root / "etc").stat().st_mtime_ns == OLD
    assert root.stat().st_mtime_ns == OLD


def test_time_of_a_directory_written_to_is_kept(root: Path) -> None:
    with MountPoints(str(root), [("/etc/hosts", False)]):
        os.utime(root / "etc", ns=(OLD, OLD + 5))
    assert (root / "etc").stat().st_mtime_ns == OLD + 5


def test_existing_points_stay(root: Path) -> None:
    (root / "etc/hosts").write_text("mine\n")
    (root / "empty").mkdir()
    with MountPoints(str(root), [("/etc/hosts", False), ("/empty", True)]):
        pass
    assert (root / "etc/hosts").read_text() == "mine\n"
    assert (root / "empty").is_dir()


def test_what_was_written_beside_keeps_the_parents(root: Path) -> None:
    with MountPoints(str(root), [("/a/b/c", True)]):
        (root / "a/kept").touch()
    assert tree(root) == ["/a: dir 0755", "/a/kept: file 0644", *BARE]


def test_stub_file_that_was_replaced_stays(root: Path) -> None:
    with MountPoints(str(root), [("/etc/hosts", False)]):
        (root / "etc/hosts").write_text("x")
    assert (root / "etc/hosts").read_text() == "x"


def test_stubs_are_made_where_links_lead(root: Path) -> None:
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolv.conf")
    with MountPoints(str(root), [("/etc/resolv.conf", False)]):
        assert (root / "run/systemd/resolv.conf").is_file()
    assert not (root / "run").exists()
    assert (root / "etc/resolv.conf").is_symlink()


def test_nothing_outside_is_removed_when_the_command_moves_the_parent(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "b").touch()
    with MountPoints(str(root), [("/a/b", False)]):
        (root / "a").rename(root / "moved")
        (root / "a").symlink_to(outside)
    assert (outside / "b").exists()


def test_directories_of_the_system_are_made_and_kept(tmp_path: Path) -> None:
    with MountPoints(str(tmp_path), [("/dev/pipes/x", False), ("/etc/hosts", False)]):
        assert not (tmp_path / "dev/pipes").exists()
    assert tree(tmp_path) == ["/dev: dir 0755", "/proc: dir 0755", "/sys: dir 0755"]


def test_target_inside_another_target_is_left_to_the_runtime(root: Path) -> None:
    with MountPoints(str(root), [("/cache", True), ("/cache/sub", True)]):
        assert (root / "cache").is_dir()
        assert not (root / "cache/sub").exists()
    assert tree(root) == BARE


@pytest.mark.parametrize(("target", "is_directory"), [("/etc", False), ("/file", True)])
def test_wrong_kind_is_an_error(root: Path, target: str, is_directory: bool) -> None:
    (root / "file").touch()
    with (
        pytest.raises(SandboxError, match=f"cannot mount .* on {target}"),
        MountPoints(str(root), [("/new", True), (target, is_directory)]),
    ):
        pass
    assert not (root / "new").exists()


def test_copies_of_untouched_directories_leave_the_upper_directory(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As the overlay would copy them: every directory around a stub."""
    upper = tmp_path_factory.mktemp("upper")
    for name in ("usr/lib", "etc", "var"):
        (root / name).mkdir(parents=True, exist_ok=True)
    points = MountPoints(str(root), [("/usr/lib/a", True), ("/etc/hosts", False), ("/var/b", True)])
    with points:
        for name in ("usr/lib", "etc", "var"):
            (upper / name).mkdir(parents=True)
        time.sleep(0.02)
        (root / "etc").chmod(0o700)
        (upper / "var/written").touch()
    os.utime(upper, ns=(OLD, OLD))
    points.drop_copies(str(upper))
    assert tree(upper) == ["/etc: dir 0755", "/var: dir 0755", "/var/written: file 0644"]
    assert upper.stat().st_mtime_ns == OLD
