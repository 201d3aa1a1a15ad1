"""The Java trust store, read as JavaKeyStore.engineLoad reads it."""

from __future__ import annotations

import base64
import hashlib
import struct

from jettison.distroless.javastore import java_truststore


def pem(der: bytes) -> bytes:
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def read(store: bytes) -> list[tuple[str, int, str, bytes]]:
    data, digest = store[:-20], store[-20:]
    key = "changeit".encode("utf-16-be") + b"Mighty Aphrodite"
    assert hashlib.sha1(key + data).digest() == digest
    magic, version, count = struct.unpack(">III", data[:12])
    assert (magic, version) == (0xFEEDFEED, 2)
    at, found = 12, []
    for _ in range(count):
        (tag, size) = struct.unpack_from(">IH", data, at)
        assert tag == 2
        alias = data[at + 6 : at + 6 + size].decode()
        at += 6 + size
        (time, size) = struct.unpack_from(">QH", data, at)
        kind = data[at + 10 : at + 10 + size].decode()
        at += 10 + size
        (size,) = struct.unpack_from(">I", data, at)
        found.append((alias, time, kind, data[at + 4 : at + 4 + size]))
        at += 4 + size
    assert at == len(data)
    return found


def test_certificates_are_in_by_alias_at_one_time() -> None:
    store = java_truststore([("b", pem(b"B" * 900)), ("a", pem(b"A")), ("b", pem(b"C"))], 17)
    assert read(store) == [("a", 17000, "X.509", b"A"), ("b", 17000, "X.509", b"B" * 900)]


def test_what_is_no_certificate_is_passed_over() -> None:
    bad = b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"
    assert read(java_truststore([("a", bad)], 0)) == []
