"""Files of packages that a running application does not need, by class.

Paths are as they are in the image: without a leading slash, with ``lib`` and the like below
``usr``. Whatever is left out, copyright files stay: licences ask for it, and scanners read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LIB = r"usr/lib(?:64|32|x32)?"

CLASSES: dict[str, str] = {
    "docs": r"usr/share/(?:doc|doc-base|gtk-doc|help|devhelp)(?:/|$)",
    "man": r"usr/share/(?:[^/]+/)?man(?:/|$)|usr/share/man(?:/|$)",
    "info": r"usr/share/info(?:/|$)",
    "locales": r"usr/share/(?:locale|i18n)(?:/|$)",
    "headers": r"usr/include(?:/|$)",
    "static": rf"{_LIB}/.*\.(?:a|la)$",
    "pkgconfig": rf"(?:{_LIB}|{_LIB}/[^/]+|usr/share)/(?:pkgconfig|cmake|aclocal)(?:/|$)",
    "caches": r"var/cache/.|var/lib/apt/.|.*/__pycache__(?:/|$)",
    "completions": r"usr/share/(?:bash-completion|zsh|fish)(?:/|$)|etc/bash_completion\.d(?:/|$)",
    "systemd": rf"(?:{_LIB}|etc)/systemd(?:/|$)|{_LIB}/(?:tmpfiles|sysusers|udev)(?:\.d)?(?:/|$)",
    "init": r"etc/(?:init\.d|init|rc.\.d|logrotate\.d|cron\.[a-z]+|default|update-motd\.d)(?:/|$)",
    "packaging": r"usr/share/(?:lintian|bug|reportbug|menu|apport|debhelper|base-files)(?:/|$)",
    "desktop": r"usr/share/(?:applications|pixmaps|icons|metainfo|binfmts)(?:/|$)",
    "debugging": rf"usr/share/(?:gdb|gcc/python)(?:/|$)|{_LIB}/(?:valgrind|debug)(?:/|$)",
    "gconv": rf"{_LIB}/[^/]+/gconv(?:/|$)",
}
"""What each class is, as a regular expression that matches from the beginning."""

OPTIONAL = frozenset({"gconv"})
"""Classes left out only if the spec says so: programs that convert character sets need these."""

DEFAULT = tuple(name for name in CLASSES if name not in OPTIONAL)

_KEPT = re.compile(r"usr/share/doc/[^/]+/copyright$")
_DOC = re.compile(r"usr/share/doc/[^/]+$")
_MERGED = re.compile(r"(?:bin|sbin|lib|lib32|lib64|libx32)(?:/|$)")


class Trim:
    """Says of each path whether it is left out, and counts what was."""

    def __init__(self, classes: Iterable[str] | None) -> None:
        self._names = DEFAULT if classes is None else tuple(dict.fromkeys(classes))
        groups = "|".join(f"(?P<{name}>{CLASSES[name]})" for name in self._names)
        self._pattern = re.compile(groups) if groups else None
        self.files: dict[str, int] = dict.fromkeys(self._names, 0)
        self.bytes: dict[str, int] = dict.fromkeys(self._names, 0)

    def class_of(self, path: str, *, link: bool = False) -> str | None:
        """The class ``path`` is left out by; None if it stays.

        A ``link`` from one package's documentation to another's stays: it leads to the copyright.
        """
        if self._pattern is None or _KEPT.match(path) or (link and _DOC.match(path)):
            return None
        match = self._pattern.match(path)
        return match.lastgroup if match else None

    def leaves_out(self, path: str, size: int, *, directory: bool, link: bool = False) -> bool:
        """As `class_of`, and counts it."""
        found = self.class_of(path, link=link)
        if found is None:
            return False
        if not directory:
            self.files[found] += 1
            self.bytes[found] += size
        return True


def merged_path(path: str) -> str:
    """Where a path of a package is once ``/bin`` and the like are links into ``/usr``."""
    return f"usr/{path}" if _MERGED.match(path) else path
