"""Which archives packages come from: those a spec names, else one given for this run, else those
of the host's apt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jettison.distroless.model import Archive
from jettison.distroless.sources import parse_deb822, parse_line, parse_list
from jettison.errors import DistrolessError

VARIABLE = "JETTISON_DEBIAN_ARCHIVES"
"""The environment's way to name archives: lines as of sources.list(5), separated by newlines or
semicolons."""


def find_archives(
    repositories: Sequence[str],
    *,
    flags: Sequence[str] = (),
    variable: str = "",
    etc: Path = Path("/etc/apt"),
) -> tuple[Archive, ...]:
    """The archives to use: ``flags`` (of the command line) before ``variable`` (the value of
    `VARIABLE`) before ``repositories`` (of the spec) before the host's sources in ``etc``.

    What is given for one run goes first, so that a mirror can stand in for what a spec names.
    Each is written as a line of sources.list(5), with or without ``deb``. A source that names no
    key is taken to be signed by what the host trusts. Raises DistrolessError if there are none, or
    one is malformed.
    """
    lines = [line for line in variable.replace(";", "\n").split("\n") if line.strip()]
    for given, origin in (
        (flags, "--archive"),
        (lines, VARIABLE),
        (repositories, "repositories"),
    ):
        if given:
            return _unique([parse_line(_line(text), origin) for text in given])
    found = host_archives(etc)
    if not found:
        raise DistrolessError(
            "no archive of packages is known: none is given, and apt has no sources on this host",
            hint=f"name one in the spec's repositories or in {VARIABLE}: "
            "deb [signed-by=KEYRING] ADDRESS SUITE COMPONENT",
        )
    return found


def host_archives(etc: Path) -> tuple[Archive, ...]:
    """The host's sources: ``sources.list``, then ``sources.list.d`` in the order of names.

    Only file names that apt reads count. Raises DistrolessError.
    """
    paths = [etc / "sources.list"]
    directory = etc / "sources.list.d"
    if directory.is_dir():
        paths += sorted(p for p in directory.iterdir() if p.suffix in (".list", ".sources"))
    found: list[Archive] = []
    for path in paths:
        try:
            text = path.read_text("utf-8", "replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DistrolessError(f"cannot read {path}: {error.strerror}") from None
        parse = parse_deb822 if path.suffix == ".sources" else parse_list
        found += parse(text, str(path))
    return _unique(found)


def _line(text: str) -> str:
    return text if text.split()[:1] == ["deb"] else f"deb {text.strip()}"


def _unique(archives: Sequence[Archive]) -> tuple[Archive, ...]:
    """The first of those that name the same suite of the same archive, with the components of all.

    Apt reads each index once, too.
    """
    from msgspec.structs import replace

    found: dict[tuple[str, str, tuple[str, ...]], Archive] = {}
    for archive in archives:
        key = (archive.url, archive.suite, archive.architectures)
        known = found.setdefault(key, archive)
        components = tuple(dict.fromkeys((*known.components, *archive.components)))
        found[key] = replace(known, components=components)
    return tuple(found.values())
