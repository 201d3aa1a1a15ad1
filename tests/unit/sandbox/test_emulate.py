import os
import subprocess
from pathlib import Path

import pytest

from jettison.model.platform import parse_platform
from jettison.sandbox import emulate, probe, tinyelf

AARCH64 = """enabled
interpreter /usr/bin/qemu-aarch64-static
flags: {flags}
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


def test_registered_emulator_is_found_by_its_magic(tmp_path: Path) -> None:
    (tmp_path / "whatever").write_text(AARCH64.format(flags="OCF"))
    (tmp_path / "status").write_text("enabled\n")
    assert emulate.registered(str(tmp_path)) == [("arm64", "/usr/bin/qemu-aarch64-static", "OCF")]


def test_disabled_emulator_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(AARCH64.format(flags="F").replace("enabled", "disabled"))
    assert emulate.registered(str(tmp_path)) == []


@pytest.mark.parametrize("text", ["", "enabled\nmagic zz\n", "enabled\nmagic 7f\noffset x\n"])
def test_odd_entries_are_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)
    (tmp_path / "java").write_text("enabled\ninterpreter /j\nflags: \noffset 0\nmagic cafebabe\n")
    assert emulate.registered(str(tmp_path)) == []


def test_own_platform_runs() -> None:
    assert emulate.can_run(parse_platform(f"linux/{probe.architecture()}"))


def test_other_systems_do_not() -> None:
    answer = emulate.can_run(parse_platform("windows/amd64"))
    assert not answer
    assert answer.reason == "windows/amd64 programs do not run on Linux"


@pytest.mark.skipif(
    os.path.isdir(emulate.BINFMT) and len(os.listdir(emulate.BINFMT)) > 2,
    reason="emulators are registered",
)
def test_without_emulator_the_reason_says_how_to_get_one() -> None:
    answer = emulate.can_run(parse_platform("linux/s390x"))
    assert not answer
    assert "no emulator for linux/s390x" in answer.reason
    assert "install" in answer.reason


def test_tiny_program_really_exits_with_42(tmp_path: Path) -> None:
    data = tinyelf.program(probe.architecture())
    if data is None:
        pytest.skip("no tiny program for this architecture")
    program = tmp_path / "probe"
    program.write_bytes(data)
    program.chmod(0o755)
    assert subprocess.run([program], check=False).returncode == 42


@pytest.mark.parametrize("architecture", ["amd64", "386", "arm64", "arm", "riscv64"])
def test_tiny_programs_are_valid_elf(tmp_path: Path, architecture: str) -> None:
    data = tinyelf.program(architecture)
    assert data is not None
    wide = data[4] == 2
    entry = int.from_bytes(data[24 : 32 if wide else 28], "little")
    sizes = (64, 56) if wide else (52, 32)
    assert entry - 0x10000 == sum(sizes)
    assert int.from_bytes(data[54:56] if wide else data[42:44], "little") == sizes[1]
    assert data[:20] == tinyelf.identification(architecture)
