"""``jettison build``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from jettison.cli.commands.build_flags import build_flags
from jettison.cli.group import CONTEXT, Command
from jettison.errors import UsageError

if TYPE_CHECKING:
    from jettison.app.request import BuildRequest, BuildResult, CacheFrom, CacheTo, Output
    from jettison.cli.progress.display import Display
    from jettison.model.event import Observer
    from jettison.solve.running import OnFailure


@click.command(
    cls=Command,
    name="build",
    short_help="Build an image from a Dockerfile",
    context_settings=CONTEXT,
    options_metavar="[FLAGS]",
)
@click.argument("context", metavar="PATH|URL|-", required=False)
@build_flags
def command(**flags: Any) -> int:
    """Build an image from a Dockerfile.

    PATH is the build context: a directory, a tar file, a git or http(s) URL, or - to read a
    Dockerfile or a tar from standard input. Without --output the image is kept in the store.
    """
    if flags["check"] or flags["call"] != "build":
        from jettison.cli.commands.build_check import check

        return check(make_request(flags, os.environ), "check" if flags["check"] else flags["call"])
    from jettison.cli.progress.session import GRACE, watching

    mode = progress_mode(flags["progress"], flags["quiet"], os.environ)
    request = make_request(flags, os.environ)
    shell = wants_shell(flags["on_error"])
    with watching(mode, os.environ, grace=GRACE) as (display, cancel):
        from jettison.app.build import build

        observer, on_failure = _pausable(display) if shell else (display, None)
        result = build(request, observer, environ=os.environ, cancel=cancel, on_failure=on_failure)
        if request.stdout is not None:
            request.stdout.flush()
    if flags["quiet"]:
        print_id(result, request)
    return 0


def wants_shell(on_error: str) -> bool:
    """Whether --on-error asks for a shell; raises UsageError if there can be none."""
    from jettison.cli import values

    if values.one_of("--on-error", on_error, ("fail", "shell")) == "fail":
        return False
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        hint = "leave it out where nobody can type: build logs, pipes, CI"
        raise UsageError("--on-error shell needs a terminal", hint=hint)
    return True


def _pausable(display: Display) -> tuple[Observer, OnFailure]:
    """The display as one that gives way to a shell, and what opens that."""
    from jettison.cli.errors import stderr_report
    from jettison.cli.progress.pausable import Pausable

    pausable = Pausable(display, stderr_report)
    return pausable, pausable.look_around


def progress_mode(asked: str | None, quiet: bool, environ: Mapping[str, str]) -> str:
    """--progress, else $BUILDKIT_PROGRESS, else auto; --quiet overrides what is not written."""
    if not quiet:
        return asked or environ.get("BUILDKIT_PROGRESS") or "auto"
    if asked not in (None, "auto", "quiet"):
        raise UsageError(f"--quiet and --progress {asked} cannot be used together")
    return "quiet"


def print_id(result: BuildResult, request: BuildRequest) -> None:
    """The image's id on standard output, unless the image itself went there."""
    shown = result.image_id or result.digest
    if request.stdout is None and shown is not None:
        from jettison.cli.output import write_line

        write_line(shown)


def make_request(flags: Mapping[str, Any], environ: Mapping[str, str]) -> BuildRequest:
    """The request for what the command line says; raises UsageError."""
    from jettison.app.request import BuildRequest
    from jettison.cli import values
    from jettison.cli.attests import attestations
    from jettison.cli.limits import limits

    context, dockerfile = flags["context"], flags["file"] or None
    if context is None:
        hint = "the build context comes last, e.g. jettison build -t name ."
        raise UsageError("build needs one argument: PATH, URL or -", hint=hint)
    if context == "-" and dockerfile == "-":
        raise UsageError("standard input cannot be both build context and Dockerfile")
    network = values.one_of("--network", flags["network"], values.NETWORKS)
    allow = {values.one_of("--allow", a, values.ENTITLEMENTS) for a in flags["allow"]}
    if network == "host":  # asking for it on the command line grants it
        allow.add("network.host")
    provenance, sbom = attestations(flags["attest"], flags["provenance"], flags["sbom"])
    outputs = make_outputs(flags)
    to_stdout = any(o.dest == "-" for o in outputs)
    return BuildRequest(
        context=context,
        dockerfile=dockerfile,
        tags=flags["tag"],
        outputs=outputs,
        build_args=_build_args(flags["build_arg"], environ),
        target=flags["target"],
        platforms=values.platforms(flags["platform"], values.host_platform())
        if flags["platform"]
        else (),
        labels=values.pairs("--label", flags["label"]),
        annotations=values.named("--annotation", flags["annotation"]),
        secrets=tuple(values.secret(text, environ) for text in flags["secret"]),
        ssh=tuple(values.ssh(text) for text in flags["ssh"]),
        build_contexts=values.named("--build-context", flags["build_context"]),
        allow=frozenset(allow),
        no_cache=no_cache(flags["no_cache"], flags["no_cache_filter"]),
        cache_from=_cache_from(flags["cache_from"]),
        cache_to=_cache_to(flags["cache_to"], flags["build_arg"], outputs),
        pull=flags["pull"],
        network=network,
        add_hosts=tuple(values.host(text) for text in flags["add_host"]),
        shm_size=values.size("--shm-size", flags["shm_size"]) if flags["shm_size"] else 0,
        ulimits=tuple(values.ulimit(text) for text in flags["ulimit"]),
        cgroup_parent=flags["cgroup_parent"],
        limits=limits(flags),
        host_ca=flags["host_ca"],
        explain=flags["explain"],
        provenance=provenance,
        sbom=sbom,
        iidfile=flags["iidfile"],
        metadata_file=flags["metadata_file"],
        stdin=sys.stdin.buffer if "-" in (context, dockerfile) else None,
        stdout=_stdout() if to_stdout else None,
    )


def _build_args(given: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """--build-arg, and SOURCE_DATE_EPOCH from the environment, which buildx passes on too."""
    from jettison.cli import values

    epoch = environ.get("SOURCE_DATE_EPOCH")
    inherited = {"SOURCE_DATE_EPOCH": epoch} if epoch else {}
    return {**inherited, **values.variables("--build-arg", given, environ)}


def _cache_from(texts: tuple[str, ...]) -> tuple[CacheFrom, ...]:
    if not texts:
        return ()
    from jettison.cli.cache_values import cache_from

    return cache_from(texts)


def _cache_to(
    texts: tuple[str, ...], build_args: tuple[str, ...], outputs: tuple[Output, ...]
) -> tuple[CacheTo, ...]:
    """--cache-to, and the build argument that stands for type=inline (buildx `build/opt.go`), if
    there is an image that could hold it.
    """
    argument = dict(text.partition("=")[::2] for text in build_args).get("BUILDKIT_INLINE_CACHE")
    image = not outputs or any(output.type not in ("local", "tar") for output in outputs)
    if image and argument in ("1", "t", "T", "true", "True", "TRUE"):
        texts = (*texts, "type=inline")
    if not texts:
        return ()
    from jettison.cli.cache_values import cache_to

    return cache_to(texts)


def make_outputs(flags: Mapping[str, Any]) -> tuple[Output, ...]:
    """--output, and --push and --load as the outputs they stand for (buildx `build.go`)."""
    from jettison.app.request import Output
    from jettison.cli import values

    outputs = [values.output(text) for text in flags["output"]]
    if sum(o.dest == "-" for o in outputs) > 1:
        raise UsageError("only one --output can be written to standard output")
    if flags["push"]:
        if not flags["tag"] and not any("name" in o.options for o in outputs):
            raise UsageError("--push needs a name", hint="give one with --tag HOST/NAME")
        images = [o for o in outputs if o.type == "image"]
        for image in images:
            image.options["push"] = "true"
        if not images and all(o.type != "registry" for o in outputs):
            outputs.append(Output("registry"))
    if flags["load"] and all(o.type != "image" for o in outputs):
        outputs.append(Output("image"))
    return tuple(outputs)


def no_cache(everything: bool, stages: tuple[str, ...]) -> tuple[str, ...] | None:
    """--no-cache and --no-cache-filter as BuildRequest.no_cache has them."""
    if everything and stages:
        raise UsageError("--no-cache and --no-cache-filter cannot be used together")
    if everything:
        return ()
    names = tuple(name for text in stages for name in text.split(",") if name)
    return names or None


def _stdout() -> Any:
    from jettison.cli.output import binary_stdout
    from jettison.cli.terminal import is_terminal

    if is_terminal(sys.stdout):
        hint = "redirect standard output, or give dest=FILE"
        raise UsageError("refusing to write an image to the terminal", hint=hint)
    return binary_stdout()
