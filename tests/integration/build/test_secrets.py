"""A secret that RUN uses is found nowhere afterwards."""

from __future__ import annotations

import secrets
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.runner import Jettison

pytestmark = pytest.mark.root


def everything(store: Path, out: Path) -> Iterator[tuple[str, bytes]]:
    """All bytes of a store and an exported image: files as they are, layers unpacked too."""
    for path in [*store.rglob("*"), out]:
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            yield str(path), data
            if data[:2] == b"\x1f\x8b" or path == out:
                yield from unpacked(path)
    with sqlite3.connect(store / "cache.db") as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'"):
            for row in database.execute(f"SELECT * FROM {table}"):
                yield f"table {table}", repr(row).encode()


def unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        for member in tar:
            yield f"{path}: {member.name}", repr(member.get_info()).encode()
            if member.isfile():
                stream = tar.extractfile(member)
                assert stream is not None
                yield f"{path}: {member.name}", stream.read()


def test_secrets_leave_no_trace(
    jettison: Jettison, context: Callable[..., Path], tmp_path: Path
) -> None:
    as_file, as_env = (f"secret-{secrets.token_hex(16)}" for _ in range(2))
    (tmp_path / "token").write_text(as_file)
    out = tmp_path / "image.tar"
    done = jettison.build(
        context(
            "FROM base\n"
            "RUN --mount=type=secret,id=token --mount=type=secret,id=other,env=OTHER \\\n"
            f"  [ $(cat /run/secrets/token | wc -c) = {len(as_file)} ] && [ ${{#OTHER}} = "
            f"{len(as_env)} ] && echo both are here > /proof\n"
            "RUN [ ! -e /run/secrets/token ] && [ -z \"$OTHER\" ]\n"
        ),
        "--secret", f"id=token,src={tmp_path}/token",
        "--secret", "id=other,env=OTHER_VALUE",
        "--output", f"type=oci,dest={out}",
        "-t", "uses-secrets",
        OTHER_VALUE=as_env,
    )  # fmt: skip
    found = {
        where
        for where, data in everything(jettison.store, out)
        for secret in (as_file, as_env)
        if secret.encode() in data
    }
    assert not found
    assert as_file not in done.stderr
    assert as_env not in done.stderr
