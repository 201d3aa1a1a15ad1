"""The progress views behind one interface, and which of them is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TextIO

from jettison.cli.terminal import can_redraw
from jettison.errors import UsageError
from jettison.model.event import Event

MODES = ("auto", "plain", "quiet", "rawjson", "tty")


class Display(Protocol):
    """An Observer that is closed when the operation has ended, however it ended.

    No view starts a thread before its first event: the process enters its namespaces first.
    """

    def emit(self, event: Event) -> None:
        """Show ``event``; from any thread, never raises."""
        ...

    def close(self) -> None:
        """Show what is left, stop drawing; the stream is the caller's again."""
        ...

    def hide(self) -> None:
        """Leave the terminal to somebody else; no event comes before `show`."""
        ...

    def show(self) -> None:
        """Go on where `hide` left off."""
        ...

    def running(self) -> list[str]:
        """Names of the steps that have begun and not ended."""
        ...


def open_display(
    mode: str, stream: TextIO, environ: Mapping[str, str], title: str = "Building"
) -> Display:
    """The view ``mode`` on ``stream``; auto is tty on a terminal, else plain.

    Raises UsageError for an unknown mode and for tty where there is no terminal.
    """
    if mode not in MODES:
        from jettison.cli.suggest import did_you_mean

        hint = did_you_mean(mode, MODES) or f"expected one of {', '.join(MODES)}"
        raise UsageError(f"invalid progress mode {mode!r}", hint=hint)
    redraw = can_redraw(stream, environ)
    if mode == "tty" and not redraw:
        hint = "use --progress plain"
        raise UsageError("--progress tty needs a terminal on standard error", hint=hint)
    if mode == "quiet":
        from jettison.cli.progress.quiet import Quiet

        return Quiet()
    if mode == "rawjson":
        from jettison.cli.progress.rawjson import RawJson

        return RawJson(stream.buffer)
    if mode == "tty" or (mode == "auto" and redraw):
        from jettison.cli.progress.tty import Tty

        return Tty(stream, environ, title)
    from jettison.cli.progress.plain import Plain

    return Plain(stream.buffer)
