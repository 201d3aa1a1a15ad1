"""What a FROM, a --from or a named context that is no stage brings: files and a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from jettison.errors import JettisonError, NotFoundError, PlanError, RegistryError
from jettison.model.digest import Digest
from jettison.model.oci import ImageConfig
from jettison.model.platform import Platform
from jettison.model.reference import parse_reference
from jettison.model.source import ImageSource, ResolvedImage
from jettison.model.span import Span
from jettison.plan.configs import empty_config, inherited_config
from jettison.plan.giturl import parse_git_url
from jettison.plan.options import (
    NamedContext,
    NamedGit,
    NamedHttp,
    NamedImage,
    NamedLocal,
    NamedScratch,
    PlanOptions,
)
from jettison.plan.stages import SCRATCH
from jettison.plan.state import Tree
from jettison.plan.steps import (
    Copy,
    Git,
    HistoryEntry,
    Http,
    Local,
    PathSource,
    Source,
    Step,
    StepInfo,
)
from jettison.plan.suggest import did_you_mean

_COMMON_IMAGES = ("alpine", "busybox", "centos", "debian", "fedora", "golang", "ubuntu")
_EXPORTED = "buildkit.exporter.image.v0"
"""BuildKit's comment on a layer that no instruction made."""


class BaseName(NamedTuple):
    """What the ImageSource is asked for: ``reference`` for ``platform``."""

    reference: str
    platform: Platform


def image_behind(name: str, platform: Platform, options: PlanOptions) -> BaseName | None:
    """The image to resolve for ``FROM name`` or ``--from=name``, None if there is none.

    Raises JettisonError if ``name`` is no image reference.
    """
    if name == SCRATCH:
        return None
    named = options.named_context(name, platform)
    if named is not None:
        return image_of_context(named[1], platform)
    return BaseName(str(parse_reference(name)), platform)


def image_of_context(context: NamedContext, platform: Platform) -> BaseName | None:
    if isinstance(context, NamedImage):
        return BaseName(context.reference, platform)
    return None


class Base(Struct, frozen=True, kw_only=True):
    """Where a stage begins. ``text`` tells about ``root`` in the progress view."""

    config: ImageConfig
    root: Step | None = None
    resolved: ResolvedImage | None = None
    text: str = ""
    history: tuple[HistoryEntry, ...] = ()


class Bases:
    """Finds bases, each once; ``sources`` are the images behind the Source steps made."""

    def __init__(
        self,
        options: PlanOptions,
        images: ImageSource,
        infos: dict[Step, StepInfo],
        stage_names: Sequence[str],
    ) -> None:
        self._options = options
        self._images = images
        self._infos = infos
        self._stage_names = stage_names
        self._resolved: dict[BaseName, ResolvedImage] = {}
        self._trees: dict[NamedContext, Tree] = {}
        self._steps: dict[tuple[Digest, ...], Source] = {}
        self.sources: dict[tuple[Digest, ...], ResolvedImage] = {}

    def named(self, name: str, platform: Platform, span: Span) -> Base:
        """The base ``FROM name``, where ``name`` is no stage."""
        if name == SCRATCH:
            return Base(config=empty_config(platform))
        named = self._options.named_context(name, platform)
        if named is not None:
            return self.context(*named, platform, span)
        return self._image(BaseName(_normal(name, span), platform), name, span)

    def context(self, key: str, context: NamedContext, platform: Platform, span: Span) -> Base:
        """The base that a named context is."""
        if isinstance(context, NamedImage):
            return self._image(BaseName(context.reference, platform), context.reference, span)
        if isinstance(context, NamedScratch):
            return Base(config=empty_config(platform))
        tree = self._tree(key, context, span)
        root = Copy(root=None, sources=(_everything(tree),), dest="/")
        text = f"[context {key}] load"
        return Base(
            config=empty_config(platform),
            root=root,
            text=text,
            history=(HistoryEntry(created_by=text, step=root, comment=_EXPORTED),),
        )

    def tree(self, name: str, platform: Platform, span: Span) -> Tree:
        """The files ``--from=name`` means, where ``name`` is no stage."""
        named = None if name == SCRATCH else self._options.named_context(name, platform)
        if named is not None and not isinstance(named[1], NamedImage | NamedScratch):
            return self._tree(*named, span)
        base = self.named(name, platform, span)
        if base.root is not None:
            self._infos.setdefault(base.root, StepInfo(name=base.text, span=span))
        return Tree(base.root)

    def _image(self, wanted: BaseName, written: str, span: Span) -> Base:
        resolved = self._resolve(wanted, written, span)
        config = inherited_config(resolved.config)
        if not resolved.diff_ids:
            return Base(config=config, resolved=resolved)
        step = self._steps.get(resolved.diff_ids)
        if step is None:
            step = self._steps[resolved.diff_ids] = Source(diff_ids=resolved.diff_ids)
            self.sources[resolved.diff_ids] = resolved
        text = f"FROM {resolved.name}"
        if resolved.digest not in resolved.name:
            text += f"@{resolved.digest}"
        return Base(config=config, root=step, resolved=resolved, text=text)

    def _resolve(self, wanted: BaseName, written: str, span: Span) -> ResolvedImage:
        if wanted not in self._resolved:
            try:
                self._resolved[wanted] = self._images.resolve(wanted.reference, wanted.platform)
            except JettisonError as error:
                if isinstance(error, NotFoundError | RegistryError):
                    near = did_you_mean(written, [*self._stage_names, *_COMMON_IMAGES])
                    error.hint = near or error.hint
                raise error.at(span) from None
        return self._resolved[wanted]

    def _tree(self, key: str, context: NamedContext, span: Span) -> Tree:
        """The files of a named context that is no image."""
        if context not in self._trees:
            step = _step_of(context, span)
            self._trees[context] = Tree(step, foreign=isinstance(step, Local))
            self._infos[step] = StepInfo(name=f"[context {key}] load", span=span)
        return self._trees[context]


def _step_of(context: NamedContext, span: Span) -> Step:
    match context:
        case NamedLocal(name):
            return Local(name=name)
        case NamedGit(url):
            try:
                return git_step(url)
            except PlanError as error:
                raise error.at(span) from None
        case NamedHttp(url):
            return Http(url=url, filename="context")
        case _:
            raise TypeError(f"{context} has no step")


def git_step(url: str) -> Git:
    """The checkout of a repository named as a whole. Raises PlanError if ``url`` names none."""
    parsed = parse_git_url(url)
    return Git(
        url=parsed.url,
        ref=parsed.ref,
        subdir=parsed.subdir,
        keep_git_dir=bool(parsed.keep_git_dir),
        checksum=parsed.checksum,
        submodules=parsed.submodules is not False,
    )


def _everything(tree: Tree) -> PathSource:
    return PathSource(step=tree.step, path="/", wildcard=False, reset_owner=tree.foreign)


def _normal(name: str, span: Span) -> str:
    try:
        return str(parse_reference(name))
    except JettisonError as error:
        raise error.at(span) from None
