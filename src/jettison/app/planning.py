"""From a request to a plan: the context is opened, the Dockerfile read, base images resolved."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from jettison.app.context import BuildContext, ignore_file, materialize, open_context
from jettison.app.request import BuildRequest
from jettison.app.session import Session
from jettison.app.sources import classify
from jettison.app.supplies import Supplies
from jettison.errors import DockerfileError, JettisonError
from jettison.fs.context import ContextTree
from jettison.fs.patterns import read_ignorefile
from jettison.model.event import Observer
from jettison.model.platform import Platform, make_platform
from jettison.model.span import SourceText
from jettison.plan.options import (
    NamedContext,
    NamedGit,
    NamedHttp,
    NamedImage,
    NamedLocal,
    NamedScratch,
    PlanOptions,
)
from jettison.plan.planner import CONTEXT
from jettison.plan.steps import BuildPlan, Git, Http

if TYPE_CHECKING:
    from jettison.dockerfile.instructions import Dockerfile
    from jettison.plan.outline import Outline, Target


def build_platform() -> Platform:
    """The platform of this host."""
    return make_platform("linux", os.uname().machine)


class Planning:
    """The planning of one build; `context` is opened when this is made."""

    def __init__(self, request: BuildRequest, session: Session, supplies: Supplies) -> None:
        self._request = request
        self._session = session
        self._supplies = supplies
        self.context = self._open_context()

    @property
    def source(self) -> SourceText:
        """The Dockerfile."""
        return SourceText(self.context.dockerfile.name, self.context.dockerfile.text)

    def plan(
        self, observer: Observer, *, all_stages: bool = False
    ) -> tuple[BuildPlan, dict[str, ContextTree]]:
        """The plan, and the contexts that its steps name; build checks go to ``observer``."""
        from jettison.plan.planner import check_refused, plan

        try:
            dockerfile = self._parse()
        except DockerfileError:
            check_refused(self.source, self._syntax, self._request.build_args, observer)
            raise
        options, contexts = self._options(all_stages=all_stages)
        self._prefetch(dockerfile, options)
        return plan(dockerfile, options, self._supplies.images, observer), contexts

    def outline(self) -> Outline:
        """What the target takes from outside."""
        from jettison.plan.planner import outline

        dockerfile = self._parse()
        options, _ = self._options()
        self._prefetch(dockerfile, options)
        return outline(dockerfile, options, self._supplies.images)

    def targets(self) -> tuple[Target, ...]:
        """The stages that can be built."""
        from jettison.plan.outline import targets

        return targets(self._parse())

    def _open_context(self) -> BuildContext:
        return open_context(
            self._request.context,
            self._request.dockerfile,
            scratch=self._supplies.scratch("context"),
            stdin=self._request.stdin,
            environ=self._session.environ,
            keep_git_dir=_is_true(self._request.build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR")),
            keep_owners=not self._session.isolation.single_id,
        )

    def _parse(self) -> Dockerfile:
        from jettison.dockerfile.parse import parse

        source = self.context.dockerfile
        return parse(source.text, source.name, syntax=self._syntax)

    @property
    def _syntax(self) -> str | None:
        return self._request.build_args.get("BUILDKIT_SYNTAX")

    def _prefetch(self, dockerfile: Dockerfile, options: PlanOptions) -> None:
        from jettison.plan.needed import needed_images

        with contextlib.suppress(JettisonError):  # planning says it, after its warnings
            needed = [(b.reference, b.platform) for b in needed_images(dockerfile, options)]
            self._supplies.images.prefetch(needed)

    def _options(self, *, all_stages: bool = False) -> tuple[PlanOptions, dict[str, ContextTree]]:
        request, context = self._request, self.context
        ignore = read_ignorefile(context.ignore) if context.ignore is not None else None
        contexts = {CONTEXT: ContextTree(context.directory, ignore)}
        options = PlanOptions(
            build_platform=build_platform(),
            platforms=request.platforms,
            build_args=request.build_args,
            target=request.target,
            labels=request.labels,
            contexts=self._named_contexts(contexts),
            no_cache=request.no_cache,
            network=request.network,
            add_hosts=request.add_hosts,
            shm_size=request.shm_size,
            ulimits=request.ulimits,
            cgroup_parent=request.cgroup_parent,
            entitlements=request.allow,
            ignore=ignore,
            context_epoch=context.epoch,
            context_owners=context.owners,
            epoch_of=self._epoch_of,
            all_stages=all_stages,
        )
        return options, contexts

    def _epoch_of(self, source: Git | Http) -> int | None:
        return self._supplies.remotes().epoch(source)

    def _named_contexts(self, contexts: dict[str, ContextTree]) -> dict[str, NamedContext]:
        named: dict[str, NamedContext] = {}
        for name, value in self._request.build_contexts.items():
            kind, rest = classify(value)
            if kind == "scratch":
                named[name] = NamedScratch()
            elif kind in ("image", "layout"):
                named[name] = NamedImage(rest)
            elif kind == "git":
                named[name] = NamedGit(rest)
            elif kind == "http":
                named[name] = NamedHttp(rest)
            else:
                local = f"named {name}"
                scratch = self._supplies.scratch(f"context-{len(contexts)}")
                directory = materialize(rest, scratch, self._session.environ)
                contexts[local] = _named_tree(directory, local=directory == rest)
                named[name] = NamedLocal(local)
        return named


def _is_true(text: str | None) -> bool:
    """A boolean build argument, as Go reads one."""
    return (text or "").lower() in ("1", "t", "true")


def _named_tree(directory: str, *, local: bool) -> ContextTree:
    """A named context, without what its own .dockerignore names."""
    ignore = ignore_file(directory, None, local=local)
    return ContextTree(directory, read_ignorefile(ignore) if ignore is not None else None)
