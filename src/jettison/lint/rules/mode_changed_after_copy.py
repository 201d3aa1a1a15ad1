"""ModeChangedAfterCopy."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from jettison.dockerfile.instructions import Copy, Run, Workdir
from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.shell import Command
from jettison.lint.view import StageView, View


def _check(view: View) -> Iterator[Problem]:
    for stage in view.shipped:
        yield from _in_stage(view, stage)


def _in_stage(view: View, stage: StageView) -> Iterator[Problem]:
    copied: dict[str, Copy] = {}
    workdir: str | None = None
    for instruction in stage.instructions:
        if isinstance(instruction, Workdir):
            workdir = _below(workdir, instruction.path)
        elif isinstance(instruction, Copy):
            for path in _copied_to(instruction, workdir):
                copied[path] = instruction
        elif isinstance(instruction, Run):
            for script in view.scripts(instruction):
                for command in script.commands:
                    copy = _changed(command, copied, workdir)
                    if copy is not None:
                        yield _problem(instruction, script, command, copy)


def _below(workdir: str | None, path: str) -> str | None:
    """An absolute path, None if it is not known."""
    if "$" in path or "*" in path or not (path.startswith("/") or workdir):
        return None
    return posixpath.normpath(posixpath.join(workdir or "/", path))


def _copied_to(copy: Copy, workdir: str | None) -> Iterator[str]:
    """Where the files are then, as far as the text tells."""
    dest = _below(workdir, copy.dest)
    if dest is None:
        return
    if not copy.dest.endswith("/") and copy.dest not in (".", "..") and len(copy.sources) == 1:
        yield dest
        return
    for position, source in enumerate(copy.sources):
        if position not in copy.heredocs and "$" not in source and "*" not in source:
            name = posixpath.basename(posixpath.normpath(source))
            directory = source.endswith("/") or name in ("", ".", "..")
            yield dest if directory else posixpath.join(dest, name)


def _changed(command: Command, copied: dict[str, Copy], workdir: str | None) -> Copy | None:
    """What has copied a path whose mode or owner a command changes."""
    if command.name not in ("chmod", "chown") or not command.literal:
        return None
    words = [value for value in command.values if not value.startswith("-")]
    for word in words[1:]:
        path = _below(workdir, word)
        if path in copied:
            return copied[path]
    return None


def _problem(run: Run, script: Script, command: Command, copy: Copy) -> Problem:
    keyword = "ADD" if copy.add else "COPY"
    return Problem(
        instruction=run,
        message=f"{command.name} stores again what {keyword} on line {copy.span.line} has stored",
        help=f"give {keyword} --{command.name}= instead",
        span=script.span(command.wrapped[0]),
        evidence=script.written(command),
    )


RULE = Rule(
    code="ModeChangedAfterCopy",
    severity="warning",
    summary="a RUN changes mode or owner of copied files",
    why="""\
A layer holds whole files. Changing the mode or owner in a RUN stores a second copy of each, and
the image grows by their size; `COPY --chmod=` and `--chown=` set them at once.""",
    catches=(
        "`chmod` or `chown` of exactly a path to which COPY or ADD of the same stage has copied.",
    ),
    misses=(
        "Stages that do not become part of the final image.",
        "Paths below or above what was copied, variables, patterns.",
    ),
    before="""\
FROM debian:12-slim
COPY app.sh /usr/bin/app.sh
RUN chmod 755 /usr/bin/app.sh
""",
    after="""\
FROM debian:12-slim
COPY --chmod=755 app.sh /usr/bin/app.sh
""",
    check=_check,
)
