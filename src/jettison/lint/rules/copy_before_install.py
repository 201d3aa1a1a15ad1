"""CopyBeforeInstall."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Copy, Run
from jettison.lint.packages import SYSTEM, install_of, manager_of
from jettison.lint.rule import Problem, Rule
from jettison.lint.shell import Command
from jettison.lint.view import StageView, View

_MANIFESTS = {
    "npm": "package.json and package-lock.json",
    "yarn": "package.json and yarn.lock",
    "pnpm": "package.json and pnpm-lock.yaml",
    "pip": "requirements.txt",
    "poetry": "pyproject.toml and poetry.lock",
    "uv": "pyproject.toml and uv.lock",
    "pipenv": "Pipfile and Pipfile.lock",
    "go": "go.mod and go.sum",
    "mvn": "pom.xml",
    "bundle": "Gemfile and Gemfile.lock",
    "composer": "composer.json and composer.lock",
    "cargo": "Cargo.toml and Cargo.lock",
    "dotnet": "the project files",
    "mix": "mix.exs and mix.lock",
}
"""What a package manager's installation depends on."""

_VERBS = {
    "yarn": {"install", ""},
    "pnpm": {"install", "i", "fetch"},
    "poetry": {"install"},
    "uv": {"sync"},
    "pipenv": {"install", "sync"},
    "bundle": {"install", ""},
    "composer": {"install"},
    "cargo": {"fetch"},
    "dotnet": {"restore"},
    "mix": {"deps.get"},
}


def _check(view: View) -> Iterator[Problem]:
    for stage in view.stages:
        yield from _in_stage(view, stage)


def _in_stage(view: View, stage: StageView) -> Iterator[Problem]:
    copied: Copy | None = None
    installed: set[str] = set()
    for instruction in stage.instructions:
        if isinstance(instruction, Copy) and _takes_everything(instruction):
            copied = copied or instruction
        if not isinstance(instruction, Run):
            continue
        cached = any(mount.type == "cache" for mount in instruction.mounts)
        for script in view.scripts(instruction):
            for command in script.commands:
                tool = dependencies_of(command)
                if not tool or tool in installed:
                    continue
                installed.add(tool)
                if copied is not None and not cached:
                    yield Problem(
                        instruction=instruction,
                        message=f"{tool} installs again whenever any file changes: {copied.text!r}"
                        f" stands before it (line {copied.span.line})",
                        help=_help(tool),
                        span=script.span(command.wrapped[0]),
                        evidence=script.written(command),
                    )


def _takes_everything(copy: Copy) -> bool:
    return not copy.from_ and any(source in (".", "./", "/") for source in copy.sources)


def dependencies_of(command: Command) -> str:
    """The package manager that installs dependencies here, which do not depend on sources."""
    name, arguments = manager_of(command)
    words = [word.value for word in arguments]
    plain = [word for word in words if not word.startswith("-")]
    verb = plain[0] if plain else ""
    if name in SYSTEM:
        found = install_of(command)
        own_files = found and any("/" in word.value for word in found.packages)
        return name if found and found.packages and found.literal and not own_files else ""
    if name == "npm":
        return name if verb == "ci" or (verb in ("install", "i") and len(plain) == 1) else ""
    if name == "pip":
        listed = any(w in ("-r", "--requirement") or w.startswith("-r") for w in words)
        return name if verb == "install" and listed else ""
    if name == "go":
        return name if plain[:2] == ["mod", "download"] else ""
    if name in ("mvn", "mvnw"):
        return "mvn" if verb.startswith("dependency:") else ""
    return name if verb in _VERBS.get(name, ()) and "--help" not in words else ""


def _help(tool: str) -> str:
    if tool in SYSTEM:
        return "install the distribution's packages before the sources are copied"
    return f"copy {_MANIFESTS[tool]} first, install, and copy the rest afterwards"


RULE = Rule(
    code="CopyBeforeInstall",
    severity="warning",
    summary="all sources are copied before dependencies are installed",
    why="""\
After `COPY . .` every change of any file invalidates the cache, so all dependencies are
installed again for each build. Copied first, the manifest and its lock file change rarely, and
the installation is cached.""",
    catches=(
        "npm, yarn, pnpm, pip -r, poetry, uv, pipenv, go mod download, mvn dependency:, bundle,"
        " composer, cargo fetch, dotnet restore and mix deps.get after a COPY of the whole"
        " context.",
        "Packages of the distribution (apt-get, apk, dnf) installed after it.",
    ),
    misses=(
        "RUNs with a cache mount, and a second installation by a tool that ran before the COPY.",
        "Commands that build and install at once (`go build`, `cargo build`, `mvn package`).",
        "COPY of a large directory that is not the whole context.",
    ),
    before="""\
FROM node:22-slim AS build
WORKDIR /app
COPY . .
RUN npm ci
RUN npm run build

FROM nginx:1.27
COPY --from=build /app/dist /usr/share/nginx/html
""",
    after="""\
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build

FROM nginx:1.27
COPY --from=build /app/dist /usr/share/nginx/html
""",
    check=_check,
)
