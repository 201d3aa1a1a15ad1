"""Which package a file belongs to."""

from __future__ import annotations

from pathlib import Path

from jettison.closure.owners import Owners
from jettison.packages.scan import scan
from tests.unit.closure.places import Root

STATUS = """\
Package: libx1
Status: install ok installed
Version: 1.2
Architecture: amd64
"""


def test_owners(tmp_path: Path) -> None:
    root = Root(tmp_path).fill(
        {
            "/lib": "-> usr/lib",
            "/usr/lib/libx.so.1": "",
            "/var/lib/dpkg/status.d/libx1": STATUS,
            "/var/lib/dpkg/status.d/libx1.md5sums": "0  lib/libx.so.1\n0  usr/lib/libgone.so.2\n",
            "/app/node_modules/@s/pkg/package.json": '{"name": "@s/pkg", "version": "3"}',
            "/app/node_modules/@s/pkg/lib/deep/x.js": "",
            "/site/d-1.dist-info/METADATA": "Name: d\nVersion: 1\n",
            "/site/d-1.dist-info/RECORD": "d.py,,\n",
            "/site/d.py": "",
            "/own.txt": "",
        }
    )
    tree = root.tree()
    owners = Owners(tree, scan(tree))

    def of(path: str) -> list[str]:
        return [f"{package.name} {package.version}" for package in owners.of(path)]

    assert of("/usr/lib/libx.so.1") == ["libx1 1.2"]
    assert of("/lib/libx.so.1") == ["libx1 1.2"]
    assert of("/app/node_modules/@s/pkg/lib/deep/x.js") == ["@s/pkg 3"]
    assert of("/site/d.py") == ["d 1"]
    assert of("/own.txt") == []
    assert owners.named("libgone.so.2") == "libx1"
    assert owners.named("libother.so") == ""
