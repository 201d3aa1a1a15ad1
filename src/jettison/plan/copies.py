"""COPY and ADD."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from jettison.dockerfile.instructions import Copy as CopyInstruction
from jettison.errors import ImageError, PlanError
from jettison.fs.modes import parse_mode
from jettison.model.digest import Digest, parse_digest
from jettison.model.span import Span
from jettison.plan.build import StageBuild
from jettison.plan.giturl import GitUrl, find_git_url
from jettison.plan.state import Tree
from jettison.plan.steps import Copy, FileSource, Git, Http, Merge, PathSource, Step, StepInfo

_NUMERIC_OWNER = r"^(?:root|\+?[0-9]*)(?::(?:root|\+?[0-9]*))?$"


def copy(build: StageBuild, instruction: CopyInstruction) -> None:
    """Plan a COPY or ADD as one step, two with --link."""
    _Copier(build, instruction).plan()


class _Copier:
    def __init__(self, build: StageBuild, instruction: CopyInstruction) -> None:
        self._build = build
        self._instruction = instruction
        self._command = "ADD" if instruction.add else "COPY"
        self._words = words = build.words(instruction)
        self._chown = words.word(instruction.chown) if instruction.chown else ""
        self._chmod = words.word(instruction.chmod) if instruction.chmod else ""
        self._checksum = words.word(instruction.checksum) if instruction.checksum else ""
        self._paths = [
            words.word(word)
            for position, word in enumerate(instruction.sources)
            if position not in instruction.heredocs
        ]
        self._dest = words.word(instruction.dest)
        build.report_undefined(words)

    def plan(self) -> None:
        build, instruction = self._build, self._instruction
        _check_mode(self._chmod, instruction.span)
        self._check_checksum()
        name = build.name(instruction)
        sources: list[PathSource | FileSource] = [*self._path_sources(name), *self._files()]
        linked = instruction.link and not self._chmod
        if linked and self._chown and not re.match(_NUMERIC_OWNER, self._chown):
            raise PlanError(
                f"--chown={self._chown} needs the names of the image, which --link does not see",
                hint="give numbers, as in --chown=1000:1000, or drop --link",
                span=instruction.span,
            )
        step = Copy(
            root=None if linked else build.state.root,
            sources=tuple(sources),
            dest=absolute_dest(self._dest, build.state.workdir),
            chown=self._chown or None,
            chmod=self._chmod or None,
            parents=instruction.parents,
            exclude=instruction.exclude,
            link=linked,
        )
        build.describe(step, instruction, name)
        result: Step = step
        if linked:
            result = Merge(root=build.state.root, upper=step)
            build.describe(result, instruction, name.replace("] ", "] LINK ", 1))
        build.state.record(self._history(), result)

    def _history(self) -> str:
        words = [self._command]
        if self._instruction.parents:
            words.append("--parents")
        if self._chown:
            words.append(f"--chown={self._chown}")
        if self._chmod:
            words.append(f"--chmod={self._chmod}")
        words += self._paths
        words += [f"<<{heredoc.name}" for heredoc in self._instruction.heredocs.values()]
        return " ".join([*words, self._dest]) + " # buildkit"

    def _files(self) -> Iterator[FileSource]:
        for heredoc in self._instruction.heredocs.values():
            content = heredoc.content
            if heredoc.expand:
                content = self._words.heredoc(content)
            yield FileSource(name=heredoc.name, content=content.encode("utf-8", "surrogateescape"))

    def _path_sources(self, name: str) -> Iterator[PathSource]:
        instruction = self._instruction
        references = self._build.references(instruction, "copy")
        tree = references[0] if references else None
        for path in self._paths:
            remote = self._remote(path)
            if remote is not None:
                self._build.shared.infos[remote] = StepInfo(name=name, span=instruction.span)
                yield self._of_remote(remote)
            else:
                if tree is None:
                    self._check_ignored(path)
                yield self._of_tree(tree or self._build.shared.context, path)

    def _remote(self, path: str) -> Http | Git | None:
        git = self._located_git(path)
        if git is None and not is_url(path):
            return None
        if not self._instruction.add:
            kind = "a URL" if git is None else "a git ref"
            raise PlanError(
                f"source can't be {kind} for COPY", hint="use ADD", span=self._instruction.span
            )
        return self._http(path) if git is None else self._git(git)

    def _located_git(self, path: str) -> GitUrl | None:
        try:
            return find_git_url(path)
        except PlanError as error:
            raise error.at(self._instruction.span) from None

    def _http(self, url: str) -> Http:
        checksum: Digest | None = None
        if self._checksum:
            try:
                checksum = parse_digest(self._checksum)
            except ImageError as error:
                raise error.at(self._instruction.span) from None
        return Http(url=url, filename=filename_of(url), checksum=checksum)

    def _git(self, git: GitUrl) -> Git:
        keep = self._instruction.keep_git_dir
        if keep is not None and git.keep_git_dir is not None and keep != git.keep_git_dir:
            raise PlanError("inconsistent keep-git-dir configuration", span=self._instruction.span)
        if self._checksum and git.checksum and self._checksum != git.checksum:
            raise PlanError(
                f"checksum mismatch {self._checksum!r} != {git.checksum!r}",
                span=self._instruction.span,
            )
        return Git(
            url=git.url,
            ref=git.ref,
            subdir=git.subdir,
            keep_git_dir=bool(keep if git.keep_git_dir is None else git.keep_git_dir),
            checksum=git.checksum or self._checksum,
            submodules=git.submodules is not False,
        )

    def _of_remote(self, step: Http | Git) -> PathSource:
        if isinstance(step, Git):
            return PathSource(step=step, path="/", wildcard=False)
        unpack = bool(self._instruction.unpack)
        return PathSource(step=step, path="/" + step.filename, wildcard=False, unpack=unpack)

    def _of_tree(self, tree: Tree, path: str) -> PathSource:
        unpack = self._instruction.unpack
        return PathSource(
            step=tree.step,
            path=absolute_source(path, parents=self._instruction.parents),
            unpack=self._instruction.add if unpack is None else unpack,
            reset_owner=tree.foreign,
        )

    def _check_ignored(self, path: str) -> None:
        patterns = self._build.shared.options.ignore
        # With exceptions only a look at the directory would tell what is left of it.
        if patterns is None or any(pattern.negated for pattern in patterns.patterns):
            return
        path = absolute_source(path, parents=False).lstrip("/")
        if path and patterns.matches(path):
            self._build.checks.report(
                "CopyIgnoredFile",
                f"Attempting to {self._command} file {path!r} that is excluded by .dockerignore",
                self._instruction.span,
            )

    def _check_checksum(self) -> None:
        if not self._checksum:
            return
        span = self._instruction.span
        if len(self._paths) != 1 or self._instruction.heredocs:
            raise PlanError("checksum can't be specified for multiple sources", span=span)
        if self._located_git(self._paths[0]) is None and not is_url(self._paths[0]):
            raise PlanError("checksum requires HTTP(S) or Git sources", span=span)


def is_url(path: str) -> bool:
    """Whether ADD fetches ``path`` (git repositories have been told apart before)."""
    return path.startswith(("http://", "https://"))


def filename_of(url: str) -> str:
    """The file name ADD gives what it fetches: the last segment of the URL's path."""
    from urllib.parse import unquote, urlsplit

    try:
        name = posixpath.basename(posixpath.normpath(unquote(urlsplit(url).path)))
    except ValueError:
        name = ""
    return "__unnamed__" if name in ("", ".", "..", "/") else name


def absolute_source(path: str, *, parents: bool) -> str:
    """A source path from the root of its tree; ``..`` does not lead out of it.

    With --parents the pivot ``/./`` is kept.
    """
    if parents:
        before, pivot, after = path.partition("/./")
        if pivot:
            return _clean(before).rstrip("/") + "/./" + _clean(after).lstrip("/")
    return _clean(path)


def absolute_dest(path: str, workdir: str) -> str:
    """A destination from the root, with what says that it is a directory: ``/`` or ``/.``."""
    if path in ("", "."):
        path = "./"
    clean = _clean(posixpath.join(workdir, path))
    if path.endswith("/.") and clean != "/":
        return clean + "/."
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _check_mode(mode: str, span: Span) -> None:
    if mode:
        try:
            parse_mode(mode)
        except PlanError as error:
            raise error.at(span) from None
