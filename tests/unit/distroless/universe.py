"""Small archives made of a few lines: paragraphs without what does not matter."""

from __future__ import annotations

import io
from pathlib import Path

from jettison.distroless.index import Index, write_index
from jettison.packages.debindex import read_index


def index_of(directory: Path, *texts: str, architecture: str = "amd64") -> Index:
    """An index of several archives, each a text: a paragraph for each package.

    ``NAME VERSION`` begins a paragraph, its fields follow, a line each.
    """
    parts = []
    for number, text in enumerate(texts):
        path = directory / f"index-{number}-{len(list(directory.iterdir()))}"
        write_index(read_index(io.BytesIO(packages_file(text))), path)
        parts.append((number, path))
    return Index(architecture, parts)


def packages_file(text: str) -> bytes:
    """The Packages file that ``text`` is short for."""
    paragraphs = []
    for block in text.strip().split("\n\n"):
        head, *fields = (line.strip() for line in block.strip().split("\n"))
        name, _, version = head.partition(" ")
        version = version or "1"
        if not any(field.startswith("Architecture:") for field in fields):
            fields.append("Architecture: amd64")
        paragraphs.append(
            "\n".join(
                [
                    f"Package: {name}",
                    f"Version: {version}",
                    *fields,
                    f"Filename: pool/{name}_{version}.deb",
                    "Size: 10",
                    f"SHA256: {'0' * 64}",
                ]
            )
        )
    return ("\n\n".join(paragraphs) + "\n").encode()
