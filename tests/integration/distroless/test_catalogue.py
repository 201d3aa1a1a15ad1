"""Every base of the catalogue, made of real packages: its runtime works, and nothing else is in.

It needs an archive of Debian (the host's apt sources), so it runs when asked for: ``make bases``.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jettison.distroless import catalog
from tests.integration.support.certs import Pair
from tests.integration.support.runner import Jettison
from tests.integration.support.server import Registry

pytestmark = [
    pytest.mark.userns,
    pytest.mark.skipif("JETTISON_TEST_CATALOGUE" not in os.environ, reason="make bases"),
]
SHELLS = frozenset("sh bash dash ash zsh ksh busybox".split())
MANAGERS = frozenset("dpkg apt apt-get rpm apk pip pip3 npm".split())
PYTHON = """\
import locale, os, pwd, socket, sqlite3, ssl, sys, time, zoneinfo
assert locale.setlocale(locale.LC_ALL, "") == "C.UTF-8"
assert zoneinfo.ZoneInfo("Europe/Berlin").key == "Europe/Berlin"
assert pwd.getpwuid(os.getuid()).pw_name == "nonroot"
assert socket.getaddrinfo("localhost", 80)
assert sqlite3.connect(":memory:").execute("select 6 * 7").fetchone() == (42,)
assert len(ssl.create_default_context().get_ca_certs()) > 100
open("mine", "w").close(); open("/tmp/mine", "w").close()
print("grün")
"""
TLS = """\
import socket, ssl, sys
host, port = sys.argv[1].split(":")
context = ssl.create_default_context()
with socket.create_connection((host, int(port))) as plain:
    with context.wrap_socket(plain, server_hostname=host) as tls:
        print(tls.version())
"""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jettison]:
    """A store with every base for this host; sizes are printed."""
    runner = Jettison(tmp_path_factory.mktemp("bases") / "store")
    for name in catalog.names():
        for spec in (name, f"{name}:debug"):
            runner("base", "build", spec, "-q", "-t", spec, "--arch", "amd64")
        done = runner("base", "build", name, "-t", name, "--arch", "amd64")
        assert "does what nothing declares" not in done.stderr
        print(name, done.stdout.splitlines()[1])
    yield runner


def files(runner: Jettison, name: str, directory: Path) -> list[str]:
    dockerfile = directory / "Dockerfile"
    dockerfile.write_text(f"FROM {name}\n")
    out = directory / "tree.tar"
    runner("build", "-q", "-o", f"type=tar,dest={out}", directory)
    with tarfile.open(out) as tar:
        return [member.name for member in tar if not member.isdir()]


@pytest.mark.parametrize("name", catalog.names())
def test_there_is_no_shell_and_no_package_manager(
    bases: Jettison, tmp_path: Path, name: str
) -> None:
    names = {path.rpartition("/")[2] for path in files(bases, name, tmp_path)}
    assert names & (SHELLS | MANAGERS) == set()
    twin = {path.rpartition("/")[2] for path in files(bases, f"{name}:debug", tmp_path)}
    assert "sh" in twin
    assert twin & MANAGERS == set()
    assert bases("run", f"{name}:debug", "-c", "id -u; test -d /var/run/lock").stdout == "65532\n"


def test_static_runs_a_static_program(bases: Jettison, tmp_path: Path) -> None:
    shutil.copy(shutil.which("busybox") or "/bin/busybox", tmp_path / "date")
    (tmp_path / "Dockerfile").write_text('FROM static\nCOPY date /date\nENTRYPOINT ["/date"]\n')
    bases("build", "-q", "-t", "dated", tmp_path)
    flags = ("-e", "TZ=Asia/Tokyo", "dated", "-d", "@0", "+%H:%M %Z")
    assert bases("run", *flags).stdout == "09:00 JST\n"


def test_base_knows_users_hosts_and_locale(bases: Jettison) -> None:
    passwd = bases("run", "base", "getent", "passwd", "65532").stdout
    assert passwd == "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
    assert "localhost" in bases("run", "cc", "getent", "hosts", "localhost").stdout


def test_python(bases: Jettison, tls_registry: Registry, authority: Pair) -> None:
    assert bases("run", "python3", "-c", PYTHON).stdout == "grün\n"
    mount = ("-v", f"{authority.cert}:/ca.pem:ro")
    host = tls_registry.host
    done = bases("run", *mount, "-e", "SSL_CERT_FILE=/ca.pem", "python3", "-c", TLS, host)
    assert done.stdout.startswith("TLSv1.")
    refused = bases("run", "python3", "-c", TLS, host, check=False)
    assert "certificate verify failed" in refused.stderr


def test_node(bases: Jettison) -> None:
    script = """
    new Intl.DateTimeFormat('de', {timeZone: 'Asia/Tokyo'}).format(0);
    require('tls').createSecureContext(); require('zlib').gzipSync('x'); require('crypto');
    console.log(require('os').userInfo().username)"""
    assert bases("run", "nodejs", "-e", script).stdout == "nonroot\n"


def test_java(bases: Jettison) -> None:
    done = bases("run", "java17", "-version")
    assert 'openjdk version "17.' in done.stderr
    tool = ("--entrypoint", "/usr/bin/keytool", "java17", "-list", "-cacerts")
    listed = bases("run", *tool, "-storepass", "changeit").stdout
    assert "Keystore type: JKS" in listed
    assert listed.count("trustedCertEntry") > 100


def test_nginx(bases: Jettison) -> None:
    assert "test is successful" in bases("run", "nginx", "-t").stderr


def test_one_lock_makes_arm64_too(bases: Jettison, tmp_path: Path) -> None:
    lock = tmp_path / "static.lock.json"
    bases("base", "lock", "static", "--lock", lock)
    digests = {
        Jettison(tmp_path / store)("base", "build", "static", "--lock", lock, "-q").stdout
        for store in ("one", "two")
    }
    assert len(digests) == 1
    assert set(json.loads(lock.read_text())["architectures"]) == {"amd64", "arm64"}
