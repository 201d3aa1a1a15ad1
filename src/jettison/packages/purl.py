"""Package URLs (package-url/purl-spec, PURL-SPECIFICATION and PURL-TYPES).

Few enough rules to be written here: percent-encoding, a fixed order, and what types normalise.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

_LOWER = frozenset({"apk", "deb", "golang", "npm", "pypi"})
"""Types whose namespace and name are written in lower case."""


def make_purl(
    type: str,
    name: str,
    version: str = "",
    *,
    namespace: str = "",
    qualifiers: Mapping[str, str] | None = None,
    subpath: str = "",
) -> str:
    """``pkg:type/namespace/name@version?qualifiers#subpath``; empty parts are left out.

    ``namespace`` and ``subpath`` are segments separated by slashes. Bytes that are not UTF-8
    (surrogates in the text) are encoded as they are.
    """
    if type in _LOWER:
        namespace, name = namespace.lower(), name.lower()
    if type == "pypi":
        name = name.replace("_", "-")
    parts = ["pkg:", type]
    parts += ["/" + _encoded(segment) for segment in namespace.split("/") if segment]
    parts.append("/" + _encoded(name))
    if version:
        parts.append("@" + _encoded(version))
    given = {key: value for key, value in (qualifiers or {}).items() if value}
    if given:
        parts.append("?" + "&".join(f"{key}={_encoded(given[key])}" for key in sorted(given)))
    inner = [s for s in subpath.split("/") if s not in ("", ".", "..")]
    if inner:
        parts.append("#" + "/".join(map(_encoded, inner)))
    return "".join(parts)


def _encoded(text: str) -> str:
    """All but letters, digits and ``.-_~:`` (a colon is never encoded)."""
    return quote(text.encode("utf-8", "surrogateescape"), safe="~:")
