"""A place to build with hostile input: a canary around it, a store that is looked into."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.hostile.zygote import Outcome, Zygote
from tests.integration.support.layouts import CONFIG, INDEX, MANIFEST, Layout

TAR = "application/vnd.oci.image.layer.v1.tar"
_KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFIFO: "fifo", stat.S_IFCHR: "char",
    stat.S_IFBLK: "block", stat.S_IFSOCK: "socket",
}  # fmt: skip

MEMORY = 256
"""MiB that a command may take at its peak, with all that Python needs."""


def lines(root: Path) -> set[str]:
    """``/bin/app: file 0755 0:0 'content'`` for everything below ``root``."""
    return {_line(os.fsencode(root), path) for path in _below(os.fsencode(root))}


def _below(directory: bytes) -> Iterator[bytes]:
    with os.scandir(directory) as entries:
        for entry in entries:
            yield entry.path
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)


def _line(root: bytes, path: bytes) -> str:
    st = os.lstat(path)
    name = ascii(path[len(root) :].decode("latin-1"))[1:-1]
    if stat.S_ISLNK(st.st_mode):
        return f"{name}: link {os.readlink(path).decode()}"
    kind = _KINDS[stat.S_IFMT(st.st_mode)]
    words = [kind, f"{stat.S_IMODE(st.st_mode):04o}", f"{st.st_uid}:{st.st_gid}"]
    if kind == "file":
        words.append(_content(path) if st.st_size < 100 else f"{st.st_size} bytes")
    elif kind in ("char", "block"):
        words.append(f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}")
    return " ".join([f"{name}:", *words, *sorted(os.listxattr(path, follow_symlinks=False))])


def _content(path: bytes) -> str:
    return repr(Path(os.fsdecode(path)).read_bytes().decode("latin-1"))


@dataclass
class Lab:
    """``root`` is where everything happens; a command may change nothing but the store there."""

    root: Path
    zygote: Zygote
    store: Path = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.store = self.root / "store"
        (self.root / "work/context").mkdir(parents=True)
        for path in ("canary", "work/canary"):
            (self.root / path).mkdir(parents=True)
            (self.root / path / "secret").write_text("canary")

        self.zygote.run("images", store=self.store)  # makes the store

    def canary(self) -> set[str]:
        """All that there is around, but for the store and what was asked for."""
        names = {n for n in _names(self.root) if n != "store"}
        names |= {n for n in _names(self.root / "work") if not n.startswith("out")}
        places = ("canary", "work/canary", "work/context")
        return names | {p + line for p in places for line in lines(self.root / p)}

    def kept(self) -> set[str]:
        """What a command that fails may not add to: images, unpacked layers, things in progress."""
        places = ("layers", "tmp", "index.json")
        found = {f"{p}/{n}" for p in places[:2] for n in _names(self.store / p)}
        index = self.store / "index.json"
        text = index.read_text() if index.exists() else ""
        return found | ({text} if '"manifests":[]' not in text else set())

    def out(self) -> Path:
        """A new directory to put a result in."""
        self.count += 1
        return self.root / f"work/out{self.count}"

    def run(
        self,
        *words: str | Path,
        stdin: Path | None = None,
        fails: bool | None = None,
        keeps: int = 0,
    ) -> Outcome:
        """Run a command: whatever it is given, it keeps to its bounds.

        If it fails it leaves ``keeps`` layers at most, those that are good.
        """
        around, kept = self.canary(), self.kept()
        outcome = self.zygote.run(*words, store=self.store, stdin=stdin)
        told = f"{words}: {outcome}"
        assert outcome.status in (0, 1, 2, 125), told
        assert "Traceback" not in outcome.err, told
        assert "bug in jettison" not in outcome.err, told
        assert not {c for c in outcome.out + outcome.err if ord(c) < 32} - set("\n\t"), told
        assert "\x1b" not in outcome.err, told
        assert outcome.peak < MEMORY, told
        assert self.canary() == around, told
        if outcome.status:
            new = self.kept() ^ kept
            assert all(name.startswith("layers/") for name in new), (new, told)
            assert len(new) <= keeps, (new, told)
            assert len(outcome.err) < 5000, told
        if fails is not None:
            assert (outcome.status != 0) == fails, told
        return outcome

    def build(
        self,
        dockerfile: str,
        *flags: str | Path,
        context: Path | str | None = None,
        stdin: Path | None = None,
        keeps: int = 0,
    ) -> set[str] | str:
        """Build and write out; the tree as lines, or the errors.

        Without a ``dockerfile`` it is in the context.
        """
        file = self.root / "work/Dockerfile"
        file.write_text(dockerfile)
        out = self.out()
        outcome = self.run(
            *("build", "--progress", "plain", "-o", f"type=local,dest={out}"),
            *(("-f", file) if dockerfile else ()),
            *flags,
            context or self.root / "work/context",
            stdin=stdin,
            keeps=keeps,
        )
        return outcome.err if outcome.status else lines(out)


def _names(directory: Path) -> list[str]:
    return os.listdir(directory) if directory.exists() else []


def compressed_type(data: bytes) -> str:
    """The media type of a layer."""
    if data[:2] == b"\x1f\x8b":
        return f"{TAR}+gzip"
    return f"{TAR}+zstd" if data[1:4] in (b"\xb5\x2f\xfd", b"\x2a\x4d\x18") else TAR


def image(layout: Layout, layers: list[tuple[bytes, str]], **config: Any) -> dict[str, Any]:
    """An image of layers (as stored, with their diff IDs); its manifest's descriptor."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.blob(CONFIG, json.dumps(document).encode()),
        "layers": [layout.blob(compressed_type(data), data) for data, _ in layers],
    }
    return layout.blob(MANIFEST, json.dumps(manifest).encode())


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


__all__ = ["CONFIG", "INDEX", "MANIFEST", "MEMORY", "TAR", "Lab", "digest", "image", "lines"]
