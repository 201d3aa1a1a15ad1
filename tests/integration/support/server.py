"""Real registries (Debian's docker-registry) on loopback, each with its own storage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.support.certs import Pair
from tests.integration.support.ports import free_port, wait_for_port

USER, PASSWORD = "ada", "correct horse"


@dataclass(frozen=True)
class Registry:
    """A running registry: ``host`` is ``127.0.0.1:port``; ``log`` is the file it logs to."""

    host: str
    log: Path
    ca: Path | None = None
    user: str = ""
    password: str = ""

    def name(self, rest: str) -> str:
        """The reference ``rest`` (``app:1``) on this registry."""
        return f"{self.host}/{rest}"

    def skopeo(self, *arguments: str) -> str:
        """Run skopeo with this registry's credentials; ``docker://`` needs no TLS flags."""
        flags = ["--tls-verify=false"]
        if self.user:
            flags.append(f"--creds={self.user}:{self.password}")
        command = ["skopeo", arguments[0], *flags, *arguments[1:]]
        return _run(command)

    def inspect(self, rest: str, *flags: str) -> Any:
        """What skopeo reads of an image here, as JSON."""
        return json.loads(self.skopeo("inspect", *flags, f"docker://{self.name(rest)}"))

    def load(self, layout: Path, tag: str, rest: str) -> None:
        """Have skopeo push ``tag`` of an OCI layout, all platforms, as ``rest``."""
        flags = ["--dest-tls-verify=false", "--all", "--quiet"]
        if self.user:
            flags.append(f"--dest-creds={self.user}:{self.password}")
        _run(["skopeo", "copy", *flags, f"oci:{layout}:{tag}", f"docker://{self.name(rest)}"])

    def save(self, rest: str, directory: Path) -> None:
        """Have skopeo pull an image, all platforms, into an OCI layout; it checks all digests."""
        flags = ["--src-tls-verify=false", "--all", "--quiet"]
        if self.user:
            flags.append(f"--src-creds={self.user}:{self.password}")
        _run(["skopeo", "copy", *flags, f"docker://{self.name(rest)}", f"oci:{directory}:saved"])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@contextmanager
def run_registry(
    directory: Path,
    *,
    tls: Pair | None = None,
    ca: Path | None = None,
    htpasswd: bool = False,
    token: dict[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Registry]:
    """A docker-registry that lives as long as the ``with`` block.

    ``htpasswd``: it wants USER and PASSWORD. ``token``: its ``auth.token`` configuration.
    """
    port = port or free_port()
    directory.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "s"},
    }
    if tls is not None:
        config["http"]["tls"] = {"certificate": str(tls.cert), "key": str(tls.key)}
    if htpasswd:
        users = directory / "htpasswd"
        users.write_text(_run(["htpasswd", "-Bbn", USER, PASSWORD]))
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
    if token is not None:
        config["auth"] = {"token": token}
    path = directory / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    log = directory / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(path)], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for_port(port, process)
        has_user = htpasswd
        yield Registry(
            f"127.0.0.1:{port}", log, ca, USER if has_user else "", PASSWORD if has_user else ""
        )
    finally:
        process.kill()
        process.wait()
