"""Each cataloguer on real bytes of its database, on damaged ones, and on anything at all."""

from __future__ import annotations

import io
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jettison.errors import PackageError
from jettison.packages import apk, dpkg, golang, java, npm, python, rpm, rust
from jettison.packages.elf import Elf
from jettison.packages.release import Release, parse_release
from tests.unit.packages import databases as made

DEBIAN, ALPINE, FEDORA = (
    Release("debian", "12"),
    Release("alpine", "3.18.4"),
    Release("fedora", "40"),
)
STATUS = b"""\
Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9+deb12u4
Description: GNU C Library: Shared libraries
 Contains the standard libraries.
 .
 Package: not-a-package

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14)
Version: 2:12.2.0-14~x

Package: half
Status: install reinstreq half-installed
Version: 1.0
Architecture: all
"""


def test_dpkg() -> None:
    found = dpkg.parse_status(STATUS, DEBIAN, "/var/lib/dpkg/status")
    assert [p.purl for p in found] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc",
        "pkg:deb/debian/libstdc%2B%2B6@2:12.2.0-14~x?arch=amd64&distro=debian-12"
        "&upstream=gcc-12%4012.2.0-14",
        "pkg:deb/debian/half@1.0?arch=all&distro=debian-12",
    ]
    assert [p.source for p in found] == ["glibc", "gcc-12@12.2.0-14", ""]
    assert found[0].supplier == "GNU Libc Maintainers <debian-glibc@lists.debian.org>"


def test_dpkg_without_status_is_distroless() -> None:
    (found,) = dpkg.parse_status(b"Package: base\nVersion: 1\n", DEBIAN, "/x")
    assert found.purl == "pkg:deb/debian/base@1?distro=debian-12"


def test_dpkg_lists() -> None:
    assert dpkg.parse_list(b"/.\n/usr\n/usr/b\xff\n", "x.list") == ("/usr", "/usr/b\udcff")
    assert dpkg.parse_list(b"00ff  usr/a b\n", "x.md5sums") == ("/usr/a b",)


def test_copyright() -> None:
    dep5 = b"Format: https://www.debian.org/\n\nFiles: *\nLicense: GPL-2+ and Expat\n text\n\n"
    assert dpkg.parse_copyright(dep5 + b"License: BSD-3-clause\n") == (
        "GPL-2+",
        "Expat",
        "BSD-3-clause",
    )
    free = b"See /usr/share/common-licenses/LGPL-2.1.\nAlso /usr/share/common-licenses/GPL-2.\n"
    assert dpkg.parse_copyright(free) == ("LGPL-2.1", "GPL-2")


def test_apk() -> None:
    data = (
        b"C:Q1abc=\nP:busybox-binsh\nV:1.36.1-r2\nA:x86_64\nL:GPL-2.0-only\no:busybox\n"
        b"m:Natanael Copa <n@example.org>\nF:bin\nR:sh\na:0:0:777\nZ:Q1x\nF:\nR:top\n\n"
        b"P:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\n"
    )
    one, two = apk.parse_installed(data, ALPINE, "/lib/apk/db/installed")
    assert one.purl == (
        "pkg:apk/alpine/busybox-binsh@1.36.1-r2?arch=x86_64&distro=alpine-3.18.4&upstream=busybox"
    )
    assert (one.licences, one.files) == (("GPL-2.0-only",), ("/bin/sh", "/top"))
    assert two.purl == "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.18.4"


BASH: dict[int, made.Value] = {
    1000: "bash", 1001: "5.2.26", 1002: "3.fc40", 1003: 1, 1011: "Fedora Project",
    1014: "GPL-3.0-or-later", 1022: "x86_64", 1044: "bash-5.2.26-3.fc40.src.rpm",
    1116: [0, 1], 1117: ["bashrc", "bash"], 1118: ["/etc/", "/usr/bin/"],
}  # fmt: skip


@pytest.mark.parametrize("wal", [False, True])
def test_rpm(tmp_path: Path, wal: bool) -> None:
    key = made.rpm_header({1000: "gpg-pubkey", 1001: "a", 1002: "b"})
    data = made.rpm_database(tmp_path / "db", [made.rpm_header(BASH), key], wal=wal)
    (found,) = rpm.parse_database(data, FEDORA, "/x")
    assert found.purl == (
        "pkg:rpm/fedora/bash@5.2.26-3.fc40?arch=x86_64&distro=fedora-40&epoch=1"
        "&upstream=bash-5.2.26-3.fc40.src.rpm"
    )
    assert found.version == "1:5.2.26-3.fc40"
    assert found.files == ("/etc/bashrc", "/usr/bin/bash")
    assert found.licences == ("GPL-3.0-or-later",)


def test_rpm_of_red_hat(tmp_path: Path) -> None:
    header = made.rpm_header({1000: "x", 1001: "1", 1002: "2.el9"})
    found = rpm.parse_header(header, Release("rhel", "9.4"), "/x")
    assert found is not None and found.purl == "pkg:rpm/redhat/x@1-2.el9?distro=rhel-9.4"


def test_a_view_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = sqlite3.connect(tmp_path / "db")
    database.execute(
        "CREATE VIEW Packages AS WITH RECURSIVE t(hnum, blob) AS"
        " (SELECT 1, x'00' UNION ALL SELECT hnum + 1, blob FROM t) SELECT * FROM t"
    )
    database.commit()
    database.close()
    monkeypatch.setattr(rpm, "_MAX_WORK", 100)
    with pytest.raises(PackageError, match="interrupted"):
        rpm.parse_database((tmp_path / "db").read_bytes(), FEDORA, "/x")


@pytest.mark.parametrize(
    "tags",
    [
        {1000: "x"},
        {1000: "x", 1001: "1", 1116: [5], 1117: ["f"], 1118: ["/"]},
        {1000: "x", 1001: "1", 1116: [0, 0], 1117: ["f"], 1118: ["/"]},
    ],
)
def test_malformed_headers(tags: dict[int, made.Value]) -> None:
    with pytest.raises(PackageError):
        rpm.parse_header(made.rpm_header(tags), FEDORA, "/x")
    huge = struct.pack(">II", 1, 4) + struct.pack(">IIII", 1000, 8, 0, 2**31) + b"abc\0"
    with pytest.raises(PackageError):
        rpm.parse_header(huge, FEDORA, "/x")


def test_python() -> None:
    location = "/usr/lib/python3/site-packages/Foo_Bar-1.0.dist-info/METADATA"
    data = (
        b"Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0+local\nLicense-Expression: MIT OR ISC"
    )
    found = python.parse_metadata(data + b"\n\nName: in-the-description\n", location)
    assert (found.purl, found.licences) == ("pkg:pypi/foo-bar@1.0%2Blocal", ("MIT OR ISC",))
    classified = b"Name: a\nVersion: 1\nLicense: A text\n of many\n"
    classified += b"Classifier: License :: OSI Approved :: MIT License\n"
    assert python.parse_metadata(classified, "/x").licences == ("MIT License",)
    record = b'foo/__init__.py,sha256=x,1\n"a,b.py",,\n../../../bin/foo,,\n'
    assert python.parse_record(record, location) == (
        "/usr/lib/python3/site-packages/foo/__init__.py",
        "/usr/lib/python3/site-packages/a,b.py",
        "/usr/bin/foo",
    )
    assert python.METADATA.search(location)
    assert python.METADATA.search("/a/foo.egg-info/PKG-INFO")
    assert not python.METADATA.search("/a/foo.dist-info/RECORD")


def test_npm() -> None:
    data = b'{"name": "@Scope/pkg", "version": "1.0.0", "license": {"type": "MIT"}}'
    found = npm.parse_package(data, "/x")
    assert found is not None
    assert (found.purl, found.licences) == ("pkg:npm/%40scope/pkg@1.0.0", ("MIT",))
    assert npm.parse_package(b'{"type": "module"}', "/x") is None
    assert npm.INSTALLED.search("/app/node_modules/@s/p/package.json")
    assert npm.INSTALLED.search("/app/node_modules/p/node_modules/q/package.json")
    assert not npm.INSTALLED.search("/app/node_modules/p/lib/package.json")
    assert not npm.INSTALLED.search("/app/node_modules/@s/package.json")


def test_npm_locks() -> None:
    new = b"""{"lockfileVersion": 3, "packages": {"": {"name": "app", "version": "1"},
      "node_modules/a": {"version": "1.0.0", "license": "ISC"},
      "node_modules/a/node_modules/@s/b": {"version": "2.0.0"},
      "node_modules/alias": {"name": "real", "version": "3.0.0"},
      "node_modules/dev": {"version": "1.0.0", "dev": true},
      "node_modules/linked": {"resolved": "lib", "link": true}, "lib": {"version": "1"}}}"""
    purls = [p.purl for p in npm.parse_lock(new, "/x")]
    assert purls == ["pkg:npm/a@1.0.0", "pkg:npm/%40s/b@2.0.0", "pkg:npm/real@3.0.0"]
    old = b"""{"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0",
      "dependencies": {"b": {"version": "2.0.0"}}}, "c": {"version": "1.0.0", "dev": true},
      "g": {"version": "git+ssh://git@example.org/g.git#abc"}}}"""
    assert [p.purl for p in npm.parse_lock(old, "/x")] == ["pkg:npm/a@1.0.0", "pkg:npm/b@2.0.0"]


POM = "#Created\ngroupId=org.example\nartifactId=inner-lib\nversion=1.2.3\n"


def test_java() -> None:
    inner = made.jar({"META-INF/maven/org.example/inner-lib/pom.properties": POM})
    manifest = "Manifest-Version: 1.0\r\nImplementation-Version: 9\r\n"
    manifest += "Bundle-SymbolicName: com.exam\r\n ple.tool;x=y\r\n"
    outer = made.jar({"META-INF/MANIFEST.MF": manifest, "WEB-INF/lib/inner-lib.jar": inner})
    found = java.parse_archive(io.BytesIO(outer), "/srv/tool-2.0.war")
    assert [(p.purl, p.locations) for p in found] == [
        ("pkg:maven/com.example/tool@2.0", ("/srv/tool-2.0.war",)),
        (
            "pkg:maven/org.example/inner-lib@1.2.3",
            ("/srv/tool-2.0.war!/WEB-INF/lib/inner-lib.jar",),
        ),
    ]


def test_java_archives_within_archives_end() -> None:
    data = made.jar({"a": "b"})
    for _ in range(6):
        data = made.jar({"x.jar": data})
    with pytest.raises(PackageError, match="deep"):
        java.parse_archive(io.BytesIO(data), "/x.jar")


GO = [
    "pkg:golang/example.org/tool",
    "pkg:golang/github.com/masterminds/semver/v3@v3.2.1",
    "pkg:golang/golang.org/x/net@v0.2.0",
]


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_go(wide: bool, big: bool) -> None:
    elf = Elf(io.BytesIO(made.elf({".go.buildinfo": made.go_info()}, wide=wide, big=big)))
    purls = [p.purl for p in golang.parse_program(elf, "/x")]
    assert purls == [*GO, "pkg:golang/stdlib@1.22.3"]


def test_go_before_1_18() -> None:
    elf = Elf(io.BytesIO(made.elf(made.go_pointers())))
    purls = [p.purl for p in golang.parse_program(elf, "/x")]
    assert purls == [*GO, "pkg:golang/stdlib@1.17.13"]


def test_rust() -> None:
    listed = made.rust_info(
        [
            {"name": "serde", "version": "1.0.1", "source": "crates.io"},
            {"name": "cc", "version": "1.0.0", "kind": "build"},
            {"name": "app", "version": "0.1.0", "root": True},
        ]
    )
    elf = Elf(io.BytesIO(made.elf({".dep-v0": listed})))
    purls = [p.purl for p in rust.parse_program(elf, "/x")]
    assert purls == ["pkg:cargo/serde@1.0.1", "pkg:cargo/app@0.1.0"]


def _elf(parse: Callable[[Elf, str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(Elf(io.BytesIO(data)), "/x")


PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "dpkg": (lambda data: dpkg.parse_status(data, DEBIAN, "/x"), STATUS),
    "copyright": (dpkg.parse_copyright, b"Format: x\nLicense: MIT\n"),
    "apk": (lambda data: apk.parse_installed(data, ALPINE, "/x"), b"P:a\nV:1\nF:b\nR:c\n"),
    "rpm": (lambda data: rpm.parse_header(data, FEDORA, "/x"), made.rpm_header(BASH)),
    "python": (lambda data: python.parse_metadata(data, "/x"), b"Name: a\nVersion: 1\n"),
    "record": (lambda data: python.parse_record(data, "/a/b/METADATA"), b"a,b,c\n"),
    "npm": (lambda data: npm.parse_package(data, "/x"), b'{"name": "a", "version": "1"}'),
    "lock": (lambda data: npm.parse_lock(data, "/x"), b'{"packages": {"node_modules/a": {}}}'),
    "java": (
        lambda data: java.parse_archive(io.BytesIO(data), "/x.jar"),
        made.jar({"META-INF/maven/g/a/pom.properties": POM}),
    ),
    "go": (_elf(golang.parse_program), made.elf({".go.buildinfo": made.go_info()})),
    "go pointers": (_elf(golang.parse_program), made.elf(made.go_pointers())),
    "rust": (
        _elf(rust.parse_program),
        made.elf({".dep-v0": made.rust_info([{"name": "a", "version": "1"}])}),
    ),
    "release": (parse_release, b'ID=debian\nVERSION_ID="12"\n'),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_anything_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """A few bytes changed, cut out or put in: packages, or a PackageError, and nothing else."""
    parse, good = PARSERS[name]
    at = data.draw(st.integers(0, len(good)))
    gone = data.draw(st.integers(0, 40))
    noise = data.draw(st.binary(max_size=12))
    try:
        parse(good[:at] + noise + good[at + gone :])
    except PackageError as error:
        assert error.message


def test_damaged_sqlite_is_refused(tmp_path: Path) -> None:
    data = made.rpm_database(tmp_path / "db", [made.rpm_header(BASH)])
    for damaged in (b"", data[:200], data[:100] + b"\xff" * (len(data) - 100)):
        with pytest.raises(PackageError):
            rpm.parse_database(damaged, FEDORA, "/x")
