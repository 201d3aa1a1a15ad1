"""The host's certificate authorities, shown to RUN without being put into the image.

Off unless asked for: behind a proxy that opens TLS, builds work without copying its certificate
into the image. The bundle is mounted read-only under a directory of jettison's own, and the
variables that programs look at point there; neither takes part in a cache key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from jettison.errors import SandboxError
from jettison.sandbox.secrets import MemoryFiles
from jettison.sandbox.spec import Mount

TARGET = "/run/jettison-ca/ca-certificates.crt"
VARIABLES = (
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "npm_config_cafile",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "NIX_SSL_CERT_FILE",
    "DENO_CERT",
    "BUNDLE_SSL_CA_CERT",
)
PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # CentOS
    "/etc/ssl/cert.pem",  # Alpine without the bundle package
)


def find_bundle(environment: Mapping[str, str]) -> str | None:
    """The host's bundle in PEM form: $SSL_CERT_FILE, else the first of the usual places."""
    wanted = environment.get("SSL_CERT_FILE")
    for path in ([wanted] if wanted else []) + list(PLACES):
        if os.path.isfile(path):
            return path
    return None


def give(
    bundle: str, files: MemoryFiles, environment: tuple[tuple[str, str], ...]
) -> tuple[Mount, tuple[tuple[str, str], ...]]:
    """The mount of ``bundle``, and ``environment`` with the variables that point to it.

    Variables that the build sets itself keep their values. Raises SandboxError if the bundle
    cannot be read.
    """
    try:
        with open(bundle, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SandboxError(f"cannot read the host's CA bundle {bundle}: {error}") from error
    present = {name for name, _ in environment}
    added = tuple((name, TARGET) for name in VARIABLES if name not in present)
    return files.add(TARGET, data, mode=0o444), environment + added
