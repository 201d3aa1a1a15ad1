"""``#!`` lines, and the commands of shell scripts."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.closure.launch import SHELLS, of_shell
from jettison.closure.model import Gap, Need, Rule
from jettison.closure.world import File, World

_MODULES = (".py", ".pl", ".pm", ".rb", ".js", ".mjs", ".cjs", ".php")
_MAX_SCRIPT = 1 << 20


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    line = file.shebang
    if line is None or not file.entry.mode & 0o111:
        return
    # Modules of libraries often have such a line, too, and are imported rather than started.
    started = not file.name.endswith(_MODULES) or file.path in world.launch.argv
    reason = f"the interpreter in its first line: {_shown(file)}"
    yield Need(path=line.interpreter, reason=reason, optional=not started, weak=not started)
    if line.command and started:
        path = world.command(line.command)
        if path is not None:
            yield Need(path=path, reason=f"env starts it: {_shown(file)}")
        else:
            yield Gap(
                what=line.command,
                by=file.path,
                rule=RULE.name,
                message=f"{file.path}: env finds no {line.command} in PATH",
                hint=f"add {line.command}, or the directory it is in to PATH",
            )
    name = (line.command or line.interpreter).rpartition("/")[2]
    if name in SHELLS and file.entry.size <= _MAX_SCRIPT:
        for need in of_shell(world, file.text(), "the script"):
            yield Need(path=need.path, reason=need.reason, below=need.below, weak=True)


def _shown(file: File) -> str:
    return file.head.partition(b"\n")[0].decode("utf-8", "replace").strip()


RULE = Rule(
    name="shebang",
    summary="Interpreters of scripts",
    catches=(
        "The interpreter in the first line of an executable script, and what env starts.",
        "Commands of shell scripts that are written out and are in PATH.",
    ),
    misses=(
        "Commands whose names are put together when the script runs.",
        "Files that a script reads.",
    ),
    needs=_needs,
)
