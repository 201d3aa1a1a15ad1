"""A build with a bit of everything that the store has to stand: a pull, RUN, COPY, stages, a cache
mount, layers to compress.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.integration.support.runner import Jettison

DOCKERFILE = """\
FROM {base} AS base
RUN --mount=type=cache,id=marks,target=/marks echo tools >> /marks/log && seq 1 200000 > /tools

FROM base AS one
RUN --mount=type=cache,id=marks,target=/marks echo one >> /marks/log && seq 1 300000 > /one

FROM base AS two
WORKDIR /two
COPY files/ /two/
RUN --mount=type=cache,id=marks,target=/marks echo two >> /marks/log && cat /two/* > /all

FROM base
COPY --from=one /one /one
COPY --from=two /all /all
RUN --mount=type=cache,id=marks,target=/marks echo last >> /marks/log && sha256sum /one /all > /sum
"""
EPOCH = "1700000000"


@dataclass(frozen=True)
class Project:
    """A build context, and how it is built so that it comes out the same in any store."""

    directory: Path

    def flags(self, *more: str) -> list[str]:
        epoch = f"SOURCE_DATE_EPOCH={EPOCH}"
        reproducible = "type=image,rewrite-timestamp=true"
        outputs = ["--output", reproducible, *more]
        return ["-t", "app", "--build-arg", epoch, *outputs, str(self.directory)]

    def digest(self, jettison: Jettison) -> str:
        """Build; the digest of what came out."""
        meta = self.directory.parent / "metadata.json"
        jettison("build", "--progress", "plain", "--metadata-file", meta, *self.flags())
        found: str = json.loads(meta.read_text())["containerimage.digest"]
        return found


def make_project(directory: Path, base: str) -> Project:
    directory.mkdir()
    (directory / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    (directory / "files").mkdir()
    for number in range(40):
        text = f"{number}\n" * 2000
        (directory / "files" / f"{number:02}").write_text(text)
    return Project(directory)


def marks(store: Path) -> list[str]:
    """What RUN steps wrote down, one word each time one ran, sorted."""
    for label in (store / "mounts").glob("*/id"):
        log = label.parent / "0" / "log"
        if label.read_text() == "marks" and log.exists():
            return sorted(log.read_text().split())
    return []
