"""``jettison check``: whether the store is sound, and mending it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from jettison.app.session import enter_namespaces
from jettison.errors import Cancelled
from jettison.store.paths import default_root
from jettison.store.store import Store

if TYPE_CHECKING:
    from jettison.store.check import Problem


def check(
    *, read_data: bool, repair: bool, environ: Mapping[str, str], cancel: threading.Event
) -> list[Problem]:
    """What is wrong with the store; with ``repair``, what was, and what could not be mended.

    ``read_data`` hashes everything that has a digest; without, documents only. No lease is taken:
    it would have leftovers swept before they are seen. Raises StoreError if there is no looking.
    """
    from jettison.store.check import Problem

    isolation = enter_namespaces()
    root = default_root(environ, isolation.uid)
    lost = [name for name in ("oci-layout", "index.json") if _is_lost(str(root), name)]

    def stop_if_cancelled(_: str) -> None:
        if cancel.is_set():
            raise Cancelled

    with Store.open(root) as store:  # makes what is missing
        found = store.check(deep=read_data, repair=repair, progress=stop_if_cancelled)
    return [*(Problem("store", n, "was missing; made anew", mended=True) for n in lost), *found]


def _is_lost(root: str, name: str) -> bool:
    """Whether a store lacks a document that it has from its beginning."""
    used = os.path.isdir(os.path.join(root, "locks"))
    return used and not os.path.exists(os.path.join(root, name))
