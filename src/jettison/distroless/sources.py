"""Apt's sources: one-line entries and deb822 paragraphs -> archives (sources.list(5)). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from jettison.distroless.model import Archive
from jettison.errors import DistrolessError

_LINE = re.compile(r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*$")
_TIME = re.compile(r"/\d{8}T\d{6}Z(?=/|$)")
_ADDRESS = re.compile(r"https?://\S+")
_FINGERPRINT = re.compile(r"^[0-9A-Fa-f]{40}(?:[0-9A-Fa-f]{24})?!?$")
_SCHEMES = ("http", "https", "file")
_YES, _NO = ("yes", "true", "on", "1", "with"), ("no", "false", "off", "0", "without")


def parse_line(line: str, origin: str) -> Archive:
    """``deb [arch=amd64 signed-by=FILE] ADDRESS SUITE COMPONENT...`` as an archive.

    Raises DistrolessError, also for ``trusted=yes``: nothing is taken unsigned.
    """
    match = _LINE.match(line.strip())
    if match is None:
        raise DistrolessError(
            f"{origin}: no source of packages: {line.strip()[:200]!r}",
            hint="write it deb [OPTIONS] ADDRESS SUITE COMPONENT...",
        )
    options = {}
    for option in (match[1] or "").split():
        key, _, value = option.partition("=")
        options[key.lower().rstrip("+-")] = value
    return _archive(match[2], match[3], tuple(match[4].split()), options, origin)


def parse_list(text: str, origin: str) -> list[Archive]:
    """The ``deb`` lines of a ``*.list``; a line that cannot be used is an error."""
    found = []
    times = _Snapshots()
    for number, line in enumerate(text.splitlines(), 1):
        bare, hash_sign, comment = line.partition("#")
        if hash_sign:
            times.note(comment)
        if bare.split()[:1] == ["deb"]:
            found.append(times.give(parse_line(bare, f"{origin}:{number}")))
    return found


def parse_deb822(text: str, origin: str) -> list[Archive]:
    """The paragraphs of a ``*.sources`` that are of type ``deb`` and not disabled."""
    found = []
    for fields, comments in _paragraphs(text):
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in _NO:
            continue
        times = _Snapshots()
        for comment in comments:
            times.note(comment)
        options = {
            "arch": ",".join(fields.get("architectures", "").split()),
            "signed-by": fields.get("signed-by", ""),
            "check-valid-until": fields.get("check-valid-until", "yes"),
            "trusted": fields.get("trusted", "no"),
        }
        components = tuple(fields.get("components", "").split())
        for url in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                found.append(times.give(_archive(url, suite, components, options, origin)))
    return found


def _archive(
    url: str, suite: str, components: tuple[str, ...], options: Mapping[str, str], origin: str
) -> Archive:
    if options.get("trusted", "no").lower() in _YES:
        raise DistrolessError(
            f"{origin}: trusted=yes: indexes without a signature are not used",
            hint="name the key with signed-by instead",
        )
    if suite.endswith("/") or not components:
        raise DistrolessError(
            f"{origin}: a flat archive (a path in the place of suite and components) is not read"
        )
    keyrings, keys, fingerprints = _signers(options.get("signed-by", ""))
    return Archive(
        url=checked_url(url, origin),
        suite=suite,
        components=components,
        keyrings=keyrings,
        keys=keys,
        fingerprints=fingerprints,
        architectures=tuple(a for a in options.get("arch", "").split(",") if a),
        check_valid_until=options.get("check-valid-until", "yes").lower() not in _NO,
        origin=origin,
    )


def checked_url(url: str, origin: str) -> str:
    """The address of an archive, without a slash at its end.

    Raises DistrolessError for a scheme that is not known, and for a password in it: it would stand
    in locks.
    """
    url = re.sub(r"^(?:copy|mirror\+file):", "file:", url).rstrip("/")
    try:
        parts = urlsplit(url)
        good = parts.scheme in _SCHEMES and bool(parts.hostname or parts.scheme == "file")
        good = good and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise DistrolessError(
            f"{origin}: no address of an archive that can be read: {url}",
            hint="addresses begin with http://, https:// or file:///",
        )
    if "@" in parts.netloc:
        raise DistrolessError(
            f"{origin}: the address of {parts.hostname} has a name or password in it",
            hint="let a proxy or a mirror log in: the address is written into locks",
        )
    return url


def _signers(text: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Signed-By: files, or certificates themselves, or fingerprints."""
    if "-----BEGIN PGP" in text:
        lines = (line.strip() for line in text.strip().split("\n"))
        return (), ("\n".join("" if line == "." else line for line in lines) + "\n",), ()
    words = [word for word in re.split(r"[\s,]+", text) if word]
    files = tuple(word for word in words if word.startswith("/"))
    marks = (w.rstrip("!").lower() for w in words if _FINGERPRINT.match(w))
    fingerprints = tuple(marks)
    if len(files) + len(fingerprints) != len(words):
        raise DistrolessError(f"signed-by is neither a path nor a fingerprint: {text[:100]!r}")
    return files, (), fingerprints


class _Snapshots:
    """Addresses with a time in them that comments name, as those of official images do: older
    states of the archive that the next entry is of.
    """

    def __init__(self) -> None:
        self._found: list[str] = []

    def note(self, comment: str) -> None:
        for match in _ADDRESS.finditer(comment):
            address = match[0].rstrip("/")
            if _TIME.search(address):
                self._found.append(_TIME.sub("/@SNAPSHOTID@", address, count=1))

    def give(self, archive: Archive) -> Archive:
        """``archive`` with the address noted last that is of an archive called the same."""
        from msgspec.structs import replace

        if _TIME.search(archive.url):
            return replace(archive, snapshot=_TIME.sub("/@SNAPSHOTID@", archive.url, count=1))
        last = archive.url.rpartition("/")[2]
        for address in reversed(self._found):
            if f"/{last}/@SNAPSHOTID@" in address:
                return replace(archive, snapshot=address)
        return archive


def _paragraphs(text: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Fields by name in lower case, and the comments between them, of each paragraph."""
    fields: dict[str, str] = {}
    comments: list[str] = []
    field = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            comments.append(line[1:])
        elif not line.strip():
            if fields:
                yield fields, comments
                comments = []
            fields, field = {}, ""
        elif line[0] in " \t":
            if field:
                fields[field] += "\n" + line.strip()
        else:
            name, colon, value = line.partition(":")
            field = name.strip().lower() if colon else ""
            if field:
                fields[field] = value.strip()
