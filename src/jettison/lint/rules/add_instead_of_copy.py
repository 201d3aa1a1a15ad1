"""AddInsteadOfCopy."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from jettison.dockerfile.instructions import Copy
from jettison.errors import JettisonError
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View
from jettison.plan.giturl import find_git_url

_ARCHIVE = re.compile(
    r"\.(?:tar|tgz|tbz2?|txz|tzst|tlz|taz|tz2|gz|bz2|xz|zst|lz|lzma|z)$", re.IGNORECASE
)


def _check(view: View) -> Iterator[Problem]:
    for stage in view.stages:
        for instruction in stage.instructions:
            if isinstance(instruction, Copy) and instruction.add and _only_copies(instruction):
                node = instruction.node
                assert node is not None
                word = "COPY" if node.keyword.value.isupper() else "copy"
                sure = all(_is_sure(source) for source in instruction.sources)
                yield Problem(
                    instruction=instruction,
                    message="ADD copies plain files here, which is what COPY does",
                    help="use COPY: ADD also unpacks archives and fetches addresses",
                    evidence=instruction.text,
                    edits=view.places.replace(node, node.keyword, word) if sure else (),
                )


def _only_copies(add: Copy) -> bool:
    """Whether ADD does nothing here that COPY does not."""
    if add.keep_git_dir is not None or add.checksum is not None or add.unpack is not None:
        return False
    return all(
        position in add.heredocs or _is_plain(source) for position, source in enumerate(add.sources)
    )


def _is_plain(source: str) -> bool:
    if "$" in source or "://" in source or _ARCHIVE.search(source):
        return False
    if re.search(r"[*?\[]", source) and not _is_sure(source):
        return False  # the pattern may match an archive
    try:
        return find_git_url(source) is None
    except JettisonError:
        return False


def _is_sure(source: str) -> bool:
    """Whether the name says that it is no archive: a directory, or a file of another type."""
    if source.endswith(("/", "/.")) or source == "." or source.startswith("<<"):
        return True
    _, dot, suffix = posixpath.basename(source).rpartition(".")
    return bool(dot) and re.fullmatch(r"[A-Za-z]\w*", suffix) is not None


RULE = Rule(
    code="AddInsteadOfCopy",
    severity="warning",
    summary="ADD is used where COPY does the same",
    why="""\
ADD unpacks a file that turns out to be an archive, and fetches a source that looks like an
address. Whoever reads ADD has to find out whether that is meant; COPY says that it is not.""",
    catches=(
        "ADD whose sources are local files or directories that are no archives by their names.",
    ),
    misses=(
        "Sources with variables, and patterns that might match an archive.",
        "`--fix` leaves alone files without a suffix: they might be archives by content.",
    ),
    before="""\
FROM debian:12-slim
ADD app.conf /etc/app.conf
""",
    after="""\
FROM debian:12-slim
COPY app.conf /etc/app.conf
""",
    check=_check,
    fixable=True,
)
