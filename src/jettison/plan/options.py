"""What planning is asked for besides the Dockerfile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from jettison.errors import JettisonError
from jettison.model.platform import Platform
from jettison.model.reference import parse_reference
from jettison.plan.steps import Git, Http, Ulimit

if TYPE_CHECKING:
    from jettison.fs.patterns import PatternList

NETWORK_HOST = "network.host"
SECURITY_INSECURE = "security.insecure"


class NamedImage(Struct, frozen=True):
    """``reference`` is what the ImageSource is asked for: an image reference, or any other name
    the ImageSource in use understands (an OCI layout, say).
    """

    reference: str


class NamedScratch(Struct, frozen=True):
    """The empty file system (``docker-image://scratch``)."""


class NamedLocal(Struct, frozen=True):
    """A directory; ``name`` becomes that of its `Local` step."""

    name: str


class NamedGit(Struct, frozen=True):
    """A git repository; ``url`` as written, with its ``#ref:subdir``."""

    url: str


class NamedHttp(Struct, frozen=True):
    """One file fetched from ``url``, which stands as ``/context`` in an empty tree."""

    url: str


NamedContext = NamedImage | NamedScratch | NamedLocal | NamedGit | NamedHttp


class PlanOptions(Struct, frozen=True, kw_only=True):
    """Options of one build, as data.

    ``platforms`` are those asked for (none: the build platform, and the result keeps what its
    base image says). ``no_cache`` None: use the cache; (): ignore it in all stages; names: in
    these stages. ``contexts`` are the named contexts by name, perhaps ``name::platform``.
    ``ignore`` are the patterns of .dockerignore; they serve to warn only. ``context_epoch`` is the
    time of the build context in seconds (that of a git commit), which ``SOURCE_DATE_EPOCH=context``
    stands for; ``context_owners``: its files keep their owners. ``epoch_of`` gives the time of a
    remote source. ``all_stages``: plan also the stages the target does not need, to check them.
    """

    build_platform: Platform
    platforms: tuple[Platform, ...] = ()
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, NamedContext] = field(default_factory=dict)
    no_cache: tuple[str, ...] | None = None
    network: str = "default"
    add_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    entitlements: frozenset[str] = frozenset()
    ignore: PatternList | None = None
    context_epoch: int | None = None
    context_owners: bool = False
    epoch_of: Callable[[Git | Http], int | None] | None = None
    all_stages: bool = False

    @property
    def implicit_platform(self) -> bool:
        """Whether nobody said which platform the result is for."""
        return not self.platforms

    @property
    def target_platforms(self) -> tuple[Platform, ...]:
        return self.platforms or (self.build_platform,)

    def ignores_cache(self, stage: str | None) -> bool:
        if not self.no_cache:
            return self.no_cache is not None
        return any(name.lower() == (stage or "").lower() for name in self.no_cache)

    def named_context(self, name: str, platform: Platform) -> tuple[str, NamedContext] | None:
        """The named context that stands for ``name`` (a stage or an image), and its key.

        Names compare as image references: ``debian``, ``debian:latest`` and
        ``docker.io/library/debian`` are one. A key ``name::platform`` goes before ``name``.
        ``scratch`` and ``context`` cannot be replaced.
        """
        if not self.contexts or name.lower() in ("scratch", "context"):
            return None
        wanted = _familiar(name)
        for key in (f"{wanted}::{platform}", wanted):
            for given, value in self.contexts.items():
                if _normal_key(given) == key:
                    return given, value
        return None


def _normal_key(key: str) -> str:
    name, colons, platform = key.partition("::")
    return _familiar(name) + colons + platform


def _familiar(name: str) -> str:
    try:
        return parse_reference(name).familiar.removesuffix(":latest")
    except JettisonError:
        return name
