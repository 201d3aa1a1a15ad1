"""Errors as text for people, and exit statuses.

What comes from a file is shown with its lines, as BuildKit shows it, and a caret:

    Dockerfile:4
    --------------------
       2 |     FROM debian
       3 |     WORKDIR /src
       4 | >>> RUNN make
         |     ^
    --------------------
    hint: did you mean RUN?
    error: dockerfile parse error on line 4: unknown instruction: RUNN

The last line is always ``error: `` and the message. Only a bug shows a traceback.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import click

from jettison.cli.output import OutputClosed
from jettison.cli.terminal import paint, wants_color
from jettison.cli.text import printable
from jettison.errors import Cancelled, DockerfileError, JettisonError, RunError
from jettison.model.span import Span

USER_ERROR = 1
USAGE = 2
BUG = 70
INTERRUPTED = 130
RUN_FAILED = 125
"""``jettison run`` itself failed, as opposed to the command in the container."""

ISSUES = "the project's issue tracker"
_RULE = "-" * 20
_MAX_LINE = 200
_CONTEXT_LINES = 2
_HOST_TROUBLE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM}
)
"""What no code can foresee and the user can mend: disk full, too many open files ..."""


def report(
    error: BaseException, argv: Sequence[str], stream: TextIO, environ: Mapping[str, str]
) -> int:
    """Show ``error`` on ``stream``; the exit status it means."""
    status = exit_status(error, argv)
    text = render(error, wants_color(stream, environ))
    if text:
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # nobody reads standard error any more
            pass
    return status


def exit_status(error: BaseException, argv: Sequence[str] = ()) -> int:
    """The exit status ``error`` means."""
    in_run = bool(argv) and argv[0] == "run"
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        case click.exceptions.Exit():
            return error.exit_code
        case Cancelled() | KeyboardInterrupt() | click.Abort():
            return INTERRUPTED
        case JettisonError() | click.ClickException():
            return RUN_FAILED if in_run else error.exit_code
        case OutputClosed():
            return USER_ERROR
        case OSError() if error.errno in _HOST_TROUBLE:
            return RUN_FAILED if in_run else USER_ERROR
    return BUG


def render(error: BaseException, color: bool = False) -> str:
    """The text shown for ``error``, ending in a newline; empty if nothing is to be said."""
    match error:
        case SystemExit() | click.exceptions.Exit() | OutputClosed():
            return ""
        case Cancelled() | KeyboardInterrupt() | click.Abort():
            what = str(error) if isinstance(error, Cancelled) else ""
            return _last_line(f"interrupted: {what}" if what else "interrupted", color)
        case JettisonError():
            return _jettison_error(error, color)
        case click.exceptions.NoArgsIsHelpError():
            return error.message + "\n"
        case click.ClickException():
            return _click_error(error, color)
        case OSError() if error.errno in _HOST_TROUBLE:
            return _last_line(str(error), color)
    return _bug(error, color)


def _jettison_error(error: JettisonError, color: bool) -> str:
    text = _command_output(error) if isinstance(error, RunError) else ""
    if error.span is not None:
        text += excerpt(error.span, color)
    if isinstance(error, RunError) and error.log:
        text += f"the whole log is in {error.log}\n"
    if error.hint:
        text += _hint(error.hint, color)
    return text + _last_line(_message(error), color)


def _message(error: JettisonError) -> str:
    """A wrong Dockerfile is reported with the line in BuildKit's words, which tools look for."""
    span, message = error.span, printable_lines(error.message)
    if not isinstance(error, DockerfileError) or span is None:
        return message
    if span.file.endswith(".dockerignore") or message.startswith("dockerfile parse error"):
        return message
    return f"dockerfile parse error on line {span.line}: {message}"


def _command_output(error: RunError) -> str:
    """The last lines the command wrote, under the instruction it came from."""
    if not error.tail:
        return ""
    title = error.span.source.line(error.span.line).strip() if error.span else "the command"
    lines = [printable(line.rstrip("\r\n").rpartition("\r")[2]) for line in error.tail]
    return "\n".join(["------", f" > {printable(title)}", *lines, "------"]) + "\n"


def excerpt(span: Span, color: bool = False) -> str:
    """``file:line``, then the span's lines marked ``>>>`` among their neighbours, and a caret."""
    first, last = span.line, max(span.line, span.end_line)
    before = max(1, first - _CONTEXT_LINES)
    total = span.source.text.count("\n") + (not span.source.text.endswith("\n"))
    after = min(max(total, 1), last + _CONTEXT_LINES)
    lines = [f"{printable(span.file)}:{first}", _RULE]
    for number in range(before, after + 1):
        shown, caret = _clip(span.source.line(number), span.column)
        if not first <= number <= last:
            lines.append(f" {number:3} |     {shown}".rstrip())
            continue
        lines.append(f" {number:3} | " + paint(">>>", "bold red", color) + f" {shown}")
        if number == first:
            lines.append("     |     " + " " * caret + paint("^", "bold red", color))
    return "\n".join([*lines, _RULE]) + "\n"


def _clip(line: str, column: int) -> tuple[str, int]:
    """A line made safe and not too long, and where in it column ``column`` (1-based) is."""
    caret = len(printable(line[: column - 1]))
    shown = printable(line)
    if len(shown) <= _MAX_LINE:
        return shown, caret
    start = max(0, min(caret - _MAX_LINE // 2, len(shown) - _MAX_LINE))
    left = "…" if start else ""
    right = "…" if start + _MAX_LINE < len(shown) else ""
    return left + shown[start : start + _MAX_LINE] + right, caret - start + len(left)


def printable_lines(text: str) -> str:
    """`printable` for text of several lines."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _click_error(error: click.ClickException, color: bool) -> str:
    text = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        text = _hint(f"see '{error.ctx.command_path} --help'", color)
    message = error.message
    if isinstance(error, click.exceptions.NoSuchOption):
        from jettison.cli.suggest import did_you_mean

        message = f"unknown flag {error.option_name}"
        close = did_you_mean(error.option_name, _flags_of(error.ctx))
        text = _hint(close, color) if close else text
    elif isinstance(error, click.UsageError):
        message = error.format_message()
    return text + _last_line(message[:1].lower() + message[1:].rstrip("."), color)


def _flags_of(context: click.Context | None) -> list[str]:
    if context is None:
        return []
    options = [p for p in context.command.params if isinstance(p, click.Option) and not p.hidden]
    return [name for option in options for name in option.opts]


def _bug(error: BaseException, color: bool) -> str:
    import platform
    import traceback

    from jettison import __version__

    text = "".join(traceback.format_exception(error))
    python = platform.python_version()
    text += (
        f"jettison {__version__}, Python {python}, {platform.platform()}\n"
        f"This is a bug in jettison: please report it, with the above, to {ISSUES}.\n"
    )
    return text + _last_line(f"internal error: {type(error).__name__}: {error}", color)


def _hint(hint: str, color: bool) -> str:
    return paint("hint:", "cyan", color) + f" {printable_lines(hint)}\n"


def _last_line(message: str, color: bool) -> str:
    return paint("error:", "bold red", color) + f" {message}\n"


def stderr_report(error: BaseException) -> None:
    """Show an error that does not end the program (one of several images could not be removed)."""
    import os

    report(error, (), sys.stderr, os.environ)
