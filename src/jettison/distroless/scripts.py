"""Maintainer scripts that do what nothing here declares: a package that needs more is named.

Scripts are read, never run. Parts that debhelper adds are known by their marks; of the rest, lines
that only steer, look or tell are harmless. Packages whose scripts were read by people are listed
with what becomes of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from jettison.errors import DistrolessError

_SCRIPTS = ("preinst", "postinst")
_ADDED = re.compile(
    r"# Automatically added by (dh_\w+)[^\n]*\n.*?# End automatically added section\n?", re.S
)
_ADDED_HARMLESS = frozenset(
    "dh_installdeb dh_makeshlibs dh_installinit dh_installsystemd dh_systemd_enable dh_strip "
    "dh_systemd_start dh_installsystemduser dh_python3 dh_installmenu dh_installdebconf dh_icons "
    "dh_installman dh_installmime dh_lintian dh_installinfo dh_installlogrotate dh_usrlocal "
    "dh_installcatalogs dh_installtmpfiles dh_installsystemd/13 dh_scrollkeeper dh_ucf "
    "dh_installudev dh_desktop dh_bugfiles dh_installxfonts".split()
)
"""What steers daemons, byte code (not shipped), menus and upgrades: nothing an image needs."""

_HARMLESS_LINE = re.compile(
    r"""(?:
      set\ |continue\b|break\b|:$|:\s|exit|return|case\b|esac|;;|if\b|elif\b|else\b|fi\b|then\b
      |for\b|while\b|do\b
      |done\b|\}|\{|\w+\s*\(\)|[\w|*"'$@{}.\ -]+\)\s*(?:;;)?$
      |echo\b|printf\b|local\b|export\b|unset\b
      |shift\b|test\b|\[|true\b|false\b|umask\b|ldconfig\b|dpkg-maintscript-helper\b
      |dpkg\ --compare
      |db_\w+|\.\ /usr/share/debconf/confmodule|deb-systemd-|invoke-rc\.d|update-rc\.d|systemctl\b
      |systemd-tmpfiles|py3compile|py3clean|update-mime|\w+=|which\b|command\b|\#DEBHELPER\#|-
      |"|'|&&|\|\||>|rm\ -f|rmdir\b|\$)""",
    re.X,
)

COVERED: Mapping[str, str] = {
    "base-files": "directories, os-release; /etc/profile and the like are for shells",
    "base-passwd": "accounts are those of the spec",
    "ca-certificates": "the bundle is made of all its certificates",
    "ca-certificates-java": "the trust store is made of the same certificates",
    "dash": "there is no shell",
    "fontconfig": "the cache is made when it is missing",
    "fontconfig-config": "the defaults it offers as links are what is compiled in",
    "java-common": "a default runtime is whichever is in",
    "libc6": "restarts services, and mends what upgrades left",
    "libc-bin": "the defaults nsswitch.conf is made of",
    "libpam*": "there are no logins",
    "mariadb-common": "my.cnf is declared",
    "libglib2.0-0*": "schemas and modules of desktops are not compiled",
    "libgssapi-krb5-2": "keeps a file of older versions",
    "media-types": "nothing",
    "nodejs": "js is another name of node",
    "netbase": "writes /etc/hosts and networks, which a runtime gives a container",
    "nginx*": "logs go to the container's; sites are the image's own",
    "openjdk-*-jre-headless": "commands are links; the class data archive is in the package",
    "openssl": "nothing but upgrades",
    "passwd": "there are no logins",
    "python3*": "byte code is not shipped",
    "libpython3*": "byte code is not shipped",
    "readline-common": "keys are bound as by default",
    "tzdata": "the zone is UTC",
    "util-linux": "nothing but upgrades",
}  # fmt: skip
"""Packages (``*`` at the end: all that begin so) whose scripts are covered, and how."""


class Uncovered(Struct, frozen=True):
    """A package of which ``script`` does something that nothing declares; ``line`` is the first."""

    package: str
    script: str
    line: str


def uncovered(package: str, files: Mapping[str, bytes]) -> Uncovered | None:
    """The first thing a package's scripts do that is not covered; None if there is none.

    Raises DistrolessError if one diverts a file of another package, which moves it away.
    """
    if is_covered(package):
        return None
    for script in _SCRIPTS:
        text = files.get(script, b"").decode("utf-8", "replace")
        for line in _doing(text):
            if re.search(r"\bdpkg-divert\b.*--add\b", line) and "usr-is-merged" not in line:
                raise DistrolessError(
                    f"{package} diverts files of other packages, which is not supported: {line}",
                    hint="leave it out, with a reason, under contents: exclude",
                )
            return Uncovered(package, script, line)
    return None


def is_covered(package: str) -> bool:
    """Whether the package is in the table."""
    return any(
        package == name or (name.endswith("*") and package.startswith(name[:-1]))
        or ("-*-" in name and re.fullmatch(name.replace("*", r"\d+"), package) is not None)
        for name in COVERED
    )  # fmt: skip


def _doing(text: str) -> list[str]:
    """The lines of a script that are not known to be harmless."""
    if not text.startswith("#!"):
        return [f"a program: {text[:4]!r}"] if text else []
    if not re.match(r"#!\s*/bin/(?:ba|da)?sh\b", text):
        return [text.partition("\n")[0]]

    def section(match: re.Match[str]) -> str:
        return "" if match[1] in _ADDED_HARMLESS else match[0]

    text = _ADDED.sub(section, text).replace("\\\n", " ")
    found = []
    for line in text.split("\n")[1:]:
        line = line.strip()
        if line and not line.startswith("#") and not _HARMLESS_LINE.match(line):
            found.append(line[:200])
    return found
