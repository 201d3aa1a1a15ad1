"""Real Dockerfiles: those of the repository, of the conformance corpus, and of $DOCKERFILES."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFORMANCE = Path(os.environ.get("CONFORMANCE", ROOT.parent / "shared" / "conformance"))
FOLDERS = (
    ROOT / "tests" / "conformance" / "cases",
    ROOT / "tests" / "golden",
    ROOT / "examples",
    CONFORMANCE / "cases",
)
_NAME = re.compile(r"(?i).*dockerfile.*(?<!\.dockerignore)")


def dockerfiles(folder: Path) -> list[Path]:
    """The files below ``folder`` that are called like Dockerfiles, links not followed."""
    found: list[Path] = []
    for top, folders, names in os.walk(folder):
        folders.sort()
        found += (Path(top, name) for name in sorted(names) if _NAME.fullmatch(name))
    return [path for path in found if path.is_file() and not path.is_symlink()]


@cache
def own() -> tuple[Path, ...]:
    """Those of the repository and of the conformance corpus (which may be absent)."""
    return tuple(path for folder in FOLDERS for path in dockerfiles(folder))


@cache
def given() -> tuple[Path, ...]:
    """Those below the folder that $DOCKERFILES names; none if it is not set."""
    folder = os.environ.get("DOCKERFILES")
    return tuple(dockerfiles(Path(folder))) if folder else ()


def read(path: Path) -> str:
    """A Dockerfile's text as jettison reads it: bytes that are not UTF-8 become surrogates."""
    return path.read_bytes().decode("utf-8", "surrogateescape")
