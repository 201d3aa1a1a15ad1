"""Git repositories as ADD and build contexts name them (BuildKit's ``dfgitutil``)."""

from __future__ import annotations

import posixpath
import re

from msgspec import Struct
from msgspec.structs import replace

from jettison.errors import PlanError
from jettison.plan.goformat import go_bool

_PROTOCOL = r"^[A-Za-z0-9]+://"
_SCP_STYLE = (
    r"(?s)^(?P<remote>[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:(?P<path>.*?))"
    r"(?:\?(?P<query>.*?))?(?:#(?P<fragment>.*))?$"
)
_SWITCHES = {"fetch-by-commit", "keep-git-dir", "submodules"}
_COMMIT = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"


class GitUrl(Struct, frozen=True):
    """What a git URL says: ``url`` is the remote alone, the rest comes from ``#`` or ``?``.

    ``ref`` is a branch, tag, full ref or commit (empty: the default branch), ``checksum`` a commit
    prefix; ``keep_git_dir`` and ``submodules`` are None if the URL does not say.
    """

    url: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool | None = None


def parse_git_url(text: str) -> GitUrl:
    """Parse any form ``docker build`` takes for a repository, also ``github.com/owner/name``.

    Raises PlanError if ``text`` is no git URL, or one with a malformed query.
    """
    if text.startswith("github.com/"):
        return _from_url("https://" + text)
    found = find_git_url(text)
    if found is None:
        raise PlanError(
            f"{text!r} is not the URL of a git repository",
            hint="such as https://host/repository.git, git@host:path or ssh://host/path",
        )
    return found


def find_git_url(text: str) -> GitUrl | None:
    """The git URL ``text`` is, None if ADD takes it for a path or an ordinary URL.

    An http(s) URL names a repository only if its path ends in ``.git``. Raises PlanError for a
    malformed query.
    """
    if text.startswith(("./", "../")):
        return None
    if not re.match(_PROTOCOL, text):
        match = re.match(_SCP_STYLE, text)
        if match is None:
            return None
        return _with_options(match["remote"], match["fragment"] or "", match["query"] or "")
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme in ("http", "https") and not parts.path.endswith(".git"):
        return None
    return _from_url(text) if scheme in ("http", "https", "ssh", "git") else None


def _from_url(text: str) -> GitUrl:
    from urllib.parse import unquote, urlsplit, urlunsplit

    parts = urlsplit(text)
    remote = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return _with_options(remote, unquote(parts.fragment), parts.query)


def _with_options(remote: str, fragment: str, query: str) -> GitUrl:
    ref, _, subdir = fragment.partition(":")
    git = GitUrl(remote, ref=ref, subdir=_below_root(subdir))
    if not query:
        return git
    from urllib.parse import parse_qs

    values: dict[str, str] = {}
    for key, given in parse_qs(query, keep_blank_values=True).items():
        if len(given) > 1:
            raise PlanError(f"query {key!r} has multiple values in {remote}")
        if not given[0] and key not in _SWITCHES:
            raise PlanError(f"query {key!r} has no value in {remote}")
        values[key] = given[0]
    return _apply_query(git, values)


def _apply_query(git: GitUrl, values: dict[str, str]) -> GitUrl:
    if "tag" in values and "branch" in values:
        raise PlanError("branch conflicts with tag in a git URL")
    by_commit = False
    for key, value in values.items():
        match key:
            case "ref":
                git = replace(git, ref=_same("ref", git.ref, value))
            case "tag":
                git = replace(git, ref=_same("ref", git.ref, _full(value, "refs/tags/")))
            case "branch":
                git = replace(git, ref=_same("ref", git.ref, _full(value, "refs/heads/")))
            case "subdir":
                git = replace(git, subdir=_same("subdir", git.subdir, _below_root(value)))
            case "checksum" | "commit":
                git = replace(git, checksum=_same("checksum", git.checksum, value))
            case "keep-git-dir":
                git = replace(git, keep_git_dir=_switch(key, value))
            case "submodules":
                git = replace(git, submodules=_switch(key, value))
            case "mtime" if value in ("checkout", "commit"):
                pass  # everything is dated at the commit, so that two checkouts are equal
            case "mtime":
                raise PlanError(f"invalid mtime value: {value!r} (must be 'checkout' or 'commit')")
            case "fetch-by-commit":
                by_commit = _switch(key, value)
            case _:
                raise PlanError(
                    f"unexpected query {key!r} in a git URL",
                    hint="known are ref, tag, branch, subdir, checksum, keep-git-dir, submodules, "
                    "mtime, fetch-by-commit",
                )
    return _by_commit(git) if by_commit else git


def _by_commit(git: GitUrl) -> GitUrl:
    """The commit itself instead of the ref, whose history then does not matter."""
    for commit in (git.checksum, git.ref):
        if re.fullmatch(_COMMIT, commit):
            return replace(git, ref=commit)
    raise PlanError("fetch-by-commit requires a checksum or a commit SHA ref")


def _below_root(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _same(what: str, before: str, value: str) -> str:
    if before and before != value:
        raise PlanError(f"{what} conflicts in a git URL: {before!r} and {value!r}")
    return value


def _full(name: str, prefix: str) -> str:
    return name if name.startswith(prefix) else prefix + name


def _switch(key: str, value: str) -> bool:
    parsed = go_bool(value or "true")
    if parsed is None:
        raise PlanError(f"invalid {key} value {value!r} in a git URL", hint="true or false")
    return parsed
