"""Why a step is not taken from the cache, from what was recorded and what is now."""

from __future__ import annotations

from typing import Any

import pytest

from jettison.solve.explain import FILES_SHOWN, why
from jettison.solve.recorded import dump, load

RUN: list[Any] = [
    "Run",
    ["root", "layer1,layer2"],
    ["argv", ["/bin/sh", "-c", "make"]],
    ["env", [["PATH", "/bin"], ["LEVEL", "1"]]],
    ["cwd", "/"],
]


def copy_of(digest: str, dest: str = "/app/") -> list[Any]:
    source = ["PathSource", ["step", digest], ["path", "."], ["wildcard", True]]
    return ["Copy", ["root", "layer1"], ["sources", [source]], ["dest", dest]]


def listing(**files: str) -> str:
    """``name="100644 0:0 content"`` for each file; ``__`` in a name stands for ``/``."""
    lines = []
    for name, text in files.items():
        mode, owner, rest = text.split(" ")
        lines.append(f"{name.replace('__', '/')}\0{mode}\0{owner}\0{rest}\0")
    return "".join(lines)


def explain(now: list[Any], *earlier: bytes, files: str | None = None, **options: Any) -> list[str]:
    settings = {"origin": "here", "below": "[1/3] FROM base", "ignored": False, **options}
    return list(why(now, False, earlier, listing=lambda digest: files, **settings))


def changed(kind: list[Any], **fields: Any) -> list[Any]:
    return [kind[0], *([n, fields.get(n, v)] for n, v in kind[1:])]


def recorded(description: list[Any], files: str | None = None, origin: str = "here") -> bytes:
    return dump(description, lambda digest: files, origin=origin)


def test_what_is_dumped_is_loaded_with_odd_names_too() -> None:
    files = listing(**{"bad\udcff\nname": "100644 0:0 c"})
    found = load(dump(copy_of("sha256:1"), {"sha256:1": files}.get, origin="x"))
    assert found is not None
    assert found.description == copy_of("sha256:1")
    assert (found.listings, found.origin) == ({"sha256:1": files}, "x")


@pytest.mark.parametrize("data", [b"", b"[1]", b"\x78\x01nonsense"])
def test_what_was_not_dumped_is_not_loaded(data: bytes) -> None:
    assert load(data) is None


def test_nothing_like_it() -> None:
    assert explain(RUN) == ["no step like it is remembered"]
    assert explain(RUN, b"broken", recorded(copy_of("sha256:1"))) == explain(RUN)


def test_asked_to_run_anew() -> None:
    assert "--no-cache" in explain(RUN, recorded(RUN), ignored=True)[0]


def test_known_but_its_layers_are_gone() -> None:
    found = why(RUN, True, [], listing=lambda d: None, origin="", below="", ignored=False)
    assert found == ("it was made before, and its layers have been removed since",)


def test_a_command_a_variable_and_a_base() -> None:
    now = changed(
        RUN,
        root="layer1,layer9",
        argv=["/bin/sh", "-c", "make all"],
        env=[["PATH", "/bin"], ["LEVEL", "2"], ["NEW", "x"]],
    )
    old = changed(RUN, env=[*RUN[3][1], ["OLD", "y"]])
    assert explain(now, recorded(old)) == [
        "what it is built on changed: [1/3] FROM base",
        "command: make -> 'make all'",
        "variable LEVEL: '1' -> '2'",
        "variable NEW: new, 'x'",
        "variable OLD: no longer set (was 'y')",
    ]


def test_files_each_with_the_attribute_that_changed() -> None:
    was = listing(
        same="100644  1", gone="100644  1", text="100644  1", mode="100644  1",
        link="120000  there", kind="100644  1", owner="100644 0:0 1", dir__deep="100755  1",
    )  # fmt: skip
    now = listing(
        same="100644  1", added="100644  1", text="100644  2", mode="100755  1",
        link="120000  elsewhere", kind="40755  ", owner="100644 7:8 1", dir__deep="100644  2",
    )  # fmt: skip
    found = explain(copy_of("sha256:2"), recorded(copy_of("sha256:1"), was), files=now)
    assert found == [
        "added: new",
        "dir/deep: mode 0755 -> 0644, content",
        "gone: removed",
        "kind: file -> directory",
        "link: there -> elsewhere",
        "mode: mode 0644 -> 0755",
        "owner: owner 0:0 -> 7:8",
        "text: content",
    ]


def test_many_files_are_counted() -> None:
    was = listing(**{f"file{n:03}": "100644  1" for n in range(FILES_SHOWN + 5)})
    found = explain(copy_of("sha256:2"), recorded(copy_of("sha256:1"), was), files="")
    assert len(found) == FILES_SHOWN + 1
    assert found[-1] == "and 5 more files"


def test_the_destination() -> None:
    found = explain(copy_of("sha256:1", "/b/"), recorded(copy_of("sha256:1", "/a/"), ""))
    assert found == ["destination: /a/ -> /b/"]


def test_a_source_more() -> None:
    now = copy_of("sha256:1")
    now[2][1].append(["FileSource", ["name", "x"]])
    (found,) = explain(now, recorded(copy_of("sha256:1")))
    assert found.startswith("sources: ")


def test_the_same_dockerfile_and_the_same_base_are_compared_first() -> None:
    other_base = recorded(
        changed(RUN, root="other", argv=["/bin/sh", "-c", "make"]), origin="there"
    )
    elsewhere = recorded(changed(RUN, argv=["/bin/sh", "-c", "elsewhere"]), origin="there")
    here = recorded(changed(RUN, argv=["/bin/sh", "-c", "here"]))
    now = changed(RUN, argv=["/bin/sh", "-c", "now"])
    assert explain(now, other_base, elsewhere, here) == ["command: here -> now"]
    assert explain(now, other_base, elsewhere) == ["command: elsewhere -> now"]
