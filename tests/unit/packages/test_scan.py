"""Whole trees: what is found where, what is noted, purls and licences."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jettison.fs.stack import Stack
from jettison.packages.licences import expression
from jettison.packages.purl import make_purl
from jettison.packages.release import parse_release
from jettison.packages.scan import scan
from tests.unit.packages import databases as made


def write(root: Path, path: str, data: bytes | str, mode: int = 0o644) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    file.chmod(mode)


def test_a_tree_with_everything(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    write(low, "usr/lib/os-release", 'ID=debian\nVERSION_ID="12"\n')
    (low / "etc").mkdir()
    (low / "etc/os-release").symlink_to("../usr/lib/os-release")
    write(low, "var/lib/dpkg/status", "Package: old\nVersion: 1\n")
    write(high, "var/lib/dpkg/status", "Package: new\nVersion: 2\nArchitecture: amd64\n")
    write(high, "var/lib/dpkg/info/new:amd64.list", "/.\n/usr/bin/new\n")
    write(high, "usr/share/doc/new/copyright", "Format: x\n\nLicense: Expat\n")
    write(high, "var/lib/dpkg/status.d/base", "Package: base\nVersion: 3\n")
    write(high, "app/node_modules/a/package.json", '{"name": "a", "version": "1.0.0"}')
    lock = '{"packages": {"node_modules/a": {"version": "1.0.0"}}}'
    write(high, "app/node_modules/.package-lock.json", lock)
    write(high, "p/x.dist-info/METADATA", "Name: x\nVersion: 1\n")
    write(high, "p/x.dist-info/RECORD", "x.py,,\n")
    write(high, "bin/tool", made.elf({".go.buildinfo": made.go_info()}), 0o755)
    write(high, "bin/data", made.elf({".go.buildinfo": made.go_info()}))
    catalogue = scan(Stack([str(low), str(high)]))
    found = {p.purl: p for p in catalogue.packages}
    assert list(found) == [
        "pkg:deb/debian/base@3?distro=debian-12",
        "pkg:deb/debian/new@2?arch=amd64&distro=debian-12",
        "pkg:golang/example.org/tool",
        "pkg:golang/github.com/masterminds/semver/v3@v3.2.1",
        "pkg:golang/golang.org/x/net@v0.2.0",
        "pkg:golang/stdlib@1.22.3",
        "pkg:npm/a@1.0.0",
        "pkg:pypi/x@1",
    ]
    new = found["pkg:deb/debian/new@2?arch=amd64&distro=debian-12"]
    assert (new.files, new.licences) == (("/usr/bin/new",), ("Expat",))
    assert found["pkg:pypi/x@1"].files == ("/p/x.py",)
    assert found["pkg:npm/a@1.0.0"].locations == (
        "/app/node_modules/.package-lock.json",
        "/app/node_modules/a/package.json",
    )
    assert catalogue.distribution == "debian-12"
    assert catalogue.notes == ()


def test_what_is_damaged_is_noted_and_the_rest_listed(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0" + b"\xff" * 4096)
    write(tmp_path, "usr/lib/sysimage/rpm/Packages.db", b"x")
    write(tmp_path, "a.jar", b"PK no zip")
    write(tmp_path, "node_modules/b/package.json", b"{")
    write(tmp_path, "node_modules/c/package.json", b'{"name": "c", "version": "1"}')
    write(tmp_path, "bin/odd", made.elf({".dep-v0": b"no zlib"}), 0o755)
    catalogue = scan(Stack([str(tmp_path)]))
    assert [p.purl for p in catalogue.packages] == ["pkg:npm/c@1"]
    assert [note.path for note in catalogue.notes] == [
        "/a.jar",
        "/bin/odd",
        "/node_modules/b/package.json",
        "/usr/lib/sysimage/rpm/Packages.db",
        "/var/lib/rpm/rpmdb.sqlite",
    ]


def test_links_lead_nowhere_outside(tmp_path: Path) -> None:
    write(tmp_path, "outside/os-release", "ID=evil\n")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").symlink_to(tmp_path / "outside/os-release")
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").symlink_to("/var/lib/dpkg/status")
    catalogue = scan(Stack([str(root)]))
    assert (catalogue.distribution, catalogue.packages) == ("", ())


@pytest.mark.skipif(not os.path.exists("/var/lib/dpkg/status"), reason="no Debian")
def test_the_list_is_dpkg_querys(tmp_path: Path) -> None:
    """This machine's own database, read here and by dpkg-query."""
    write(tmp_path, "var/lib/dpkg/status", Path("/var/lib/dpkg/status").read_bytes())
    form = "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package}\n"
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", form], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wanted = sorted(
        tuple(line.split()[1:])
        for line in listed
        if line.split()[0] not in ("not-installed", "config-files")
    )
    packages = scan(Stack([str(tmp_path)])).packages
    assert (
        sorted(
            (p.name, p.version, p.architecture, p.source.partition("@")[0] or p.name)
            for p in packages
        )
        == wanted
    )


@pytest.mark.parametrize(
    ("purl", "wanted"),
    [
        (
            make_purl("deb", "g++", "1:2~x", namespace="x", qualifiers={"b": "", "a": "x y"}),
            "pkg:deb/x/g%2B%2B@1:2~x?a=x%20y",
        ),
        (make_purl("npm", "b", "1", namespace="@a"), "pkg:npm/%40a/b@1"),
        (make_purl("pypi", "A_b.C", "1+l"), "pkg:pypi/a-b.c@1%2Bl"),
        (make_purl("maven", "X", "1", namespace="Org.x"), "pkg:maven/Org.x/X@1"),
        (make_purl("golang", "c", namespace="G/a", subpath="/d/../e"), "pkg:golang/g/a/c#d/e"),
        (make_purl("generic", "ü\udcff"), "pkg:generic/%C3%BC%FF"),
    ],
)  # fmt: skip
def test_purls(purl: str, wanted: str) -> None:
    assert purl == wanted


@pytest.mark.parametrize(
    ("licences", "wanted"),
    [
        ([], "NOASSERTION"),
        (["mit"], "MIT"),
        (["GPL-2+", "Expat"], "GPL-2.0-or-later AND MIT"),
        (["LGPL-2.1"], "LGPL-2.1-only"),
        (["MIT OR (Apache-2.0 AND ISC)"], "MIT OR (Apache-2.0 AND ISC)"),
        (["MIT or ISC", "Zlib"], "(MIT OR ISC) AND Zlib"),
        (["GPL-2+ with Classpath-exception-2.0"], "GPL-2.0-or-later WITH Classpath-exception-2.0"),
        (["My own, see file"], "LicenseRef-My-own-see-file"),
        (["MIT OR"], "LicenseRef-MIT-OR"),
        (["MIT) AND (ISC"], "LicenseRef-MIT-AND-ISC"),
        (["MIT AND Odd/One"], "MIT AND LicenseRef-Odd-One"),
    ],
)
def test_licences(licences: list[str], wanted: str) -> None:
    found, extracted = expression(licences)
    assert found == wanted
    assert set(extracted) == {w.strip("()") for w in found.split() if w.startswith("LicenseRef-")}


def test_releases() -> None:
    data = b'# x\nID=\'alpine\'\nVERSION_ID=3.18.4\nPRETTY_NAME="A \\"b\\""\nbroken\n'
    found = parse_release(data)
    assert (found.distribution, found.name) == ("alpine-3.18.4", 'A "b"')
    assert parse_release(b"ID=../x\n").distribution == ""
