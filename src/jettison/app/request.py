"""What a build is asked for: `docker build`'s options as data."""

from __future__ import annotations

from typing import IO

from msgspec import Struct, field

from jettison.attest.options import ProvenanceOptions
from jettison.model.digest import Digest
from jettison.model.platform import Platform
from jettison.plan.steps import Ulimit
from jettison.sandbox.limits import Limits


class Output(Struct, frozen=True):
    """One ``--output``: ``type`` is oci, docker, tar, local, image or registry.

    ``dest`` is a path, ``-`` for standard output, or None (type image needs none). ``options``
    are the remaining key=value pairs as written (``compression``, ``push``, ``name`` …).
    """

    type: str
    dest: str | None = None
    options: dict[str, str] = field(default_factory=dict)


class SecretSpec(Struct, frozen=True):
    """One ``--secret``: the value is in file ``path`` or in environment variable ``env``."""

    id: str
    path: str | None = None
    env: str | None = None


class SshSpec(Struct, frozen=True):
    """One ``--ssh``: agent sockets or private key files; none means $SSH_AUTH_SOCK."""

    id: str = "default"
    paths: tuple[str, ...] = ()


class CacheFrom(Struct, frozen=True):
    """One ``--cache-from``: ``type`` is registry (``where`` is a reference, of a cache or of an
    image with an inline cache) or local (a directory, in it ``digest`` or else ``tag``).
    """

    type: str
    where: str
    tag: str = "latest"
    digest: str = ""


class CacheTo(Struct, frozen=True, kw_only=True):
    """One ``--cache-to``: ``type`` is registry (``where`` is a reference), local (a directory,
    under ``tag`` in it) or inline (in the image).

    ``mode`` max holds all steps, min those whose layers the image has. ``compression`` None is
    that of the image. ``ignore_error``: what fails is a warning.
    """

    type: str
    where: str = ""
    mode: str = "min"
    tag: str = "latest"
    compression: str | None = None
    level: int | None = None
    force: bool = False
    ignore_error: bool = False


class BuildRequest(Struct, frozen=True, kw_only=True):
    """Everything one ``jettison build`` asks for.

    ``context`` is a directory, ``-`` (standard input: a tar or a Dockerfile), a git or http(s)
    URL, or a tar file. ``dockerfile`` is a path, ``-``, or None for ``Dockerfile`` in the context.
    ``provenance`` and ``sbom`` say what is attested of the images.
    ``no_cache`` None: use the cache; (): ignore it for all stages; names: for these stages.
    """

    context: str
    dockerfile: str | None = None
    tags: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    build_args: dict[str, str] = field(default_factory=dict)
    target: str = ""
    platforms: tuple[Platform, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    secrets: tuple[SecretSpec, ...] = ()
    ssh: tuple[SshSpec, ...] = ()
    build_contexts: dict[str, str] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()
    no_cache: tuple[str, ...] | None = None
    cache_from: tuple[CacheFrom, ...] = ()
    cache_to: tuple[CacheTo, ...] = ()
    pull: bool = False
    network: str = "default"
    add_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    limits: Limits = Limits()
    host_ca: bool = False
    explain: bool = False
    provenance: ProvenanceOptions | None = None
    sbom: bool = False
    iidfile: str | None = None
    metadata_file: str | None = None
    stdin: IO[bytes] | None = None
    stdout: IO[bytes] | None = None


class BuildResult(Struct, frozen=True, kw_only=True):
    """What a build made.

    ``digest`` is that of the manifest (or of the index, for several platforms; None if only files
    were written), ``image_id`` that of the config (empty for several), ``metadata`` what
    --metadata-file holds (buildx's keys).
    """

    digest: Digest | None
    image_id: str
    names: tuple[str, ...]
    metadata: dict[str, object]


class PruneRequest(Struct, frozen=True, kw_only=True):
    """What may go beside garbage: ``all`` the whole cache; what was not used for ``unused_for``
    seconds; what is missed least until the cache takes at most ``keep_bytes``, or ``free_bytes``
    are free, but never below ``reserved_bytes``.
    """

    all: bool = False
    unused_for: float | None = None
    keep_bytes: int | None = None
    free_bytes: int | None = None
    reserved_bytes: int | None = None


class PruneReport(Struct, frozen=True):
    """``removed``: kind (``image``, ``layer``, ``blob``, ``cache mount`` …), id, bytes."""

    removed: tuple[tuple[str, str, int], ...]
    bytes: int


class Check(Struct, frozen=True):
    """One thing a host needs: whether it has it, what was found, and the command that mends it."""

    name: str
    ok: bool
    detail: str = ""
    mend: str = ""
