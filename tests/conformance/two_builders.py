"""A builder for the conformance harness: builds as root, again as root, and as an ordinary user.

Run as a file: ``two_builders.py LAYERS USER WORK OUT ARGUMENTS…``. The layers of each (times are
SOURCE_DATE_EPOCH's, so that equal trees are equal layers) become a line of JSON, a file in LAYERS;
USER holds the user's command line as JSON: its words and its environment. OUT gets nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FLAGS = ("--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--progress", "plain")


def layers_of(path: Path) -> list[str]:
    """The layers of each image in an OCI archive, by digest."""
    with tarfile.open(path) as tar:

        def document(name: str) -> dict[str, Any]:
            file = tar.extractfile(name)
            assert file is not None
            found: dict[str, Any] = json.load(file)
            return found

        def blob(digest: str) -> dict[str, Any]:
            return document("blobs/" + digest.replace(":", "/"))

        pending = [blob(m["digest"]) for m in document("index.json")["manifests"]]
        found = []
        while pending:
            one = pending.pop()
            pending += [blob(m["digest"]) for m in one.get("manifests", ())]
            found += [layer["digest"] for layer in one.get("layers", ())]
        return found


def main(layers: str, user: str, work: str, out: str, *arguments: str) -> int:
    """Build three times; the status is that of the first build that fails."""
    theirs = json.loads(Path(user).read_text())
    mine = [sys.executable, "-m", "jettison"]
    subprocess.run(["chmod", "-R", "a+rX", work], check=True)
    results = []
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        builders: list[tuple[list[str], dict[str, str], list[str]]] = [
            (mine, {}, []),
            (mine, {}, ["--no-cache"]),
            (theirs[0], theirs[1], []),
        ]
        for number, (words, environ, more) in enumerate(builders):
            archive = Path(directory, f"{number}.tar")
            output = f"type=oci,dest={archive},rewrite-timestamp=true"
            done = subprocess.run(
                [*words, "build", *FLAGS, *more, "-o", output, *arguments],
                env={**os.environ, **environ},
            )
            if done.returncode:
                return done.returncode
            results.append(layers_of(archive))
    name = f"{Path(work).name}-{os.getpid()}"
    case = next((part for part in Path(work).parts[::-1] if "-" in part), name)
    Path(layers, f"{name}.json").write_text(json.dumps([case, *results]))
    return 1  # there is nothing for the harness to compare


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
