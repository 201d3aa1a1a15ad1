"""How an image was built: SLSA provenance, v0.2 and v1, in the shape of BuildKit's
(docs/attestations/slsa-definitions.md).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from jettison.attest.materials import Capture
from jettison.attest.options import ProvenanceOptions
from jettison.attest.statement import Predicate
from jettison.attest.steps import Graph
from jettison.errors import JettisonError
from jettison.model.oci import Descriptor, encode
from jettison.model.platform import Platform
from jettison.model.span import SourceText
from jettison.plan.steps import Step, StepInfo

_BUILD_TYPE = {
    "v0.2": "https://mobyproject.org/buildkit@v1",
    "v1": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
}
_VALUES = ("build-arg:", "label:")
"""Arguments that mode=min leaves out."""


class Subject(Struct, frozen=True, kw_only=True):
    """Everything provenance is made of.

    ``args`` are the build's options under the names BuildKit's frontend gives them. ``context``
    is where the build context came from, with its digests, empty if it is local. ``layers`` are
    the blobs that steps are known by. Times are seconds since the epoch.
    """

    options: ProvenanceOptions
    capture: Capture
    args: Mapping[str, str]
    context: Mapping[str, Any]
    dockerfile: SourceText
    builder: Platform
    started: float
    finished: float
    graph: Graph
    infos: Mapping[Step, StepInfo]
    layers: Mapping[Step, Sequence[Descriptor]]


def predicate(subject: Subject) -> Predicate:
    """The provenance. Raises JettisonError if complete materials are wanted and some are not
    known.
    """
    options = subject.options
    if options.complete_materials and subject.capture.locals:
        raise JettisonError(
            "provenance materials are incomplete: the build reads local directories "
            f"({', '.join(subject.capture.locals)})",
            hint="build from a repository, or drop complete-materials",
        )
    shape = _v1 if options.version == "v1" else _v02
    kind = f"https://slsa.dev/provenance/{options.version}"
    return Predicate(kind, shape(subject), options.filename)


def _v02(subject: Subject) -> dict[str, Any]:
    parameters, complete = _parameters(subject)
    found: dict[str, Any] = {
        "builder": {"id": subject.options.builder_id},
        "buildType": _BUILD_TYPE["v0.2"],
        "materials": list(subject.capture.materials),
        "invocation": {
            "configSource": _config_source(subject, "entryPoint"),
            "parameters": parameters,
            "environment": {"platform": str(subject.builder)},
        },
    }
    if subject.options.mode == "max":
        found["buildConfig"] = _build_config(subject)
    metadata = {
        "buildInvocationID": _invocation(subject),
        "buildStartedOn": _time(subject.started),
        "buildFinishedOn": _time(subject.finished),
        "completeness": {
            "parameters": complete,
            "environment": True,
            "materials": not subject.capture.locals,
        },
        "reproducible": subject.options.reproducible,
        "https://mobyproject.org/buildkit@v1#metadata": _metadata(subject),
    }
    if _hermetic(subject):
        metadata["https://mobyproject.org/buildkit@v1#hermetic"] = True
    return {**found, "metadata": metadata}


def _v1(subject: Subject) -> dict[str, Any]:
    request, complete = _parameters(subject)
    internal: dict[str, Any] = {"builderPlatform": str(subject.builder)}
    if subject.options.mode == "max":
        internal["buildConfig"] = _build_config(subject)
    metadata: dict[str, Any] = {
        "invocationId": _invocation(subject),
        "startedOn": _time(subject.started),
        "finishedOn": _time(subject.finished),
        "buildkit_metadata": _metadata(subject),
        "buildkit_completeness": {
            "request": complete,
            "resolvedDependencies": not subject.capture.locals,
        },
    }
    if _hermetic(subject):
        metadata["buildkit_hermetic"] = True
    if subject.options.reproducible:
        metadata["buildkit_reproducible"] = True
    return {
        "buildDefinition": {
            "buildType": _BUILD_TYPE["v1"],
            "externalParameters": {
                "configSource": _config_source(subject, "path"),
                "request": request,
            },
            "internalParameters": internal,
            "resolvedDependencies": list(subject.capture.materials),
        },
        "runDetails": {"builder": {"id": subject.options.builder_id}, "metadata": metadata},
    }


def _parameters(subject: Subject) -> tuple[dict[str, Any], bool]:
    """What was asked for, and whether that is all of it."""
    capture, args = subject.capture, dict(sorted(subject.args.items()))
    everything = subject.options.mode == "max"
    shown = args if everything else {k: v for k, v in args.items() if not k.startswith(_VALUES)}
    found: dict[str, Any] = {"frontend": "dockerfile.v0"}
    if shown:
        found["args"] = shown
    if everything and capture.secrets:
        found["secrets"] = [_mounted(*secret) for secret in capture.secrets]
    if everything and capture.ssh:
        found["ssh"] = [_mounted(*agent) for agent in capture.ssh]
    if capture.locals:
        found["locals"] = [{"name": name} for name in capture.locals]
    return found, len(shown) == len(args)


def _mounted(name: str, optional: bool) -> dict[str, Any]:
    return {"id": name, "optional": True} if optional else {"id": name}


def _config_source(subject: Subject, path: str) -> dict[str, Any]:
    return {**subject.context, path: subject.dockerfile.name}


def _build_config(subject: Subject) -> dict[str, Any]:
    graph = subject.graph
    return {"llbDefinition": graph.definition, "digestMapping": dict(sorted(graph.digests.items()))}


def _metadata(subject: Subject) -> dict[str, Any]:
    if subject.options.mode != "max":
        return {}
    text = subject.dockerfile.text.encode("utf-8", "surrogateescape")
    locations: dict[str, Any] = {}
    layers: dict[str, Any] = {}
    for number, step in enumerate(subject.graph.order):
        info = subject.infos.get(step)
        span = info.span if info is not None else None
        locations[f"step{number}"] = {}
        if span is not None and span.source == subject.dockerfile:
            end = max(span.end_line, span.line)
            lines = {"start": {"line": span.line}, "end": {"line": end}}
            locations[f"step{number}"] = {"locations": [{"ranges": [lines]}]}
        if step in subject.layers:
            blobs = [_descriptor(blob) for blob in subject.layers[step]]
            layers[f"step{number}:0"] = [blobs]
    source = {
        "filename": subject.dockerfile.name,
        "language": "Dockerfile",
        "data": base64.b64encode(text).decode(),
    }
    found: dict[str, Any] = {"source": {"locations": locations, "infos": [source]}}
    if layers:
        found["layers"] = layers
    return found


def _descriptor(blob: Descriptor) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(encode(blob))
    return found


def _hermetic(subject: Subject) -> bool:
    return not subject.capture.locals and not subject.capture.network


def _invocation(subject: Subject) -> str:
    """An id that no other build has: which moment it began, and with what."""
    text = f"{subject.started!r} {sorted(subject.args.items())} {list(subject.graph.digests)}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:25]


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
