"""What a build states about its images, when it is asked to: provenance and SBOMs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from jettison.app.context import BuildContext
from jettison.app.parameters import arguments, origin
from jettison.app.request import BuildRequest
from jettison.attest import provenance, spdx
from jettison.attest.inventory import Inventory, take_inventory
from jettison.attest.materials import Capture, capture, commit_set
from jettison.attest.statement import (
    SPDX_PREDICATE,
    Attached,
    Predicate,
    attached,
    digest_set,
    image_subjects,
    statement,
)
from jettison.attest.steps import graph_of
from jettison.errors import Cancelled
from jettison.export.assemble import Image
from jettison.fs.stack import Stack
from jettison.fs.tree import Tree
from jettison.model.digest import Digest
from jettison.model.event import Silent
from jettison.model.oci import Descriptor
from jettison.model.platform import Platform
from jettison.model.source import ResolvedImage
from jettison.plan.ancestors import ancestors
from jettison.plan.steps import BuildPlan, Git, Http, ImagePlan, Local, Source, Step
from jettison.solve.graph import base_sources

if TYPE_CHECKING:
    from jettison.app.session import Session

Resolved = tuple[str, Platform, ResolvedImage]


class BuildFacts(Struct, frozen=True, kw_only=True):
    """What is known once everything is built."""

    plan: BuildPlan
    snapshots: Mapping[Step, tuple[str, ...]]
    context: BuildContext
    trees: Mapping[str, Tree]
    images: Sequence[Resolved]
    pin: Callable[[Http | Git], str]
    platform: Platform
    started: float
    clock: Callable[[], float]


class Attestations:
    """The attestations of one build's images; each tree is looked through once."""

    def __init__(
        self, request: BuildRequest, facts: BuildFacts, session: Session, cancel: threading.Event
    ) -> None:
        self._request = request
        self._facts = facts
        self._session = session
        self._store = session.store
        self._cancel = cancel
        self._inventories: dict[Step | None, Inventory] = {}

    def attach(
        self, plan: ImagePlan, image: Image, names: Sequence[str], *, inline: bool, artifact: bool
    ) -> Attached:
        """The attestation manifest for an image that is pushed or kept as ``names``.

        ``inline`` False: without what is wanted in image outputs only.
        """
        subjects = image_subjects(names, image.descriptor)
        found = [
            (predicate.type, statement(predicate, subjects))
            for predicate in self.predicates(plan, image, inline=inline)
        ]
        return attached(image.descriptor, found, artifact=artifact)

    def wanted(self, *, inline: bool) -> bool:
        """Whether there is anything to state."""
        options = self._request.provenance
        return self._request.sbom or (options is not None and (inline or not options.inline_only))

    def predicates(self, plan: ImagePlan, image: Image | None, *, inline: bool) -> list[Predicate]:
        """What is stated of an image, or (``image`` None) of its tree: SBOMs, then provenance."""
        found = []
        if self._request.sbom:
            found += [self._sbom(plan, image, "sbom", plan.root)]
            found += [self._sbom(plan, image, f"sbom-{name}", step) for name, step in plan.scans]
        options = self._request.provenance
        if options is not None and (inline or not options.inline_only):
            found.append(provenance.predicate(self._provenance(plan, image)))
        return found

    # ---------------------------------------------------------------- SBOM

    def _sbom(
        self, plan: ImagePlan, image: Image | None, name: str, root: Step | None
    ) -> Predicate:
        inventory = self._inventories.get(root)
        if inventory is None:
            inventory = self._inventories[root] = take_inventory(self._tree(root), self._stop)
        moment = self._facts.clock() if plan.epoch is None else plan.epoch
        created = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digests = " ".join(_digests(inventory))
        identity = image.descriptor.digest if image is not None else digests
        subject = spdx.Subject(name, identity, created)
        layers = self._layers_by_path(plan, image) if root is plan.root else {}
        document = spdx.document(inventory, subject, lambda real: _layer_of(layers, real))
        return Predicate(SPDX_PREDICATE, document, f"{name}.spdx.json")

    def _tree(self, step: Step | None) -> Tree:
        """The files of a step, with all its layers on disk."""
        if isinstance(step, Local):
            return self._facts.trees[step.name]
        if step is None:
            return Stack([])
        self._unpack(step)
        layers = self._facts.snapshots[step]
        return Stack([str(self._store.layers.path(layer)) for layer in layers])

    def _unpack(self, step: Step) -> None:
        from jettison.solve.images import ImageUnpacker, layers_of

        prefix = "user" if self._session.rootless else "trusted"
        for source in base_sources(step):
            if self._store.layers.missing(layers_of(self._store, source.diff_ids)):
                base = self._facts.plan.sources[source.diff_ids]
                ImageUnpacker(self._store, Silent(), self._cancel, prefix).unpack(base, "base")

    def _layers_by_path(self, plan: ImagePlan, image: Image | None) -> dict[str, Digest]:
        """The blob of each layer of an image, by the directory it is unpacked in."""
        if image is None or plan.root is None:
            return {}
        snapshot = self._facts.snapshots[plan.root]
        paths = (str(self._store.layers.path(layer)) for layer in snapshot)
        return dict(zip(paths, (blob.digest for blob in image.layers), strict=True))

    def _stop(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    # ---------------------------------------------------------------- provenance

    def _provenance(self, plan: ImagePlan, image: Image | None) -> provenance.Subject:
        request, facts = self._request, self._facts
        assert request.provenance is not None
        return provenance.Subject(
            options=request.provenance,
            capture=self._capture(plan),
            args=arguments(request),
            context=self._origin(),
            dockerfile=facts.context.dockerfile,
            builder=facts.platform,
            started=facts.started,
            finished=facts.clock(),
            graph=graph_of(plan.root, self._identifier),
            infos=facts.plan.infos,
            layers=self._step_layers(plan, image),
        )

    def _capture(self, plan: ImagePlan) -> Capture:
        """A context that was fetched is a material, and no directory of the client."""
        facts = self._facts
        steps = ancestors([plan.root] if plan.root is not None else [])
        wanted = {step.diff_ids for step in steps if isinstance(step, Source)}
        if plan.base is not None:
            wanted.add(plan.base.diff_ids)
        images = [
            (image, name, platform)
            for name, platform, image in facts.images
            if image.diff_ids in wanted
        ]
        found = capture(steps, images, facts.pin)
        context = self._origin()
        if context:
            others = tuple(name for name in found.locals if name != "context")
            return structs.replace(found, materials=(*found.materials, context), locals=others)
        names = {*(name.removeprefix("named ") for name in found.locals), "dockerfile"}
        return structs.replace(found, locals=tuple(sorted(names)))

    def _origin(self) -> dict[str, object]:
        context = self._facts.context
        uri = origin(self._request.context)
        if not uri or not (context.commit or context.digest):
            return {}
        digests = commit_set(context.commit) if context.commit else digest_set(context.digest)
        return {"uri": uri, "digest": digests}

    def _identifier(self, source: Source) -> str:
        image = self._facts.plan.sources[source.diff_ids]
        name = next((n for n, _, i in self._facts.images if i is image), image.name)
        if name.startswith("oci-layout://"):
            last = os.path.basename(name.partition("@")[0].rstrip("/"))
            return f"oci-layout://{last}@{image.digest}"
        return f"docker-image://{name.partition('@')[0]}@{image.digest}"

    def _step_layers(self, plan: ImagePlan, image: Image | None) -> dict[Step, list[Descriptor]]:
        """The blobs of base images, and those of the image up to each step that added one."""
        sources = self._facts.plan.sources
        steps = ancestors([plan.root] if plan.root is not None else [])
        found: dict[Step, list[Descriptor]] = {
            step: list(sources[step.diff_ids].layers) for step in steps if isinstance(step, Source)
        }
        if image is not None:
            made = [entry.step for entry in plan.history if entry.step is not None]
            base = len(image.layers) - len(made)
            for number, step in enumerate(made, base + 1):
                found[step] = list(image.layers[:number])
        return found


def _digests(inventory: Inventory) -> list[str]:
    return sorted(file.sha256 for file in inventory.files.values())


def _layer_of(layers: Mapping[str, Digest], real: str) -> Digest | None:
    return next((d for path, d in layers.items() if real.startswith(f"{path}/")), None)
