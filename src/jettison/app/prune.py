"""``jettison prune``: give back disk space."""

from __future__ import annotations

import time
from collections.abc import Mapping

from jettison.app.request import PruneReport, PruneRequest
from jettison.app.session import open_session


def prune(request: PruneRequest, *, environ: Mapping[str, str]) -> PruneReport:
    """Remove what is not in use, as far as asked; returns what went."""
    with open_session(environ) as session:
        pruned = session.store.prune(
            all=request.all,
            until=None if request.unused_for is None else time.time() - request.unused_for,
            max_used_space=request.keep_bytes,
            reserved_space=request.reserved_bytes,
            min_free_space=request.free_bytes,
        )
    removed = tuple((item.kind, item.id, item.size) for item in pruned.items)
    return PruneReport(removed, pruned.size)
