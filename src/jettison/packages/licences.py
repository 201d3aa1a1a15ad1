"""Licences as SPDX expressions (SPDX 2.3, annex D) from what packages call them."""

from __future__ import annotations

import re
from collections.abc import Iterable

KNOWN = frozenset(
    """0BSD AFL-2.1 AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 APSL-2.0
    Artistic-1.0 Artistic-1.0-Perl Artistic-2.0 Beerware BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause
    BSD-2-Clause-Patent BSD-3-Clause BSD-4-Clause BSD-4-Clause-UC BSD-Source-Code BSL-1.0
    bzip2-1.0.6 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CDDL-1.1 CECILL-2.1
    CPL-1.0 curl EPL-1.0 EPL-2.0 EUPL-1.2 FSFAP FSFUL FSFULLR FTL GFDL-1.1-only GFDL-1.1-or-later
    GFDL-1.2-only GFDL-1.2-or-later GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later
    GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ICU IJG ISC JSON LGPL-2.0-only
    LGPL-2.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later Libpng
    libtiff LPPL-1.3c MIT MIT-0 MIT-CMU MPL-1.1 MPL-2.0 MS-PL NCSA NTP OFL-1.1 OLDAP-2.8 OpenSSL
    OSL-3.0 PHP-3.01 PostgreSQL PSF-2.0 Python-2.0 Python-2.0.1 Ruby SGI-B-2.0 Sleepycat
    SMLNJ SSPL-1.0 TCL Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 Vim W3C WTFPL X11 Zlib
    zlib-acknowledgement ZPL-2.1""".split()
)
"""Identifiers of the SPDX licence list that packages use; others become a LicenseRef."""

_EXCEPTIONS = frozenset(
    """Autoconf-exception-2.0 Autoconf-exception-3.0 Bison-exception-2.2 Classpath-exception-2.0
    Font-exception-2.0 GCC-exception-2.0 GCC-exception-3.1 Libtool-exception Linux-syscall-note
    LLVM-exception OpenJDK-assembly-exception-1.0 openvpn-openssl-exception""".split()
)
_BY_LOWER = {name.lower(): name for name in KNOWN}
_ALIASES = {
    "expat": "MIT",
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mit/x11": "MIT",
    "apache": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd license": "BSD-3-Clause",
    "bsd-2": "BSD-2-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd-3-clauses": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "psf": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "artistic": "Artistic-1.0-Perl",
    "boost": "BSL-1.0",
    "cc0": "CC0-1.0",
}
_GNU = re.compile(r"^(a?l?gpl|gfdl)[- ]?v?(\d(?:\.\d)?)(?:\.0)?(\+|-only|-or-later)?$")
_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_UNFIT = re.compile(r"[^A-Za-z0-9.-]+")
_OPERATORS = ("AND", "OR", "WITH")


def expression(licences: Iterable[str]) -> tuple[str, dict[str, str]]:
    """An SPDX expression for all of ``licences``, and what the LicenseRefs in it stand for.

    Without any it is NOASSERTION. Each may be an expression itself, or a name in any manner.
    """
    parts: dict[str, None] = {}
    extracted: dict[str, str] = {}
    for licence in licences:
        part = _identifier(licence) or _expression(licence, extracted)
        parts[part or _reference(licence, extracted)] = None
    if not parts:
        return "NOASSERTION", {}
    several = len(parts) > 1
    texts = [f"({p})" if several and re.search(r" (?:AND|OR) ", p) else p for p in parts]
    return " AND ".join(texts), extracted


def _identifier(text: str) -> str:
    """The identifier of the SPDX list for one licence's name; empty if it is not known."""
    name = text.strip().lower()
    found = _BY_LOWER.get(name) or _ALIASES.get(name)
    if found:
        return found
    match = _GNU.match(name)
    if not match:
        return ""
    number = match[2] if "." in match[2] else f"{match[2]}.0"
    later = "-or-later" if match[3] in ("+", "-or-later") else "-only"
    return _BY_LOWER.get(f"{match[1]}-{number}{later}", "")


def _expression(text: str, extracted: dict[str, str]) -> str:
    """``text`` with every licence replaced; empty if it is no expression of several."""
    tokens = _TOKEN.findall(text)
    if len(tokens) < 2 or not any(t.upper() in _OPERATORS for t in tokens):
        return ""
    found: dict[str, str] = {}
    words: list[str] = []
    for place, token in enumerate(tokens):
        if token in "()" or token.upper() in _OPERATORS:
            words.append(token.upper())
        elif place and tokens[place - 1].upper() == "WITH":
            if token not in _EXCEPTIONS:
                return ""
            words.append(token)
        else:
            words.append(_identifier(token) or _reference(token, found))
    if not _well_formed(words):
        return ""
    extracted.update(found)
    return " ".join(words).replace("( ", "(").replace(" )", ")")


def _well_formed(words: list[str]) -> bool:
    """Operands and operators in turn, parentheses in pairs."""
    depth, operand = 0, True
    for token in words:
        if token == "(":
            if not operand:
                return False
            depth += 1
        elif token == ")":
            depth -= 1
            if operand or depth < 0:
                return False
        elif token in _OPERATORS:
            if operand:
                return False
            operand = True
        else:
            if not operand:
                return False
            operand = False
    return depth == 0 and not operand


def _reference(text: str, extracted: dict[str, str]) -> str:
    name = "LicenseRef-" + (_UNFIT.sub("-", text.strip()).strip("-")[:64] or "unknown")
    extracted[name] = text
    return name
