"""Parser directives: ``# syntax=``, ``# escape=``, ``# check=``."""

from __future__ import annotations

from jettison.dockerfile.ast import Directive
from jettison.dockerfile.text import SPACE, expression, quoted
from jettison.errors import DockerfileError, JettisonError
from jettison.model.reference import parse_reference
from jettison.model.span import SourceText, Span

_NAMES = frozenset({"syntax", "escape", "check"})
_FORM = r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*\Z"
_FRONT_ENDS = ("docker/dockerfile", "docker/dockerfile-upstream", "jettison/dockerfile")
_BUILT_IN = frozenset({"dockerfile.v0", "jettison"})


def split_directive(comment: str) -> tuple[str, str] | None:
    """Name and value of a comment (without ``#``) that is a directive, else None."""
    match = expression(_FORM).match(comment.lstrip(SPACE))
    if match is None or match[1].lower() not in _NAMES:
        return None
    return match[1].lower(), match[2]


class DirectiveReader:
    """Reads the block of directives at the top, line by line.

    The first line that is no directive ends the block.
    """

    def __init__(self, source: SourceText) -> None:
        self.found: list[Directive] = []
        self._source = source
        self._done = False

    def read(self, line: str, number: int, column: int) -> Directive | None:
        """The directive on a line, if it is one; ``line`` begins with no blanks.

        Raises DockerfileError for a directive given twice and for an unknown escape character.
        """
        if self._done:
            return None
        split = split_directive(line[1:]) if line.startswith("#") else None
        if split is None:
            self._done = True
            return None
        directive = Directive(*split, Span(self._source, number, column, number))
        self._check(directive)
        self.found.append(directive)
        return directive

    def _check(self, new: Directive) -> None:
        for old in self.found:
            if old.name == new.name:
                raise DockerfileError(
                    f"only one {new.name} parser directive can be used "
                    f"(the first is on line {old.span.line})",
                    hint="remove one of them",
                    span=new.span,
                )
        if new.name == "escape" and new.value not in ("\\", "`"):
            raise DockerfileError(
                f"invalid escape token '{new.value}' does not match ` or \\",
                hint="the escape directive takes a backslash or a backtick",
                span=new.span,
            )


def find_check(source: SourceText) -> Directive | None:
    """The check directive, also of a text that is no Dockerfile otherwise."""
    for number, line in enumerate(source.text.split("\n"), 1):
        split = split_directive(line[1:]) if line.startswith("#") else None
        if split is None:
            break
        if split[0] == "check":
            return Directive(*split, Span(source, number, 1, number))
    return None


def detect_syntax(source: SourceText) -> Directive | None:
    """The front end that a Dockerfile asks for.

    Besides ``# syntax=`` that is ``// syntax=`` or a JSON object with the key ``syntax``, each
    after an optional ``#!`` line (BuildKit's ``DetectSyntax``). Only the first word of the value
    counts.
    """
    text, first = source.text, 1
    if text.startswith("#!"):
        text, first = text.partition("\n")[2], 2
    for mark in ("#", "//"):
        for number, line in enumerate(text.split("\n"), first):
            split = split_directive(line[len(mark) :]) if line.startswith(mark) else None
            if split is None:
                break
            if split[0] == "syntax":
                value = split[1].partition(" ")[0]
                return Directive("syntax", value, Span(source, number, 1, number))
    selected = _json_syntax(text) if text.lstrip().startswith("{") else None
    return Directive("syntax", selected, Span(source, first, 1, first)) if selected else None


def _json_syntax(text: str) -> str | None:
    import json

    try:
        value = json.loads(text).get("syntax")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def check_front_end(image: str, span: Span | None) -> None:
    """Raise DockerfileError unless ``image`` is a front end whose language this is.

    These are docker/dockerfile (and its -upstream builds) with any tag, also from a mirror, and
    jettison's own names. Front ends are not run, so others cannot be served.
    """
    if image in _BUILT_IN:
        return
    try:
        path = parse_reference(image).path
    except JettisonError:
        path = ""
    if not any(path == name or path.endswith(f"/{name}") for name in _FRONT_ENDS):
        raise DockerfileError(
            f"unsupported front end {quoted(image)}: jettison runs no front end images",
            hint="remove the syntax directive, or write # syntax=docker/dockerfile:1",
            span=span,
        )
