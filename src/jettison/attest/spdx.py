"""An SBOM as SPDX 2.3 in JSON (spdx/spdx-spec, v2.3), in the shape of BuildKit's scanner, syft."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from jettison import __version__
from jettison.attest.inventory import File, Inventory, outer
from jettison.attest.statement import printable
from jettison.model.digest import Digest
from jettison.packages.licences import expression
from jettison.packages.model import Note, Package

_UNFIT = re.compile(r"[^A-Za-z0-9.-]+")
_MAIL = re.compile(r"\s*<([^<>]*)>")
_KEEPERS = {"deb": "Person", "apk": "Person", "rpm": "Organization"}
_SOURCES = {
    "deb": "DPKG DB",
    "apk": "APK DB",
    "rpm": "RPM DB",
    "pypi": "installed python package manifest file",
    "npm": "installed node module manifest file",
    "maven": "installed java archive",
    "golang": "go module information",
    "cargo": "rust cargo manifest",
}
_ROOT = "SPDXRef-DocumentRoot-Directory"
LayerOf = Callable[[str], Digest | None]
"""The blob that holds a file, by the file's path on the host."""


class Subject(Struct, frozen=True):
    """What a document is about: its name, a text that no other document's subject has, and the
    time (RFC 3339, whole seconds) the document is dated.
    """

    name: str
    identity: str
    created: str


def document(inventory: Inventory, subject: Subject, layer_of: LayerOf) -> dict[str, Any]:
    """The SPDX document. It is equal for equal arguments."""
    packages = inventory.catalogue.packages
    extracted: dict[str, str] = {}
    listed = [_package(package, extracted) for package in packages]
    files = {file.path: file for file in inventory.files.values()}
    found: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": subject.name,
        "documentNamespace": _namespace(subject),
        "creationInfo": {
            "creators": ["Organization: jettison", f"Tool: jettison-{__version__}"],
            "created": subject.created,
        },
        "packages": [*listed, _root(subject)],
        "files": [_file(files[path], layer_of) for path in sorted(files)],
        "relationships": list(_relationships(inventory)),
    }
    if inventory.catalogue.notes:
        found["comment"] = _comment(inventory.catalogue.notes)
    if extracted:
        found["hasExtractedLicensingInfos"] = [
            {"licenseId": name, "extractedText": printable(text), "name": printable(text)}
            for name, text in sorted(extracted.items())
        ]
    return found


def _namespace(subject: Subject) -> str:
    """A URI no other document has, and the same whenever the same is documented."""
    unique = uuid.uuid5(uuid.NAMESPACE_URL, f"{subject.identity} {subject.name} {subject.created}")
    return f"https://spdx.org/spdxdocs/{_UNFIT.sub('-', subject.name)}-{unique}"


def _comment(notes: tuple[Note, ...]) -> str:
    lines = (f"not catalogued: {printable(note.path)}: {note.reason}" for note in notes)
    return "\n".join(lines)


def _root(subject: Subject) -> dict[str, Any]:
    return {
        "name": subject.name,
        "SPDXID": _ROOT,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "FILE",
    }


def _package(package: Package, extracted: dict[str, str]) -> dict[str, Any]:
    declared, references = expression(package.licences)
    extracted.update(references)
    found = {
        "name": package.name,
        "SPDXID": package_id(package),
        "versionInfo": package.version,
        "supplier": _supplier(package),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "sourceInfo": f"acquired package info from {_SOURCES[package.type]}: "
        + ", ".join(map(printable, package.locations)),
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": declared,
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package.purl,
            }
        ],
    }
    if not package.version:
        del found["versionInfo"]
    return found


def package_id(package: Package) -> str:
    return f"SPDXRef-Package-{package.type}-{_UNFIT.sub('-', package.name)}-{_short(package.purl)}"


def _supplier(package: Package) -> str:
    if not package.supplier:
        return "NOASSERTION"
    kind = _KEEPERS.get(package.type, "Person")
    return f"{kind}: " + _MAIL.sub(r" (\1)", package.supplier).strip()


def _file(file: File, layer_of: LayerOf) -> dict[str, Any]:
    found: dict[str, Any] = {
        "fileName": printable(file.path),
        "SPDXID": _file_id(file),
        "checksums": [
            {"algorithm": "SHA1", "checksumValue": file.sha1},
            {"algorithm": "SHA256", "checksumValue": file.sha256},
        ],
        "licenseConcluded": "NOASSERTION",
        "licenseInfoInFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
    }
    layer = layer_of(file.real)
    if layer is not None:
        found["comment"] = f"layerID: {layer}"
    return found


def _file_id(file: File) -> str:
    return f"SPDXRef-File-{_UNFIT.sub('-', file.path.rpartition('/')[2])}-{_short(file.path)}"


def _relationships(inventory: Inventory) -> Iterator[dict[str, str]]:
    yield _related("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT)
    for package in inventory.catalogue.packages:
        own = package_id(package)
        yield _related(_ROOT, "CONTAINS", own)
        evidence = dict.fromkeys(map(outer, package.locations))
        for path in evidence:
            if path in inventory.files:
                yield {
                    **_related(own, "OTHER", _file_id(inventory.files[path])),
                    "comment": "evident-by: indicates the package's existence is evident by the"
                    " given file",
                }
        owned = (inventory.files[path] for path in package.files if path in inventory.files)
        for identifier in dict.fromkeys(map(_file_id, owned)):
            yield _related(own, "CONTAINS", identifier)


def _related(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relatedSpdxElement": other, "relationshipType": kind}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
