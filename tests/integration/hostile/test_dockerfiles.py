"""Dockerfiles and contexts that try to reach what is not theirs."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from tests.integration.hostile.lab import Lab, lines

pytestmark = pytest.mark.root

_TEXT = "/x: file 0644 0:0 'x'"


@pytest.fixture(scope="module")
def context(lab: Lab) -> Path:
    """A context whose links lead out of it, to where the canaries are."""
    directory = lab.root / "work/context"
    (directory / "sub").mkdir()
    (directory / "x").write_text("x")
    (directory / "secret").symlink_to(lab.root / "canary/secret")
    (directory / "out").symlink_to("../../canary")
    (directory / "passwd").symlink_to("/etc/passwd")
    (directory / "loop").symlink_to("loop")
    (directory / "sub/up").symlink_to("../../../..")
    return directory


REFUSED = {
    "COPY of the parent": ("FROM scratch\nCOPY ../canary /\n", "canary"),
    "COPY far out": ("FROM scratch\nCOPY ../../../../../../etc/passwd /\n", "etc/passwd"),
    "COPY of an absolute path": ("FROM scratch\nCOPY /etc/passwd /p\n", "/etc/passwd"),
    "COPY through a link": ("FROM scratch\nCOPY out/secret /\n", "out/secret"),
    "COPY through a link upwards": ("FROM scratch\nCOPY sub/up/canary/secret /\n", "canary"),
    "COPY through a loop": ("FROM scratch\nCOPY loop/x /\n", "loop"),
    "COPY --from outside": (
        "FROM scratch AS a\nCOPY x /\nFROM scratch\nCOPY --from=a ../../../etc/passwd /\n",
        "etc/passwd",
    ),
    "COPY --from a path": ("FROM scratch\nCOPY --from=../canary secret /\n", "canary"),
    "ADD of the parent": ("FROM scratch\nADD ../canary/secret /\n", "canary"),
    "an owner of nonsense": ("FROM scratch\nCOPY --chown=../x:\x1b[2J x /\n", "chown"),
    "an owner of 2^40": ("FROM scratch\nCOPY --chown=1099511627776 x /\n", "1099511627776"),
    "a negative owner": ("FROM scratch\nCOPY --chown=-1:-1 x /\n", "-1"),
    "a mode of nonsense": ("FROM scratch\nCOPY --chmod=99999 x /\n", "99999"),
    "a file over a directory": ("FROM scratch\nWORKDIR /x\nCOPY x /\n", "x"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(lab: Lab, context: Path, name: str) -> None:
    dockerfile, words = REFUSED[name]
    found = lab.build(dockerfile, context=context, keeps=1)
    assert isinstance(found, str), sorted(found)
    assert "error: " in found
    assert words in found
    assert "root:x:0:0" not in found


ACCEPTED = {
    "WORKDIR out of the root": (
        "FROM scratch\nWORKDIR ../../canary\nCOPY x .\n",
        {"/canary: dir 0755 0:0", "/canary/x: file 0644 0:0 'x'"},
    ),
    "COPY to out of the root": (
        "FROM scratch\nCOPY x ../../../canary/\n",
        {"/canary: dir 0755 0:0", "/canary/x: file 0644 0:0 'x'"},
    ),
    "COPY of a pattern outside": ("FROM scratch\nCOPY ../can* /\n", set()),
    "COPY of ..": ("FROM scratch\nCOPY sub/../../../x /\n", {_TEXT}),
    "COPY of a link that leads out": (
        "FROM scratch\nCOPY sub /sub\n",
        {"/sub: dir 0755 0:0", "/sub/up: link ../../../.."},
    ),
    "WORKDIR behind a link of a stage": (
        "FROM scratch AS a\nADD links.tar /\nFROM a\nWORKDIR /canary/w\nCOPY x .\n",
        {"/canary: link /inside", "/inside: dir 0755 0:0",
         "/inside/w: dir 0755 0:0", "/inside/w/x: file 0644 0:0 'x'"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(lab: Lab, context: Path, name: str) -> None:
    with tarfile.open(context / "links.tar", "w") as tar:
        info = tarfile.TarInfo("canary")
        info.type, info.linkname = tarfile.SYMTYPE, "/inside"
        tar.addfile(info)
    dockerfile, expected = ACCEPTED[name]
    found = lab.build(dockerfile, context=context)
    assert not isinstance(found, str), found
    assert sorted(found) == sorted(expected)


MOUNTS = (
    "--mount=type=bind,source=../canary,target=/m",
    "--mount=type=bind,source=/etc,target=/m",
    "--mount=type=bind,from=../canary,target=/m",
    "--mount=type=cache,target=../../canary,id=../../../canary",
    "--mount=type=tmpfs,target=/../../canary",
    "--mount=type=secret,id=../../canary/secret,target=/../../canary/x,required=true",
    "--mount=type=bind,target=/",
)


@pytest.mark.parametrize("mount", MOUNTS)
def test_mounts_stay_inside(lab: Lab, context: Path, mount: str) -> None:
    """There is no program to run, so that each fails; what was made for it is inside, and gone."""
    found = lab.build(f'FROM scratch\nCOPY x /x\nRUN {mount} ["/x"]\n', context=context, keeps=1)
    assert isinstance(found, str)
    assert "error: " in found


IGNORED = ("../canary", "!../canary", "/../../**", "!" + "../" * 99, "[", "\\", "**" * 200 + "x")


@pytest.mark.parametrize("pattern", IGNORED)
def test_ignore_files(lab: Lab, pattern: str) -> None:
    """Patterns that lead out match nothing, or are refused."""
    directory = lab.out()
    directory.mkdir()
    (directory / "x").write_text("x")
    (directory / ".dockerignore").write_text(pattern + "\n.dockerignore\n")
    found = lab.build("FROM scratch\nCOPY . /\n", context=directory)
    if isinstance(found, str):
        assert "error: " in found
    else:
        assert found <= {_TEXT}


def test_output_does_not_follow_links_of_the_destination(lab: Lab, context: Path) -> None:
    destination = lab.out()
    destination.mkdir()
    (destination / "d").symlink_to(lab.root / "canary")
    (destination / "x").symlink_to(lab.root / "canary/secret")
    file = lab.root / "work/Dockerfile"
    file.write_text("FROM scratch\nCOPY x /x\nCOPY x /d/secret\n")
    lab.run("build", "-f", file, "-o", destination, context)
    assert (lab.root / "canary/secret").read_text() == "canary"
    assert "/x: file 0644 0:0 'x'" in lines(destination) or os.path.islink(destination / "x")


@pytest.mark.parametrize("flag", ["--iidfile", "--metadata-file"])
def test_files_that_cannot_be_written(lab: Lab, context: Path, flag: str) -> None:
    file = lab.root / "work/Dockerfile"
    file.write_text("FROM scratch\nCOPY x /x\n")
    for target in (lab.root / "canary", lab.root / "none/such", Path("/proc/none")):
        flags = (flag, target, "-o", f"type=oci,dest={lab.out()}")
        outcome = lab.run("build", "-f", file, *flags, context, keeps=1, fails=True)
        assert "error: " in outcome.err
