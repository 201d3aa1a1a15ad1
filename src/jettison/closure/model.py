"""What a closure is made from, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    from jettison.closure.world import File, World


class Launch(Struct, frozen=True, kw_only=True):
    """How a container starts: the words executed, the environment, the working directory.

    ``also`` are command lines that are executed in it besides, each with what it is
    (``the health check``).
    """

    argv: tuple[str, ...] = ()
    also: tuple[tuple[str, tuple[str, ...]], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"

    def variable(self, name: str, default: str = "") -> str:
        """The value of an environment variable; the last setting counts."""
        return next((v for n, v in reversed(self.env) if n == name), default)


class Options(Struct, frozen=True, kw_only=True):
    """What may be left out, and what is wanted besides.

    ``prune`` is ``package`` (interpreters come with their whole library, distributions whole) or
    ``file`` (only modules that can be reached by imports). ``charsets`` of ``common`` brings the
    usual modules of iconv where iconv is used, ``all`` brings every one, ``none`` none.
    ``time_zones`` brings all time zones whether or not anything seems to ask for them.
    """

    prune: str = "package"
    charsets: str = "common"
    time_zones: bool = False


class Need(Struct, frozen=True, kw_only=True):
    """That a path is needed.

    ``by`` is who needs it (the file the rule was asked about, if empty). ``below`` takes
    everything below a directory; ``leave`` are paths in it that are left out. ``optional``: nobody
    misses it if it is not there. ``weak``: what it needs in turn and is missing is a note, not an
    error, since the program also runs without (plug-ins, what dlopen may load).
    """

    path: str
    reason: str
    by: str = ""
    below: bool = False
    leave: tuple[str, ...] = ()
    optional: bool = False
    weak: bool = False


class Gap(Struct, frozen=True, kw_only=True):
    """Something needed that is not there. ``what`` is its name or path, ``by`` the file that needs
    it, ``hint`` says how to mend it. ``fatal``: the program will not work without.
    """

    what: str
    by: str
    rule: str
    message: str
    hint: str = ""
    fatal: bool = True
    key: str = ""
    """What tells the same gap found twice; the library's name where one is looked for."""


class Rule(Struct, frozen=True, kw_only=True):
    """One way in which files need others. ``catches`` and ``misses`` are sentences.

    ``needs`` is asked once about every file of the closure, and must not mind what it is.
    """

    name: str
    summary: str
    catches: tuple[str, ...]
    misses: tuple[str, ...]
    needs: Callable[[File, World], Iterable[Need | Gap]]


class Reason(Struct, frozen=True, order=True):
    """Why a path is in: a ``rule`` says that the file ``by`` needs it (empty: the launch does)."""

    by: str
    rule: str
    text: str
    weak: bool = False


class Closure(Struct, frozen=True, kw_only=True):
    """Files and symbolic links, each with its reasons, the first found first; what is missing.

    ``needs_cache`` are libraries that ld.so finds only through ``/etc/ld.so.cache``: an image made
    of these files needs one.
    """

    items: Mapping[str, tuple[Reason, ...]]
    gaps: tuple[Gap, ...] = ()
    needs_cache: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Gap, ...]:
        return tuple(gap for gap in self.gaps if gap.fatal)

    def chain(self, path: str) -> tuple[tuple[str, Reason], ...]:
        """The shortest way from ``path`` up to the launch: each path with the reason it is there,
        such first without which nothing works. Empty if the path is not in the closure.
        """
        import heapq

        best: dict[str, tuple[str, Reason] | None] = {path: None}
        pending = [(0, 0, path)]
        number = 0
        while pending:
            cost, _, place = heapq.heappop(pending)
            if not place:
                return _followed(best)
            for reason in self.items.get(place, ()):
                if reason.by not in best:
                    number += 1
                    best[reason.by] = (place, reason)
                    heapq.heappush(
                        pending, (cost + (1000 if reason.weak else 1), number, reason.by)
                    )
        return ()


def _followed(best: Mapping[str, tuple[str, Reason] | None]) -> tuple[tuple[str, Reason], ...]:
    """The steps from the path that was asked for to the launch, which is ``""``."""
    found = []
    step = best[""]
    while step is not None:
        found.append(step)
        step = best[step[0]]
    return tuple(reversed(found))
