"""SecretFileCopied."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from jettison.dockerfile.instructions import Copy
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import Context, View

_KEY = re.compile(r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|.+\.(?:key|p12|pfx)|\.ssh")
_CREDENTIALS = re.compile(
    r"\.env(?:\.(?!example|sample|template|dist|defaults?)[\w.-]+)?|\.npmrc|\.pypirc|\.netrc|_netrc"
    r"|\.git-credentials|\.pgpass|\.my\.cnf"
)
_PATHS = ("/.aws/credentials", "/.aws", "/.docker/config.json", "/.kube/config", "/.config/gcloud")


def _check(view: View) -> Iterator[Problem]:
    for stage in view.stages:
        for instruction in stage.instructions:
            if isinstance(instruction, Copy) and not instruction.from_:
                yield from _in_copy(instruction, view.context)


def _in_copy(copy: Copy, context: Context) -> Iterator[Problem]:
    for position, source in enumerate(copy.sources):
        if position in copy.heredocs or "://" in source:
            continue
        kind = kind_of(source)
        if kind:
            yield _problem(copy, source, kind, f"{source} is copied into a layer: it is {kind}")
    if not any(source in (".", "./") for source in copy.sources):
        return
    for name in sorted(context.visible or ()):
        kind = kind_of(name)
        if kind and not any(pattern.rstrip("/") == name for pattern in copy.exclude):
            message = f"{name} of the build context is copied along: it is {kind}"
            yield _problem(copy, name, kind, message)


def kind_of(source: str) -> str:
    """What a file of this name holds, empty if nothing secret is known of it."""
    path = posixpath.normpath("/" + source)
    name = posixpath.basename(path)
    if name.endswith(".pub"):
        return ""
    if _KEY.fullmatch(name) or any(path.endswith(end) for end in _PATHS):
        return "a private key or access to something"
    return "a file that often holds credentials" if _CREDENTIALS.fullmatch(name) else ""


def _problem(copy: Copy, name: str, kind: str, message: str) -> Problem:
    often = kind.startswith("a file")
    return Problem(
        instruction=copy,
        message=message,
        help="name it in .dockerignore; a RUN reads it with --mount=type=secret",
        evidence=name,
        severity="warning" if often else "",
    )


RULE = Rule(
    code="SecretFileCopied",
    severity="error",
    summary="a file that holds secrets is copied into a layer",
    why="""\
Whatever a layer holds can be read by everyone who has the image, also if a later RUN removes
it; and layers of build stages stay in the build cache. `RUN --mount=type=secret` gives a
command the file without keeping it.""",
    catches=(
        "COPY or ADD of private keys (`id_rsa`, `*.key`, `*.p12`, `.ssh`) and of cloud or cluster"
        " credentials: an error.",
        "COPY or ADD of `.env`, `.npmrc`, `.netrc`, `.pypirc` and the like: a warning, because"
        " some of"
        " them hold no secret.",
        "`COPY . .` if such a file is at the top of the build context and .dockerignore lets it"
        " pass.",
    ),
    misses=(
        "Examples (`.env.example`), public keys, certificates (`*.pem`).",
        "Files deeper in a directory that is copied as a whole.",
    ),
    before="""\
FROM node:22-slim AS build
COPY .npmrc package.json ./
RUN npm install --omit=dev

FROM nginx:1.27
COPY --from=build /node_modules /srv
""",
    after="""\
FROM node:22-slim AS build
COPY package.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm install --omit=dev

FROM nginx:1.27
COPY --from=build /node_modules /srv
""",
    check=_check,
)
