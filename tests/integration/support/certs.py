"""Certificates for servers on loopback, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_SAN = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    cert: Path
    key: Path


def make_ca(directory: Path) -> Pair:
    """A certificate authority of its own."""
    pair = Pair(directory / "ca.crt", directory / "ca.key")
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=test authority", "-keyout", pair.key, "-out", pair.cert,
    )  # fmt: skip
    return pair


def make_server_pair(directory: Path, ca: Pair, name: str = "server") -> Pair:
    """A server's certificate for localhost, signed by ``ca``."""
    pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    request, extensions = directory / f"{name}.csr", directory / f"{name}.ext"
    extensions.write_text(f"{_SAN}\nbasicConstraints=CA:FALSE\n")
    _openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request,
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", request, "-CA", ca.cert, "-CAkey", ca.key, "-CAcreateserial",
        "-days", "2", "-extfile", extensions, "-out", pair.cert,
    )  # fmt: skip
    return pair


def make_signing_pair(directory: Path) -> Pair:
    """A self-signed RSA certificate to sign tokens with (RS256)."""
    pair = Pair(directory / "signing.crt", directory / "signing.key")
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=token signer", "-keyout", pair.key, "-out", pair.cert,
    )  # fmt: skip
    return pair


def sign(pair: Pair, data: bytes) -> bytes:
    """The RSA SHA-256 signature of ``data``."""
    command = ["openssl", "dgst", "-sha256", "-sign", str(pair.key)]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def der(pair: Pair) -> bytes:
    """The certificate in DER."""
    command = ["openssl", "x509", "-in", str(pair.cert), "-outform", "DER"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
