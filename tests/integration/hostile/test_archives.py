"""Every hostile archive as a layer, in ADD and as a build context."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma

import pytest
import zstandard

from tests.integration.hostile.corpus import CASES, TREE, Case, Lines, lower
from tests.integration.hostile.lab import Lab, digest, image
from tests.integration.hostile.rawtar import member
from tests.integration.support.layouts import Layout

pytestmark = pytest.mark.root

_OPEN = (
    lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)).read(),
    bz2.decompress,
    lzma.decompress,
    lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(),
)


def check(found: set[str] | str, expected: str | Lines) -> None:
    """Compare a tree, or an error, with what it should be."""
    if isinstance(expected, str):
        assert isinstance(found, str), f"accepted: {sorted(found)}"
        assert expected in found
        return
    assert not isinstance(found, str), found
    gone = {line[1:] for line in expected if line.startswith("-")}
    assert sorted(found) == sorted(TREE - gone | {x for x in expected if x[:1] != "-"})


def diff_id(data: bytes) -> str:
    """The digest of a layer's tar; of what cannot be opened, its own."""
    for opened in _OPEN:
        with contextlib.suppress(Exception):
            if plain := opened(data):
                return digest(plain)
    return digest(data)


@pytest.mark.parametrize("name", CASES)
def test_as_a_layer(lab: Lab, name: str) -> None:
    case: Case = CASES[name]
    place = lab.out()
    layout = Layout(place)
    below = lower(lab.count)  # or else a layer of the same content might be there already
    layers = [(below, digest(below)), (case.data, diff_id(case.data))]
    layout.tag("it", image(layout, layers))
    flags = ("--build-context", f"base=oci-layout://{place}:it")
    found = lab.build("FROM base\n", *flags, keeps=1)
    check(found, case.layer)


@pytest.fixture(scope="module")
def base(lab: Lab) -> str:
    """A layout of the tree that archives are laid on."""
    place = lab.out()
    layout = Layout(place)
    layout.tag("it", image(layout, [(lower(), digest(lower()))]))
    return f"base=oci-layout://{place}:it"


@pytest.mark.parametrize("name", CASES)
def test_in_add(lab: Lab, base: str, name: str) -> None:
    case: Case = CASES[name]
    context = lab.out()
    context.mkdir()
    (context / "it").write_bytes(case.data)
    (context / "it").chmod(0o644)
    flags = ("--build-context", base)
    check(lab.build("FROM base\nADD it /\n", *flags, context=context, keeps=1), case.added)


# An ignore file would mean nothing: the context is not a local one.
DOCKERFILE = member("Dockerfile", b"FROM scratch\nCOPY --exclude=Dockerfile . /\n")
IN_CONTEXT = [
    name
    for name, case in CASES.items()
    # Its first member says that it is an archive; links lead to what it holds, not to the image.
    if not name.startswith(("compressed", "kinds"))
    and not isinstance(case.added, str)
    and not any(line.startswith(("/it:", "/keep/", "-")) for line in case.added)
    and case.name not in ("to a file below", "nothing at all", "zeros only")
]


@pytest.mark.parametrize("name", IN_CONTEXT)
def test_as_a_context(lab: Lab, name: str) -> None:
    """As ADD would unpack it; from a file or from standard input."""
    case: Case = CASES[name]
    archive = lab.out().with_suffix(".tar")
    archive.write_bytes(DOCKERFILE + case.data)
    context, stdin = (archive, None) if len(name) % 2 else ("-", archive)
    found = lab.build("", context=context, stdin=stdin)
    assert not isinstance(found, str), found
    assert sorted(found) == sorted(case.added)


REFUSED = [
    name
    for name, case in CASES.items()
    if isinstance(case.added, str)
    and not name.startswith(("compressed", "kinds"))
    and case.name != "to a directory below"
]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_a_context(lab: Lab, name: str) -> None:
    archive = lab.out().with_suffix(".tar")
    archive.write_bytes(DOCKERFILE + CASES[name].data)
    found = lab.build("", context=archive)
    assert isinstance(found, str), sorted(found)
    assert str(CASES[name].added) in found
