"""What a user should know of the host before commands run on it."""

from __future__ import annotations

from jettison.model.event import Observer, Warned
from jettison.sandbox.namespace import Isolation
from jettison.sandbox.runtime import Runtime


def announce(isolation: Isolation, runtime: Runtime, observer: Observer) -> None:
    """Warn of what commands cannot do here, and of root file systems that are made the slow way."""
    if isolation.notice is not None:
        observer.emit(Warned("SingleUserId", isolation.notice))
    if runtime.host.snapshotter != "overlay" and runtime.no_overlay:
        message = f"root file systems are made by {runtime.host.snapshotter}"
        observer.emit(Warned("NoOverlay", f"{message} ({runtime.no_overlay})"))
