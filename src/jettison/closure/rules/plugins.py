"""Programs and libraries with plug-ins and data of their own: one line of a table for each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from jettison.closure.model import Need, Rule
from jettison.closure.world import File, World
from jettison.fs.tree import join


class _Entry(Struct, frozen=True):
    """A file whose name fits ``pattern`` needs what fits ``paths`` (``*`` within a component)."""

    pattern: str
    paths: tuple[str, ...]
    reason: str


_TABLE = (
    _Entry(
        r"perl5?[\d.]*|libperl\.so.*",
        ("/etc/perl", "/usr/lib/*/perl-base", "/usr/lib/*/perl/*", "/usr/share/perl/*",
         "/usr/lib/*/perl5", "/usr/share/perl5", "/usr/lib/perl5", "/usr/local/lib/perl5",
         "/usr/lib/x86_64-linux-gnu/perl"),
        "Perl's own modules",
    ),
    _Entry(
        r"ruby[\d.]*|libruby.*\.so.*",
        ("/usr/lib/ruby", "/usr/lib/*/ruby", "/usr/local/lib/ruby", "/var/lib/gems",
         "/usr/share/rubygems-integration", "/usr/local/bundle"),
        "Ruby's own library and gems",
    ),
    _Entry(
        r"php(-fpm|-cgi)?[\d.]*|libphp.*\.so",
        ("/etc/php", "/usr/lib/php", "/usr/share/php", "/usr/local/lib/php", "/usr/local/etc/php*"),
        "PHP's configuration and extensions",
    ),
    _Entry(r"libsasl2\.so\..*", ("{lib}/sasl2",), "libsasl2 opens its mechanisms"),
    _Entry(r"libgssapi_krb5\.so\..*", ("/etc/krb5.conf", "/etc/gss/mech.d"), "Kerberos reads it"),
    _Entry(r"libfontconfig\.so\..*", ("/etc/fonts", "/usr/share/fontconfig"), "fontconfig"),
    _Entry(r"libmagic\.so\..*", ("/etc/magic", "/usr/share/misc/magic.mgc"), "libmagic reads it"),
    _Entry(r"lib(tinfo|ncursesw?)\.so\..*", ("/etc/terminfo", "/lib/terminfo"), "terminals"),
)  # fmt: skip


def _needs(file: File, world: World) -> Iterator[Need]:
    if file.elf is None:
        return
    for entry in _TABLE:
        if re.fullmatch(entry.pattern, file.name):
            for pattern in entry.paths:
                for path in expand(world, pattern.replace("{lib}", file.directory)):
                    yield Need(path=path, reason=entry.reason, below=True, optional=True, weak=True)


def expand(world: World, pattern: str) -> list[str]:
    """The paths that fit a pattern with ``*`` in its components."""
    found = ["/"]
    for part in pattern.strip("/").split("/"):
        if "*" in part:
            found = [path for base in found for path in world.glob(base, part)]
        else:
            found = [join(base, part) for base in found]
    return found


RULE = Rule(
    name="plugins",
    summary="Programs and libraries with modules and data of their own",
    catches=(
        "Perl, Ruby, PHP with their libraries; SASL mechanisms; Kerberos, fontconfig, libmagic and "
        "terminal descriptions.",
    ),
    misses=("Fonts.", "PAM modules: containers start programs without logging in."),
    needs=_needs,
)
