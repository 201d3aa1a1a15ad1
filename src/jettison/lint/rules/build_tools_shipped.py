"""BuildToolsShipped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.dockerfile.instructions import Run
from jettison.lint.packages import SYSTEM, Install, manager_of, verb_of
from jettison.lint.rule import Problem, Rule
from jettison.lint.scripts import Script
from jettison.lint.view import View

_TOOLS = re.compile(
    r"""gcc(-[0-9.]+)? | g\+\+(-[0-9.]+)? | gcc-c\+\+ | clang(-[0-9.]+)? | build-essential
    | build-base | make | cmake | ninja-build | meson | autoconf | automake | libtool | bison | flex
    | golang(-[0-9.]+|-go)? | go | rustc | cargo | rust | maven | gradle | ant | ghc | nasm
    | (default|openjdk-[0-9.]+)-jdk(-headless)? | openjdk[0-9]+(-jdk)? | java-[0-9.]+-openjdk-devel
    | musl-dev | libc6?-dev | linux-headers.* | python3?-dev | .+-(dev|devel)""",
    re.VERBOSE,
)
_REMOVING = frozenset({"remove", "purge", "autoremove", "del", "erase"})


def _check(view: View) -> Iterator[Problem]:
    for stage in view.shipped:
        for run, scripts in view.runs(stage):
            for script in scripts:
                yield from _in_script(run, script)


def _in_script(run: Run, script: Script) -> Iterator[Problem]:
    if any(_removes(command.name, verb_of(command)) for command in script.commands):
        return
    for install in script.installs:
        tools = [word for word in install.packages if _is_tool(install, word.value)]
        if tools:
            names = ", ".join(word.value for word in tools)
            yield Problem(
                instruction=run,
                message=f"the final image contains what only building needs: {names}",
                help="install it in a build stage, and COPY --from= what was built",
                span=script.span(tools[0]),
                evidence=script.written(install.command),
            )


def _removes(name: str, verb: str) -> bool:
    return name in SYSTEM and verb in _REMOVING


def _is_tool(install: Install, word: str) -> bool:
    if manager_of(install.command)[0] not in SYSTEM:
        return False
    name = re.split(r"[=~<>@:]", word, maxsplit=1)[0]  # without version, repository, architecture
    return _TOOLS.fullmatch(name) is not None


RULE = Rule(
    code="BuildToolsShipped",
    severity="warning",
    summary="compilers or development packages in the final image",
    why="""\
Compilers, build systems and header files are hundreds of megabytes that the program does not
need to run, and welcome tools for whoever breaks in. Building in one stage and copying the
result into another leaves them behind.""",
    catches=(
        "Compilers, build systems, JDKs and `-dev`/`-devel` packages that apt, apk, dnf, yum or"
        " zypper"
        " install in a stage whose layers are the final image's.",
    ),
    misses=(
        "RUNs that remove packages again (`apk del`, `apt-get purge`).",
        "Tools installed otherwise: by scripts, archives, language package managers.",
    ),
    before="""\
FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \\
 && rm -rf /var/lib/apt/lists/*
COPY main.c /src/
RUN gcc -o /usr/bin/app /src/main.c
CMD ["app"]
""",
    after="""\
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY main.c /src/
RUN gcc -o /usr/bin/app /src/main.c

FROM debian:12-slim
COPY --from=build /usr/bin/app /usr/bin/app
USER 65532
CMD ["app"]
""",
    check=_check,
)
