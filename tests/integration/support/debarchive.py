"""A Debian archive made by a test: packages by dpkg-deb, indexes, and a signature by gpg."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


class Key:
    """An OpenPGP key in a home of its own; ``keyring`` is the certificate in a file."""

    def __init__(self, home: Path, name: str = "archive") -> None:
        home.mkdir(mode=0o700, parents=True)
        self._home = home
        self._name = f"{name}@example.org"
        self._gpg("--quick-generate-key", "--passphrase", "", self._name, "ed25519", "sign", "0")
        self.keyring = home / "keyring.gpg"
        self.keyring.write_bytes(self._gpg("--export", self._name))
        self.armored = self._gpg("--armor", "--export", self._name).decode()
        listed = self._gpg("--with-colons", "--list-keys").decode().split("\n")
        self.fingerprint = next(li for li in listed if li.startswith("fpr")).split(":")[9].lower()

    def clearsign(self, data: bytes) -> bytes:
        return self._gpg("--clearsign", data=data)

    def sign(self, data: bytes) -> bytes:
        return self._gpg("--armor", "--detach-sign", data=data)

    def close(self) -> None:
        """End the agent that gpg started for this home."""
        subprocess.run(
            ["gpgconf", "--homedir", str(self._home), "--kill", "all"],
            capture_output=True,
            check=False,
        )

    def _gpg(self, *arguments: str, data: bytes = b"") -> bytes:
        done = subprocess.run(
            ["gpg", "--homedir", str(self._home), "--batch", "--yes", "--quiet",
             "--pinentry-mode", "loopback", *arguments],
            input=data,
            capture_output=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@dataclass
class DebArchive:
    """An archive below ``root``: one suite, ``main`` only. Publish after each change."""

    root: Path
    key: Key
    suite: str = "bookworm"
    architectures: tuple[str, ...] = ("amd64", "arm64")
    kinds: tuple[str, ...] = ("", ".xz", ".gz")
    date: str = "Sat, 11 Jul 2026 10:16:37 UTC"
    valid_until: str = ""
    extra: str = ""
    by_hash: bool = True
    detached: bool = False
    paragraphs: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        version: str = "1",
        architecture: str = "amd64",
        *,
        fields: str = "",
        compression: str = "xz",
        files: dict[str, str] | None = None,
    ) -> Path:
        """Build a package with dpkg-deb and list it; its file in the pool."""
        tree = self.root.parent / f"tree-{name}-{version}-{architecture}"
        (tree / "DEBIAN").mkdir(parents=True)
        content = files if files is not None else {f"usr/share/{name}/file": f"{name} {version}\n"}
        for path, text in content.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
            f"Maintainer: Ada <ada@example.org>\nDescription: a package\n{fields}"
        ).rstrip("\n")
        (tree / "DEBIAN" / "control").write_text(control + "\n")
        path = f"pool/main/{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", str(tree),
             str(self.root / path)],
            check=True,
            capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        )  # fmt: skip
        shutil.rmtree(tree)
        data = (self.root / path).read_bytes()
        paragraph = (
            f"{control}\nFilename: {path}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
        wanted = self.architectures if architecture == "all" else (architecture,)
        for one in wanted:
            self.paragraphs.setdefault(one, []).append(paragraph)
        return self.root / path

    @property
    def dists(self) -> Path:
        return self.root / "dists" / self.suite

    def publish(self) -> None:
        """Write the indexes and sign them."""
        sums = []
        for architecture in self.architectures:
            plain = "\n".join(self.paragraphs.get(architecture, [])).encode()
            directory = f"main/binary-{architecture}"
            for kind, pack in (("", bytes), (".xz", lzma.compress), (".gz", gzip.compress)):
                data = pack(plain)
                digest = hashlib.sha256(data).hexdigest()
                sums.append(f" {digest} {len(data)} {directory}/Packages{kind}")
                names = [f"Packages{kind}"] if kind in self.kinds else []
                names += [f"by-hash/SHA256/{digest}"] if names and self.by_hash else []
                for name in names:
                    path = self.dists / directory / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
        lines = [
            "Origin: Example",
            "Suite: stable",
            f"Codename: {self.suite}",
            f"Date: {self.date}",
            *([f"Valid-Until: {self.valid_until}"] if self.valid_until else []),
            f"Acquire-By-Hash: {'yes' if self.by_hash else 'no'}",
            f"Architectures: {' '.join(self.architectures)}",
            "Components: main",
            *([self.extra] if self.extra else []),
            "SHA256:",
            *sums,
        ]
        self.sign("\n".join(lines).encode() + b"\n")

    def sign(self, release: bytes) -> None:
        """Put a Release file in place, with the signature that goes with it."""
        self.dists.mkdir(parents=True, exist_ok=True)
        if self.detached:
            (self.dists / "Release").write_bytes(release)
            (self.dists / "Release.gpg").write_bytes(self.key.sign(release))
        else:
            (self.dists / "InRelease").write_bytes(self.key.clearsign(release))
