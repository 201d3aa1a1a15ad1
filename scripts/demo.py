#!/usr/bin/env python3
"""The main job on real input: a Go service from a fat image to a few megabytes, measured.

Builds examples/go twice (Dockerfile.fat, Dockerfile), starts both images, asks both over HTTP,
and prints a before/after table. Uses a store of its own, so that every figure is of this run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "go"
STORE = Path(os.environ.get("DEMO_STORE", ROOT / ".demo"))
JETTISON = str(Path(sys.executable).parent / "jettison")
ENVIRON = dict(os.environ, JETTISON_ROOT=str(STORE))
SHELLS = {"sh", "bash", "dash", "ash", "zsh", "busybox"}


@dataclass
class Measured:
    """One column of the table; sizes in bytes, times in seconds."""

    disk: int
    compressed: int
    files: int
    packages: int
    shells: int
    build: float = 0.0
    answer: float = 0.0


def main() -> int:
    if not image_exists("debian:bookworm"):
        say("bootstrapping debian:bookworm from signed packages")
        run(
            [str(ROOT / "scripts" / "debian-base"), "bookworm"],
            env=dict(ENVIRON, JETTISON=JETTISON),
        )
    columns = {}
    for name, dockerfile in (("fat", "Dockerfile.fat"), ("lean", "Dockerfile")):
        tag = f"clock:{name}"
        say(f"building {tag} from examples/go/{dockerfile}")
        began = time.monotonic()
        run(
            [
                JETTISON,
                "build",
                "--no-cache",
                "-f",
                str(EXAMPLE / dockerfile),
                "-t",
                tag,
                str(EXAMPLE),
            ]
        )
        build = time.monotonic() - began
        columns[name] = measure(tag)
        columns[name].build = build
        say(f"asking {tag}")
        columns[name].answer = ask(tag)
    print(table(columns["fat"], columns["lean"]))
    return 0


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(command: list[str], env: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, env=env or ENVIRON)


def image_exists(name: str) -> bool:
    done = subprocess.run([JETTISON, "inspect", name], env=ENVIRON, capture_output=True)
    return done.returncode == 0


# ------------------------------------------------------------------ what is in an image


def blob(digest: str) -> Path:
    return STORE / "blobs" / Path(*digest.split(":"))


def manifest_of(tag: str) -> dict[str, object]:
    """The store is an OCI image layout: its manifests can be read without asking anybody."""
    index = json.loads((STORE / "index.json").read_text())
    for entry in index["manifests"]:
        name = entry.get("annotations", {}).get("io.containerd.image.name", "")
        if name.endswith("/" + tag):
            document: dict[str, object] = json.loads(blob(entry["digest"]).read_text())
            return document
    raise SystemExit(f"{tag} is not in {STORE}")


def measure(tag: str) -> Measured:
    """Walk the layers of an image: what a registry bills for and what a host unpacks."""
    layers = manifest_of(tag)["layers"]
    assert isinstance(layers, list)
    sizes: dict[str, int] = {}
    packages: set[str] = set()
    disk = 0
    for layer in layers:
        with tarfile.open(blob(layer["digest"])) as tar:
            for member in tar:
                if member.isfile():
                    disk += member.size
                    sizes[member.name] = member.size
                if member.name.endswith("var/lib/dpkg/status"):
                    status = tar.extractfile(member)
                    assert status is not None
                    packages = {
                        x for x in status.read().decode().split("\n") if x.startswith("Package: ")
                    }
    shells = {n for n in sizes if Path(n).name in SHELLS and Path(n).parent.name == "bin"}
    return Measured(disk, sum(x["size"] for x in layers), len(sizes), len(packages), len(shells))


# ------------------------------------------------------------------ does it work


def ask(tag: str) -> float:
    """Start the image, ask every route; returns the seconds until the first answer."""
    with https_server() as (url, ca_dir):
        port = free_port()
        began = time.monotonic()
        process = subprocess.Popen(
            [JETTISON, "run", "--rm", "-e", f"ADDRESS=127.0.0.1:{port}",
             "-v", f"{ca_dir}/ca.pem:/etc/ssl/certs/demo-ca.pem:ro", tag],
            env=ENVIRON, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            base = f"http://127.0.0.1:{port}"
            wait_for(base + "/healthz", process)
            first = time.monotonic() - began
            zone = get(base + "/time?zone=Asia/Tokyo")
            if not zone["time"].endswith("+09:00"):
                raise SystemExit(f"{tag}: wrong time for Asia/Tokyo: {zone}")
            call = get(f"{base}/fetch?url={url}")
            if call != {"status": 200, "tls": True}:
                raise SystemExit(f"{tag}: outgoing TLS call failed: {call}")
            say(f"{tag}: Tokyo has {zone['time']}, TLS call ok, runs as {get(base + '/whoami')}")
            return first
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def get(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{url}: {error.code} {error.read().decode()}") from None


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.005)
    raise SystemExit(f"no answer from {url} (exit status {process.poll()})")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@contextmanager
def https_server() -> Iterator[tuple[str, Path]]:
    """An HTTPS server on loopback with a certificate signed by a CA made for this run."""
    work = STORE / "demo-tls"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    new_key = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split()
    ca = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=demo CA"]
    leaf = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"]
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
    for arguments in (ca, leaf + signed):
        subprocess.run([*new_key, *arguments], check=True, cwd=work, capture_output=True)

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = HTTPServer(("127.0.0.1", 0), Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(work / "cert.pem", work / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/", work
    finally:
        server.shutdown()
        shutil.rmtree(work, ignore_errors=True)


# ------------------------------------------------------------------ the table


def table(fat: Measured, lean: Measured) -> str:
    rows = [
        ("on disk", megabytes, fat.disk, lean.disk),
        ("compressed", megabytes, fat.compressed, lean.compressed),
        ("files", count, fat.files, lean.files),
        ("Debian packages", count, fat.packages, lean.packages),
        ("shell inside", yes, fat.shells, lean.shells),
        ("build, no cache", seconds, fat.build, lean.build),
        ("first answer", seconds, fat.answer, lean.answer),
    ]
    lines = [f"{'examples/go':16} {'Dockerfile.fat':>15} {'Dockerfile':>12} {'ratio':>8}"]
    for name, shown, before, after in rows:
        ratio = f"{before / after:.1f}x" if after and shown is not yes else ""
        lines.append(f"{name:16} {shown(before):>15} {shown(after):>12} {ratio:>8}")
    return "\n".join(lines)


def megabytes(n: float) -> str:
    return f"{n / 1e6:,.1f} MB"


def seconds(n: float) -> str:
    return f"{n:.2f} s"


def count(n: float) -> str:
    return f"{n:,.0f}"


def yes(n: float) -> str:
    return "yes" if n else "no"


if __name__ == "__main__":
    sys.exit(main())
