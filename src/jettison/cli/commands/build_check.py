"""``jettison build --check``: the build checks alone, told as buildx tells them."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from jettison.cli.errors import excerpt
from jettison.cli.output import write, write_json
from jettison.cli.text import plural, printable
from jettison.errors import JettisonError
from jettison.model.event import Event, Warned
from jettison.model.span import SourceText, Span

if TYPE_CHECKING:
    from jettison.app.request import BuildRequest


class _Warnings:
    def __init__(self) -> None:
        self.found: list[Warned] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.found.append(event)

    @property
    def sorted(self) -> list[Warned]:
        return sorted(self.found, key=lambda w: (w.span.line if w.span else 0, w.code))


def check(request: BuildRequest, shown: str) -> int:
    """Show what planning ``request`` warns of, as text or json; the exit status.

    Warnings that were found before an error are shown first.
    """
    from jettison.app.build import check
    from jettison.cli.progress.session import GRACE, watching

    warnings = _Warnings()
    failure = None
    with watching("quiet", os.environ, grace=GRACE) as (_, cancel):
        try:
            check(request, warnings, environ=os.environ, cancel=cancel)
        except JettisonError as error:
            failure = error
    if shown == "json":
        write_json(document(warnings.sorted, failure), indent=2)
    elif warnings.found or failure is None:
        write(text(warnings.sorted))
    if failure is not None:
        raise failure
    return int(bool(warnings.found))


def text(warnings: list[Warned]) -> str:
    """``Check complete, …``, then each warning with its lines."""
    if not warnings:
        return "Check complete, no warnings found.\n"
    have = "has" if len(warnings) == 1 else "have"
    lines = [f"Check complete, {plural(len(warnings), 'warning')} {have} been found!\n"]
    for warning in warnings:
        url = f" - {warning.url}" if warning.url else ""
        lines.append(f"\nWARNING: {warning.code}{printable(url)}\n{printable(warning.message)}\n")
        if warning.span is not None:
            lines.append(excerpt(warning.span))
    return "".join(lines)


def document(warnings: list[Warned], failure: JettisonError | None = None) -> dict[str, object]:
    """The document of BuildKit's ``frontend.lint`` (subrequests/lint)."""
    spans = [w.span for w in warnings] + ([failure.span] if failure else [])
    source = next((span.source for span in spans if span is not None), None)
    found: dict[str, object] = {
        "warnings": [_warning(warning) for warning in warnings],
        "sources": [] if source is None else [_source(source)],
    }
    if failure is not None:
        found["buildError"] = {"message": failure.message, "location": location(failure.span)}
    return found


def _source(source: SourceText) -> dict[str, object]:
    return {"filename": source.name, "language": "Dockerfile", "data": encoded(source)}


def encoded(source: SourceText) -> str:
    """A text as BuildKit's documents hold it: in base64."""
    return base64.b64encode(source.text.encode("utf-8", "surrogateescape")).decode("ascii")


def _warning(warning: Warned) -> dict[str, object]:
    found: dict[str, object] = {"ruleName": warning.code}
    if warning.detail:
        found["description"] = warning.detail
    if warning.url:
        found["url"] = warning.url
    found["detail"] = warning.message
    if warning.span is not None:
        found["location"] = location(warning.span)
    return found


def location(span: Span | None) -> dict[str, object]:
    """The lines of a span as BuildKit's documents name them."""
    if span is None:
        return {}
    end = max(span.line, span.end_line)
    return {"ranges": [{"start": {"line": span.line}, "end": {"line": end}}]}
