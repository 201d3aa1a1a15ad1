#!/usr/bin/env python3
"""Parses, types, plans and lints every Dockerfile below a folder; prints the errors, then counts.

    scripts/plan_dockerfiles.py FOLDER [--build-arg NAME=VALUE]

Each stage is planned as the target. No image is asked for: every base is an image with an empty
configuration. The status is 1 if something crashed, or one file does not come out as it went in.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from jettison.dockerfile.parse import parse
from jettison.errors import JettisonError
from jettison.lint.buildkit import Offline
from jettison.lint.engine import Linter
from jettison.model.event import Silent
from jettison.model.platform import Platform
from jettison.plan.options import PlanOptions
from jettison.plan.planner import plan


def files(folder: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(top, name)
            if "dockerfile" in name.lower() and not name.endswith(".dockerignore"):
                yield path


def tried(path: Path, options: PlanOptions, counts: Counter[str]) -> Iterator[str]:
    """The errors of one file, each as a line."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    try:
        dockerfile = parse(text, path.name)
    except JettisonError as error:
        counts["refused"] += 1
        yield shown(path, error)
        return
    ast = dockerfile.ast
    assert ast is not None
    counts["parsed"] += 1
    counts["instructions"] += len(ast.nodes)
    counts["not lossless"] += ("\ufeff" if ast.bom else "") + "".join(ast.lines) != text
    found: dict[str, None] = {}
    for stage in dockerfile.stages:
        counts["targets"] += 1
        try:
            # Not every stage has a name, but the last one is the target.
            upto = replace(dockerfile, stages=dockerfile.stages[: stage.index + 1])
            made = plan(upto, options, Offline(), Silent())
        except JettisonError as error:
            found[shown(path, error)] = None
        else:
            counts["targets planned"] += 1
            counts["steps"] += len(made.infos)
    counts["files planned"] += not found
    counts["findings"] += len(Linter(options=options).lint(text, path.name).hits)
    yield from found


def shown(path: Path, error: JettisonError) -> str:
    line = error.span.line if error.span else "?"
    return f"{path}:{line}: {error.message}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    args = dict(each.partition("=")[::2] for each in given.build_arg)
    options = PlanOptions(
        build_platform=Platform(architecture="amd64", os="linux"), build_args=args
    )
    counts: Counter[str] = Counter()
    for path in files(given.folder):
        counts["files"] += 1
        try:
            for line in tried(path, options, counts):
                print(line)
        except Exception:
            counts["crashes"] += 1
            print(f"{path}: crash\n{traceback.format_exc()}")
    print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    return int(bool(counts["crashes"] or counts["not lossless"]))


if __name__ == "__main__":
    sys.exit(main())
