"""Python, Node and Java applications in small trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from jettison.binfmt.classfile import ModuleInfo, parse_module_info
from jettison.binfmt.jar import Jar
from jettison.closure.javamodules import java_modules
from jettison.closure.model import Options
from tests.unit.binfmt.classes import make_module_info
from tests.unit.binfmt.elves import Spec
from tests.unit.closure.places import Root, paths, program

LIBRARY = "/usr/lib/python3.11"
FILES = Options(prune="file")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path).libc()


@pytest.fixture
def python(root: Root) -> Root:
    """A Python with a small standard library, and two distributions in /site."""
    dynload = f"{LIBRARY}/lib-dynload"
    return root.fill(
        {
            "/usr/bin/python3": "-> python3.11",
            "/usr/bin/python3.11": program(),
            f"{LIBRARY}/os.py": "import stat",
            f"{LIBRARY}/stat.py": "",
            f"{LIBRARY}/json/__init__.py": "from .decoder import x\nimport json.scanner",
            f"{LIBRARY}/json/decoder.py": "",
            f"{LIBRARY}/json/scanner.py": "import _json",
            f"{LIBRARY}/json/tool.py": "",
            f"{LIBRARY}/json/__pycache__/decoder.cpython-311.pyc": "code",
            f"{LIBRARY}/wave.py": "",
            f"{LIBRARY}/encodings/utf_8.py": "",
            f"{LIBRARY}/test/regrtest.py": "",
            f"{dynload}/_json.cpython-311-x86_64-linux-gnu.so": Spec(needed=("libc.so.6",)),
            f"{dynload}/_tk.cpython-311-x86_64-linux-gnu.so": Spec(needed=("libtk.so",)),
            "/site/web/__init__.py": "from web import core",
            "/site/web/core.py": "import wave",
            "/site/web/data.txt": "",
            "/site/web-1.0.dist-info/METADATA": "Name: web\nVersion: 1.0\n"
            "Requires-Dist: Help.er>=1\n"
            'Requires-Dist: other; extra == "x"\n\nText\nRequires-Dist: other\n',
            "/site/web-1.0.dist-info/RECORD": "web/__init__.py,,\nweb/core.py,,\nweb/data.txt,,\n"
            "web-1.0.dist-info/METADATA,,\n../../bin/web,,\n",
            "/site/help_er-2.dist-info/METADATA": "Name: help-er\nVersion: 2\n",
            "/site/help_er-2.dist-info/RECORD": "helper.py,,\n",
            "/site/helper.py": "",
            "/site/other-3.dist-info/METADATA": "Name: other\nVersion: 3\n",
            "/site/other-3.dist-info/RECORD": "other.py,,\n",
            "/site/other.py": "",
            "/app/main.py": "import json, local\nfrom web.core import f\nimport sys, missing",
            "/app/local.py": "import local2",
            "/app/local2/__init__.py": "",
            "/app/unused.py": "",
        }
    )


ENV = {"PYTHONPATH": "/site"}
APP = {
    "/usr/bin/python3",
    "/usr/bin/python3.11",
    "/app/main.py",
    "/app/local.py",
    "/app/local2/__init__.py",
}


def site(found: set[str]) -> set[str]:
    return {path for path in found if path.startswith("/site/")}


def test_python_with_its_whole_library_and_whole_distributions(python: Root) -> None:
    closure = python.closure("python3", "/app/main.py", env=ENV)
    found = paths(closure)
    assert {path for path in found if path.startswith(("/app/", "/usr/bin"))} == APP
    assert site(found) == {
        "/site/web/__init__.py",
        "/site/web/core.py",
        "/site/web/data.txt",
        "/site/web-1.0.dist-info/METADATA",
        "/site/web-1.0.dist-info/RECORD",
        "/site/help_er-2.dist-info/METADATA",
        "/site/help_er-2.dist-info/RECORD",
        "/site/helper.py",
    }
    assert f"{LIBRARY}/json/tool.py" in found
    assert f"{LIBRARY}/test/regrtest.py" not in found
    # an extension of the library that cannot be loaded is no error
    assert [(gap.what, gap.fatal) for gap in closure.gaps] == [("libtk.so", False)]


def test_python_with_only_what_is_imported(python: Root) -> None:
    closure = python.closure("python3", "/app/main.py", env=ENV, options=FILES)
    found = paths(closure)
    assert {path for path in found if path.startswith(LIBRARY)} == {
        f"{LIBRARY}/os.py",
        f"{LIBRARY}/stat.py",
        f"{LIBRARY}/encodings/utf_8.py",
        f"{LIBRARY}/json/__init__.py",
        f"{LIBRARY}/json/decoder.py",
        f"{LIBRARY}/json/__pycache__/decoder.cpython-311.pyc",
        f"{LIBRARY}/json/scanner.py",
        f"{LIBRARY}/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so",
        f"{LIBRARY}/wave.py",
    }
    assert "/site/web/data.txt" not in found
    assert "/site/web-1.0.dist-info/METADATA" in found
    assert closure.gaps == ()


def test_modules_the_launch_names(python: Root) -> None:
    python.add("/site/web/__main__.py", "")
    found = paths(
        python.closure("python3", "-m", "web", "local:app", env=ENV, workdir="/app", options=FILES)
    )
    assert {"/site/web/__main__.py", "/site/web/__init__.py", "/app/local.py"} <= found
    assert "/app/main.py" not in found


def test_a_virtual_environment_by_a_console_script(python: Root) -> None:
    packages = "/venv/lib/python3.11/site-packages"
    python.fill(
        {
            "/venv/bin/python": "-> /usr/bin/python3",
            "/venv/bin/serve": "#!/venv/bin/python\nfrom served import main\n",
            "/venv/pyvenv.cfg": "home = /usr/bin\n",
            f"{packages}/served/__init__.py": "",
            f"{packages}/unrelated.py": "",
        }
    )
    found = paths(python.closure("/venv/bin/serve"))
    assert f"{packages}/served/__init__.py" in found
    assert "/venv/bin/python" in found
    assert "/venv/pyvenv.cfg" in found
    assert f"{packages}/unrelated.py" not in found


def test_an_extension_names_modules_of_its_package(python: Root) -> None:
    python.fill(
        {
            "/app/main.py": "import fast._core",
            "/site/fast/__init__.py": "",
            "/site/fast/_core.cpython-311-x86_64-linux-gnu.so": Spec(data=b"\0fast._errors\0"),
            "/site/fast/_errors.py": "",
            "/site/fast/_other.py": "",
        }
    )
    found = site(paths(python.closure("python3", "/app/main.py", env=ENV, options=FILES)))
    assert "/site/fast/_errors.py" in found
    assert "/site/fast/_other.py" not in found


# -------------------------------------------------------------------- Node


@pytest.fixture
def node(root: Root) -> Root:
    modules = "/app/node_modules"
    return root.fill(
        {
            "/usr/bin/node": program(data=b"\0/usr/share/nodejs/acorn/dist/acorn.js\0"),
            "/usr/share/nodejs/acorn/dist/acorn.js": "",
            "/app/server.js": "const e = require('express'); require('./lib/a'); require('fs')",
            "/app/lib/a.js": "import './b.mjs'; require('../data')",
            "/app/lib/b.mjs": "",
            "/app/data/index.js": "",
            "/app/unused.js": "",
            "/app/package.json": '{"dependencies": {"express": "4", "lazy": "1"}, '
            '"devDependencies": {"vite": "1"}}',
            f"{modules}/express/package.json": '{"dependencies": {"inner": "1", "up": "1"}}',
            f"{modules}/express/index.js": "require('never')",
            f"{modules}/express/node_modules/inner/package.json": "{}",
            f"{modules}/up/package.json": '{"optionalDependencies": {"gone": "1", "opt": "1"}}',
            f"{modules}/opt/package.json": "{}",
            f"{modules}/lazy/package.json": "{}",
            f"{modules}/vite/package.json": "{}",
        }
    )


def test_node_takes_production_dependencies(node: Root) -> None:
    closure = node.closure("node", "server.js", workdir="/app")
    modules = "/app/node_modules"
    assert paths(closure) == {
        "/usr/bin/node",
        "/usr/share/nodejs/acorn/dist/acorn.js",
        "/app/server.js",
        "/app/lib/a.js",
        "/app/lib/b.mjs",
        "/app/data/index.js",
        "/app/package.json",
        f"{modules}/express/package.json",
        f"{modules}/express/index.js",
        f"{modules}/express/node_modules/inner/package.json",
        f"{modules}/up/package.json",
        f"{modules}/opt/package.json",
        f"{modules}/lazy/package.json",
    }
    assert closure.gaps == ()


def test_a_dependency_that_was_not_installed(node: Root) -> None:
    node.add("/app/package.json", '{"dependencies": {"express": "4", "pg": "8"}}')
    (gap,) = node.closure("node", "server.js", workdir="/app").errors
    assert (gap.what, gap.by) == ("pg", "/app/package.json")
    assert "npm ci --omit=dev" in gap.hint


# -------------------------------------------------------------------- Java modules


def runtime() -> dict[str, ModuleInfo]:
    infos = [
        make_module_info("java.base", packages=("java.lang", "java.net", "javax.net.ssl")),
        make_module_info("java.logging", ("java.base",), packages=("java.util.logging",)),
        make_module_info("java.sql", ("java.logging",), ("java.static",), packages=("java.sql",)),
        make_module_info("java.static", packages=("java.st",)),
        make_module_info("java.naming", packages=("javax.naming",)),
        make_module_info("jdk.crypto.ec", packages=("sun.security.ec",)),
        make_module_info("jdk.spi", packages=("jdk.spi",), provides={"app.Spi": ("jdk.spi.X",)}),
        make_module_info("java.desktop", packages=("java.awt",)),
    ]
    return {info.name: info for info in map(parse_module_info, infos)}


def jar(references: str = "", strings: str = "", uses: str = "", modules: str = "") -> Jar:
    return Jar(
        references=frozenset(references.split()),
        strings=frozenset(strings.split()),
        uses=frozenset(uses.split()),
        modules=frozenset(modules.split()),
    )


def names(*jars: Jar) -> tuple[str, ...]:
    return java_modules({f"/{n}.jar": each for n, each in enumerate(jars)}, runtime()).names


def test_java_modules_by_references_and_requirements() -> None:
    assert names(jar("java/lang/String")) == ("java.base",)
    assert names(jar("java/sql/Driver app/Own")) == ("java.base", "java.logging", "java.sql")


def test_java_modules_nothing_refers_to() -> None:
    assert names(jar("javax/net/ssl/SSLContext")) == ("java.base", "jdk.crypto.ec")
    assert names(jar(strings="javax/naming/Context com/other/X")) == (
        "java.base", "java.naming"
    )  # fmt: skip
    assert names(jar(uses="app.Spi")) == ("java.base", "jdk.spi")
    assert names(jar(modules="java.desktop app.own")) == (
        "java.base", "java.desktop"
    )  # fmt: skip


def test_java_modules_say_why_and_what_is_nowhere() -> None:
    app = jar("java/sql/Driver com/gone/X lib/Here")
    library = Jar(classes=frozenset({"lib/Here"}))
    found = java_modules({"/app.jar": app, "/lib.jar": library}, runtime())
    assert found.modules["java.sql"].by == "/app.jar"
    assert found.modules["java.sql"].text == "refers to java.sql.Driver"
    assert found.modules["java.logging"].by == "java.sql"
    assert found.unknown == ("com.gone.X",)
