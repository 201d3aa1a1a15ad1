"""What a base image shall be: the spec, typed. Keys are those of apko where it has them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from jettison.distroless.trim import CLASSES
from jettison.distroless.wishes import parse_wish
from jettison.distroless.yamltext import Located, load_yaml, merged
from jettison.errors import DistrolessError, JettisonError
from jettison.model.digest import sha256_digest

_MAX_INCLUDES = 8
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `(.*)`)?$", re.S)
_WHERE = re.compile(r"(.*?)(?: - at `(.*?)`)?$", re.S)
_WORDINGS = (
    (r"^Object missing required field (.*)$", r"the key \1 is missing"),
    (r"^Expected int( \| null)?, got .*$", "this has to be a number"),
    (r"^Expected str, got .*$", "this has to be text"),
    (r"^Expected array( \| null)?, got .*$", "this has to be a list"),
    (r"^Expected object( \| null)?, got .*$", "this has to be a mapping of keys"),
    (r"^Expected str \| array, got .*$", "this has to be text or a list"),
    (r"^Invalid enum value '(.*)'$", r"there is no type \1"),
)
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]*[$]?")
_MODE = re.compile(r"(?:0o?)?([0-7]{3,4})")
_MAX_ID = (1 << 32) - 2

ARCHITECTURES = {
    "amd64": "amd64", "x86_64": "amd64", "arm64": "arm64", "aarch64": "arm64",
    "armhf": "armhf", "arm/v7": "armhf", "armv7": "armhf", "386": "i386", "i386": "i386",
    "x86": "i386", "ppc64le": "ppc64el", "ppc64el": "ppc64el", "s390x": "s390x",
    "riscv64": "riscv64",
}  # fmt: skip
"""Architectures by the names apko, the OCI and Debian have for them -> Debian's."""

_Words = str | tuple[str, ...]


class Contents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Where packages are from, and which; ``exclude`` has the reason for each one left out."""

    repositories: tuple[str, ...] = ()
    keyring: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    exclude: dict[str, str] = {}


class User(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A line of /etc/passwd; the group is the one of the same number unless it is given."""

    username: str
    uid: int
    gid: int | None = None
    homedir: str = ""
    shell: str = "/sbin/nologin"

    @property
    def group(self) -> int:
        return self.uid if self.gid is None else self.gid

    @property
    def home(self) -> str:
        return self.homedir or f"/home/{self.username}"


class Group(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A line of /etc/group."""

    groupname: str
    gid: int
    members: tuple[str, ...] = ()


class Accounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Users and groups besides root and nobody, and who the image runs as."""

    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    run_as: str = ""


class PathEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A path to make, or (``permissions``) to give other permissions; ``source`` of links."""

    path: str
    type: Literal["directory", "empty-file", "hardlink", "symlink", "permissions"]
    uid: int = 0
    gid: int = 0
    permissions: str = ""
    source: str = ""

    @property
    def mode(self) -> int:
        """The permissions, by default those usual for the type."""
        match = _MODE.fullmatch(self.permissions)
        return int(match[1], 8) if match else {"directory": 0o755}.get(self.type, 0o644)


class Entrypoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What is started; as words, or as text that is split as a shell would."""

    command: _Words = ()


class Debug(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The debug twin: packages that only it has; its entry point is the image's unless given."""

    packages: tuple[str, ...] = ()
    entrypoint: Entrypoint | None = None


class Spec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A base image. ``trim`` are the classes of files left out (None: all that are by default),
    ``remove`` patterns of other paths (``*`` matches any text).
    """

    include: str = ""
    description: str = ""
    contents: Contents = Contents()
    trim: tuple[str, ...] | None = None
    remove: tuple[str, ...] = ()
    accounts: Accounts = Accounts()
    paths: tuple[PathEntry, ...] = ()
    environment: dict[str, str] = {}
    entrypoint: Entrypoint = Entrypoint()
    cmd: _Words = ()
    work_dir: str = ""
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    annotations: dict[str, str] = {}
    archs: tuple[str, ...] = ()
    debug: Debug = Debug()

    @property
    def resolved(self) -> str:
        """The digest of what packages depend on, which a lock keeps: not of accounts or paths."""
        contents = self.contents
        parts = (
            sorted(contents.packages),
            sorted(contents.exclude.items()),
            sorted(self.debug.packages),
        )
        return sha256_digest(msgspec.json.encode(parts))

    @property
    def wanted(self) -> tuple[str, ...]:
        """All packages it names, those of the debug twin too."""
        return tuple(dict.fromkeys((*self.contents.packages, *self.debug.packages)))

    def architectures(self) -> tuple[str, ...]:
        """As Debian names them; empty if the spec leaves it open."""
        return tuple(dict.fromkeys(ARCHITECTURES[name] for name in self.archs))

    def user(self) -> User | None:
        """Who the image runs as; None for root, or if it is left open."""
        return next((u for u in self.accounts.users if u.username == self.accounts.run_as), None)


def words(value: _Words) -> tuple[str, ...]:
    """A command's words. Raises ValueError for text that ends within quotes."""
    return tuple(shlex.split(value)) if isinstance(value, str) else value


def read_spec(data: bytes, name: str, included: Callable[[str, str], tuple[bytes, str]]) -> Spec:
    """The spec of a text, which errors call ``name``.

    ``included`` gives text and name of another spec, for what ``include`` says and the name of the
    spec that says it; this one is laid over that. Raises DistrolessError, with the place.
    """
    value, located = _with_includes(data, name, included, 0)
    spec = _typed(value, located)
    _check(spec, located, whole=True)
    return spec


def _with_includes(
    data: bytes, name: str, included: Callable[[str, str], tuple[bytes, str]], depth: int
) -> tuple[dict[str, Any], Located]:
    located = load_yaml(data, name)
    value = located.value
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise DistrolessError("a spec is a mapping of keys", span=located.at("$"))
    if depth or value.get("include"):
        _check(_typed(value, located), located, whole=False)  # places are those of this text
    if "include" in value:
        other = value.pop("include")
        if other:
            if depth == _MAX_INCLUDES:
                raise DistrolessError("specs include each other", span=located.at("$.include"))
            try:
                below, _ = _with_includes(*included(other, name), included, depth + 1)
            except JettisonError as error:
                raise error.at(located.at("$.include")) from None
            value = merged(below, value)
    return value, located


def _typed(value: dict[str, Any], located: Located) -> Spec:
    try:
        return msgspec.convert(value, Spec, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error), located) from None


def _explained(text: str, located: Located) -> DistrolessError:
    from difflib import get_close_matches

    unknown = _UNKNOWN.match(text)
    if unknown:
        key, path = unknown[1], unknown[2] or "$"
        known = _keys_at(path)
        close = get_close_matches(key, known, n=2, cutoff=0.6)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
        span = located.keys.get(f"{path}.{key}", located.at(path))
        return DistrolessError(f"unknown key {key}", hint=hint, span=span)
    found = _WHERE.match(text)
    assert found is not None
    text = found[1].replace("`", "")
    for pattern, wording in _WORDINGS:
        text = re.sub(pattern, wording, text)
    return DistrolessError(text, span=located.at(found[2] or "$"))


def _keys_at(path: str) -> list[str]:
    """The keys a mapping at ``path`` may have."""
    kind: Any = Spec
    for step in re.findall(r"\.([^.\[]+)", path):
        fields = {f.encode_name: f.type for f in msgspec.structs.fields(kind)}
        kind = _struct_in(fields.get(step)) or Spec
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _struct_in(kind: Any) -> Any:
    """The struct that a type is, or has within: ``tuple[User, ...]``, ``Entrypoint | None``."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    return next((s for a in get_args(kind) if (s := _struct_in(a)) is not None), None)


def _check(spec: Spec, located: Located, *, whole: bool) -> None:
    """What types cannot say; of a ``whole`` spec, its includes among it, also what is missing."""

    def wrong(message: str, path: str, hint: str | None = None) -> DistrolessError:
        return DistrolessError(message, hint=hint, span=located.at(path))

    for part, names in (("contents", spec.contents.packages), ("debug", spec.debug.packages)):
        for number, name in enumerate(names):
            try:
                parse_wish(name)
            except JettisonError as error:
                raise error.at(located.at(f"$.{part}.packages[{number}]")) from None
    if whole and not spec.contents.packages:
        raise wrong("no packages are named", "$.contents", "contents: {packages: [...]}")
    for name, reason in spec.contents.exclude.items():
        if not (reason or "").strip():
            raise wrong(f"{name} is excluded without a reason", f"$.contents.exclude.{name}")
    for number, name in enumerate(spec.trim or ()):
        if name not in CLASSES:
            raise wrong(f"no class of files: {name}", f"$.trim[{number}]", _listed(name, CLASSES))
    for number, name in enumerate(spec.archs):
        if name not in ARCHITECTURES:
            hint = _listed(name, ARCHITECTURES)
            raise wrong(f"no architecture: {name}", f"$.archs[{number}]", hint)
    for key, commands in (
        ("entrypoint.command", spec.entrypoint.command),
        ("cmd", spec.cmd),
        ("debug.entrypoint", spec.debug.entrypoint.command if spec.debug.entrypoint else ""),
    ):
        try:
            words(commands)
        except ValueError:
            raise wrong("the command ends within quotes", f"$.{key}") from None
    _check_accounts(spec, wrong, whole=whole)
    _check_paths(spec, wrong)


def _check_accounts(spec: Spec, wrong: Callable[..., DistrolessError], *, whole: bool) -> None:
    accounts = spec.accounts
    for kind, entries in (
        ("users", [(u.username, u.uid, u.group) for u in accounts.users]),
        ("groups", [(g.groupname, g.gid, 0) for g in accounts.groups]),
    ):
        seen = {"root", "nobody"} if kind == "users" else {"root", "nogroup"}
        for number, (name, one, other) in enumerate(entries):
            path = f"$.accounts.{kind}[{number}]"
            if not _ACCOUNT.fullmatch(name):
                raise wrong(f"no name of an account: {name!r}", path)
            if not (0 <= one <= _MAX_ID and 0 <= other <= _MAX_ID):
                raise wrong("an impossible id", path)
            if name in seen:
                raise wrong(f"{name} is there already", path)
            seen.add(name)
    names = [user.username for user in accounts.users]
    for number, user in enumerate(accounts.users):
        if ":" in user.home + user.shell or "\n" in user.home + user.shell:
            raise wrong("a colon or a line break in a field", f"$.accounts.users[{number}]")
    if whole and accounts.run_as not in ("", "root", *names):
        raise wrong(
            f"no user {accounts.run_as} to run as",
            "$.accounts.run-as",
            _listed(accounts.run_as, ["root", *names]),
        )


def _check_paths(spec: Spec, wrong: Callable[..., DistrolessError]) -> None:
    for number, entry in enumerate(spec.paths):
        path = f"$.paths[{number}]"
        if not entry.path.startswith("/") or not entry.path.strip("/") or "\0" in entry.path:
            raise wrong(f"not an absolute path: {entry.path!r}", f"{path}.path")
        if entry.permissions and not _MODE.fullmatch(entry.permissions):
            raise wrong("no permissions", f"{path}.permissions", "write them in octal: 0o755")
        if entry.type == "permissions" and not entry.permissions:
            raise wrong("permissions are missing", path, "permissions: 0o755")
        if (entry.type in ("hardlink", "symlink")) != bool(entry.source):
            raise wrong("source is for links, which need it", path)
        if not (0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
            raise wrong("an impossible id", path)
    if spec.work_dir and not spec.work_dir.startswith("/"):
        raise wrong("not an absolute path", "$.work-dir")


def _listed(word: str, known: Sequence[str] | dict[str, Any]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
