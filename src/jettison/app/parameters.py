"""The options of a build under the names BuildKit's frontend gives them, for provenance."""

from __future__ import annotations

import os

from jettison.app.request import BuildRequest
from jettison.app.sources import LAYOUT_PREFIX, classify
from jettison.attest.redact import redacted
from jettison.plan.giturl import find_git_url


def arguments(request: BuildRequest) -> dict[str, str]:
    """What was asked for, but for what says nothing of the result (BuildKit, FilterArgs): the
    platforms, cgroups, how images are looked for. No path of this host and no credentials of a
    URL are among them.
    """
    found = {f"build-arg:{k}": redacted(v) for k, v in request.build_args.items()}
    found |= {f"label:{k}": v for k, v in request.labels.items()}
    for name, value in request.build_contexts.items():
        found[f"context:{name}"] = _context(name, value)
    if request.target:
        found["target"] = request.target
    if request.no_cache is not None:
        found["no-cache"] = ",".join(request.no_cache)
    if request.network != "default":
        found["force-network-mode"] = request.network
    if request.add_hosts:
        found["add-hosts"] = ",".join(f"{name}={address}" for name, address in request.add_hosts)
    if request.shm_size:
        found["shm-size"] = str(request.shm_size)
    if request.ulimits:
        found["ulimit"] = ",".join(f"{u.name}={u.soft}:{u.hard}" for u in request.ulimits)
    return found


def origin(context: str) -> str:
    """The URI of a build context that is fetched; empty for one of this host."""
    if context == "-" or os.path.exists(context):
        return ""
    remote = find_git_url(context) or context.startswith("github.com/")
    if remote or context.lower().startswith(("http://", "https://")):
        return redacted(context)
    return ""


def _context(name: str, value: str) -> str:
    kind, _ = classify(value)
    if kind == "layout":
        return LAYOUT_PREFIX + os.path.basename(value.removeprefix(LAYOUT_PREFIX).rstrip("/"))
    if kind == "local" and not value.lower().startswith(("http://", "https://")):
        return f"local:{name}"
    return redacted(value)
