"""Certificate authorities, where a TLS library is in use; OpenSSL's configuration and modules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.closure.model import Gap, Need, Rule
from jettison.closure.world import File, World

_LIBRARY = re.compile(r"lib(ssl|gnutls|mbedtls|wolfssl|nss3|bearssl|s2n)\b.*\.so")
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
_DIRECTORIES = re.compile(rb'(?:OPENSSLDIR|MODULESDIR): "[^"\0]{1,200}"')
_INSIDE = frozenset({"default", "base", "null"})


def authorities(world: World, by: str, reason: str) -> Iterator[Need | Gap]:
    """The bundle of certificate authorities; a gap if there is none."""
    given = world.launch.variable("SSL_CERT_FILE")
    for path in (given,) if given else _BUNDLES:
        if world.is_file(path):
            yield Need(path=path, reason=reason, weak=True)
            return
    yield Gap(
        what=given or _BUNDLES[0],
        by=by,
        rule=RULE.name,
        message=f"{by}: {reason}, and there is no bundle of certificate authorities",
        hint="add ca-certificates, if it connects to others by TLS",
        fatal=False,
    )


def _needs(file: File, world: World) -> Iterator[Need | Gap]:
    elf = file.elf
    if elf is None:
        return
    name = elf.soname or file.name
    if _LIBRARY.match(name):
        yield from authorities(world, file.path, "a TLS library verifies servers with it")
    if name.startswith("libcrypto.so"):
        yield from _openssl(file, world)
    elif file.name == "node":  # has OpenSSL inside, and authorities of its own
        yield from _openssl(file, world, authorities=False)
        more = world.launch.variable("NODE_EXTRA_CA_CERTS")
        if more:
            yield Need(path=more, reason=f"NODE_EXTRA_CA_CERTS={more}", optional=True, weak=True)


def _openssl(file: File, world: World, *, authorities: bool = True) -> Iterator[Need]:
    found = {}
    for match in file.search(_DIRECTORIES):
        key, _, value = match.decode("utf-8", "surrogateescape").partition(': "')
        found[key] = value.rstrip('"')
    base, modules = found.get("OPENSSLDIR", ""), found.get("MODULESDIR", "")
    if not base:
        return
    conf = world.launch.variable("OPENSSL_CONF") or f"{base}/openssl.cnf"
    yield Need(path=conf, reason="OpenSSL's configuration", optional=True, weak=True)
    for provider in _providers(world.text(conf) or ""):
        path = f"{modules}/{provider}.so"
        reason = f"{conf} activates the provider {provider}"
        yield Need(path=path, reason=reason, optional=True, weak=True)
    if world.launch.variable("SSL_CERT_FILE") or not authorities:
        return
    if world.is_file(f"{base}/cert.pem"):
        yield Need(path=f"{base}/cert.pem", reason="OpenSSL's default bundle", weak=True)
        return
    for name in world.names(f"{base}/certs"):
        if _HASHED.fullmatch(name):
            reason = "OpenSSL finds authorities by this name, as SSL_CERT_FILE is not set"
            yield Need(path=f"{base}/certs/{name}", reason=reason, optional=True, weak=True)


def _providers(text: str) -> list[str]:
    """Providers that config(5) activates and that are modules of their own."""
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("["):
            current = sections.setdefault(line.strip("[] \t"), {})
        elif "=" in line:
            key, _, value = line.partition("=")
            current[key.strip()] = value.strip()
    listed = {k: v for s in sections.values() for k, v in s.items() if v in sections}
    return [
        name
        for name, section in listed.items()
        if sections[section].get("activate") in ("1", "yes", "true", "on") and name not in _INSIDE
    ]


RULE = Rule(
    name="tls",
    summary="Certificate authorities, OpenSSL's configuration",
    catches=(
        "The bundle of certificate authorities if a TLS library (OpenSSL, GnuTLS, NSS, mbed TLS) "
        "or a Go program that verifies certificates is in the closure.",
        "openssl.cnf and the providers it activates; the hashed names of authorities, unless "
        "SSL_CERT_FILE is set.",
    ),
    misses=("Engines and providers that a program loads by itself.",),
    needs=_needs,
)
