"""A Java trust store made without Java: the JKS format, as sun.security.provider.JavaKeyStore
writes it, with nothing but trusted certificates.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable

_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
PASSWORD = "changeit"
"""What Java expects of its own trust store; it keeps nothing secret."""


def java_truststore(certificates: Iterable[tuple[str, bytes]], time: int) -> bytes:
    """The store of ``certificates`` (alias and PEM each), entered at ``time`` (seconds).

    What is no PEM is passed over; of one alias the first counts. The integrity check at the end is
    SHA-1 over the password, a phrase of Sun's, and the store.
    """
    entries: dict[str, bytes] = {}
    for alias, pem in certificates:
        try:
            der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]), validate=True)
        except binascii.Error:
            continue
        entries.setdefault(alias, der)
    parts = [struct.pack(">III", _MAGIC, _VERSION, len(entries))]
    for alias, der in sorted(entries.items()):
        parts += [struct.pack(">I", _TRUSTED), _text(alias), struct.pack(">Q", time * 1000)]
        parts += [_text("X.509"), struct.pack(">I", len(der)), der]
    data = b"".join(parts)
    key = PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite"
    return data + hashlib.sha1(key + data, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    """As DataOutputStream.writeUTF writes it (the same as UTF-8 but for NUL and rare planes)."""
    data = text.encode("utf-8", "replace")
    return struct.pack(">H", len(data)) + data
