"""Typed instructions: what a Dockerfile says, before any variable is expanded.

Second of the two levels of the front end. Words are raw: quotes, escapes and ``$`` are still in
them, because they are resolved against the state of the stage in which the instruction runs
(`expand`). Names follow the Dockerfile reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from jettison.model.span import Span

if TYPE_CHECKING:
    from jettison.dockerfile.ast import Ast, Node


class Heredoc(Struct, frozen=True):
    """A here-document: ``name`` is its delimiter, ``expand`` false if that was quoted.

    ``content`` is the body with ``<<-`` tabs already removed, every line ending in a newline.
    ``descriptor`` is N of ``N<<EOF`` (0 if none is written). ``raw`` is the body as written,
    ``line`` the line on which it begins.
    """

    name: str
    content: str
    expand: bool
    chomp: bool
    descriptor: int = 0
    raw: str = ""
    line: int = 0


class KeyValue(Struct, frozen=True):
    """``key=value`` as written; ``legacy`` for ``ENV key rest of the line``."""

    key: str
    value: str
    legacy: bool = False


class ArgValue(Struct, frozen=True):
    """One word of ARG; ``value`` None if it has no default."""

    key: str
    value: str | None


class Instruction(Struct, frozen=True, kw_only=True):
    """``text`` is the instruction as written, continuations joined (``COPY a b``).

    ``node`` is what it was made of: the keyword as written, positions, comments above it.
    """

    span: Span
    text: str
    node: Node | None = None


class ShellWords(Struct, frozen=True, kw_only=True):
    """A command: exec form (``words``) or shell form (``words`` has one element, the text).

    ``heredocs`` are those of a shell-form RUN, in order of appearance.
    """

    words: tuple[str, ...]
    shell: bool
    heredocs: tuple[Heredoc, ...] = ()


class From(Instruction, frozen=True, kw_only=True):
    """A FROM: the base of a stage."""

    image: str
    name: str | None = None
    """Stage name, lower-cased."""
    platform: str | None = None
    raw_name: str | None = None
    """Stage name as written (checks look at its casing)."""


class Arg(Instruction, frozen=True, kw_only=True):
    """An ARG."""

    values: tuple[ArgValue, ...]


class Env(Instruction, frozen=True, kw_only=True):
    """An ENV."""

    values: tuple[KeyValue, ...]


class Label(Instruction, frozen=True, kw_only=True):
    """A LABEL."""

    values: tuple[KeyValue, ...]


class Mount(Struct, frozen=True, kw_only=True):
    """One ``RUN --mount``; what is not written is None (or empty).

    Before expansion values are as written. After it ``type`` and ``sharing`` are lower case,
    ``mode`` is octal, ``uid`` and ``gid`` are decimal, ``size`` is decimal bytes.
    """

    type: str = "bind"
    source: str | None = None
    from_: str | None = None
    target: str | None = None
    read_only: bool | None = None
    id: str | None = None
    sharing: str | None = None
    required: bool = False
    mode: str | None = None
    uid: str | None = None
    gid: str | None = None
    size: str | None = None
    env: str | None = None


class Run(Instruction, frozen=True, kw_only=True):
    """A RUN."""

    command: ShellWords
    mounts: tuple[Mount, ...] = ()
    """Mounts before expansion: values are as written, ``from_`` is final; see `mount_texts`."""
    mount_texts: tuple[str, ...] = ()
    """The ``--mount`` values as written; `mounts.parse_mount` types one after expansion."""
    network: str | None = None
    security: str | None = None


class Copy(Instruction, frozen=True, kw_only=True):
    """COPY and ADD: ``sources`` and ``dest`` are raw words; heredocs are sources too.

    A source that is a heredoc stands in ``heredocs`` under its position in ``sources``.
    """

    add: bool
    sources: tuple[str, ...]
    dest: str
    heredocs: dict[int, Heredoc] = field(default_factory=dict)
    from_: str | None = None
    chown: str | None = None
    chmod: str | None = None
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()
    keep_git_dir: bool | None = None
    checksum: str | None = None
    unpack: bool | None = None


class Workdir(Instruction, frozen=True, kw_only=True):
    """A WORKDIR; the path is the rest of the line."""

    path: str


class User(Instruction, frozen=True, kw_only=True):
    """A USER; ``user`` is the rest of the line."""

    user: str


class Expose(Instruction, frozen=True, kw_only=True):
    """An EXPOSE."""

    ports: tuple[str, ...]
    """Words as written, sorted (BuildKit's order in the history)."""


class Volume(Instruction, frozen=True, kw_only=True):
    """A VOLUME."""

    paths: tuple[str, ...]


class StopSignal(Instruction, frozen=True, kw_only=True):
    """A STOPSIGNAL."""

    signal: str


class Shell(Instruction, frozen=True, kw_only=True):
    """A SHELL."""

    words: tuple[str, ...]


class Cmd(Instruction, frozen=True, kw_only=True):
    """A CMD."""

    command: ShellWords


class Entrypoint(Instruction, frozen=True, kw_only=True):
    """An ENTRYPOINT."""

    command: ShellWords


class Healthcheck(Instruction, frozen=True, kw_only=True):
    """``test`` is ("NONE",), ("CMD", …) or ("CMD-SHELL", text); durations in nanoseconds.

    What is not written, or 0, is 0: the runtime's default.
    """

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Maintainer(Instruction, frozen=True, kw_only=True):
    """A MAINTAINER."""

    name: str


class Onbuild(Instruction, frozen=True, kw_only=True):
    """``expression`` is the trigger as it will be stored in the image (heredocs appended)."""

    expression: str


class Stage(Struct, frozen=True):
    """A FROM and what follows it, up to the next FROM."""

    index: int
    base: From
    instructions: tuple[Instruction, ...]

    @property
    def name(self) -> str | None:
        return self.base.name


class Dockerfile(Struct, frozen=True):
    """A whole typed Dockerfile. ``directives`` holds syntax, escape and check as written."""

    escape: str
    directives: dict[str, str]
    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    ast: Ast | None = None
