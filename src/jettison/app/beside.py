"""Attestations beside a tree, for the outputs tar and local: one file each in its root."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from jettison.attest.statement import Predicate, Subject, statement
from jettison.errors import JettisonError, UsageError
from jettison.fs.below import Below
from jettison.fs.tarwrite import walk_tree
from jettison.model.digest import Digest


def statements_of(
    predicates: Sequence[Predicate], tree: Below, *, prefix: str, suffix: str
) -> dict[str, bytes]:
    """Statements about all regular files of ``tree``, by file name.

    ``suffix`` (a platform) stands before the extension of a name. Raises UsageError for a name
    that is none, JettisonError for one that the tree or another statement has.
    """
    if not predicates:
        return {}
    subjects = _subjects(tree)
    found: dict[str, bytes] = {}
    for predicate in predicates:
        stem, extension = os.path.splitext(f"{prefix}{predicate.filename}")
        name = f"{stem}.{suffix}{extension}" if suffix else f"{stem}{extension}"
        if "/" in name or name in ("", ".", ".."):
            raise UsageError(f"{name!r} is no name for the file of an attestation")
        if name in found or tree.lstat(f"/{name}") is not None:
            raise JettisonError(
                f"the attestation {name} would take the place of a file of the image",
                hint="name it otherwise, with attestation-prefix=PREFIX of --output",
            )
        found[name] = statement(predicate, subjects, indent=True)
    return found


def _subjects(tree: Below) -> list[Subject]:
    """Every regular file, by its path without the first slash."""
    found = []
    for name, host, status in walk_tree(tree):
        if status.st_mode & 0o170000 == 0o100000:
            with open(host, "rb", buffering=0) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.append((os.fsdecode(name), Digest(f"sha256:{digest}")))
    return found
