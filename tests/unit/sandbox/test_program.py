import os
from pathlib import Path

import pytest

from jettison.sandbox import tinyelf
from jettison.sandbox.program import Fault, find_fault


def fault(root: Path, program: str, path: str = "/bin", cwd: str = "/") -> Fault | None:
    return find_fault(str(root), program, cwd, {"PATH": path}, "amd64")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path


def put(root: Path, name: str, data: bytes, mode: int = 0o755) -> None:
    (root / name).write_bytes(data)
    (root / name).chmod(mode)


def elf(architecture: str) -> bytes:
    data = tinyelf.program(architecture)
    assert data is not None
    return data


def test_program_that_can_run_has_no_fault(root: Path) -> None:
    put(root, "bin/ok", elf("amd64"))
    assert fault(root, "ok") is None
    assert fault(root, "/bin/ok") is None
    assert fault(root, "./ok", cwd="/bin") is None


def test_missing_program_names_the_search_path(root: Path) -> None:
    result = fault(root, "nope", path="/bin:/usr/bin")
    assert result == Fault("program nope not found in $PATH (/bin:/usr/bin)", 127)


def test_missing_shell_says_what_to_do(root: Path) -> None:
    result = fault(root, "/bin/sh")
    assert result is not None
    assert result.message == "program /bin/sh not found"
    assert "exec form" in (result.hint or "")


def test_link_is_followed_inside_the_root(root: Path) -> None:
    put(root, "bin/real", elf("amd64"))
    (root / "bin/abs").symlink_to("/bin/real")
    (root / "bin/dangling").symlink_to("/bin/none")
    assert fault(root, "abs") is None
    assert fault(root, "dangling") is not None


def test_no_permission(root: Path) -> None:
    put(root, "bin/x", elf("amd64"), 0o644)
    assert fault(root, "x") == Fault("program x is not executable", 126, "chmod +x it")


def test_directory(root: Path) -> None:
    (root / "bin/tool").mkdir()
    assert fault(root, "/bin/tool") == Fault("/bin/tool is a directory", 126)
    assert fault(root, "tool") == Fault("program tool not found in $PATH (/bin)", 127)


def test_script_without_interpreter(root: Path) -> None:
    put(root, "bin/s", b"#!/usr/bin/python3 -u\nprint()\n")
    result = fault(root, "s")
    assert result == Fault("s is a script for /usr/bin/python3, which is not there", 127)


def test_neither_program_nor_script(root: Path) -> None:
    put(root, "bin/t", b"echo hi\n")
    result = fault(root, "t")
    assert result is not None and result.status == 126 and "#!/bin/sh" in (result.hint or "")


@pytest.mark.parametrize("architecture", ["arm64", "riscv64", "arm", "386"])
def test_other_architecture(root: Path, architecture: str) -> None:
    put(root, "bin/x", elf(architecture))
    result = fault(root, "x")
    assert result is not None
    assert result.message == f"x is a program for {architecture}"


def test_missing_dynamic_loader(root: Path) -> None:
    """The Python that runs this test, where it is dynamic, lacks its loader in an empty root."""
    put(root, "bin/python", Path(os.path.realpath("/proc/self/exe")).read_bytes())
    result = find_fault(str(root), "python", "/", {"PATH": "/bin"}, os.uname().machine)
    if os.uname().machine == "x86_64":
        result = fault(root, "python")
        assert result is not None
        assert result.message.startswith("python needs the dynamic loader /lib64/ld-linux")


def test_truncated_elf(root: Path) -> None:
    put(root, "bin/x", b"\x7fELF\x02\x01\x01")
    result = fault(root, "x")
    assert result == Fault("x is a truncated ELF program", 126)
