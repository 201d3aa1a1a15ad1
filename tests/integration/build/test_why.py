"""``jettison why`` on images of the store, archives and layouts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.runner import Jettison
from tests.unit.binfmt.elves import Spec, make_elf
from tests.unit.closure.places import Root, program

pytestmark = pytest.mark.root

DOCKERFILE = """\
FROM base
COPY root /
RUN echo changed > /data/both && rm /data/gone
CMD ["/app/serve", "--conf=/data/both"]
"""
STATUS = "Package: libx1\nStatus: install ok installed\nVersion: 1.2\nArchitecture: amd64\n"


@pytest.fixture(scope="module")
def image(jettison: Jettison, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program with a library of a package, beside what nothing needs."""
    context = tmp_path_factory.mktemp("why")
    Root(context / "root").fill(
        {
            "/app/serve": program("libx.so.1", runpath="/opt/lib"),
            "/opt/lib/libx.so.1": "-> libx.so.1.9",
            "/opt/lib/libx.so.1.9": Spec(soname="libx.so.1", needed=("libgone.so.3",)),
            "/lib64/ld-linux-x86-64.so.2": Spec(soname="ld-linux-x86-64.so.2"),
            "/usr/lib/libc.so.6": Spec(soname="libc.so.6"),
            "/opt/unused": make_elf(program()),
            "/data/both": "first\n",
            "/data/gone": "",
            "/var/lib/dpkg/status.d/libx1": STATUS,
            "/var/lib/dpkg/status.d/libx1.md5sums": "0  opt/lib/libx.so.1.9\n"
            "0  opt/lib/libgone.so.3\n",
        }
    )
    (context / "Dockerfile").write_text(DOCKERFILE)
    jettison.build(context, "-t", "whyapp")
    return "whyapp"


def document(jettison: Jettison, *arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jettison("why", "--format", "json", *arguments).stdout)
    return found


def test_a_file_with_its_layer_package_and_chain(jettison: Jettison, image: str) -> None:
    lines = jettison("why", image, "/opt/lib/libx.so.1.9").stdout.splitlines()
    assert lines[0].startswith("/opt/lib/libx.so.1.9 (file, ")
    assert lines[1:] == [
        "layer     2 of 3: COPY root / # buildkit",
        "package   libx1 1.2 (deb)",
        "needed    for: /app/serve --conf=/data/both",
        "  /opt/lib/libx.so.1.9",
        "      elf: NEEDED libx.so.1, RUNPATH of /app/serve",
        "  /app/serve",
        "      launch: the launch starts it",
    ]


def test_a_file_that_nothing_needs(jettison: Jettison, image: str) -> None:
    file = document(jettison, image, "/opt/unused")["file"]
    assert (file["needed"], file["chain"], file["packages"]) == (False, [], [])
    text = jettison("why", image, "/opt/unused").stdout
    assert "needed    by nothing that is known to run: /app/serve --conf=/data/both\n" in text
    assert "package   none\n" in text


def test_links_directories_and_what_a_layer_hides(jettison: Jettison, image: str) -> None:
    link = document(jettison, image, "/opt/lib/libx.so.1")["file"]
    assert (link["kind"], link["target"], link["needed"]) == ("link", "libx.so.1.9", True)
    both = document(jettison, image, "/data/both")["file"]
    assert (both["layer"]["number"], [h["number"] for h in both["hidden"]]) == (3, [2])
    assert both["chain"][0]["text"] == "an argument of the launch: --conf=/data/both"
    below = document(jettison, image, "/opt")["file"]["below"]
    assert (below["files"], below["needed_files"]) == (3, 2)


def test_a_file_that_is_gone(jettison: Jettison, image: str) -> None:
    done = jettison("why", image, "/data/gone", check=False)
    assert done.returncode == 1
    assert "/data/gone is not in whyapp" in done.stderr
    assert "layer 3 removes it: RUN" in done.stderr
    done = jettison("why", image, "/never", check=False)
    assert "/never is not in whyapp" in done.stderr and "removes" not in done.stderr


def test_the_whole_image(jettison: Jettison, image: str) -> None:
    found = document(jettison, image)
    assert {share["name"] for share in found["packages"]} == {"", "deb:libx1"}
    (owned,) = [share for share in found["packages"] if share["name"]]
    assert (owned["files"], owned["needed_files"]) == (1, 1)
    assert sum(share["files"] for share in found["rules"]) == found["total"]["files"]
    (gap,) = [gap for gap in found["gaps"] if gap["fatal"]]
    assert (gap["what"], gap["by"]) == ("libgone.so.3", "/opt/lib/libx.so.1.9")
    assert gap["hint"].startswith("the package libx1 has it; ")
    text = jettison("why", image).stdout
    assert "deb:libx1 " in text and "(no package)" in text and "(not needed)" in text
    assert "missing: /opt/lib/libx.so.1.9 (loaded by /app/serve): libgone.so.3" in text


def test_another_command(jettison: Jettison, image: str) -> None:
    found = document(jettison, image, "/opt/unused", "--command", "/opt/unused -x")
    assert found["launch"] == ["/opt/unused", "-x"]
    assert found["file"]["needed"]


def test_archives_and_layouts(
    jettison: Jettison, image: str, tmp_path: Path, context: Callable[..., Path]
) -> None:
    archive = tmp_path / "app.tar"
    jettison("save", "-o", archive, image)
    layout = tmp_path / "layout"
    jettison("build", "-o", f"type=oci,dest={layout},tar=false", context("FROM whyapp\n"))
    for name in (str(archive), str(layout), f"oci-layout://{layout}"):
        file = document(jettison, name, "/opt/lib/libx.so.1.9")["file"]
        assert file["needed"] and file["layer"]["number"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nosuchimage", "/x"), "no image nosuchimage in the store"),
        (("oci-layout:///nowhere", "/x"), "/nowhere"),
        (("whyapp", "--format", "xml"), "xml"),
        (("whyapp", "--prune", "all"), "all"),
        (("whyapp", "--command", "'open"), "--command"),
    ],
)
def test_what_is_wrong(
    jettison: Jettison, image: str, arguments: tuple[str, ...], message: str
) -> None:
    done = jettison("why", *arguments, check=False)
    assert done.returncode == (2 if len(arguments) == 3 else 1)
    assert message in done.stderr
