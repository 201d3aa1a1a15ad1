"""Opening a build context: whatever the user names becomes a directory and a Dockerfile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from jettison.errors import JettisonError, NotFoundError, UsageError
from jettison.model.span import SourceText

if TYPE_CHECKING:
    from jettison.plan.giturl import GitUrl

_MAX_DOCKERFILE = 16 << 20  # bytes
_NAMES = ("Dockerfile", "dockerfile")


class BuildContext(Struct, frozen=True):
    """``directory`` holds the files; ``ignore`` is the .dockerignore in force, if any: as in
    BuildKit (dockerui.Client.MainContext) there is none in a context that was fetched or piped.

    ``epoch`` is the time of the context where it has one (a git commit, a file from a server that
    tells), in seconds.
    """

    directory: str
    dockerfile: SourceText
    ignore: SourceText | None
    epoch: int | None = None
    commit: str = ""
    """Of a git context: what was checked out."""
    digest: str = ""
    """Of a context from a URL: that of the file."""
    owners: bool = False
    """The files keep their owners: they come from an archive."""


def open_context(
    context: str,
    dockerfile: str | None,
    *,
    scratch: str,
    stdin: IO[bytes] | None,
    environ: Mapping[str, str],
    keep_git_dir: bool = False,
    keep_owners: bool = False,
) -> BuildContext:
    """Bring the context into a local directory (``scratch`` is free for what is fetched) and read
    the Dockerfile. ``keep_git_dir``: of a git context, the .git directory is part of it.
    ``keep_owners``: files from an archive belong to whom it says, which needs root.

    Raises NotFoundError if either does not exist, UsageError if standard input is wanted for
    both, ArchiveError for a malformed tar.
    """
    if context == "-" and dockerfile == "-":
        raise UsageError("standard input cannot be both the build context and the Dockerfile")
    piped = read_piped(stdin) if dockerfile == "-" else None
    pin = _Pin()
    directory, text = _directory_of(
        context,
        scratch,
        stdin,
        environ,
        keep_git_dir=keep_git_dir,
        keep_owners=keep_owners,
        pin=pin,
    )
    local = directory == context
    epoch = pin.modified
    if _git_url(context) is not None:
        epoch = int(os.stat(directory).st_mtime)
    path = None
    if piped is not None:
        source = SourceText("Dockerfile", piped)
    elif text is not None:  # the context itself was a Dockerfile
        source = SourceText("Dockerfile", text)
    else:
        path = dockerfile_path(directory, dockerfile, local=local)
        # What was fetched may have links that lead out of it.
        text = read_text(path if local else _inside(directory, path))
        source = SourceText(os.path.basename(path), text)
    ignore = ignore_file(directory, path) if local else None
    return BuildContext(
        directory, source, ignore, epoch, pin.commit, pin.digest, owners=not local and keep_owners
    )


class _Pin(Struct):
    """What a fetched context turned out to be; ``modified`` as its server says, in seconds."""

    commit: str = ""
    digest: str = ""
    modified: int | None = None


def materialize(context: str, scratch: str, environ: Mapping[str, str]) -> str:
    """The directory of a named context: a local one as it is, anything else fetched."""
    directory, text = _directory_of(context, scratch, None, environ)
    if text is not None:
        raise JettisonError(f"{context} is a single file, not a directory or an archive")
    return directory


def _directory_of(
    context: str,
    scratch: str,
    stdin: IO[bytes] | None,
    environ: Mapping[str, str],
    *,
    keep_git_dir: bool = False,
    keep_owners: bool = False,
    pin: _Pin | None = None,
) -> tuple[str, str | None]:
    """The context's directory, or an empty one and the Dockerfile's text."""
    if context == "-":
        if stdin is None:
            raise UsageError("there is no standard input to read the build context from")
        return _unpack_or_text(stdin, scratch, owners=keep_owners)
    git = _git_url(context)
    if git is not None:
        return _clone(git, scratch, environ, keep_git_dir=keep_git_dir, pin=pin or _Pin()), None
    if context.lower().startswith(("http://", "https://")):
        from jettison.solve.http import fetch

        with fetch(context) as answer:
            assert answer.body is not None
            hashing = _Hashing(answer.body)
            directory, text = _unpack_or_text(hashing, scratch, owners=keep_owners)
            if pin is not None:
                pin.digest, pin.modified = hashing.finish(), answer.modified
        if text is not None:
            _put_fetched(directory, text)
        return directory, text
    if os.path.isdir(context):
        return context, None
    if os.path.isfile(context):
        with open(context, "rb") as stream:
            directory, text = _unpack_or_text(stream, scratch, owners=keep_owners)
        if text is not None:
            raise JettisonError(
                f"{context} is neither a directory nor a tar archive",
                hint="give the Dockerfile with -f and a directory as context",
            )
        return directory, None
    raise NotFoundError(f"path {context!r} not found", hint="the build context is a directory")


class _Hashing:
    """Passes a stream on and hashes it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """The digest of the whole: what nobody wanted to read counts too."""
        while self.read(1 << 20):
            pass
        return f"sha256:{self._hash.hexdigest()}"


def _put_fetched(directory: str, text: str) -> None:
    """A Dockerfile that was fetched is the one file of its context, as in BuildKit."""
    path = os.path.join(directory, "context")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def _unpack_or_text(
    stream: IO[bytes] | _Hashing, scratch: str, *, owners: bool
) -> tuple[str, str | None]:
    from jettison.fs.archive import unpack_context
    from jettison.fs.peek import Peekable

    os.makedirs(scratch, exist_ok=True)
    peekable = Peekable(stream)
    if peekable.looks_like_archive():
        unpack_context(peekable, scratch, owners=owners)
        return scratch, None
    return scratch, _decode(peekable.read(_MAX_DOCKERFILE + 1), "Dockerfile")


def _git_url(context: str) -> GitUrl | None:
    """The repository ``context`` names; a path that exists is never one."""
    if os.path.exists(context):
        return None
    from jettison.plan.giturl import find_git_url, parse_git_url

    return parse_git_url(context) if context.startswith("github.com/") else find_git_url(context)


def _clone(
    git: GitUrl, scratch: str, environ: Mapping[str, str], *, keep_git_dir: bool, pin: _Pin
) -> str:
    """Check the repository out into ``scratch``, everything dated at the commit."""
    from jettison.solve.git import Repository

    os.makedirs(scratch, exist_ok=True)
    repository = Repository(git.url, environ)
    commit = repository.commit_of(git.ref)
    if git.checksum and not commit.startswith(git.checksum):
        raise JettisonError(f"expected checksum to match {git.checksum}, got {commit}")
    pin.commit = repository.checkout(
        commit,
        git.ref,
        scratch,
        subdir=git.subdir,
        keep_git_dir=keep_git_dir if git.keep_git_dir is None else git.keep_git_dir,
        submodules=git.submodules is not False,
    )
    return scratch


def dockerfile_path(directory: str, dockerfile: str | None, *, local: bool) -> str:
    """The Dockerfile of a context; ``local`` unless the context was fetched.

    Raises NotFoundError if there is none.
    """
    if dockerfile is not None:
        # As with docker: relative to the working directory, but inside a fetched context.
        path = dockerfile if local else os.path.join(directory, dockerfile.lstrip("/"))
        head, name = os.path.split(path)
        # BuildKit reads ``dockerfile`` if ``Dockerfile`` is asked for and absent.
        candidates = [path, os.path.join(head, _NAMES[1])] if name == _NAMES[0] else [path]
    else:
        candidates = [os.path.join(directory, name) for name in _NAMES]
    for path in candidates:
        if os.path.isfile(path if local else _inside(directory, path)):
            return path
    raise NotFoundError(
        f"failed to read dockerfile: open {candidates[0]}: no such file or directory",
        hint="name it with -f, or run the build where it is",
    )


def _inside(directory: str, path: str) -> str:
    """The file that ``path`` leads to, links followed inside ``directory``: somebody else's."""
    from jettison.fs.context import ContextTree

    tree = ContextTree(directory)
    return tree.root + tree.resolve("/" + os.path.relpath(path, directory))


def ignore_file(directory: str, dockerfile: str | None, *, local: bool = True) -> SourceText | None:
    """``<Dockerfile>.dockerignore`` beside the Dockerfile, else the context's .dockerignore."""
    paths = [os.path.join(directory, ".dockerignore")]
    if dockerfile is not None:
        paths.insert(0, dockerfile + ".dockerignore")
    for path in paths:
        real = path if local else _inside(directory, path)
        if os.path.isfile(real):
            return SourceText(os.path.basename(path), read_text(real))
    return None


def read_text(path: str) -> str:
    """A Dockerfile's or ignore file's text. Raises NotFoundError if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return _decode(stream.read(_MAX_DOCKERFILE + 1), path)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from None


def read_piped(stdin: IO[bytes] | None) -> str:
    """The Dockerfile on standard input. Raises UsageError if there is none."""
    if stdin is None:
        raise UsageError("there is no standard input to read the Dockerfile from")
    return _decode(stdin.read(_MAX_DOCKERFILE + 1), "the Dockerfile on standard input")


def _decode(data: bytes, name: str) -> str:
    if len(data) > _MAX_DOCKERFILE:
        raise JettisonError(f"{name} is larger than {_MAX_DOCKERFILE >> 20} MiB")
    return data.decode("utf-8", "surrogateescape")
