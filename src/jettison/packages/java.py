"""Java archives: what Maven wrote into them, else what their manifest says (JAR specification)."""

from __future__ import annotations

import io
import posixpath
import re
from typing import IO, TYPE_CHECKING

from jettison.packages.control import paragraphs
from jettison.packages.malformed import PackageError, text_of, word
from jettison.packages.model import Package
from jettison.packages.purl import make_purl

if TYPE_CHECKING:
    import zipfile

ARCHIVES = (".jar", ".war", ".ear", ".jpi", ".hpi", ".par", ".sar", ".nar", ".kar", ".lpkg")
_POM = re.compile(r"^META-INF/maven/[^/]+/[^/]+/pom\.properties$")
_FILE_NAME = re.compile(r"^(.+?)[-_]v?(\d[^/]*)$")
_MAX_DEPTH = 4
_MAX_ENTRIES = 200_000
_MAX_TEXT = 4 << 20
_MAX_INNER = 128 << 20
_MAX_WORK = 1 << 30
"""Bytes of inner archives unpacked for one outer one, in all."""


def parse_archive(file: IO[bytes], location: str) -> list[Package]:
    """The packages of an archive and of those within it.

    Their location is ``/app.war!/WEB-INF/lib/inner.jar``. Raises PackageError if it is damaged,
    too large or nested too deep; what inner archives hold that are damaged is left out.
    """
    reader = _Reader()
    reader.read(file, location, 0)
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found: list[Package] = []
        self._work = 0

    def read(self, file: IO[bytes], location: str, depth: int) -> None:
        import zipfile
        import zlib

        if depth > _MAX_DEPTH:
            raise PackageError(f"archives within archives, more than {_MAX_DEPTH} deep")
        try:
            with zipfile.ZipFile(file) as archive:
                self._archive(archive, location, depth)
        except (
            zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, ValueError,
            NotImplementedError, RuntimeError, IndexError, OverflowError,
        ) as error:  # fmt: skip
            raise PackageError(f"{location}: {error}") from None

    def _archive(self, archive: zipfile.ZipFile, location: str, depth: int) -> None:
        entries = archive.infolist()
        if len(entries) > _MAX_ENTRIES:
            raise PackageError(f"{location} has more than {_MAX_ENTRIES} entries")
        poms = [e for e in entries if _POM.match(e.filename)]
        named = [p for e in poms if (p := _from_pom(self._text(archive, e), location))]
        if not named:
            manifest = next((e for e in entries if e.filename == "META-INF/MANIFEST.MF"), None)
            text = self._text(archive, manifest) if manifest is not None else ""
            package = _from_manifest(text, location) if manifest is not None or depth else None
            named = [package] if package is not None else []
        self.found += named
        for entry in entries:
            if entry.filename.lower().endswith(ARCHIVES) and not entry.is_dir():
                self._inner(archive, entry, f"{location}!/{entry.filename}", depth)

    def _inner(
        self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, location: str, depth: int
    ) -> None:
        self._work += entry.file_size
        if entry.file_size > _MAX_INNER or self._work > _MAX_WORK:
            raise PackageError(f"{location} is too large")
        with archive.open(entry) as stream:
            data = stream.read(_MAX_INNER + 1)
        if len(data) > _MAX_INNER:
            raise PackageError(f"{location} is too large")
        self.read(io.BytesIO(data), location, depth + 1)

    def _text(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
        with archive.open(entry) as stream:
            return text_of(stream.read(_MAX_TEXT))


def _from_pom(text: str, location: str) -> Package | None:
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key.strip()] = value.strip()
    group, name = word(found.get("groupId")), word(found.get("artifactId"))
    version = word(found.get("version"))
    return _package(group, name, version, (), location) if name and version else None


def _from_manifest(text: str, location: str) -> Package | None:
    """By the manifest's main section; what it leaves open the file's name may say."""
    main = next(paragraphs(text.replace("\r\n ", "").replace("\n ", "")), {})
    base = posixpath.basename(location).rpartition(".")[0]
    match = _FILE_NAME.match(base)
    symbolic = word(main.get("bundle-symbolicname", "").partition(";")[0])
    version = word(
        (match[2] if match else "")
        or main.get("implementation-version")
        or main.get("bundle-version")
        or main.get("specification-version")
    )
    name = match[1] if match else base
    group = word(main.get("implementation-vendor-id")) or symbolic.rpartition(".")[0]
    licence = word(main.get("bundle-license"))
    licences = (licence,) if licence and "://" not in licence else ()
    return _package(group, name, version, licences, location) if name and version else None


def _package(
    group: str, name: str, version: str, licences: tuple[str, ...], location: str
) -> Package:
    return Package(
        type="maven",
        name=name,
        version=version,
        purl=make_purl("maven", name, version, namespace=group),
        licences=licences,
        locations=(location,),
    )
