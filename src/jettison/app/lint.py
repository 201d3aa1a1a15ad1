"""``jettison lint``: from paths to findings, and mended files."""

from __future__ import annotations

import contextlib
import os
import platform as host
import tempfile
from collections.abc import Iterator
from typing import IO

from msgspec import Struct, field

from jettison.app.context import dockerfile_path, ignore_file, read_piped, read_text
from jettison.errors import JettisonError, NotFoundError, UsageError
from jettison.fs.patterns import PatternList, read_ignorefile
from jettison.lint.engine import Linter, Result, Selection
from jettison.lint.view import Context
from jettison.model.platform import Platform, make_platform
from jettison.plan.options import PlanOptions
from jettison.report.rules import at_least

STDIN = "<stdin>"


class LintRequest(Struct, frozen=True, kw_only=True):
    """What one ``jettison lint`` asks for.

    ``path`` is a build context (a directory), a Dockerfile, or ``-`` for a Dockerfile on standard
    input. ``files`` are Dockerfiles of that context; none means the one in it.
    """

    path: str = "."
    files: tuple[str, ...] = ()
    build_args: dict[str, str] = field(default_factory=dict)
    target: str = ""
    platforms: tuple[Platform, ...] = ()
    selection: Selection = field(default_factory=Selection)
    fix: bool = False
    stdin: IO[bytes] | None = None


class Linted(Struct, frozen=True):
    """A Dockerfile, what is wrong with it, and its text mended (``text`` itself if unasked)."""

    name: str
    path: str | None
    text: str
    result: Result
    fixed: str

    def fails(self, severity: str) -> bool:
        """Whether a finding is at least as severe; with ``# check=error=true`` a warning is."""
        if self.result.strict and severity == "error":
            severity = "warning"
        return at_least(self.result.findings, severity)


def lint(request: LintRequest) -> Iterator[Linted]:
    """Check each Dockerfile. With ``fix`` the result is that of the mended text; nothing is
    written. The network is not asked, nor is the store.

    Raises NotFoundError for a file that is not there, UsageError for a path that is not local.
    """
    for directory, path in _files(request):
        text = read_piped(request.stdin) if path is None else read_text(path)
        name = STDIN if path is None else path
        linter = _linter(request, directory, path)
        fixed = linter.fix(text, name) if request.fix else text
        yield Linted(name, path, text, linter.lint(fixed, name), fixed)


def write_fixed(linted: Linted) -> None:
    """Put the mended text in place of the file at once, with its mode and owner; links stay links.

    Raises JettisonError if that is not possible.
    """
    assert linted.path is not None
    path = os.path.realpath(linted.path)
    data = linted.fixed.encode("utf-8", "surrogateescape")
    temporary = None
    try:
        before = os.stat(path)
        handle, temporary = tempfile.mkstemp(prefix=".lint-", dir=os.path.dirname(path))
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            with contextlib.suppress(PermissionError):  # only root may give files away
                os.fchown(stream.fileno(), before.st_uid, before.st_gid)
            os.fchmod(stream.fileno(), before.st_mode & 0o7777)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise JettisonError(f"cannot write {linted.path}: {error.strerror}") from None


def _files(request: LintRequest) -> list[tuple[str | None, str | None]]:
    """Each Dockerfile (None: standard input) with the directory that is its context, if known."""
    path, files = request.path, request.files
    if path == "-":
        if files:
            raise UsageError("with -, the Dockerfile is standard input: leave out -f")
        return [(None, None)]
    if os.path.isfile(path):
        if files:
            hint = "give the build context, and the Dockerfiles with -f"
            raise UsageError(f"{path} is a file: it cannot be combined with -f", hint=hint)
        return [(os.path.dirname(path) or ".", path)]
    if "://" in path:
        raise UsageError(
            f"cannot check {path}", hint="only local files are checked: fetch it first"
        )
    if not os.path.isdir(path):
        raise NotFoundError(f"path {path!r} not found")
    if not files:
        return [(path, os.path.normpath(dockerfile_path(path, None, local=True)))]
    return [
        (path, None if file == "-" else dockerfile_path(path, file, local=True)) for file in files
    ]


def _linter(request: LintRequest, directory: str | None, path: str | None) -> Linter:
    ignore, context = None, Context()
    if directory is not None:
        source = ignore_file(directory, path)
        ignore = read_ignorefile(source) if source is not None else None
        context = Context(ignored=source is not None, visible=_visible(directory, ignore))
    options = PlanOptions(
        build_platform=make_platform("linux", host.machine()),
        platforms=request.platforms,
        build_args=request.build_args,
        target=request.target,
        ignore=ignore,
    )
    return Linter(options=options, selection=request.selection, context=context)


def _visible(directory: str, ignore: PatternList | None) -> frozenset[str]:
    """The names at the top of a context that a build sees."""
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise NotFoundError(f"cannot read {directory}: {error.strerror}") from None
    return frozenset(n for n in names if ignore is None or not ignore.matches(n))
