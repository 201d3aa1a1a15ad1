"""A step graph as BuildKit writes its own into provenance: ``llbDefinition``.

Field names are those of BuildKit's JSON of its build operations (solver/pb/ops.proto); what has no
counterpart here is left out, and so are proxies, which are no part of a step.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from jettison.attest.redact import redacted
from jettison.plan.ancestors import ancestors
from jettison.plan.steps import (
    BindMount,
    CacheMount,
    Copy,
    FileSource,
    Git,
    Http,
    Local,
    Merge,
    Mkdir,
    PathSource,
    Run,
    RunMount,
    SecretMount,
    Source,
    SshMount,
    Step,
)

_NETWORKS = {"host": 1, "none": 2}
_SHARING = {"shared": 0, "private": 1, "locked": 2}
NameOf = Callable[[Source], str]
"""The name of the image behind a Source, pinned to its digest."""


class Graph(Struct, frozen=True):
    """``order``: every input before its users; step ``n`` of it is called ``step<n>``."""

    order: tuple[Step, ...]
    definition: list[dict[str, Any]]
    digests: dict[str, str]


def graph_of(root: Step | None, name_of: NameOf) -> Graph:
    """The steps that make ``root``, and at the end, as in BuildKit, one that stands for it."""
    order = tuple(ancestors([root] if root is not None else []))
    numbers = {step: number for number, step in enumerate(order)}
    definition: list[dict[str, Any]] = []
    digests: dict[str, str] = {}
    known: list[str] = []
    for step in order:
        inputs = list(dict.fromkeys(step.inputs()))
        ids = [numbers[i] for i in inputs]
        _add(definition, digests, known, _op(step, inputs, name_of), ids)
    if root is not None:
        _add(definition, digests, known, {"Op": {}}, [numbers[root]])
    return Graph(order, definition, digests)


def _add(
    definition: list[dict[str, Any]],
    digests: dict[str, str],
    known: list[str],
    op: dict[str, Any],
    inputs: Sequence[int],
) -> None:
    name = f"step{len(definition)}"
    found: dict[str, Any] = {"id": name, "op": op}
    if inputs:
        found["inputs"] = [f"step{number}:0" for number in inputs]
    identity = json.dumps([op, [known[number] for number in inputs]], sort_keys=True)
    digest = "sha256:" + hashlib.sha256(identity.encode()).hexdigest()
    known.append(digest)
    digests[digest] = name
    definition.append(found)


def _op(step: Step, inputs: list[Step], name_of: NameOf) -> dict[str, Any]:
    found: dict[str, Any] = {"Op": _kind(step, inputs, name_of), "constraints": {}}
    if isinstance(step, Run):
        found["platform"] = {"Architecture": step.platform.architecture, "OS": step.platform.os}
    return found


def _kind(step: Step, inputs: list[Step], name_of: NameOf) -> dict[str, Any]:
    if isinstance(step, Run):
        return {"exec": _exec(step, inputs)}
    if isinstance(step, Copy):
        return {"file": {"actions": [_action(step, s, inputs) for s in step.sources]}}
    if isinstance(step, Mkdir):
        action: dict[str, Any] = {"path": step.path, "mode": 0o755, "makeParents": True}
        action["timestamp"] = -1 if step.mtime is None else step.mtime * 1_000_000_000
        if step.user:
            action["owner"] = step.user
        return {"file": {"actions": [{"Action": {"mkdir": action}, **_places(step, None, inputs)}]}}
    if isinstance(step, Merge):
        return {"merge": {"inputs": [{"input": number} for number in range(len(inputs))]}}
    return {"source": _source(step, name_of)}


def _source(step: Step, name_of: NameOf) -> dict[str, Any]:
    if isinstance(step, Source):
        return {"identifier": name_of(step)}
    if isinstance(step, Local):
        return {"identifier": f"local://{step.name}"}
    if isinstance(step, Http):
        attributes = {"http.filename": step.filename}
        if step.checksum is not None:
            attributes["http.checksum"] = step.checksum
        return {"identifier": redacted(step.url), "attrs": attributes}
    assert isinstance(step, Git)
    place = f"{step.ref}:{step.subdir}" if step.subdir else step.ref
    attributes = {"git.fullurl": redacted(step.url)}
    if step.keep_git_dir:
        attributes["git.keepgitdir"] = "true"
    if step.checksum:
        attributes["git.checksum"] = step.checksum
    identifier = redacted(step.url) + (f"#{place}" if place else "")
    return {"identifier": identifier, "attrs": attributes}


def _action(step: Copy, source: PathSource | FileSource, inputs: list[Step]) -> dict[str, Any]:
    if isinstance(source, FileSource):
        dest = step.dest + source.name if step.dest.endswith("/") else step.dest
        data = base64.b64encode(source.content).decode()
        file = {"path": dest, "mode": source.mode, "data": data, "timestamp": -1}
        return {"Action": {"mkfile": file}, **_places(step, None, inputs)}
    copy: dict[str, Any] = {
        "src": source.path,
        "dest": step.dest,
        "mode": int(step.chmod, 8) if step.chmod and step.chmod.isdecimal() else -1,
        "followSymlink": True,
        "dirCopyContents": True,
        "createDestPath": True,
        "allowWildcard": source.wildcard,
        "timestamp": -1,
    }
    if step.chmod and copy["mode"] == -1:
        copy["modeStr"] = step.chmod
    if step.chown is not None:
        copy["owner"] = step.chown
    if source.unpack:
        copy["attemptUnpackDockerCompatibility"] = True
    if step.exclude:
        copy["excludePatterns"] = list(step.exclude)
    return {"Action": {"copy": copy}, **_places(step, source.step, inputs)}


def _places(step: Copy | Mkdir, other: Step | None, inputs: list[Step]) -> dict[str, int]:
    return {
        "input": inputs.index(step.root) if step.root is not None else -1,
        "secondaryInput": inputs.index(other) if other is not None else -1,
        "output": 0,
    }


def _exec(step: Run, inputs: list[Step]) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "args": list(step.argv),
        "env": [f"{key}={value}" for key, value in step.env],
        "cwd": step.cwd,
    }
    if step.user:
        meta["user"] = step.user
    if step.extra_hosts:
        meta["extraHosts"] = [{"Host": name, "IP": address} for name, address in step.extra_hosts]
    if step.ulimits:
        meta["ulimit"] = [{"Name": u.name, "Soft": u.soft, "Hard": u.hard} for u in step.ulimits]
    root = {"dest": "/"} if step.root is not None else {"dest": "/", "input": -1}
    found: dict[str, Any] = {
        "meta": meta,
        "mounts": [root, *(_mount(m, inputs) for m in step.mounts)],
    }
    secrets = [m for m in step.mounts if isinstance(m, SecretMount) and m.env]
    if secrets:
        found["secretenv"] = [
            {"ID": m.id, "name": m.env, "optional": not m.required} for m in secrets
        ]
    if step.network in _NETWORKS:
        found["network"] = _NETWORKS[step.network]
    if step.insecure:
        found["security"] = 1
    return found


def _mount(mount: RunMount, inputs: list[Step]) -> dict[str, Any]:
    """Mounts by their kinds' numbers: 0 bind, 1 secret, 2 ssh, 3 cache, 4 tmpfs."""
    if isinstance(mount, SecretMount):
        secret = {"ID": mount.id, "mode": mount.mode, "optional": not mount.required}
        return {"dest": mount.target or "", "input": -1, "mountType": 1, "secretOpt": secret}
    if isinstance(mount, SshMount):
        ssh = {"ID": mount.id, "mode": mount.mode, "optional": not mount.required}
        return {"dest": mount.target, "input": -1, "mountType": 2, "SSHOpt": ssh}
    if isinstance(mount, BindMount | CacheMount):
        number = inputs.index(mount.step) if mount.step is not None else -1
        found: dict[str, Any] = {"dest": mount.target, "input": number, "selector": mount.source}
        if mount.read_only:
            found["readonly"] = True
        if isinstance(mount, CacheMount):
            found["mountType"] = 3
            found["cacheOpt"] = {"ID": mount.id, "sharing": _SHARING.get(mount.sharing, 0)}
        return found
    return {"dest": mount.target, "input": -1, "mountType": 4, "TmpfsOpt": {"size": mount.size}}
