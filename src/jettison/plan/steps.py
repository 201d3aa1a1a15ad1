"""The step graph: one frozen struct per kind of step.

Every field of a step is part of its identity; `solve.keys` derives the cache key from
the fields of its struct, replacing a step that stands in a field by that step's own key. What must
not change identity (names, spans, proxy values) lives in `StepInfo`, beside the graph. Steps
compare by object, so that a graph can be walked without comparing it field by field; equal steps
meet again by their keys.

A root of None is the empty file system of ``FROM scratch``.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from jettison.model.digest import Digest
from jettison.model.oci import ImageConfig
from jettison.model.platform import Platform
from jettison.model.source import ResolvedImage
from jettison.model.span import Span


class Step(Struct, frozen=True, eq=False, kw_only=True):
    """Base of all steps."""

    def inputs(self) -> Iterator[Step]:
        """The steps this one reads, in field order; a step may come twice."""
        for name in self.__struct_fields__:
            yield from _steps_in(getattr(self, name))


def _steps_in(value: object) -> Iterator[Step]:
    if isinstance(value, Step):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _steps_in(item)
    elif isinstance(value, PathSource | BindMount | CacheMount):
        yield from _steps_in(value.step)


class Source(Step, frozen=True, eq=False, kw_only=True):
    """The file system of an image, known by its layers (BuildPlan.images says where it is)."""

    diff_ids: tuple[Digest, ...]


class Local(Step, frozen=True, eq=False, kw_only=True):
    """A directory of the client: the build context (name ``context``) or a named one.

    It has no key of its own: whatever selects files from it is keyed by what it selects.
    """

    name: str
    owners: bool = False
    """Its files keep their owners (an archive's); else those mean nothing, and become 0:0."""


class Http(Step, frozen=True, eq=False, kw_only=True):
    """A file fetched from a URL; its tree holds that one file, named ``filename``."""

    url: str
    filename: str
    checksum: Digest | None = None


class Git(Step, frozen=True, eq=False, kw_only=True):
    """A checkout: ``ref`` is what is written after ``#`` (empty: the default branch)."""

    url: str
    ref: str = ""
    subdir: str = ""
    keep_git_dir: bool = False
    checksum: str = ""
    submodules: bool = True


class PathSource(Struct, frozen=True, kw_only=True):
    """``path`` (may hold wildcards if ``wildcard``) in the tree of ``step`` (None: empty)."""

    step: Step | None
    path: str
    wildcard: bool = True
    unpack: bool = False
    """Unpack the files among the matches that are archives (ADD)."""
    reset_owner: bool = False
    """Owners become 0:0, as for build contexts, rather than being kept, as for stages."""


class FileSource(Struct, frozen=True, kw_only=True):
    """A file given in the Dockerfile itself (a here-document)."""

    name: str
    content: bytes
    mode: int = 0o644


class Copy(Step, frozen=True, eq=False, kw_only=True):
    """COPY or ADD of any number of sources onto ``root``.

    ``dest`` is absolute; a trailing slash (or ``/.``) is kept, since it says that the destination
    is a directory. ``chown`` is the expanded text (names are looked up in ``root`` when the step
    runs), ``chmod`` an octal number or symbolic modes.
    """

    root: Step | None
    sources: tuple[PathSource | FileSource, ...]
    dest: str
    chown: str | None = None
    chmod: str | None = None
    parents: bool = False
    exclude: tuple[str, ...] = ()
    link: bool = False
    """The result may be laid on any root (COPY --link), so it shares no file with other layers."""


class Merge(Step, frozen=True, eq=False, kw_only=True):
    """The layers of ``upper`` (made on an empty root) laid on those of ``root``: COPY --link."""

    root: Step | None
    upper: Step


class Mkdir(Step, frozen=True, eq=False, kw_only=True):
    """WORKDIR: make ``path`` and its missing parents, owned by ``user`` (text of USER)."""

    root: Step | None
    path: str
    user: str = ""
    mtime: int | None = None
    """Seconds since the epoch for the directories made; None: now."""


class BindMount(Struct, frozen=True, kw_only=True):
    target: str
    step: Step | None
    source: str = "/"
    read_only: bool = True


class CacheMount(Struct, frozen=True, kw_only=True):
    target: str
    id: str
    sharing: str = "shared"
    """shared, locked or private."""
    step: Step | None = None
    """Seeds a new cache, from ``source`` in it."""
    source: str = "/"
    read_only: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o755


class TmpfsMount(Struct, frozen=True, kw_only=True):
    target: str
    size: int = 0
    """Bytes; 0: the kernel's default."""
    read_only: bool = False


class SecretMount(Struct, frozen=True, kw_only=True):
    """``target`` None: no file; ``env`` None: no variable."""

    id: str
    target: str | None
    env: str | None = None
    required: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o400


class SshMount(Struct, frozen=True, kw_only=True):
    id: str
    target: str
    required: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o600


RunMount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount


class Ulimit(Struct, frozen=True, kw_only=True):
    name: str
    soft: int
    hard: int


class Run(Step, frozen=True, eq=False, kw_only=True):
    """One command in a container on ``root``; its result is what it changed there.

    ``env`` is complete but for HOME, which follows the user unless set. ``files`` are written to
    /dev/pipes/ (RUN with a ``#!`` here-document). ``extra_hosts`` are ``name``, ``address``.
    """

    root: Step | None
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    cwd: str
    user: str = ""
    mounts: tuple[RunMount, ...] = ()
    files: tuple[FileSource, ...] = ()
    network: str = "default"
    """default, none or host."""
    insecure: bool = False
    hostname: str = "buildkitsandbox"
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    """Bytes of /dev/shm; 0: 64 MiB."""
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    platform: Platform


class StepInfo(Struct, frozen=True, kw_only=True):
    """What is told about a step, and what it needs that is no part of its identity."""

    name: str
    """As the progress view shows it: ``[build 2/5] RUN make``."""
    span: Span | None = None
    ignore_cache: bool = False
    proxy: tuple[tuple[str, str], ...] = ()
    """Proxy variables for RUN, which must not change the cache key."""


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One new line of the image's history; ``step`` makes its layer, None for an empty one."""

    created_by: str
    step: Step | None = None
    comment: str = "buildkit.dockerfile.v0"


class ImagePlan(Struct, frozen=True, kw_only=True):
    """What one platform of a build becomes.

    ``config`` holds everything but rootfs, created and the new part of the history, which are
    known only after solving; its ``history`` is the base image's. ``root`` None is an image
    without layers.
    """

    platform: Platform
    root: Step | None
    config: ImageConfig
    history: tuple[HistoryEntry, ...]
    base: ResolvedImage | None
    epoch: int | None = None
    """SOURCE_DATE_EPOCH in seconds, if the build asked for one."""
    scans: tuple[tuple[str, Step], ...] = ()
    """What an SBOM describes besides the image, by name: stages and the build context."""


class BuildPlan(Struct, frozen=True, kw_only=True):
    """All images of one build, and what must be known about the steps they need."""

    images: tuple[ImagePlan, ...]
    infos: dict[Step, StepInfo]
    sources: dict[tuple[Digest, ...], ResolvedImage]
    """The images behind the Source steps, by their diff IDs."""
    multi_platform: bool = False
    """The result is an index, also if it is of one platform."""
