"""Checking out a git repository for a build context or an ADD, through the git command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from jettison.errors import NotFoundError, PathError, StepError
from jettison.fs.confine import resolve_beneath

_COMMIT = re.compile(r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$")
_SSH = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new"
"""Nobody is there to ask: a host seen for the first time is trusted, a changed key is not."""
_TIMEOUT = 1800.0  # seconds for one git command


class Repository:
    """A remote repository, reached with the user's own git settings and nobody to ask.

    ``environ`` is the environment git runs in (for its helpers, proxies and CA settings).
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url
        self._environ = dict(environ, GIT_TERMINAL_PROMPT="0", LC_ALL="C")
        self._environ.setdefault("GIT_SSH_COMMAND", _SSH)

    def commit_of(self, ref: str) -> str:
        """The commit ``ref`` names now: a branch, a tag, a full ref or a commit ("": HEAD).

        Raises NotFoundError if the repository has no such ref.
        """
        if _COMMIT.match(ref):
            return ref
        wanted = ref or "HEAD"
        listing = self._git(None, "ls-remote", "--", self.url).splitlines()
        refs: dict[str, str] = {}
        for line in listing:
            commit, tab, name = line.partition("\t")
            if tab:
                refs[name] = commit
        # A tag object is followed to its commit; a tag goes before a branch, as in git.
        for name in (wanted, f"refs/tags/{wanted}", f"refs/heads/{wanted}", f"refs/{wanted}"):
            found = refs.get(f"{name}^{{}}") or refs.get(name)
            if found is not None:
                return found
        if re.match(r"^[0-9a-f]{7,40}$", wanted):
            return wanted  # an abbreviated commit: only a fetch can tell
        raise NotFoundError(f"repository {self.url} does not contain ref {wanted}")

    def checkout(
        self,
        commit: str,
        ref: str,
        dest: str,
        *,
        subdir: str = "",
        keep_git_dir: bool = False,
        submodules: bool = True,
    ) -> str:
        """Put the tree of ``commit`` into ``dest`` (which exists, empty); returns the full commit.

        Files are 0644 or 0755 and, like directories, dated at the commit, so that two checkouts
        are equal. Raises NotFoundError if ``subdir`` is not in it.
        """
        work = os.path.join(dest, ".jettison-git")
        os.mkdir(work)
        self._git(work, "init", "--quiet", ".")
        self._git(work, "remote", "add", "origin", self.url)
        self._fetch(work, commit, ref)
        self._git(work, "-c", "advice.detachedHead=false", "checkout", "--quiet", commit)
        full = self._git(work, "rev-parse", "HEAD").strip()
        if submodules and os.path.exists(os.path.join(work, ".gitmodules")):
            self._git(work, "submodule", "update", "--init", "--recursive", "--quiet", "--depth=1")
        date = int(self._git(work, "log", "-1", "--format=%ct").strip())
        if not keep_git_dir:
            _drop_git_dirs(work)
        try:
            # A repository may hold links that lead anywhere.
            source = resolve_beneath(work, subdir) if subdir else work
        except PathError:
            missing = f"repository {self.url} has no directory {subdir} at {commit}"
            raise NotFoundError(missing) from None
        for name in os.listdir(source):
            os.rename(os.path.join(source, name), os.path.join(dest, name))
        if keep_git_dir and subdir:
            os.rename(os.path.join(work, ".git"), os.path.join(dest, ".git"))
        shutil.rmtree(work)
        _date_tree(dest, date)
        return full

    def _fetch(self, work: str, commit: str, ref: str) -> None:
        """The commit alone if the server can, its ref alone, else everything."""
        attempts = [["--depth=1", "origin", commit]]
        if ref and not _COMMIT.match(ref):
            attempts.append(["--depth=1", "origin", f"+{ref}"])
        attempts.append(["--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"])
        error: StepError | None = None
        for attempt in attempts:
            try:
                self._git(work, "fetch", "--quiet", "--force", *attempt)
                self._git(work, "cat-file", "-e", f"{commit}^{{commit}}")
            except StepError as failed:
                error = failed
            else:
                return
        assert error is not None
        raise error

    def _git(self, cwd: str | None, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=cwd,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT,
                check=False,
                umask=0o022,
            )
        except FileNotFoundError:
            raise StepError("git is not installed", hint="install the package git") from None
        except subprocess.TimeoutExpired:
            raise StepError(f"git {arguments[0]} of {self.url} took too long") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise StepError(
                f"git {arguments[0]} of {self.url} failed: {said[-1] if said else done.returncode}"
            )
        return done.stdout


def _drop_git_dirs(work: str) -> None:
    for directory, names, files in os.walk(work):
        if ".git" in names:
            shutil.rmtree(os.path.join(directory, ".git"))
            names.remove(".git")
        elif ".git" in files:  # of a submodule
            os.unlink(os.path.join(directory, ".git"))


def _date_tree(root: str, date: int) -> None:
    for directory, _, files in os.walk(root, topdown=False):
        for name in files:
            os.utime(os.path.join(directory, name), (date, date), follow_symlinks=False)
        os.utime(directory, (date, date))
