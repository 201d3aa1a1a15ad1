"""``jettison doctor``: what this host can and cannot do."""

from __future__ import annotations

import os
from collections.abc import Mapping

from jettison.app.request import Check
from jettison.errors import SandboxError, StoreError
from jettison.store.paths import default_root
from jettison.store.store import Store


def doctor(*, environ: Mapping[str, str]) -> list[Check]:
    """Every check, in the order in which things are needed; nothing is raised."""
    from jettison.sandbox.doctor import examine
    from jettison.sandbox.namespace import Isolation, enter

    uid = os.getuid()
    isolation: Isolation | SandboxError
    try:
        isolation = enter()
    except SandboxError as error:
        isolation = error
    root = default_root(environ, uid)
    try:
        Store.open(root).close()
    except StoreError as error:
        return [Check("store", False, error.message, error.hint or "")]
    checks = examine(isolation, store=str(root), environment=environ, uid=uid)
    return [Check(c.name, c.ok, c.detail, c.mend or "") for c in checks]
