#!/usr/bin/env python3
"""Whole-process build times against the builders found on this machine, as ratios of one run.

Peers: buildah on PATH; BuildKit through buildctl ($BUILDKIT_HOST names the daemon); docker with a
daemon that answers. The builders take turns within every round, so that drift of the machine's
speed hits all of them; the table shows medians and the ratio to jettison's.

    cold     no cache is used           no-op    nothing changed
    edit     one source file changed    export   nothing changed, written as an OCI (docker) tar
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DOCKERFILE = """\
FROM scratch AS base
ADD rootfs.tar /
ENV PATH=/bin

FROM base AS build
WORKDIR /src
COPY src/ ./
RUN for d in *; do cat $d/* > /tmp/$d.out; done; cat /tmp/*.out | sha256sum > /sum
RUN cp -a /src /copy

FROM base AS tools
RUN seq 1 20000 > /seq

FROM base
COPY --from=build /copy /app
COPY --from=build /sum /sum
COPY --from=tools /seq /seq
CMD ["cat", "/sum"]
"""
SCENARIOS = ("cold", "no-op", "edit", "export")


@dataclass(frozen=True)
class Builder:
    """``command(context, no_cache, tar)`` is the command line of one build."""

    name: str
    command: Callable[[Path, bool, Path | None], list[str]]
    env: dict[str, str]


def jettison(work: Path) -> Builder:
    program = str(Path(sys.executable).parent / "jettison")

    def command(context: Path, no_cache: bool, tar: Path | None) -> list[str]:
        out = ["--output", f"type=oci,dest={tar}"] if tar else ["-t", "bench"]
        return [
            program,
            "build",
            "--progress",
            "plain",
            *(["--no-cache"] if no_cache else []),
            *out,
            str(context),
        ]

    return Builder("jettison", command, {"JETTISON_ROOT": str(work / "store")})


def buildah(work: Path) -> Builder | None:
    if not shutil.which("buildah"):
        return None
    storage = ["buildah", "--root", str(work / "buildah"), "--runroot", str(work / "buildah-run")]

    def command(context: Path, no_cache: bool, tar: Path | None) -> list[str]:
        build = [
            *storage,
            "build",
            "-q",
            "--layers",
            *(["--no-cache"] if no_cache else []),
            "-t",
            "bench",
            str(context),
        ]
        if not tar:
            return build
        push = [*storage, "push", "-q", "bench", f"oci-archive:{tar}"]
        return ["sh", "-ec", " && ".join(subprocess.list2cmdline(c) for c in (build, push))]

    return Builder("buildah", command, {"BUILDAH_ISOLATION": "oci", "BUILDAH_RUNTIME": "runc"})


def buildkit(_: Path) -> Builder | None:
    program = os.environ.get("BUILDCTL") or shutil.which("buildctl")
    if not program or not answers([program, "debug", "workers"]):
        return None

    def command(context: Path, no_cache: bool, tar: Path | None) -> list[str]:
        out = f"type=oci,dest={tar}" if tar else "type=image,name=bench"
        return [program, "build", "--progress", "plain", "--frontend", "dockerfile.v0",
                "--local", f"context={context}", "--local", f"dockerfile={context}",
                *(["--no-cache"] if no_cache else []), "--output", out]  # fmt: skip

    return Builder("buildkit", command, {})


def docker(_: Path) -> Builder | None:
    if not shutil.which("docker") or not answers(["docker", "info"]):
        return None

    def command(context: Path, no_cache: bool, tar: Path | None) -> list[str]:
        build = [
            "docker",
            "build",
            "-q",
            *(["--no-cache"] if no_cache else []),
            "-t",
            "bench",
            str(context),
        ]
        if not tar:
            return build
        return ["sh", "-ec", f"{subprocess.list2cmdline(build)} && docker save -o {tar} bench"]

    return Builder("docker", command, {})


def answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=20).returncode == 0


def make_context(directory: Path) -> None:
    """A busybox root and 2,000 source files in 20 directories, from a fixed seed."""
    rng = random.Random(7)
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("bench needs busybox (package busybox-static)")
    with tarfile.open(directory / "rootfs.tar", "w") as tar:
        tar.add(busybox, "bin/busybox")
        for applet in ("sh", "cat", "cp", "seq", "sha256sum", "ls", "mkdir"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)
    for d in range(20):
        folder = directory / "src" / f"d{d:02}"
        folder.mkdir(parents=True)
        for f in range(100):
            (folder / f"f{f:03}.txt").write_bytes(
                rng.randbytes(rng.randrange(500, 20_000)).hex().encode()
            )
    (directory / "Dockerfile").write_text(DOCKERFILE)


def timed(builder: Builder, context: Path, no_cache: bool, tar: Path | None) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        builder.command(context, no_cache, tar),
        env=dict(os.environ, **builder.env), capture_output=True, text=True,
    )  # fmt: skip
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{builder.name} failed:\n{done.stderr[-2000:]}")
    return took


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--rounds", type=int, default=5)
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="jettison-bench-"))
    try:
        context = work / "context"
        context.mkdir()
        make_context(context)
        builders = [b for b in (jettison(work), buildah(work), buildkit(work), docker(work)) if b]
        times = measure(builders, context, work, arguments.rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report(builders, times, arguments.rounds)
    return 0


def measure(
    builders: list[Builder], context: Path, work: Path, rounds: int
) -> dict[tuple[str, str], list[float]]:
    times: dict[tuple[str, str], list[float]] = {}
    edited = context / "src" / "d07" / "f042.txt"
    for builder in builders:  # one uncounted build each
        timed(builder, context, False, None)
    for number in range(rounds):
        for scenario in SCENARIOS:
            if scenario == "edit":
                # Never seen before, also not by a daemon that remembers earlier runs.
                edited.write_text(f"round {number} at {time.time_ns()}\n")
            for builder in builders:
                tar = work / f"{builder.name}.tar" if scenario == "export" else None
                if tar:
                    tar.unlink(missing_ok=True)
                took = timed(builder, context, scenario == "cold", tar)
                times.setdefault((builder.name, scenario), []).append(took)
            print(f"round {number + 1}/{rounds}: {scenario}", file=sys.stderr)
    return times


def report(builders: list[Builder], times: dict[tuple[str, str], list[float]], rounds: int) -> None:
    print(f"median of {rounds} rounds, seconds (ratio to jettison)")
    print(f"{'':10}" + "".join(f"{s:>18}" for s in SCENARIOS))
    for builder in builders:
        cells = []
        for scenario in SCENARIOS:
            own = statistics.median(times["jettison", scenario])
            median = statistics.median(times[builder.name, scenario])
            cells.append(f"{median:9.2f} ({median / own:5.1f}x)")
        print(f"{builder.name:10}" + "".join(f"{c:>18}" for c in cells))


if __name__ == "__main__":
    sys.exit(main())
