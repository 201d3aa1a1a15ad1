"""Every exception jettison raises on purpose.

JettisonError            what the user can mend: one message, no traceback
├── UsageError           the command line is wrong (exit status 2)
├── DockerfileError      the text of a Dockerfile or .dockerignore is wrong
├── PlanError            the Dockerfile is well formed but asks for what cannot be
├── StepError            a step of the build failed
│   └── RunError         the command of a RUN ended with a status other than 0
│       └── OutOfMemoryError   because its memory limit had a process of it killed
├── ArchiveError         a tar or compressed stream is malformed, hostile or truncated
├── PathError            a path in a tree is missing, of the wrong type, or escapes
├── ImageError           a manifest, config or layout is malformed or lies about its digest
├── PackageError         a database or file of a package manager is malformed
├── BinaryError          a program, library or class file is malformed
├── DistrolessError      an image cannot be composed from packages as asked
│   ├── ResolutionError  packages cannot be found, or not together
│   ├── TrustError       an index, package or lock is not what was signed or pinned
│   └── FetchError       an archive of packages is not reached or refuses
├── NotFoundError        an image, tag, blob or record that was asked for is not there
├── StoreError           the store cannot be used (permissions, version, disk full)
├── RegistryError        a registry refused, failed or answered nonsense
│   └── AuthError        it wants other credentials
└── SandboxError         the host cannot run containers as asked
InternalError            a bug in jettison: traceback, and where to report it
Cancelled                the user pressed Ctrl-C (exit status 130)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jettison.model.span import Span


class JettisonError(Exception):
    """Something the user can mend.

    ``hint`` says how, ``span`` where (it carries the source text, so that the error can be shown
    with its line and a caret wherever it is caught).
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, span: Span | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.span = span

    def at(self, span: Span | None) -> JettisonError:
        """Give the error a place, unless it has one already; returns itself for ``raise``."""
        if self.span is None:
            self.span = span
        return self


class UsageError(JettisonError):
    """The command line is wrong."""

    exit_code = 2


class DockerfileError(JettisonError):
    """The text of a Dockerfile or .dockerignore is wrong."""


class PlanError(JettisonError):
    """The Dockerfile is well formed but asks for something that cannot be."""


class StepError(JettisonError):
    """A step of the build failed."""


class RunError(StepError):
    """The command of a RUN ended with a status other than 0.

    ``status`` is the command's exit status, ``tail`` the last lines it wrote, ``log`` the file
    that holds everything it wrote.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        tail: tuple[str, ...] = (),
        log: str | None = None,
        hint: str | None = None,
        span: Span | None = None,
    ) -> None:
        super().__init__(message, hint=hint, span=span)
        self.status = status
        self.tail = tail
        self.log = log


class OutOfMemoryError(RunError):
    """The command failed after the kernel had killed a process of it at its memory limit."""


class ArchiveError(JettisonError):
    """A tar or compressed stream is malformed, hostile or truncated."""


class PathError(JettisonError):
    """A path in a tree is missing, of the wrong type, or leads out of its root."""


class ImageError(JettisonError):
    """A manifest, config or layout is malformed or does not have the digest it should."""


class PackageError(JettisonError):
    """A database or file of a package manager is malformed (`packages.scan` notes it)."""


class BinaryError(JettisonError):
    """A program, library or class file is malformed."""


class DistrolessError(JettisonError):
    """An image cannot be composed from packages as asked."""


class ResolutionError(DistrolessError):
    """Packages cannot be found, or cannot be installed together."""


class TrustError(DistrolessError):
    """An index, a package or a lock is not what was signed or pinned."""


class FetchError(DistrolessError):
    """An archive of packages is not reached, refuses, or breaks off."""


class NotFoundError(JettisonError):
    """An image, tag, blob or record that was asked for is not there."""


class StoreError(JettisonError):
    """The store cannot be used."""


class RegistryError(JettisonError):
    """A registry refused, failed, or answered nonsense."""


class AuthError(RegistryError):
    """A registry wants other credentials."""


class SandboxError(JettisonError):
    """The host cannot run containers as asked."""


class InternalError(Exception):
    """A bug in jettison."""


class Cancelled(BaseException):
    """The user asked to stop; like KeyboardInterrupt it passes ``except Exception``."""
