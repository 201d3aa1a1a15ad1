"""The flags of ``jettison build``: docker's and buildx's, and what becomes of the refused ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from jettison.cli.argv import OptionalValue
from jettison.cli.limits import LIMITS
from jettison.cli.refused import NOTHING, Decorator, decorate, idle, switches, valued

F = TypeVar("F", bound=Callable[..., Any])


def build_flags(function: F) -> F:
    """Add every flag to a command."""
    refused = [
        *valued(REFUSED),
        *switches(REFUSED_SWITCHES),
        *idle(*((name,) for name in IDLE_SWITCHES)),
    ]
    return cast(F, decorate(function, [*_SUPPORTED, *refused]))


def _text(*names: str, metavar: str, help: str, default: str | None = None) -> Callable[[F], F]:
    return click.option(*names, metavar=metavar, help=help, default=default)


def _list(*names: str, metavar: str, help: str) -> Callable[[F], F]:
    return click.option(*names, metavar=metavar, help=help, multiple=True)


def _switch(*names: str, help: str) -> Callable[[F], F]:
    return click.option(*names, is_flag=True, help=help)


def _optional(name: str, *, help: str) -> Callable[[F], F]:
    """Without a value it is true."""
    from jettison.cli.attests import is_value

    return click.option(
        name, metavar="SPEC", help=help, cls=OptionalValue, bare="true", is_value=is_value
    )


_SUPPORTED: list[Decorator] = [
    _text("-f", "--file", metavar="PATH", help="Dockerfile (default: PATH/Dockerfile); - is stdin"),
    _list("-t", "--tag", metavar="NAME[:TAG]", help="Name of the image"),
    _list("--build-arg", metavar="KEY[=VALUE]", help="Value of an ARG (default: from environment)"),
    _text("--target", metavar="STAGE", help="Stage to build (default: the last)", default=""),
    _list("--platform", metavar="OS/ARCH[/VARIANT]", help="Platforms to build for"),
    _list("-o", "--output", metavar="SPEC", help="Where to: type=TYPE,dest=PATH, or a directory"),
    _switch("--push", help="Push the image to its registry (--output type=registry)"),
    _switch("--load", help="Keep the image in the store (--output type=image)"),
    _list("--secret", metavar="SPEC", help="Secret for RUN: id=ID[,src=FILE|,env=VARIABLE]"),
    _list("--ssh", metavar="SPEC", help="SSH agent for RUN: default or ID[=SOCKET|KEY[,KEY]]"),
    _list("--build-context", metavar="NAME=SOURCE", help="Named context: directory, URL, image"),
    _list("--label", metavar="KEY=VALUE", help="Label of the image"),
    _list("--annotation", metavar="[TYPE:]KEY=VALUE", help="Annotation of the manifest"),
    _list("--attest", metavar="SPEC", help="Attestation: type=provenance,mode=max or type=sbom"),
    _optional("--provenance", help="How it was built, as --attest type=provenance"),
    _optional("--sbom", help="What packages are in it, as --attest type=sbom"),
    _switch("--no-cache", help="Run every step, whatever the cache holds"),
    _list("--no-cache-filter", metavar="STAGE", help="Run every step of these stages"),
    _list("--cache-from", metavar="SPEC", help="Cache to use: type=TYPE,..., or a registry's NAME"),
    _list("--cache-to", metavar="SPEC", help="Where to export the cache: type=TYPE,..."),
    _switch("--pull", help="Ask the registries for newer base images"),
    _text("--progress", metavar="MODE", help="auto, tty, plain, quiet or rawjson"),
    _switch("-q", "--quiet", help="Print nothing but the image's id"),
    _text("--iidfile", metavar="FILE", help="Write the image's id to a file"),
    _text("--metadata-file", metavar="FILE", help="Write the result as JSON to a file"),
    _text(
        "--network", metavar="MODE", help="Network of RUN: default, host or none", default="default"
    ),
    _list("--allow", metavar="RIGHT", help="Permit network.host or security.insecure"),
    _list("--add-host", metavar="HOST:IP", help="Line in /etc/hosts of RUN"),
    _text("--shm-size", metavar="BYTES", help="Size of /dev/shm in RUN, e.g. 64m"),
    _list("--ulimit", metavar="NAME=SOFT[:HARD]", help="Resource limit of RUN"),
    *LIMITS,
    _switch("--check", help="Do not build: show what the build checks find (--call check)"),
    _text("--call", metavar="METHOD", help="build, or check[,format=json]", default="build"),
    _text("--on-error", metavar="DO", help="When a RUN fails: fail, or shell", default="fail"),
    _switch("--explain", help="Say of every step that runs why it was not in the cache"),
    _switch("--host-ca", help="Trust this host's certificate authorities in RUN"),
]


REFUSED: dict[tuple[str, ...], tuple[str, frozenset[str]]] = {
    ("--builder",): ("there is no daemon: leave it out", frozenset({"default"})),
    ("--isolation",): ("that is for Windows: leave it out", frozenset({"default", ""})),
    ("--security-opt",): ("use --allow security.insecure and RUN --security", NOTHING),
    ("--policy",): ("source policies are not evaluated", NOTHING),
}
"""Flags of docker and buildx that are errors: what to do instead, and values that ask nothing."""

REFUSED_SWITCHES: dict[tuple[str, ...], str] = {
    ("--squash",): "copy what is wanted from another stage: FROM scratch, COPY --from=build / /",
    ("--stream",): "the context is read where it is: leave it out",
}

IDLE_SWITCHES = ("--rm", "--force-rm", "--compress", "--disable-content-trust")
"""Flags that ask for what is always so: no container is left, no context is sent anywhere."""
