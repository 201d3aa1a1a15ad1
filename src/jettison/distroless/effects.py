"""What maintainer scripts would have done, declared: no script ever runs.

Each effect looks at the packages' files, and gives paths to make. What an effect makes replaces
nothing that a package ships.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jettison.distroless.javastore import java_truststore
from jettison.distroless.spec import PathEntry, Spec, User
from jettison.distroless.tree import Entry, Tree
from jettison.fs.tarformat import DIRECTORY, LINK, REGULAR, SYMLINK

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_ROOT = User(username="root", uid=0, gid=0, homedir="/root", shell="/sbin/nologin")
_NOBODY = User(username="nobody", uid=65534, gid=65534, homedir="/nonexistent")
_LIB64 = frozenset({"amd64", "ppc64el"})
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_JAVA = re.compile(r"usr/lib/jvm/java-\d+-openjdk-[a-z0-9]+/bin/([a-z]+)")
_NSSWITCH = b"""\
passwd:         files
group:          files
shadow:         files
gshadow:        files
hosts:          files dns
networks:       files
protocols:      files
services:       files
ethers:         files
rpc:            files
"""
APPLETS = (
    "[ ash awk base64 basename bunzip2 bzcat cat chgrp chmod chown clear cmp cp cpio cut date dd "
    "df diff dirname du echo egrep env expand expr factor false fgrep find fold free fuser getopt "
    "grep gunzip gzip head hexdump hostname id ifconfig ip kill killall less ln ls lzcat md5sum "
    "mkdir mkfifo mktemp more mount mv nc netstat nl nproc nslookup od paste patch pidof ping "
    "ping6 printf ps pwd readlink realpath renice reset rev rm rmdir route sed seq setsid sh "
    "sha1sum sha256sum sha512sum sleep sort stat strings stty sync tac tail tar tee telnet test "
    "time timeout top touch tr traceroute true truncate tty umount uname unexpand uniq unxz unzip "
    "uptime usleep uudecode uuencode vi watch wc wget which who whoami xargs xxd xz xzcat yes zcat"
).split()
"""What busybox is called by in a debug twin; package managers are not among them."""


def layout(architecture: str) -> Iterator[Entry]:
    """What packages are unpacked into: merged /usr (every Debian since bookworm), and /var/run and
    /var/lock as links, though base-files ships them as directories (its script replaces these).
    """
    names = ["bin", "sbin", "lib", *(["lib64"] if architecture in _LIB64 else [])]
    for name in ("usr", *(f"usr/{name}" for name in names)):
        yield Entry(name, type=DIRECTORY, mode=0o755)
    for name in ("var", "run"):
        yield Entry(name, type=DIRECTORY, mode=0o755)
    yield Entry("run/lock", type=DIRECTORY, mode=0o1777)
    yield Entry("var/run", type=SYMLINK, target="/run")
    yield Entry("var/lock", type=SYMLINK, target="/run/lock")


def usr_links(architecture: str) -> Iterator[Entry]:
    """``/bin`` and the like as links; ``merged_path`` has led everything past them."""
    for name in ("bin", "sbin", "lib", *(["lib64"] if architecture in _LIB64 else [])):
        yield Entry(name, type=SYMLINK, target=f"usr/{name}", merged=False)


def effects(spec: Spec, packages: Iterable[str], tree: Tree) -> Iterator[Entry]:
    """All that follows from the packages that are in, for paths that are not there yet."""
    names = set(packages)
    yield Entry("tmp", type=DIRECTORY, mode=0o1777)
    yield Entry("root", type=DIRECTORY, mode=0o700)
    for name in ("dev", "proc", "sys", "run", "etc", "home"):
        yield Entry(name, type=DIRECTORY, mode=0o755)
    yield Entry("var/tmp", type=DIRECTORY, mode=0o1777)
    if "base-files" in names:
        for name in ("mnt", "opt", "srv", *(f"usr/local/{n}" for n in ("bin", "lib", "share"))):
            yield Entry(name, type=DIRECTORY, mode=0o755)
    yield Entry("etc/nsswitch.conf", _NSSWITCH)
    if tree.has("usr/lib/os-release"):
        yield Entry("etc/os-release", type=SYMLINK, target="../usr/lib/os-release")
    if "tzdata" in names:
        yield Entry("etc/localtime", type=SYMLINK, target="/usr/share/zoneinfo/Etc/UTC")
        yield Entry("etc/timezone", b"Etc/UTC\n")
    yield from _certificates(tree, java="ca-certificates-java" in names)
    yield from _java(tree)
    yield from _nginx(names)


def accounts(spec: Spec) -> Iterator[Entry]:
    """/etc/passwd and /etc/group, and the homes of the spec's users."""
    users = (_ROOT, _NOBODY, *spec.accounts.users)
    groups = {"root": (0, ""), "nogroup": (65534, "")}
    for group in spec.accounts.groups:
        groups[group.groupname] = (group.gid, ",".join(group.members))
    known = {gid for gid, _ in groups.values()}
    for user in users:
        if user.group not in known:
            groups[user.username] = (user.group, "")
            known.add(user.group)
    passwd = "".join(
        f"{u.username}:x:{u.uid}:{u.group}:{u.username}:{u.home}:{u.shell}\n" for u in users
    )
    lines = "".join(f"{name}:x:{gid}:{members}\n" for name, (gid, members) in groups.items())
    yield Entry("etc/passwd", passwd.encode())
    yield Entry("etc/group", lines.encode())


def homes(spec: Spec) -> Iterator[Entry]:
    """The homes of the spec's users, unless they are there."""
    for user in spec.accounts.users:
        if user.home.strip("/") and user.home != "/nonexistent":
            yield Entry(user.home, type=DIRECTORY, mode=0o700, uid=user.uid, gid=user.group)


def declared(paths: Iterable[PathEntry]) -> Iterator[Entry]:
    """The spec's paths, in its order; permissions are not given by these."""
    kinds = {"directory": DIRECTORY, "empty-file": REGULAR, "symlink": SYMLINK, "hardlink": LINK}
    for path in paths:
        if path.type in kinds:
            kind = kinds[path.type]
            yield Entry(path.path, b"", kind, path.mode, path.uid, path.gid, path.source)


def debug_links(names: Iterable[str]) -> Iterator[Entry]:
    """Busybox by all its names in ``/busybox``, where an image without a shell has nothing."""
    if "busybox-static" in set(names):
        for applet in APPLETS:
            yield Entry(f"busybox/{applet}", type=SYMLINK, target="/usr/bin/busybox")


def _certificates(tree: Tree, *, java: bool) -> Iterator[Entry]:
    """The bundle update-ca-certificates(8) makes of all certificates, and the Java trust store."""
    found: list[tuple[str, bytes]] = []
    for path in tree.files("usr/share/ca-certificates/", ".crt"):
        text = tree.read(path)
        begin, end = text.find(_BEGIN), text.rfind(_END)
        if 0 <= begin < end:
            found.append((path, text[begin : end + len(_END)] + b"\n"))
    if not found:
        return
    yield Entry(BUNDLE, b"".join(text for _, text in found))
    yield Entry("usr/lib/ssl/cert.pem", type=SYMLINK, target=f"/{BUNDLE}")
    yield Entry("usr/lib/ssl/certs", type=SYMLINK, target="/etc/ssl/certs")
    if java:
        names = [(f"debian:{path.rpartition('/')[2].lower()}", text) for path, text in found]
        yield Entry("etc/ssl/certs/java/cacerts", java_truststore(names, tree.time))


def _java(tree: Tree) -> Iterator[Entry]:
    """The commands of a Java runtime, which are alternatives; the highest version is last."""
    commands = {}
    for path in tree.files("usr/lib/jvm/"):
        if match := _JAVA.fullmatch(path):
            commands[match[1]] = path
    for name, path in sorted(commands.items()):
        yield Entry(f"usr/bin/{name}", type=SYMLINK, target=f"/{path}")
    if commands:
        home = max(commands.values()).split("/")[3]
        yield Entry("usr/lib/jvm/default", type=SYMLINK, target=home)


def _nginx(names: set[str]) -> Iterator[Entry]:
    """Where nginx logs to: its containers', as there is nobody to rotate files."""
    if "nginx-common" in names:
        yield Entry("var/log/nginx/access.log", type=SYMLINK, target="/dev/stdout")
        yield Entry("var/log/nginx/error.log", type=SYMLINK, target="/dev/stderr")
